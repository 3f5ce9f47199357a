//! How current data differs from a reference.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use veracta_data::reading::ReadOptions;
use veracta_data::table::{Table, Values};
use veracta_documents::report::changes;
use veracta_documents::report::drift::report;
use veracta_governance::record::{DriftReport, Record};
use veracta_statistics::drift::Prepared;
use veracta_statistics::drift::attribution::{AttributionDrift, attribution_drift};
use veracta_statistics::drift::measurement::{DriftMeasurement, DriftOptions, measure_prepared};
use veracta_statistics::drift::rule::{Change, ColumnDrift};
use veracta_statistics::drift::together::{TogetherDrift, together};
use veracta_statistics::interval::{Bootstrap, Precision};

pub use super::columns::Reference;
use super::columns::{Columns, Compared, compare};
use super::windows::{WindowColumns, windows_of};
use crate::LifecycleError;
use crate::data::{file_name, hash_file, read_table};
use crate::deployment::predict::{Applied, Rounds, apply};
use crate::outcome::{MeasuredOf, Outcome, Recordable};
use crate::validation::attribute::attribute;

/// Precision of what is shown beside the verdicts on columns.
const PRECISION: Precision = Precision {
    level: 0.95,
    bootstrap: Bootstrap {
        n_resamples: 1000,
        seed: 7,
    },
};

/// Which files are compared, and how.
#[derive(Debug, Clone)]
pub struct DriftRequest<'p> {
    /// What the current rows are compared with.
    pub reference: Reference<'p>,
    /// CSV or Parquet file of the current rows.
    pub current: &'p Path,
    /// How CSV files are read.
    pub csv: ReadOptions,
    /// Columns to leave out, such as identifiers.
    pub without: Vec<String>,
    /// Sizes of change that count as none, their confidence level, and the tests that are run beside them.
    pub options: DriftOptions,
    /// Looks at all numeric columns together too; the reference must be rows.
    pub together: bool,
    /// Says too whether this model leans on the same inputs in both files; the reference must be rows.
    pub model: Option<&'p Path>,
}

/// How current data differs from a reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftFound {
    /// Each column on its own.
    #[serde(flatten)]
    pub columns: DriftMeasurement,
    /// Numeric columns together, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<TogetherDrift>,
    /// What a model leans on, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributions: Option<AttributionDrift>,
}

impl DriftFound {
    /// Returns whether any column drifted or is lost.
    pub fn has_drifted(&self) -> bool {
        self.columns.with_change(Change::Drifted).next().is_some() || !self.columns.lost.is_empty()
    }
}

impl DriftRequest<'_> {
    fn subject(&self) -> String {
        format!(
            "{} against {}",
            file_name(self.current),
            file_name(self.reference.path())
        )
    }

    /// Measures every column that both files have, and what else was asked for.
    pub fn measure(&self) -> Result<Outcome<DriftFound>, LifecycleError> {
        let against = self.reference.path();
        let columns = measure_columns(self)?;
        let mut report = report(&self.subject(), &columns);
        let mut together = None;
        if self.together {
            let sides = [against, self.current];
            let found = measure_together(
                sides,
                &self.csv,
                &self.without,
                PRECISION.level,
                PRECISION.bootstrap.seed,
            )?;
            report.sections.push(changes::together(&found));
            together = Some(found);
        }
        let mut attributions = None;
        if let Some(model) = self.model {
            let side = |path: &Path| apply(model, Rounds::All, path, &self.csv);
            let found = measure_attribution_drift([&side(against)?, &side(self.current)?])?;
            report.sections.push(changes::attributions(&found));
            attributions = Some(found);
        }
        let digests = [hash_file(against)?.0, hash_file(self.current)?.0];
        let names = columns.columns.iter().map(|column| column.name.clone());
        let names = names.chain(columns.lost.iter().cloned()).collect();
        let recorded = columns.clone();
        let record = Recordable::new(MeasuredOf::Columns(names), move |model| {
            Record::DriftReport(DriftReport::new(model, digests, &recorded))
        });
        Ok(Outcome {
            measurement: DriftFound {
                columns,
                together,
                attributions,
            },
            report,
            record: Some(record),
        })
    }

    /// Measures window by window of the current file; bounds hold over all columns of one window together.
    pub fn measure_windows(
        &self,
        how: &WindowColumns,
    ) -> Result<Outcome<Vec<WindowDrift>>, LifecycleError> {
        let measurement = measure_windows(self, how)?;
        let windows: Vec<_> = measurement
            .iter()
            .map(|window| (window.window.clone(), window.n, window.columns.clone()))
            .collect();
        let tolerance = self.options.tolerances.effect;
        Ok(Outcome {
            report: changes::windows(&self.subject(), &windows, tolerance),
            measurement,
            record: None,
        })
    }
}

