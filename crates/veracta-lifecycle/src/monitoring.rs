//! The monitoring stage: how current data differs from a reference.

use std::fs::File;
use std::path::Path;

use rayon::prelude::*;
use veracta_ml::drift::measurement::{ColumnMeasurement, DriftMeasurement, DriftOptions, measure_column};
use veracta_ml::table::csv::CsvOptions;
use veracta_ml::table::parquet::{parquet_columns, read_parquet_column};
use veracta_ml::table::{Column, ReadLimits, Table, TableError};

use crate::LifecycleError;
use crate::data::{is_parquet, read_table};

/// A table whose columns are read when they are asked for.
enum Source<'p> {
    /// Parquet: one column at a time, so that memory does not grow with the number of columns.
    Parquet { path: &'p Path, names: Vec<String>, n_rows: usize },
    /// CSV: read whole.
    Table(Table),
}

impl<'p> Source<'p> {
    fn open(path: &'p Path, csv: &CsvOptions) -> Result<Self, LifecycleError> {
        if !is_parquet(path)? {
            return Ok(Self::Table(read_table(path, csv)?.1));
        }
        let file = File::open(path).map_err(LifecycleError::file(path))?;
        let limits = ReadLimits { bytes_max: csv.limits.bytes_max, ..ReadLimits::default() };
        let (n_rows, names) = parquet_columns(file, limits).map_err(refuse(path))?;
        if n_rows == 0 {
            return Err(refuse(path)(TableError::NoRows));
        }
        Ok(Self::Parquet { path, names, n_rows })
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Parquet { names, .. } => names.clone(),
            Self::Table(table) => table.columns.iter().map(|column| column.name.clone()).collect(),
        }
    }

    fn n_rows(&self) -> usize {
        match self {
            Self::Parquet { n_rows, .. } => *n_rows,
            Self::Table(table) => table.n_rows,
        }
    }

    /// Calls `with` with a column.
    fn column<T>(&self, name: &str, with: impl FnOnce(&Column) -> Result<T, LifecycleError>) -> Result<T, LifecycleError> {
        match self {
            Self::Parquet { path, .. } => {
                let file = File::open(path).map_err(LifecycleError::file(path))?;
                with(&read_parquet_column(file, name).map_err(refuse(path))?)
            }
            Self::Table(table) => with(table.column(name).expect("names come from the table")),
        }
    }
}

fn refuse(path: &Path) -> impl FnOnce(TableError) -> LifecycleError {
    let file = path.display().to_string();
    move |source| LifecycleError::Data { file, source }
}

/// Measures the drift of every column that both files have; `without` names columns to leave out, such as identifiers.
pub fn measure_drift(
    reference: &Path,
    current: &Path,
    csv: &CsvOptions,
    without: &[String],
    options: DriftOptions,
) -> Result<DriftMeasurement, LifecycleError> {
    let (reference, current) = (Source::open(reference, csv)?, Source::open(current, csv)?);
    let (ours, theirs) = (reference.names(), current.names());
    if let Some(name) = without.iter().find(|name| !ours.contains(name) && !theirs.contains(name)) {
        return Err(LifecycleError::UnknownColumn { column: name.clone(), columns: ours.clone() });
    }
    let shared: Vec<&String> = ours.iter().filter(|name| theirs.contains(name) && !without.contains(name)).collect();
    if shared.is_empty() {
        return Err(LifecycleError::NothingShared);
    }
    let measure = |name: &&String| -> Result<Option<ColumnMeasurement>, LifecycleError> {
        reference.column(name, |a| current.column(name, |b| Ok(measure_column(a, b, shared.len(), &options))))
    };
    let measured: Vec<Option<ColumnMeasurement>> = shared.par_iter().map(measure).collect::<Result<_, _>>()?;
    let is_left_out = |name: &&String| without.contains(name);
    let mut lost: Vec<String> = ours.iter().filter(|name| !theirs.contains(name) && !is_left_out(name)).cloned().collect();
    lost.extend(shared.iter().zip(&measured).filter(|(_, found)| found.is_none()).map(|(name, _)| (*name).clone()));
    let added = theirs.iter().filter(|name| !ours.contains(name) && !is_left_out(name)).cloned().collect();
    let columns = measured.into_iter().flatten().collect();
    Ok(DriftMeasurement::new([reference.n_rows(), current.n_rows()], options, columns, lost, added))
}
