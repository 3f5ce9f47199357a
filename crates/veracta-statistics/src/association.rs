//! How much one input alone tells about a target: the test behind leakage and proxy findings.
//!
//! The strength of an input is the ROC AUC of its own out-of-fold target rate, which is one scale for numbers and categories, sees
//! any shape of dependence, and carries an interval.

use crate::interval::{Estimate, delong_interval};
use crate::performance::Scored;
use veracta_data::table::{Column, MISSING, Values};
use veracta_model::numeric::{generator, quantile_sorted, shuffle};

/// Bins of a numeric input.
const BINS: usize = 20;
/// Folds of the out-of-fold rates.
const FOLDS: usize = 5;

/// Returns the ROC AUC with which `column` alone separates `target`; `None` when the target has fewer than two rows of a class.
///
/// Each row is scored with the target's rate among the rows of the other folds in the same bin or category, shrunk towards the
/// overall rate with the weight of ten rows, so that rare categories tell nothing about themselves.
pub fn one_input_auc(column: &Column, target: &[bool], seed: u64, level: f64) -> Option<Estimate> {
    let bins = bin_rows(column);
    let n_bins = bins.iter().max().map_or(0, |most| most + 1);
    let mut order: Vec<usize> = (0..target.len()).collect();
    shuffle(&mut order, &mut generator(seed, 0));
    let mut fold_of = vec![0; target.len()];
    order
        .iter()
        .enumerate()
        .for_each(|(position, row)| fold_of[*row] = position % FOLDS);
    let (mut positives, mut totals) = (vec![[0.0; FOLDS]; n_bins], vec![[0.0; FOLDS]; n_bins]);
    for (row, label) in target.iter().enumerate() {
        positives[bins[row]][fold_of[row]] += f64::from(*label);
        totals[bins[row]][fold_of[row]] += 1.0;
    }
    let base_rate =
        target.iter().filter(|label| **label).count() as f64 / target.len().max(1) as f64;
    let score = |row: usize| {
        let (bin, fold) = (bins[row], fold_of[row]);
        let others = |counts: &[f64; FOLDS]| counts.iter().sum::<f64>() - counts[fold];
        (others(&positives[bin]) + 10.0 * base_rate) / (others(&totals[bin]) + 10.0)
    };
    let scores: Vec<f64> = (0..target.len()).map(score).collect();
    delong_interval(&Scored::new(target, &scores).ok()?, level)
}

/// Returns the bin of each row: the category, or one of 20 bins of equal count; missing values have a bin of their own.
fn bin_rows(column: &Column) -> Vec<usize> {
    match &column.values {
        Values::Coded(coded) => {
            let missing = coded.levels.len();
            coded
                .codes
                .iter()
                .map(|code| {
                    if *code == MISSING {
                        missing
                    } else {
                        *code as usize
                    }
                })
                .collect()
        }
        Values::Numeric(values) => {
            let mut sorted: Vec<f64> = values
                .iter()
                .copied()
                .filter(|value| value.is_finite())
                .collect();
            sorted.sort_by(f64::total_cmp);
            if sorted.is_empty() {
                return vec![0; values.len()];
            }
            let mut edges: Vec<f64> = (1..BINS)
                .map(|bin| quantile_sorted(&sorted, bin as f64 / BINS as f64))
                .collect();
            edges.dedup();
            let bin = |value: &f64| match value.is_nan() {
                true => edges.len() + 1,
                false => edges.partition_point(|edge| edge <= value),
            };
            values.iter().map(bin).collect()
        }
    }
}

/// Returns how strongly two columns move together, 0 to 1: Cramér's V over bins or categories, without bias correction.
pub fn association(first: &Column, second: &Column) -> f64 {
    let (a, b) = (bin_rows(first), bin_rows(second));
    let (n_a, n_b) = (
        a.iter().max().map_or(0, |most| most + 1),
        b.iter().max().map_or(0, |most| most + 1),
    );
    // A pair of near-unique columns would only compare row with row.
    if n_a * n_b == 0 || n_a.max(n_b) * 5 > a.len() {
        return 0.0;
    }
    let (mut cells, mut rows, mut columns) = (vec![0.0; n_a * n_b], vec![0.0; n_a], vec![0.0; n_b]);
    for (i, j) in a.iter().zip(&b) {
        cells[i * n_b + j] += 1.0;
        rows[*i] += 1.0;
        columns[*j] += 1.0;
    }
    let n = a.len() as f64;
    let mut chi_square = 0.0;
    for i in 0..n_a {
        for j in 0..n_b {
            let expected = rows[i] * columns[j] / n;
            if expected > 0.0 {
                chi_square += (cells[i * n_b + j] - expected).powi(2) / expected;
            }
        }
    }
    let used = |counts: &[f64]| counts.iter().filter(|count| **count > 0.0).count();
    let freedom = used(&rows).min(used(&columns)).saturating_sub(1);
    if freedom == 0 {
        0.0
    } else {
        (chi_square / n / freedom as f64).sqrt().min(1.0)
    }
}
