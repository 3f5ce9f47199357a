//! `ledger.checkpoint`: the opening of a log, which binds it to its key.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// The opening of a log. Later checkpoints are signed notes over the log itself, not entries in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerCheckpoint {
    /// Name of the log, as its checkpoints and its public key state it.
    pub origin: String,
    /// Public key of the log, as a vkey of the signed-note format (C2SP).
    pub key: String,
    /// Number of entries before this one: 0 in a new log.
    pub size: u64,
    /// Root hash of the Merkle tree (RFC 6962) before this entry, which is that of the empty tree.
    pub root: Hash,
    /// Name and version of the program that opened the log.
    pub program: String,
}
