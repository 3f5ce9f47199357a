//! Measuring a file of labels and scores, without a workspace.

use std::path::Path;

use serde::Serialize;
use veracta_data::csv::CsvOptions;
use veracta_data::table::{Coded, Column, MISSING, Table, Values};
use veracta_model::model::{Input, encode};
use veracta_statistics::evaluation::{
    Evaluation, EvaluationOptions, Grouping, PairedEvaluation, compare, evaluate,
};
use veracta_statistics::interval::{Bootstrap, Estimate};
use veracta_statistics::performance::estimated::{
    LossModel, expected_confusion, expected_intervals,
};
use veracta_statistics::performance::multiclass::Classified;
use veracta_statistics::performance::{Confusion, METRICS, Metric, Scored};
use veracta_statistics::resampling::{CLUSTERS_MIN, Clusters};
use veracta_statistics::task_evaluation::{
    TaskEvaluation, evaluate_multiclass, evaluate_ranking, evaluate_regression,
};
use veracta_statistics::windows::{Delayed, Window, WindowMetric, metric_by_window};

use crate::LifecycleError;
use crate::data::{clusters, column, numbers, read_table};
use crate::monitoring::windows::{WindowColumns, windows_of};

/// Which columns hold labels and scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoredColumns {
    /// Column of the label.
    pub label: String,
    /// Value that counts as positive; 1 when not given.
    pub positive: Option<String>,
    /// Columns of scores.
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

