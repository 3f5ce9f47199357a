//! Erasing a run for good: what goes, what stays, and what `verify` says of it.

use serde_json::json;

use crate::project::{PIPELINE, Project};
use crate::server::{Server, text};

/// Logs a run with a secret in it, with a file, and ends it.
fn run_with(server: &Server, secret: &str) -> String {
    let run = server.done(
        "runs/create",
        &json!({ "experiment_id": "0", "start_time": 1 }),
    );
    let id = text(&run, "/run/info/run_id").to_owned();
    server.done(
        "runs/log-parameter",
        &json!({ "run_id": id, "key": "patient", "value": secret }),
    );
    let path = format!("/api/2.0/mlflow-artifacts/artifacts/0/{id}/artifacts/notes.txt");
    assert_eq!(
        server.send("PUT", &path, "text/plain", secret.as_bytes()).0,
        200
    );
    server.done(
        "runs/update",
        &json!({ "run_id": id, "status": "FINISHED", "end_time": 30 }),
    );
    id
}

/// Returns whether any file of the workspace has these bytes.
fn is_in_files(project: &Project, secret: &str) -> bool {
    let objects = crate::project::files_under(&project.path(".veracta/objects"));
    objects
        .iter()
        .any(|(_, bytes)| crate::project::holds(bytes, secret))
}

fn check_purge(project: &Project) {
    let (first, second) = {
        let server = Server::start(project);
        let (first, second) = (
            run_with(&server, "Zebra-4711"),
            run_with(&server, "Zebra-4711"),
        );
        server.done("registered-models/create", &json!({ "name": "kept" }));
        let source = format!("mlflow-artifacts:/0/{second}/artifacts");
        server.done(
            "model-versions/create",
            &json!({ "name": "kept", "source": source, "run_id": second }),
        );
        let purge = |id: &str, body: &str| {
            server.send(
                "POST",
                &format!("/api/v1/runs/{id}/purge"),
                "application/json",
                body.as_bytes(),
            )
        };
        assert_eq!(purge(&first, "{}").0, 400, "an erasure has a reason");
        assert_eq!(purge(&first, "not JSON").0, 400);
        assert_eq!(
            server
                .send(
                    "POST",
                    &format!("/api/v1/runs/{first}/purge"),
                    "text/plain",
                    b"{\"reason\":\"x\"}"
                )
                .0,
            400
        );
        let (status, answer) = purge(&second, r#"{"reason":"request 7"}"#);
        assert!(
            status == 403 && answer.contains("registered model 'kept'"),
            "{status} {answer}"
        );
        let (status, answer) = purge(&first, r#"{"reason":"request 7"}"#);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(
            purge(&first, r#"{"reason":"request 7"}"#).0,
            404,
            "it is gone"
        );
        let (status, _) = server.send(
            "GET",
            &format!("/api/2.0/mlflow/runs/get?run_id={first}"),
            "text/plain",
            b"",
        );
        assert_eq!(status, 404);
        (first, second)
    };
    let verified = project.veracta(&["verify"]);
    assert!(
        verified.code == 0 && verified.out.contains("1 whose erasure has a receipt"),
        "{verified:?}"
    );
    let (_, receipt) = project.latest("erasure.receipt");
    assert_eq!(receipt["subject_ref"], format!("run:{first}"));
    assert_eq!(receipt["reason"], "request 7");
    assert_eq!(
        receipt["artifacts"],
        json!([]),
        "the other run has the same bytes"
    );
    let answer = project.veracta(&["purge", &second, "--reason", "x"]);
    assert!(
        answer.code == 2 && answer.err.contains("Delete that version first"),
        "{answer:?}"
    );
}

#[test]
fn an_erased_run_leaves_a_receipt() {
    let project = Project::new(PIPELINE);
    check_purge(&project);
    assert!(
        is_in_files(&project, "Zebra-4711"),
        "a release depends on the other run's file"
    );
    // Once the version is gone the rest goes too, the bytes with it.
    let id = {
        let server = Server::start(&project);
        let (status, _) = server.send(
            "DELETE",
            "/api/2.0/mlflow/registered-models/delete",
            "application/json",
            br#"{"name":"kept"}"#,
        );
        assert_eq!(status, 200);
        let runs = server.done("runs/search", &json!({ "experiment_ids": ["0"] }));
        text(&runs, "/runs/0/info/run_id").to_owned()
    };
    let purged = project
        .veracta(&["purge", &id, "--reason", "request 8", "--format", "json"])
        .json();
    assert_eq!(purged["files"], 1);
    assert!(
        !is_in_files(&project, "Zebra-4711"),
        "nothing refers to the bytes any more"
    );
    let verified = project.veracta(&["verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn an_erased_run_in_postgres_and_s3_leaves_a_receipt() {
    check_purge(&Project::on_services(PIPELINE));
}

#[test]
fn a_record_without_a_receipt_is_missing() {
    let project = Project::new(PIPELINE);
    check_purge(&project);
    let database = rusqlite::Connection::open(project.path(".veracta/veracta.db")).unwrap();
    database
        .execute("DELETE FROM records WHERE kind = 'experiment'", [])
        .unwrap();
    let verified = project.veracta(&["verify"]);
    assert!(
        verified.code == 1 && verified.out.contains("is missing"),
        "{verified:?}"
    );
}
