//! Changes a workspace behind the program's back: `verify` names what was changed, `rebuild` repairs what can be derived, and
//! nothing is signed that contradicts what was signed before.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod records;
mod workspace;

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use tempfile::TempDir;
use veracta_ledger::Hash;
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::entry::{Artifact, Entry};
use veracta_ledger::verify::Outcome;
use veracta_store::{Store, StoreError};

use crate::records::{at, statement};
use crate::workspace::begin;

/// Entries of the sample: a full tile, a partial one 5 wide, and a tile of the next level.
const N_ENTRIES: u64 = 261;
/// What record #1 of the sample commits to.
const MODEL: &[u8] = b"weights";

/// A workspace with everything signed, closed, to be copied.
struct Sample {
    folder: TempDir,
    note: String,
}

impl Sample {
    fn write() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = begin(folder.path());
        let digest = store.blobs().put(MODEL.to_vec()).unwrap();
        let artifact = Artifact {
            name: "model".to_owned(),
            digest,
            bytes: MODEL.len() as u64,
            personal: false,
        };
        let submit = |idx: u64| {
            let mut new = statement(
                &format!("control:{}", idx % 3),
                &format!("statement {idx:03}"),
            );
            if idx == 1 {
                new.artifacts.push(artifact.clone());
            }
            store
                .transaction("tester", &at(idx as usize))
                .submit(new)
                .unwrap()
        };
        let pending: Vec<_> = (1..N_ENTRIES).map(submit).collect();
        for (position, pending) in pending.into_iter().enumerate() {
            assert_eq!(pending.wait().unwrap().idx, position as u64 + 1);
        }
        let note = store.publish().unwrap();
        assert_eq!(size_of(&store, &note), N_ENTRIES);
        Self { folder, note }
    }

    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(self.folder.path(), copy.path());
        copy
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn size_of(store: &Store, note: &str) -> u64 {
    Checkpoint::open(note.as_bytes(), store.log_key())
        .unwrap()
        .0
        .size
}

fn commit(store: &Store, text: &str) -> u64 {
    store
        .transaction("tester", &at(1000))
        .commit(statement("control:1", text))
        .unwrap()
        .idx
}

fn holds(store: &Store) -> bool {
    store.verify().unwrap().holds()
}

fn database(project: &Path) -> Connection {
    Connection::open(project.join(".veracta/veracta.db")).unwrap()
}

fn run(project: &Path, sql: &str) {
    database(project).execute_batch(sql).unwrap();
}

fn stored(project: &Path, table: &str, column: &str, idx: i64) -> Vec<u8> {
    let sql = format!("SELECT {column} FROM {table} WHERE idx = $1");
    database(project)
        .query_row(&sql, [idx], |row| row.get(0))
        .unwrap()
}

/// Replaces a piece of a stored value.
fn edit(project: &Path, table: &str, column: &str, idx: i64, old: &str, new: &str) {
    let value = String::from_utf8(stored(project, table, column, idx)).unwrap();
    assert!(value.contains(old), "`{old}` is in {value}");
    let sql = format!("UPDATE {table} SET {column} = $1 WHERE idx = $2");
    database(project)
        .execute(&sql, params![value.replace(old, new).into_bytes(), idx])
        .unwrap();
}

/// Takes record #7 out and puts another one with a matching entry in its place.
fn forge(project: &Path) {
    let body = String::from_utf8(stored(project, "records", "body", 7))
        .unwrap()
        .replace("statement 007", "another one");
    let mut entry = Entry::parse(&stored(project, "entries", "entry", 7)).unwrap();
    (entry.body, entry.body_bytes) = (Hash::of(body.as_bytes()), body.len() as u64);
    run(
        project,
        "DELETE FROM records WHERE idx = 7; DELETE FROM entries WHERE idx = 7",
    );
    let db = database(project);
    db.execute(
        "INSERT INTO entries (idx, entry) VALUES (7, $1)",
        [entry.to_bytes().unwrap()],
    )
    .unwrap();
    let sql =
        "INSERT INTO records (idx, kind, subject, step_key, body) VALUES (7, $1, $2, NULL, $3)";
    db.execute(sql, params![entry.kind, entry.subject, body.into_bytes()])
        .unwrap();
}

fn log_file(project: &Path, name: &str) -> PathBuf {
    project.join(".veracta/objects/log").join(name)
}

fn model_file(project: &Path) -> PathBuf {
    let digest = Hash::of(MODEL).to_string();
    project
        .join(".veracta/objects/blobs")
        .join(&digest[..2])
        .join(digest)
}

fn signer_file(project: &Path) -> PathBuf {
    project.join(".veracta/signer.json")
}

/// Changes a byte near the beginning of a file.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[3] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path, n_bytes: usize) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - n_bytes]).unwrap();
}

