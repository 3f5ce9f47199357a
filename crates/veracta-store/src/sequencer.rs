//! The one writer: gives records their position and commits them in groups.
//!
//! Each process has one sequencer thread; a lock keeps processes apart (of the operating system for SQLite, of the database for
//! PostgreSQL), so that nobody waits on a locked database. While a group is being synced the next one collects: latency is one sync,
//! throughput is as many records as arrive in it.

use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::StoreError;
use crate::append::{Committed, NewRecord, Tail, Unplaced, Unwritten, append};
use crate::database::Database;
use crate::location::Location;
use crate::work::Work;

/// Records waiting to be committed; a full queue makes producers wait. 64 producers with 64 in flight fit.
const QUEUE_LENGTH: usize = 8192;
/// Most records of one transaction.
const GROUP_LENGTH: usize = 4096;

/// A record on its way; `wait` returns once it is durable.
#[derive(Debug)]
pub struct Pending(Receiver<Result<Committed, StoreError>>);

impl Pending {
    /// Waits until the record is durable.
    pub fn wait(self) -> Result<Committed, StoreError> {
        self.0.recv().map_err(|_| StoreError::Closed)?
    }
}

/// One unit of work in the writer's queue.
enum Job {
    Record {
        unplaced: Box<Unplaced>,
        reply: Reply,
    },
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
            unplaced: Box::new(Unplaced::new(new, actor, at)?),
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
    tail.catch_up(db)?;
    let mut unwritten = Unwritten::default();
    for job in jobs {
        match job {
            Job::Record { unplaced, reply } => {
                let result = append(db, tail, *unplaced, &mut unwritten);
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
    let size = tail.size();
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
        tail.undo_to(db, size)?;
    }
    Ok(conclude)
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
