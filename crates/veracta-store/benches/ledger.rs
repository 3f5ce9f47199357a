//! Measures the ledger on the machine it runs on, and prints one line a figure.
//!
//! ```text
//! cargo bench --package veracta-store --bench ledger
//! VERACTA_BENCH_FOLDER=/mnt/disk cargo bench --package veracta-store --bench ledger
//! ```
//!
//! The second form measures another disk than that of `target`. Memory needed: 350 MB. What is durable here was synced: a disk
//! that answers before the bytes are safe gives better figures than it deserves, which the first line lets one see.
#![expect(clippy::unwrap_used, reason = "a measurement that fails has no result")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use veracta_governance::record::{Attestation, Record};
use veracta_ledger::Hash;
use veracta_ledger::merkle::{CompactRange, InclusionProof, leaf_hash, prove_inclusion, root_at};
use veracta_ledger::tile::{TILE_WIDTH, locate_node, subtree_root};
use veracta_store::{InitOptions, NewRecord, Pending, Store};

/// Syncs measured, or fewer when the time is over first.
const N_SYNCS: usize = 2_000;
const SYNC_TIME: Duration = Duration::from_secs(10);
const SYNC_BYTES: usize = 4096;

const N_PRODUCERS: usize = 64;
const N_IN_FLIGHT: usize = 64;
/// Records appended, or fewer when the time is over first.
const N_APPENDS: u64 = 300_000;
const APPEND_TIME: Duration = Duration::from_secs(10);
/// Unit of processor time in `/proc/self/stat`: `USER_HZ` is 100 wherever Linux runs.
const TICKS_PER_SECOND: f64 = 100.0;

const N_VERIFIED: usize = 1_000_000;
const ENTRY_BYTES: usize = 300;

const N_LEAVES: u64 = 10_000_000;
const N_PROOFS: usize = 10_000;

fn main() {
    // `cargo test` runs this program too, without the argument that `cargo bench` gives.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("ledger: measures only under `cargo bench`");
        return;
    }
    let parent = std::env::var("VERACTA_BENCH_FOLDER")
        .unwrap_or_else(|_| env!("CARGO_TARGET_TMPDIR").to_owned());
    let project = tempfile::tempdir_in(parent).unwrap();
    let store = begin(project.path());
    measure_sync(store.folder());
    measure_appends(&store);
    drop(store);
    measure_verification();
    measure_proofs();
}

fn begin(project: &Path) -> Store {
    let options = InitOptions {
        origin: None,
        actor: "bench".to_owned(),
        at: AT.to_owned(),
        program: "bench".to_owned(),
    };
    Store::init(project, options).unwrap()
}

const AT: &str = "2026-01-01T00:00:00.000Z";

/// Prints a figure; the name says what was measured and in which unit.
fn report(name: &str, value: f64) {
    println!("{name:<44} {value:>14.3}");
}

fn report_quantiles(name: &str, latencies: &mut [Duration], quantiles: &[usize]) {
    latencies.sort_unstable();
    for percent in quantiles {
        // The smallest latency that so many percent do not exceed.
        let position = (latencies.len() * percent).div_ceil(100).max(1) - 1;
        report(
            &format!("{name} p{percent} [µs]"),
            latencies[position].as_secs_f64() * 1e6,
        );
    }
}

/// What one append to a file costs until it is durable: no ledger can be faster than this for one record at a time.
fn measure_sync(folder: &Path) {
    let path = folder.join("sync.bench");
    let mut file = File::options()
        .create_new(true)
        .append(true)
        .open(&path)
        .unwrap();
    let (block, begun) = ([0x5a; SYNC_BYTES], Instant::now());
    let mut latencies = Vec::with_capacity(N_SYNCS);
    while latencies.len() < N_SYNCS && begun.elapsed() < SYNC_TIME {
        let begun = Instant::now();
        file.write_all(&block).unwrap();
        file.sync_data().unwrap();
        latencies.push(begun.elapsed());
    }
    fs::remove_file(path).unwrap();
    report_quantiles("append and sync 4 KiB", &mut latencies, &[50, 90, 99]);
}

fn small_record(text: &str) -> NewRecord {
    let body = Attestation {
        topic: "t".to_owned(),
        statement: text.to_owned(),
        signer: None,
        valid_until: None,
        file_digest: None,
        plan: None,
    };
    let record = Record::Attestation(body);
    NewRecord {
        record,
        subject: "s".to_owned(),
        key: None,
        links: Vec::new(),
        artifacts: Vec::new(),
    }
}

