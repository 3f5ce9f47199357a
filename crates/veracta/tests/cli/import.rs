//! Stores that MLflow itself made, brought in: equal in counts and values, twice, and interrupted.
//!
//! `fixtures/mlflow` has four stores with the same content, made by MLflow 2.22 and 3.17 as a folder and as a SQLite database, and what MLflow
//! reads in each (`*.expected.json`); where MLflow's reader loses a step that its file has (`acc_ds` of `file317`), the file's is expected.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use veracta_ledger::Hash;

use crate::project::{PIPELINE, Project};
use crate::server::Server;

/// Folder that the stores were made in, which MLflow wrote into them; nothing is read there.
const MADE_IN: &str = "/tmp/stores";

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/mlflow")
        .join(name)
}

/// A store unpacked beside a project.
pub(crate) struct Store {
    name: &'static str,
    pub(crate) project: Project,
    pub(crate) expected: Value,
}

impl Store {
    pub(crate) fn new(name: &'static str) -> Self {
        Self::beside(name, Project::new(PIPELINE))
    }

    fn beside(name: &'static str, project: Project) -> Self {
        let archive = fixture(&format!("{name}.tar.gz"));
        let unpacked = Command::new("tar")
            .arg("xzf")
            .arg(&archive)
            .arg("-C")
            .arg(project.folder())
            .status()
            .unwrap();
        assert!(unpacked.success(), "{}", archive.display());
        let expected = std::fs::read_to_string(fixture(&format!("{name}.expected.json"))).unwrap();
        Self {
            name,
            project,
            expected: serde_json::from_str(&expected).unwrap(),
        }
    }

    fn arguments(&self) -> Vec<String> {
        let from = if self.name.starts_with("file") {
            format!("{}/mlruns", self.name)
        } else {
            format!("{}/mlflow.db", self.name)
        };
        let moved = format!("{MADE_IN}={}", self.project.folder().display());
        ["import", "mlflow", "--from", &from, "--artifacts", &moved]
            .map(str::to_owned)
            .to_vec()
    }

    pub(crate) fn import(&self) -> Value {
        let arguments = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let imported = self.project.json(&arguments);
        assert_eq!(
            imported["differences"],
            serde_json::json!([]),
            "{}: {imported}",
            self.name
        );
        imported
    }
}

/// Returns the values of a metric as a set: files of old clients hold some twice.
fn points(history: &Value) -> BTreeSet<(i64, i64, u64)> {
    let value = |value: &Value| match value.as_str() {
        Some("NaN" | "nan") => f64::NAN,
        Some("Infinity" | "inf") => f64::MAX,
        Some("-Infinity" | "-inf") => f64::MIN,
        _ => value.as_f64().unwrap(),
    };
    // SQLite has no negative zero.
    let bits = |number: f64| {
        if number.is_nan() {
            f64::NAN.to_bits()
        } else {
            (number.clamp(f64::MIN, f64::MAX) + 0.0).to_bits()
        }
    };
    let key = |point: &Value| {
        (
            point["timestamp"].as_i64().unwrap(),
            point["step"].as_i64().unwrap(),
            bits(value(&point["value"])),
        )
    };
    history.as_array().into_iter().flatten().map(key).collect()
}

