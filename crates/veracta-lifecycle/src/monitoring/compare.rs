//! Newer rows against the training part of a pipeline, and performance on them when they have labels.

use serde::Serialize;
use veracta_data::source::Source;
use veracta_data::table::Table;
use veracta_governance::record::{DriftReport, PerformanceReport};
use veracta_ledger::Hash;
use veracta_model::model::Model;
use veracta_statistics::drift::measurement::{DriftMeasurement, DriftOptions, measure_column};
use veracta_statistics::drift::rule::Tolerances;
use veracta_statistics::evaluation::{EvaluationOptions, Intervals, evaluate};
use veracta_statistics::interval::Precision;
use veracta_statistics::performance::Scored;
use veracta_statistics::split::Part;

use crate::LifecycleError;
use crate::data::dataset::{Dataset, LabelRequest};
use crate::data::parts::rows_of;
use crate::data::{binary_labels, rows_for};

/// How newer rows are compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CompareRequest {
    /// Share of rows by which the distribution of an input may differ.
    pub tolerance: f64,
    /// Inputs that are left out.
    pub without: Vec<String>,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// Rows below which a group is not compared.
    pub group_rows_min: usize,
    /// Confidence level of the bounds on drift and of the metrics' intervals, and the resamples of metrics without a formula.
    pub precision: Precision,
}

/// Newer rows that are compared with the training part.
pub(crate) struct Compared<'c> {
    /// What the rows were read from; errors about their labels name its path.
    pub source: &'c Source,
    /// SHA-256 of the bytes they were read from; both reports name it as the data that was measured.
    pub digest: Hash,
    /// The rows with all their columns; columns that the dataset does not have are reported as added.
    pub current: &'c Table,
    /// Label of the dataset. Performance is measured when `current` has its column and no watched input is lost.
    pub label: &'c LabelRequest,
}

/// Returns how the inputs drifted, and how well the model does when the newer rows have every input and the label.
pub(crate) fn drift_and_performance(
    request: &CompareRequest,
    compared: &Compared<'_>,
    dataset: &Dataset,
    (model, digest): (&Model, Hash),
    parts: &[Part],
) -> Result<(DriftReport, Option<PerformanceReport>), LifecycleError> {
    let measured = measure_inputs(request, compared.current, dataset, model, parts);
    let drift = DriftReport::new(digest, [dataset.digest, compared.digest], &measured);
    let mut columns = compared.current.columns.iter();
    let has_label = columns.any(|column| column.name == compared.label.column);
    if !measured.lost.is_empty() || !has_label {
        return Ok((drift, None));
    }
    let label = compared.label;
    let path = &compared.source.path;
    let labels = binary_labels(compared.current, path, &label.column, Some(&label.positive))?;
    let rows = rows_for(model, compared.source, &dataset.reading.options())?;
    let scores = model.probabilities(&rows.batch)?;
    let options = EvaluationOptions {
        metrics: Vec::new(),
        threshold: request.threshold,
        precision: request.precision,
        group_rows_min: request.group_rows_min,
        intervals: Intervals::Preferred,
        recalibrate: false,
    };
    let found = evaluate(&Scored::new(&labels, &scores)?, &[], None, options);
    let performance = PerformanceReport {
        unknown: rows.unknown,
        ..PerformanceReport::new(digest, compared.digest, &found)
    };
    Ok((drift, Some(performance)))
}

/// Measures the drift of each input of the model from the training part.
fn measure_inputs(
    request: &CompareRequest,
    current: &Table,
    dataset: &Dataset,
    model: &Model,
    parts: &[Part],
) -> DriftMeasurement {
    let training = dataset.table.select_rows(&rows_of(parts, Part::Train));
    let inputs = model.signature.inputs.iter().map(|input| &input.name);
    let watched: Vec<&String> = inputs
        .filter(|name| !request.without.contains(name))
        .collect();
    let options = DriftOptions {
        tolerances: Tolerances {
            effect: request.tolerance,
            level: request.precision.level,
            ..Tolerances::default()
        },
        ..DriftOptions::default()
    };
    let (mut columns, mut lost) = (Vec::new(), Vec::new());
    for name in &watched {
        let before = training
            .column(name)
            .expect("inputs are columns of the dataset");
        let now = current.columns.iter().find(|column| column.name == **name);
        match now.and_then(|now| measure_column(before, now, watched.len(), &options)) {
            Some(found) => columns.push(found),
            None => lost.push((*name).clone()),
        }
    }
    let is_known = |name: &String| {
        dataset
            .table
            .columns
            .iter()
            .any(|column| column.name == *name)
    };
    let added = current.columns.iter().map(|column| column.name.clone());
    let added = added.filter(|name| !is_known(name)).collect();
    let n_rows = [training.n_rows, current.n_rows];
    DriftMeasurement::new(n_rows, options, columns, lost, added)
}
