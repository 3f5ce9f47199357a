//! PostgreSQL and the object store are killed under load and come back: nothing acknowledged is lost, and the store goes on by itself.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use veracta_ledger::Hash;
use veracta_store::{Store, StoreError};

use crate::place::Workspace;
use crate::records::{at, statement};

/// Bytes of an upload: several pieces.
const UPLOAD_BYTES: usize = 18 << 20;
/// Acknowledgements awaited between two outages.
const N_BETWEEN: usize = 20;
const N_OUTAGES: usize = 3;
/// Longest wait for writers to go on.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    records: Mutex<Vec<(u64, String)>>,
    uploads: Mutex<Vec<(Hash, usize)>>,
    n_refused: AtomicUsize,
}

impl Acknowledged {
    fn n_records(&self) -> usize {
        self.records.lock().unwrap().len()
    }

    fn n_uploads(&self) -> usize {
        self.uploads.lock().unwrap().len()
    }

    /// Notes a refusal, which must say that trying again helps.
    fn refuse(&self, error: &StoreError) {
        assert!(error.is_passing(), "{error:?}");
        self.n_refused.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
    }
}

fn write_records(store: &Store, name: usize, acknowledged: &Acknowledged, is_done: &AtomicBool) {
    for seq in 0usize.. {
        if is_done.load(Ordering::SeqCst) {
            return;
        }
        let text = format!("{name}-{seq}");
        match store
            .transaction("tester", &at(seq))
            .commit(statement(&format!("control:{name}"), &text))
        {
            Ok(committed) => acknowledged
                .records
                .lock()
                .unwrap()
                .push((committed.idx, text)),
            Err(error) => acknowledged.refuse(&error),
        }
    }
}

fn bytes_of(seq: usize) -> Vec<u8> {
    (0..UPLOAD_BYTES)
        .map(|position| (position * 31 + seq * 7 + position / 4096) as u8)
        .collect()
}

fn upload(store: &Store, acknowledged: &Acknowledged, is_done: &AtomicBool) {
    for seq in 0.. {
        if is_done.load(Ordering::SeqCst) {
            return;
        }
        match store.blobs().upload(&mut bytes_of(seq).as_slice()) {
            Ok((digest, n_bytes)) => {
                assert_eq!(n_bytes, UPLOAD_BYTES as u64);
                acknowledged.uploads.lock().unwrap().push((digest, seq));
            }
            Err(error) => acknowledged.refuse(&error),
        }
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not happen");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn killed_servers_lose_nothing_acknowledged() {
    let mut workspace = Workspace::on_services();
    let store = workspace.begin();
    let other = workspace.open();
    let (acknowledged, is_done) = (Acknowledged::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        let (store, other, acknowledged, is_done) = (&store, &other, &acknowledged, &is_done);
        scope.spawn(move || write_records(store, 0, acknowledged, is_done));
        scope.spawn(move || write_records(other, 1, acknowledged, is_done));
        scope.spawn(move || upload(store, acknowledged, is_done));
        let (postgres, s3) = workspace.services.as_mut().unwrap();
        let mut make_outages = || {
            for _ in 0..N_OUTAGES {
                let (n_records, n_uploads) = (acknowledged.n_records(), acknowledged.n_uploads());
                wait_until("writing", || {
                    acknowledged.n_records() >= n_records + N_BETWEEN
                        && acknowledged.n_uploads() > n_uploads
                });
                let n_refused = acknowledged.n_refused.load(Ordering::SeqCst);
                postgres.kill();
                wait_until("a refusal", || {
                    acknowledged.n_refused.load(Ordering::SeqCst) > n_refused
                });
                postgres.restart().unwrap();
                s3.kill();
                thread::sleep(Duration::from_millis(200));
                s3.restart().unwrap();
            }
            let (n_records, n_uploads) = (acknowledged.n_records(), acknowledged.n_uploads());
            wait_until("writing again", || {
                acknowledged.n_records() > n_records && acknowledged.n_uploads() > n_uploads
            });
        };
        let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut make_outages));
        is_done.store(true, Ordering::SeqCst);
        made.unwrap();
    });
    // What was read on a lost connection is refused once, like everything else.
    while let Err(error) = store.publish() {
        acknowledged.refuse(&error);
    }
    while let Err(error) = other.size() {
        acknowledged.refuse(&error);
    }
    let report = other.verify().unwrap();
    assert!(report.holds(), "{:#?}", report.checks);
    for (idx, text) in acknowledged.records.into_inner().unwrap() {
        assert_eq!(
            store.evidence(idx).unwrap().record,
            statement("", &text).record,
            "record #{idx} is the acknowledged one"
        );
    }
    for (digest, seq) in acknowledged.uploads.into_inner().unwrap() {
        assert!(
            store.blobs().get(digest).unwrap() == bytes_of(seq),
            "upload {seq} is the acknowledged one"
        );
    }
}
