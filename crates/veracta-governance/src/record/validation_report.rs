//! `validation.report`: performance on a sealed test part against criteria fixed beforehand.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_model::model::UnknownValues;
use veracta_statistics::calibration::{CalibrationLine, Reliability};
use veracta_statistics::interval::Estimate;
use veracta_statistics::performance::{Confusion, Metric};

use crate::plan::CriterionOutcome;

/// Performance of a model on the test part, compared with the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationReport {
    /// Position in the ledger of the record with the plan.
    pub plan_idx: u64,
    /// SHA-256 of the plan as JSON, as `ValidationPlan::digest` returns it.
    pub plan_digest: Hash,
    /// SHA-256 of the model that was tested.
    pub model: Hash,
    /// SHA-256 of the dataset version that the test part belongs to.
    pub dataset: Hash,
    /// Digest of the test part, as the record of the split states it.
    pub test_part: String,
    /// Number of rows in the test part.
    pub n: usize,
    /// Number of rows in the test part with a positive label.
    pub n_positive: usize,
    /// Score from which a prediction is positive.
    pub threshold: f64,
    /// Counts of true and false positives and negatives at the threshold.
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
    /// Values of the dataset, all parts of it, that the model does not know, by column; since version 2.
    #[serde(default)]
    pub unknown: Vec<UnknownValues>,
}

/// The result for one metric on the test part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricResult {
    /// The metric that was measured on the test part.
    pub metric: Metric,
    /// Its value and interval; `None` when it is not defined on this part.
    pub estimate: Option<Estimate>,
    /// The criterion it was held against, and how that ended.
    pub criterion: Option<CriterionOutcome>,
}

/// A point of a ROC curve: the two rates at one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocPoint {
    /// Share of the negatives that are predicted positive at this threshold, from 0 to 1.
    pub fpr: f64,
    /// Share of the positives that are predicted positive at this threshold, from 0 to 1.
    pub tpr: f64,
}
