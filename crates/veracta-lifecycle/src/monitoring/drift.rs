//! How current data differs from a reference.

use std::fs::File;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use veracta_data::csv::CsvOptions;
use veracta_data::parquet::{parquet_columns, read_parquet_column};
use veracta_data::source::{Format, Source};
use veracta_data::table::{ReadLimits, Table, TableError, Values};
use veracta_statistics::drift::Prepared;
use veracta_statistics::drift::attribution::{AttributionDrift, attribution_drift};
use veracta_statistics::drift::measurement::{
    ColumnMeasurement, DriftMeasurement, DriftOptions, measure_prepared,
};
use veracta_statistics::drift::rule::ColumnDrift;
use veracta_statistics::drift::together::{TogetherDrift, together};
use veracta_statistics::interval::Bootstrap;
use veracta_statistics::sketch::TableSketch;

use super::windows::{WindowColumns, windows_of};
use crate::LifecycleError;
use crate::data::profile::{read_profile, refuse_profile};
use crate::data::read_table;
use crate::deployment::predict::Applied;
use crate::validation::attribute::attribute;

/// A table whose columns are read when they are asked for.
enum Columns<'p> {
    /// Parquet: one column at a time, so that memory does not grow with the number of columns.
    Parquet {
        path: &'p Path,
        names: Vec<String>,
        n_rows: usize,
    },
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

impl<'p> Columns<'p> {
    fn open(path: &'p Path, csv: &CsvOptions) -> Result<Self, LifecycleError> {
        if Source::file(path)
            .format()
            .map_err(LifecycleError::file(path))?
            != Format::Parquet
        {
            return Ok(Self::Table(read_table(path, csv)?.table));
        }
        let file = File::open(path).map_err(LifecycleError::file(path))?;
        let limits = ReadLimits {
            bytes_max: csv.limits.bytes_max,
            ..ReadLimits::default()
        };
        let (n_rows, names) = parquet_columns(file, limits).map_err(refuse(path))?;
        if n_rows == 0 {
            return Err(refuse(path)(TableError::NoRows));
        }
        Ok(Self::Parquet {
            path,
            names,
            n_rows,
        })
    }

    fn of_reference(reference: Reference<'p>, csv: &CsvOptions) -> Result<Self, LifecycleError> {
        match reference {
            Reference::Rows(path) => Self::open(path, csv),
            Reference::Profile(path) => Ok(Self::Sketch {
                path,
                sketch: read_profile(path)?,
            }),
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Parquet { names, .. } => names.clone(),
            Self::Table(table) => table
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
            Self::Sketch { sketch, .. } => sketch
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
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
            Self::Table(table) => {
                Prepared::new(table.column(name).expect("names come from the table"))
            }
            Self::Sketch { path, sketch } => {
                let column = sketch
                    .columns
                    .iter()
                    .find(|column| column.name == name)
                    .expect("names come from the profile");
                Prepared::of_sketch(column, sketch.n_rows).map_err(refuse_profile(path))?
            }
        })
    }
}

fn refuse(path: &Path) -> impl FnOnce(TableError) -> LifecycleError {
    let file = path.display().to_string();
    move |source| LifecycleError::Data { file, source }
}

/// Measures the drift of every column that both files have; `without` names columns to leave out, such as identifiers.
pub fn measure_drift(
    reference: Reference<'_>,
    current: &Path,
    csv: &CsvOptions,
    without: &[String],
    options: DriftOptions,
) -> Result<DriftMeasurement, LifecycleError> {
    let reference = Columns::of_reference(reference, csv)?;
    let current = Columns::open(current, csv)?;
    let (ours, theirs) = (reference.names(), current.names());
    if let Some(name) = without
        .iter()
        .find(|name| !ours.contains(name) && !theirs.contains(name))
    {
        return Err(LifecycleError::UnknownColumn {
            column: name.clone(),
            columns: ours.clone(),
        });
    }
    let shared: Vec<&String> = ours
        .iter()
        .filter(|name| theirs.contains(name) && !without.contains(name))
        .collect();
    if shared.is_empty() {
        return Err(LifecycleError::NothingShared);
    }
    let measure = |name: &&String| -> Result<Option<ColumnMeasurement>, LifecycleError> {
        Ok(measure_prepared(
            name,
            &reference.prepare(name)?,
            &current.prepare(name)?,
            shared.len(),
            &options,
        ))
    };
    let measured: Vec<Option<ColumnMeasurement>> =
        shared.par_iter().map(measure).collect::<Result<_, _>>()?;
    let is_left_out = |name: &&String| without.contains(name);
    let mut lost: Vec<String> = ours
        .iter()
        .filter(|name| !theirs.contains(name) && !is_left_out(name))
        .cloned()
        .collect();
    lost.extend(
        shared
            .iter()
            .zip(&measured)
            .filter(|(_, found)| found.is_none())
            .map(|(name, _)| (*name).clone()),
    );
    let added = theirs
        .iter()
        .filter(|name| !ours.contains(name) && !is_left_out(name))
        .cloned()
        .collect();
    let columns = measured.into_iter().flatten().collect();
    Ok(DriftMeasurement::new(
        [reference.n_rows(), current.n_rows()],
        options,
        columns,
        lost,
        added,
    ))
}