fn read(data: &Path, csv: &CsvOptions, columns: &ScoredColumns) -> Result<Rows, LifecycleError> {
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
    let Coded { codes, levels } = label.groups();
    let positive = columns.positive.clone().unwrap_or_else(|| "1".to_owned());
    let shown = levels
        .iter()
        .take(10)
        .cloned()
        .collect::<Vec<_>>()
        .join("`, `");
    // Labels that are all 0 are of one class, which leaves most of it undefined but says so.
    let is_all_negative = columns.positive.is_none() && levels == ["0"];
    let Some(code) = levels
        .iter()
        .position(|level| *level == positive)
        .or(is_all_negative.then_some(usize::MAX))
    else {
        return Err(refuse_label(format!(
            "no row has the positive value `{positive}`; there are `{shown}` (`--positive` says which)"
        )));
    };
    if levels.len() > 2 {
        return Err(refuse_label(format!(
            "there are more than two values: `{shown}`"
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

/// Evaluates the score of a file.
pub fn evaluate_file(
    data: &Path,
    csv: &CsvOptions,
    columns: &ScoredColumns,
    groups: &GroupColumns,
    options: EvaluationOptions,
) -> Result<Evaluation, LifecycleError> {
    let rows = read(data, csv, columns)?;
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
        options,
    ))
}

/// Evaluates a regression of a file.
pub fn evaluate_regression_file(
    data: &Path,
    csv: &CsvOptions,
    [label, score]: [&str; 2],
    level: f64,
    bootstrap: Bootstrap,
) -> Result<TaskEvaluation, LifecycleError> {
    let table = read_table(data, csv)?.table;
    Ok(evaluate_regression(
        &numbers(&table, label, data)?,
        &numbers(&table, score, data)?,
        level,
        bootstrap,
    ))
}

/// Evaluates a ranking of a file: rows of the same query are ordered by their score.
pub fn evaluate_ranking_file(
    data: &Path,
    csv: &CsvOptions,
    [label, score, query]: [&str; 3],
    relevant_from: f64,
    (level, bootstrap): (f64, Bootstrap),
) -> Result<TaskEvaluation, LifecycleError> {
    let table = read_table(data, csv)?.table;
    let (of_row, n) = clusters(&table, query, data)?;
    let mut queries = vec![Vec::new(); n];
    of_row
        .iter()
        .enumerate()
        .for_each(|(row, query)| queries[*query as usize].push(row));
    queries.retain(|rows| !rows.is_empty());
    Ok(evaluate_ranking(
        &numbers(&table, label, data)?,
        &numbers(&table, score, data)?,
        &queries,
        relevant_from,
        level,
        bootstrap,
    ))
}

/// Evaluates a classifier of several classes: one score column of predicted labels, or one of probabilities for each class in the order
/// of the labels.
pub fn evaluate_multiclass_file(
    data: &Path,
    csv: &CsvOptions,
    label: &str,
    scores: &[String],
    (level, bootstrap): (f64, Bootstrap),
) -> Result<TaskEvaluation, LifecycleError> {
    let table = read_table(data, csv)?.table;
    let refuse = |column: &str, reason: String| LifecycleError::ScoreColumn {
        file: data.display().to_string(),
        column: column.to_owned(),
        reason,
    };
    let truth = column(&table, label)?;
    let Coded { codes, mut levels } = truth.codes();
    if let Some(row) = codes.iter().position(|code| *code == MISSING) {
        return Err(refuse(label, format!("row {} has no label", row + 1)));
    }
    // Labels that are numbers are in the order of numbers, as libraries have them.
    let as_number = |level: &String| level.parse::<f64>().ok();
    let mut order: Vec<usize> = (0..levels.len()).collect();
    if levels.iter().all(|level| as_number(level).is_some()) {
        order.sort_by(|a, b| {
            as_number(&levels[*a])
                .partial_cmp(&as_number(&levels[*b]))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
    }
    let mut place = vec![0; levels.len()];
    order
        .iter()
        .enumerate()
        .for_each(|(to, from)| place[*from] = to);
    levels = order.iter().map(|from| levels[*from].clone()).collect();
    let labels: Vec<usize> = codes.iter().map(|code| place[*code as usize]).collect();
    if let [predicted] = scores {
        let Coded {
            codes,
            levels: said,
        } = column(&table, predicted)?.codes();
        let known: Vec<Option<usize>> = said
            .iter()
            .map(|level| levels.iter().position(|known| known == level))
            .collect();
        let predicted_of = |(row, code): (usize, &u32)| {
            let found = known.get(*code as usize).copied().flatten();
            found.ok_or_else(|| {
                refuse(
                    predicted,
                    format!("row {} is missing or no label of `{label}`", row + 1),
                )
            })
        };
        let predicted: Vec<usize> = codes
            .iter()
            .enumerate()
            .map(predicted_of)
            .collect::<Result<_, _>>()?;
        let data = Classified {
            labels: &labels,
            predicted: &predicted,
            probabilities: &[],
            n_classes: levels.len(),
        };
        return Ok(evaluate_multiclass(data, &levels, level, bootstrap));
    }
    if scores.len() != levels.len() {
        let reason = format!(
            "it has {} labels and there are {} score columns; one each in the order {}",
            levels.len(),
            scores.len(),
            levels.join(", ")
        );
        return Err(refuse(label, reason));
    }
    let columns: Vec<Vec<f64>> = scores
        .iter()
        .map(|name| numbers(&table, name, data))
        .collect::<Result<_, _>>()?;
    let probabilities: Vec<f64> = (0..table.n_rows)
        .flat_map(|row| columns.iter().map(move |column| column[row]))
        .collect();
    let is_distribution = |row: &[f64]| {
        row.iter().all(|p| (0.0..=1.0).contains(p)) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-3
    };
    if let Some(row) = probabilities
        .chunks(levels.len())
        .position(|row| !is_distribution(row))
    {
        return Err(refuse(
            &scores[0],
            format!(
                "row {}: the score columns are not probabilities that add up to 1",
                row + 1
            ),
        ));
    }
    let best = |row: &[f64]| {
        (0..row.len())
            .reduce(|best, idx| if row[idx] > row[best] { idx } else { best })
            .unwrap_or(0)
    };
    let predicted: Vec<usize> = probabilities.chunks(levels.len()).map(best).collect();
    let data = Classified {
        labels: &labels,
        predicted: &predicted,
        probabilities: &probabilities,
        n_classes: levels.len(),
    };
    Ok(evaluate_multiclass(data, &levels, level, bootstrap))
}

/// Performance expected from probabilities alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpectedPerformance {
    /// Rows.
    pub n: usize,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// Expected counts at the threshold.
    pub confusion: Confusion,
    /// Each metric with the band in which it would be seen.
    pub metrics: Vec<(Metric, Option<Estimate>)>,
}

/// Estimates the performance of a file of calibrated probabilities without labels.
pub fn expected_file(
    data: &Path,
    csv: &CsvOptions,
    score: &str,
    metrics: &[Metric],
    threshold: f64,
    (level, bootstrap): (f64, Bootstrap),
) -> Result<ExpectedPerformance, LifecycleError> {
    let table = read_table(data, csv)?.table;
    let probabilities = numbers(&table, score, data)?;
    if let Some(row) = probabilities.iter().position(|p| !(0.0..=1.0).contains(p)) {
        let reason = format!("row {} is not a probability", row + 1);
        return Err(LifecycleError::ScoreColumn {
            file: data.display().to_string(),
            column: score.to_owned(),
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
        threshold,
        level,
        bootstrap,
    ));
    Ok(ExpectedPerformance {
        n: table.n_rows,
        threshold,
        confusion: expected_confusion(&probabilities, threshold),
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

/// Estimates the error of a regression on a file without labels from a reference with labels (direct loss estimation).
pub fn expected_error_file(
    [reference, current]: [&Path; 2],
    csv: &CsvOptions,
    [label, score]: [&str; 2],
    level: f64,
) -> Result<ExpectedError, LifecycleError> {
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
        .map(|name| Input {
            name: name.clone(),
            levels: None,
        })
        .collect();
    let losses: Vec<f64> = truths
        .iter()
        .zip(&predictions)
        .map(|(truth, prediction)| (truth - prediction).abs())
        .collect();
    let model = LossModel::fit(&encode(&before, &described)?, &losses)?;
    Ok(ExpectedError {
        n: [before.n_rows, now.n_rows],
        inputs,
        reference_mae: veracta_model::numeric::mean(&losses).unwrap_or(f64::NAN),
        expected_mae: model.expected(&encode(&now, &described)?, level),
    })
}

/// A metric over windows of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricOverTime {
    /// The metric.
    pub metric: Metric,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// Share of a window's rows that must have their label.
    pub labelled: f64,
    /// Windows with their names.
    pub windows: Vec<(String, WindowMetric)>,
}

/// Measures a metric in windows of a file whose labels may not all have come.
pub fn metric_over_time(
    data: &Path,
    csv: &CsvOptions,
    columns: &ScoredColumns,
    how: &WindowColumns,
    (metric, threshold, labelled): (Metric, f64, f64),
    (level, bootstrap): (f64, Bootstrap),
) -> Result<MetricOverTime, LifecycleError> {
    let table = read_table(data, csv)?.table;
    let Coded { codes, levels } = column(&table, &columns.label)?.codes();
    let positive = columns.positive.clone().unwrap_or_else(|| "1".to_owned());
    if levels.len() > 2 || !levels.contains(&positive) {
        let reason = format!(
            "there are {} values, and `{positive}` is to be one of two (`--positive` says which)",
            levels.len()
        );
        return Err(LifecycleError::Label {
            file: data.display().to_string(),
            column: columns.label.clone(),
            reason,
        });
    }
    let labels: Vec<Option<bool>> = codes
        .iter()
        .map(|code| levels.get(*code as usize).map(|level| *level == positive))
        .collect();
    let scores = numbers(&table, &columns.scores[0], data)?;
    let named = windows_of(&table, how, data)?;
    let windows: Vec<Window> = named.iter().map(|named| named.window.clone()).collect();
    let found = metric_by_window(
        Delayed {
            labels: &labels,
            scores: &scores,
        },
        &windows,
        metric,
        threshold,
        labelled,
        (level, bootstrap),
    );
    Ok(MetricOverTime {
        metric,
        threshold,
        labelled,
        windows: named
            .into_iter()
            .map(|named| named.name)
            .zip(found)
            .collect(),
    })
}

/// Compares two scores of a file.
pub fn compare_file(
    data: &Path,
    csv: &CsvOptions,
    columns: &ScoredColumns,
    threshold: f64,
    level: f64,
    margin: f64,
) -> Result<PairedEvaluation, LifecycleError> {
    let rows = read(data, csv, columns)?;
    let [first, second] = [&rows.scores[0], &rows.scores[1]];
    compare(&rows.labels, [first, second], threshold, level, margin)
        .ok_or(LifecycleError::NotComparable)
}
