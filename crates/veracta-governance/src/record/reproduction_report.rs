//! `reproduction.report`: a second execution of a pipeline and how far its outputs differ.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// A second execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReproductionReport {
    /// Model version that was made again.
    pub model: Hash,
    /// Position of its record.
    pub model_idx: u64,
    /// How it ended.
    pub outcome: ReproductionOutcome,
    /// Outputs side by side.
    pub outputs: Vec<OutputComparison>,
    /// Largest difference of a test score, when scores were compared.
    pub score_delta_max: Option<f64>,
    /// Difference of a test score that counts as none.
    pub tolerance: f64,
    /// Program and platform of the second execution.
    pub environment: String,
}

/// How a second execution ended.
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

/// One output, recorded and made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputComparison {
    /// Step and output, such as `train/model`.
    pub output: String,
    /// Recorded digest.
    pub expected: Hash,
    /// Digest of the second execution; `None` when it did not produce the output.
    pub found: Option<Hash>,
}
