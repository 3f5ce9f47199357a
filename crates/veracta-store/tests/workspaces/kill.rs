//! Kills a busy writer (SIGKILL) again and again: nothing it acknowledged may be lost, and nothing it released contradicted.
//!
//! The writer is this test binary, run again with the workspace in an environment variable. It says `ack <idx> <text>` only once
//! a record is durable, and `checkpoint <size> <root>` only once a checkpoint is published. What it had in flight when it was
//! killed may be there or not; both are right.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use veracta_ledger::Hash;
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::entry::Entry;
use veracta_ledger::merkle::{CompactRange, leaf_hash};
use veracta_store::{Pending, Store, StoreError};

use crate::place::{Workspace, on_both, open_passed};
use crate::records::{at, statement};

/// Kills; one in twelve falls into the opening of the workspace, all others into its use.
const N_KILLS: usize = 240;
/// Kills on servers, where each opening and each checkpoint takes longer.
const N_KILLS_ON_SERVICES: usize = 60;
/// Kills between two checks of everything.
const CHECKED_EVERY: usize = 20;
/// Longest wait for a writer's first record.
const PATIENCE: Duration = Duration::from_secs(120);
/// Tells the texts of one writer from those of another.
const RUN: &str = "VERACTA_KILL_RUN";
/// Sets the seed of the delays.
const SEED: &str = "VERACTA_KILL_SEED";
const SIGKILL: i32 = 9;

const N_THREADS: usize = 4;
const N_IN_FLIGHT: usize = 8;
/// Records of one thread: a fast disk ends here, before the workspace grows too large to be checked often.
const N_RECORDS_EACH: usize = 300;
/// Records of the first thread between two checkpoints.
const PUBLISHED_EVERY: usize = 12;

/// Is the process that is killed; without a workspace it has nothing to do.
#[test]
fn busy_writer() {
    let Ok(run) = std::env::var(RUN) else { return };
    // Ends the line that the test harness may have begun.
    say("writer begins");
    let store = open_passed()
        .unwrap()
        .unwrap_or_else(|error| give_up(&error));
    thread::scope(|scope| {
        for thread_idx in 0..N_THREADS {
            let (store, run) = (&store, &run);
            scope.spawn(move || produce(store, run, thread_idx));
        }
    });
    // Everything is written: waits for the kill, or for the end of the process that would have killed it.
    let _ = std::io::stdin().read_line(&mut String::new());
}

fn produce(store: &Store, run: &str, thread_idx: usize) {
    let subject = format!("control:{thread_idx}");
    let mut in_flight = VecDeque::new();
    for seq in 0..N_RECORDS_EACH {
        let text = format!("{run}-{thread_idx}-{seq}");
        let pending = store
            .transaction("writer", &at(seq))
            .submit(statement(&subject, &text));
        in_flight.push_back((text, pending.unwrap_or_else(|error| give_up(&error))));
        if in_flight.len() == N_IN_FLIGHT {
            let (text, pending) = in_flight.pop_front().unwrap();
            acknowledge(&text, pending);
        }
        if thread_idx == 0 && seq % PUBLISHED_EVERY == PUBLISHED_EVERY - 1 {
            let checkpoint = publish(store).unwrap_or_else(|error| give_up(&error));
            say(&format!(
                "checkpoint {} {}",
                checkpoint.size, checkpoint.root
            ));
        }
    }
    for (text, pending) in in_flight {
        acknowledge(&text, pending);
    }
}

fn acknowledge(text: &str, pending: Pending) {
    let committed = pending.wait().unwrap_or_else(|error| give_up(&error));
    say(&format!("ack {} {text}", committed.idx));
}

fn publish(store: &Store) -> Result<Checkpoint, StoreError> {
    let note = store.publish()?;
    let (checkpoint, _) = Checkpoint::open(note.as_bytes(), store.log_key()).unwrap();
    Ok(checkpoint)
}

/// Writes one line at once, and ends the process when nobody reads it.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(3);
    }
}

/// Ends the process, so that an error in one thread is not hidden by the work of the others.
fn give_up(error: &StoreError) -> ! {
    eprintln!("the store fails: {error:?}");
    std::process::exit(2);
}

on_both! {
    a_killed_writer_loses_nothing_it_acknowledged
}

fn a_killed_writer_loses_nothing_it_acknowledged(workspace: &Workspace) {
    let seed = std::env::var(SEED).map_or_else(
        |_| RandomState::new().build_hasher().finish(),
        |seed| seed.parse().unwrap(),
    );
    eprintln!("the delays have the seed {seed}; set {SEED} to it to have them again");
    let mut chance = Chance(seed);
    let n_kills = if workspace.services.is_some() {
        N_KILLS_ON_SERVICES
    } else {
        N_KILLS
    };
    drop(workspace.begin());
    let (mut told, mut n_checked) = (Told::default(), 0);
    for kill in 0..n_kills {
        let said = Writer::start(workspace, kill).kill_at(chance.moment(kill));
        said.iter().for_each(|line| told.hear(line));
        // Every fourth time it is the next writer that finds what the killed one left.
        if kill % 4 != 3 {
            let store = workspace.open();
            n_checked = check_new(&store, &mut told, n_checked);
            if kill % CHECKED_EVERY == 0 {
                check_all(&store, &told);
            }
        }
    }
    let store = workspace.open();
    check_new(&store, &mut told, n_checked);
    check_all(&store, &told);
    assert!(
        told.acks.len() >= n_kills * 11 / 12,
        "every writer that was killed in use had acknowledged something"
    );
    assert!(
        told.roots.len() > n_kills / 4,
        "checkpoints were released in between"
    );
}

