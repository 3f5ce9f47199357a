//! The one writer: gives records their position and commits them in groups.
//!
//! Each process has one sequencer thread; a lock keeps processes apart (of the operating system for SQLite, of the database for
//! PostgreSQL), so that nobody waits on a locked database. While a group is being synced the next one collects: latency is one sync,
//! throughput is as many records as arrive in it.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use veracta_governance::record::Record;
use veracta_ledger::Hash;
use veracta_ledger::entry::{Artifact, ENTRY_VERSION, Entry, EntryError, Link, is_time};

use crate::StoreError;
use crate::database::Database;
use crate::location::Location;
use crate::tables::records::NewRow;
use crate::tables::{actors, records};
use crate::work::Work;

/// Records waiting to be committed; a full queue makes producers wait. 64 producers with 64 in flight fit.
const QUEUE_LENGTH: usize = 8192;
/// Prepared entries that are inserted in one statement.
const UNWRITTEN_LIMIT: usize = 500;
/// Most records of one transaction.
const GROUP_LENGTH: usize = 4096;

/// A record that is to be committed, before it has a position.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The fact to be recorded.
    pub record: Record,
    /// What it is about, such as `model:churn`; no personal value.
    pub subject: String,
    /// Content key of the step that made it.
    pub key: Option<Hash>,
    /// Earlier records that this one depends on, each by position and digest.
    pub links: Vec<Link>,
    /// Files whose digests the entry commits to.
    pub artifacts: Vec<Artifact>,
}

/// A record that is durable, with its entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// Position in the ledger, counted from 0.
    pub idx: u64,
    /// The entry of the ledger that commits to the record.
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

/// One unit of work in the writer's queue.
enum Job {
    Record { draft: Box<Draft>, reply: Reply },
    Work(Box<Task>),
}

