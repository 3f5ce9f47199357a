//! Parts of files, and files that clients send to the object store themselves.

use serde_json::{Value, json};
use veracta_ledger::Hash;

use crate::project::{PIPELINE, Project};
use crate::server::{Exchanged, Server, exchange};

const FILE: &str = "/api/2.0/mlflow-artifacts/artifacts/0/files/numbers.bin";

fn get(server: &Server, path: &str, headers: &str) -> Exchanged {
    exchange(&server.address, ("GET", path), headers, b"").unwrap()
}

#[test]
fn a_part_of_a_file_is_served() {
    let project = Project::new(PIPELINE);
    let server = Server::start(&project);
    let bytes: Vec<u8> = (0..9_000_000u32)
        .map(|position| (position % 251) as u8)
        .collect();
    assert_eq!(
        server
            .send_bytes("PUT", FILE, "application/octet-stream", &bytes)
            .0,
        200
    );
    let whole = get(&server, FILE, "");
    assert_eq!(
        (whole.status, whole.header("accept-ranges")),
        (200, Some("bytes"))
    );
    let etag = whole.header("etag").unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", Hash::of(&bytes)));
    // Across the pieces in which the store reads.
    for (range, from, to) in [
        ("bytes=8388600-8388700", 8_388_600, 8_388_701),
        ("bytes=-10", 8_999_990, 9_000_000),
        ("bytes=0-0", 0, 1),
    ] {
        let part = get(
            &server,
            FILE,
            &format!("Range: {range}\r\nIf-Range: {etag}\r\n"),
        );
        assert_eq!(
            (part.status, part.body.as_slice()),
            (206, &bytes[from..to]),
            "{range}"
        );
        assert_eq!(
            part.header("content-range").unwrap(),
            format!("bytes {from}-{}/9000000", to - 1)
        );
    }
    let outside = get(&server, FILE, "Range: bytes=9000000-\r\n");
    assert_eq!(
        (outside.status, outside.header("content-range")),
        (416, Some("bytes */9000000"))
    );
    let changed = get(&server, FILE, "Range: bytes=0-0\r\nIf-Range: \"other\"\r\n");
    assert_eq!(
        (changed.status, changed.body.len()),
        (200, bytes.len()),
        "the part of another file is of no use"
    );
}

#[test]
fn a_folder_signs_no_addresses() {
    let project = Project::new(PIPELINE);
    let server = Server::with(&project, &["--direct-transfer"]);
    let create = "/api/2.0/mlflow-artifacts/mpu/create/0/files";
    let (status, answer) = server.send(
        "POST",
        create,
        "application/json",
        br#"{"path": "a.bin", "num_parts": 2}"#,
    );
    assert!(
        status == 501 && answer.contains("NOT_IMPLEMENTED"),
        "{status} {answer}"
    );
    assert_eq!(
        server
            .send(
                "GET",
                "/api/2.0/mlflow-artifacts/presigned/0/files/none",
                "text/plain",
                b""
            )
            .0,
        404
    );
    assert_eq!(
        server.get("/api/3.0/mlflow/server-info")["multipart_uploads_enabled"],
        json!(false)
    );
}

/// Sends a request to the object store at a signed address.
fn send_signed(method: &str, url: &str, body: &[u8]) -> Exchanged {
    let (address, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    exchange(address, (method, &format!("/{path}")), "", body).unwrap()
}

fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    let (status, answer) = server.send(
        "POST",
        path,
        "application/json",
        body.to_string().as_bytes(),
    );
    (status, serde_json::from_str(&answer).unwrap())
}

#[test]
fn parts_sent_to_the_object_store_become_one_file() {
    let project = Project::on_services(PIPELINE);
    let server = Server::with(&project, &["--direct-transfer"]);
    assert_eq!(
        server.get("/api/3.0/mlflow/server-info")["multipart_uploads_enabled"],
        json!(true)
    );
    let mpu = |step: &str| format!("/api/2.0/mlflow-artifacts/mpu/{step}/0/files");
    let (status, begun) = post(
        &server,
        &mpu("create"),
        &json!({ "path": "some/where/numbers.bin", "num_parts": 2 }),
    );
    assert_eq!(status, 200, "{begun}");
    let upload = begun["upload_id"].as_str().unwrap();
    let halves = [vec![1u8; 6 << 20], vec![2u8; 3 << 20]];
    let mut parts = Vec::new();
    for (credential, half) in begun["credentials"].as_array().unwrap().iter().zip(&halves) {
        let sent = send_signed("PUT", credential["url"].as_str().unwrap(), half);
        assert_eq!(sent.status, 200, "{}", sent.head);
        parts.push(json!({ "part_number": credential["part_number"], "etag": sent.header("etag"), "url": credential["url"] }));
    }
    let complete = |id: &str, parts: &[Value]| {
        post(
            &server,
            &mpu("complete"),
            &json!({ "path": "numbers.bin", "upload_id": id, "parts": parts }),
        )
    };
    assert_eq!(
        complete(upload, &parts[1..]).0,
        400,
        "the first part is left out"
    );
    assert_eq!(complete("../../blobs", &parts).0, 404);
    assert_eq!(complete(&"0".repeat(32), &parts).0, 404);
    let mut other = parts.clone();
    other[1]["etag"] = json!("\"another\"");
    let (status, answer) = complete(upload, &other);
    assert!(
        status == 400 && answer["message"].as_str().unwrap().contains("Part 2"),
        "{answer}"
    );
    let elsewhere = json!({ "path": "other.bin", "upload_id": upload, "parts": parts });
    assert_eq!(
        post(&server, &mpu("complete"), &elsewhere).0,
        404,
        "an upload is bound to its path"
    );
    assert_eq!(complete(upload, &parts).0, 200);
    assert_eq!(complete(upload, &parts).0, 404, "its parts are gone");
    let whole = halves.concat();
    let (status, bytes) = server.send_bytes("GET", FILE, "text/plain", b"");
    assert!(status == 200 && bytes == whole);
    let signed = server.get("/api/2.0/mlflow-artifacts/presigned/0/files/numbers.bin");
    assert_eq!(signed["file_size"], json!(whole.len()));
    let fetched = send_signed("GET", signed["url"].as_str().unwrap(), b"");
    assert!(fetched.status == 200 && fetched.body == whole);
    // Given up: nothing is left to complete.
    let (_, begun) = post(
        &server,
        &mpu("create"),
        &json!({ "path": "numbers.bin", "num_parts": 1 }),
    );
    let upload = begun["upload_id"].as_str().unwrap();
    send_signed(
        "PUT",
        begun["credentials"][0]["url"].as_str().unwrap(),
        b"x",
    );
    assert_eq!(
        post(
            &server,
            &mpu("abort"),
            &json!({ "path": "numbers.bin", "upload_id": upload })
        )
        .0,
        200
    );
    assert_eq!(
        complete(upload, &[json!({ "part_number": 1, "etag": "" })]).0,
        404
    );
    assert_eq!(
        post(
            &server,
            &mpu("create"),
            &json!({ "path": "a", "num_parts": 10_001 })
        )
        .0,
        400
    );
    drop(server);
    assert_eq!(project.veracta(&["verify"]).code, 0);
}
