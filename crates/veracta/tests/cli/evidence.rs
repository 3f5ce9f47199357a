//! Evidence in other hands: a bundle holds in an empty place, falls over at any changed byte, and carries no personal data.
//!
//! How a bundle resists its own operator is tested in `veracta-ledger`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use serde_json::Value;

use crate::project::{ACTOR, Answer, PIPELINE, Project, answer, holds, program, simulate_people};

/// Positions at which a bundle is damaged: the first, the last, and even steps between.
const N_FLIPS: usize = 200;

/// A log with two models, a bundle after each, and the checkpoints of both moments.
struct Handed {
    project: Project,
    key: String,
    early: PathBuf,
    late: PathBuf,
    early_checkpoint: PathBuf,
    late_checkpoint: PathBuf,
}

/// Returns the log shared by tests that only read it; it is removed with the last of them.
fn handed() -> Arc<Handed> {
    static SHARED: Mutex<Weak<Handed>> = Mutex::new(Weak::new());
    let mut shared = SHARED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = shared.upgrade() {
        return known;
    }
    let made = Arc::new(hand_over());
    *shared = Arc::downgrade(&made);
    made
}

fn hand_over() -> Handed {
    let project = Project::new(PIPELINE);
    let export = |name: &str| {
        assert_eq!(
            project
                .veracta(&["evidence", "export", "small", "-o", name])
                .code,
            0
        );
        project.path(name)
    };
    let checkpoint = |name: &str| {
        project.write(name, project.veracta(&["ledger", "checkpoint"]).out);
        project.path(name)
    };
    assert_eq!(project.run(&[]).code, 0);
    let (early, early_checkpoint) = (export("early.zip"), checkpoint("early.checkpoint"));
    project.edit("pipeline.yaml", "rounds: 20", "rounds: 25");
    assert_eq!(project.run(&[]).code, 0);
    let (late, late_checkpoint) = (export("late.zip"), checkpoint("late.checkpoint"));
    let key = project.read(".veracta/log.vkey").trim().to_owned();
    Handed {
        early,
        late,
        early_checkpoint,
        late_checkpoint,
        key,
        project,
    }
}