/// Returns pairs of an answer, as an object like the one that is expected.
fn object(pairs: &Value) -> Value {
    let pairs = pairs.as_array().into_iter().flatten();
    Value::Object(
        pairs
            .map(|pair| {
                (
                    pair["key"].as_str().unwrap().to_owned(),
                    pair["value"].clone(),
                )
            })
            .collect(),
    )
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

fn check_run(server: &Server, expected: &Value) {
    let id = expected["run_id"].as_str().unwrap();
    let run = &server.get(&format!("/api/2.0/mlflow/runs/get?run_id={id}"))["run"];
    for (field, name) in [
        ("run_name", "run_name"),
        ("status", "status"),
        ("start_time", "start_time"),
        ("lifecycle_stage", "lifecycle_stage"),
    ] {
        assert_eq!(run["info"][field], expected[name], "{id}: {field}");
    }
    assert_eq!(
        run["info"].get("end_time").unwrap_or(&Value::Null),
        &expected["end_time"],
        "{id}"
    );
    assert_eq!(object(&run["data"]["params"]), expected["params"], "{id}");
    assert_eq!(object(&run["data"]["tags"]), expected["tags"], "{id}");
    for (name, history) in expected["metric_history"].as_object().unwrap() {
        let found = server.get(&format!(
            "/api/2.0/mlflow/metrics/get-history?run_id={id}&metric_key={}",
            encoded(name)
        ));
        assert_eq!(points(&found["metrics"]), points(history), "{id}: {name}");
    }
    let inputs = run["inputs"]["dataset_inputs"]
        .as_array()
        .map_or(0, Vec::len);
    assert_eq!(
        inputs,
        expected["dataset_inputs"].as_array().unwrap().len(),
        "{id}"
    );
    for file in expected["artifacts"].as_array().unwrap() {
        // A name that could not be served was changed.
        let path = encoded(&file["path"].as_str().unwrap().replace('#', "_"));
        let (status, bytes) = server.send_bytes(
            "GET",
            &format!("/get-artifact?run_id={id}&path={path}"),
            "text/plain",
            b"",
        );
        assert_eq!(
            (status, Hash::of(&bytes).to_string().as_str()),
            (200, file["sha256"].as_str().unwrap()),
            "{id}: {path}"
        );
    }
}

fn check_model(server: &Server, expected: &Value) {
    let name = expected["name"].as_str().unwrap();
    let found = &server.get(&format!(
        "/api/2.0/mlflow/registered-models/get?name={}",
        encoded(name)
    ))["registered_model"];
    assert_eq!(
        found["creation_timestamp"], expected["creation_timestamp"],
        "{name}"
    );
    let aliases = found["aliases"].as_array().into_iter().flatten();
    let aliases: serde_json::Map<String, Value> = aliases
        .map(|alias| {
            (
                alias["alias"].as_str().unwrap().to_owned(),
                alias["version"].clone(),
            )
        })
        .collect();
    assert_eq!(Value::Object(aliases), expected["aliases"], "{name}");
    for version in expected["versions"].as_array().unwrap() {
        let number = version["version"].as_str().unwrap();
        let query = format!("name={}&version={number}", encoded(name));
        let found =
            &server.get(&format!("/api/2.0/mlflow/model-versions/get?{query}"))["model_version"];
        assert_eq!(
            found["current_stage"], version["current_stage"],
            "{name} {number}"
        );
        assert_eq!(object(&found["tags"]), version["tags"], "{name} {number}");
        for file in version["artifacts"].as_array().into_iter().flatten() {
            let path = encoded(file["path"].as_str().unwrap());
            let (status, bytes) = server.send_bytes(
                "GET",
                &format!("/model-versions/get-artifact?{query}&path={path}"),
                "text/plain",
                b"",
            );
            assert_eq!(
                (status, Hash::of(&bytes).to_string().as_str()),
                (200, file["sha256"].as_str().unwrap()),
                "{name} {number}: {path}"
            );
        }
    }
}

fn check_values(store: &Store) {
    check_store(&Server::start(&store.project), &store.expected);
}

/// Compares what a server has with what MLflow reads in a store.
pub(crate) fn check_store(server: &Server, expected: &Value) {
    for experiment in expected["experiments"].as_array().unwrap() {
        let id = experiment["experiment_id"].as_str().unwrap();
        let found = &server.get(&format!(
            "/api/2.0/mlflow/experiments/get?experiment_id={id}"
        ))["experiment"];
        assert_eq!(found["name"], experiment["name"]);
        assert_eq!(found["lifecycle_stage"], experiment["lifecycle_stage"]);
        assert_eq!(object(&found["tags"]), experiment["tags"], "{id}");
        experiment["runs"]
            .as_array()
            .unwrap()
            .iter()
            .for_each(|run| check_run(server, run));
    }
    for model in expected["logged_models"].as_array().unwrap() {
        let id = model["model_id"].as_str().unwrap();
        let found = &server.get(&format!("/api/2.0/mlflow/logged-models/{id}"))["model"];
        assert_eq!(found["info"]["name"], model["name"], "{id}");
        assert_eq!(object(&found["data"]["params"]), model["params"], "{id}");
        assert_eq!(object(&found["info"]["tags"]), model["tags"], "{id}");
    }
    expected["registered_models"]
        .as_array()
        .unwrap()
        .iter()
        .for_each(|model| check_model(server, model));
}

fn check_import(store: &Store) {
    let first = store.import();
    let counts = &store.expected["counts"];
    for (ours, theirs) in [
        ("experiments", "experiments"),
        ("runs", "runs"),
        ("params", "params"),
        ("tags", "run_tags"),
    ] {
        assert_eq!(
            first["found"][ours], counts[theirs],
            "{}: {ours}",
            store.name
        );
        // The experiment that is always there is not brought in.
        let n_there = u64::from(ours == "experiments");
        assert_eq!(
            first["added"][ours].as_u64().unwrap() + n_there,
            counts[theirs].as_u64().unwrap(),
            "{}: {ours}",
            store.name
        );
    }
    check_values(store);
    let n_entries = store.project.n_entries();
    let second = store.import();
    assert!(
        second["added"]
            .as_object()
            .unwrap()
            .values()
            .all(|count| *count == 0),
        "{}: {second}",
        store.name
    );
    assert_eq!(
        store.project.n_entries(),
        n_entries,
        "{}: the second import changes nothing",
        store.name
    );
    let verified = store.project.veracta(&["verify"]);
    assert_eq!(verified.code, 0, "{}: {verified:?}", store.name);
}

#[test]
fn folders_of_mlflow_are_brought_in_twice() {
    check_import(&Store::new("file222"));
    check_import(&Store::new("file317"));
}

#[test]
fn databases_of_mlflow_are_brought_in_twice() {
    check_import(&Store::new("sqlite222"));
    check_import(&Store::new("sqlite317"));
}

#[test]
fn a_database_is_brought_into_postgres_and_s3() {
    check_import(&Store::beside("sqlite317", Project::on_services(PIPELINE)));
}

#[test]
fn an_interrupted_import_goes_on() {
    let store = Store::new("file317");
    let arguments = store.arguments();
    // Killed at ever later moments, until one ends by itself.
    for n_ms in (0..).step_by(15) {
        let mut child = store
            .project
            .program()
            .args(&arguments)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20 + n_ms));
        let has_ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        if has_ended {
            break;
        }
    }
    store.import();
    check_values(&store);
    assert_eq!(store.project.veracta(&["verify"]).code, 0);
}

