//! Fills the disk under a writer, and breaks its writes: what was acknowledged stays, the rest is refused with the right reason.
//!
//! The writer is this test binary, run again on a small file system or under a limit on the size of files. The small file system
//! needs a user namespace; where there is none, that test says so and is left out.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod records;
mod workspace;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use veracta_store::{Store, StoreError};

use crate::records::{at, statement};
use crate::workspace::begin;

/// Names the project folder to the writer.
const PROJECT: &str = "VERACTA_FULL_DISK_PROJECT";
/// What the writer says at its end.
const DONE: &str = "everything was as it should be";
/// Commits after which something must have failed: 64 MB on a disk of 8.
const N_COMMITS_MAX: usize = 8192;
/// Puts a file system of 8 MB over the folder, which vanishes with the process.
const MOUNT: &str = "mount -t tmpfs -o size=8m tmpfs \"$VERACTA_FULL_DISK_PROJECT\"";
/// Limits files to 2 MB (4096 blocks of 512 bytes); a write beyond fails instead of killing the process.
const LIMIT: &str = "trap '' XFSZ; ulimit -f 4096";

/// Returns the record that stands at a position: 8 KB, so that few commits fill the disk.
fn text(idx: u64) -> String {
    format!("{idx:08}").repeat(1024)
}

fn commit(store: &Store, idx: u64) -> Result<u64, StoreError> {
    let new = statement("control:1", &text(idx));
    store
        .transaction("tester", &at(idx as usize))
        .commit(new)
        .map(|committed| committed.idx)
}

/// Commits until it is refused; returns the number of entries that were acknowledged, and why the next one was not.
fn commit_until_refused(store: &Store) -> (u64, StoreError) {
    for idx in 1..N_COMMITS_MAX as u64 {
        match commit(store, idx) {
            Ok(position) => assert_eq!(position, idx),
            Err(error) => return (idx, error),
        }
    }
    panic!("{N_COMMITS_MAX} records of 8 KB were written");
}

/// Checks that the first `n_entries` are there with their content, and that the workspace holds.
fn check(store: &Store, n_entries: u64) {
    store.publish().unwrap();
    let report = store.verify().unwrap();
    assert!(report.holds(), "{:#?}", report.checks);
    for idx in 1..n_entries {
        assert_eq!(
            store.evidence(idx).unwrap().record,
            statement("", &text(idx)).record,
            "record #{idx}"
        );
    }
}

/// Runs one test of this binary after a shell command.
fn run_after(
    program: &str,
    arguments: &[&str],
    command: &str,
    test: &str,
    project: &Path,
) -> Output {
    Command::new(program)
        .args(arguments)
        .args(["-c", &format!("{command} && exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(PROJECT, project)
        .output()
        .unwrap()
}

fn check_done(output: &Output) {
    let (said, complaints) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && said.contains(DONE),
        "{}\n{said}\n{complaints}",
        output.status
    );
}

/// Is the process whose disk is small; without a project it has nothing to do.
#[test]
fn writer_on_a_small_disk() {
    let Some(project) = std::env::var_os(PROJECT).map(PathBuf::from) else {
        return;
    };
    let ballast = project.join("ballast");
    fs::write(&ballast, vec![1u8; 1 << 20]).unwrap();
    let store = begin(&project);
    let (n_entries, error) = commit_until_refused(&store);
    assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    let again = commit(&store, n_entries).unwrap_err();
    assert!(
        matches!(again, StoreError::DiskFull),
        "a full disk does not end the writer: {again:?}"
    );
    let blob = store.blobs().put(vec![7; 4 << 20]).unwrap_err();
    assert!(matches!(blob, StoreError::DiskFull), "{blob:?}");
    assert_eq!(
        store.size().unwrap(),
        n_entries,
        "nothing of the refused records is there"
    );
    fs::remove_file(ballast).unwrap();
    assert_eq!(
        commit(&store, n_entries).unwrap(),
        n_entries,
        "once there is room, the next record follows without a gap"
    );
    check(&store, n_entries + 1);
    drop(store);
    check(&Store::open(&project).unwrap(), n_entries + 1);
    println!("{DONE}");
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let namespace = ["--user", "--map-root-user", "--mount", "sh"];
    let probe = Command::new("unshare")
        .args(namespace)
        .args(["-c", MOUNT])
        .env(PROJECT, folder.path())
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "note: a file system cannot be mounted in a user namespace here; the full disk is left out"
        );
        return;
    }
    check_done(&run_after(
        "unshare",
        &namespace,
        MOUNT,
        "writer_on_a_small_disk",
        folder.path(),
    ));
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "the small file system was over the folder, not in it"
    );
}

/// Is the process whose writes fail; without a project it has nothing to do.
#[test]
fn writer_whose_writes_fail() {
    let Some(project) = std::env::var_os(PROJECT).map(PathBuf::from) else {
        return;
    };
    let store = begin(&project);
    let (n_entries, error) = commit_until_refused(&store);
    // What a failed write left on the disk is not known, so this writer acknowledges nothing more.
    assert!(matches!(error, StoreError::Database(_)), "{error:?}");
    let again = commit(&store, n_entries).unwrap_err();
    assert!(matches!(again, StoreError::Poisoned), "{again:?}");
    fs::write(project.join("n_entries"), n_entries.to_string()).unwrap();
    println!("{DONE}");
}

#[test]
fn a_failed_write_ends_the_writer_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    check_done(&run_after(
        "sh",
        &[],
        LIMIT,
        "writer_whose_writes_fail",
        folder.path(),
    ));
    let n_entries: u64 = fs::read_to_string(folder.path().join("n_entries"))
        .unwrap()
        .parse()
        .unwrap();
    let store = Store::open(folder.path()).unwrap();
    check(&store, n_entries);
    assert_eq!(
        commit(&store, n_entries).unwrap(),
        n_entries,
        "the refused record is not there"
    );
    check(&store, n_entries + 1);
}
