//! What is refused: nothing of a refused record is kept, and those committed in the same group stand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod records;
mod workspace;

use std::fs::{self, File};

use veracta_ledger::Hash;
use veracta_ledger::entry::{EntryError, Link};
use veracta_store::{Store, StoreError};

use crate::records::{at, statement};
use crate::workspace::begin;

#[test]
fn a_bad_link_is_refused_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = begin(folder.path());
    let body = store
        .transaction("tester", &at(1))
        .commit(statement("control:1", "rests on nothing"))
        .unwrap()
        .entry
        .body;
    let other = Hash::of(b"another record");
    type Case<'c> = (&'c [(u64, Hash)], Option<u64>);
    let cases: [Case<'_>; 10] = [
        (&[], None),
        (&[(1, body)], None),
        (&[(1, other)], Some(1)),
        (&[(0, body)], Some(0)),
        // The good records so far stand at 3 and 4: this one would rest on itself.
        (&[(5, body)], Some(5)),
        (&[(99, body)], Some(99)),
        (&[(1, body), (u64::MAX, body)], Some(u64::MAX)),
        (&[(1, body), (1, body)], None),
        (&[(2, body)], Some(2)),
        (&[], None),
    ];
    // The writer waits for this lock with the first record in hand: all others are its next group.
    let lock = File::options()
        .append(true)
        .open(store.folder().join("write.lock"))
        .unwrap();
    lock.lock().unwrap();
    let first = store
        .transaction("tester", &at(2))
        .submit(statement("control:1", "first"))
        .unwrap();
    let submit = |links: &[(u64, Hash)]| {
        let mut new = statement("control:2", "linked");
        new.links = links
            .iter()
            .map(|(idx, body)| Link {
                idx: *idx,
                body: *body,
            })
            .collect();
        store.transaction("a newcomer", &at(3)).submit(new).unwrap()
    };
    let pending: Vec<_> = cases.iter().map(|(links, _)| submit(links)).collect();
    lock.unlock().unwrap();
    assert_eq!(first.wait().unwrap().idx, 2);
    let mut next = 3;
    for ((links, refused), pending) in cases.iter().zip(pending) {
        match (refused, pending.wait()) {
            (None, Ok(committed)) => {
                assert_eq!(
                    (committed.idx, committed.entry.links.len()),
                    (next, links.len())
                );
                next += 1;
            }
            (Some(expected), Err(StoreError::BadLink { idx })) => assert_eq!(idx, *expected),
            (_, found) => panic!("{links:?}: {found:?}"),
        }
    }
    check(&store, next);
}

/// Checks that the workspace holds, with so many entries, now and once it is opened again.
fn check(store: &Store, size: u64) {
    let project = store.folder().parent().unwrap();
    store.publish().unwrap();
    for store in [store, &Store::open(project).unwrap()] {
        assert_eq!(
            (store.size().unwrap(), store.all().unwrap().len() as u64),
            (size, size)
        );
        let report = store.verify().unwrap();
        assert!(report.holds(), "{:#?}", report.checks);
    }
}

#[test]
fn a_time_in_another_form_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = begin(folder.path());
    let times = [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.000+00:00",
        "2026-01-01 00:00:00.000Z",
        "tomorrow",
    ];
    for time in times {
        // Such an entry could not be read back, and the time of the next one not compared with it.
        let refused = store
            .transaction("tester", time)
            .commit(statement("control:1", "untimely"));
        assert!(
            matches!(refused, Err(StoreError::Entry(EntryError::Time))),
            "`{time}`: {refused:?}"
        );
    }
    assert_eq!(
        store
            .transaction("tester", &at(1))
            .commit(statement("control:1", "timely"))
            .unwrap()
            .idx,
        1
    );
    check(&store, 2);
}

#[test]
fn an_entry_that_is_too_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = begin(folder.path());
    let mut new = statement("control:1", "rests on far too much");
    // A link takes 82 bytes or more: these are over the 65535 bytes that the length of an entry can say.
    new.links = vec![
        Link {
            idx: 0,
            body: store.evidence(0).unwrap().entry.body
        };
        1000
    ];
    let refused = store.transaction("a newcomer", &at(1)).commit(new);
    assert!(
        matches!(refused, Err(StoreError::Entry(EntryError::TooLarge { .. }))),
        "{refused:?}"
    );
    assert!(
        store
            .transaction("tester", &at(1))
            .commit(statement("control:1", "rests on nothing"))
            .is_ok()
    );
    check(&store, 2);
}

#[test]
fn a_damaged_signer_or_key_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = begin(folder.path());
    let (signer, key) = (
        store.folder().join("signer.json"),
        store.folder().join("ledger.key"),
    );
    fs::write(signer, "{\"size\":1,").unwrap();
    store
        .transaction("tester", &at(1))
        .commit(statement("control:1", "one more"))
        .unwrap();
    assert!(matches!(store.verify(), Err(StoreError::State { .. })));
    assert!(matches!(store.publish(), Err(StoreError::State { .. })));
    assert!(matches!(store.rebuild(), Err(StoreError::State { .. })));
    drop(store);
    for damaged in [
        format!("{}\n", Hash::of(b"another key")),
        "0123456789abcdef\n".to_owned(),
        String::new(),
    ] {
        fs::write(&key, damaged).unwrap();
        assert!(matches!(
            Store::open(folder.path()),
            Err(StoreError::Key { .. })
        ));
    }
}
