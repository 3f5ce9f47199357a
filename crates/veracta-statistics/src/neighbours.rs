//! Nearest neighbours of made-up rows: whether synthetic data is nearer to the rows it was made from than to rows it has never seen.
//!
//! The share of synthetic rows whose nearest training row is nearer than their nearest held-out row is one half when nothing was
//! copied (the share of the distance to the closest record). Distances are Gower's (1971): the mean over columns of the difference of
//! numbers over their range and of unequal categories.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::interval::{Estimate, wilson_interval};
use veracta_model::model::Batch;
use veracta_model::numeric::{generator, shuffle};

/// Most rows compared of each table: a hundred million distances.
pub(crate) const ROWS_MAX: usize = 10_000;

/// How near synthetic rows are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeighbourShare {
    /// Synthetic rows, training rows and held-out rows compared; the last two are as many.
    pub n: [usize; 3],
    /// Share of synthetic rows nearer to training; a tie counts half, 0.5 is no copying.
    pub share: Option<Estimate>,
    /// Synthetic rows that equal a training row.
    pub n_copies: usize,
    /// Synthetic rows that equal a held-out row: how many would be equal by chance.
    pub n_chance_copies: usize,
}

/// Compares synthetic rows with as many training as held-out rows, a seeded sample of each.
///
/// # Panics
/// When tables have different columns, or there is not one mark a column.
pub fn neighbour_share(
    synthetic: &Batch,
    training: &Batch,
    held_out: &Batch,
    is_number: &[bool],
    level: f64,
    seed: u64,
) -> NeighbourShare {
    let width = synthetic.n_columns;
    assert!(
        training.n_columns == width && held_out.n_columns == width && is_number.len() == width,
        "the columns are the same"
    );
    let sample = |matrix: &Batch, n: usize, stream: u64| {
        let mut rows: Vec<usize> = (0..matrix.n_rows).collect();
        shuffle(&mut rows, &mut generator(seed, stream));
        rows.truncate(n);
        matrix.select_rows(&rows)
    };
    let n_each = training.n_rows.min(held_out.n_rows).min(ROWS_MAX);
    let (made, seen, unseen) = (
        sample(synthetic, ROWS_MAX, 0),
        sample(training, n_each, 1),
        sample(held_out, n_each, 2),
    );
    let metric = Gower {
        is_number,
        ranges: (0..width)
            .map(|column| range(&seen, &unseen, column))
            .collect(),
    };
    let pairs: Vec<(f64, f64)> = (0..made.n_rows)
        .into_par_iter()
        .map(|row| {
            (
                metric.nearest(made.row(row), &seen),
                metric.nearest(made.row(row), &unseen),
            )
        })
        .collect();
    let share = if n_each == 0 {
        None
    } else {
        wilson_interval(n_nearer(&pairs), pairs.len() as f64, level)
    };
    NeighbourShare {
        n: [made.n_rows, n_each, n_each],
        share,
        n_copies: pairs.iter().filter(|(a, _)| *a == 0.0).count(),
        n_chance_copies: pairs.iter().filter(|(_, b)| *b == 0.0).count(),
    }
}

/// Gower's distance without the division by the number of columns, which changes no order.
struct Gower<'g> {
    is_number: &'g [bool],
    /// Highest minus lowest value of each column, 1 of a constant one.
    ranges: Vec<f64>,
}

impl Gower<'_> {
    /// Returns a distance of 0 for equal rows up to the number of columns; two missing values are equal.
    fn distance(&self, a: &[f64], b: &[f64]) -> f64 {
        let of = |column: usize| match (a[column].is_nan(), b[column].is_nan()) {
            (true, true) => 0.0,
            (false, false) if self.is_number[column] => {
                ((a[column] - b[column]).abs() / self.ranges[column]).min(1.0)
            }
            (false, false) => f64::from(u8::from(a[column] != b[column])),
            (true, false) | (false, true) => 1.0,
        };
        (0..self.ranges.len()).map(of).sum::<f64>()
    }

    /// Returns the distance of the nearest row, infinity when there is none.
    fn nearest(&self, row: &[f64], among: &Batch) -> f64 {
        (0..among.n_rows)
            .map(|other| self.distance(row, among.row(other)))
            .fold(f64::INFINITY, f64::min)
    }
}

/// Counts the pairs whose first distance is the smaller; equal ones count half.
fn n_nearer(pairs: &[(f64, f64)]) -> f64 {
    pairs
        .iter()
        .map(|(a, b)| {
            if a < b {
                1.0
            } else if a == b {
                0.5
            } else {
                0.0
            }
        })
        .sum()
}

fn range(first: &Batch, second: &Batch, column: usize) -> f64 {
    let values = [first, second]
        .into_iter()
        .flat_map(|matrix| (0..matrix.n_rows).map(move |row| matrix.row(row)[column]));
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    if high > low { high - low } else { 1.0 }
}
