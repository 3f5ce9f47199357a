//! ONNX files against ONNX Runtime: the models of `tests/fixtures/onnx`, which `generate.py` there writes.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use veracta_data::csv::read_csv;
use veracta_data::reading::ReadOptions;
use veracta_data::table::Table;
use veracta_model::explanation::interventional::{Scale, interventional};
use veracta_model::explanation::path_dependent::tree_shap;
use veracta_model::explanation::{ExplanationError, coalition};
use veracta_model::model::{Form, Label, Model, ModelError, TreeOrigin};
use veracta_model::onnx::read_onnx;
use veracta_model::tree::compiled::CompiledTrees;

use crate::formats::{Drawn, N_FEATURES, rows};

fn cases() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

fn case(name: &str) -> PathBuf {
    cases()
        .into_iter()
        .find(|case| case.ends_with(name))
        .unwrap()
}

/// Reads the rows of a case; words are taken as they stand.
fn table(case: &std::path::Path) -> Table {
    let mut options = ReadOptions::default();
    if let Ok(model) = Model::read(&fs::read(case.join("model.onnx")).unwrap()) {
        options.of_model = model.column_readings(&options);
    }
    read_csv(
        &mut fs::File::open(case.join("rows.csv")).unwrap(),
        &options,
    )
    .unwrap()
    .0
}

fn expected(case: &std::path::Path) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(case.join("expected.csv")).unwrap();
    text.lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect()
}

