//! The one writer: gives records their position and commits them in groups.
//!
//! Each process has one sequencer thread; an operating-system lock keeps processes apart, so that nobody waits on a locked
//! database. While a group is being synced the next one collects: latency is one sync, throughput is as many records as arrive in it.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use veracta_governance::record::Record;
use veracta_ledger::Hash;
use veracta_ledger::entry::{Artifact, ENTRY_VERSION, Entry, EntryError, Link, is_time};

use crate::StoreError;
use crate::tables::{actors, records};

/// Records waiting to be committed; a full queue makes producers wait. 64 producers with 64 in flight fit.
const QUEUE_LENGTH: usize = 8192;
/// Most records of one transaction.
const GROUP_LENGTH: usize = 4096;

/// A record to be committed.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The record.
    pub record: Record,
    /// What it is about, such as `model:churn`; no personal value.
    pub subject: String,
    /// Content key of the step that made it.
    pub key: Option<Hash>,
    /// Records it rests on.
    pub links: Vec<Link>,
    /// Bytes it commits to.
    pub artifacts: Vec<Artifact>,
}

/// A committed record.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// Its position in the ledger.
    pub idx: u64,
    /// Its entry.
    pub entry: Entry,
}

/// A record on its way; `wait` returns once it is durable.
#[derive(Debug)]
pub struct Pending(Receiver<Result<Committed, StoreError>>);

impl Pending {
    /// Waits until the record is durable.
    pub fn wait(self) -> Result<Committed, StoreError> {
        self.0.recv().map_err(|_| StoreError::Closed)?
    }
}

/// A record and its entry; everything but what depends on the position is known.
struct Draft {
    entry: Entry,
    actor: String,
    body: Vec<u8>,
}

/// What a producer hands over.
struct Job {
    draft: Draft,
    reply: SyncSender<Result<Committed, StoreError>>,
}

/// The handle to the writer thread.
#[derive(Debug)]
pub(crate) struct Sequencer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer keeps between groups, valid while nobody else writes.
#[derive(Default)]
struct Tail {
    size: u64,
    last_at: String,
    /// Latest position by kind and subject.
    latest: HashMap<String, HashMap<String, u64>>,
    n_subjects: usize,
    /// Handle by name.
    handles: HashMap<String, String>,
}

/// Subjects remembered before the writer begins anew: a long-running process must not grow with what it has seen.
const SUBJECTS_LIMIT: usize = 100_000;

impl Tail {
    /// Remembers an entry that was inserted at the end.
    fn note(&mut self, entry: &Entry) {
        if self.n_subjects >= SUBJECTS_LIMIT {
            self.latest.clear();
            self.n_subjects = 0;
        }
        if !self.latest.contains_key(&entry.kind) {
            self.latest.insert(entry.kind.clone(), HashMap::new());
        }
        let subjects = self.latest.get_mut(&entry.kind).expect("the kind was just added");
        match subjects.get_mut(&entry.subject) {
            Some(idx) => *idx = self.size,
            None => {
                subjects.insert(entry.subject.clone(), self.size);
                self.n_subjects += 1;
            }
        }
        if self.last_at != entry.at {
            self.last_at.clone_from(&entry.at);
        }
    }
}

impl Sequencer {
    /// Starts the writer on a connection of its own.
    pub(crate) fn start(connection: Connection, lock_path: PathBuf) -> Result<Self, StoreError> {
        let (jobs, queue) = sync_channel(QUEUE_LENGTH);
        let lock = File::options().create(true).append(true).open(&lock_path).map_err(StoreError::file(&lock_path))?;
        let run = move || write_groups(connection, &lock, &queue);
        let thread = std::thread::Builder::new().name("sequencer".to_owned()).spawn(run).map_err(StoreError::file(&lock_path))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Hands a record over.
    pub(crate) fn submit(&self, new: NewRecord, actor: String, at: String) -> Result<Pending, StoreError> {
        if !is_time(&at) {
            return Err(EntryError::Time.into());
        }
        let body = new.record.to_bytes()?;
        let entry = Entry {
            v: ENTRY_VERSION,
            kind: new.record.kind().to_owned(),
            schema_version: new.record.schema_version(),
            subject: new.subject,
            at,
            actor: String::new(),
            body: Hash::of(&body),
            body_bytes: body.len() as u64,
            key: new.key,
            previous: None,
            links: new.links,
            artifacts: new.artifacts,
        };
        let (reply, answer) = sync_channel(1);
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(Job { draft: Draft { entry, actor, body }, reply }).map_err(|_| StoreError::Closed)?;
        Ok(Pending(answer))
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        // Closing the queue ends the thread once everything handed over is committed.
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has already been reported to every producer as `Closed`.
            let _ = thread.join();
        }
    }
}