fn replace(path: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(old), "`{old}` is in {text}");
    fs::write(path, text.replace(old, new)).unwrap();
}

/// What `rebuild` does after a change.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rebuild {
    /// Everything holds again, under the same checkpoint.
    Repairs,
    /// It cannot bring back what was changed, and says nothing about it; `verify` still does.
    LeavesIt,
    /// It would have to sign another history.
    Refuses,
}

/// One change, the failing check that must name it, and what comes of a rebuild.
struct Case {
    name: &'static str,
    change: fn(&Path),
    file: Option<&'static str>,
    finding: &'static str,
    rebuild: Rebuild,
}

const ROWS: &[Case] = &[
    Case {
        name: "a byte of a body",
        change: |project| {
            edit(
                project,
                "records",
                "body",
                7,
                "statement 007",
                "statement 00x",
            )
        },
        file: None,
        finding: "the record of entry 7 was changed",
        rebuild: Rebuild::LeavesIt,
    },
    Case {
        name: "a body that is gone",
        change: |project| run(project, "DELETE FROM records WHERE idx = 7"),
        file: None,
        finding: "the record of entry 7 is missing",
        rebuild: Rebuild::LeavesIt,
    },
    Case {
        name: "a byte of an entry that stays well-formed",
        change: |project| edit(project, "entries", "entry", 7, "control:1", "control:2"),
        file: Some("tile/0/000"),
        finding: "it is not what its entries give",
        rebuild: Rebuild::Refuses,
    },
    Case {
        name: "white space in an entry",
        change: |project| edit(project, "entries", "entry", 7, "{\"v\":1,", "{\"v\": 1,"),
        file: None,
        finding: "entry 7: the entry is not in canonical form",
        rebuild: Rebuild::Refuses,
    },
    Case {
        name: "the last row",
        change: |project| {
            run(
                project,
                "DELETE FROM entries WHERE idx = 260; DELETE FROM records WHERE idx = 260",
            )
        },
        file: None,
        finding: "the entries do not give the root signed at 261 entries",
        rebuild: Rebuild::Refuses,
    },
    Case {
        name: "a row in the middle",
        change: |project| {
            run(
                project,
                "DELETE FROM entries WHERE idx = 7; DELETE FROM records WHERE idx = 7",
            )
        },
        file: None,
        finding: "entry 7 is missing",
        rebuild: Rebuild::Refuses,
    },
    Case {
        name: "two rows in each other's place",
        change: |project| {
            for table in ["entries", "records"] {
                let set = |from: i64, to: i64| {
                    run(
                        project,
                        &format!("UPDATE {table} SET idx = {to} WHERE idx = {from}"),
                    )
                };
                set(7, -1);
                set(8, 7);
                set(-1, 8);
            }
        },
        file: None,
        finding: "entry 8 is dated before the entry it follows",
        rebuild: Rebuild::Refuses,
    },
    Case {
        name: "another record with a matching entry",
        change: forge,
        file: Some("tile/0/000"),
        finding: "it is not what its entries give",
        rebuild: Rebuild::Refuses,
    },
    Case {
        name: "another record, and what was signed last",
        change: |project| {
            forge(project);
            fs::remove_file(signer_file(project)).unwrap();
        },
        file: Some("checkpoint"),
        finding: "the entries do not give its root",
        rebuild: Rebuild::Refuses,
    },
];

