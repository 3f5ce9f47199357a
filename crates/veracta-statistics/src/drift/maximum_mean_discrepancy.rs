//! Maximum mean discrepancy (Gretton et al. 2012): the squared distance of two samples in the space of a Gaussian kernel, unbiased.
//!
//! Its cost grows with the square of the rows, so that both samples are limited.

use super::Sample;
use veracta_model::numeric::sum;

/// Most rows of a sample: 10,000 × 10,000 kernel values take about half a second.
pub(crate) const ROWS_MAX: usize = 5_000;

/// The discrepancy with the width of its kernel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Discrepancy {
    /// Unbiased squared discrepancy; may be negative.
    pub statistic: f64,
    /// Width of the kernel exp(−d² / (2 σ²)).
    pub sigma: f64,
}

/// Returns the discrepancy of one column with σ = √(m / 2), m the middle squared distance within the reference, diagonal included.
///
/// `None` with fewer than two values in a sample or more than `ROWS_MAX`.
pub fn univariate(reference: &Sample, current: &Sample) -> Option<Discrepancy> {
    let (n, m) = (reference.n(), current.n());
    if n < 2 || m < 2 || n > ROWS_MAX || m > ROWS_MAX {
        return None;
    }
    // A column of which most values are equal has a middle distance of 0, and takes 1 in its place.
    let middle = Some(middle_squared_distance(&reference.sorted))
        .filter(|middle| *middle > 0.0)
        .unwrap_or(1.0);
    let sigma = (0.5 * middle).sqrt();
    let kernel = |x: f64, y: f64| (-(x - y).powi(2) / (2.0 * sigma * sigma)).exp();
    let within = |values: &[f64]| {
        let rows = values
            .iter()
            .enumerate()
            .map(|(i, x)| values[..i].iter().map(|y| kernel(*x, *y)).sum::<f64>());
        2.0 * sum(&rows.collect::<Vec<f64>>()) / (values.len() * (values.len() - 1)) as f64
    };
    let cross: Vec<f64> = reference
        .sorted
        .iter()
        .map(|x| current.sorted.iter().map(|y| kernel(*x, *y)).sum())
        .collect();
    let statistic =
        within(&reference.sorted) + within(&current.sorted) - 2.0 * sum(&cross) / (n * m) as f64;
    Some(Discrepancy { statistic, sigma })
}

/// Returns the squared distance in the middle place of all n² (the lower middle is never averaged with the upper).
fn middle_squared_distance(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    let mut distances: Vec<f64> = Vec::with_capacity(n * n);
    for x in sorted {
        distances.extend(sorted.iter().map(|y| (x - y).powi(2)));
    }
    // NumPy's "nearest": half to even.
    let place = ((n * n - 1) as f64 * 0.5).round_ties_even() as usize;
    let (_, middle, _) = distances.select_nth_unstable_by(place, f64::total_cmp);
    *middle
}

/// Rows of several columns: the pooled kernel matrix, for a statistic and its permutations.
#[derive(Debug, Clone)]
pub struct KernelMatrix {
    values: Vec<f64>,
    n: usize,
}

impl KernelMatrix {
    /// Computes the kernel of every pair of rows, each of `n_columns` numbers.
    ///
    /// # Panics
    /// When `sigma` is not positive, or rows are not whole or more than 2 × `ROWS_MAX`.
    pub fn new(rows: &[f64], n_columns: usize, sigma: f64) -> Self {
        assert!(
            sigma > 0.0
                && rows.len().is_multiple_of(n_columns)
                && rows.len() / n_columns <= 2 * ROWS_MAX
        );
        let n = rows.len() / n_columns;
        let row = |idx: usize| &rows[idx * n_columns..(idx + 1) * n_columns];
        let squared = |i: usize, j: usize| {
            row(i)
                .iter()
                .zip(row(j))
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f64>()
        };
        let values = (0..n * n)
            .map(|idx| (-squared(idx / n, idx % n) / (2.0 * sigma * sigma)).exp())
            .collect();
        Self { values, n }
    }

    /// Returns the unbiased squared discrepancy of the first `n_reference` rows of an order against the others; `None` with fewer than
    /// two rows on a side.
    pub fn discrepancy(&self, order: &[usize], n_reference: usize) -> Option<f64> {
        let (a, b) = order.split_at_checked(n_reference)?;
        if a.len() < 2 || b.len() < 2 || order.len() != self.n {
            return None;
        }
        let total = |left: &[usize], right: &[usize]| {
            let rows = left.iter().map(|i| {
                right
                    .iter()
                    .filter(|j| *j != i)
                    .map(|j| self.values[i * self.n + j])
                    .sum::<f64>()
            });
            sum(&rows.collect::<Vec<f64>>())
        };
        let (n, m) = (a.len() as f64, b.len() as f64);
        Some(
            total(a, a) / (n * (n - 1.0)) + total(b, b) / (m * (m - 1.0))
                - 2.0 * total(a, b) / (n * m),
        )
    }
}
