//! `document.export`: a generated document, what it rests on, and how many gaps it has.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// A document that was generated from records, with the digests of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentExport {
    /// Kind of document, such as `validation_report`.
    pub document: String,
    /// Version of the template that the document was generated with.
    pub template: String,
    /// SHA-256 of the model that the document describes.
    pub model: Hash,
    /// Each format with the SHA-256 of the bytes of the file.
    pub formats: Vec<(String, Hash)>,
    /// Positions in the ledger of the records that the document cites.
    pub sources: Vec<u64>,
    /// Number of values or statements that the document lacks.
    pub n_gaps: usize,
    /// `draft` until a person approves it.
    pub status: String,
}
