//! What a piece of work may do inside the writer's transaction, by type: read ([`View`]), change what a record was committed for
//! ([`Recorded`]), or change what is not evidence yet ([`Draft`]).

use std::collections::BTreeSet;

use veracta_ledger::Hash;
use veracta_ledger::entry::Entry;

use crate::StoreError;
use crate::append::{Committed, NewRecord, Tail, append_now};
use crate::database::Database;
use crate::reader::Reader;
use crate::tables::records;
use crate::tracking::Run;

/// Work in progress; see [`crate::Transaction::work`].
#[derive(Debug)]
pub struct Work<'w> {
    db: &'w Database,
    tail: &'w mut Tail,
    actor: String,
    at: String,
    /// Subjects of finished runs that were changed and whose change is not yet recorded.
    unrecorded: BTreeSet<String>,
}

/// Reads the tables of the tracking server and the registry.
#[derive(Debug, Clone, Copy)]
pub struct View<'d> {
    pub(crate) db: &'d Database,
}

/// A connection that reads outside any change.
pub struct Reading<'s>(Reader<'s>);

/// Changes what the record just committed is about.
#[derive(Debug)]
pub struct Recorded<'d> {
    pub(crate) db: &'d Database,
    /// Position of the record in the ledger, counted from 0.
    pub idx: u64,
}

/// Changes what is not evidence yet: the values of a run that has not ended, a model that is being logged.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'d> {
    pub(crate) db: &'d Database,
}

impl crate::Store {
    /// Begins to read the tables of the tracking server and the registry.
    pub fn reading(&self) -> Result<Reading<'_>, StoreError> {
        Ok(Reading(self.reader()?))
    }
}

impl Reading<'_> {
    /// Returns what there is to read.
    pub fn view(&self) -> View<'_> {
        View { db: &self.0 }
    }
}

impl<'w> Work<'w> {
    pub(crate) fn new(db: &'w Database, tail: &'w mut Tail) -> Self {
        Self {
            db,
            tail,
            actor: String::new(),
            at: String::new(),
            unrecorded: BTreeSet::new(),
        }
    }

    pub(crate) fn begin(&mut self, actor: String, at: String) {
        (self.actor, self.at) = (actor, at);
    }

    pub(crate) fn end(&mut self) -> Result<(), StoreError> {
        match self.unrecorded.pop_first() {
            Some(run) => Err(StoreError::Unrecorded { run }),
            None => Ok(()),
        }
    }

    /// Returns what there is to read, with what this work has changed.
    pub fn view(&self) -> View<'w> {
        View { db: self.db }
    }

    /// Commits a record with its ledger entry, and hands out the right to change what it is about.
    pub fn commit(&mut self, new: NewRecord) -> Result<Recorded<'w>, StoreError> {
        self.unrecorded.remove(&new.subject);
        let Committed { idx, .. } = append_now(self.db, self.tail, new, &self.actor, &self.at)?;
        Ok(Recorded { db: self.db, idx })
    }

    /// Begins to change a run. When it has ended, a record about it must follow before the work ends.
    pub fn draft(&mut self, run: &Run) -> Draft<'w> {
        if run.record_idx.is_some() {
            self.unrecorded.insert(run.subject());
        }
        Draft { db: self.db }
    }

    /// Returns which of these bytes neither a file nor an entry of the ledger refers to.
    pub fn unreferenced(&self, digests: &[Hash]) -> Result<Vec<Hash>, StoreError> {
        let mut free: BTreeSet<Hash> = self.view().without_file(digests)?.into_iter().collect();
        // What a pipeline stored is named by an entry. Few digests are looked for, and rarely.
        records::visit_entries(self.db, 0, records::size(self.db)?, &mut |_, bytes| {
            if let Ok(entry) = Entry::parse(bytes) {
                free.retain(|digest| {
                    !entry
                        .artifacts
                        .iter()
                        .any(|artifact| artifact.digest == *digest)
                });
            }
            Ok(())
        })?;
        Ok(free.into_iter().collect())
    }

    /// Begins to change what belongs to no finished run.
    pub fn draft_of_none(&self) -> Draft<'w> {
        Draft { db: self.db }
    }
}