/// Verifies in an empty folder with an empty home, which must stay empty.
fn verify_elsewhere(bundle: &Path, more: &[&str]) -> Answer {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = program(folder.path());
    let verified = answer(
        command
            .env("HOME", home.path())
            .env_remove("VERACTA_ACTOR")
            .arg("verify")
            .arg(bundle)
            .args(more),
    );
    for left in [&folder, &home] {
        assert_eq!(
            fs::read_dir(left.path()).unwrap().count(),
            0,
            "verification writes nothing"
        );
    }
    verified
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_bundle_holds_without_the_workspace_it_came_from() {
    let handed = handed();
    for bundle in [&handed.early, &handed.late] {
        let verified = verify_elsewhere(bundle, &["--key", &handed.key]);
        assert_eq!(verified.code, 0, "{verified:?}");
        for word in [
            "manifest: signed",
            "checkpoint:",
            "tree:",
            "entries:",
            "records:",
            "artefacts:",
            "receipts:",
            "statements: 1",
        ] {
            assert!(verified.out.contains(word), "{word}: {}", verified.out);
        }
        assert!(
            verified.out.contains("INTACT  model:small@"),
            "{}",
            verified.out
        );
        assert!(!verified.out.contains("FAILS"), "{}", verified.out);
    }
    let report = verify_elsewhere(&handed.late, &["--format", "json"]).json();
    assert_eq!(report["subject"], "model:small@2");
    let checks = report["checks"].as_array().unwrap();
    let about_key = checks
        .iter()
        .find(|check| {
            check["finding"]
                .as_str()
                .unwrap()
                .contains("key is the right one")
        })
        .unwrap();
    assert_eq!(
        about_key["outcome"], "not_checked",
        "a key inside the bundle proves nothing"
    );
}

#[test]
fn another_key_is_refused() {
    let handed = handed();
    let other = Project::new(PIPELINE).read(".veracta/log.vkey");
    let verified = verify_elsewhere(&handed.late, &["--key", &other]);
    assert_eq!(verified.code, 1, "{verified:?}");
    assert!(
        verified.out.contains("signed by another key") && verified.out.contains("DOES NOT VERIFY"),
        "{}",
        verified.out
    );
    let malformed = verify_elsewhere(&handed.late, &["--key", "nonsense"]);
    assert_eq!(malformed.code, 2, "{malformed:?}");
    assert!(
        malformed.err.contains("`nonsense` is not a verifier key"),
        "{}",
        malformed.err
    );
}

#[test]
fn a_later_log_extends_an_earlier_checkpoint_and_not_the_other_way_round() {
    let handed = handed();
    let extends = verify_elsewhere(
        &handed.late,
        &[
            "--key",
            &handed.key,
            "--against",
            text(&handed.early_checkpoint),
        ],
    );
    assert_eq!(extends.code, 0, "{extends:?}");
    assert!(
        extends
            .out
            .contains("the log extends the earlier checkpoint of 16 entries"),
        "{}",
        extends.out
    );
    let rolled_back = verify_elsewhere(
        &handed.early,
        &[
            "--key",
            &handed.key,
            "--against",
            text(&handed.late_checkpoint),
        ],
    );
    assert_eq!(rolled_back.code, 1, "{rolled_back:?}");
    assert!(
        rolled_back
            .out
            .contains("the log was rolled back: it had 25 entries and has 16"),
        "{}",
        rolled_back.out
    );
    // A checkpoint of another log says nothing about this one.
    let other = Project::new(PIPELINE);
    other.write(
        "other.checkpoint",
        other.veracta(&["ledger", "checkpoint"]).out,
    );
    let foreign = verify_elsewhere(
        &handed.late,
        &["--against", text(&other.path("other.checkpoint"))],
    );
    assert_eq!(foreign.code, 1, "{foreign:?}");
}

#[test]
fn the_workspace_is_held_against_a_key_and_a_checkpoint_too() {
    let handed = handed();
    let verify = |more: &[&str]| answer(program(handed.project.folder()).arg("verify").args(more));
    let holding = verify(&[
        "--key",
        &handed.key,
        "--against",
        text(&handed.early_checkpoint),
    ]);
    assert_eq!(holding.code, 0, "{holding:?}");
    assert!(
        holding.out.contains("extends the earlier checkpoint"),
        "{}",
        holding.out
    );
    let other = Project::new(PIPELINE).read(".veracta/log.vkey");
    assert_eq!(verify(&["--key", &other]).code, 1);
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let handed = handed();
    let bundle = fs::read(&handed.late).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.zip");
    for flip in 0..N_FLIPS {
        let position = flip * (bundle.len() - 1) / (N_FLIPS - 1);
        let mut damaged = bundle.clone();
        damaged[position] ^= 1 << (flip % 8);
        fs::write(&path, damaged).unwrap();
        let verified = answer(program(folder.path()).arg("verify").arg(&path));
        assert_eq!(verified.code, 1, "byte {position}: {verified:?}");
        assert!(
            verified.out.contains("FAILS"),
            "byte {position}: {verified:?}"
        );
    }
}

#[test]
fn what_is_cut_off_longer_or_not_a_bundle_does_not_verify() {
    let handed = handed();
    let bundle = fs::read(&handed.late).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.zip");
    let mut longer = bundle.clone();
    longer.push(0);
    let half = bundle[..bundle.len() / 2].to_vec();
    let one_short = bundle[..bundle.len() - 1].to_vec();
    for bytes in [
        Vec::new(),
        half,
        one_short,
        longer,
        simulate_people(5).into_bytes(),
    ] {
        fs::write(&path, &bytes).unwrap();
        let verified = verify_elsewhere(&path, &[]);
        assert_eq!(verified.code, 1, "{} bytes: {verified:?}", bytes.len());
        assert!(verified.out.contains("DOES NOT VERIFY"), "{verified:?}");
    }
    let missing = verify_elsewhere(&folder.path().join("nowhere.zip"), &[]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(
        missing.err.contains("nowhere.zip") && missing.err.contains("cannot be read"),
        "{}",
        missing.err
    );
}

#[test]
fn a_bundle_holds_no_data_no_identifier_and_no_name() {
    let handed = handed();
    let (bundle, data) = (
        fs::read(&handed.late).unwrap(),
        handed.project.read("customers.csv"),
    );
    assert!(
        !holds(&bundle, &data),
        "the dataset stays with the operator"
    );
    // Every identifier begins so, and nothing else does.
    assert!(data.lines().skip(1).all(|row| row.starts_with("QX-")));
    assert!(!holds(&bundle, "QX-"));
    for row in data.lines().skip(1).take(20) {
        let (_, rest) = row.split_once(',').unwrap();
        assert!(!holds(&bundle, rest), "{rest}");
    }
    assert!(
        !holds(&bundle, ACTOR) && !holds(&bundle, "Zebra"),
        "actors are pseudonyms"
    );
    let key = handed.project.read(".veracta/ledger.key");
    assert!(
        !holds(&bundle, key.trim()),
        "the signing key stays with the operator"
    );
    // With the bytes asked for, they are there: the search above can find them.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("personal.zip");
    let exported = handed.project.veracta(&[
        "evidence",
        "export",
        "small",
        "--with-personal",
        "-o",
        text(&path),
    ]);
    assert_eq!(exported.code, 0, "{exported:?}");
    assert!(holds(&fs::read(&path).unwrap(), &data));
    assert_eq!(verify_elsewhere(&path, &["--key", &handed.key]).code, 0);
}

#[test]
fn exporting_says_what_was_left_out_and_how_to_check() {
    let handed = handed();
    let folder = tempfile::tempdir().unwrap();
    let export = |reference: &str, name: &str, more: &[&str]| {
        let path = folder.path().join(name);
        answer(
            program(handed.project.folder())
                .args(["evidence", "export", reference, "-o", text(&path)])
                .args(more),
        )
    };
    let told = export("small@1", "told.zip", &[]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.out.contains("personal data: dataset") && told.out.contains(&handed.key),
        "{}",
        told.out
    );
    let summary = export("small", "small.zip", &["--format", "json"]).json();
    assert_eq!(summary["subject"], "model:small@2");
    assert_eq!(summary["left_out"], serde_json::json!(["dataset"]));
    // Any record can be handed over, not only a model.
    assert_eq!(export("dataset:people", "data.zip", &[]).code, 0);
    assert_eq!(
        verify_elsewhere(&folder.path().join("data.zip"), &["--key", &handed.key]).code,
        0
    );
    let unknown = export("nobody", "nobody.zip", &[]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(!folder.path().join("nobody.zip").exists());
    let unwritable = export("small", "no/such/folder.zip", &[]);
    assert_eq!(unwritable.code, 2, "{unwritable:?}");
    assert!(
        unwritable.err.contains("folder.zip") && unwritable.err.contains("cannot be written"),
        "{}",
        unwritable.err
    );
}

#[test]
fn reproducing_is_bitwise_and_recorded() {
    let project = Project::new(PIPELINE);
    project.run(&[]);
    let before = project.n_entries();
    // What lies in the folder does not matter: the recorded pipeline and data are used.
    fs::remove_file(project.path("customers.csv")).unwrap();
    project.write("pipeline.yaml", "changed since");
    let told = project.veracta(&["reproduce", "small"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.out.contains("BITWISE") && !told.out.contains("DIFFERS"),
        "{}",
        told.out
    );
    assert_eq!(project.n_entries(), before + 1);
    let (idx, report) = project.latest("reproduction.report");
    assert_eq!((idx, &report["outcome"]), (before, &Value::from("bitwise")));
    let outputs = report["outputs"].as_array().unwrap();
    assert!(
        outputs.len() >= 10
            && outputs
                .iter()
                .all(|output| output["expected"] == output["found"]),
        "{outputs:?}"
    );
    let unknown = project.veracta(&["reproduce", "nobody"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert_eq!(project.n_entries(), before + 1);
}

#[test]
fn a_damaged_workspace_is_noticed() {
    let project = Project::new(PIPELINE);
    project.run(&[]);
    assert_eq!(project.veracta(&["verify"]).code, 0);
    let digest = project.latest("model.version").1["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = project.path(&format!(".veracta/objects/blobs/{}/{digest}", &digest[..2]));
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let noticed = project.veracta(&["verify"]);
    assert_eq!(noticed.code, 1, "{noticed:?}");
    assert!(
        noticed.out.contains("FAILS") && noticed.out.contains(&digest[..12]),
        "{}",
        noticed.out
    );
    assert_eq!(
        project
            .veracta(&["evidence", "export", "small", "-o", "damaged.zip"])
            .code,
        2
    );
}
