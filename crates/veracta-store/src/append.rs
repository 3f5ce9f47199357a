//! Adding one record at the end of the log: its entry, its place, and what the writer remembers of those before it.

use std::collections::HashMap;

use veracta_governance::record::Record;
use veracta_ledger::Hash;
use veracta_ledger::entry::{Artifact, ENTRY_VERSION, Entry, EntryError, Link, is_time};

use crate::StoreError;
use crate::database::Database;
use crate::tables::records::NewRow;
use crate::tables::{actors, records};

/// Entries without their rows that are inserted in one statement.
const UNWRITTEN_LIMIT: usize = 500;

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

/// A record and its entry; everything but what depends on the position is known.
pub(crate) struct Unplaced {
    entry: Entry,
    actor: String,
    body: Vec<u8>,
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
    fn at(db: &Database, size: u64) -> Result<Self, StoreError> {
        Ok(Self {
            size,
            last_at: last_at(db, size)?,
            ..Self::default()
        })
    }

    /// Returns the number of entries, which is the position of the next one.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Begins anew when the log is not the one that is remembered: another process may have written.
    pub(crate) fn catch_up(&mut self, db: &Database) -> Result<(), StoreError> {
        let size = records::size(db)?;
        if size != self.size || size == 0 {
            *self = Self::at(db, size)?;
        }
        Ok(())
    }

    /// Forgets what was added since the log had `size` entries, which it has again.
    pub(crate) fn undo_to(&mut self, db: &Database, size: u64) -> Result<(), StoreError> {
        if self.size != size {
            *self = Self::at(db, size)?;
        }
        // A handle that was made meanwhile is gone again.
        self.handles.clear();
        Ok(())
    }

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

impl Unplaced {
    pub(crate) fn new(new: NewRecord, actor: String, at: String) -> Result<Self, StoreError> {
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

/// Rows of entries that have their place and are not yet inserted.
#[derive(Default)]
pub(crate) struct Unwritten(Vec<NewRow>);

impl Unwritten {
    /// Inserts all entries that have their place with their records, and forgets them.
    pub(crate) fn flush(&mut self, db: &Database) -> Result<(), StoreError> {
        records::insert(db, &std::mem::take(&mut self.0))
    }
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
        Unplaced::new(new, actor.to_owned(), at.to_owned())?,
        &mut unwritten,
    )?;
    unwritten.flush(db)?;
    Ok(committed)
}

/// Fills in what depends on the position, checks the links, and adds the entry at the end.
pub(crate) fn append(
    db: &Database,
    tail: &mut Tail,
    unplaced: Unplaced,
    unwritten: &mut Unwritten,
) -> Result<Committed, StoreError> {
    let Unplaced {
        mut entry,
        actor,
        body,
    } = unplaced;
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
