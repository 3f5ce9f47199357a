//! ONNX files against ONNX Runtime: the models of `tests/fixtures/onnx`, which `generate.py` there writes.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use veracta_ml::explanation::ExplanationError;
use veracta_ml::explanation::interventional::{Scale, interventional};
use veracta_ml::explanation::path_dependent::tree_shap;
use veracta_ml::model::ModelError;
use veracta_ml::model::imported::{Model, read_model};
use veracta_ml::onnx::read_onnx;
use veracta_ml::table::Table;
use veracta_ml::table::csv::{CsvOptions, read_csv};

fn cases() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

fn case(name: &str) -> PathBuf {
    cases().into_iter().find(|case| case.ends_with(name)).unwrap()
}

fn table(case: &std::path::Path) -> Table {
    read_csv(&mut fs::File::open(case.join("rows.csv")).unwrap(), &CsvOptions::default()).unwrap().0
}

fn expected(case: &std::path::Path) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(case.join("expected.csv")).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect()
}

#[test]
fn predictions_are_those_of_onnx_runtime() {
    let (mut n_trees, mut n_graphs) = (0, 0);
    for case in cases() {
        let model = read_model(&fs::read(case.join("model.onnx")).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        match &model {
            Model::Trees { .. } => n_trees += 1,
            _ => n_graphs += 1,
        }
        let matrix = model.rows(&table(&case)).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        let found = model.predict(&matrix).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        for (row, (found, wanted)) in found.values.chunks(found.n_outputs).zip(expected(&case)).enumerate() {
            let wanted = if found.len() == 1 && wanted.len() == 2 { &wanted[1..] } else { &wanted[..] };
            assert_eq!(found.len(), wanted.len(), "{}", case.display());
            for (found, wanted) in found.iter().zip(wanted) {
                let gap = (found - wanted).abs();
                assert!(gap <= 1e-5 * (1.0 + wanted.abs()), "{}, row {row}: {found}, expected {wanted}", case.display());
            }
        }
    }
    assert!(n_trees >= 10 && n_graphs >= 10, "{n_trees} of trees alone, {n_graphs} graphs");
}

#[test]
fn trees_are_explained_against_background_rows_alone() {
    let case = case("forest_binary");
    let Model::Trees { ensemble, library } = read_model(&fs::read(case.join("model.onnx")).unwrap()).unwrap() else {
        panic!("trees alone")
    };
    assert_eq!(library, "ONNX");
    let model = read_model(&fs::read(case.join("model.onnx")).unwrap()).unwrap();
    let matrix = model.rows(&table(&case)).unwrap();
    assert_eq!(tree_shap(&ensemble, matrix.row(0)).unwrap_err(), ExplanationError::NoCovers);
    let background: Vec<Vec<f64>> = (1..matrix.n_rows).map(|row| matrix.row(row).to_vec()).collect();
    let found = &interventional(&ensemble, matrix.row(0), &background, Scale::Margin).unwrap()[0];
    let total = found.base_value + found.contributions.iter().sum::<f64>();
    assert!((total - ensemble.margins(matrix.row(0))[0]).abs() < 1e-6);
}

#[test]
fn what_is_not_supported_is_named_with_its_version() {
    // A graph of one operator: field 7 of the file holds field 1 of the graph, which holds field 4, the operator.
    let message = |field: u8, content: &[u8]| [&[field << 3 | 2, content.len() as u8][..], content].concat();
    let node = [message(4, b"SVMClassifier"), message(7, b"ai.onnx.ml"), message(1, b"X"), message(2, b"Y")].concat();
    // elem_type 1, dimensions n and 2.
    let shape = [message(1, &[]), message(1, &[8, 2])].concat();
    let tensor = [vec![8, 1], message(2, &shape)].concat();
    let input = [message(1, b"X"), message(2, &message(1, &tensor))].concat();
    let graph = [message(1, &node), message(11, &input), message(12, &message(1, b"Y"))].concat();
    let set = [message(1, b"ai.onnx.ml"), vec![16, 3]].concat();
    let bytes = [vec![8, 9], message(7, &graph), message(8, &set)].concat();
    assert_eq!(read_onnx(&bytes).unwrap_err().to_string(), "the operator SVMClassifier (ai.onnx.ml version 3) is not supported");
    assert!(matches!(read_model(&[8, 9, 255]), Err(ModelError::Onnx(_))));
}

#[test]
fn a_column_of_another_kind_is_named() {
    let model = read_model(&fs::read(case("pipeline_words").join("model.onnx")).unwrap()).unwrap();
    assert_eq!(model.input_names().unwrap(), ["age", "income", "city", "plan"]);
    let read = |text: &str| read_csv(&mut std::io::Cursor::new(text), &CsvOptions::default()).unwrap().0;
    let refused = model.rows(&read("age,income,plan\n1,2,a\n")).unwrap_err();
    assert!(matches!(refused, ModelError::MissingInput { ref input, .. } if input == "city"), "{refused}");
    let refused = model.rows(&read("age,income,city,plan\nold,2,Bern,a\n")).unwrap_err();
    assert!(matches!(refused, ModelError::InputType { ref input, .. } if input == "age"), "{refused}");
    let whole = read_model(&fs::read(case("whole_numbers").join("model.onnx")).unwrap()).unwrap();
    let matrix = whole.rows(&read("a,b\n1,2\n1,\n")).unwrap();
    assert_eq!(whole.predict(&matrix).unwrap_err().to_string(), "row 2 of input `X` is missing, and the model takes whole numbers");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_refused_or_predict(which in any::<proptest::sample::Index>(), at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let cases = cases();
        let case = &cases[which.index(cases.len())];
        let mut bytes = fs::read(case.join("model.onnx")).unwrap();
        let position = at.index(bytes.len());
        if cut { bytes.truncate(position) } else { bytes[position] = byte }
        if let Ok(model) = read_model(&bytes)
            && let Ok(matrix) = model.rows(&table(case))
        {
            let _ = model.predict(&matrix);
        }
    }
}
