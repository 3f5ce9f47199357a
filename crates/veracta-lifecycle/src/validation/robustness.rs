//! What becomes of a model when its inputs go wrong.

use serde::Serialize;
use veracta_governance::record::RobustnessReport;
use veracta_ledger::Hash;
use veracta_model::model::{Batch, Model};
use veracta_statistics::interval::{Estimate, Precision, metric_interval};
use veracta_statistics::performance::{Metric, Scored};
use veracta_statistics::robustness::{Scenario, ScenarioResult, Tried, robustness};

use crate::LifecycleError;
use crate::deployment::predict::predictor;

/// What is tried, and by which metric it is judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScenarioRequest {
    /// The metric, where there are labels.
    pub metric: Metric,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// How intervals are made.
    pub precision: Precision,
    /// What goes wrong.
    pub scenarios: Vec<Scenario>,
}

/// How a model stood the scenarios.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RobustnessMeasurement {
    /// The kind of model.
    pub model: String,
    /// Rows.
    pub n: usize,
    /// What was measured, when there were labels.
    pub metric: Option<Metric>,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// The metric on the rows as they are.
    pub baseline: Option<Estimate>,
    /// One entry a scenario.
    pub scenarios: Vec<ScenarioResult>,
}

impl RobustnessMeasurement {
    /// Returns the record of it.
    pub fn record(&self, model: Hash, data: Hash) -> RobustnessReport {
        RobustnessReport {
            model,
            data,
            n: self.n,
            threshold: self.threshold,
            metric: self.metric,
            baseline: self.baseline.clone(),
            scenarios: self.scenarios.clone(),
        }
    }
}

/// Tries a model under every scenario.
pub fn try_scenarios(
    model: &Model,
    rows: &Batch,
    labels: Option<&[bool]>,
    request: &ScenarioRequest,
) -> Result<RobustnessMeasurement, LifecycleError> {
    let Precision { level, bootstrap } = request.precision;
    let (metric, threshold) = (request.metric, request.threshold);
    // What the model refuses of the rows as they are is told, not counted.
    let scores = model.predict(rows)?;
    let first = scores.values.iter().step_by(scores.n_outputs).copied();
    let first: Vec<f64> = first.collect();
    let is_number = model.is_number();
    let tried = Tried {
        rows,
        is_number: &is_number,
        labels,
        metric,
        threshold,
        level,
    };
    let baseline = match labels {
        Some(labels) => {
            let scored = Scored::new(labels, &first)?;
            metric_interval(&scored, metric, threshold, level, bootstrap)
        }
        None => None,
    };
    let predict = predictor(model, rows.n_columns, 0);
    Ok(RobustnessMeasurement {
        model: model.kind(),
        n: rows.n_rows,
        metric: labels.map(|_| metric),
        threshold,
        baseline,
        scenarios: robustness(&predict, tried, &request.scenarios, bootstrap),
    })
}
