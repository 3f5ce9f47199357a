//! Measuring a file of labels of two classes and their scores.

use std::path::Path;

use veracta_data::reading::{Notes, ReadOptions};
use veracta_data::table::{Coded, Column, Table};
use veracta_documents::report::comparison;
use veracta_documents::report::evaluation::report;
use veracta_governance::record::{PerformanceReport, Record};
use veracta_statistics::evaluation::{
    Evaluation, EvaluationOptions, Grouping, PairedEvaluation, compare, evaluate, needs_probability,
};
use veracta_statistics::performance::{METRICS, Metric, Scored};
use veracta_statistics::resampling::{CLUSTERS_MIN, Clusters};

use crate::LifecycleError;
use crate::data::{class_names, clusters, column, file_name, hash_file, numbers, read_table};
use crate::outcome::{MeasuredOf, Outcome, Recordable};

/// Which columns hold labels and scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoredColumns {
    /// Column of the label, with at most two values; a row may lack one only where windows are measured.
    pub label: String,
    /// Value that counts as positive; 1 when not given.
    pub positive: Option<String>,
    /// Columns of finite scores: the first is measured, and a comparison takes the second beside it.
    pub scores: Vec<String>,
}

/// Columns whose groups are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupColumns {
    /// Each is compared on its own, and all together crossed when there are several.
    pub groups: Vec<String>,
    /// Compare within each level of this column.
    pub control: Option<String>,
    /// Rows with the same value here are not independent: a subject, a night, a patient.
    pub cluster: Option<String>,
}

/// Labels and scores of a file.
struct Rows {
    table: Table,
    labels: Vec<bool>,
    scores: Vec<Vec<f64>>,
}

fn read(data: &Path, csv: &ReadOptions, columns: &ScoredColumns) -> Result<Rows, LifecycleError> {
    let table = read_table(data, csv)?.table;
    let file = || data.display().to_string();
    let refuse_label = |reason: String| LifecycleError::Label {
        file: file(),
        column: columns.label.clone(),
        reason,
    };
    let label = column(&table, &columns.label)?;
    let n_missing = (0..table.n_rows)
        .filter(|row| label.is_missing(*row))
        .count();
    if n_missing > 0 {
        return Err(refuse_label(format!(
            "{n_missing} of {} rows have no label",
            table.n_rows
        )));
    }
    let coded = label.groups();
    let positive = columns.positive.clone().unwrap_or_else(|| "1".to_owned());
    let meant = coded.code_of(&positive);
    let Coded { codes, levels } = coded;
    let shown = class_names(&levels);
    // Labels that are all 0 are of one class, which leaves most of it undefined but says so.
    let is_all_negative = columns.positive.is_none() && levels == ["0"];
    let Some(code) = meant.or(is_all_negative.then_some(usize::MAX)) else {
        return Err(refuse_label(format!(
            "no row has the positive value `{positive}`; there are {shown} (`--positive` says which)"
        )));
    };
    if levels.len() > 2 {
        return Err(refuse_label(format!(
            "there are more than two values: {shown}"
        )));
    }
    let scores = columns
        .scores
        .iter()
        .map(|name| numbers(&table, name, data));
    let scores = scores.collect::<Result<_, _>>()?;
    let labels = codes.iter().map(|held| *held as usize == code).collect();
    Ok(Rows {
        table,
        labels,
        scores,
    })
}

/// Which score of which file is evaluated, by which groups and how.
#[derive(Debug, Clone)]
pub struct EvaluateRequest<'p> {
    /// File of labels and scores.
    pub data: &'p Path,
    /// How a CSV file is read.
    pub csv: ReadOptions,
    /// Columns of the label and of the one score.
    pub columns: ScoredColumns,
    /// Columns whose groups are compared.
    pub groups: GroupColumns,
    /// Metrics, threshold, intervals, and whether recalibration is tried.
    pub options: EvaluationOptions,
}

impl EvaluateRequest<'_> {
    /// Measures performance, calibration and fairness of a score of two classes.
    pub fn measure(&self) -> Result<Outcome<Evaluation>, LifecycleError> {
        let measurement = evaluate_file(self)?;
        let digest = hash_file(self.data)?.0;
        let recorded = measurement.clone();
        let record = Recordable::new(MeasuredOf::Scores, move |model| {
            Record::PerformanceReport(PerformanceReport::new(model, digest, &recorded))
        });
        let ScoredColumns {
            label,
            positive,
            scores,
        } = &self.columns;
        let subject = format!(
            "{} of {} for {label} = {}",
            scores.join(", "),
            file_name(self.data),
            positive.as_deref().unwrap_or("1")
        );
        Ok(Outcome {
            report: report(&subject, &measurement),
            measurement,
            record: Some(record),
        })
    }
}

