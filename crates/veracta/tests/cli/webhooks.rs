//! Events told to a receiver: in order, signed, again after a failure, and never to an inner address unless that is allowed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::project::{PIPELINE, Project};
use crate::server::{Server, text};

/// Longest wait for an event.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request to the receiver: header lines and body.
type Received = (Vec<String>, Value);

/// Listens, answers with these statuses in turn and then with 200, and passes on what it receives.
fn listen(mut statuses: Vec<u16>) -> (String, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (send, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                lines.push(line.trim().to_owned());
            }
            let n_bytes = lines.iter().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")
                    .map(str::to_owned)
            });
            let mut body = vec![0; n_bytes.unwrap().parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let status = if statuses.is_empty() {
                200
            } else {
                statuses.remove(0)
            };
            write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            .unwrap();
            if send
                .send((lines, serde_json::from_slice(&body).unwrap()))
                .is_err()
            {
                return;
            }
        }
    });
    (format!("http://{address}/hook"), received)
}

fn header<'r>((lines, _): &'r Received, name: &str) -> &'r str {
    let found = lines.iter().find_map(|line| {
        line.split_once(": ")
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
    });
    found.unwrap_or_else(|| panic!("no {name} in {lines:?}")).1
}

#[test]
fn changes_of_the_registry_are_told_in_order() {
    let project = Project::new(PIPELINE);
    let server = Server::with(&project, &["--webhooks-anywhere"]);
    let (url, received) = listen(vec![503]);
    let events = json!([
        { "entity": "REGISTERED_MODEL", "action": "CREATED" },
        { "entity": "MODEL_VERSION_ALIAS", "action": "CREATED" },
        { "entity": "MODEL_VERSION_TAG", "action": "SET" },
    ]);
    let made = server.done(
        "webhooks",
        &json!({ "name": "hook", "url": url, "events": events, "secret": "quiet" }),
    );
    assert!(
        !made.to_string().contains("quiet"),
        "a secret is never told: {made}"
    );
    let id = text(&made, "/webhook/webhook_id");
    server.done("registered-models/create", &json!({ "name": "fraud" }));
    let run = server.done(
        "runs/create",
        &json!({ "experiment_id": "0", "start_time": 1 }),
    );
    let (run_id, uri) = (
        text(&run, "/run/info/run_id"),
        text(&run, "/run/info/artifact_uri"),
    );
    server.done(
        "model-versions/create",
        &json!({ "name": "fraud", "source": uri, "run_id": run_id }),
    );
    server.done(
        "model-versions/set-tag",
        &json!({ "name": "fraud", "version": "1", "key": "checked", "value": "yes" }),
    );
    server.done(
        "registered-models/alias",
        &json!({ "name": "fraud", "alias": "champion", "version": "1" }),
    );
    let refused = received.recv_timeout(PATIENCE).unwrap();
    let again = received.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (&refused.1["entity"], &again.1["entity"]),
        (&json!("registered_model"), &json!("registered_model")),
        "it is sent again"
    );
    assert_eq!(again.1["data"]["name"], "fraud");
    assert!(header(&again, "X-MLflow-Signature").starts_with("v1,"));
    assert!(header(&again, "X-MLflow-Timestamp").parse::<u64>().is_ok());
    assert_eq!(header(&again, "X-MLflow-Delivery-Id").len(), 36);
    let tag = received.recv_timeout(PATIENCE).unwrap().1;
    assert_eq!(
        (&tag["entity"], &tag["data"]["key"], &tag["data"]["version"]),
        (&json!("model_version_tag"), &json!("checked"), &json!("1"))
    );
    let alias = received.recv_timeout(PATIENCE).unwrap().1;
    assert_eq!(
        (&alias["entity"], &alias["data"]["alias"]),
        (&json!("model_version_alias"), &json!("champion"))
    );
    let tested = server.done(&format!("webhooks/{id}/test"), &json!({}));
    assert_eq!(tested["result"]["success"], true, "{tested}");
    received.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        server
            .send(
                "DELETE",
                &format!("/api/2.0/mlflow/webhooks/{id}"),
                "application/json",
                b"{}"
            )
            .0,
        200
    );
    drop(server);
    assert_eq!(project.veracta(&["verify"]).code, 0);
}

#[test]
fn inner_addresses_are_refused() {
    let project = Project::new(PIPELINE);
    let server = Server::start(&project);
    let events = json!([{ "entity": "REGISTERED_MODEL", "action": "CREATED" }]);
    for url in [
        "http://127.0.0.1:9/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/",
        "https://0x7f000001/",
        "file:///etc/passwd",
    ] {
        server.refused(
            "webhooks",
            &json!({ "name": "hook", "url": url, "events": events }),
            400,
            "Invalid webhook URL",
        );
    }
    // A name may lead inside; it is looked up when something is sent.
    let made = server.done(
        "webhooks",
        &json!({ "name": "hook", "url": "https://localhost/", "events": events }),
    );
    let id = text(&made, "/webhook/webhook_id");
    let tested = server.done(&format!("webhooks/{id}/test"), &json!({}));
    assert!(
        tested["result"]["success"] == false
            && text(&tested, "/result/error_message").contains("not public"),
        "{tested}"
    );
    server.refused(
        "webhooks",
        &json!({ "name": " ", "url": "https://example.org", "events": events }),
        400,
        "name",
    );
    server.refused(
        "webhooks",
        &json!({ "name": "a", "url": "https://example.org", "events": [] }),
        400,
        "events",
    );
}
