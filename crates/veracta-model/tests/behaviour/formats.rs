//! Random small models written in each format and read back: exact Shapley values are those of enumeration, batches those of rows.

use std::fmt::Write;

use proptest::prelude::*;
use veracta_data::table::{Column, MISSING, Table};
use veracta_model::explanation::coalition;
use veracta_model::explanation::interventional::{Scale, interventional};
use veracta_model::explanation::path_dependent::TreeExplainer;
use veracta_model::model::{Form, Model};
use veracta_model::numeric::{below, generator, uniform};
use veracta_model::tree::compiled::CompiledTrees;
use veracta_model::tree::lightgbm::read_lightgbm_text;
use veracta_model::tree::xgboost::{read_xgboost_json, read_xgboost_ubjson};
use veracta_model::tree::{Tree, TreeEnsemble};

use crate::samples::{categorical, numeric};

pub(crate) const N_FEATURES: usize = 4;
/// The last feature holds categories below this.
const N_CATEGORIES: usize = 5;

/// A random tree in the order both formats ask for: children after their parent.
pub(crate) struct Drawn {
    pub(crate) feature: Vec<usize>,
    pub(crate) threshold: Vec<f64>,
    pub(crate) default_left: Vec<bool>,
    pub(crate) categories: Vec<u32>,
    pub(crate) left: Vec<i64>,
    pub(crate) right: Vec<i64>,
    pub(crate) value: Vec<f64>,
    cover: Vec<f64>,
}

impl Drawn {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = generator(seed, 1);
        let mut tree = Self {
            feature: vec![],
            threshold: vec![],
            default_left: vec![],
            categories: vec![],
            left: vec![],
            right: vec![],
            value: vec![],
            cover: vec![],
        };
        let mut open = vec![(0usize, 0usize, (1 + below(&mut rng, 200)) as f64)];
        tree.push_empty();
        while let Some((idx, depth, cover)) = open.pop() {
            tree.cover[idx] = cover;
            tree.value[idx] = (4.0 * uniform(&mut rng) - 2.0) as f32 as f64;
            if depth >= 5 || depth > 0 && uniform(&mut rng) < 0.25 {
                continue;
            }
            tree.feature[idx] = below(&mut rng, N_FEATURES);
            tree.threshold[idx] = [-1.0, -0.5, 0.0, 0.5, 1.0][below(&mut rng, 5)];
            tree.default_left[idx] = uniform(&mut rng) < 0.5;
            tree.categories[idx] = 1 + below(&mut rng, 30) as u32;
            // Some branches saw no row at all.
            let part = [0.0, 0.25, 0.5, 0.9][below(&mut rng, 4)];
            for (side, share) in [(true, part), (false, 1.0 - part)] {
                let child = tree.push_empty();
                if side {
                    tree.left[idx] = child as i64
                } else {
                    tree.right[idx] = child as i64
                }
                open.push((child, depth + 1, (cover * share).round()));
            }
        }
        tree
    }

    fn push_empty(&mut self) -> usize {
        self.feature.push(0);
        self.threshold.push(0.0);
        self.default_left.push(false);
        self.categories.push(0);
        self.left.push(-1);
        self.right.push(-1);
        self.value.push(0.0);
        self.cover.push(0.0);
        self.value.len() - 1
    }

    fn set(&self, idx: usize) -> Vec<usize> {
        (0..N_CATEGORIES)
            .filter(|category| self.categories[idx] >> category & 1 == 1)
            .collect()
    }

    fn is_categorical(&self, idx: usize) -> bool {
        self.left[idx] >= 0 && self.feature[idx] == N_FEATURES - 1
    }
}

