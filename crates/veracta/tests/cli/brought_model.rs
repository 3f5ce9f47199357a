//! Models that were trained elsewhere and are read from a file: an ONNX graph, and trees that a step of the pipeline wrote, judged by the
//! gate from data to documents.
//!
//! `fixtures/tracked/model.onnx` is a pipeline of scikit-learn, `model.lgb` LightGBM's, both made on two thirds of the simulated people.

use serde_json::json;
use veracta_ledger::Hash;

use crate::project::{N_PEOPLE, PIPELINE, Project, simulate_people, with_column};

const ONNX: &[u8] = include_bytes!("../fixtures/tracked/model.onnx");
const LIGHTGBM: &[u8] = include_bytes!("../fixtures/tracked/model.lgb");
/// ROC AUC of each on the other third, by scikit-learn.
const ONNX_AUC: f64 = 0.780_078_007_800_780_1;
const LIGHTGBM_AUC: f64 = 0.767_226_722_672_226_7;
const TRAINING: &str = "training:\n  algorithm: gradient_boosting\n  rounds: 20\n  max_depth: 3\n";

/// A project whose pipeline reads its model from a file, and may have steps.
fn project(file: &str, steps: &str) -> Project {
    let from_file = format!(
        "{steps}split: {{method: column, column: part}}\ntraining: {{algorithm: file, path: {file}}}\n"
    );
    let pipeline = PIPELINE.replacen(TRAINING, &from_file, 1).replacen(
        "  drop:\n",
        "  drop:\n    part: says what the model was trained on\n",
        1,
    );
    let project = Project::new(&pipeline);
    let part = |row: usize| match row.is_multiple_of(3) {
        true => "test".to_owned(),
        false => "train".to_owned(),
    };
    let rows = with_column(&simulate_people(N_PEOPLE), "part", part);
    project.write("customers.csv", rows);
    project
}

/// Runs the pipeline and compares what it recorded of the model with what its maker measured.
fn check_judged(project: &Project, bytes: &[u8], auc: f64, method: &str) {
    let ran = project.run(&["--documents", "documents"]);
    assert!(ran.code < 2, "{}", ran.outcome);
    let (_, model) = project.latest("model.version");
    assert_eq!(model["digest"], json!(Hash::of(bytes).to_string()));
    assert_eq!(model["training"]["algorithm"], "file");
    let (_, report) = project.latest("validation.report");
    let results = report["results"].as_array().unwrap();
    let measured = results
        .iter()
        .find(|result| result["metric"] == "roc_auc")
        .unwrap();
    let measured = measured["estimate"]["estimate"].as_f64().unwrap();
    assert!((measured - auc).abs() < 1e-6, "{measured} is not {auc}");
    let (_, explained) = project.latest("explain.report");
    assert!(
        explained["method"].as_str().unwrap().contains(method),
        "{explained}"
    );
    assert!(
        explained["additivity_error_max"].as_f64().unwrap() < 1e-3,
        "{explained}"
    );
    let card = project.read("documents/small-1-model_card.md");
    assert!(
        card.contains(model["architecture"].as_str().unwrap()),
        "{card}"
    );
    assert_eq!(project.run(&[]).in_state("done"), Vec::<&str>::new());
    assert_eq!(project.veracta(&["verify"]).code, 0);
}

#[test]
fn an_onnx_graph_is_judged_from_data_to_documents() {
    let project = project("model.onnx", "");
    project.write("model.onnx", ONNX);
    check_judged(&project, ONNX, ONNX_AUC, "background rows");
    // Another file is another model.
    let mut other = ONNX.to_vec();
    other.extend([0x72, 0x01, b'x']);
    project.write("model.onnx", &other);
    let ran = project.run(&[]);
    assert!(
        ran.code == 2 || ran.in_state("done").contains(&"train"),
        "{:?}",
        ran.states
    );
}

#[test]
fn a_model_that_a_step_wrote_is_the_one_that_is_judged() {
    let steps = "steps:\n  - {id: fit, run: mkdir -p out && cp trained.bin out/model.txt, inputs: [trained.bin, customers.csv], outputs: [out/model.txt]}\n";
    let project = project("out/model.txt", steps);
    project.write("trained.bin", LIGHTGBM);
    check_judged(&project, LIGHTGBM, LIGHTGBM_AUC, "tree SHAP");
    let reproduced = project.veracta(&["reproduce", "small"]);
    assert_eq!(reproduced.code, 0, "{reproduced:?}");
}

#[test]
fn a_file_that_is_no_model_or_is_not_there_is_refused() {
    let project = project("model.txt", "");
    let check = |words: &str| {
        let refused = project.veracta(&["run", "pipeline.yaml"]);
        let flat = refused.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            refused.code == 2 && flat.contains(words),
            "{words}: {refused:?}"
        );
    };
    check("`model.txt` is not there, and no step writes it");
    project.write("model.txt", "no model");
    check("not a model: neither XGBoost");
    project.edit("pipeline.yaml", "path: model.txt", "path: ../model.txt");
    check("is outside the pipeline's folder");
    project.edit(
        "pipeline.yaml",
        "path: ../model.txt",
        "path: model.txt, rounds: 3",
    );
    check("leave out rounds");
    project.edit(
        "pipeline.yaml",
        "split: {method: column, column: part}\n",
        "",
    );
    check("needs to be told which rows it was trained on");
}