#[test]
fn predictions_are_those_of_onnx_runtime() {
    let (mut n_trees, mut n_graphs) = (0, 0);
    for case in cases() {
        let model = Model::read(&fs::read(case.join("model.onnx")).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        match &model.form {
            Form::Trees { .. } => n_trees += 1,
            _ => n_graphs += 1,
        }
        let matrix = model
            .batch(&table(&case))
            .unwrap_or_else(|error| panic!("{}: {error}", case.display()))
            .batch;
        let found = model
            .predict(&matrix)
            .unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        for (row, (found, wanted)) in found
            .values
            .chunks(found.n_outputs)
            .zip(expected(&case))
            .enumerate()
        {
            let wanted = if found.len() == 1 && wanted.len() == 2 {
                &wanted[1..]
            } else {
                &wanted[..]
            };
            assert_eq!(found.len(), wanted.len(), "{}", case.display());
            for (found, wanted) in found.iter().zip(wanted) {
                let gap = (found - wanted).abs();
                assert!(
                    gap <= 1e-5 * (1.0 + wanted.abs()),
                    "{}, row {row}: {found}, expected {wanted}",
                    case.display()
                );
            }
        }
    }
    assert!(
        n_trees >= 10 && n_graphs >= 10,
        "{n_trees} of trees alone, {n_graphs} graphs"
    );
}

#[test]
fn a_model_is_not_judged_as_one_of_its_first_class() {
    let mut n_judged = 0;
    for case in cases() {
        let model = Model::read(&fs::read(case.join("model.onnx")).unwrap()).unwrap();
        let judged_as = |positive: &str| {
            let label = Label {
                column: "label".to_owned(),
                positive: positive.to_owned(),
            };
            let columns: Vec<String> = (0..model.signature.n_inputs)
                .map(|idx| format!("x{idx}"))
                .collect();
            model.clone().judged_as(label, &columns).map(|_| ())
        };
        let name = case.display();
        match &model.signature.classes[..] {
            [] => {}
            [first, second] => {
                let error = judged_as(first).unwrap_err().to_string();
                assert!(
                    error.contains(&format!("not of `{first}`")),
                    "{name}: {error}"
                );
                let is_numbered = first == "0" && second == "1";
                let other = judged_as("another");
                match judged_as(second) {
                    Ok(()) => {
                        n_judged += 1;
                        assert_eq!(other.is_ok(), is_numbered, "{name}");
                    }
                    // Averaged probabilities and bare scores are refused whatever they are of.
                    Err(error) => assert!(
                        error.to_string().contains("one probability"),
                        "{name}: {error}"
                    ),
                }
            }
            several => {
                let error = judged_as(&several[1]).unwrap_err().to_string();
                assert!(error.contains("classes apart"), "{name}: {error}");
            }
        }
    }
    assert!(n_judged >= 3, "{n_judged} judged");
}

#[test]
fn trees_are_explained_against_background_rows_alone() {
    let case = case("forest_binary");
    let model = Model::read(&fs::read(case.join("model.onnx")).unwrap()).unwrap();
    let Form::Trees {
        ensemble,
        origin: TreeOrigin::Library("ONNX"),
    } = &model.form
    else {
        panic!("trees alone")
    };
    let matrix = model.batch(&table(&case)).unwrap().batch;
    assert_eq!(
        tree_shap(ensemble, matrix.row(0)).unwrap_err(),
        ExplanationError::NoCovers
    );
    let background: Vec<Vec<f64>> = (1..matrix.n_rows)
        .map(|row| matrix.row(row).to_vec())
        .collect();
    let found = &interventional(ensemble, matrix.row(0), &background, Scale::Margin).unwrap()[0];
    let total = found.base_value + found.contributions.iter().sum::<f64>();
    assert!((total - ensemble.margins(matrix.row(0))[0]).abs() < 1e-6);
}

/// Writes a field that holds bytes.
fn message(field: u8, content: &[u8]) -> Vec<u8> {
    [
        vec![field << 3 | 2],
        varint(content.len() as u64),
        content.to_vec(),
    ]
    .concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 128 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Writes a file of one operator on `n` columns of 32-bit numbers.
fn file(operator: &[u8], attributes: &[u8], n: u8) -> Vec<u8> {
    let node = [
        message(4, operator),
        message(7, b"ai.onnx.ml"),
        message(1, b"X"),
        message(2, b"Y"),
        attributes.to_vec(),
    ]
    .concat();
    let shape = [message(1, &[]), message(1, &[8, n])].concat();
    let tensor = [vec![8, 1], message(2, &shape)].concat();
    let input = [message(1, b"X"), message(2, &message(1, &tensor))].concat();
    let graph = [
        message(1, &node),
        message(11, &input),
        message(12, &message(1, b"Y")),
    ]
    .concat();
    let set = [message(1, b"ai.onnx.ml"), vec![16, 3]].concat();
    [vec![8, 9], message(7, &graph), message(8, &set)].concat()
}

/// Writes drawn trees as a regressor, by every comparison in turn; splits on the last feature ask for one category.
fn regressor(trees: &[Drawn]) -> Vec<u8> {
    let ints = |name: &str, values: Vec<i64>| {
        let values: Vec<u8> = values
            .into_iter()
            .flat_map(|value| [vec![8 << 3], varint(value as u64)].concat())
            .collect();
        message(5, &[message(1, name.as_bytes()), values].concat())
    };
    let floats = |name: &str, values: Vec<f64>| {
        let values: Vec<u8> = values
            .into_iter()
            .flat_map(|value| [&[7 << 3 | 5][..], &(value as f32).to_le_bytes()].concat())
            .collect();
        message(5, &[message(1, name.as_bytes()), values].concat())
    };
    let nodes: Vec<(usize, usize)> = trees
        .iter()
        .enumerate()
        .flat_map(|(t, tree)| (0..tree.value.len()).map(move |idx| (t, idx)))
        .collect();
    let is_leaf = |(t, idx): &(usize, usize)| trees[*t].left[*idx] < 0;
    let leaves: Vec<(usize, usize)> = nodes.iter().copied().filter(is_leaf).collect();
    let mode = |(t, idx): &(usize, usize)| match idx % 4 {
        _ if is_leaf(&(*t, *idx)) => "LEAF",
        even if trees[*t].feature[*idx] == N_FEATURES - 1 => ["BRANCH_EQ", "BRANCH_NEQ"][even % 2],
        other => ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"][other],
    };
    let value = |(t, idx): &(usize, usize)| match trees[*t].feature[*idx] == N_FEATURES - 1 {
        true => f64::from(trees[*t].categories[*idx] % 5),
        false => trees[*t].threshold[*idx],
    };
    let modes: Vec<u8> = nodes
        .iter()
        .flat_map(|node| message(9, mode(node).as_bytes()))
        .collect();
    let of = |get: &dyn Fn(&Drawn, usize) -> i64| {
        nodes
            .iter()
            .map(|(t, idx)| get(&trees[*t], *idx).max(0))
            .collect::<Vec<i64>>()
    };
    let attributes = [
        ints(
            "nodes_treeids",
            nodes.iter().map(|(t, _)| *t as i64).collect(),
        ),
        ints(
            "nodes_nodeids",
            nodes.iter().map(|(_, idx)| *idx as i64).collect(),
        ),
        ints(
            "nodes_featureids",
            of(&|tree, idx| tree.feature[idx] as i64),
        ),
        floats("nodes_values", nodes.iter().map(value).collect()),
        message(5, &[message(1, b"nodes_modes"), modes].concat()),
        ints("nodes_truenodeids", of(&|tree, idx| tree.left[idx])),
        ints("nodes_falsenodeids", of(&|tree, idx| tree.right[idx])),
        ints(
            "nodes_missing_value_tracks_true",
            of(&|tree, idx| i64::from(tree.default_left[idx])),
        ),
        ints(
            "target_treeids",
            leaves.iter().map(|(t, _)| *t as i64).collect(),
        ),
        ints(
            "target_nodeids",
            leaves.iter().map(|(_, idx)| *idx as i64).collect(),
        ),
        ints("target_ids", vec![0; leaves.len()]),
        floats(
            "target_weights",
            leaves
                .iter()
                .map(|(t, idx)| trees[*t].value[*idx])
                .collect(),
        ),
    ];
    file(
        b"TreeEnsembleRegressor",
        &attributes.concat(),
        N_FEATURES as u8,
    )
}

/// Follows the file's own comparisons.
fn walked(tree: &Drawn, row: &[f64]) -> f64 {
    let mut idx = 0;
    while tree.left[idx] >= 0 {
        let (x, is_last) = (row[tree.feature[idx]], tree.feature[idx] == N_FEATURES - 1);
        let wanted = if is_last {
            f64::from(tree.categories[idx] % 5)
        } else {
            tree.threshold[idx]
        };
        let passes = match idx % 4 {
            other if is_last && other % 2 == 1 => x != wanted,
            _ if x.is_nan() => tree.default_left[idx],
            _ if is_last => x == wanted,
            0 => x <= wanted,
            1 => x < wanted,
            2 => x >= wanted,
            _ => x > wanted,
        };
        idx = if passes {
            tree.left[idx]
        } else {
            tree.right[idx]
        } as usize;
    }
    tree.value[idx]
}

#[test]
fn what_is_not_supported_is_named_with_its_version() {
    assert_eq!(
        read_onnx(&file(b"SVMClassifier", &[], 2))
            .unwrap_err()
            .to_string(),
        "the operator SVMClassifier (ai.onnx.ml version 3) is not supported"
    );
    assert!(matches!(
        Model::read(&[8, 9, 255]),
        Err(ModelError::Onnx(_))
    ));
}

#[test]
fn a_column_of_another_kind_is_named() {
    let model = Model::read(&fs::read(case("pipeline_words").join("model.onnx")).unwrap()).unwrap();
    assert_eq!(
        model.signature.input_names().unwrap(),
        ["age", "income", "city", "plan"]
    );
    let read = |text: &str| {
        read_csv(&mut std::io::Cursor::new(text), &ReadOptions::default())
            .unwrap()
            .0
    };
    let refused = model.batch(&read("age,income,plan\n1,2,a\n")).unwrap_err();
    assert!(
        matches!(refused, ModelError::MissingInput { ref input, .. } if input == "city"),
        "{refused}"
    );
    let refused = model
        .batch(&read("age,income,city,plan\nold,2,Bern,a\n"))
        .unwrap_err();
    assert!(
        matches!(refused, ModelError::InputType { ref input, .. } if input == "age"),
        "{refused}"
    );
    let whole = Model::read(&fs::read(case("whole_numbers").join("model.onnx")).unwrap()).unwrap();
    let matrix = whole.batch(&read("a,b\n1,2\n1,\n")).unwrap().batch;
    assert_eq!(
        whole.predict(&matrix).unwrap_err().to_string(),
        "row 2 of input `X` is missing, and the model takes whole numbers"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn trees_predict_by_their_comparisons_and_shapley_values_are_those_of_enumeration(seed in any::<u64>(), n_trees in 1usize..5) {
        let trees: Vec<Drawn> = (0..n_trees as u64).map(|tree| Drawn::draw(seed.wrapping_add(tree))).collect();
        let ensemble = read_onnx(&regressor(&trees)).unwrap().only_trees().unwrap();
        let rows = rows(seed, 8);
        let predict = |values: &[f64]| CompiledTrees::new(&ensemble).margins(values, N_FEATURES);
        for (row, margin) in rows.iter().zip(predict(&rows.concat())) {
            let wanted: f64 = trees.iter().map(|tree| walked(tree, row)).sum();
            prop_assert!((margin - wanted).abs() < 1e-5, "{margin} against {wanted}");
            let wanted = &coalition::exact(&predict, row, &rows[..4]).unwrap()[0];
            let found = &interventional(&ensemble, row, &rows[..4], Scale::Margin).unwrap()[0];
            for (found, wanted) in found.contributions.iter().zip(&wanted.contributions) {
                prop_assert!((found - wanted).abs() < 1e-5, "{found} against {wanted}");
            }
        }
    }

    #[test]
    fn damaged_files_are_refused_or_predict(which in any::<proptest::sample::Index>(), at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let cases = cases();
        let case = &cases[which.index(cases.len())];
        let mut bytes = fs::read(case.join("model.onnx")).unwrap();
        let position = at.index(bytes.len());
        if cut { bytes.truncate(position) } else { bytes[position] = byte }
        if let Ok(model) = Model::read(&bytes)
            && let Ok(matrix) = model.batch(&table(case))
        {
            let _ = model.predict(&matrix.batch);
        }
    }
}
