//! Performance and error expected where labels have not come.

use std::path::Path;

use serde::Serialize;
use veracta_data::reading::ReadOptions;
use veracta_data::table::{Table, Values};
use veracta_documents::report::tasks;
use veracta_model::model::{Input, encode};
use veracta_statistics::interval::{Estimate, Precision};
use veracta_statistics::performance::estimated::{
    LossModel, absolute_errors, expected_confusion, expected_intervals,
};
use veracta_statistics::performance::{Confusion, METRICS, Metric};

use crate::LifecycleError;
use crate::data::{file_name, numbers, read_table};
use crate::outcome::Outcome;

/// Performance expected from probabilities alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpectedPerformance {
    /// Rows of the file, each with a probability.
    pub n: usize,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// Expected counts at the threshold.
    pub confusion: Confusion,
    /// Each metric with the band in which it would be seen.
    pub metrics: Vec<(Metric, Option<Estimate>)>,
}

/// Of which calibrated probabilities the performance is estimated.
#[derive(Debug, Clone)]
pub struct ExpectedRequest<'p> {
    /// File with a column of calibrated probabilities; labels are not read.
    pub data: &'p Path,
    /// How a CSV file is read.
    pub csv: ReadOptions,
    /// Column of the probabilities, each from 0 to 1.
    pub score: String,
    /// Metrics that are estimated; every known one when empty.
    pub metrics: Vec<Metric>,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// How the bands are made.
    pub precision: Precision,
}

impl ExpectedRequest<'_> {
    /// Estimates the performance without labels.
    pub fn measure(&self) -> Result<Outcome<ExpectedPerformance>, LifecycleError> {
        let found = expected(self)?;
        let subject = format!("{} of {}", self.score, file_name(self.data));
        Ok(Outcome {
            report: tasks::expected(&subject, found.n, &found.confusion, &found.metrics),
            measurement: found,
            record: None,
        })
    }
}

fn expected(request: &ExpectedRequest<'_>) -> Result<ExpectedPerformance, LifecycleError> {
    let ExpectedRequest {
        data,
        csv,
        score,
        metrics,
        threshold,
        precision,
    } = request;
    let table = read_table(data, csv)?.table;
    let probabilities = numbers(&table, score, data)?;
    if let Some(row) = probabilities.iter().position(|p| !(0.0..=1.0).contains(p)) {
        let reason = format!("row {} is not a probability", row + 1);
        return Err(LifecycleError::ScoreColumn {
            file: data.display().to_string(),
            column: score.clone(),
            reason,
        });
    }
    let all: Vec<Metric> = METRICS.iter().map(|entry| entry.metric).collect();
    let asked = if metrics.is_empty() {
        &all[..]
    } else {
        metrics
    };
    let found = asked.iter().copied().zip(expected_intervals(
        asked,
        &probabilities,
        *threshold,
        *precision,
    ));
    Ok(ExpectedPerformance {
        n: table.n_rows,
        threshold: *threshold,
        confusion: expected_confusion(&probabilities, *threshold),
        metrics: found.collect(),
    })
}

/// The error of a regression expected where its label has not come.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpectedError {
    /// Rows of the reference, whose labels are known, and of the current file.
    pub n: [usize; 2],
    /// Columns that foretell the error, the prediction among them.
    pub inputs: Vec<String>,
    /// Mean absolute error on the reference.
    pub reference_mae: f64,
    /// Mean absolute error expected on the current file, with the band in which it would be seen.
    pub expected_mae: Option<Estimate>,
}

/// On which file the error of a regression is estimated, from which reference.
#[derive(Debug, Clone)]
pub struct ExpectedErrorRequest<'p> {
    /// File whose labels are known.
    pub reference: &'p Path,
    /// File whose labels have not come.
    pub current: &'p Path,
    /// How CSV files are read.
    pub csv: ReadOptions,
    /// Column of the true number in the reference.
    pub label: String,
    /// Column of the predicted number in both.
    pub score: String,
    /// Confidence level of the band.
    pub level: f64,
}

impl ExpectedErrorRequest<'_> {
    /// Estimates the error from a reference with labels (direct loss estimation).
    pub fn measure(&self) -> Result<Outcome<ExpectedError>, LifecycleError> {
        let found = expected_error(self)?;
        let report = tasks::expected_error(
            &file_name(self.current),
            found.n,
            found.reference_mae,
            found.expected_mae.as_ref(),
            &found.inputs,
        );
        Ok(Outcome {
            measurement: found,
            report,
            record: None,
        })
    }
}

fn expected_error(request: &ExpectedErrorRequest<'_>) -> Result<ExpectedError, LifecycleError> {
    let ExpectedErrorRequest {
        reference,
        current,
        csv,
        label,
        score,
        level,
    } = request;
    let (before, now) = (
        read_table(reference, csv)?.table,
        read_table(current, csv)?.table,
    );
    let (truths, predictions) = (
        numbers(&before, label, reference)?,
        numbers(&before, score, reference)?,
    );
    numbers(&now, score, current)?;
    let is_number = |table: &Table, name: &str| {
        table
            .columns
            .iter()
            .any(|column| column.name == name && matches!(column.values, Values::Numeric(_)))
    };
    let names = before.columns.iter().map(|column| column.name.clone());
    let inputs: Vec<String> = names
        .filter(|name| name != label && is_number(&before, name) && is_number(&now, name))
        .collect();
    let described: Vec<Input> = inputs
        .iter()
        .map(|name| Input::number(name.clone()))
        .collect();
    let losses = absolute_errors(&truths, &predictions);
    let model = LossModel::fit(&encode(&before, &described)?, &losses)?;
    Ok(ExpectedError {
        n: [before.n_rows, now.n_rows],
        inputs,
        reference_mae: veracta_model::numeric::mean(&losses).unwrap_or(f64::NAN),
        expected_mae: model.expected(&encode(&now, &described)?, *level),
    })
}
