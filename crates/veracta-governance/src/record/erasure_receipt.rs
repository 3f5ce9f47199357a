//! `erasure.receipt`: what was erased for good, why, and what stays.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// The record that something was erased for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureReceipt {
    /// Subject of what was erased, such as `run:…`.
    pub subject_ref: String,
    /// The reason for the erasure, as the person who asked for it stated it.
    pub reason: String,
    /// How: `rows_deleted`, since values lie in one database and one object store.
    pub method: String,
    /// Entries whose records were erased; the entries stay.
    pub records: Vec<u64>,
    /// Files whose bytes were erased, since nothing else refers to them.
    pub artifacts: Vec<Hash>,
    /// Models that were made from what was erased and still carry its influence.
    pub models_affected: Vec<String>,
    /// What remains after the erasure, in words.
    pub remains: String,
}
