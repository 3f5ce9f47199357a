//! Many threads and processes on one workspace: one order, one history, and nobody is told that it is locked.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::Connection;
use veracta_governance::evidence::Evidence;
use veracta_ledger::Hash;
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::merkle::{CompactRange, ConsistencyProof, leaf_hash, prove_consistency};
use veracta_ledger::proof::TlogProof;
use veracta_ledger::tile::{decode_tile, locate_node, subtree_root};
use veracta_store::{Store, StoreError};

use crate::place::{Workspace, on_both, open_passed};
use crate::records::{at, statement};

/// Tells the texts of one process from those of another.
const NAME: &str = "VERACTA_CONCURRENCY_NAME";
const N_PROCESSES: usize = 4;
const N_THREADS: usize = 8;
const N_COMMITS: usize = 50;
/// Commits of one of the two threads of a process.
const N_PROCESS_COMMITS: usize = 30;

/// Returns everything in the workspace, after checking that it is one chain.
fn check_chain(store: &Store) -> Vec<Evidence> {
    let all = store.all().unwrap();
    let (mut latest, mut last_at) = (BTreeMap::new(), String::new());
    for (position, Evidence { idx, entry, .. }) in all.iter().enumerate() {
        assert_eq!(*idx, position as u64, "positions are contiguous");
        assert!(
            entry.at >= last_at,
            "entry {idx} is not dated before the one it follows"
        );
        last_at.clone_from(&entry.at);
        let previous = latest.insert((entry.kind.clone(), entry.subject.clone()), *idx);
        assert_eq!(
            entry.previous, previous,
            "entry {idx} names the one of its kind and subject before it"
        );
    }
    let checkpoint = open(store, &store.publish().unwrap());
    assert_eq!(
        checkpoint.size,
        all.len() as u64,
        "a checkpoint covers everything that was committed before it"
    );
    let report = store.verify().unwrap();
    assert!(report.holds(), "{:#?}", report.checks);
    all
}

fn open(store: &Store, note: &str) -> Checkpoint {
    let (checkpoint, _) = Checkpoint::open(note.as_bytes(), store.log_key()).unwrap();
    checkpoint
}

/// Commits as one producer of several and returns its positions; every second producer keeps all its records in flight.
fn produce(store: &Store, producer: usize) -> Vec<u64> {
    let new = |seq: usize| {
        statement(
            &format!("control:{}", producer % 3),
            &format!("{producer}-{seq}"),
        )
    };
    // The clock of a producer runs backwards.
    let transaction = |seq: usize| store.transaction("tester", &at(1000 - seq));
    if producer.is_multiple_of(2) {
        return (0..N_COMMITS)
            .map(|seq| transaction(seq).commit(new(seq)).unwrap().idx)
            .collect();
    }
    let pending: Vec<_> = (0..N_COMMITS)
        .map(|seq| transaction(seq).submit(new(seq)).unwrap())
        .collect();
    pending
        .into_iter()
        .map(|pending| pending.wait().unwrap().idx)
        .collect()
}

on_both! {
    threads_share_one_order
    time_never_goes_back
    processes_write_at_once_without_an_error
    receipts_and_checkpoints_hold_while_others_write
    two_handles_publish_one_history
    a_workspace_begins_once
}

fn threads_share_one_order(workspace: &Workspace) {
    let store = workspace.begin();
    let positions: Vec<Vec<u64>> = thread::scope(|scope| {
        let store = &store;
        let producers: Vec<_> = (0..N_THREADS)
            .map(|producer| scope.spawn(move || produce(store, producer)))
            .collect();
        producers
            .into_iter()
            .map(|producer| producer.join().unwrap())
            .collect()
    });
    let all = check_chain(&store);
    assert_eq!(all.len(), 1 + N_THREADS * N_COMMITS);
    for (producer, positions) in positions.iter().enumerate() {
        assert!(
            positions.is_sorted(),
            "records of producer {producer} keep their order: {positions:?}"
        );
        for (seq, idx) in positions.iter().enumerate() {
            let expected = statement("", &format!("{producer}-{seq}")).record;
            assert_eq!(
                all[*idx as usize].record, expected,
                "record #{idx} is the one that was given this position"
            );
        }
    }
}

fn time_never_goes_back(workspace: &Workspace) {
    let store = workspace.begin();
    let commit = |store: &Store, n_ms: usize| {
        let committed = store
            .transaction("tester", &at(n_ms))
            .commit(statement("control:1", "a"))
            .unwrap();
        (committed.idx, committed.entry.at)
    };
    assert_eq!(commit(&store, 5000), (1, at(5000)));
    assert_eq!(commit(&store, 1000), (2, at(5000)));
    let other = workspace.open();
    assert_eq!(commit(&other, 2000), (3, at(5000)));
    assert_eq!(commit(&other, 7000), (4, at(7000)));
    assert_eq!(
        commit(&store, 6000),
        (5, at(7000)),
        "a time written by another handle counts"
    );
    check_chain(&store);
}

