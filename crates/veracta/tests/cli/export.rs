//! What was imported leaves again as MLflow's file store, and comes back the same: from the folder, and from the running server.

use serde_json::{Value, json};

use crate::import::{Store, check_store};
use crate::project::{PIPELINE, Project};
use crate::server::Server;

/// Counts of an import or export that must agree.
const COUNTED: [&str; 8] = [
    "experiments",
    "runs",
    "params",
    "tags",
    "points",
    "inputs",
    "registered_models",
    "files",
];

fn counts(value: &Value) -> Vec<&Value> {
    COUNTED.iter().map(|name| &value[*name]).collect()
}

#[test]
fn an_export_comes_back_the_same() {
    for name in ["file317", "sqlite222"] {
        let store = Store::new(name);
        let imported = store.import();
        let folder = store.project.path("out").display().to_string();
        let exported = store.project.json(&["export", "mlflow", "--to", &folder]);
        assert_eq!(exported["left_out"], json!([]), "{name}");
        // What a store holds twice is there once.
        for counted in COUNTED.iter().filter(|counted| **counted != "points") {
            assert_eq!(
                exported["written"][counted], imported["found"][counted],
                "{name}: {counted}"
            );
        }
        let again = store
            .project
            .veracta(&["export", "mlflow", "--to", &folder]);
        assert!(
            again.code == 2 && again.err.contains("is there already"),
            "{again:?}"
        );
        let other = Project::new(PIPELINE);
        let back = other.json(&["import", "mlflow", "--from", &folder]);
        assert_eq!(
            counts(&back["found"]),
            counts(&exported["written"]),
            "{name}"
        );
        assert_eq!(
            (&back["differences"], &back["left_out"]),
            (&json!([]), &json!([])),
            "{name}"
        );
        check_store(&Server::start(&other), &store.expected);
        assert_eq!(other.veracta(&["verify"]).code, 0, "{name}");
    }
}

#[test]
fn a_running_server_is_a_source() {
    let store = Store::new("sqlite317");
    let imported = store.import();
    let server = Server::start(&store.project);
    let other = Project::new(PIPELINE);
    let from = format!("http://{}", server.address);
    let arguments = ["import", "mlflow", "--from", &from];
    let back = other.json(&arguments);
    assert_eq!(
        (&back["differences"], &back["left_out"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(counts(&back["added"]), counts(&imported["added"]));
    let again = other.json(&arguments);
    assert_eq!(
        counts(&again["added"]),
        vec![&json!(0); COUNTED.len()],
        "the second time nothing changes"
    );
    check_store(&Server::start(&other), &store.expected);
    // The same server at a path where it answers nothing of the kind.
    let elsewhere = other.veracta(&["import", "mlflow", "--from", &format!("{from}/elsewhere")]);
    assert!(
        elsewhere.code == 2 && elsewhere.err.contains("it has no such thing"),
        "{elsewhere:?}"
    );
    drop(server);
    let answer = other.veracta(&[
        "import",
        "mlflow",
        "--from",
        "http://someone:Zebra@127.0.0.1:9/",
    ]);
    assert!(
        answer.code == 2
            && answer.err.contains("cannot be reached")
            && !answer.err.contains("Zebra"),
        "{answer:?}"
    );
}