const FILES: &[Case] = &[
    Case {
        name: "a byte of a blob",
        change: |project| flip(&model_file(project)),
        file: None,
        finding: "entry 1: the bytes stored as",
        rebuild: Rebuild::LeavesIt,
    },
    Case {
        name: "a blob that is gone",
        change: |project| fs::remove_file(model_file(project)).unwrap(),
        file: None,
        finding: "entry 1: the bytes with SHA-256",
        rebuild: Rebuild::LeavesIt,
    },
    Case {
        name: "a full tile",
        change: |project| flip(&log_file(project, "tile/0/000")),
        file: Some("tile/0/000"),
        finding: "it is not what its entries give",
        rebuild: Rebuild::Repairs,
    },
    Case {
        name: "a tile of the next level",
        change: |project| flip(&log_file(project, "tile/1/000.p/1")),
        file: Some("tile/1/000.p/1"),
        finding: "it is not what its entries give",
        rebuild: Rebuild::Repairs,
    },
    Case {
        name: "a partial tile that is gone",
        change: |project| fs::remove_file(log_file(project, "tile/0/001.p/5")).unwrap(),
        file: Some("tile/0/001.p/5"),
        finding: "it is missing",
        rebuild: Rebuild::Repairs,
    },
    Case {
        name: "a bundle of entries",
        change: |project| flip(&log_file(project, "tile/entries/001.p/5")),
        file: Some("tile/entries/001.p/5"),
        finding: "it is not what its entries give",
        rebuild: Rebuild::Repairs,
    },
    Case {
        name: "a bundle of entries that is gone",
        change: |project| fs::remove_file(log_file(project, "tile/entries/000")).unwrap(),
        file: Some("tile/entries/000"),
        finding: "it is missing",
        rebuild: Rebuild::Repairs,
    },
    Case {
        name: "a checkpoint cut short",
        change: |project| cut(&log_file(project, "checkpoint"), 10),
        file: Some("checkpoint"),
        finding: "malformed note",
        rebuild: Rebuild::Repairs,
    },
    Case {
        name: "the size in a checkpoint",
        change: |project| replace(&log_file(project, "checkpoint"), "\n261\n", "\n260\n"),
        file: Some("checkpoint"),
        finding: "is wrong",
        rebuild: Rebuild::Repairs,
    },
    Case {
        name: "a checkpoint that is gone",
        change: |project| fs::remove_file(log_file(project, "checkpoint")).unwrap(),
        file: Some("checkpoint"),
        finding: "there is none",
        rebuild: Rebuild::Repairs,
    },
    Case {
        name: "what was signed last",
        change: |project| replace(&signer_file(project), "\"size\":261", "\"size\":262"),
        file: None,
        finding: "the entries do not give the root signed at 262 entries",
        rebuild: Rebuild::Refuses,
    },
    Case {
        name: "what was signed last, gone",
        change: |project| fs::remove_file(signer_file(project)).unwrap(),
        file: None,
        finding: "nothing was ever signed",
        rebuild: Rebuild::Repairs,
    },
];

fn check(sample: &Sample, case: &Case) {
    let (name, project) = (case.name, sample.copy());
    (case.change)(project.path());
    let store = Store::open(project.path()).unwrap();
    let report = store.verify().unwrap();
    let is_named = report.checks.iter().any(|check| {
        check.outcome == Outcome::Fails
            && check.file.as_deref() == case.file
            && check.finding.contains(case.finding)
    });
    assert!(is_named && !report.holds(), "{name}: {:#?}", report.checks);
    let signed = fs::read(signer_file(project.path())).ok();
    match (case.rebuild, store.rebuild()) {
        (Rebuild::Repairs, Ok(note)) => {
            assert_eq!(note, sample.note, "{name}");
            assert!(holds(&store), "{name}");
        }
        (Rebuild::LeavesIt, Ok(note)) => {
            assert_eq!(note, sample.note, "{name}");
            assert!(!holds(&store), "{name}");
        }
        (Rebuild::Refuses, Err(StoreError::Fork { .. })) => {
            assert_eq!(
                fs::read(signer_file(project.path())).ok(),
                signed,
                "{name}: nothing was signed"
            );
            assert_eq!(
                store.published_checkpoint().unwrap().as_ref(),
                Some(&sample.note),
                "{name}: nothing was released"
            );
        }
        (expected, found) => panic!("{name}: expected that rebuild {expected:?}, but {found:?}"),
    }
}

#[test]
fn an_untouched_copy_holds() {
    let sample = Sample::write();
    let project = sample.copy();
    let store = Store::open(project.path()).unwrap();
    assert!(holds(&store));
    assert_eq!(store.publish().unwrap(), sample.note);
    assert_eq!(store.rebuild().unwrap(), sample.note);
    assert!(holds(&store));
}

#[test]
fn a_changed_database_is_found_and_not_signed() {
    let sample = Sample::write();
    ROWS.iter().for_each(|case| check(&sample, case));
}

#[test]
fn a_changed_file_is_named_and_rebuilt_where_it_can_be() {
    let sample = Sample::write();
    FILES.iter().for_each(|case| check(&sample, case));
}

fn check_fork<T: std::fmt::Debug>(result: Result<T, StoreError>, size: u64, about: &str) {
    match result {
        Err(StoreError::Fork { size: found, .. }) if found == size => {}
        other => panic!("{about}: expected a fork at {size} entries, but {other:?}"),
    }
}

#[test]
fn publishing_does_not_continue_from_changed_tiles() {
    let sample = Sample::write();
    let check = |change: fn(&Path), expected: &str| {
        let project = sample.copy();
        change(project.path());
        let store = Store::open(project.path()).unwrap();
        commit(&store, "one more");
        match store.publish() {
            Err(StoreError::Fork { reason, .. }) => assert!(reason.contains(expected), "{reason}"),
            other => panic!("expected `{expected}`, but {other:?}"),
        }
        assert_eq!(
            store.published_checkpoint().unwrap().as_ref(),
            Some(&sample.note),
            "nothing was released"
        );
        assert_eq!(size_of(&store, &store.rebuild().unwrap()), N_ENTRIES + 1);
        assert!(holds(&store));
    };
    check(
        |project| flip(&log_file(project, "tile/0/001.p/5")),
        "the tiles give another root",
    );
    check(
        |project| fs::remove_file(log_file(project, "tile/0/001.p/5")).unwrap(),
        "a tile is missing",
    );
}

