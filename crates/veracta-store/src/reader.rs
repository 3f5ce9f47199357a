//! Connections that read.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use crate::database::Database;

/// Connections kept open for readers between requests.
const IDLE_READERS: usize = 8;

/// A connection to read with; given back when dropped.
pub(crate) struct Reader<'s> {
    idle: &'s Mutex<Vec<Database>>,
    db: Option<Database>,
}

impl<'s> Reader<'s> {
    /// Takes a connection that `idle` gets back.
    pub(crate) fn new(db: Database, idle: &'s Mutex<Vec<Database>>) -> Self {
        Self { idle, db: Some(db) }
    }
}

impl Deref for Reader<'_> {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.db.as_ref().expect("it is there until dropped")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if self.db.as_ref().is_some_and(Database::is_broken) {
            // What broke this connection broke the others: whoever asks next gets a new one.
            idle.clear();
        }
        if let Some(db) = self
            .db
            .take()
            .filter(|db| !db.is_broken() && idle.len() < IDLE_READERS)
        {
            idle.push(db);
        }
    }
}
