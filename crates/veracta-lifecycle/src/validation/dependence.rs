//! How the predictions of a model move with one input, the others as they are.

use serde::Serialize;
use veracta_model::explanation::dependence::{grid, individual_expectation, spread};

use crate::LifecycleError;
use crate::deployment::predict::{Applied, one_output, predictor};

/// Rows whose curves are averaged.
const DEPENDENCE_ROWS: usize = 2_000;
/// Values of an input that are tried.
pub(super) const GRID_POINTS: usize = 20;
/// Categories of an input that are tried.
const CATEGORIES_SHOWN: usize = 50;

/// How predictions move with one input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dependence {
    /// Name of the input that is varied.
    pub input: String,
    /// Rows whose predictions were averaged: the first of the file, at most 2 000.
    pub n_rows: usize,
    /// Values that the input was set to; of categories their codes.
    pub grid: Vec<f64>,
    /// The categories that the codes stand for; empty of numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Mean prediction at each value of `grid`; NaN where no prediction is finite.
    pub mean: Vec<f64>,
    /// Predictions of single rows at each: the 10 %, 50 % and 90 % quantiles.
    pub quantiles: Vec<[f64; 3]>,
}

/// Measures how predictions of the first output move with one input.
pub fn dependence(applied: &Applied, input: &str) -> Result<Dependence, LifecycleError> {
    let feature = position(applied, input)?;
    let n_rows = applied.rows.n_rows.min(DEPENDENCE_ROWS);
    let rows = applied.rows.select_rows(&(0..n_rows).collect::<Vec<_>>());
    let column: Vec<f64> = (0..applied.rows.n_rows)
        .map(|row| applied.rows.row(row)[feature])
        .collect();
    one_output(applied, "dependence")?;
    let mut values: Vec<f64> = column
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let categories: Vec<String> = values
        .iter()
        .take(CATEGORIES_SHOWN)
        .filter_map(|value| applied.model.category(feature, *value))
        .collect();
    // Between two categories there is nothing.
    let grid = if categories.is_empty() {
        grid(&column, GRID_POINTS)
    } else {
        values.into_iter().take(CATEGORIES_SHOWN).collect()
    };
    let predict = predictor(&applied.model, applied.rows.n_columns, 0);
    let curves = individual_expectation(&predict, &rows.values, rows.n_columns, feature, &grid, 0);
    let (mean, quantiles) = (0..grid.len()).map(|point| spread(&curves, point)).unzip();
    Ok(Dependence {
        input: input.to_owned(),
        n_rows,
        grid,
        categories,
        mean,
        quantiles,
    })
}

/// Returns the position of an input, or which there are.
pub(super) fn position(applied: &Applied, input: &str) -> Result<usize, LifecycleError> {
    applied
        .inputs
        .iter()
        .position(|name| name == input)
        .ok_or_else(|| LifecycleError::UnknownColumn {
            column: input.to_owned(),
            columns: applied.inputs.clone(),
        })
}