/// Is one of several processes that write at once; without a workspace it has nothing to do.
#[test]
fn writing_process() {
    let Ok(name) = std::env::var(NAME) else {
        return;
    };
    // Ends the line that the test harness may have begun; then waits until all processes are there.
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let store = open_passed().unwrap().unwrap();
    thread::scope(|scope| {
        for thread_idx in 0..2 {
            let (store, name) = (&store, &name);
            scope.spawn(move || {
                for seq in 0..N_PROCESS_COMMITS {
                    let text = format!("{name}-{thread_idx}-{seq}");
                    let committed = store
                        .transaction(name, &at(seq))
                        .commit(statement("control:shared", &text))
                        .unwrap();
                    println!("ack {} {text}", committed.idx);
                    if seq % 10 == 9 {
                        store.publish().unwrap();
                    }
                }
            });
        }
    });
}

fn start_process(workspace: &Workspace, name: usize) -> Child {
    workspace
        .pass_to(Command::new(std::env::current_exe().unwrap()).args([
            "concurrency::writing_process",
            "--exact",
            "--nocapture",
        ]))
        .env(NAME, name.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn processes_write_at_once_without_an_error(workspace: &Workspace) {
    drop(workspace.begin());
    let mut processes: Vec<Child> = (0..N_PROCESSES)
        .map(|name| start_process(workspace, name))
        .collect();
    for process in &mut processes {
        process.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let outputs: Vec<Output> = thread::scope(|scope| {
        let waiting: Vec<_> = processes
            .into_iter()
            .map(|process| scope.spawn(move || process.wait_with_output().unwrap()))
            .collect();
        waiting
            .into_iter()
            .map(|waiting| waiting.join().unwrap())
            .collect()
    });
    let mut acks = BTreeMap::new();
    for output in &outputs {
        let (said, complaints) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "{}: {said}\n{complaints}",
            output.status
        );
        assert!(
            !complaints.contains("locked") && !complaints.contains("busy"),
            "{complaints}"
        );
        for line in said.lines() {
            let Some((idx, text)) = line
                .strip_prefix("ack ")
                .and_then(|ack| ack.split_once(' '))
            else {
                continue;
            };
            assert_eq!(
                acks.insert(idx.parse::<u64>().unwrap(), text.to_owned()),
                None,
                "position {idx} was given twice"
            );
        }
    }
    assert_eq!(acks.len(), N_PROCESSES * 2 * N_PROCESS_COMMITS);
    let all = check_chain(&workspace.open());
    assert_eq!(all.len(), 1 + acks.len());
    for (idx, text) in &acks {
        assert_eq!(
            all[*idx as usize].record,
            statement("", text).record,
            "record #{idx} is the acknowledged one"
        );
    }
}

/// Reads complete subtrees from the published tiles, as a monitor of the log does.
fn read_published(store: &Store, size: u64) -> impl FnMut(u8, u64) -> Result<Hash, Infallible> {
    move |level, position| {
        let (id, range) = locate_node(level, position, size);
        let bytes = store
            .blobs()
            .log_file(&id.to_string())
            .unwrap()
            .expect("the tiles of a checkpoint are published before it");
        Ok(subtree_root(&decode_tile(&bytes, id.width).unwrap()[range]))
    }
}

fn check_extends(store: &Store, earlier: &Checkpoint, later: &Checkpoint) {
    let Ok(hashes) = prove_consistency(
        earlier.size,
        later.size,
        &mut read_published(store, later.size),
    );
    let proof = ConsistencyProof {
        old_size: earlier.size,
        new_size: later.size,
        hashes,
    };
    assert_eq!(
        proof.verify(earlier.root, later.root),
        Ok(()),
        "{} entries extend {}",
        later.size,
        earlier.size
    );
}

fn check_receipt(store: &Store, idx: u64) {
    let receipt = store.receipt(idx).unwrap();
    assert_eq!(receipt.leaf_idx, idx);
    let mut entry = store.evidence(idx).unwrap().entry.to_bytes().unwrap();
    let read_back = TlogProof::parse(receipt.to_string().as_bytes()).unwrap();
    let checkpoint = read_back.verify(&entry, store.log_key()).unwrap();
    assert!(checkpoint.size > idx);
    entry[0] ^= 1;
    assert!(
        receipt.verify(&entry, store.log_key()).is_err(),
        "the receipt of entry {idx} is of no other entry"
    );
}

/// Watches the log grow until `is_done`, and once more.
fn watch(store: &Store, is_done: &AtomicBool) {
    let mut earlier = open(store, &store.publish().unwrap());
    for round in 0u64.. {
        let is_last = is_done.load(Ordering::SeqCst);
        let later = open(store, &store.publish().unwrap());
        check_extends(store, &earlier, &later);
        check_receipt(store, later.size - 1);
        check_receipt(store, round.wrapping_mul(7919) % later.size);
        if is_last || round % 4 == 0 {
            let report = store.verify().unwrap();
            assert!(report.holds(), "{:#?}", report.checks);
        }
        if is_last {
            return;
        }
        earlier = later;
    }
}

fn receipts_and_checkpoints_hold_while_others_write(workspace: &Workspace) {
    let store = workspace.begin();
    let reader = workspace.open();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (store, reader, is_done) = (&store, &reader, &is_done);
        let watching = scope.spawn(move || watch(reader, is_done));
        let producers: Vec<_> = (0..4)
            .map(|producer| {
                scope.spawn(move || {
                    let n_committed = produce(store, producer).len();
                    store.publish().unwrap();
                    n_committed
                })
            })
            .collect();
        // The watcher ends whether or not the producers succeed.
        let produced: Vec<_> = producers
            .into_iter()
            .map(|producer| producer.join())
            .collect();
        is_done.store(true, Ordering::SeqCst);
        produced
            .into_iter()
            .for_each(|produced| assert_eq!(produced.unwrap(), N_COMMITS));
        watching.join().unwrap();
    });
    assert_eq!(check_chain(&store).len(), 1 + 4 * N_COMMITS);
}

