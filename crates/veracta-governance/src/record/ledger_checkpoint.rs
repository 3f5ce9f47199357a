//! `ledger.checkpoint`: the opening of a log, which binds it to its key.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// The opening of a log. Later checkpoints are signed notes over the log itself, not entries in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerCheckpoint {
    /// Name of the log.
    pub origin: String,
    /// Its public key, as a vkey.
    pub key: String,
    /// Entries before this one: 0.
    pub size: u64,
    /// Root before this entry.
    pub root: Hash,
    /// Program that opened it.
    pub program: String,
}
