//! `robustness.report`: behaviour under noise, shift, missing inputs and values at their limits.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_model::model::UnknownValues;
use veracta_statistics::interval::Estimate;
use veracta_statistics::performance::Metric;
use veracta_statistics::robustness::ScenarioResult;

/// How the predictions of a model change when its inputs are disturbed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobustnessReport {
    /// SHA-256 of the model whose predictions were observed.
    pub model: Hash,
    /// SHA-256 of the file with the unchanged rows.
    pub data: Hash,
    /// Number of rows in that file.
    pub n: usize,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// The metric that was measured; `None` when the rows have no labels.
    pub metric: Option<Metric>,
    /// The metric on the rows as they are.
    pub baseline: Option<Estimate>,
    /// One result for each scenario that was tried.
    pub scenarios: Vec<ScenarioResult>,
    /// Values of the rows that the model does not know, by column; since version 2.
    #[serde(default)]
    pub unknown: Vec<UnknownValues>,
}