fn xgboost(trees: &[Drawn]) -> serde_json::Value {
    let tree = |drawn: &Drawn| {
        let nodes: Vec<usize> = (0..drawn.value.len())
            .filter(|idx| drawn.is_categorical(*idx))
            .collect();
        let sets: Vec<Vec<usize>> = nodes.iter().map(|idx| drawn.set(*idx)).collect();
        let starts: Vec<usize> = sets
            .iter()
            .scan(0, |start, set| {
                Some(std::mem::replace(start, *start + set.len()))
            })
            .collect();
        let condition = |idx: usize| {
            if drawn.left[idx] < 0 {
                drawn.value[idx]
            } else {
                drawn.threshold[idx]
            }
        };
        serde_json::json!({
            "tree_param": {"size_leaf_vector": "1"},
            "left_children": drawn.left, "right_children": drawn.right, "split_indices": drawn.feature,
            "split_conditions": (0..drawn.value.len()).map(condition).collect::<Vec<f64>>(),
            "default_left": drawn.default_left.iter().map(|left| u8::from(*left)).collect::<Vec<u8>>(),
            "sum_hessian": drawn.cover,
            "split_type": (0..drawn.value.len()).map(|idx| u8::from(drawn.is_categorical(idx))).collect::<Vec<u8>>(),
            "categories": sets.concat(), "categories_nodes": nodes, "categories_segments": starts,
            "categories_sizes": sets.iter().map(Vec::len).collect::<Vec<usize>>(),
        })
    };
    serde_json::json!({"learner": {
        "feature_names": ["a", "b", "c", "d"],
        "gradient_booster": {"name": "gbtree", "model": {
            "gbtree_model_param": {"num_parallel_tree": "1"},
            "tree_info": vec![0; trees.len()], "trees": trees.iter().map(tree).collect::<Vec<_>>(),
        }},
        "learner_model_param": {"base_score": "[2.5E-1]", "num_class": "0", "num_feature": "4", "num_target": "1"},
        "objective": {"name": "binary:logistic"},
    }})
}

/// Writes a JSON value as UBJSON, with a typed array where all items are small whole numbers.
fn ubjson(value: &serde_json::Value, out: &mut Vec<u8>) {
    use serde_json::Value;
    let text = |text: &str, out: &mut Vec<u8>| {
        out.push(b'L');
        out.extend((text.len() as i64).to_be_bytes());
        out.extend(text.as_bytes());
    };
    match value {
        Value::Null => out.push(b'Z'),
        Value::Bool(truth) => out.push(if *truth { b'T' } else { b'F' }),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => {
                out.push(b'l');
                out.extend((whole as i32).to_be_bytes());
            }
            None => {
                out.push(b'd');
                out.extend((number.as_f64().unwrap() as f32).to_be_bytes());
            }
        },
        Value::String(string) => {
            out.push(b'S');
            text(string, out);
        }
        Value::Array(items)
            if items
                .iter()
                .all(|item| item.as_u64().is_some_and(|item| item < 256)) =>
        {
            out.extend(b"[$U#L");
            out.extend((items.len() as i64).to_be_bytes());
            out.extend(items.iter().map(|item| item.as_u64().unwrap() as u8));
        }
        Value::Array(items) => {
            out.push(b'[');
            items.iter().for_each(|item| ubjson(item, out));
            out.push(b']');
        }
        Value::Object(fields) => {
            out.push(b'{');
            for (name, value) in fields {
                text(name, out);
                ubjson(value, out);
            }
            out.push(b'}');
        }
    }
}

fn lightgbm(trees: &[Drawn], missing: u8) -> String {
    let mut text = String::from(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=3\nobjective=binary sigmoid:1\n",
    );
    text += "feature_names=a b c d\n\n";
    for (tree_idx, drawn) in trees.iter().enumerate() {
        let splits: Vec<usize> = (0..drawn.value.len())
            .filter(|idx| drawn.left[*idx] >= 0)
            .collect();
        let leaves: Vec<usize> = (0..drawn.value.len())
            .filter(|idx| drawn.left[*idx] < 0)
            .collect();
        let place = |idx: i64| match splits.iter().position(|split| *split as i64 == idx) {
            Some(split) => split as i64,
            None => !(leaves.iter().position(|leaf| *leaf as i64 == idx).unwrap() as i64),
        };
        let categorical: Vec<usize> = splits
            .iter()
            .copied()
            .filter(|idx| drawn.is_categorical(*idx))
            .collect();
        let threshold = |idx: usize| match categorical.iter().position(|split| *split == idx) {
            Some(set) => set as f64,
            None => drawn.threshold[idx],
        };
        let decision = |idx: usize| match drawn.is_categorical(idx) {
            true => 1,
            false => missing << 2 | u8::from(drawn.default_left[idx]) << 1,
        };
        let line = |name: &str, values: Vec<String>| format!("{name}={}\n", values.join(" "));
        let of = |rows: &[usize], value: &dyn Fn(usize) -> String| {
            rows.iter().map(|idx| value(*idx)).collect::<Vec<String>>()
        };
        write!(
            text,
            "Tree={tree_idx}\nnum_leaves={}\nnum_cat={}\n",
            leaves.len(),
            categorical.len()
        )
        .unwrap();
        text += &line(
            "split_feature",
            of(&splits, &|idx| drawn.feature[idx].to_string()),
        );
        text += &line("split_gain", of(&splits, &|_| "1".to_owned()));
        text += &line("threshold", of(&splits, &|idx| threshold(idx).to_string()));
        text += &line(
            "decision_type",
            of(&splits, &|idx| decision(idx).to_string()),
        );
        text += &line(
            "left_child",
            of(&splits, &|idx| place(drawn.left[idx]).to_string()),
        );
        text += &line(
            "right_child",
            of(&splits, &|idx| place(drawn.right[idx]).to_string()),
        );
        text += &line(
            "leaf_value",
            of(&leaves, &|idx| drawn.value[idx].to_string()),
        );
        text += &line(
            "leaf_count",
            of(&leaves, &|idx| drawn.cover[idx].to_string()),
        );
        text += &line(
            "internal_count",
            of(&splits, &|idx| drawn.cover[idx].to_string()),
        );
        if !categorical.is_empty() {
            text += &line(
                "cat_boundaries",
                (0..=categorical.len()).map(|idx| idx.to_string()).collect(),
            );
            let bits = |idx: usize| {
                drawn
                    .set(idx)
                    .iter()
                    .fold(0u32, |bits, category| bits | 1 << category)
                    .to_string()
            };
            text += &line("cat_threshold", of(&categorical, &bits));
        }
        text += "is_linear=0\nshrinkage=1\n\n";
    }
    text + "end of trees\n"
}

