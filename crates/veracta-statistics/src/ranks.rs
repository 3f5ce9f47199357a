//! Ranks with ties, and the correlation of ranks.

use veracta_model::numeric::{mean, sum, variance};

/// Returns midranks (ties share the mean of their positions), one-based.
pub(crate) fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        let rank = (start + 1 + end) as f64 / 2.0;
        order[start..end].iter().for_each(|row| ranks[*row] = rank);
        start = end;
    }
    ranks
}

/// Returns Spearman's rank correlation; `None` when it is not defined.
///
/// # Panics
/// When the lengths differ.
pub(crate) fn rank_correlation(first: &[f64], second: &[f64]) -> Option<f64> {
    assert_eq!(first.len(), second.len(), "a correlation is over pairs");
    let (a, b) = (midranks(first), midranks(second));
    let (mean_a, mean_b) = (mean(&a)?, mean(&b)?);
    let products: Vec<f64> = a
        .iter()
        .zip(&b)
        .map(|(x, y)| (x - mean_a) * (y - mean_b))
        .collect();
    let spread = (variance(&a)? * variance(&b)?).sqrt();
    (spread > 0.0).then(|| sum(&products) / (a.len() - 1) as f64 / spread)
}
