//! A run that a client logged elsewhere is the training of a model that a gate judges here.
//!
//! `fixtures/tracked/model.lgb` was made by LightGBM 4 on two thirds of the simulated people (20 trees of 7 leaves, region as a category).

use serde_json::{Value, json};
use veracta_ledger::Hash;

use crate::project::{N_PEOPLE, PIPELINE, Project, simulate_people, with_column};
use crate::server::{Server, text};

const MODEL: &[u8] = include_bytes!("../fixtures/tracked/model.lgb");
/// ROC AUC on the other third by scikit-learn.
const TEST_AUC: f64 = 0.767_226_722_672_226_7;
const TRAINING: &str = "training:\n  algorithm: gradient_boosting\n  rounds: 20\n  max_depth: 3\n";
const TRACKED: &str = "\
split:
  method: column
  column: part
training:
  algorithm: tracked
  version: churn@1
";

fn pipeline() -> String {
    PIPELINE.replacen(TRAINING, TRACKED, 1).replacen(
        "  drop:\n",
        "  drop:\n    part: says what the model was trained on\n",
        1,
    )
}

fn project() -> Project {
    let project = Project::new(&pipeline());
    let part = |row: usize| {
        if row.is_multiple_of(3) {
            "test"
        } else {
            "train"
        }
        .to_owned()
    };
    project.write(
        "customers.csv",
        with_column(&simulate_people(N_PEOPLE), "part", part),
    );
    project
}

/// Logs the model as a client does, and registers it; returns the id of the run.
fn log_model(server: &Server, files: &[&str], status: &str) -> String {
    let run = server.done(
        "runs/create",
        &json!({ "experiment_id": "0", "start_time": 1_764_324_000_000i64, "run_name": "nightly" }),
    );
    let id = text(&run, "/run/info/run_id").to_owned();
    server.done(
        "runs/log-parameter",
        &json!({ "run_id": id, "key": "num_leaves", "value": "7" }),
    );
    for file in files {
        let path = format!("/api/2.0/mlflow-artifacts/artifacts/0/{id}/artifacts/model/{file}");
        assert_eq!(
            server
                .send_bytes("PUT", &path, "application/octet-stream", MODEL)
                .0,
            200
        );
    }
    server.done(
        "runs/update",
        &json!({ "run_id": id, "status": status, "end_time": 1_764_324_060_000i64 }),
    );
    server.post("registered-models/create", &json!({ "name": "churn" }));
    let source = format!("mlflow-artifacts:/0/{id}/artifacts/model");
    server.done(
        "model-versions/create",
        &json!({ "name": "churn", "source": source, "run_id": id }),
    );
    id
}

/// Runs the pipeline, which must be refused with these words at this place.
fn check_refused(project: &Project, words: &str, place: &str) {
    let answer = project.veracta(&["run", "pipeline.yaml"]);
    let flat = answer.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        answer.code == 2 && flat.contains(words) && flat.contains(place),
        "{words}: {answer:?}"
    );
}

