//! `document.export`: a generated document, what it rests on, and how many gaps it has.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// A generated document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentExport {
    /// Kind of document, such as `validation_report`.
    pub document: String,
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
