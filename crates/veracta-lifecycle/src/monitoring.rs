//! The monitoring stage: how current data differs from a reference.

use std::fs::File;
use std::path::Path;

use rayon::prelude::*;
use veracta_ml::drift::Prepared;
use veracta_ml::drift::measurement::{ColumnMeasurement, DriftMeasurement, DriftOptions, measure_prepared};
use veracta_ml::sketch::{SketchError, TableSketch};
use veracta_ml::table::csv::CsvOptions;
use veracta_ml::table::parquet::{parquet_columns, read_parquet_column};
use veracta_ml::table::{ReadLimits, Table, TableError};

use crate::LifecycleError;
use crate::data::{is_parquet, read_table};

/// Largest stored profile: a thousand numeric columns of a billion rows.
const PROFILE_BYTES_MAX: u64 = 1 << 30;

/// A table whose columns are read when they are asked for.
enum Source<'p> {
    /// Parquet: one column at a time, so that memory does not grow with the number of columns.
    Parquet { path: &'p Path, names: Vec<String>, n_rows: usize },
    /// CSV: read whole.
    Table(Table),
    /// A stored profile.
    Sketch { path: &'p Path, sketch: TableSketch },
}

/// What current data is compared with.
#[derive(Debug, Clone, Copy)]
pub enum Reference<'p> {
    /// A file of rows.
    Rows(&'p Path),
    /// A stored profile; the rows are not needed.
    Profile(&'p Path),
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
            Self::Sketch { sketch, .. } => sketch.columns.iter().map(|column| column.name.clone()).collect(),
        }
    }

    fn n_rows(&self) -> usize {
        match self {
            Self::Parquet { n_rows, .. } => *n_rows,
            Self::Table(table) => table.n_rows,
            Self::Sketch { sketch, .. } => sketch.n_rows as usize,
        }
    }

    /// Makes a column ready to be compared.
    fn prepare(&self, name: &str) -> Result<Prepared, LifecycleError> {
        Ok(match self {
            Self::Parquet { path, .. } => {
                let file = File::open(path).map_err(LifecycleError::file(path))?;
                Prepared::new(&read_parquet_column(file, name).map_err(refuse(path))?)
            }
            Self::Table(table) => Prepared::new(table.column(name).expect("names come from the table")),
            Self::Sketch { path, sketch } => {
                let column = sketch.columns.iter().find(|column| column.name == name).expect("names come from the profile");
                Prepared::of_sketch(column, sketch.n_rows).map_err(refuse_profile(path))?
            }
        })
    }
}

fn refuse(path: &Path) -> impl FnOnce(TableError) -> LifecycleError {
    let file = path.display().to_string();
    move |source| LifecycleError::Data { file, source }
}

/// Reads a stored profile.
pub fn read_profile(path: &Path) -> Result<TableSketch, LifecycleError> {
    let n_bytes = std::fs::metadata(path).map_err(LifecycleError::file(path))?.len();
    if n_bytes > PROFILE_BYTES_MAX {
        return Err(refuse_profile(path)(SketchError::TooLarge { n_bytes, limit: PROFILE_BYTES_MAX }));
    }
    let bytes = std::fs::read(path).map_err(LifecycleError::file(path))?;
    TableSketch::from_bytes(&bytes).map_err(refuse_profile(path))
}

fn refuse_profile(path: &Path) -> impl FnOnce(SketchError) -> LifecycleError {
    let file = path.display().to_string();
    move |source| LifecycleError::Profile { file, source }
}

/// Profiles the rows of a file together with those of profiles stored before, for a comparison without the rows.
pub fn profile_for_storage(table: &Table, stored: &[std::path::PathBuf]) -> Result<TableSketch, LifecycleError> {
    let mut sketch = TableSketch::new(table);
    for path in stored {
        sketch.merge(&read_profile(path)?).map_err(refuse_profile(path))?;
    }
    Ok(sketch)
}

/// Measures the drift of every column that both files have; `without` names columns to leave out, such as identifiers.
pub fn measure_drift(
    reference: Reference<'_>,
    current: &Path,
    csv: &CsvOptions,
    without: &[String],
    options: DriftOptions,
) -> Result<DriftMeasurement, LifecycleError> {
    let reference = match reference {
        Reference::Rows(path) => Source::open(path, csv)?,
        Reference::Profile(path) => Source::Sketch { path, sketch: read_profile(path)? },
    };
    let current = Source::open(current, csv)?;
    let (ours, theirs) = (reference.names(), current.names());
    if let Some(name) = without.iter().find(|name| !ours.contains(name) && !theirs.contains(name)) {
        return Err(LifecycleError::UnknownColumn { column: name.clone(), columns: ours.clone() });
    }
    let shared: Vec<&String> = ours.iter().filter(|name| theirs.contains(name) && !without.contains(name)).collect();
    if shared.is_empty() {
        return Err(LifecycleError::NothingShared);
    }
    let measure = |name: &&String| -> Result<Option<ColumnMeasurement>, LifecycleError> {
        Ok(measure_prepared(name, &reference.prepare(name)?, &current.prepare(name)?, shared.len(), &options))
    };
    let measured: Vec<Option<ColumnMeasurement>> = shared.par_iter().map(measure).collect::<Result<_, _>>()?;
    let is_left_out = |name: &&String| without.contains(name);
    let mut lost: Vec<String> = ours.iter().filter(|name| !theirs.contains(name) && !is_left_out(name)).cloned().collect();
    lost.extend(shared.iter().zip(&measured).filter(|(_, found)| found.is_none()).map(|(name, _)| (*name).clone()));
    let added = theirs.iter().filter(|name| !ours.contains(name) && !is_left_out(name)).cloned().collect();
    let columns = measured.into_iter().flatten().collect();
    Ok(DriftMeasurement::new([reference.n_rows(), current.n_rows()], options, columns, lost, added))
}
