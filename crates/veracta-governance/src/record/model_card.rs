//! `model.card`: a generated model card, what it rests on, and how many gaps it has.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// A generated model card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// Template version.
    pub template: String,
    /// Model it is about.
    pub model: Hash,
    /// Formats with the digest of their bytes.
    pub formats: Vec<(String, Hash)>,
    /// Records it rests on.
    pub sources: Vec<u64>,
    /// Values or statements that are missing.
    pub n_gaps: usize,
    /// `draft` until a person approves it.
    pub status: String,
}
