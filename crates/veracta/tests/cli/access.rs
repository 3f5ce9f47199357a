//! Who may do what over HTTP: every route for every role, tokens, and what a server without users does.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use veracta_governance::access::{Permission, Role, Roles};
use veracta_server::route_table;

use crate::project::{PIPELINE, Project};
use crate::server::Server;

/// Options for tests that are refused a thousand times in a second.
const MANY: [&str; 4] = ["--refusals", "1000000", "--rate", "1000000"];

/// Adds a user and returns a token.
fn token_of(project: &Project, name: &str, roles: &str) -> String {
    let added = project.veracta(&["user", "add", name, "--role", roles]);
    assert_eq!(added.code, 0, "{added:?}");
    let issued = project.veracta(&["token", "issue", name]);
    assert_eq!(issued.code, 0, "{issued:?}");
    issued.out.trim().to_owned()
}

/// Puts a word in each place of a path's pattern.
fn filled(pattern: &str) -> String {
    let steps = pattern
        .split('/')
        .map(|step| if step.starts_with('{') { "x1" } else { step });
    steps.collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_asks_for_its_permission() {
    let project = Project::new(PIPELINE);
    let tokens: BTreeMap<Role, String> = Role::ALL
        .into_iter()
        .map(|role| {
            (
                role,
                token_of(&project, &format!("{role}@example.org"), role.word()),
            )
        })
        .collect();
    let mut server = Server::with(&project, &MANY);
    let table = route_table();
    assert!(table.len() > 200, "{}", table.len());
    for (method, pattern, needs) in table {
        let path = filled(&pattern);
        let methods = if method == "*" {
            vec!["GET", "POST"]
        } else {
            vec![method]
        };
        for method in methods {
            server.token = None;
            let (status, answer) = server.send(method, &path, "application/json", b"{}");
            match needs {
                Permission::Public => {
                    assert!(status != 403, "{method} {pattern}: {status} {answer}")
                }
                _ => assert!(
                    status == 401 && answer.contains("UNAUTHENTICATED"),
                    "{method} {pattern} without a token: {status} {answer}"
                ),
            }
            if needs == Permission::Public {
                continue;
            }
            for (role, token) in &tokens {
                server.token = Some(token.clone());
                let (status, answer) = server.send(method, &path, "application/json", b"{}");
                let may = Roles([*role].into()).permit(needs);
                assert!(
                    status != 401,
                    "{method} {pattern} as {role}: {status} {answer}"
                );
                assert_eq!(
                    status != 403,
                    may,
                    "{method} {pattern} as {role}: {status} {answer}"
                );
                assert!(
                    status < 500 || status == 501,
                    "{method} {pattern} as {role}: {status} {answer}"
                );
            }
        }
    }
    drop(server);
    let log = project.veracta(&["log", "--kind", "access.log", "-n", "1000"]);
    assert!(log.out.lines().count() > 500, "each refusal is recorded");
    assert_eq!(project.veracta(&["verify"]).code, 0);
}

#[test]
fn tokens_end_and_are_limited() {
    let project = Project::new(PIPELINE);
    let token = token_of(&project, "ada@example.org", "engineer,administrator");
    let limited = project.json(&[
        "token",
        "issue",
        "ada@example.org",
        "--role",
        "viewer",
        "--days",
        "1",
    ]);
    let mut server = Server::start(&project);
    let create = |server: &Server, name: &str| {
        server
            .post("experiments/create", &json!({ "name": name }))
            .0
    };
    assert_eq!(create(&server, "a"), 401, "nobody");
    server.token = Some(limited["token"].as_str().unwrap().to_owned());
    assert_eq!(create(&server, "a"), 403, "a token limited to reading");
    assert_eq!(
        server
            .send(
                "GET",
                "/api/2.0/mlflow/experiments/get?experiment_id=0",
                "text/plain",
                b""
            )
            .0,
        200
    );
    server.token = Some(format!("{token}x"));
    assert_eq!(create(&server, "a"), 401, "another token");
    server.token = Some(token.clone());
    assert_eq!(create(&server, "a"), 200);
    assert!(
        server
            .send("GET", "/api/v1/me", "text/plain", b"")
            .1
            .contains("ada@example.org")
    );
    basic_authentication(&server, &token);
    let id = limited["id"].as_str().unwrap();
    assert_eq!(project.veracta(&["token", "revoke", id]).code, 0);
    server.token = Some(limited["token"].as_str().unwrap().to_owned());
    assert_eq!(
        server.send("GET", "/api/v1/me", "text/plain", b"").0,
        401,
        "revoked"
    );
    assert_eq!(
        project
            .veracta(&["user", "add", "eve@example.org", "--role", "administrator"])
            .code,
        0
    );
    assert_eq!(
        project.veracta(&["user", "remove", "ada@example.org"]).code,
        0
    );
    server.token = Some(token);
    assert_eq!(create(&server, "b"), 401, "whose user was removed");
    drop(server);
    let refused = project.veracta(&["user", "remove", "eve@example.org"]);
    assert!(
        refused.code == 2 && refused.err.contains("last administrator"),
        "{refused:?}"
    );
    let verified = project.veracta(&["verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    // The name of a user is in one table, where it can be erased; the ledger has a handle.
    let database = rusqlite::Connection::open(project.path(".veracta/veracta.db")).unwrap();
    for (table, column) in [
        ("entries", "entry"),
        ("records", "body"),
        ("users", "roles"),
        ("tokens", "roles"),
    ] {
        let sql = format!(
            "SELECT COUNT(*) FROM {table} WHERE INSTR(CAST({column} AS TEXT), 'example.org') > 0"
        );
        let n_found: i64 = database.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(n_found, 0, "{table}");
    }
}

/// The token as the password that MLflow's clients send.
fn basic_authentication(server: &Server, token: &str) {
    let encoded = STANDARD.encode(format!("anybody:{token}"));
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(stream, "GET /api/v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {encoded}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("ada@example.org"),
        "{answer}"
    );
}

#[test]
fn a_server_without_users_stays_on_its_machine() {
    let project = Project::new(PIPELINE);
    let refused = project.veracta(&["serve", "--listen", "0.0.0.0:0"]);
    assert!(
        refused.code == 2 && refused.err.contains("there are no users"),
        "{refused:?}"
    );
    let server = Server::start(&project);
    assert_eq!(
        server
            .post("experiments/create", &json!({ "name": "open" }))
            .0,
        200
    );
    // A page elsewhere whose name was pointed here.
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream
        .write_all(b"GET /api/v1/me HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    // The first user closes it while it runs.
    assert_eq!(
        project
            .veracta(&["user", "add", "ada", "--role", "administrator"])
            .code,
        0
    );
    let begun = std::time::Instant::now();
    while server
        .post("experiments/create", &json!({ "name": "closed" }))
        .0
        != 401
    {
        assert!(
            begun.elapsed().as_secs() < 30,
            "the first user closes the server"
        );
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn who_is_refused_too_often_has_to_wait() {
    let project = Project::new(PIPELINE);
    token_of(&project, "ada", "viewer");
    let server = Server::with(&project, &["--refusals", "5"]);
    let statuses: Vec<u16> = (0..12)
        .map(|_| server.send("GET", "/api/v1/me", "text/plain", b"").0)
        .collect();
    assert_eq!(statuses[..5], [401; 5], "{statuses:?}");
    assert!(statuses[5..].contains(&429), "{statuses:?}");
}

#[test]
fn no_route_leaves_the_folder_of_files() {
    let project = Project::new(PIPELINE);
    let server = Server::start(&project);
    let run = server.done(
        "runs/create",
        &json!({ "experiment_id": "0", "start_time": 1 }),
    );
    let run_id = run["run"]["info"]["run_id"].as_str().unwrap();
    let tricks = [
        "../../../../etc/passwd",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
        "..%5c..%5cetc%5cpasswd",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "file:///etc/passwd",
        "a/../../b",
        "a%00b",
        "a%23b",
        "C:%5cwindows",
    ];
    let places = |trick: &str| {
        let query = trick.replace('#', "%23");
        vec![
            (
                "GET",
                format!("/api/2.0/mlflow-artifacts/artifacts/{trick}"),
            ),
            (
                "PUT",
                format!("/api/2.0/mlflow-artifacts/artifacts/{trick}"),
            ),
            (
                "DELETE",
                format!("/api/2.0/mlflow-artifacts/artifacts/{trick}"),
            ),
            (
                "GET",
                format!("/ajax-api/2.0/mlflow-artifacts/artifacts/{trick}"),
            ),
            (
                "GET",
                format!("/api/2.0/mlflow-artifacts/artifacts?path={query}"),
            ),
            ("GET", format!("/get-artifact?run_id={run_id}&path={query}")),
            (
                "GET",
                format!("/model-versions/get-artifact?name=a&version=1&path={query}"),
            ),
            (
                "GET",
                format!("/api/2.0/mlflow/artifacts/list?run_id={run_id}&path={query}"),
            ),
            (
                "GET",
                format!(
                    "/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files?artifact_file_path={query}"
                ),
            ),
            (
                "GET",
                format!(
                    "/api/2.0/mlflow/logged-models/m-1/artifacts/directories?artifact_directory_path={query}"
                ),
            ),
            ("GET", format!("/tile/{trick}")),
            (
                "GET",
                format!("/api/2.0/mlflow-artifacts/presigned/{trick}"),
            ),
            (
                "POST",
                format!("/api/2.0/mlflow-artifacts/mpu/create/{trick}"),
            ),
            (
                "POST",
                format!("/api/2.0/mlflow-artifacts/mpu/complete/{trick}"),
            ),
            (
                "POST",
                format!("/ajax-api/2.0/mlflow-artifacts/mpu/abort/{trick}"),
            ),
        ]
    };
    for trick in tricks {
        for (method, path) in places(trick) {
            let body = br#"{"path": "x", "num_parts": 1, "upload_id": "0", "parts": []}"#;
            let (status, answer) = server.send(method, &path, "application/json", body);
            assert!(
                (400..500).contains(&status),
                "{method} {path}: {status} {answer}"
            );
            assert!(!answer.contains("root:"), "{method} {path}: {answer}");
        }
    }
    let tile_and_paths = route_table()
        .into_iter()
        .filter(|(_, path, _)| path.contains("{*path}"))
        .count();
    assert_eq!(
        tile_and_paths, 15,
        "a new route with a path of a caller's making belongs in the list above"
    );
}
