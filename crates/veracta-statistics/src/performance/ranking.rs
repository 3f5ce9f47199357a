//! Performance of a ranking, query by query, with scikit-learn's definitions: linear gains, ties averaged.

use super::{Metric, Scored};
use veracta_model::numeric::mean;

/// Relevance and scores of the rows of one query, as many of each.
#[derive(Debug, Clone, Copy)]
pub struct Query<'d> {
    /// Relevance of each row; 0 is not relevant.
    pub relevance: &'d [f64],
    /// Score of each row; the highest is ranked first, equal scores share their places.
    pub scores: &'d [f64],
}

impl Query<'_> {
    /// Returns the discounted cumulative gain of the first `k` places: Σ relevance / log2(place + 1), rows of equal score sharing their
    /// places (McSherry and Najork 2008).
    pub fn dcg(&self, k: usize) -> f64 {
        let mut order: Vec<usize> = (0..self.scores.len()).collect();
        order.sort_by(|a, b| self.scores[*b].total_cmp(&self.scores[*a]));
        let (mut place, mut total) = (0, 0.0);
        for ties in order.chunk_by(|a, b| self.scores[*a] == self.scores[*b]) {
            let discounts: f64 = (place..(place + ties.len()).min(k)).map(discount).sum();
            total += discounts * ties.iter().map(|row| self.relevance[*row]).sum::<f64>()
                / ties.len() as f64;
            place += ties.len();
        }
        total
    }

    /// Returns the gain over that of the best order; 0 to 1. `None` when nothing is relevant.
    pub fn ndcg(&self, k: usize) -> Option<f64> {
        let mut best = self.relevance.to_vec();
        best.sort_by(|a, b| b.total_cmp(a));
        let ideal: f64 = best
            .iter()
            .take(k)
            .enumerate()
            .map(|(place, gain)| gain * discount(place))
            .sum();
        (ideal > 0.0).then(|| self.dcg(k) / ideal)
    }

    /// Returns the average precision when rows of at least this relevance count; `None` when there is none.
    pub fn average_precision(&self, relevant_from: f64) -> Option<f64> {
        let labels: Vec<bool> = self
            .relevance
            .iter()
            .map(|relevance| *relevance >= relevant_from)
            .collect();
        Metric::AveragePrecision.evaluate(&Scored::new(&labels, self.scores).ok()?, 0.5)
    }
}

fn discount(place: usize) -> f64 {
    1.0 / ((place + 2) as f64).log2()
}

/// Returns the mean over queries for which a value is defined.
pub fn mean_over_queries(values: &[Option<f64>]) -> Option<f64> {
    mean(&values.iter().flatten().copied().collect::<Vec<f64>>())
}
