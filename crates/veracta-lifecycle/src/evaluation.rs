//! Measuring a file of labels and scores: evaluation, comparison and anonymity, without a workspace.

use std::path::Path;

use veracta_ml::anonymity::{Anonymity, anonymity};
use veracta_ml::evaluation::{Evaluation, EvaluationOptions, Grouping, PairedEvaluation, compare, evaluate};
use veracta_ml::performance::Scored;
use veracta_ml::resampling::Clusters;
use veracta_ml::table::csv::CsvOptions;
use veracta_ml::table::{Coded, Column, MISSING, Table, Values};

use crate::LifecycleError;
use crate::data::read_table;

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
    let (_, table, _) = read_table(data, csv)?;
    let file = || data.display().to_string();
    let refuse_label = |reason: String| LifecycleError::Label { file: file(), column: columns.label.clone(), reason };
    let label = column(&table, &columns.label)?;
    let n_missing = (0..table.n_rows).filter(|row| label.is_missing(*row)).count();
    if n_missing > 0 {
        return Err(refuse_label(format!("{n_missing} of {} rows have no label", table.n_rows)));
    }
    let Coded { codes, levels } = label.groups();
    let positive = columns.positive.clone().unwrap_or_else(|| "1".to_owned());
    let shown = levels.iter().take(10).cloned().collect::<Vec<_>>().join("`, `");
    let Some(code) = levels.iter().position(|level| *level == positive) else {
        return Err(refuse_label(format!("no row has the positive value `{positive}`; there are `{shown}` (`--positive` says which)")));
    };
    if levels.len() > 2 {
        return Err(refuse_label(format!("there are more than two values: `{shown}`")));
    }
    let mut scores = Vec::with_capacity(columns.scores.len());
    for name in &columns.scores {
        let Values::Numeric(values) = &column(&table, name)?.values else {
            return Err(LifecycleError::ScoreColumn { file: file(), column: name.clone(), reason: "it holds text".to_owned() });
        };
        if let Some(row) = values.iter().position(|value| !value.is_finite()) {
            let reason = format!("row {} is missing or not finite", row + 1);
            return Err(LifecycleError::ScoreColumn { file: file(), column: name.clone(), reason });
        }
        scores.push(values.clone());
    }
    let labels = codes.iter().map(|held| *held as usize == code).collect();
    Ok(Rows { table, labels, scores })
}

fn column<'t>(table: &'t Table, name: &str) -> Result<&'t Column, LifecycleError> {
    table.columns.iter().find(|column| column.name == name).ok_or_else(|| LifecycleError::UnknownColumn {
        column: name.to_owned(),
        columns: table.columns.iter().map(|column| column.name.clone()).collect(),
    })
}

/// Reads the cluster of each row.
fn clusters(table: &Table, name: &str, data: &Path) -> Result<(Vec<u32>, usize), LifecycleError> {
    let Coded { codes, levels } = column(table, name)?.groups();
    if let Some(row) = codes.iter().position(|code| *code == MISSING) {
        let reason = format!("row {} has no cluster", row + 1);
        return Err(LifecycleError::ScoreColumn { file: data.display().to_string(), column: name.to_owned(), reason });
    }
    Ok((codes, levels.len()))
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
    let within = groups.control.as_ref().map(|name| column(&rows.table, name).map(Column::groups)).transpose()?;
    let coded = groups.groups.iter().map(|name| Ok((name.clone(), column(&rows.table, name)?.groups())));
    let coded: Vec<(String, Coded)> = coded.collect::<Result<_, LifecycleError>>()?;
    let grouping = |members: &[(String, Coded)]| Grouping {
        attributes: members.iter().map(|(name, _)| name.clone()).collect(),
        control: groups.control.clone(),
        groups: members.iter().map(|(_, column)| column.clone()).collect(),
        within: within.clone(),
    };
    let mut groupings: Vec<Grouping> = coded.iter().map(|member| grouping(std::slice::from_ref(member))).collect();
    if coded.len() > 1 {
        groupings.push(grouping(&coded));
    }
    let of_row = groups.cluster.as_ref().map(|name| clusters(&rows.table, name, data)).transpose()?;
    let clusters = of_row.as_ref().map(|(of_row, n)| Clusters { of_row, n: *n });
    Ok(evaluate(&Scored::new(&rows.labels, &rows.scores[0])?, &groupings, clusters, options))
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
    compare(&rows.labels, [first, second], threshold, level, margin).ok_or(LifecycleError::NotComparable)
}

/// Measures how well the rows of a file hide among each other.
pub fn anonymity_file(data: &Path, csv: &CsvOptions, quasi: &[String], sensitive: &[String]) -> Result<Anonymity, LifecycleError> {
    let (_, table, _) = read_table(data, csv)?;
    let quasi: Vec<Coded> = quasi.iter().map(|name| Ok(column(&table, name)?.groups())).collect::<Result<_, LifecycleError>>()?;
    let sensitive = sensitive.iter().map(|name| Ok((name.clone(), column(&table, name)?.groups())));
    let sensitive: Vec<(String, Coded)> = sensitive.collect::<Result<_, LifecycleError>>()?;
    Ok(anonymity(&quasi, &sensitive))
}