type Reply = SyncSender<Result<Committed, StoreError>>;
/// Tells a producer how its work ended, once the group it was in has.
pub(crate) type Conclude = dyn FnOnce(Result<(), StoreError>) + Send;
/// Reads and changes in the writer's transaction; says whether to keep what it changed.
pub(crate) type Task = dyn FnOnce(&mut Work<'_>) -> (bool, Box<Conclude>) + Send;

/// The handle to the writer thread.
#[derive(Debug)]
pub(crate) struct Sequencer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer keeps between groups, valid while nobody else writes.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    size: u64,
    last_at: String,
    /// Latest position by kind and subject.
    latest: HashMap<String, HashMap<String, u64>>,
    n_subjects: usize,
    /// Handle in the ledger by the name of the actor, so that each name is looked up once.
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
        let subjects = self
            .latest
            .get_mut(&entry.kind)
            .expect("the kind was just added");
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
    pub(crate) fn start(location: Location, lock_path: PathBuf) -> Result<Self, StoreError> {
        let (jobs, queue) = sync_channel(QUEUE_LENGTH);
        let lock = File::options()
            .create(true)
            .append(true)
            .open(&lock_path)
            .map_err(StoreError::file(&lock_path))?;
        let db = Some(Database::connect(&location)?);
        let writer = Writer {
            location,
            db,
            lock,
            tail: Tail::default(),
            is_poisoned: false,
        };
        let run = move || writer.write_groups(&queue);
        let thread = std::thread::Builder::new()
            .name("sequencer".to_owned())
            .spawn(run)
            .map_err(StoreError::file(&lock_path))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Puts a record into the writer's queue, and waits when the queue is full.
    pub(crate) fn submit(
        &self,
        new: NewRecord,
        actor: String,
        at: String,
    ) -> Result<Pending, StoreError> {
        let (reply, answer) = sync_channel(1);
        self.send(Job::Record {
            draft: Box::new(Draft::new(new, actor, at)?),
            reply,
        })?;
        Ok(Pending(answer))
    }

    /// Puts work into the writer's queue, and waits when the queue is full.
    pub(crate) fn submit_work(&self, task: Box<Task>) -> Result<(), StoreError> {
        self.send(Job::Work(task))
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        self.jobs
            .as_ref()
            .ok_or(StoreError::Closed)?
            .send(job)
            .map_err(|_| StoreError::Closed)
    }
}

impl Draft {
    fn new(new: NewRecord, actor: String, at: String) -> Result<Self, StoreError> {
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
        Ok(Self { entry, actor, body })
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

/// What the writer thread owns.
struct Writer {
    location: Location,
    /// None after a connection was lost, until the next group.
    db: Option<Database>,
    lock: File,
    tail: Tail,
    is_poisoned: bool,
}

/// How one job of a group ended, told once the group is durable.
enum Ended {
    Record(Reply, Box<Result<Committed, StoreError>>),
    Work(Box<Conclude>),
}

impl Ended {
    /// Returns how a job ended that was not tried; work hears of it by the end of its channel.
    fn untried(job: Job) -> Option<Self> {
        match job {
            Job::Record { reply, .. } => {
                Some(Self::Record(reply, Box::new(Err(StoreError::GroupFailed))))
            }
            Job::Work(_) => None,
        }
    }

    /// Tells the producer. One that no longer waits has dropped its receiver; what it handed over is committed all the same.
    fn conclude(self, failure: Option<StoreError>) {
        match (self, failure) {
            (Self::Record(reply, result), None) => drop(reply.send(*result)),
            (Self::Record(reply, _), Some(error)) => drop(reply.send(Err(error))),
            (Self::Work(conclude), None) => conclude(Ok(())),
            (Self::Work(conclude), Some(error)) => conclude(Err(error)),
        }
    }
}

impl Writer {
    fn write_groups(mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let mut jobs = vec![first];
            while jobs.len() < GROUP_LENGTH
                && let Ok(job) = queue.try_recv()
            {
                jobs.push(job);
            }
            let mut ended = Vec::with_capacity(jobs.len());
            let written = if self.is_poisoned {
                ended.extend(jobs.into_iter().filter_map(Ended::untried));
                Err(StoreError::Poisoned)
            } else {
                self.write_group(jobs, &mut ended)
            };
            let Err(error) = written else {
                ended.into_iter().for_each(|ended| ended.conclude(None));
                continue;
            };
            self.tail = Tail::default();
            self.db = self.db.filter(|db| !db.is_broken());
            // After a failed sync the state of the page cache is unknown: nothing more is acknowledged.
            self.is_poisoned |= error.leaves_disk_unknown();
            let others = error.for_the_group();
            let mut first = Some(error);
            for ended in ended {
                ended.conclude(Some(first.take().unwrap_or_else(|| others.for_the_group())));
            }
        }
    }

    /// Begins a transaction, on a new connection when the one before was lost: nothing of the group has been sent yet.
    fn begin(location: &Location, db: &mut Option<Database>) -> Result<(), StoreError> {
        if let Some(known) = db.take() {
            match known.begin_writing() {
                Err(StoreError::DatabaseUnavailable(_)) => {}
                result => {
                    *db = Some(known);
                    return result;
                }
            }
        }
        db.insert(Database::connect(location)?).begin_writing()
    }

    /// Commits a group in one transaction. A record or work that is refused on its own leaves the others standing.
    fn write_group(&mut self, jobs: Vec<Job>, ended: &mut Vec<Ended>) -> Result<(), StoreError> {
        let guard = match self.location {
            Location::Sqlite(_) => WriteGuard::take(&self.lock).map(Some),
            Location::Postgres(_) => Ok(None),
        };
        let _guard = match guard {
            Ok(guard) => guard,
            Err(error) => {
                ended.extend(jobs.into_iter().filter_map(Ended::untried));
                return Err(error);
            }
        };
        let result = match Self::begin(&self.location, &mut self.db) {
            Ok(()) => {
                let db = self
                    .db
                    .as_ref()
                    .expect("a transaction was just begun on it");
                write(db, &mut self.tail, jobs, ended)
            }
            Err(error) => {
                ended.extend(jobs.into_iter().filter_map(Ended::untried));
                Err(error)
            }
        };
        if result.is_err()
            && let Some(db) = &self.db
        {
            db.roll_back();
        }
        result
    }
}

/// Rows of entries that are prepared and not yet inserted.
#[derive(Default)]
pub(crate) struct Unwritten(Vec<NewRow>);

impl Unwritten {
    /// Inserts all prepared entries with their records, and forgets them.
    pub(crate) fn flush(&mut self, db: &Database) -> Result<(), StoreError> {
        records::insert(db, &std::mem::take(&mut self.0))
    }
}

fn write(
    db: &Database,
    tail: &mut Tail,
    jobs: Vec<Job>,
    ended: &mut Vec<Ended>,
) -> Result<(), StoreError> {
    let mut jobs = jobs.into_iter();
    let result = write_jobs(db, tail, &mut jobs, ended);
    // After a failure nothing that remains is tried.
    ended.extend(jobs.filter_map(Ended::untried));
    result
}

fn write_jobs(
    db: &Database,
    tail: &mut Tail,
    jobs: &mut dyn Iterator<Item = Job>,
    ended: &mut Vec<Ended>,
) -> Result<(), StoreError> {
    let size = records::size(db)?;
    if size != tail.size || size == 0 {
        *tail = Tail {
            size,
            last_at: last_at(db, size)?,
            ..Tail::default()
        };
    }
    let mut unwritten = Unwritten::default();
    for job in jobs {
        match job {
            Job::Record { draft, reply } => {
                let result = append(db, tail, *draft, &mut unwritten);
                if db.is_broken() {
                    let error = result.err().unwrap_or(StoreError::GroupFailed);
                    ended.push(Ended::Record(reply, Box::new(Err(StoreError::GroupFailed))));
                    return Err(error);
                }
                ended.push(Ended::Record(reply, Box::new(result)));
            }
            Job::Work(task) => {
                unwritten.flush(db)?;
                ended.push(Ended::Work(run_task(db, tail, task)?));
            }
        }
    }
    unwritten.flush(db)?;
    db.commit()
}

/// Runs work inside a savepoint, which is undone when the work is refused.
fn run_task(db: &Database, tail: &mut Tail, task: Box<Task>) -> Result<Box<Conclude>, StoreError> {
    db.batch("SAVEPOINT work")?;
    let size = tail.size;
    let mut work = Work::new(db, tail);
    let (is_kept, conclude) = task(&mut work);
    if db.is_broken() {
        conclude(Err(db.failure()));
        return Err(db.failure());
    }
    if is_kept {
        db.batch("RELEASE SAVEPOINT work")?;
    } else {
        db.batch("ROLLBACK TO SAVEPOINT work; RELEASE SAVEPOINT work")?;
        if tail.size != size {
            *tail = Tail {
                size,
                last_at: last_at(db, size)?,
                ..Tail::default()
            };
        } else {
            // A handle that was made for it is gone again.
            tail.handles.clear();
        }
    }
    Ok(conclude)
}

fn last_at(db: &Database, size: u64) -> Result<String, StoreError> {
    match size
        .checked_sub(1)
        .map(|last| records::entry_bytes(db, last))
        .transpose()?
        .flatten()
    {
        Some(bytes) => Ok(Entry::parse(&bytes)?.at),
        None => Ok(String::new()),
    }
}

/// Commits one record inside work.
pub(crate) fn append_now(
    db: &Database,
    tail: &mut Tail,
    new: NewRecord,
    actor: &str,
    at: &str,
) -> Result<Committed, StoreError> {
    let mut unwritten = Unwritten::default();
    let committed = append(
        db,
        tail,
        Draft::new(new, actor.to_owned(), at.to_owned())?,
        &mut unwritten,
    )?;
    unwritten.flush(db)?;
    Ok(committed)
}

/// Fills in what depends on the position, checks the links, and adds the entry at the end.
fn append(
    db: &Database,
    tail: &mut Tail,
    draft: Draft,
    unwritten: &mut Unwritten,
) -> Result<Committed, StoreError> {
    let Draft {
        mut entry,
        actor,
        body,
    } = draft;
    if !entry.links.is_empty() || unwritten.0.len() >= UNWRITTEN_LIMIT {
        unwritten.flush(db)?;
    }
    for link in &entry.links {
        let target = (link.idx < tail.size)
            .then(|| records::entry_bytes(db, link.idx))
            .transpose()?
            .flatten();
        let target = target.map(|bytes| Entry::parse(&bytes)).transpose()?;
        if target.is_none_or(|target| target.body != link.body) {
            return Err(StoreError::BadLink { idx: link.idx });
        }
    }
    entry.actor = match tail.handles.get(&actor) {
        Some(handle) => handle.clone(),
        None => {
            let handle = actors::handle_of(db, &actor)?;
            tail.handles.insert(actor, handle.clone());
            handle
        }
    };
    if entry.at < tail.last_at {
        entry.at.clone_from(&tail.last_at);
    }
    entry.previous = match tail
        .latest
        .get(&entry.kind)
        .and_then(|subjects| subjects.get(&entry.subject))
    {
        Some(idx) => Some(*idx),
        None => {
            if tail.n_subjects == 0 {
                // What the writer remembered was just given up: the latest may be among the rows not yet inserted.
                unwritten.flush(db)?;
            }
            records::latest(db, &entry.kind, &entry.subject)?
        }
    };
    let bytes = entry.to_bytes()?;
    tail.note(&entry);
    let idx = tail.size;
    tail.size += 1;
    unwritten.0.push(NewRow {
        idx,
        entry: entry.clone(),
        entry_bytes: bytes,
        body,
    });
    Ok(Committed { idx, entry })
}

/// Holds the lock between processes; released on drop, and by the system when the process dies.
struct WriteGuard<'f>(&'f File);

impl<'f> WriteGuard<'f> {
    fn take(file: &'f File) -> Result<Self, StoreError> {
        file.lock().map_err(|source| StoreError::File {
            file: "write.lock".to_owned(),
            source,
        })?;
        Ok(Self(file))
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // Nothing can be done about a failing unlock; closing the file releases it as well.
        let _ = self.0.unlock();
    }
}