fn write_groups(mut connection: Connection, lock: &File, queue: &Receiver<Job>) {
    let mut tail = Tail::default();
    let mut is_poisoned = false;
    while let Ok(first) = queue.recv() {
        let (mut replies, mut drafts) = (vec![first.reply], vec![first.draft]);
        while drafts.len() < GROUP_LENGTH
            && let Ok(job) = queue.try_recv()
        {
            replies.push(job.reply);
            drafts.push(job.draft);
        }
        if is_poisoned {
            replies.iter().for_each(|reply| answer(reply, Err(StoreError::Poisoned)));
            continue;
        }
        match write_group(&mut connection, lock, &mut tail, drafts) {
            Ok(results) => replies.iter().zip(results).for_each(|(reply, result)| answer(reply, result)),
            Err(error) => {
                tail = Tail::default();
                // After a failed sync the state of the page cache is unknown: nothing more is acknowledged.
                let cause = match &error {
                    StoreError::Database(cause) => cause.sqlite_error_code(),
                    _ => None,
                };
                is_poisoned = cause == Some(rusqlite::ErrorCode::SystemIoFailure);
                let is_full = matches!(error, StoreError::DiskFull);
                let mut first = Some(error);
                for reply in &replies {
                    let fallback = match (is_full, is_poisoned) {
                        (true, _) => StoreError::DiskFull,
                        (false, true) => StoreError::Poisoned,
                        (false, false) => StoreError::GroupFailed,
                    };
                    answer(reply, Err(first.take().unwrap_or(fallback)));
                }
            }
        }
    }
}

fn answer(reply: &SyncSender<Result<Committed, StoreError>>, result: Result<Committed, StoreError>) {
    // A producer that no longer waits has dropped its receiver; the record is committed all the same.
    let _ = reply.send(result);
}

/// Commits a group in one transaction. A record that is refused on its own leaves the others standing.
fn write_group(
    connection: &mut Connection,
    lock: &File,
    tail: &mut Tail,
    drafts: Vec<Draft>,
) -> Result<Vec<Result<Committed, StoreError>>, StoreError> {
    let _guard = WriteGuard::take(lock)?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let size = records::size(&tx)?;
    if size != tail.size || size == 0 {
        *tail = Tail { size, last_at: last_at(&tx, size)?, ..Tail::default() };
    }
    let mut results = Vec::with_capacity(drafts.len());
    let mut inserter = records::Inserter::new(&tx)?;
    for draft in drafts {
        match prepare(&tx, tail, draft) {
            Ok((entry, bytes, body)) => {
                inserter.insert(tail.size, &entry, &bytes, &body)?;
                tail.note(&entry);
                results.push(Ok(Committed { idx: tail.size, entry }));
                tail.size += 1;
            }
            Err(error @ (StoreError::Database(_) | StoreError::DiskFull)) => return Err(error),
            Err(refused) => results.push(Err(refused)),
        }
    }
    drop(inserter);
    tx.commit()?;
    Ok(results)
}

fn last_at(connection: &Connection, size: u64) -> Result<String, StoreError> {
    match size.checked_sub(1).map(|last| records::entry_bytes(connection, last)).transpose()?.flatten() {
        Some(bytes) => Ok(Entry::parse(&bytes)?.at),
        None => Ok(String::new()),
    }
}

/// Fills in what depends on the position, and checks the links.
fn prepare(connection: &Connection, tail: &mut Tail, draft: Draft) -> Result<(Entry, Vec<u8>, Vec<u8>), StoreError> {
    let Draft { mut entry, actor, body } = draft;
    for link in &entry.links {
        let target = (link.idx < tail.size).then(|| records::entry_bytes(connection, link.idx)).transpose()?.flatten();
        let target = target.map(|bytes| Entry::parse(&bytes)).transpose()?;
        if target.is_none_or(|target| target.body != link.body) {
            return Err(StoreError::BadLink { idx: link.idx });
        }
    }
    entry.actor = match tail.handles.get(&actor) {
        Some(handle) => handle.clone(),
        None => {
            let handle = actors::handle_of(connection, &actor)?;
            tail.handles.insert(actor, handle.clone());
            handle
        }
    };
    if entry.at < tail.last_at {
        entry.at.clone_from(&tail.last_at);
    }
    entry.previous = match tail.latest.get(&entry.kind).and_then(|subjects| subjects.get(&entry.subject)) {
        Some(idx) => Some(*idx),
        None => records::latest(connection, &entry.kind, &entry.subject)?,
    };
    let bytes = entry.to_bytes()?;
    Ok((entry, bytes, body))
}

/// Holds the lock between processes; released on drop, and by the system when the process dies.
struct WriteGuard<'f>(&'f File);

impl<'f> WriteGuard<'f> {
    fn take(file: &'f File) -> Result<Self, StoreError> {
        file.lock().map_err(|source| StoreError::File { file: "write.lock".to_owned(), source })?;
        Ok(Self(file))
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // Nothing can be done about a failing unlock; closing the file releases it as well.
        let _ = self.0.unlock();
    }
}
