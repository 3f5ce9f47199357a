//! Performance on the sealed test part, held against the plan.

use serde::Serialize;
use veracta_governance::plan::ValidationPlan;
use veracta_governance::record::{MetricResult, RocPoint, ValidationReport};
use veracta_ledger::Hash;
use veracta_statistics::calibration::{Binning, calibration_line, reliability};
use veracta_statistics::evaluation::roc_points;
use veracta_statistics::interval::{Estimate, metric_intervals};
use veracta_statistics::performance::{Confusion, METRICS, Metric, Scored};
use veracta_statistics::resampling::{Clusters, cluster_intervals};

use super::TestScores;
use crate::LifecycleError;
use crate::data::dataset::Dataset;

/// Bins of the reliability diagram.
const RELIABILITY_BINS: usize = 10;

/// The plan that results are held against.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Judged {
    /// The plan with every default written out.
    pub plan: ValidationPlan,
    /// SHA-256 of the plan, which the report names.
    pub plan_digest: Hash,
    /// Position of the record that fixed it, once there is one: how it came about, never what it is.
    #[serde(skip)]
    pub plan_idx: Option<u64>,
}

impl Judged {
    /// Returns the position of the record that fixed the plan; a result is not held against a plan that nobody recorded.
    pub(crate) fn recorded_at(&self) -> Result<u64, LifecycleError> {
        self.plan_idx.ok_or(LifecycleError::MissingEvidence {
            kind: "validation plan",
        })
    }
}

/// What is needed to validate beside rows and model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ValidateRequest {
    /// The plan that results are held against, with its place in the ledger.
    pub judged: Judged,
    /// Digest of the rows of the test part.
    pub test_part: String,
    /// ROC AUC on the training rows.
    pub training_roc_auc: Option<f64>,
}

impl ValidateRequest {
    /// Returns performance on the test part.
    pub(crate) fn record(
        &self,
        dataset: &Dataset,
        test: &TestScores,
        model: Hash,
    ) -> Result<ValidationReport, LifecycleError> {
        let plan = &self.judged.plan;
        let scored = Scored::new(&test.labels, &test.scores)?;
        let metrics = shown_metrics(plan);
        let (threshold, precision) = (plan.threshold, plan.precision());
        let estimates = match test.clusters(dataset, plan.clusters.as_ref())? {
            Some((of_row, n)) => {
                let clusters = Clusters { of_row: &of_row, n };
                cluster_intervals(&scored, clusters, &metrics, threshold, precision)
            }
            None => metric_intervals(&scored, &metrics, threshold, precision),
        };
        let results = metrics.into_iter().zip(estimates);
        let results = results.flat_map(|(metric, estimate)| judge(plan, metric, estimate));
        let roc = roc_points(&scored).into_iter();
        Ok(ValidationReport {
            plan_idx: self.judged.recorded_at()?,
            plan_digest: self.judged.plan_digest,
            model,
            dataset: dataset.digest,
            test_part: self.test_part.clone(),
            n: scored.n(),
            n_positive: scored.n_positive(),
            threshold,
            confusion: Confusion::at(&scored, threshold),
            results: results.collect(),
            roc: roc.map(|(fpr, tpr)| RocPoint { fpr, tpr }).collect(),
            reliability: reliability(&scored, RELIABILITY_BINS, Binning::Quantile),
            calibration: calibration_line(&scored),
            training_roc_auc: self.training_roc_auc,
            unknown: test.unknown.clone(),
        })
    }
}

/// KS, Gini and the trapezoid are transformations of the others: shown only when the plan asks for them.
fn shown_metrics(plan: &ValidationPlan) -> Vec<Metric> {
    let is_shown = |metric: &Metric| {
        let is_derived = matches!(
            metric,
            Metric::Ks
                | Metric::Gini
                | Metric::PrAucTrapezoid
                | Metric::D2LogLoss
                | Metric::Jaccard
        );
        !is_derived
            || plan
                .criteria
                .iter()
                .any(|criterion| criterion.metric == *metric)
    };
    let metrics = METRICS.iter().map(|descriptor| descriptor.metric);
    metrics.filter(is_shown).collect()
}

/// Returns a metric once for each of its criteria, or once without any.
fn judge(plan: &ValidationPlan, metric: Metric, estimate: Option<Estimate>) -> Vec<MetricResult> {
    let criteria = plan
        .criteria
        .iter()
        .filter(|criterion| criterion.metric == metric);
    let judged: Vec<MetricResult> = criteria
        .map(|criterion| MetricResult {
            metric,
            estimate: estimate.clone(),
            criterion: Some(criterion.limit.judge(estimate.as_ref())),
        })
        .collect();
    if !judged.is_empty() {
        return judged;
    }
    vec![MetricResult {
        metric,
        estimate,
        criterion: None,
    }]
}