pub(crate) fn rows(seed: u64, n: usize) -> Vec<Vec<f64>> {
    let mut rng = generator(seed, 2);
    let mut cell = |feature: usize| match uniform(&mut rng) {
        share if share < 0.2 => f64::NAN,
        share if share < 0.3 => 0.0,
        _ if feature == N_FEATURES - 1 => below(&mut rng, N_CATEGORIES + 1) as f64,
        // Rows on the thresholds themselves are where formats differ.
        _ => [-1.0, -0.75, -0.5, 0.25, 0.5, 1.0, 2.0][below(&mut rng, 7)],
    };
    (0..n)
        .map(|_| (0..N_FEATURES).map(&mut cell).collect())
        .collect()
}

/// Returns the margin expected when only some features are known, by walking down both branches at the others.
fn expected(tree: &Tree, idx: usize, row: &[f64], known: usize) -> f64 {
    let node = &tree.nodes[idx];
    if node.is_leaf() {
        return node.value;
    }
    let children = [node.left as usize, node.right as usize];
    if known >> node.feature & 1 == 1 {
        return expected(
            tree,
            children[usize::from(!node.goes_left(row[node.feature as usize]))],
            row,
            known,
        );
    }
    let covers = children.map(|child| tree.nodes[child].cover);
    let total = covers[0] + covers[1];
    let shares = if total > 0.0 {
        covers.map(|cover| cover / total)
    } else {
        [0.5; 2]
    };
    (0..2)
        .filter(|side| shares[*side] > 0.0)
        .map(|side| shares[side] * expected(tree, children[side], row, known))
        .sum()
}

fn shapley(values: &[f64]) -> Vec<f64> {
    let factorial = |k: usize| (1..=k).product::<usize>() as f64;
    let weight =
        |size: usize| factorial(size) * factorial(N_FEATURES - size - 1) / factorial(N_FEATURES);
    let of = |feature: usize| {
        let without = (0..1usize << N_FEATURES).filter(|known| known >> feature & 1 == 0);
        without
            .map(|known| {
                weight(known.count_ones() as usize) * (values[known | 1 << feature] - values[known])
            })
            .sum()
    };
    (0..N_FEATURES).map(of).collect()
}