#[test]
fn a_tracked_run_is_judged_by_the_gate() {
    let project = project();
    check_refused(
        &project,
        "no version `churn@1` is registered here",
        "pipeline.yaml:",
    );
    let id = log_model(
        &Server::start(&project),
        &["model.lgb", "MLmodel"],
        "FINISHED",
    );
    let ran = project.run(&[]);
    assert_eq!(ran.code, 0, "{}", ran.outcome);
    let (_, model) = project.latest("model.version");
    assert_eq!(
        model["digest"],
        json!(Hash::of(MODEL).to_string()),
        "the file that the client logged is the model"
    );
    assert_eq!(
        (&model["status"], &model["training"]["version"]),
        (&json!("registered"), &json!("churn@1"))
    );
    let (_, report) = project.latest("validation.report");
    let auc = report["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|metric| metric["metric"] == "roc_auc")
        .unwrap();
    assert!(
        (auc["estimate"]["estimate"].as_f64().unwrap() - TEST_AUC).abs() < 1e-12,
        "{auc}"
    );
    let run = project.record(model["run_idx"].as_u64().unwrap());
    assert_eq!(
        (&run["config"]["params"]["num_leaves"], &run["ended"]),
        (&json!("7"), &json!("2025-11-28T10:01:00.000Z"))
    );
    let lineage = project.veracta(&["lineage", "small"]).out;
    assert!(
        lineage.contains(&format!("run:{id}")) && lineage.contains("registry:churn@1"),
        "{lineage}"
    );
    assert!(
        project.run(&[]).in_state("done").is_empty(),
        "the second time nothing is done"
    );
    let answer = project.veracta(&["reproduce", "small"]);
    assert!(
        answer.code == 2 && answer.err.contains("was trained elsewhere"),
        "{answer:?}"
    );
    assert_eq!(
        project
            .veracta(&["evidence", "export", "small", "--output", "evidence.zip"])
            .code,
        0
    );
    assert_eq!(project.veracta(&["verify", "evidence.zip"]).code, 0);
    for (reference, kind) in [
        ("registry:churn@1", "registry.version"),
        ("registry:churn", "registry.model"),
        (&format!("run:{id}"), "run"),
    ] {
        assert_eq!(
            project.json(&["show", reference])["record"]["kind"],
            json!(kind),
            "{reference}"
        );
    }
}

#[test]
fn what_cannot_be_judged_is_refused_with_its_place() {
    let project = project();
    let server = Server::start(&project);
    log_model(&server, &["model.lgb", "model.txt"], "FINISHED");
    check_refused(
        &project,
        "2 files of the version could be the model",
        "model.lgb, model.txt",
    );
    project.edit(
        "pipeline.yaml",
        "  version: churn@1\n",
        "  version: churn@1\n  file: model.txt\n",
    );
    assert_eq!(project.run(&[]).code, 0);
    log_model(&server, &["model.skops"], "FINISHED");
    project.edit("pipeline.yaml", "churn@1\n  file: model.txt", "churn@2");
    check_refused(&project, "log the booster itself", "model.skops");
    log_model(&server, &["model.lgb"], "FAILED");
    project.edit("pipeline.yaml", "churn@2", "churn@3");
    check_refused(&project, "was made by no finished run", "pipeline.yaml:");
    project.edit("pipeline.yaml", "churn@3", "churn");
    check_refused(
        &project,
        "`churn` is no version of a registered model",
        "pipeline.yaml:",
    );
    project.edit(
        "pipeline.yaml",
        "version: churn\n",
        "version: churn@1\n  rounds: 3\n",
    );
    check_refused(
        &project,
        "a model that was trained elsewhere has its settings already",
        "pipeline.yaml",
    );
    project.edit("pipeline.yaml", "  rounds: 3\n", "");
    project.edit(
        "pipeline.yaml",
        "split:\n  method: column\n  column: part\n",
        "",
    );
    check_refused(
        &project,
        "needs to be told which rows it was trained on",
        "pipeline.yaml:",
    );
    let other =
        Project::new(&pipeline().replacen("    part: says what the model was trained on\n", "", 1));
    check_refused(
        &other,
        "`part` says which part a row belongs to and is no input",
        "pipeline.yaml:",
    );
}

#[test]
fn a_model_of_another_kind_is_refused() {
    let project = project();
    let server = Server::start(&project);
    let as_text = String::from_utf8(MODEL.to_vec()).unwrap();
    let check = |version: u32, bytes: String, words: &str| {
        let run = server.done(
            "runs/create",
            &json!({ "experiment_id": "0", "start_time": 1 }),
        );
        let id = text(&run, "/run/info/run_id");
        let path = format!("/api/2.0/mlflow-artifacts/artifacts/0/{id}/artifacts/model/model.lgb");
        assert_eq!(
            server
                .send_bytes("PUT", &path, "text/plain", bytes.as_bytes())
                .0,
            200
        );
        server.done(
            "runs/update",
            &json!({ "run_id": id, "status": "FINISHED", "end_time": 2 }),
        );
        server.post("registered-models/create", &json!({ "name": "churn" }));
        let source = format!("mlflow-artifacts:/0/{id}/artifacts/model");
        let made: Value = server.done(
            "model-versions/create",
            &json!({ "name": "churn", "source": source, "run_id": id }),
        );
        assert_eq!(text(&made, "/model_version/version"), version.to_string());
        project.write(
            "pipeline.yaml",
            pipeline().replace("churn@1", &format!("churn@{version}")),
        );
        check_refused(&project, words, "");
    };
    check(
        1,
        as_text.replace("objective=binary sigmoid:1", "objective=regression"),
        "does not give one probability",
    );
    check(
        2,
        as_text.replace("objective=binary sigmoid:1", "objective=binary sigmoid:2"),
        "does not give one probability",
    );
    check(
        3,
        as_text.replace("tenure", "customer"),
        "uses `customer`, which is not an input of this pipeline",
    );
    check(4, "not a model".to_owned(), "not a model");
}
