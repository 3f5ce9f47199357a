//! Drift of several columns together by principal components: how badly rows are rebuilt from the directions in which the reference
//! varies. Rows whose columns hang together in another way are rebuilt worse, even when no single column has moved.
//!
//! Columns are standardised by the reference and missing values replaced by its means; components are kept until they hold a share of
//! the variance (65 % by default, as NannyML has it). The error of a row is the Euclidean distance to what it is rebuilt as.

use crate::eigen::symmetric_eigen;
use veracta_model::numeric::{mean, sum};

/// Share of the variance that is kept unless another is asked for.
pub const SHARE_KEPT: f64 = 0.65;
/// Most columns: the rotations take the third power of them.
pub const COLUMNS_MAX: usize = 500;

/// The directions in which a reference varies.
#[derive(Debug, Clone, PartialEq)]
pub struct PrincipalComponents {
    /// Mean and population deviation of each column.
    scales: Vec<(f64, f64)>,
    /// Components kept, one after the other.
    components: Vec<Vec<f64>>,
    /// Share of the variance that they hold.
    pub share: f64,
}

impl PrincipalComponents {
    /// Finds the components of a reference, one vector a column, NaN for missing. `None` with fewer than two columns that vary, or more
    /// than [`COLUMNS_MAX`].
    ///
    /// # Panics
    /// When columns are not of one length.
    pub fn new(columns: &[Vec<f64>], share_kept: f64) -> Option<Self> {
        let n_rows = columns.first()?.len();
        assert!(
            columns.iter().all(|column| column.len() == n_rows),
            "columns are of the same rows"
        );
        let scales: Vec<(f64, f64)> = columns.iter().map(|column| scale(column)).collect();
        let size = columns.len();
        if scales
            .iter()
            .filter(|(_, deviation)| *deviation > 0.0)
            .count()
            < 2
            || size > COLUMNS_MAX
        {
            return None;
        }
        let standard: Vec<Vec<f64>> = columns
            .iter()
            .zip(&scales)
            .map(|(column, scale)| standardised(column, *scale))
            .collect();
        let mut matrix = vec![0.0; size * size];
        for i in 0..size {
            for j in 0..=i {
                let products: Vec<f64> = standard[i]
                    .iter()
                    .zip(&standard[j])
                    .map(|(a, b)| a * b)
                    .collect();
                let covariance = sum(&products) / n_rows as f64;
                (matrix[i * size + j], matrix[j * size + i]) = (covariance, covariance);
            }
        }
        let (values, vectors) = symmetric_eigen(&matrix, size);
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
        let total: f64 = values.iter().sum();
        let (mut components, mut held) = (Vec::new(), 0.0);
        for place in order {
            if held >= share_kept * total {
                break;
            }
            held += values[place];
            components.push((0..size).map(|row| vectors[row * size + place]).collect());
        }
        Some(Self {
            scales,
            components,
            share: held / total,
        })
    }

    /// Returns how many components are kept.
    pub fn n_components(&self) -> usize {
        self.components.len()
    }

    /// Returns the error of each row.
    ///
    /// # Panics
    /// When there are not as many columns as in the reference.
    pub fn errors(&self, columns: &[Vec<f64>]) -> Vec<f64> {
        assert_eq!(
            columns.len(),
            self.scales.len(),
            "the columns are those of the reference"
        );
        let standard: Vec<Vec<f64>> = columns
            .iter()
            .zip(&self.scales)
            .map(|(column, scale)| standardised(column, *scale))
            .collect();
        let n_rows = columns.first().map_or(0, Vec::len);
        let error = |row: usize| {
            let values: Vec<f64> = standard.iter().map(|column| column[row]).collect();
            let mut rebuilt = vec![0.0; values.len()];
            for component in &self.components {
                let score: f64 = values
                    .iter()
                    .zip(component)
                    .map(|(value, weight)| value * weight)
                    .sum();
                rebuilt
                    .iter_mut()
                    .zip(component)
                    .for_each(|(rebuilt, weight)| *rebuilt += score * weight);
            }
            values
                .iter()
                .zip(&rebuilt)
                .map(|(value, rebuilt)| (value - rebuilt).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        (0..n_rows).map(error).collect()
    }
}

fn scale(column: &[f64]) -> (f64, f64) {
    let known: Vec<f64> = column
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    let centre = mean(&known).unwrap_or(0.0);
    let squares: Vec<f64> = known.iter().map(|value| (value - centre).powi(2)).collect();
    (centre, mean(&squares).unwrap_or(0.0).sqrt())
}

/// A missing value is the mean, and a column that does not vary is 0 everywhere it is the constant.
fn standardised(column: &[f64], (centre, deviation): (f64, f64)) -> Vec<f64> {
    let unit = if deviation > 0.0 { deviation } else { 1.0 };
    column
        .iter()
        .map(|value| {
            if value.is_finite() {
                (value - centre) / unit
            } else {
                0.0
            }
        })
        .collect()
}