#[test]
fn what_is_no_source_is_refused() {
    let store = Store::new("file222");
    let check = |from: &str, words: &str| {
        let refused = store.project.veracta(&["import", "mlflow", "--from", from]);
        assert!(
            refused.code == 2 && refused.err.contains(words),
            "{from}: {refused:?}"
        );
    };
    check("nowhere", "is no source");
    check("mysql://user:secret-word@host/db", "is no source");
    check("customers.csv", "cannot be read");
    check(".", "is no source");
    let answer = store.project.veracta(&[
        "import",
        "mlflow",
        "--from",
        "mysql://user:secret-word@host/db",
    ]);
    assert!(!answer.err.contains("secret-word"), "{answer:?}");
}

/// A first import that left out a run with a file it could not read, wherever that file was, and the folders that its runs name, is
/// completed by the next: no order of folders leaves anything out for good.
#[test]
fn an_import_completes_what_an_earlier_one_left_out() {
    for position in 0..3 {
        let store = Store::new("file222");
        let mut runs = runs_with_metrics(&store);
        runs.sort();
        let (run, file) = runs.swap_remove([0, runs.len() / 2, runs.len() - 1][position]);
        let good = store.project.read(&file);
        store
            .project
            .write(&file, format!("{good}1 not-a-number 3\n"));
        let line = good.lines().count() + 1;
        let refused = store
            .project
            .veracta(&["import", "mlflow", "--from", "file222/mlruns"]);
        let words = format!("line {line}: it is no value of metric");
        assert!(
            refused.code == 1 && refused.out.contains(&words) && refused.out.contains(&run),
            "{run}: {refused:?}"
        );
        store.project.write(&file, good);
        // Without the place of the files of one experiment, which is said.
        let partial = store
            .project
            .json(&["import", "mlflow", "--from", "file222/mlruns"]);
        let left_out = partial["left_out"].to_string();
        assert!(
            left_out.contains("custom_artifacts") && left_out.contains("--artifacts"),
            "{partial}"
        );
        let completed = store.import();
        assert_eq!(completed["added"]["runs"], 0, "{completed}");
        assert_ne!(completed["added"]["files"], 0, "{completed}");
        check_values(&store);
        let verified = store.project.veracta(&["verify"]);
        assert_eq!(verified.code, 0, "{verified:?}");
    }
}

/// Returns runs of active experiments with a file of one of their metrics.
fn runs_with_metrics(store: &Store) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for experiment in store.expected["experiments"].as_array().unwrap() {
        if experiment["lifecycle_stage"] != "active" {
            continue;
        }
        for run in experiment["runs"].as_array().unwrap() {
            let id = run["run_id"].as_str().unwrap().to_owned();
            let experiment = run["experiment_id"].as_str().unwrap();
            if let Some(name) = run["metrics"].as_object().unwrap().keys().next() {
                let file = format!("file222/mlruns/{experiment}/{id}/metrics/{name}");
                found.push((id, file));
            }
        }
    }
    found
}
