//! `model.card`: a generated model card, what it rests on, and how many gaps it has.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// A model card that was generated from records, with the digests of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// Version of the template that the card was generated with.
    pub template: String,
    /// SHA-256 of the model that the card describes.
    pub model: Hash,
    /// Each format with the SHA-256 of the bytes of the file.
    pub formats: Vec<(String, Hash)>,
    /// Positions in the ledger of the records that the card cites.
    pub sources: Vec<u64>,
    /// Number of values or statements that the card lacks.
    pub n_gaps: usize,
    /// `draft` until a person approves it.
    pub status: String,
}
