//! `veracta serve` as tracking clients use it: a run from its first value to a registered version, and what the ledger says of it.

use serde_json::{Value, json};

use crate::project::{PIPELINE, Project};
use crate::server::{Server, text};

/// Logs a run with its values and a file, and ends it; returns its id.
fn finished_run(server: &Server) -> String {
    let experiment = server.done("experiments/create", &json!({ "name": "fraud" }));
    server.refused(
        "experiments/create",
        &json!({ "name": "fraud" }),
        400,
        "already exists",
    );
    let run = server.done("runs/create", &json!({ "experiment_id": experiment["experiment_id"], "start_time": 1, "run_name": "first" }));
    let id = text(&run, "/run/info/run_id").to_owned();
    let metrics = json!([
        { "key": "auc", "value": 0.75, "timestamp": 10, "step": 0 },
        { "key": "auc", "value": 0.875, "timestamp": 20, "step": 1 },
        { "key": "loss", "value": "NaN", "timestamp": 10, "step": 0 },
    ]);
    let batch = json!({ "run_id": id, "metrics": metrics, "params": [{ "key": "depth", "value": "3" }], "tags": [] });
    server.done("runs/log-batch", &batch);
    // A client that heard no answer sends it again.
    server.done("runs/log-batch", &batch);
    server.refused(
        "runs/log-parameter",
        &json!({ "run_id": id, "key": "depth", "value": "4" }),
        400,
        "Changing param values",
    );
    server.refused(
        "runs/log-metric",
        &json!({ "run_id": id, "key": "../up", "value": 1, "timestamp": 1 }),
        400,
        "Invalid value",
    );
    let path = format!("/api/2.0/mlflow-artifacts/artifacts/1/{id}/artifacts/model/weights.txt");
    assert_eq!(server.send("PUT", &path, "text/plain", b"0.5 0.25").0, 200);
    assert_eq!(
        server.send("GET", &path, "text/plain", b""),
        (200, "0.5 0.25".to_owned())
    );
    server.done(
        "runs/update",
        &json!({ "run_id": id, "status": "FINISHED", "end_time": 30 }),
    );
    id
}

/// Registers the model of a run and points an alias at it.
fn registered_version(server: &Server, run_id: &str) {
    server.done("registered-models/create", &json!({ "name": "fraud" }));
    let source = format!("mlflow-artifacts:/1/{run_id}/artifacts/model");
    let version = server.done(
        "model-versions/create",
        &json!({ "name": "fraud", "source": source, "run_id": run_id }),
    );
    assert_eq!(text(&version, "/model_version/version"), "1");
    server.done(
        "registered-models/alias",
        &json!({ "name": "fraud", "alias": "champion", "version": "1" }),
    );
    server.refused(
        "registered-models/alias",
        &json!({ "name": "fraud", "alias": "latest", "version": "1" }),
        400,
        "reserved",
    );
}

#[test]
fn a_tracked_run_is_evidence_and_its_model_cannot_change() {
    check_evidence(&Project::new(PIPELINE));
}

#[test]
fn a_tracked_run_in_postgres_and_s3_is_evidence_too() {
    check_evidence(&Project::on_services(PIPELINE));
}

fn check_evidence(project: &Project) {
    let id = {
        let server = Server::start(project);
        let id = finished_run(&server);
        let (_, history) = server.send(
            "GET",
            &format!("/api/2.0/mlflow/metrics/get-history?run_id={id}&metric_key=auc"),
            "text/plain",
            b"",
        );
        let history: Value = serde_json::from_str(&history).unwrap();
        assert_eq!(
            history["metrics"].as_array().unwrap().len(),
            2,
            "a repeated value is one value: {history}"
        );
        registered_version(&server, &id);
        let path =
            format!("/api/2.0/mlflow-artifacts/artifacts/1/{id}/artifacts/model/weights.txt");
        assert_eq!(
            server.send("PUT", &path, "text/plain", b"0.5 0.25").0,
            200,
            "the same bytes are no change"
        );
        assert_eq!(
            server.send("PUT", &path, "text/plain", b"0.5 0.75").0,
            403,
            "a registered model does not change"
        );
        assert_eq!(server.send("DELETE", &path, "text/plain", b"").0, 403);
        id
    };
    let shown = project.veracta(&["log", "--kind", "run"]);
    assert!(
        shown.out.contains(&format!("run:{}", &id[..16])),
        "{shown:?}"
    );
    let verified = project.veracta(&["verify"]);
    assert!(
        verified.code == 0 && verified.out.contains("tracking:"),
        "{verified:?}"
    );
}