fn measure_columns(request: &DriftRequest<'_>) -> Result<DriftMeasurement, LifecycleError> {
    let DriftRequest {
        reference,
        current,
        csv,
        without,
        options,
        ..
    } = request;

    let reference = Columns::of_reference(*reference, csv)?;
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
    let measure = |name: &&String| compare((&reference, &current), name, shared.len(), options);
    let compared: Vec<Compared> = shared.par_iter().map(measure).collect::<Result<_, _>>()?;
    let (mut columns, mut retyped, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    for found in compared {
        match found {
            Compared::Measured(found) => columns.push(*found),
            Compared::Retyped(found) => retyped.push(found),
            Compared::Unread(name) => unread.push(name),
        }
    }
    let is_left_out = |name: &&String| without.contains(name);
    let mut lost: Vec<String> = ours
        .iter()
        .filter(|name| !theirs.contains(name) && !is_left_out(name))
        .cloned()
        .collect();
    lost.extend(retyped.iter().map(|column| column.name.clone()));
    let added = theirs
        .iter()
        .filter(|name| !ours.contains(name) && !is_left_out(name))
        .cloned()
        .collect();
    let n_rows = [reference.n_rows(), current.n_rows()];
    let measured = DriftMeasurement::new(n_rows, options.clone(), columns, lost, added);
    Ok(DriftMeasurement {
        retyped,
        unread,
        ..measured
    })
}

/// Looks at the numeric columns of two files together.
fn measure_together(
    [reference, current]: [&Path; 2],
    csv: &ReadOptions,
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
    /// Where the window starts: `row` and a number counted from 1, a number of the column of times, or a date.
    pub window: String,
    /// Rows of the window; at least 1.
    pub n: usize,
    /// Verdict and effect of each column, in the order of the reference.
    pub columns: Vec<(String, ColumnDrift)>,
}

impl WindowDrift {
    /// Returns whether any column drifted.
    pub fn has_drifted(&self) -> bool {
        let is_drifted = |(_, drift): &(String, ColumnDrift)| drift.change == Change::Drifted;
        self.columns.iter().any(is_drifted)
    }
}

fn measure_windows(
    request: &DriftRequest<'_>,
    how: &WindowColumns,
) -> Result<Vec<WindowDrift>, LifecycleError> {
    let DriftRequest {
        reference,
        current,
        csv,
        without,
        options,
        ..
    } = request;
    let reference = Columns::of_reference(*reference, csv)?;
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
    let prepared: Vec<Option<Prepared>> = shared
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
        let measure = |(name, before): (&String, &Option<Prepared>)| {
            let before = before.as_ref()?;
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
fn measure_attribution_drift(
    [reference, current]: [&Applied; 2],
) -> Result<AttributionDrift, LifecycleError> {
    let contributions = |applied: &Applied| -> Result<Vec<f64>, LifecycleError> {
        let rows: Vec<usize> = (0..applied.rows.n_rows.min(ATTRIBUTED_ROWS)).collect();
        let found = attribute(applied, &rows, None, &ReadOptions::default())?;
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
        PRECISION,
    ))
}

/// Rows of each side whose contributions are compared.
const ATTRIBUTED_ROWS: usize = 10_000;
