//! `dataset.split`: how a dataset version was divided, and proof that the parts do not overlap.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_statistics::split::{SplitProof, SplitShares};

/// How a dataset version was divided into parts to train, tune and test on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSplit {
    /// SHA-256 of the dataset version that was divided.
    pub dataset: Hash,
    /// The rule by which each row was given to a part.
    pub method: SplitMethod,
    /// Shares of rows to tune and to test on, and the seed of the draw.
    pub shares: SplitShares,
    /// Column of the subject, such as a patient, whose rows are all in one part; `None` when there is none.
    pub subject: Option<String>,
    /// Columns left out of the row digest, because they differ in every row.
    pub identifiers: Vec<String>,
    /// Rows and digest of each part, and counts of the rows and subjects that parts share.
    pub proof: SplitProof,
    /// SHA-256 of the assignment of rows to parts.
    pub assignment: Hash,
}

/// The rule by which rows are given to the parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitMethod {
    /// At random, with the same label share in each part.
    Stratified,
    /// By time: the latest rows are the test part.
    Time {
        /// Name of the column with the time of each row.
        column: String,
    },
    /// As a column of the data says, before this program saw it.
    Given {
        /// Name of the column whose words name the part of each row.
        column: String,
    },
}
