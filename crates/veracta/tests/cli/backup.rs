//! Copies of a workspace: taken while others write, restored as a new epoch, refused when they are damaged.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::project::{PIPELINE, Project};
use crate::server::{Server, text};

/// Logs a run with a file, and registers it.
fn fill(server: &Server) -> String {
    let run = server.done(
        "runs/create",
        &json!({ "experiment_id": "0", "start_time": 1, "run_name": "kept" }),
    );
    let id = text(&run, "/run/info/run_id").to_owned();
    let metrics: Vec<_> =
        (0..500).map(|step| json!({ "key": "loss", "value": 1.0 / f64::from(step + 1), "timestamp": step, "step": step })).collect();
    server.done(
        "runs/log-batch",
        &json!({ "run_id": id, "metrics": metrics, "params": [{ "key": "depth", "value": "3" }] }),
    );
    let path = format!("/api/2.0/mlflow-artifacts/artifacts/0/{id}/artifacts/model/weights.bin");
    assert_eq!(
        server
            .send_bytes("PUT", &path, "application/octet-stream", &vec![7; 9 << 20])
            .0,
        200
    );
    server.done(
        "runs/update",
        &json!({ "run_id": id, "status": "FINISHED", "end_time": 30 }),
    );
    server.done("registered-models/create", &json!({ "name": "churn" }));
    server.done(
        "model-versions/create",
        &json!({ "name": "churn", "source": format!("mlflow-artifacts:/0/{id}/artifacts/model"), "run_id": id }),
    );
    let webhook = json!({
        "name": "told", "url": "https://example.org/hook", "secret": "a secret of sixteen",
        "events": [{ "entity": "REGISTERED_MODEL", "action": "CREATED" }],
    });
    server.done("webhooks", &webhook);
    id
}

/// Checks what was restored against what was there.
fn check_restored(project: &Project, id: &str) {
    let verified = project.veracta(&["verify"]);
    assert!(verified.code == 0, "{verified:?}");
    let server = Server::start(project);
    let history = server.get(&format!(
        "/api/2.0/mlflow/metrics/get-history?run_id={id}&metric_key=loss"
    ));
    assert_eq!(history["metrics"].as_array().unwrap().len(), 500);
    let path = format!("/get-artifact?run_id={id}&path=model/weights.bin");
    assert_eq!(
        server.send_bytes("GET", &path, "text/plain", b""),
        (200, vec![7; 9 << 20])
    );
    assert_eq!(
        server.get("/api/2.0/mlflow/model-versions/get?name=churn&version=1")["model_version"]["run_id"],
        json!(id)
    );
    assert_eq!(
        server.get("/api/2.0/mlflow/webhooks")["webhooks"][0]["status"],
        json!("DISABLED"),
        "its secret was sealed with the other key"
    );
    // It goes on: new work is recorded under the new epoch.
    fill_again(&server);
    drop(server);
    assert_eq!(project.veracta(&["verify"]).code, 0);
}

fn fill_again(server: &Server) {
    let run = server.done(
        "runs/create",
        &json!({ "experiment_id": "0", "start_time": 1 }),
    );
    server.done(
        "runs/update",
        &json!({ "run_id": text(&run, "/run/info/run_id"), "status": "FINISHED", "end_time": 2 }),
    );
}

/// Takes a backup of one project while clients write, and restores it into another.
fn check_backup(project: &Project, other: &Project) {
    let backup = project.path("backup").display().to_string();
    let id = {
        let server = Server::start(project);
        let id = fill(&server);
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::SeqCst) {
                    fill_again(&server);
                }
            });
            let taken = project.veracta(&["backup", &backup]);
            is_done.store(true, Ordering::SeqCst);
            assert_eq!(taken.code, 0, "{taken:?}");
            assert!(
                taken.out.contains("signing key") && taken.out.contains("is not in it"),
                "{taken:?}"
            );
        });
        id
    };
    let again = project
        .veracta(&["backup", &backup, "--format", "json"])
        .json();
    assert_eq!(again["n_blobs"], json!(1));
    let restored = other
        .veracta(&["restore", &backup, "--format", "json"])
        .json();
    assert_ne!(restored["origin"], again["origin"]);
    assert_eq!(restored["webhooks_disabled"], json!(1));
    assert!(
        other
            .veracta(&["restore", &backup])
            .err
            .contains("there is a workspace"),
        "it is not restored over another"
    );
    let size = again["size"].as_u64().unwrap();
    let (idx, opening) = other.latest("ledger.checkpoint");
    assert_eq!(
        (idx, &opening["size"], &opening["root"]),
        (size, &json!(size), &again["root"]),
        "the new epoch commits to what was restored"
    );
    check_restored(other, &id);
}

#[test]
fn a_backup_is_restored_as_a_new_epoch() {
    check_backup(&Project::new(PIPELINE), &Project::empty());
}

#[test]
fn a_backup_moves_between_databases() {
    check_backup(&Project::on_services(PIPELINE), &Project::empty());
    check_backup(&Project::new(PIPELINE), &Project::empty_on_services());
}

#[test]
fn a_bundle_of_a_restored_workspace_verifies() {
    let (project, other) = (Project::new(PIPELINE), Project::empty());
    assert_eq!(project.veracta(&["run", "pipeline.yaml"]).code, 0);
    let backup = project.path("backup").display().to_string();
    assert_eq!(project.veracta(&["backup", &backup]).code, 0);
    assert_eq!(
        other
            .veracta(&["restore", &backup, "--origin", "example.org/second"])
            .code,
        0
    );
    assert_eq!(
        other
            .veracta(&["evidence", "export", "small", "--output", "evidence.zip"])
            .code,
        0
    );
    let verified = other.veracta(&["verify", "evidence.zip"]);
    assert!(
        verified.code == 0 && verified.out.contains("goes on after it was restored"),
        "{verified:?}"
    );
}

#[test]
fn a_damaged_backup_is_refused() {
    let project = Project::new(PIPELINE);
    fill_again(&Server::start(&project));
    let backup = project.path("backup");
    assert_eq!(
        project
            .veracta(&["backup", &backup.display().to_string()])
            .code,
        0
    );
    let (database, sheet) = (backup.join("veracta.db"), backup.join("backup.json"));
    let (bytes, text) = (
        fs::read(&database).unwrap(),
        fs::read_to_string(&sheet).unwrap(),
    );
    let refused = |words: &str| {
        let other = Project::empty();
        let answer = other.veracta(&["restore", &backup.display().to_string()]);
        assert!(
            answer.code == 2 && answer.err.contains(words),
            "{words}: {answer:?}"
        );
        assert!(
            !other.path(".veracta").exists(),
            "{words}: nothing was begun"
        );
    };
    let mut changed = bytes.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(&database, changed).unwrap();
    refused("its database is not the one its sheet names");
    fs::write(&database, bytes).unwrap();
    let root = json_text(&text, "root");
    fs::write(
        &sheet,
        text.replace(
            &format!("\"root\": \"{root}\""),
            &format!("\"root\": \"{}\"", "0".repeat(64)),
        ),
    )
    .unwrap();
    refused("do not give the root on its sheet");
    fs::write(&sheet, "{").unwrap();
    refused("backup.json");
    fs::remove_file(&sheet).unwrap();
    refused("backup.json");
}

fn json_text(text: &str, name: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    value[name].as_str().unwrap().to_owned()
}