#[test]
fn a_log_that_lost_its_end_is_not_signed() {
    let project = Sample::write().copy();
    run(
        project.path(),
        "DELETE FROM entries WHERE idx = 260; DELETE FROM records WHERE idx = 260",
    );
    let store = Store::open(project.path()).unwrap();
    check_fork(store.publish(), N_ENTRIES, "publish");
    check_fork(store.receipt(3), N_ENTRIES, "receipt");
}

/// Returns a workspace whose database was put back to what it was three signed records ago.
fn restored(sample: &Sample) -> TempDir {
    let project = sample.copy();
    let store = Store::open(project.path()).unwrap();
    for text in ["a", "b", "c"] {
        commit(&store, text);
    }
    assert_eq!(size_of(&store, &store.publish().unwrap()), N_ENTRIES + 3);
    drop(store);
    let (old, current) = (
        sample.folder.path().join(".veracta/veracta.db"),
        project.path().join(".veracta/veracta.db"),
    );
    assert!(
        !current.with_extension("db-wal").exists(),
        "a closed database is one file"
    );
    fs::copy(old, current).unwrap();
    project
}

#[test]
fn a_restored_database_is_not_signed() {
    let project = restored(&Sample::write());
    let store = Store::open(project.path()).unwrap();
    assert_eq!(store.size().unwrap(), N_ENTRIES);
    check_fork(store.publish(), N_ENTRIES + 3, "publish");
    check_fork(store.rebuild(), N_ENTRIES + 3, "rebuild");
    check_fork(store.receipt(3), N_ENTRIES + 3, "receipt");
    assert!(!holds(&store));
}

#[test]
fn a_restored_database_that_grew_again_is_not_signed() {
    let project = restored(&Sample::write());
    let store = Store::open(project.path()).unwrap();
    for text in ["d", "e", "f", "g", "h"] {
        let idx = commit(&store, text);
        check_fork(
            store.publish(),
            N_ENTRIES + 3,
            &format!("publish with other records up to #{idx}"),
        );
    }
    check_fork(store.rebuild(), N_ENTRIES + 3, "rebuild");
    assert!(!holds(&store));
}

#[test]
fn a_gap_is_not_signed_and_costs_no_tile() {
    let sample = Sample::write();
    let project = sample.copy();
    let copy = "INSERT INTO entries SELECT 300, entry FROM entries WHERE idx = 7;
        INSERT INTO records SELECT 300, kind, subject, step_key, body FROM records WHERE idx = 7";
    run(project.path(), copy);
    let store = Store::open(project.path()).unwrap();
    let report = store.verify().unwrap();
    assert!(
        !report.holds()
            && report
                .checks
                .iter()
                .any(|check| check.finding == "entry 261 is missing"),
        "{:#?}",
        report.checks
    );
    assert!(matches!(store.publish(), Err(StoreError::Fork { .. })));
    assert!(matches!(store.rebuild(), Err(StoreError::Fork { .. })));
    run(
        project.path(),
        "DELETE FROM entries WHERE idx = 300; DELETE FROM records WHERE idx = 300",
    );
    assert!(
        holds(&store),
        "the refused rebuild left the tiles of the published checkpoint alone"
    );
    assert_eq!(store.publish().unwrap(), sample.note);
}

#[test]
fn an_interrupted_publication_is_completed() {
    let sample = Sample::write();
    let project = sample.copy();
    let store = Store::open(project.path()).unwrap();
    let idx = commit(&store, "one more");
    let note = store.publish().unwrap();
    // As after a crash between the two last writes: what was signed is kept, the checkpoint is still the one before.
    fs::write(log_file(project.path(), "checkpoint"), &sample.note).unwrap();
    assert_eq!(store.publish().unwrap(), note);
    let entry = store.evidence(idx).unwrap().entry.to_bytes().unwrap();
    assert!(
        store
            .receipt(idx)
            .unwrap()
            .verify(&entry, store.log_key())
            .is_ok()
    );
    assert!(holds(&store));
}

#[test]
fn a_damaged_checkpoint_is_not_handed_out() {
    let sample = Sample::write();
    let project = sample.copy();
    let store = Store::open(project.path()).unwrap();
    cut(&log_file(project.path(), "checkpoint"), 10);
    assert_eq!(store.publish().unwrap(), sample.note);
    assert!(holds(&store));
}
