//! What a request runs on: the workspace, who asks, and the clock.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{Committed, NewRecord, Store, StoreError, Transaction};

/// What a request is carried out with: the workspace, the name of its caller, and the clock.
#[derive(Debug, Clone)]
pub struct Platform {
    /// The open workspace, with ledger, tables and files.
    pub store: Arc<Store>,
    /// Name of the person or program that asks; it is recorded with each change under a handle.
    pub actor: String,
    /// The clock; an argument, so that tests decide what time it is.
    pub clock: fn() -> Timestamp,
    /// Name and version of this program, as records state it.
    pub program: String,
}

/// Returns the time as the ledger has it: RFC 3339 in UTC with milliseconds.
pub fn now(clock: fn() -> Timestamp) -> String {
    format!("{:.3}", clock())
}

impl Platform {
    /// Returns the time as the ledger has it.
    pub fn now(&self) -> String {
        now(self.clock)
    }

    /// Returns the same surroundings for another who asks.
    pub fn of_actor(&self, actor: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            ..self.clone()
        }
    }

    /// Returns the day, ISO 8601.
    pub fn today(&self) -> String {
        self.now()[..10].to_owned()
    }

    /// Begins work as the one who asks, now.
    pub fn begin(&self) -> Transaction<'_> {
        self.store.transaction(&self.actor, &self.now())
    }

    /// Commits one record in the name of the actor at the current time, and returns once it is durable.
    pub fn commit(&self, new: NewRecord) -> Result<Committed, StoreError> {
        self.begin().commit(new)
    }

    /// Returns the operating system and processor.
    pub fn system(&self) -> String {
        format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
    }
}