/// Commits so many records and publishes after each.
fn commit_and_publish(store: &Store, n_records: usize) -> Vec<Checkpoint> {
    let publish = |seq: usize| {
        store
            .transaction("tester", &at(seq))
            .commit(statement("control:1", &seq.to_string()))
            .unwrap();
        open(store, &store.publish().unwrap())
    };
    (0..n_records).map(publish).collect()
}

fn two_handles_publish_one_history(workspace: &Workspace) {
    let stores = [workspace.begin(), workspace.open()];
    let released: Vec<Checkpoint> = thread::scope(|scope| {
        let publishers: Vec<_> = stores
            .iter()
            .map(|store| scope.spawn(move || commit_and_publish(store, 15)))
            .collect();
        publishers
            .into_iter()
            .flat_map(|publisher| publisher.join().unwrap())
            .collect()
    });
    let mut tree = CompactRange::default();
    let mut roots = vec![tree.root()];
    let mut note_root = |entry: &[u8]| {
        tree.append(leaf_hash(entry));
        roots.push(tree.root());
    };
    stores[0]
        .visit_entries(u64::MAX >> 1, &mut note_root)
        .unwrap();
    assert_eq!(
        roots.len(),
        32,
        "the tree without entries, the opening and thirty records"
    );
    for checkpoint in &released {
        assert_eq!(
            checkpoint.root, roots[checkpoint.size as usize],
            "at {} entries",
            checkpoint.size
        );
    }
    stores
        .iter()
        .for_each(|store| assert_eq!(open(store, &store.publish().unwrap()).size, 31));
    check_chain(&stores[1]);
}

fn a_workspace_begins_once(workspace: &Workspace) {
    let refused = workspace.try_open().unwrap_err();
    assert!(
        matches!(refused, StoreError::NoWorkspace { .. }),
        "{refused:?}"
    );
    let store = workspace.begin();
    let refused = workspace.try_begin().unwrap_err();
    assert!(
        matches!(refused, StoreError::WorkspaceExists { .. }),
        "{refused:?}"
    );
    drop(store);
    let refused = workspace.try_begin().unwrap_err();
    assert!(
        matches!(refused, StoreError::WorkspaceExists { .. }),
        "{refused:?}"
    );
    assert_eq!(workspace.open().size().unwrap(), 1);
}

#[test]
fn a_newer_schema_is_refused() {
    let workspace = Workspace::embedded();
    let database = workspace.begin().folder().join("veracta.db");
    let connection = Connection::open(&database).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let refused = workspace.try_open().unwrap_err();
    assert!(
        matches!(refused, StoreError::NewerSchema { found: 99, known } if known < 99),
        "{refused:?}"
    );
    let found: u32 = Connection::open(&database)
        .unwrap()
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, 99, "the refusal changes nothing");
}
