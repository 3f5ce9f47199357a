//! Several numeric columns looked at together, three ways, on a seeded sample of rows: whether boosted trees can tell the samples apart,
//! whether principal components of the reference still rebuild the rows, and how far the samples are apart in the space of a kernel.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::maximum_mean_discrepancy::KernelMatrix;
use super::principal_components::{PrincipalComponents, SHARE_KEPT};
use crate::distribution::normal_quantile;
use crate::interval::{Estimate, Method, delong_interval};
use crate::performance::Scored;
use veracta_model::model::{Batch, Input, Label};
use veracta_model::numeric::{generator, mean, quantile_sorted, shuffle, variance};
use veracta_model::training::{BoostingParameters, TrainingSpec, fit};

/// Rows of each side that are looked at.
pub(crate) const ROWS_MAX: usize = 10_000;
/// Rows of each side for the kernel, whose cost grows with their square.
pub(crate) const KERNEL_ROWS_MAX: usize = 1_000;
const FOLDS: usize = 5;
const PERMUTATIONS: usize = 200;

/// How several columns differ together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TogetherDrift {
    /// Names of the numeric columns, in the order of the vectors.
    pub columns: Vec<String>,
    /// Rows of the reference and of the current sample that were looked at; rows with a missing value are left out.
    pub n: [usize; 2],
    /// ROC AUC of telling current from reference rows out of fold; 0.5 is no difference that it sees.
    pub domain_classifier: Option<Estimate>,
    /// Reconstruction by principal components; `None` with fewer than two columns that vary.
    pub reconstruction: Option<Reconstruction>,
    /// Maximum mean discrepancy and its permutation p-value.
    pub discrepancy: Option<(f64, f64)>,
}

/// How well rows are rebuilt from components of the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reconstruction {
    /// Components kept: the fewest that hold [`SHARE_KEPT`] of the variance.
    pub n_components: usize,
    /// Share of the variance that they hold.
    pub share: f64,
    /// Mean error of reference rows that the components were not found on.
    pub reference_error: f64,
    /// Mean error of current rows minus that, with its interval.
    pub difference: Option<Estimate>,
}

/// Looks at columns together; one vector a column, NaN for missing.
///
/// # Panics
/// When the sides have different columns, or columns of a side different lengths.
pub fn together(
    names: &[String],
    reference: &[Vec<f64>],
    current: &[Vec<f64>],
    level: f64,
    seed: u64,
) -> TogetherDrift {
    assert!(
        names.len() == reference.len() && names.len() == current.len(),
        "both sides have these columns"
    );
    let (a, b) = (
        complete_rows(reference, seed, 0),
        complete_rows(current, seed, 1),
    );
    let n = [a.first().map_or(0, Vec::len), b.first().map_or(0, Vec::len)];
    TogetherDrift {
        columns: names.to_vec(),
        n,
        domain_classifier: classifier(&a, &b, level, seed),
        reconstruction: reconstruction(&a, &b, level),
        discrepancy: discrepancy(&a, &b, seed),
    }
}

/// Returns a sample of the rows without missing values.
fn complete_rows(columns: &[Vec<f64>], seed: u64, stream: u64) -> Vec<Vec<f64>> {
    let n_rows = columns.first().map_or(0, Vec::len);
    let mut rows: Vec<usize> = (0..n_rows)
        .filter(|row| columns.iter().all(|column| column[*row].is_finite()))
        .collect();
    if rows.len() > ROWS_MAX {
        shuffle(&mut rows, &mut generator(seed, stream));
        rows.truncate(ROWS_MAX);
    }
    columns
        .iter()
        .map(|column| rows.iter().map(|row| column[*row]).collect())
        .collect()
}

