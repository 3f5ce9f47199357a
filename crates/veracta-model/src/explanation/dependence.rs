//! Partial dependence (Friedman 2001) and individual conditional expectation (Goldstein et al. 2015): how predictions move when
//! one or two features are set to given values in every row and everything else stays.
//!
//! Set values may be combinations that no row has; [`grid`] keeps to the range in which most rows lie.

use super::coalition::Predict;
use crate::numeric::{mean, quantile_sorted};

/// Returns `n_points` values from the 5 % to the 95 % quantile, evenly spaced; the distinct values when there are no more of them.
pub fn grid(column: &[f64], n_points: usize) -> Vec<f64> {
    let mut sorted: Vec<f64> = column
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    if sorted.is_empty() || n_points < 2 {
        return Vec::new();
    }
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (
        quantile_sorted(&sorted, 0.05),
        quantile_sorted(&sorted, 0.95),
    );
    sorted.dedup();
    if sorted.len() <= n_points {
        return sorted;
    }
    (0..n_points)
        .map(|step| low + (high - low) * step as f64 / (n_points - 1) as f64)
        .collect()
}

/// Returns the outputs of every row with some features set: rows after rows, outputs of a row together.
fn with_features(
    predict: &Predict<'_>,
    values: &[f64],
    n_columns: usize,
    set: &[(usize, f64)],
) -> Vec<f64> {
    let mut changed = values.to_vec();
    for row in changed.chunks_mut(n_columns) {
        set.iter()
            .for_each(|(feature, value)| row[*feature] = *value);
    }
    predict(&changed)
}

/// Returns for each row its prediction at each grid value. `output` of `n_outputs` is looked at.
///
/// # Panics
/// When `n_columns` is 0 or the feature is not among the columns.
pub fn individual_expectation(
    predict: &Predict<'_>,
    values: &[f64],
    n_columns: usize,
    feature: usize,
    grid: &[f64],
    output: usize,
) -> Vec<Vec<f64>> {
    assert!(feature < n_columns, "the feature is a column");
    let n_rows = values.len() / n_columns;
    let mut curves = vec![Vec::with_capacity(grid.len()); n_rows];
    for point in grid {
        let outputs = with_features(predict, values, n_columns, &[(feature, *point)]);
        let n_outputs = outputs.len() / n_rows.max(1);
        curves
            .iter_mut()
            .enumerate()
            .for_each(|(row, curve)| curve.push(outputs[row * n_outputs + output]));
    }
    curves
}

/// Returns the mean prediction of all rows at each grid value of one feature.
pub fn partial_dependence(
    predict: &Predict<'_>,
    values: &[f64],
    n_columns: usize,
    feature: usize,
    grid: &[f64],
    output: usize,
) -> Vec<f64> {
    let curves = individual_expectation(predict, values, n_columns, feature, grid, output);
    let at = |point: usize| {
        mean(&curves.iter().map(|curve| curve[point]).collect::<Vec<_>>()).unwrap_or(f64::NAN)
    };
    (0..grid.len()).map(at).collect()
}

/// Returns the mean prediction over two grids: one row a value of the first feature.
///
/// # Panics
/// When a feature is not among the columns.
pub fn partial_dependence_pair(
    predict: &Predict<'_>,
    values: &[f64],
    n_columns: usize,
    features: [usize; 2],
    grids: [&[f64]; 2],
    output: usize,
) -> Vec<Vec<f64>> {
    assert!(
        features.iter().all(|feature| *feature < n_columns),
        "both features are columns"
    );
    let at = |first: f64, second: f64| {
        let outputs = with_features(
            predict,
            values,
            n_columns,
            &[(features[0], first), (features[1], second)],
        );
        let n_outputs = outputs.len() / (values.len() / n_columns).max(1);
        let picked: Vec<f64> = outputs
            .iter()
            .skip(output)
            .step_by(n_outputs.max(1))
            .copied()
            .collect();
        mean(&picked).unwrap_or(f64::NAN)
    };
    grids[0]
        .iter()
        .map(|first| grids[1].iter().map(|second| at(*first, *second)).collect())
        .collect()
}

/// Returns the mean of all curves at a point of the grid, and their 10 %, 50 % and 90 % quantiles; NaN where no curve is finite.
pub fn spread(curves: &[Vec<f64>], point: usize) -> (f64, [f64; 3]) {
    let values = curves.iter().map(|curve| curve[point]);
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    match mean(&values) {
        Some(mean) => (
            mean,
            [0.1, 0.5, 0.9].map(|share| quantile_sorted(&values, share)),
        ),
        None => (f64::NAN, [f64::NAN; 3]),
    }
}