/// Looks at the numeric columns of two files together.
pub fn measure_together(
    [reference, current]: [&Path; 2],
    csv: &CsvOptions,
    without: &[String],
    level: f64,
    seed: u64,
) -> Result<TogetherDrift, LifecycleError> {
    let tables = [
        read_table(reference, csv)?.table,
        read_table(current, csv)?.table,
    ];
    let numbers = |table: &Table, name: &String| {
        table
            .columns
            .iter()
            .find(|column| column.name == *name)
            .and_then(|column| match &column.values {
                Values::Numeric(values) => Some(values.clone()),
                Values::Coded(_) => None,
            })
    };
    let names: Vec<String> = tables[0]
        .columns
        .iter()
        .map(|column| column.name.clone())
        .filter(|name| !without.contains(name))
        .collect();
    let shared = names.into_iter().filter_map(|name| {
        Some((
            numbers(&tables[0], &name)?,
            numbers(&tables[1], &name)?,
            name,
        ))
    });
    let (mut names, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
    for (a, b, name) in shared {
        names.push(name);
        first.push(a);
        second.push(b);
    }
    if names.is_empty() {
        return Err(LifecycleError::NothingShared);
    }
    Ok(together(&names, &first, &second, level, seed))
}

/// The drift of one window of the current file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WindowDrift {
    /// Where the window starts.
    pub window: String,
    /// Its rows.
    pub n: usize,
    /// Verdict and effect of each column, in the order of the reference.
    pub columns: Vec<(String, ColumnDrift)>,
}

/// Measures drift window by window of the current file; bounds hold over all columns of one window together.
pub fn measure_windows(
    reference: Reference<'_>,
    current: &Path,
    csv: &CsvOptions,
    without: &[String],
    options: &DriftOptions,
    how: &WindowColumns,
) -> Result<Vec<WindowDrift>, LifecycleError> {
    let reference = Columns::of_reference(reference, csv)?;
    let table = read_table(current, csv)?.table;
    let time = how.time.as_ref();
    let shared: Vec<String> = reference
        .names()
        .into_iter()
        .filter(|name| {
            !without.contains(name)
                && time != Some(name)
                && table.columns.iter().any(|column| column.name == *name)
        })
        .collect();
    if shared.is_empty() {
        return Err(LifecycleError::NothingShared);
    }
    let prepared: Vec<Prepared> = shared
        .par_iter()
        .map(|name| reference.prepare(name))
        .collect::<Result<_, _>>()?;
    // Tests are not run again for each window.
    let options = DriftOptions {
        tests: Vec::new(),
        ..options.clone()
    };
    let mut windows = Vec::new();
    for named in windows_of(&table, how, current)? {
        let part = table.select_rows(&named.window.rows);
        let measure = |(name, before): (&String, &Prepared)| {
            let now = Prepared::new(part.column(name).expect("the column is shared"));
            Some((
                name.clone(),
                measure_prepared(name, before, &now, shared.len(), &options)?.drift,
            ))
        };
        let columns = shared
            .par_iter()
            .zip(&prepared)
            .filter_map(measure)
            .collect();
        windows.push(WindowDrift {
            window: named.name,
            n: part.n_rows,
            columns,
        });
    }
    Ok(windows)
}

/// Says whether a model leans on the same inputs in two files; a sample of the first rows of each.
pub fn measure_attribution_drift(
    [reference, current]: [&Applied; 2],
    level: f64,
    bootstrap: Bootstrap,
) -> Result<AttributionDrift, LifecycleError> {
    let contributions = |applied: &Applied| -> Result<Vec<f64>, LifecycleError> {
        let rows: Vec<usize> = (0..applied.rows.n_rows.min(ATTRIBUTED_ROWS)).collect();
        let found = attribute(applied, &rows, None, &CsvOptions::default())?;
        Ok(found
            .rows
            .iter()
            .flat_map(|row| row[0].contributions.iter().copied())
            .collect())
    };
    Ok(attribution_drift(
        &reference.inputs,
        &contributions(reference)?,
        &contributions(current)?,
        level,
        bootstrap,
    ))
}

/// Rows of each side whose contributions are compared.
const ATTRIBUTED_ROWS: usize = 10_000;
