//! `robustness.report`: behaviour under noise, shift, missing inputs and values at their limits.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_ml::interval::Estimate;
use veracta_ml::performance::Metric;
use veracta_ml::robustness::ScenarioResult;

/// How a model stood scenarios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobustnessReport {
    /// Model tried.
    pub model: Hash,
    /// SHA-256 of the rows.
    pub data: Hash,
    /// Rows.
    pub n: usize,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// What was measured; `None` without labels.
    pub metric: Option<Metric>,
    /// The metric on the rows as they are.
    pub baseline: Option<Estimate>,
    /// One entry a scenario.
    pub scenarios: Vec<ScenarioResult>,
}