#[test]
fn a_search_finds_what_its_filter_says() {
    check_searches(&Project::new(PIPELINE));
}

#[test]
fn a_search_in_postgres_finds_the_same() {
    check_searches(&Project::on_services(PIPELINE));
}

fn check_searches(project: &Project) {
    let server = Server::start(project);
    let id = finished_run(&server);
    let check = |filter: &str, n_expected: usize| {
        let found = server.done(
            "runs/search",
            &json!({ "experiment_ids": ["1"], "filter": filter, "order_by": ["metrics.auc DESC"] }),
        );
        let runs = found["runs"].as_array().map_or(0, Vec::len);
        assert_eq!(runs, n_expected, "{filter}: {found}");
    };
    check("", 1);
    check("metrics.auc > 0.8 AND params.depth = '3'", 1);
    check("metrics.auc < 0.8", 0);
    check("metrics.loss >= 0", 0);
    check(
        "params.depth LIKE '_' and tags.`mlflow.runName` ILIKE 'FIRST'",
        1,
    );
    check("params.depth != '3'", 0);
    check("params.missing IS NULL", 1);
    check(&format!("attributes.run_id IN ('{id}', 'another')"), 1);
    check("status = 'FINISHED' and start_time <= 1", 1);
    server.refused(
        "runs/search",
        &json!({ "experiment_ids": ["1"], "filter": "metrics.auc > 'x'" }),
        400,
        "numeric",
    );
    server.refused(
        "runs/search",
        &json!({ "experiment_ids": ["1"], "filter": "a = 'b' OR c = 'd'" }),
        400,
        "Invalid",
    );
    server.refused(
        "runs/search",
        &json!({ "experiment_ids": ["1"], "order_by": ["start_time", "start_time"] }),
        400,
        "duplicate",
    );
}

#[test]
fn a_path_that_leaves_its_folder_is_refused() {
    let project = Project::new(PIPELINE);
    let server = Server::start(&project);
    for path in [
        "%2e%2e/x",
        "a/%252e%252e/x",
        "a/%25252e%25252e/x",
        "a%5Cb",
        "a%23b",
        "a/..%2f..%2fx",
        "%2fetc/passwd",
    ] {
        let (status, answer) = server.send(
            "PUT",
            &format!("/api/2.0/mlflow-artifacts/artifacts/{path}"),
            "text/plain",
            b"x",
        );
        assert!(
            status == 400 && answer.contains("Invalid path"),
            "{path}: {status} {answer}"
        );
    }
}

#[test]
fn what_is_renamed_opened_again_or_made_anew_still_verifies() {
    check_changes(&Project::new(PIPELINE));
}

#[test]
fn what_is_renamed_or_opened_again_in_postgres_still_verifies() {
    check_changes(&Project::on_services(PIPELINE));
}

