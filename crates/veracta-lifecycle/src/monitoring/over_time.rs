//! A metric over windows of a file whose labels may not all have come.

use std::path::Path;

use serde::Serialize;
use veracta_data::reading::ReadOptions;
use veracta_data::table::{Coded, MISSING};
use veracta_documents::report::tasks;
use veracta_statistics::interval::Precision;
use veracta_statistics::performance::Metric;
use veracta_statistics::windows::{Delayed, Window, WindowMetric, metric_by_window};

use super::windows::{WindowColumns, windows_of};
use crate::LifecycleError;
use crate::data::{column, file_name, numbers, read_table};
use crate::outcome::Outcome;
use crate::validation::evaluate::ScoredColumns;

/// A metric over windows of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricOverTime {
    /// Metric that is measured in each window.
    pub metric: Metric,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// Share of a window's rows that must have their label.
    pub labelled: f64,
    /// Windows, earliest first, under names that say where they start: a row, a number or a date.
    pub windows: Vec<(String, WindowMetric)>,
}

/// Which metric of which score is measured, in which windows.
#[derive(Debug, Clone)]
pub struct OverTimeRequest<'p> {
    /// File of labels and scores.
    pub data: &'p Path,
    /// How a CSV file is read.
    pub csv: ReadOptions,
    /// Columns of the label and of one score.
    pub columns: ScoredColumns,
    /// How the file is cut.
    pub how: WindowColumns,
    /// Metric that is measured in each window.
    pub metric: Metric,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// Share of a window's rows that must have their label.
    pub labelled: f64,
    /// Confidence level of the intervals and bands, and resamples and seed of those without a formula.
    pub precision: Precision,
}

impl OverTimeRequest<'_> {
    /// Measures the metric in each window.
    pub fn measure(&self) -> Result<Outcome<MetricOverTime>, LifecycleError> {
        let found = metric_over_time(self)?;
        let subject = format!(
            "{} of {}",
            self.columns.scores.join(", "),
            file_name(self.data)
        );
        Ok(Outcome {
            report: tasks::over_time(&subject, self.metric, &found.windows, found.labelled),
            measurement: found,
            record: None,
        })
    }
}

fn metric_over_time(request: &OverTimeRequest<'_>) -> Result<MetricOverTime, LifecycleError> {
    let OverTimeRequest {
        data,
        csv,
        columns,
        how,
        metric,
        threshold,
        labelled,
        precision,
    } = request;
    let table = read_table(data, csv)?.table;
    let coded = column(&table, &columns.label)?.codes();
    let positive = columns.positive.clone().unwrap_or_else(|| "1".to_owned());
    let meant = coded.code_of(&positive);
    let Coded { codes, levels } = coded;
    let Some(meant) = meant.filter(|_| levels.len() <= 2) else {
        let reason = format!(
            "there are {} values, and `{positive}` is to be one of two (`--positive` says which)",
            levels.len()
        );
        return Err(LifecycleError::Label {
            file: data.display().to_string(),
            column: columns.label.clone(),
            reason,
        });
    };
    let is_positive = |code: &u32| (*code != MISSING).then_some(*code as usize == meant);
    let labels: Vec<Option<bool>> = codes.iter().map(is_positive).collect();
    let scores = numbers(&table, &columns.scores[0], data)?;
    let named = windows_of(&table, how, data)?;
    let windows: Vec<Window> = named.iter().map(|named| named.window.clone()).collect();
    let found = metric_by_window(
        Delayed {
            labels: &labels,
            scores: &scores,
        },
        &windows,
        *metric,
        *threshold,
        *labelled,
        *precision,
    );
    Ok(MetricOverTime {
        metric: *metric,
        threshold: *threshold,
        labelled: *labelled,
        windows: named
            .into_iter()
            .map(|named| named.name)
            .zip(found)
            .collect(),
    })
}
