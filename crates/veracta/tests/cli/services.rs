//! Two servers on one PostgreSQL and one bucket, killed with everything they stand on while clients write: nothing acknowledged is lost, and
//! there is one chain.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use veracta_ledger::Hash;

use crate::project::{PIPELINE, Project};
use crate::server::{Server, send_to, text};

/// Writers of each server.
const N_WRITERS: usize = 2;
/// Acknowledgements awaited between two kills.
const N_BETWEEN: usize = 40;
/// Bytes of an uploaded file: more than one piece.
const FILE_BYTES: usize = 9 << 20;
/// Longest wait for clients to be answered again.
const PATIENCE: Duration = Duration::from_secs(120);

/// What clients were told is done.
#[derive(Default)]
struct Acknowledged {
    /// Run and step.
    steps: Mutex<Vec<(String, u64)>>,
    /// Path and digest.
    files: Mutex<Vec<(String, Hash)>>,
    n_acknowledged: AtomicUsize,
}

/// Sends a request until it is answered with success, as clients do.
fn send_until_done(
    address: &str,
    request: (&str, &str, &str),
    body: &[u8],
    is_done: &AtomicBool,
) -> Option<Vec<u8>> {
    loop {
        match send_to(address, None, request, body) {
            Ok((200, answer)) => return Some(answer),
            Ok((status, answer)) => assert!(
                status >= 500,
                "{request:?}: {status} {}",
                String::from_utf8_lossy(&answer)
            ),
            Err(_) => {}
        }
        if is_done.load(Ordering::SeqCst) {
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Logs steps of a run of its own, and ends the run.
fn write_steps(address: &str, acknowledged: &Acknowledged, is_done: &AtomicBool) {
    let post = |path: &str, body: &Value| {
        let path = format!("/api/2.0/mlflow/{path}");
        send_until_done(
            address,
            ("POST", &path, "application/json"),
            body.to_string().as_bytes(),
            is_done,
        )
    };
    let Some(answer) = post(
        "runs/create",
        &json!({ "experiment_id": "0", "start_time": 1 }),
    ) else {
        return;
    };
    let run: Value = serde_json::from_slice(&answer).unwrap();
    let id = text(&run, "/run/info/run_id").to_owned();
    for step in 0.. {
        let metrics = json!([{ "key": "loss", "value": 0.5, "timestamp": 1, "step": step }]);
        let batch = json!({ "run_id": id, "metrics": metrics, "params": [{ "key": format!("p{step}"), "value": "v" }] });
        if post("runs/log-batch", &batch).is_none() {
            return;
        }
        acknowledged.steps.lock().unwrap().push((id.clone(), step));
        acknowledged.n_acknowledged.fetch_add(1, Ordering::SeqCst);
        if is_done.load(Ordering::SeqCst) {
            break;
        }
    }
    send_to(
        address,
        None,
        ("POST", "/api/2.0/mlflow/runs/update", "application/json"),
        json!({ "run_id": id, "status": "FINISHED", "end_time": 2 })
            .to_string()
            .as_bytes(),
    )
    .unwrap();
}

/// Uploads files.
fn upload_files(address: &str, name: usize, acknowledged: &Acknowledged, is_done: &AtomicBool) {
    for seq in 0usize.. {
        let path = format!("/api/2.0/mlflow-artifacts/artifacts/load/{name}/{seq}");
        let bytes: Vec<u8> = (0..FILE_BYTES)
            .map(|position| (position * 31 + seq * 7 + name + position / 4096) as u8)
            .collect();
        if send_until_done(
            address,
            ("PUT", &path, "application/octet-stream"),
            &bytes,
            is_done,
        )
        .is_none()
        {
            return;
        }
        acknowledged
            .files
            .lock()
            .unwrap()
            .push((path, Hash::of(&bytes)));
        if is_done.load(Ordering::SeqCst) {
            return;
        }
    }
}

fn start_at(project: &Project, port: u16) -> Server {
    Server::of(project.program().args([
        "serve",
        "--listen",
        &format!("127.0.0.1:{port}"),
        "--rate",
        "1000000",
    ]))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Waits until so many more writes are acknowledged.
fn wait_for_writes(acknowledged: &Acknowledged) {
    let (wanted, begun) = (
        acknowledged.n_acknowledged.load(Ordering::SeqCst) + N_BETWEEN,
        Instant::now(),
    );
    while acknowledged.n_acknowledged.load(Ordering::SeqCst) < wanted {
        assert!(
            begun.elapsed() < PATIENCE,
            "clients are not answered any more"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// Kills one thing after another.
fn make_outages(
    project: &mut Project,
    servers: &mut [Server],
    ports: [u16; 2],
    acknowledged: &Acknowledged,
) {
    for round in 0..2 {
        wait_for_writes(acknowledged);
        servers[round].kill();
        thread::sleep(Duration::from_millis(50));
        servers[round] = start_at(project, ports[round]);
        wait_for_writes(acknowledged);
        let (postgres, s3) = project.services.as_mut().unwrap();
        postgres.kill();
        thread::sleep(Duration::from_millis(100));
        postgres.restart().unwrap();
        wait_for_writes(acknowledged);
        s3.kill();
        thread::sleep(Duration::from_millis(100));
        s3.restart().unwrap();
    }
    wait_for_writes(acknowledged);
}

#[test]
fn killed_servers_lose_nothing_they_acknowledged() {
    let mut project = Project::on_services(PIPELINE);
    let ports = [free_port(), free_port()];
    let mut servers = ports.map(|port| start_at(&project, port));
    let (acknowledged, is_done) = (Acknowledged::default(), AtomicBool::new(false));
    let addresses = ports.map(|port| format!("127.0.0.1:{port}"));
    thread::scope(|scope| {
        let (acknowledged, is_done) = (&acknowledged, &is_done);
        for (name, address) in addresses.iter().enumerate() {
            for _ in 0..N_WRITERS {
                scope.spawn(move || write_steps(address, acknowledged, is_done));
            }
            scope.spawn(move || upload_files(address, name, acknowledged, is_done));
        }
        let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            make_outages(&mut project, &mut servers, ports, acknowledged)
        }));
        is_done.store(true, Ordering::SeqCst);
        made.unwrap();
    });
    check_acknowledged(&servers[0], &acknowledged);
    check_acknowledged(&servers[1], &acknowledged);
    drop(servers);
    let verified = project.veracta(&["verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

fn check_acknowledged(server: &Server, acknowledged: &Acknowledged) {
    let steps = acknowledged.steps.lock().unwrap();
    let runs: BTreeSet<&String> = steps.iter().map(|(run, _)| run).collect();
    assert_eq!(runs.len(), 2 * N_WRITERS);
    for run in runs {
        let found = server.get(&format!(
            "/api/2.0/mlflow/metrics/get-history?run_id={run}&metric_key=loss"
        ));
        let found: Vec<u64> = found["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|point| point["step"].as_u64().unwrap())
            .collect();
        let distinct: BTreeSet<u64> = found.iter().copied().collect();
        assert_eq!(found.len(), distinct.len(), "no step is there twice");
        assert!(
            steps
                .iter()
                .filter(|(of, _)| of == run)
                .all(|(_, step)| distinct.contains(step)),
            "every acknowledged step of {run}"
        );
    }
    let files = acknowledged.files.lock().unwrap();
    assert!(!files.is_empty());
    for (path, digest) in files.iter() {
        let (status, bytes) = server.send_bytes("GET", path, "text/plain", b"");
        assert!(
            status == 200 && Hash::of(&bytes) == *digest,
            "{path}: {status}, {} bytes",
            bytes.len()
        );
    }
}
