//! `validation.report`: performance on a sealed test part against criteria fixed beforehand.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_ml::calibration::{CalibrationLine, Reliability};
use veracta_ml::interval::Estimate;
use veracta_ml::performance::{Confusion, Metric};

use crate::plan::CriterionOutcome;

/// Performance on the test part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationReport {
    /// Position of the plan's record.
    pub plan_idx: u64,
    /// SHA-256 of the plan.
    pub plan_digest: Hash,
    /// Model tested.
    pub model: Hash,
    /// Dataset version it was tested on.
    pub dataset: Hash,
    /// Digest of the test part.
    pub test_part: String,
    /// Test rows.
    pub n: usize,
    /// Positive test rows.
    pub n_positive: usize,
    /// Threshold of a positive prediction.
    pub threshold: f64,
    /// Outcome counts at the threshold.
    pub confusion: Confusion,
    /// Metrics with their intervals and criteria.
    pub results: Vec<MetricResult>,
    /// ROC curve, thinned to at most 201 points, for the plot.
    pub roc: Vec<RocPoint>,
    /// Reliability curve over ten bins of equal count.
    pub reliability: Reliability,
    /// Slope and intercept of the recalibration line.
    pub calibration: Option<CalibrationLine>,
    /// ROC AUC on the training rows, to show overfitting.
    pub training_roc_auc: Option<f64>,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricResult {
    /// Which.
    pub metric: Metric,
    /// Its value and interval; `None` when it is not defined on this part.
    pub estimate: Option<Estimate>,
    /// The criterion it was held against, and how that ended.
    pub criterion: Option<CriterionOutcome>,
}

/// A point of a ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocPoint {
    /// False positive rate.
    pub fpr: f64,
    /// True positive rate.
    pub tpr: f64,
}
