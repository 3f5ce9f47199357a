//! The Epps-Singleton test: a distance of the empirical characteristic functions at t = 0.4 and 0.8 in units of the pooled spread.

use super::{Sample, TestResult};
use crate::distribution::chi_squared_tail;
use crate::eigen::symmetric_eigen;
use veracta_model::numeric::{mean, quantile_sorted};

const POINTS: [f64; 2] = [0.4, 0.8];
/// Below this share of the largest singular value a direction counts as absent, as in NumPy's pseudo-inverse.
const SINGULAR_SHARE_MIN: f64 = 1e-15;

/// Waves lie between -1 and 1; a largest variance below this is rounding, and there is no test.
const SPREAD_MIN: f64 = 1e-25;

/// Returns the statistic and its chi-squared p-value; `None` with fewer than five values in a sample or a pooled interquartile range
/// of 0, or when neither sample varies.
pub fn test(reference: &Sample, current: &Sample) -> Option<TestResult> {
    let (n, m) = (reference.n(), current.n());
    if n < 5 || m < 5 {
        return None;
    }
    let mut pooled: Vec<f64> = reference
        .sorted
        .iter()
        .chain(&current.sorted)
        .copied()
        .collect();
    pooled.sort_by(f64::total_cmp);
    let spread = (quantile_sorted(&pooled, 0.75) - quantile_sorted(&pooled, 0.25)) / 2.0;
    if spread <= 0.0 {
        return None;
    }
    let (a, b) = (
        waves(&reference.sorted, spread),
        waves(&current.sorted, spread),
    );
    let total = (n + m) as f64;
    let (cov_a, cov_b) = (covariance(&a)?, covariance(&b)?);
    let scaled =
        |i: usize, j: usize| total / n as f64 * cov_a[i][j] + total / m as f64 * cov_b[i][j];
    let matrix: Vec<f64> = (0..16).map(|idx| scaled(idx / 4, idx % 4)).collect();
    let (values, vectors) = symmetric_eigen(&matrix, 4);
    let largest = values
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    if largest < SPREAD_MIN {
        return None;
    }
    let gaps: Vec<f64> = (0..4)
        .map(|wave| Some(mean(&a[wave])? - mean(&b[wave])?))
        .collect::<Option<_>>()?;
    let (mut statistic, mut rank) = (0.0, 0usize);
    for (idx, value) in values
        .iter()
        .enumerate()
        .filter(|(_, value)| value.abs() > SINGULAR_SHARE_MIN * largest)
    {
        let projection: f64 = (0..4).map(|row| vectors[row * 4 + idx] * gaps[row]).sum();
        statistic += total * projection * projection / value;
        rank += 1;
    }
    if n.max(m) < 25 {
        statistic /=
            1.0 + total.powf(-0.45) + 10.1 * ((n as f64).powf(-1.7) + (m as f64).powf(-1.7));
    }
    Some(TestResult {
        statistic,
        p_value: Some(chi_squared_tail(statistic, rank as f64)),
    })
}

/// Returns cosines and then sines of the values at both points.
fn waves(values: &[f64], spread: f64) -> [Vec<f64>; 4] {
    let of = |wave: fn(f64) -> f64, point: f64| {
        values
            .iter()
            .map(|value| wave(point / spread * value))
            .collect()
    };
    [
        of(f64::cos, POINTS[0]),
        of(f64::cos, POINTS[1]),
        of(f64::sin, POINTS[0]),
        of(f64::sin, POINTS[1]),
    ]
}

/// Returns the population covariance of four series.
fn covariance(series: &[Vec<f64>; 4]) -> Option<[[f64; 4]; 4]> {
    let centred: Vec<Vec<f64>> = series
        .iter()
        .map(|values| {
            mean(values).map(|centre| values.iter().map(|value| value - centre).collect())
        })
        .collect::<Option<_>>()?;
    let mut matrix = [[0.0; 4]; 4];
    for i in 0..4 {
        for j in 0..=i {
            let products: Vec<f64> = centred[i]
                .iter()
                .zip(&centred[j])
                .map(|(a, b)| a * b)
                .collect();
            matrix[i][j] = mean(&products)?;
            matrix[j][i] = matrix[i][j];
        }
    }
    Some(matrix)
}
