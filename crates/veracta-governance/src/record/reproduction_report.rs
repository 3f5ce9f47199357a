//! `reproduction.report`: a second execution of a pipeline and how far its outputs differ.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// The comparison of a pipeline's recorded outputs with those of a second execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReproductionReport {
    /// SHA-256 of the model version that was made again.
    pub model: Hash,
    /// Position in the ledger of the record of that model version.
    pub model_idx: u64,
    /// How closely the second execution agrees with the recorded one.
    pub outcome: ReproductionOutcome,
    /// Recorded and second digest of each output.
    pub outputs: Vec<OutputComparison>,
    /// Largest difference of a test score, when scores were compared.
    pub score_delta_max: Option<f64>,
    /// Difference of a test score that counts as none.
    pub tolerance: f64,
    /// Program and system of the second execution, in words.
    pub environment: String,
}

/// How closely a second execution agrees with the recorded one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReproductionOutcome {
    /// Every output has the same digest.
    Bitwise,
    /// Digests differ, scores agree within the tolerance.
    WithinTolerance,
    /// Scores differ, or an output is missing.
    Differs,
}

/// The digests of one output, recorded and made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputComparison {
    /// Step and output, such as `train/model`.
    pub output: String,
    /// SHA-256 of the output, as it was recorded.
    pub expected: Hash,
    /// Digest of the second execution; `None` when it did not produce the output.
    pub found: Option<Hash>,
}