/// Says what is not measured, and where predictions are cut, when scores are no probabilities.
fn note_no_probabilities(column: &str, scores: &[f64], options: &EvaluationOptions, notes: &Notes) {
    let is_outside = |score: &&f64| !(0.0..=1.0).contains(*score);
    let n_outside = scores.iter().filter(is_outside).count();
    if n_outside == 0 {
        return;
    }
    let is_asked = |metric: &Metric| options.metrics.is_empty() || options.metrics.contains(metric);
    let missed = METRICS.iter().filter(|entry| is_asked(&entry.metric));
    let missed = missed.filter(|entry| needs_probability(entry.metric));
    let missed: Vec<&str> = missed.map(|entry| entry.title).collect();
    let missed = match missed.is_empty() {
        true => String::new(),
        false => format!(
            "; not measured, as probabilities are needed: {}",
            missed.join(", ")
        ),
    };
    notes.add(format!(
        "{n_outside} of {} scores in `{column}` are beyond 0 to 1; predictions are cut at {} (`--threshold`){missed}",
        scores.len(),
        options.threshold
    ));
}

fn evaluate_file(request: &EvaluateRequest<'_>) -> Result<Evaluation, LifecycleError> {
    let EvaluateRequest {
        data,
        csv,
        columns,
        groups,
        options,
    } = request;
    let rows = read(data, csv, columns)?;
    note_no_probabilities(&columns.scores[0], &rows.scores[0], options, &csv.notes);
    let within = groups
        .control
        .as_ref()
        .map(|name| column(&rows.table, name).map(Column::groups))
        .transpose()?;
    let coded = groups
        .groups
        .iter()
        .map(|name| Ok((name.clone(), column(&rows.table, name)?.groups())));
    let coded: Vec<(String, Coded)> = coded.collect::<Result<_, LifecycleError>>()?;
    let grouping = |members: &[(String, Coded)]| Grouping {
        attributes: members.iter().map(|(name, _)| name.clone()).collect(),
        control: groups.control.clone(),
        groups: members.iter().map(|(_, column)| column.clone()).collect(),
        within: within.clone(),
    };
    let mut groupings: Vec<Grouping> = coded
        .iter()
        .map(|member| grouping(std::slice::from_ref(member)))
        .collect();
    if coded.len() > 1 {
        groupings.push(grouping(&coded));
    }
    let of_row = groups
        .cluster
        .as_ref()
        .map(|name| clusters(&rows.table, name, data))
        .transpose()?;
    if let (Some((_, n)), Some(name)) = (&of_row, &groups.cluster)
        && *n < CLUSTERS_MIN
    {
        return Err(LifecycleError::FewClusters {
            column: name.clone(),
            n: *n,
        });
    }
    let clusters = of_row
        .as_ref()
        .map(|(of_row, n)| Clusters { of_row, n: *n });
    Ok(evaluate(
        &Scored::new(&rows.labels, &rows.scores[0])?,
        &groupings,
        clusters,
        options.clone(),
    ))
}

/// Which two scores of the same rows are compared.
#[derive(Debug, Clone)]
pub struct PairedRequest<'p> {
    /// File of labels and scores.
    pub data: &'p Path,
    /// How a CSV file is read.
    pub csv: ReadOptions,
    /// Columns of the label and of two scores, the old one first.
    pub columns: ScoredColumns,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// Confidence level of the intervals.
    pub level: f64,
    /// Points by which the new score may be worse.
    pub margin: f64,
}

impl PairedRequest<'_> {
    /// Measures by how much the second score is better or worse than the first.
    pub fn measure(&self) -> Result<Outcome<PairedEvaluation>, LifecycleError> {
        let rows = read(self.data, &self.csv, &self.columns)?;
        let ([first, second], [old, new]) = (&rows.scores[..], &self.columns.scores[..]) else {
            return Err(LifecycleError::NotComparable);
        };
        let (threshold, level, margin) = (self.threshold, self.level, self.margin);
        let measurement = compare(&rows.labels, [first, second], threshold, level, margin)
            .ok_or(LifecycleError::NotComparable)?;
        Ok(Outcome {
            report: comparison::report([old, new], &measurement),
            measurement,
            record: None,
        })
    }
}