fn check(ensemble: &TreeEnsemble, rows: &[Vec<f64>], place: &str) {
    let explainer = TreeExplainer::new(ensemble).unwrap();
    let flat: Vec<f64> = rows.concat();
    let batch = CompiledTrees::new(ensemble).margins(&flat, N_FEATURES);
    let contributions = explainer.explain_batch(&flat, N_FEATURES);
    for (row_idx, row) in rows.iter().enumerate() {
        assert_eq!(
            ensemble.margins(row)[0].to_bits(),
            batch[row_idx].to_bits(),
            "{place}, row {row_idx}"
        );
        let rounded = ensemble.rounded(row);
        let of_coalition = |known: usize| {
            ensemble
                .trees
                .iter()
                .map(|tree| expected(tree, 0, &rounded, known))
                .sum::<f64>()
        };
        let wanted = shapley(&(0..1 << N_FEATURES).map(of_coalition).collect::<Vec<f64>>());
        for (found, wanted) in contributions[row_idx * N_FEATURES..].iter().zip(&wanted) {
            assert!(
                (found - wanted).abs() < 1e-9,
                "{place}, path dependent, row {row_idx}: {found} against {wanted}"
            );
        }
        let predict = |values: &[f64]| CompiledTrees::new(ensemble).margins(values, N_FEATURES);
        let wanted = &coalition::exact(&predict, row, &rows[..4]).unwrap()[0];
        let found = &interventional(ensemble, row, &rows[..4], Scale::Margin).unwrap()[0];
        for (found, wanted) in found.contributions.iter().zip(&wanted.contributions) {
            // The enumeration sees margins added in 32-bit steps.
            assert!(
                (found - wanted).abs() < 1e-5,
                "{place}, interventional, row {row_idx}: {found} against {wanted}"
            );
        }
        let matrix = &explainer.interactions(row)[0];
        for feature in 0..N_FEATURES {
            let total: f64 = matrix
                [feature * (N_FEATURES + 1)..(feature + 1) * (N_FEATURES + 1) - 1]
                .iter()
                .sum();
            assert!(
                (total - contributions[row_idx * N_FEATURES + feature]).abs() < 1e-9,
                "{place}, interactions add up"
            );
        }
    }
}

/// The names of the categories that the last feature of the drawn models has.
const NAMES: [&str; N_CATEGORIES] = ["amber", "blue", "10", "green", "red"];

fn named_table(rows: &[Vec<f64>]) -> Table {
    let mut columns: Vec<Column> = ["a", "b", "c"]
        .iter()
        .enumerate()
        .map(|(idx, name)| numeric(name, rows.iter().map(|row| row[idx]).collect()))
        .collect();
    let mut levels: Vec<&str> = NAMES.to_vec();
    levels.push("unknown");
    levels.sort_unstable();
    let code = |value: f64| {
        let name = if value.is_nan() {
            return MISSING;
        } else {
            NAMES.get(value as usize).unwrap_or(&"unknown")
        };
        levels.iter().position(|level| level == name).unwrap() as u32
    };
    columns.push(categorical(
        "d",
        rows.iter().map(|row| code(row[3])).collect(),
        &levels,
    ));
    // In another order than the model's: names decide.
    columns.reverse();
    Table::new(columns)
}

#[test]
fn category_names_of_a_model_file_are_matched_by_name() {
    let trees: Vec<Drawn> = (0..6).map(|tree| Drawn::draw(77 + tree)).collect();
    // An unknown category is missing to the library, so the codes say the same.
    let rows: Vec<Vec<f64>> = rows(5, 40)
        .into_iter()
        .map(|mut row| {
            row[3] = if row[3] >= N_CATEGORIES as f64 {
                f64::NAN
            } else {
                row[3]
            };
            row
        })
        .collect();
    let mut json = xgboost(&trees);
    let offsets: Vec<usize> = std::iter::once(0)
        .chain(NAMES.iter().scan(0, |end, name| {
            *end += name.len();
            Some(*end)
        }))
        .collect();
    let nothing = serde_json::json!({"offsets": [], "values": []});
    json["learner"]["gradient_booster"]["model"]["cats"] = serde_json::json!({"enc": [nothing, nothing, nothing, {"offsets": offsets, "values": NAMES.concat().into_bytes()}]});
    let text = lightgbm(&trees, 2).replacen(
        "feature_names",
        "feature_infos=[-1:1] [-1:1] [-1:1] 0:1:2:3:4\nfeature_names",
        1,
    ) + &format!(
        "\npandas_categorical:[{}]\n",
        serde_json::to_string(&NAMES).unwrap()
    );
    for bytes in [serde_json::to_vec(&json).unwrap(), text.into_bytes()] {
        let model = Model::read(&bytes).unwrap();
        let matrix = model.batch(&named_table(&rows)).unwrap().batch;
        let Form::Trees { ensemble, .. } = &model.form else {
            panic!("the model is of trees")
        };
        assert_eq!(
            model.margins(&matrix).unwrap().values,
            CompiledTrees::new(ensemble).margins(&rows.concat(), N_FEATURES)
        );
    }
}

