//! `erasure.receipt`: what was erased for good, why, and what stays.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// A receipt of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureReceipt {
    /// What was erased, such as `run:…`.
    pub subject_ref: String,
    /// Why.
    pub reason: String,
    /// How: `rows_deleted`, since values lie in one database and one object store.
    pub method: String,
    /// Entries whose records were erased; the entries stay.
    pub records: Vec<u64>,
    /// Files whose bytes were erased, since nothing else refers to them.
    pub artifacts: Vec<Hash>,
    /// Models that were made from what was erased and still carry its influence.
    pub models_affected: Vec<String>,
    /// What remains: the entries with their digests.
    pub remains: String,
}
