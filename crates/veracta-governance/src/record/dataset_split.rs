//! `dataset.split`: how a dataset version was divided, and proof that the parts do not overlap.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_ml::split::{SplitProof, SplitShares};

/// A division of a dataset version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSplit {
    /// Dataset version divided.
    pub dataset: Hash,
    /// How.
    pub method: SplitMethod,
    /// Shares and seed.
    pub shares: SplitShares,
    /// Column whose rows stay together.
    pub subject: Option<String>,
    /// Columns left out of the row digest, because they differ in every row.
    pub identifiers: Vec<String>,
    /// Parts, digests and overlaps.
    pub proof: SplitProof,
    /// SHA-256 of the assignment of rows to parts.
    pub assignment: Hash,
}

/// How rows are divided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitMethod {
    /// At random, with the same label share in each part.
    Stratified,
    /// The latest rows test.
    Time {
        /// Column with the time.
        column: String,
    },
    /// As a column of the data says, before this program saw it.
    Given {
        /// Column with the part.
        column: String,
    },
}
