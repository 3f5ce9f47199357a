//! Performance without labels, from calibrated probabilities (CBPE, Białek et al. 2024): each row counts as positive with its
//! probability and as negative with the rest.
//!
//! True only as far as the probabilities are calibrated on the data at hand; it cannot see that the relation of inputs and label has
//! changed.

use super::{Confusion, Metric, Scored};

/// Returns the expected outcome counts when rows that reach `threshold` are predicted positive.
pub fn expected_confusion(probabilities: &[f64], threshold: f64) -> Confusion {
    let mut confusion = Confusion::default();
    for p in probabilities {
        confusion.add(true, *p >= threshold, *p);
        confusion.add(false, *p >= threshold, 1.0 - p);
    }
    confusion
}

/// Returns the expected value of a metric; `None` when it is not defined or a probability is outside 0 to 1.
pub fn expected_metric(metric: Metric, probabilities: &[f64], threshold: f64) -> Option<f64> {
    if probabilities.iter().any(|p| !(0.0..=1.0).contains(p)) {
        return None;
    }
    let n = probabilities.len();
    let labels: Vec<bool> = (0..2 * n).map(|idx| idx < n).collect();
    let scores: Vec<f64> = probabilities.iter().chain(probabilities).copied().collect();
    let weights: Vec<f64> = probabilities.iter().copied().chain(probabilities.iter().map(|p| 1.0 - p)).collect();
    metric.evaluate(&Scored::new(&labels, &scores).ok()?.with_weights(&weights).ok()?, threshold)
}