/// When a writer is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after its start: it may still be opening what the one before it left.
    AfterStart(Duration),
    /// So long after its first acknowledgement.
    AfterFirstAck(Duration),
}

/// Numbers by SplitMix64 (Steele, Lea and Flood 2014), which need no more than a seed.
struct Chance(u64);

impl Chance {
    fn micros_below(&mut self, limit: u64) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_micros((mixed ^ (mixed >> 31)) % limit)
    }

    /// Returns a moment; one in four is late enough for a checkpoint to be complete on a slow disk.
    fn moment(&mut self, kill: usize) -> Moment {
        match kill % 12 {
            5 => Moment::AfterStart(self.micros_below(40_000)),
            2 | 6 | 10 => Moment::AfterFirstAck(self.micros_below(120_000)),
            _ => Moment::AfterFirstAck(self.micros_below(25_000)),
        }
    }
}

/// A process that writes; it ends with the test, however the test ends.
struct Writer {
    process: Child,
    lines: Receiver<String>,
}

impl Writer {
    fn start(workspace: &Workspace, run: usize) -> Self {
        let mut process = workspace
            .pass_to(Command::new(std::env::current_exe().unwrap()).args([
                "kill::busy_writer",
                "--exact",
                "--nocapture",
            ]))
            .env(RUN, run.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let (heard, lines) = channel();
        thread::spawn(move || {
            let mut line = Vec::new();
            // A line that the kill cut short was not said.
            while out.read_until(b'\n', &mut line).is_ok() && line.pop() == Some(b'\n') {
                let whole = String::from_utf8(std::mem::take(&mut line)).unwrap();
                if heard.send(whole).is_err() {
                    return;
                }
            }
        });
        Self { process, lines }
    }

    /// Kills the process and returns everything it said.
    fn kill_at(mut self, moment: Moment) -> Vec<String> {
        let mut said: Vec<String> = Vec::new();
        let delay = match moment {
            Moment::AfterStart(delay) => delay,
            Moment::AfterFirstAck(delay) => {
                while said.last().is_none_or(|line| !line.starts_with("ack ")) {
                    said.push(
                        self.lines
                            .recv_timeout(PATIENCE)
                            .expect("the writer acknowledges something"),
                    );
                }
                delay
            }
        };
        // The delay is what is tested; nothing relies on it.
        thread::sleep(delay);
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        assert_eq!(
            status.signal(),
            Some(SIGKILL),
            "the writer ended by itself: {status}"
        );
        said.extend(self.lines.iter());
        said
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the writers said before they were killed.
#[derive(Default)]
struct Told {
    /// Acknowledged texts by position.
    acks: BTreeMap<u64, String>,
    /// Released roots by size.
    roots: BTreeMap<u64, Hash>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["ack", idx, text] => {
                let before = self.acks.insert(idx.parse().unwrap(), text.to_owned());
                assert_eq!(before, None, "position {idx} was given twice");
            }
            ["checkpoint", size, root] => {
                self.release(size.parse().unwrap(), root.parse().unwrap())
            }
            _ => {}
        }
    }

    fn release(&mut self, size: u64, root: Hash) {
        let before = self.roots.insert(size, root);
        assert!(
            before.is_none_or(|before| before == root),
            "two roots were released for {size} entries"
        );
    }
}

/// Checks what was acknowledged from position `from` on and publishes; returns the position up to which is checked now.
fn check_new(store: &Store, told: &mut Told, from: u64) -> u64 {
    for (idx, text) in told.acks.range(from..) {
        assert_eq!(
            store.evidence(*idx).unwrap().record,
            statement("", text).record,
            "record #{idx} is the acknowledged one"
        );
    }
    let (size, checkpoint) = (store.size().unwrap(), publish(store).unwrap());
    assert_eq!(
        checkpoint.size, size,
        "a checkpoint covers everything that was committed before it"
    );
    told.release(checkpoint.size, checkpoint.root);
    size
}

/// Checks everything that was ever said against everything that is there.
fn check_all(store: &Store, told: &Told) {
    let report = store.verify().unwrap();
    assert!(report.holds(), "{:#?}", report.checks);
    let (mut tree, mut n_acks, mut n_roots) = (CompactRange::default(), 0, 0);
    let mut visit = |bytes: &[u8]| {
        let idx = tree.size();
        if let Some(text) = told.acks.get(&idx) {
            let body = statement("", text).record.to_bytes().unwrap();
            assert_eq!(
                Entry::parse(bytes).unwrap().body,
                Hash::of(&body),
                "entry {idx} is of the acknowledged record"
            );
            n_acks += 1;
        }
        tree.append(leaf_hash(bytes));
        if let Some(root) = told.roots.get(&tree.size()) {
            assert_eq!(
                *root,
                tree.root(),
                "the root released for {} entries is still the one they give",
                tree.size()
            );
            n_roots += 1;
        }
    };
    let size = store.size().unwrap();
    store.visit_entries(size, &mut visit).unwrap();
    assert_eq!(
        (tree.size(), n_acks, n_roots),
        (size, told.acks.len(), told.roots.len()),
        "entries, acknowledged and released"
    );
    let note = store.published_checkpoint().unwrap().unwrap();
    let (checkpoint, _) = Checkpoint::open(note.as_bytes(), store.log_key()).unwrap();
    assert_eq!(
        told.roots.get(&checkpoint.size),
        Some(&checkpoint.root),
        "the published checkpoint is a released one"
    );
}
