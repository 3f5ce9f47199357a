//! What a request runs on: the workspace, who asks, and the clock.

use std::sync::Arc;

use jiff::Timestamp;
use veracta_store::{Committed, NewRecord, Store};

use crate::LifecycleError;

/// The surroundings of a request.
#[derive(Debug, Clone)]
pub struct Platform {
    /// The workspace.
    pub store: Arc<Store>,
    /// Who asks.
    pub actor: String,
    /// The clock; an argument, so that tests decide what time it is.
    pub clock: fn() -> Timestamp,
    /// Program with its version.
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

    /// Commits one record now.
    pub fn commit(&self, new: NewRecord) -> Result<Committed, LifecycleError> {
        Ok(self
            .store
            .transaction(&self.actor, &self.now())
            .commit(new)?)
    }

    /// Returns the operating system and processor.
    pub fn system(&self) -> String {
        format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
    }
}
