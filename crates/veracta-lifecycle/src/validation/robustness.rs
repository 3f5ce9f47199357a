//! What becomes of a model when its inputs go wrong.

use std::path::Path;

use serde::Serialize;
use veracta_data::reading::ReadOptions;
use veracta_documents::report::robustness::scenarios as report;
use veracta_governance::record::{Record, RobustnessReport};
use veracta_ledger::Hash;
use veracta_model::model::{Batch, Model, UnknownValues};
use veracta_statistics::interval::{Estimate, Precision, metric_interval};
use veracta_statistics::performance::{Metric, Scored};
use veracta_statistics::robustness::{Scenario, ScenarioResult, Tried, robustness};

use crate::LifecycleError;
use crate::data::{file_name, hash_file, read_labels};
use crate::deployment::predict::{Rounds, apply, predictor};
use crate::outcome::{MeasuredOf, Outcome, Recordable};

/// What is tried, and by which metric it is judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScenarioRequest {
    /// The metric, where there are labels.
    pub metric: Metric,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// Confidence level of the intervals, and resamples and seed of what has no formula; scenarios draw from that seed too.
    pub precision: Precision,
    /// Changes to the rows, each tried on the rows as they are.
    pub scenarios: Vec<Scenario>,
}

/// How a model stood the scenarios.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RobustnessMeasurement {
    /// What the model is, in the words of [`Model::kind`].
    pub model: String,
    /// Rows that every scenario was tried on.
    pub n: usize,
    /// What was measured, when there were labels.
    pub metric: Option<Metric>,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// The metric on the rows as they are.
    pub baseline: Option<Estimate>,
    /// One result for each scenario, in the order of the request.
    pub scenarios: Vec<ScenarioResult>,
}

impl RobustnessMeasurement {
    /// Returns the record of it.
    pub fn record(&self, model: Hash, data: Hash, unknown: Vec<UnknownValues>) -> RobustnessReport {
        RobustnessReport {
            model,
            data,
            n: self.n,
            threshold: self.threshold,
            metric: self.metric,
            baseline: self.baseline.clone(),
            scenarios: self.scenarios.clone(),
            unknown,
        }
    }
}

/// Which model is tried on which file.
#[derive(Debug, Clone)]
pub struct RobustnessRequest<'p> {
    /// File of the model, which gives the probability of one of two classes.
    pub model: &'p Path,
    /// CSV or Parquet file of the rows that are changed.
    pub data: &'p Path,
    /// How a CSV file is read.
    pub csv: ReadOptions,
    /// Column of the label with its positive value; without one no metric is measured.
    pub label: Option<(String, Option<String>)>,
    /// Scenarios that are tried, and how they are measured.
    pub scenarios: ScenarioRequest,
}

impl RobustnessRequest<'_> {
    /// Tries the model under every scenario.
    pub fn measure(&self) -> Result<Outcome<RobustnessMeasurement>, LifecycleError> {
        let applied = apply(self.model, Rounds::All, self.data, &self.csv)?;
        let scores = applied.model.predict(&applied.rows)?;
        let is_share = |score: &f64| (0.0..=1.0).contains(score);
        if scores.n_outputs != 1 || !scores.values.iter().all(is_share) {
            return Err(LifecycleError::NotDefined {
                what: "robustness, which needs the probability of one of two classes,",
            });
        }
        let labels = match &self.label {
            Some((label, positive)) => Some(read_labels(
                self.data,
                &self.csv,
                label,
                applied.positive(label, positive.as_deref()),
            )?),
            None => None,
        };
        let found = try_scenarios(
            &applied.model,
            &applied.rows,
            labels.as_deref(),
            &self.scenarios,
        )?;
        let (model, data) = (hash_file(self.model)?.0, hash_file(self.data)?.0);
        let (recorded, unknown) = (found.clone(), applied.unknown.clone());
        let record = Recordable::new(MeasuredOf::Model(model), move |model| {
            Record::RobustnessReport(recorded.record(model, data, unknown))
        });
        let subject = format!("{} on {}", file_name(self.model), file_name(self.data));
        Ok(Outcome {
            report: report(
                &subject,
                found.n,
                found.metric,
                found.baseline.as_ref(),
                found.threshold,
                &found.scenarios,
            ),
            measurement: found,
            record: Some(record),
        })
    }
}

/// Tries a model under every scenario.
pub(crate) fn try_scenarios(
    model: &Model,
    rows: &Batch,
    labels: Option<&[bool]>,
    request: &ScenarioRequest,
) -> Result<RobustnessMeasurement, LifecycleError> {
    let precision = request.precision;
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
        level: precision.level,
    };
    let baseline = match labels {
        Some(labels) => {
            let scored = Scored::new(labels, &first)?;
            metric_interval(&scored, metric, threshold, precision)
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
        scenarios: robustness(&predict, tried, &request.scenarios, precision.bootstrap),
    })
}
