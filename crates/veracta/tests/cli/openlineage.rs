//! Events of OpenLineage, taken and told.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::project::{PIPELINE, Project};
use crate::server::{Server, take_request, text};

const RUN: &str = "01938e5a-7c1f-7b3e-9f64-2d0d6f1f0a11";

fn event(kind: &str) -> Value {
    json!({
        "eventType": kind,
        "eventTime": "2026-11-28T10:00:00.000Z",
        "producer": "https://example.org/scheduler",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": { "runId": RUN, "facets": { "nominalTime": { "nominalStartTime": "2026-11-28T10:00:00Z" } } },
        "job": { "namespace": "nightly", "name": "features of Zebra" },
        "inputs": [{ "namespace": "s3://raw", "name": "calls" }],
        "outputs": [{ "namespace": "s3://features", "name": "churn" }],
    })
}

fn post(server: &Server, body: &Value) -> (u16, Value) {
    let (status, answer) = server.send(
        "POST",
        "/api/v1/lineage",
        "application/json",
        body.to_string().as_bytes(),
    );
    (status, serde_json::from_str(&answer).unwrap())
}

#[test]
fn a_time_without_an_offset_is_read_as_utc_and_told() {
    let project = Project::new(PIPELINE);
    let server = Server::start(&project);
    let mut failed = event("FAIL");
    failed["eventTime"] = json!("2026-03-01T10:00:00.829392");
    let (status, told) = post(&server, &failed);
    assert!(
        status == 201 && told["note"].as_str().unwrap().contains("UTC"),
        "{told}"
    );
    for wrong in ["2026-03-01", "yesterday", "2026-13-01T10:00:00"] {
        failed["eventTime"] = json!(wrong);
        assert_eq!(post(&server, &failed).0, 400, "{wrong}");
    }
    drop(server);
    let body = project.record(told["record"].as_u64().unwrap());
    assert_eq!(body["event_time"], "2026-03-01T10:00:00.829392Z");
    assert_eq!(body["event"]["eventTime"], "2026-03-01T10:00:00.829392");
}

#[test]
fn events_of_others_become_records() {
    let project = Project::new(PIPELINE);
    let server = Server::start(&project);
    let (status, first) = post(&server, &event("START"));
    assert_eq!(status, 201, "{first}");
    let (_, last) = post(&server, &event("COMPLETE"));
    assert_eq!(
        post(&server, &event("COMPLETE")),
        (201, last.clone()),
        "a client that heard no answer sends it again"
    );
    let (status, answer) = post(&server, &json!({ "eventTime": "2026-11-28T10:00:00Z" }));
    assert!(
        status == 400 && answer["message"].as_str().unwrap().contains("producer"),
        "{answer}"
    );
    let dataset = json!({
        "eventTime": "2026-11-28T10:00:00Z", "producer": "https://example.org/",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent",
        "dataset": { "namespace": "s3://features", "name": "churn" },
    });
    assert_eq!(post(&server, &dataset).0, 201);
    drop(server);
    let body = project.record(last["record"].as_u64().unwrap());
    assert_eq!(
        (&body["event_type"], &body["event"]["run"]["runId"]),
        (&json!("COMPLETE"), &json!(RUN))
    );
    let lineage = project.veracta(&["lineage", &format!("#{}", last["record"])]);
    assert!(
        lineage.out.contains(&format!("#{}", first["record"])),
        "the end rests on the start: {lineage:?}"
    );
    let log = project.veracta(&["log", "--format", "json"]).out;
    assert!(
        !log.contains("Zebra"),
        "an entry has no name of a job: {log}"
    );
    assert_eq!(project.veracta(&["verify"]).code, 0);
}

#[test]
fn recorded_runs_are_told_to_a_backend() {
    let project = Project::new(PIPELINE);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1/lineage", listener.local_addr().unwrap());
    let server = Server::with(&project, &["--openlineage", &url]);
    // Told from now on: the position is noted before the first run.
    while !project.path(".veracta/openlineage.state").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let run = server.done(
        "runs/create",
        &json!({ "experiment_id": "0", "start_time": 1 }),
    );
    let id = text(&run, "/run/info/run_id");
    let dataset =
        json!({ "name": "calls", "digest": "abc", "source_type": "local", "source": "{}" });
    server.done(
        "runs/log-inputs",
        &json!({ "run_id": id, "datasets": [{ "dataset": dataset, "tags": [] }] }),
    );
    assert_eq!(
        server
            .send(
                "PUT",
                &format!("/api/2.0/mlflow-artifacts/artifacts/0/{id}/artifacts/model.txt"),
                "text/plain",
                b"model"
            )
            .0,
        200
    );
    server.done(
        "runs/update",
        &json!({ "run_id": id, "status": "FAILED", "end_time": 1_764_324_000_000i64 }),
    );
    let (_, told) = take_request(&listener, "201 Created");
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(
        (&told["eventType"], &told["eventTime"]),
        (&json!("FAIL"), &json!("2025-11-28T10:00:00.000Z"))
    );
    assert_eq!(
        told["inputs"][0]["facets"]["version"]["datasetVersion"],
        json!("abc")
    );
    assert_eq!(
        told["outputs"][0]["name"],
        json!(format!("run/{id}/model.txt"))
    );
    drop(server);
    assert_eq!(project.veracta(&["run", "pipeline.yaml"]).code, 0);
    let exported = project.veracta(&["export", "openlineage"]).out;
    let events: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0], told, "the same run is the same event");
    let jobs: Vec<&str> = events
        .iter()
        .map(|event| text(event, "/job/name"))
        .collect();
    assert_eq!(jobs, ["experiment/0", "small/train"]);
}