fn check_changes(project: &Project) {
    {
        let server = Server::start(project);
        let id = finished_run(&server);
        registered_version(&server, &id);
        server.done(
            "registered-models/rename",
            &json!({ "name": "fraud", "new_name": "other" }),
        );
        server.done("registered-models/create", &json!({ "name": "fraud" }));
        let n_records = || {
            project
                .veracta(&["log", "--kind", "run", "-n", "100"])
                .out
                .lines()
                .count()
        };
        server.done(
            "runs/set-tag",
            &json!({ "run_id": id, "key": "late", "value": "1" }),
        );
        assert_eq!(n_records(), 2, "a change of a finished run is a record");
        server.done("runs/update", &json!({ "run_id": id, "status": "RUNNING" }));
        for step in 2..5 {
            server.done(
                "runs/log-metric",
                &json!({ "run_id": id, "key": "auc", "value": 0.5, "timestamp": 1, "step": step }),
            );
        }
        assert_eq!(n_records(), 3, "a run that was opened again is a draft");
        server.done(
            "runs/update",
            &json!({ "run_id": id, "status": "FINISHED", "end_time": 40 }),
        );
        assert_eq!(n_records(), 4);
        server.done("experiments/delete", &json!({ "experiment_id": "1" }));
        server.done("experiments/delete", &json!({ "experiment_id": "1" }));
        server.refused(
            "runs/set-tag",
            &json!({ "run_id": id, "key": "k", "value": "v" }),
            400,
            "must be in the 'active' state",
        );
        let (status, _) = server.send(
            "POST",
            &format!("/api/2.0/mlflow/runs/restore?run_id={id}"),
            "text/plain",
            b"",
        );
        assert_eq!(status, 400, "an address alone changes nothing");
    }
    let verified = project.veracta(&["verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn a_large_file_is_streamed_both_ways() {
    check_large_file(&Project::new(PIPELINE));
}

#[test]
fn a_large_file_is_streamed_to_s3_and_back() {
    check_large_file(&Project::on_services(PIPELINE));
}

fn check_large_file(project: &Project) {
    let server = Server::start(project);
    // More than two pieces of 8 MiB, and no whole number of them.
    let bytes: String = (0..20_000_001)
        .map(|position| char::from(b'a' + (position % 23) as u8))
        .collect();
    let path = "/api/2.0/mlflow-artifacts/artifacts/large/file.txt";
    assert_eq!(
        server.send("PUT", path, "text/plain", bytes.as_bytes()),
        (200, String::new())
    );
    let (status, found) = server.send("GET", path, "text/plain", b"");
    assert!(
        status == 200 && found == bytes,
        "{status}, {} bytes",
        found.len()
    );
}

#[test]
fn values_changed_in_the_database_are_found() {
    let project = Project::new(PIPELINE);
    {
        let server = Server::start(&project);
        let id = finished_run(&server);
        registered_version(&server, &id);
    }
    let check = |change: &str, undo: &str, words: &str| {
        let database = rusqlite::Connection::open(project.path(".veracta/veracta.db")).unwrap();
        assert!(database.execute(change, []).unwrap() > 0, "{change}");
        let verified = project.veracta(&["verify"]);
        assert!(
            verified.code == 1 && verified.out.contains(words),
            "{change}: {verified:?}"
        );
        database.execute(undo, []).unwrap();
        assert_eq!(project.veracta(&["verify"]).code, 0, "{undo}");
    };
    let record: i64 = rusqlite::Connection::open(project.path(".veracta/veracta.db"))
        .unwrap()
        .query_row("SELECT record_idx FROM runs", [], |row| row.get(0))
        .unwrap();
    check(
        "UPDATE runs SET record_idx = NULL",
        &format!("UPDATE runs SET record_idx = {record}"),
        "run:",
    );
    check(
        "UPDATE params SET value = '9'",
        "UPDATE params SET value = '3'",
        "run:",
    );
    check(
        "UPDATE metrics SET value = 0.99 WHERE value = 0.75",
        "UPDATE metrics SET value = 0.75 WHERE value = 0.99",
        "run:",
    );
    check(
        "UPDATE model_versions SET stage = 'Production'",
        "UPDATE model_versions SET stage = 'None'",
        "registry:fraud@1",
    );
    check(
        "UPDATE registered_model_aliases SET alias = 'other'",
        "UPDATE registered_model_aliases SET alias = 'champion'",
        "registry:fraud",
    );
    check(
        "UPDATE experiments SET name = 'x' WHERE name = 'fraud'",
        "UPDATE experiments SET name = 'fraud' WHERE name = 'x'",
        "experiment:1",
    );
    let unrecorded = [
        (
            "INSERT INTO users VALUES ('actor-x', 'administrator', 1)",
            "DELETE FROM users",
            "user:actor-x",
        ),
        (
            "INSERT INTO tokens VALUES ('t', 'actor-x', x'00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 'viewer', 'token', 1, 9, 0)",
            "DELETE FROM tokens",
            "token:t",
        ),
        (
            "INSERT INTO experiments VALUES (9, 'nine', 'x', 'active', 1, 1)",
            "DELETE FROM experiments WHERE experiment_id = 9",
            "experiment:9",
        ),
        (
            "INSERT INTO runs VALUES (99, 'r', 1, 'n', 'u', 'FINISHED', 1, 2, 'active', 'x', NULL)",
            "DELETE FROM runs WHERE run_no = 99",
            "run:r",
        ),
        (
            "INSERT INTO registered_models VALUES ('m', '', 1, 1, 0)",
            "DELETE FROM registered_models WHERE name = 'm'",
            "registry:m",
        ),
    ];
    for (change, undo, words) in unrecorded {
        check(change, undo, words);
    }
}