fn classifier(
    reference: &[Vec<f64>],
    current: &[Vec<f64>],
    level: f64,
    seed: u64,
) -> Option<Estimate> {
    let (n, m) = (reference.first()?.len(), current.first()?.len());
    let width = reference.len();
    let row = |row: usize| {
        (0..width).map(move |column| {
            if row < n {
                reference[column][row]
            } else {
                current[column][row - n]
            }
        })
    };
    let rows = Batch {
        values: (0..n + m).flat_map(row).collect(),
        n_rows: n + m,
        n_columns: width,
    };
    let is_current: Vec<bool> = (0..n + m).map(|row| row >= n).collect();
    let mut order: Vec<usize> = (0..n + m).collect();
    shuffle(&mut order, &mut generator(seed, 2));
    let inputs: Vec<Input> = (0..width)
        .map(|column| Input::number(column.to_string()))
        .collect();
    let label = Label {
        column: "current".to_owned(),
        positive: "1".to_owned(),
    };
    let spec = TrainingSpec::GradientBoosting(BoostingParameters {
        rounds: 60,
        learning_rate: 0.1,
        ..BoostingParameters::default()
    });
    let mut scores = vec![0.0; n + m];
    for fold in 0..FOLDS {
        let part = |is_out: bool| -> Vec<usize> {
            let of_part = order
                .iter()
                .enumerate()
                .filter(|(place, _)| (place % FOLDS == fold) == is_out);
            of_part.map(|(_, row)| *row).collect()
        };
        let (out, fitted) = (part(true), part(false));
        let labels: Vec<bool> = fitted.iter().map(|row| is_current[*row]).collect();
        let model = fit(&spec, &inputs, &label, &rows.select_rows(&fitted), &labels).ok()?;
        out.iter()
            .zip(model.probabilities(&rows.select_rows(&out)).ok()?)
            .for_each(|(row, score)| scores[*row] = score);
    }
    delong_interval(&Scored::new(&is_current, &scores).ok()?, level)
}

fn reconstruction(
    reference: &[Vec<f64>],
    current: &[Vec<f64>],
    level: f64,
) -> Option<Reconstruction> {
    // The components fit the rows they were found on a little too well: every other row is left for comparison.
    let half = |odd: usize| -> Vec<Vec<f64>> {
        reference
            .iter()
            .map(|column| column.iter().copied().skip(odd).step_by(2).collect())
            .collect()
    };
    let components = PrincipalComponents::new(&half(0), SHARE_KEPT)?;
    let (before, now) = (components.errors(&half(1)), components.errors(current));
    let (first, second) = (mean(&before)?, mean(&now)?);
    let difference = variance(&before).zip(variance(&now)).map(|(a, b)| {
        let half = normal_quantile(0.5 + level / 2.0)
            * (a / before.len() as f64 + b / now.len() as f64).sqrt();
        let estimate = second - first;
        Estimate {
            estimate,
            lower: estimate - half,
            upper: estimate + half,
            level,
            method: Method::NormalMean,
        }
    });
    Some(Reconstruction {
        n_components: components.n_components(),
        share: components.share,
        reference_error: first,
        difference,
    })
}

fn discrepancy(reference: &[Vec<f64>], current: &[Vec<f64>], seed: u64) -> Option<(f64, f64)> {
    let take = |columns: &[Vec<f64>]| columns.first().map_or(0, Vec::len).min(KERNEL_ROWS_MAX);
    let (n, m) = (take(reference), take(current));
    if n < 2 || m < 2 {
        return None;
    }
    // Standardised by the reference, so that no column decides by its unit.
    let scales: Vec<(f64, f64)> = reference
        .iter()
        .map(|column| {
            (
                mean(column).unwrap_or(0.0),
                variance(column).map_or(1.0, f64::sqrt),
            )
        })
        .map(|(centre, deviation)| (centre, if deviation > 0.0 { deviation } else { 1.0 }))
        .collect();
    let rows = |columns: &[Vec<f64>], n: usize| -> Vec<f64> {
        (0..n)
            .flat_map(|row| {
                columns
                    .iter()
                    .zip(&scales)
                    .map(move |(column, (centre, deviation))| (column[row] - centre) / deviation)
            })
            .collect()
    };
    let width = reference.len();
    let pooled = [rows(reference, n), rows(current, m)].concat();
    // The median distance of pairs next to each other in the sample: as good as any for a width.
    let mut distances: Vec<f64> = pooled
        .chunks(width)
        .zip(pooled.chunks(width).skip(1))
        .map(|(a, b)| {
            a.iter()
                .zip(b)
                .map(|(x, y)| (x - y).powi(2))
                .sum::<f64>()
                .sqrt()
        })
        .collect();
    distances.sort_by(f64::total_cmp);
    let sigma = quantile_sorted(&distances, 0.5);
    if sigma <= 0.0 {
        return None;
    }
    let kernel = KernelMatrix::new(&pooled, width, sigma);
    let order: Vec<usize> = (0..n + m).collect();
    let statistic = kernel.discrepancy(&order, n)?;
    let permuted = |permutation: usize| {
        let mut order = order.clone();
        shuffle(&mut order, &mut generator(seed, 3 + permutation as u64));
        kernel.discrepancy(&order, n)
    };
    let n_above = (0..PERMUTATIONS)
        .into_par_iter()
        .filter_map(permuted)
        .filter(|value| *value >= statistic)
        .count();
    Some((statistic, (1 + n_above) as f64 / (1 + PERMUTATIONS) as f64))
}
