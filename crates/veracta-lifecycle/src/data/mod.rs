//! The data stage: which rows there are, what they hold, who they may identify, how they are divided, and what each input is for.

pub mod anonymity;
pub mod dataset;
pub mod minimise;
pub mod neighbours;
pub mod parts;
pub mod profile;
pub mod screen;

use std::path::Path;

use veracta_data::csv::CsvOptions;
use veracta_data::source::{ReadTable, Source, SourceError};
use veracta_data::table::{Coded, Column, MISSING, Table, Values};
use veracta_ledger::Hash;

use crate::LifecycleError;

/// Reads a CSV or Parquet file; the format is told by its first bytes, not by its name.
pub(crate) fn read_table(path: &Path, csv: &CsvOptions) -> Result<ReadTable, LifecycleError> {
    read_source(&Source::file(path), csv)
}

/// Returns the last part of a path, as reports name a file.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Returns the SHA-256 and the length of a file, without holding it in memory.
pub(crate) fn hash_file(path: &Path) -> Result<(Hash, u64), LifecycleError> {
    let digest = Source::file(path).digest();
    let (digest, n_bytes) = digest.map_err(LifecycleError::file(path))?;
    Ok((Hash(digest), n_bytes))
}

/// Reads rows wherever they are.
pub(crate) fn read_source(source: &Source, csv: &CsvOptions) -> Result<ReadTable, LifecycleError> {
    source.table(csv).map_err(|error| match error {
        SourceError::File(error) => LifecycleError::file(&source.path)(error),
        SourceError::Table(error) => LifecycleError::Data {
            file: source.path.display().to_string(),
            source: error,
        },
    })
}

/// Returns a column of a file, or which there are.
pub(crate) fn column<'t>(table: &'t Table, name: &str) -> Result<&'t Column, LifecycleError> {
    let found = table.columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| {
        let columns = table.columns.iter().map(|column| column.name.clone());
        LifecycleError::UnknownColumn {
            column: name.to_owned(),
            columns: columns.collect(),
        }
    })
}

/// Returns a column of finite numbers, one a row.
pub(crate) fn numbers(table: &Table, name: &str, file: &Path) -> Result<Vec<f64>, LifecycleError> {
    let refuse = |reason: String| LifecycleError::ScoreColumn {
        file: file.display().to_string(),
        column: name.to_owned(),
        reason,
    };
    let Values::Numeric(values) = &column(table, name)?.values else {
        return Err(refuse("it holds text".to_owned()));
    };
    match values.iter().position(|value| !value.is_finite()) {
        Some(row) => Err(refuse(format!("row {} is missing or not finite", row + 1))),
        None => Ok(values.clone()),
    }
}

/// Returns the cluster of each row, and how many there are.
pub(crate) fn clusters(
    table: &Table,
    name: &str,
    file: &Path,
) -> Result<(Vec<u32>, usize), LifecycleError> {
    let Coded { codes, levels } = column(table, name)?.codes();
    if let Some(row) = codes.iter().position(|code| *code == MISSING) {
        return Err(LifecycleError::ScoreColumn {
            file: file.display().to_string(),
            column: name.to_owned(),
            reason: format!("row {} has no cluster", row + 1),
        });
    }
    Ok((codes, levels.len()))
}

/// Reads a label column of a data file as positive or not.
pub fn read_labels(
    file: &Path,
    csv: &CsvOptions,
    name: &str,
    positive: Option<&str>,
) -> Result<Vec<bool>, LifecycleError> {
    binary_labels(&read_table(file, csv)?.table, file, name, positive)
}

/// Returns for each row of a file whether its label is the positive one of two.
pub(crate) fn binary_labels(
    table: &Table,
    file: &Path,
    name: &str,
    positive: Option<&str>,
) -> Result<Vec<bool>, LifecycleError> {
    let Coded { codes, levels } = column(table, name)?.codes();
    let refuse = |reason: String| LifecycleError::Label {
        file: file.display().to_string(),
        column: name.to_owned(),
        reason,
    };
    if let Some(row) = codes.iter().position(|code| *code == MISSING) {
        return Err(refuse(format!("row {} has no label", row + 1)));
    }
    let positive = positive.unwrap_or("1");
    let code = levels.iter().position(|level| level == positive);
    let code = code.filter(|_| levels.len() <= 2).ok_or_else(|| {
        refuse(format!(
            "there are {} values, and `{positive}` is to be one of two (`--positive` says which)",
            levels.len()
        ))
    })?;
    Ok(codes.iter().map(|held| *held as usize == code).collect())
}