/// Appends durably from many producers, each with many records in flight.
fn measure_appends(store: &Store) {
    let (n_begun, begun, cpu_before) = (AtomicU64::new(0), Instant::now(), cpu_seconds());
    thread::scope(|scope| {
        for _ in 0..N_PRODUCERS {
            scope.spawn(|| produce(store, &n_begun, begun + APPEND_TIME));
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    let n_appended = store.size().unwrap() - 1;
    let last = store.evidence(n_appended).unwrap().entry;
    report(
        "durable appends, 64 producers x 64 [1/s]",
        n_appended as f64 / seconds,
    );
    report("durable appends, records written", n_appended as f64);
    report("durable appends, time [s]", seconds);
    if let (Some(before), Some(after)) = (cpu_before, cpu_seconds()) {
        report("durable appends, processor time [s]", after - before);
        report(
            "durable appends, processor time a record [µs]",
            (after - before) / n_appended as f64 * 1e6,
        );
    }
    report(
        "durable appends, entry and body [bytes]",
        last.to_bytes().unwrap().len() as f64 + last.body_bytes as f64,
    );
}

fn produce(store: &Store, n_begun: &AtomicU64, end: Instant) {
    let mut in_flight: VecDeque<Pending> = VecDeque::with_capacity(N_IN_FLIGHT);
    while Instant::now() < end {
        let number = n_begun.fetch_add(1, Ordering::Relaxed);
        if number >= N_APPENDS {
            break;
        }
        if in_flight.len() == N_IN_FLIGHT {
            in_flight.pop_front().unwrap().wait().unwrap();
        }
        in_flight.push_back(
            store
                .transaction("bench", AT)
                .submit(small_record(&number.to_string()))
                .unwrap(),
        );
    }
    for pending in in_flight {
        pending.wait().unwrap();
    }
}

/// Returns the processor time of this process, user and system; `None` where there is no `/proc`.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may hold spaces; what follows is field 3 (`proc(5)`).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / TICKS_PER_SECOND)
}

/// Recomputes the root of a log from its raw entries, on one thread.
fn measure_verification() {
    let mut chance = Chance(1);
    let mut bytes = Vec::with_capacity(N_VERIFIED * ENTRY_BYTES + 8);
    while bytes.len() < N_VERIFIED * ENTRY_BYTES {
        bytes.extend(chance.next().to_le_bytes());
    }
    let begun = Instant::now();
    let mut tree = CompactRange::default();
    for entry in bytes.chunks_exact(ENTRY_BYTES) {
        tree.append(leaf_hash(entry));
    }
    black_box(tree.root());
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(tree.size(), N_VERIFIED as u64);
    report(
        "root from raw entries of 300 bytes [1/s]",
        N_VERIFIED as f64 / seconds,
    );
    report(
        "root from raw entries of 300 bytes [MB/s]",
        bytes.len() as f64 / 1e6 / seconds,
    );
}

/// The hash tiles of a log, each level in one piece.
struct Tiles {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Tiles {
    fn grow(size: u64) -> Self {
        let mut levels: Vec<Vec<Hash>> =
            vec![(0..size).map(|idx| leaf_hash(&idx.to_be_bytes())).collect()];
        while let Some(top) = levels.last().filter(|top| top.len() as u64 >= TILE_WIDTH) {
            let next = top
                .chunks_exact(TILE_WIDTH as usize)
                .map(subtree_root)
                .collect();
            levels.push(next);
        }
        Self { size, levels }
    }

    /// Returns the hash of a complete subtree, found as `Store::receipt` finds it.
    fn node(&self, level: u8, position: u64) -> Hash {
        let (id, range) = locate_node(level, position, self.size);
        let start = (id.idx * TILE_WIDTH) as usize;
        let tile =
            &self.levels[usize::from(id.level.unwrap())][start..start + usize::from(id.width)];
        subtree_root(&tile[range])
    }

    fn prove(&self, leaf_idx: u64) -> Vec<Hash> {
        let Ok(hashes) = prove_inclusion(leaf_idx, self.size, &mut |level, position| {
            Ok::<_, Infallible>(self.node(level, position))
        });
        hashes
    }
}

/// Makes inclusion proofs in a large log, without the reading of files.
fn measure_proofs() {
    let begun = Instant::now();
    let tiles = Tiles::grow(N_LEAVES);
    report(
        "tiles of 10,000,000 leaves [s]",
        begun.elapsed().as_secs_f64(),
    );
    let Ok(root) = root_at(N_LEAVES, &mut |level, position| {
        Ok::<_, Infallible>(tiles.node(level, position))
    });
    let (mut chance, mut making, mut checking) = (Chance(2), Vec::new(), Vec::new());
    for _ in 0..N_PROOFS {
        let leaf_idx = chance.next() % N_LEAVES;
        let begun = Instant::now();
        let hashes = black_box(tiles.prove(leaf_idx));
        making.push(begun.elapsed());
        let proof = InclusionProof {
            leaf_idx,
            size: N_LEAVES,
            hashes,
        };
        let begun = Instant::now();
        let verified = black_box(proof.verify(leaf_hash(&leaf_idx.to_be_bytes()), root));
        checking.push(begun.elapsed());
        assert_eq!(verified, Ok(()), "leaf {leaf_idx}");
    }
    report_quantiles(
        "inclusion proof of 10,000,000, make",
        &mut making,
        &[50, 99],
    );
    report_quantiles(
        "inclusion proof of 10,000,000, check",
        &mut checking,
        &[50, 99],
    );
}

/// Numbers by SplitMix64 (Steele, Lea and Flood 2014): the same in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
