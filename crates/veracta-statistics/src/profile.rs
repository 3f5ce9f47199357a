//! Statistics of each column of a table: exact, and in the same digits on any number of threads.
//!
//! The frequent values of a column are shown only where a value is shared by at least [`SHOWN_COUNT_MIN`] rows and the column is
//! not text, so that a profile carries no single person's value.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use veracta_data::table::{Column, ColumnType, MISSING, Table, Values};
use veracta_model::numeric::{mean, quantile_sorted, variance};

/// Fewest rows that share a value before a profile shows it.
pub const SHOWN_COUNT_MIN: usize = 10;
/// Most values shown for a column.
const SHOWN_VALUES_MAX: usize = 12;
const HISTOGRAM_BINS: usize = 20;
/// Quantiles given for a numeric column.
pub const QUANTILES: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// Statistics of a table and of each of its columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Rows of the table, repeated ones included.
    pub n_rows: usize,
    /// Rows that repeat an earlier one in every column.
    pub n_duplicate_rows: usize,
    /// Rows that repeat an earlier one in every column but the identifiers.
    pub n_duplicate_rows_without_id: usize,
    /// One entry for each column, in file order.
    pub columns: Vec<ColumnProfile>,
}

/// Statistics of a column: `numeric` of numbers, `frequent` of categories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Name of the column, as the table has it.
    pub name: String,
    /// Type that was declared or inferred; of text no value is shown.
    pub column_type: ColumnType,
    /// Rows without a value; infinite numbers are not among them.
    pub n_missing: usize,
    /// Distinct values, missing ones not counted.
    pub n_distinct: usize,
    /// Statistics of numbers; `None` of categories, and of a column without a finite number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numeric: Option<NumericProfile>,
    /// Frequent values of categories, most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frequent: Vec<ValueCount>,
}

/// Statistics of the finite numbers of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumericProfile {
    /// Infinite values, left out of everything else.
    pub n_infinite: usize,
    /// Smallest finite value; that of a single row.
    pub min: f64,
    /// Largest finite value; that of a single row.
    pub max: f64,
    /// Mean of the finite values.
    pub mean: f64,
    /// Standard deviation (n - 1); `None` of a single value.
    pub standard_deviation: Option<f64>,
    /// The quantiles of [`QUANTILES`], linear interpolation.
    pub quantiles: [f64; 7],
    /// Counts in 20 bins of equal width from smallest to largest.
    pub histogram: Vec<usize>,
}

/// A value and how many rows have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueCount {
    /// Value as it is in the file.
    pub value: String,
    /// Rows with the value; at least [`SHOWN_COUNT_MIN`].
    pub n_rows: usize,
}

/// Profiles a table. `identifiers` names columns that tell rows apart and are left out of the second count of duplicates.
pub fn profile(table: &Table, identifiers: &[&str]) -> Profile {
    let n_repeats = |without: &[&str]| {
        let mut digests = table.row_digests(without);
        digests.par_sort_unstable();
        digests.windows(2).filter(|pair| pair[0] == pair[1]).count()
    };
    let n_duplicate_rows = n_repeats(&[]);
    let n_duplicate_rows_without_id = if identifiers.is_empty() {
        n_duplicate_rows
    } else {
        n_repeats(identifiers)
    };
    let columns = table.columns.par_iter().map(profile_column).collect();
    Profile {
        n_rows: table.n_rows,
        n_duplicate_rows,
        n_duplicate_rows_without_id,
        columns,
    }
}

fn profile_column(column: &Column) -> ColumnProfile {
    let (name, column_type) = (column.name.clone(), column.column_type);
    match &column.values {
        Values::Numeric(values) => {
            let n_missing = values.iter().filter(|value| value.is_nan()).count();
            let mut finite: Vec<f64> = values
                .iter()
                .copied()
                .filter(|value| value.is_finite())
                .collect();
            let moments = mean(&finite).map(|mean| (mean, variance(&finite).map(f64::sqrt)));
            finite.sort_unstable_by(f64::total_cmp);
            let n_distinct = finite.chunk_by(|a, b| a == b).count();
            let n_infinite = values.len() - n_missing - finite.len();
            let numeric = moments.map(|(mean, standard_deviation)| {
                let (min, max) = (finite[0], finite[finite.len() - 1]);
                let quantiles = QUANTILES.map(|share| quantile_sorted(&finite, share));
                let histogram = histogram(&finite, min, max);
                NumericProfile {
                    n_infinite,
                    min,
                    max,
                    mean,
                    standard_deviation,
                    quantiles,
                    histogram,
                }
            });
            ColumnProfile {
                name,
                column_type,
                n_missing,
                n_distinct,
                numeric,
                frequent: Vec::new(),
            }
        }
        Values::Coded(coded) => {
            let mut counts = vec![0usize; coded.levels.len()];
            let mut n_missing = 0;
            for code in &coded.codes {
                match *code {
                    MISSING => n_missing += 1,
                    code => counts[code as usize] += 1,
                }
            }
            let n_distinct = counts.iter().filter(|count| **count > 0).count();
            let mut order: Vec<usize> = match column_type {
                ColumnType::Text => Vec::new(),
                ColumnType::Numeric | ColumnType::Categorical => (0..counts.len()).collect(),
            };
            order.retain(|code| counts[*code] >= SHOWN_COUNT_MIN);
            order.sort_by_key(|code| std::cmp::Reverse(counts[*code]));
            order.truncate(SHOWN_VALUES_MAX);
            let shown = order.into_iter().map(|code| ValueCount {
                value: coded.levels[code].clone(),
                n_rows: counts[code],
            });
            ColumnProfile {
                name,
                column_type,
                n_missing,
                n_distinct,
                numeric: None,
                frequent: shown.collect(),
            }
        }
    }
}

fn histogram(sorted: &[f64], min: f64, max: f64) -> Vec<usize> {
    let mut counts = vec![0; HISTOGRAM_BINS];
    let width = (max - min) / HISTOGRAM_BINS as f64;
    for value in sorted {
        let bin = if width > 0.0 {
            ((value - min) / width) as usize
        } else {
            0
        };
        counts[bin.min(HISTOGRAM_BINS - 1)] += 1;
    }
    counts
}

/// Rounds to two significant digits, up or down: an extreme that does not give a single value away.
pub fn round_outwards(value: f64, up: bool) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let unit = 10f64.powi(value.abs().log10().floor() as i32 - 1);
    let steps = value / unit;
    // A value that has two digits already stays as it is, whatever the division did to its last bit.
    let whole = if (steps - steps.round()).abs() < 1e-9 {
        steps.round()
    } else if up {
        steps.ceil()
    } else {
        steps.floor()
    };
    whole * unit
}