#[test]
fn category_names_that_are_numbers_are_those_of_a_table() {
    let trees = [Drawn::draw(77), Drawn::draw(78), Drawn::draw(79)];
    let rows: Vec<Vec<f64>> = (0..N_CATEGORIES)
        .map(|code| vec![0.25, 0.25, 0.25, code as f64])
        .collect();
    let named = [10.0, 20.0, 30.0, 40.0, 50.0];
    let text = lightgbm(&trees, 2).replacen(
        "feature_names",
        "feature_infos=[-1:1] [-1:1] [-1:1] 0:1:2:3:4\nfeature_names",
        1,
    ) + "\npandas_categorical:[[10.0, 20.0, 30, 40, 50.0]]\n";
    let model = Model::read(text.as_bytes()).unwrap();
    let constant = |name: &str| numeric(name, vec![0.25; N_CATEGORIES]);
    let columns = vec![
        constant("a"),
        constant("b"),
        constant("c"),
        numeric("d", named.to_vec()),
    ];
    let matrix = model.batch(&Table::new(columns)).unwrap().batch;
    assert_eq!(matrix.values, rows.concat());
}

#[test]
fn rounds_past_the_best_are_told_and_left_out_when_asked() {
    let trees: Vec<Drawn> = (0..5).map(Drawn::draw).collect();
    let mut json = xgboost(&trees);
    json["learner"]["attributes"] = serde_json::json!({"best_iteration": "1", "best_score": "0.3"});
    let model = Model::read(&serde_json::to_vec(&json).unwrap()).unwrap();
    assert_eq!(model.rounds_past_best(), Some((1, 5)));
    let Form::Trees { ensemble, .. } = model.at_best_round().form else {
        panic!("the model is of trees")
    };
    assert_eq!(
        ensemble,
        TreeEnsemble {
            best_round: Some(1),
            ..read_xgboost_json(&serde_json::to_vec(&xgboost(&trees[..2])).unwrap()).unwrap()
        }
    );
}

#[test]
fn a_linear_leaf_without_terms_is_its_constant() {
    let text = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=regression\nfeature_names=a\n\n\
        Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nsplit_gain=1\nthreshold=0\ndecision_type=2\nleft_child=-1\nright_child=-2\n\
        leaf_value=1 2\nleaf_count=10 10\ninternal_count=20\nis_linear=1\nleaf_const=5 7\nnum_features=0 0\nleaf_features=\n\
        leaf_coeff=\nshrinkage=1\n\nend of trees\n";
    let ensemble = read_lightgbm_text(text).unwrap();
    assert_eq!(ensemble.margins(&[-1.0]), [5.0]);
    assert!(
        (TreeExplainer::new(&ensemble).unwrap().explain(&[-1.0])[0].contributions[0] + 1.0).abs()
            < 1e-12
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shapley_values_of_every_format_are_those_of_enumeration(seed in any::<u64>(), n_trees in 1usize..5, missing in 0u8..3) {
        let trees: Vec<Drawn> = (0..n_trees as u64).map(|tree| Drawn::draw(seed.wrapping_add(tree))).collect();
        let rows = rows(seed, 8);
        let json = xgboost(&trees);
        let from_json = read_xgboost_json(&serde_json::to_vec(&json).unwrap()).unwrap();
        let mut bytes = Vec::new();
        ubjson(&json, &mut bytes);
        prop_assert_eq!(&read_xgboost_ubjson(&bytes).unwrap(), &from_json);
        check(&from_json, &rows, "XGBoost");
        check(&read_lightgbm_text(&lightgbm(&trees, missing)).unwrap(), &rows, "LightGBM");
    }

    #[test]
    fn damaged_models_are_refused_or_predict(seed in any::<u64>(), at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let trees = [Drawn::draw(seed)];
        let mut json = serde_json::to_vec(&xgboost(&trees)).unwrap();
        let mut bytes = Vec::new();
        ubjson(&xgboost(&trees), &mut bytes);
        let mut text = lightgbm(&trees, 2).into_bytes();
        for damaged in [&mut json, &mut bytes, &mut text] {
            let position = at.index(damaged.len());
            damaged[position] = byte;
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        for ensemble in [read_xgboost_json(&json), read_xgboost_ubjson(&bytes), read_lightgbm_text(&text)].into_iter().flatten() {
            let row = vec![0.5; ensemble.n_features];
            let _ = ensemble.predictions(&ensemble.margins(&row));
            let _ = TreeExplainer::new(&ensemble).map(|explainer| explainer.explain(&row));
        }
    }
}
