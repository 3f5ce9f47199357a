//! The domain classifier: how well a model tells current rows from reference rows, out of fold (Lopez-Paz and Oquab 2017).
//!
//! A ROC AUC of 0.5 means that it cannot: nothing changed that logistic regression on standardised columns sees.

use veracta_model::linear::fit_logistic;
use veracta_model::numeric::{mean, sum};

/// Returns the score of each row from a model fitted on the rows of the other folds; `None` when a fit does not exist.
///
/// `columns` holds one vector a column without missing values. Columns are standardised by mean and population deviation of the rows
/// fitted on; the penalty is half the squared coefficients.
///
/// # Panics
/// When the lengths differ.
pub fn out_of_fold_scores(
    columns: &[Vec<f64>],
    is_current: &[bool],
    folds: &[usize],
) -> Option<Vec<f64>> {
    assert!(
        columns
            .iter()
            .all(|column| column.len() == is_current.len())
            && folds.len() == is_current.len(),
        "one value, side and fold a row"
    );
    let mut scores = vec![0.0; is_current.len()];
    let mut names = folds.to_vec();
    names.sort_unstable();
    names.dedup();
    for fold in names {
        let fitted: Vec<usize> = (0..folds.len()).filter(|row| folds[*row] != fold).collect();
        let scales: Vec<(f64, f64)> = columns
            .iter()
            .map(|column| scale(column, &fitted))
            .collect::<Option<_>>()?;
        let standard = |row: usize, column: usize| {
            (columns[column][row] - scales[column].0) / scales[column].1
        };
        let inputs: Vec<Vec<f64>> = (0..columns.len())
            .map(|column| fitted.iter().map(|row| standard(*row, column)).collect())
            .collect();
        let labels: Vec<bool> = fitted.iter().map(|row| is_current[*row]).collect();
        let fit = fit_logistic(&inputs, &labels, None, 1.0)?;
        for row in (0..folds.len()).filter(|row| folds[*row] == fold) {
            let terms = (0..columns.len())
                .map(|column| fit.coefficients[column + 1] * standard(row, column));
            scores[row] = 1.0 / (1.0 + (-(fit.coefficients[0] + terms.sum::<f64>())).exp());
        }
    }
    Some(scores)
}

/// Returns mean and population deviation of some rows; a column that does not vary is only centred.
fn scale(column: &[f64], rows: &[usize]) -> Option<(f64, f64)> {
    let values: Vec<f64> = rows.iter().map(|row| column[*row]).collect();
    let centre = mean(&values)?;
    let squares: Vec<f64> = values
        .iter()
        .map(|value| (value - centre).powi(2))
        .collect();
    let deviation = (sum(&squares) / values.len() as f64).sqrt();
    Some((centre, if deviation > 0.0 { deviation } else { 1.0 }))
}
