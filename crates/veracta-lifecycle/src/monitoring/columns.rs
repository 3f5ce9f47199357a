//! The columns of files that are compared: read when they are asked for, and held side by side.

use std::fs::File;
use std::path::Path;

use veracta_data::parquet::{parquet_columns, read_parquet_column};
use veracta_data::reading::ReadOptions;
use veracta_data::source::{Format, Source};
use veracta_data::table::{ReadLimits, Table, TableError};
use veracta_statistics::drift::Prepared;
use veracta_statistics::drift::measurement::{
    ColumnMeasurement, DriftOptions, RetypedColumn, measure_prepared,
};
use veracta_statistics::sketch::TableSketch;

use crate::LifecycleError;
use crate::data::profile::{read_profile, refuse_profile};
use crate::data::read_table;

/// What current data is compared with.
#[derive(Debug, Clone, Copy)]
pub enum Reference<'p> {
    /// A CSV or Parquet file of rows.
    Rows(&'p Path),
    /// A stored profile; the rows are not needed.
    Profile(&'p Path),
}

impl<'p> Reference<'p> {
    /// Returns the file of rows or of the profile.
    pub fn path(self) -> &'p Path {
        let (Self::Rows(path) | Self::Profile(path)) = self;
        path
    }
}

/// A table whose columns are read when they are asked for.
pub(super) enum Columns<'p> {
    /// Parquet: one column at a time, so that memory does not grow with the number of columns.
    Parquet {
        path: &'p Path,
        names: Vec<String>,
        n_rows: usize,
        options: ReadOptions,
    },
    /// CSV: read whole, because every line holds a cell of each column.
    Table(Table),
    /// A stored profile: a summary of each column, without rows.
    Sketch { path: &'p Path, sketch: TableSketch },
}

impl<'p> Columns<'p> {
    pub(super) fn open(path: &'p Path, csv: &ReadOptions) -> Result<Self, LifecycleError> {
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
            options: csv.clone(),
        })
    }

    pub(super) fn of_reference(
        reference: Reference<'p>,
        csv: &ReadOptions,
    ) -> Result<Self, LifecycleError> {
        match reference {
            Reference::Rows(path) => Self::open(path, csv),
            Reference::Profile(path) => Ok(Self::Sketch {
                path,
                sketch: read_profile(path)?,
            }),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
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

    pub(super) fn n_rows(&self) -> usize {
        match self {
            Self::Parquet { n_rows, .. } => *n_rows,
            Self::Table(table) => table.n_rows,
            Self::Sketch { sketch, .. } => sketch.n_rows as usize,
        }
    }

    /// Makes a column ready to be compared; `None` of one that cannot be read, such as a list.
    pub(super) fn prepare(&self, name: &str) -> Result<Option<Prepared>, LifecycleError> {
        Ok(Some(match self {
            Self::Parquet { path, options, .. } => {
                let file = File::open(path).map_err(LifecycleError::file(path))?;
                match read_parquet_column(file, name, options) {
                    Ok(column) => Prepared::new(&column),
                    Err(TableError::ColumnType { .. }) => return Ok(None),
                    Err(error) => return Err(refuse(path)(error)),
                }
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
        }))
    }
}

fn refuse(path: &Path) -> impl FnOnce(TableError) -> LifecycleError {
    let file = path.display().to_string();
    move |source| LifecycleError::Data { file, source }
}

/// A column that both files have.
pub(super) enum Compared {
    Measured(Box<ColumnMeasurement>),
    Retyped(RetypedColumn),
    /// Cannot be read in either.
    Unread(String),
}

/// What a column holds that cannot be read.
const UNREADABLE: &str = "what is not read, such as lists";

/// Compares a column of the reference with that of the current table, one of `n_columns`.
pub(super) fn compare(
    (reference, current): (&Columns<'_>, &Columns<'_>),
    name: &str,
    n_columns: usize,
    options: &DriftOptions,
) -> Result<Compared, LifecycleError> {
    let (before, now) = (reference.prepare(name)?, current.prepare(name)?);
    let kind = |side: Option<&Prepared>| side.map_or(UNREADABLE, Prepared::kind).to_owned();
    let retyped = RetypedColumn {
        name: name.to_owned(),
        reference: kind(before.as_ref()),
        current: kind(now.as_ref()),
    };
    let (Some(before), Some(now)) = (&before, &now) else {
        return Ok(match (before, now) {
            (None, None) => Compared::Unread(name.to_owned()),
            _ => Compared::Retyped(retyped),
        });
    };
    let found = measure_prepared(name, before, now, n_columns, options);
    Ok(found.map_or(Compared::Retyped(retyped), |found| {
        Compared::Measured(Box::new(found))
    }))
}
