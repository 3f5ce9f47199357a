//! Attribution drift: whether a model still leans on the same features as at training.
//!
//! The order of features by mean absolute contribution now is held against that of the reference by the normalised discounted cumulative
//! gain, as SageMaker Clarify has it: 1 when the order is the same, and an alarm below 0.9. The interval resamples current rows.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::interval::{Estimate, Method, Precision, resampled_estimate};
use veracta_model::numeric::{below, generator};

/// Gain below which features are taken for reordered.
pub const ALARM_BELOW: f64 = 0.9;

/// How the order of features has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributionDrift {
    /// Gain by [`ndcg`], 0 to 1; 1 is the same order. `None` without rows or contributions.
    pub ndcg: Option<Estimate>,
    /// Features with their mean absolute contribution, reference and current, strongest in the reference first.
    pub features: Vec<(String, [f64; 2])>,
}

/// Returns the mean absolute contribution of each feature; `contributions` holds rows after rows.
///
/// # Panics
/// When `n_features` is 0 or does not divide the contributions.
pub fn strengths(contributions: &[f64], n_features: usize) -> Vec<f64> {
    let mut totals = vec![0.0; n_features];
    assert!(
        contributions.len().is_multiple_of(n_features),
        "contributions are whole rows"
    );
    for row in contributions.chunks(n_features) {
        totals
            .iter_mut()
            .zip(row)
            .for_each(|(total, value)| *total += value.abs());
    }
    let n_rows = (contributions.len() / n_features).max(1) as f64;
    totals.into_iter().map(|total| total / n_rows).collect()
}

/// Returns the gain of ordering features by `current` when `reference` says what each is worth; `None` when nothing is worth anything.
///
/// # Panics
/// When the lengths differ.
pub fn ndcg(reference: &[f64], current: &[f64]) -> Option<f64> {
    assert_eq!(
        reference.len(),
        current.len(),
        "both are over the same features"
    );
    let gain = |by: &[f64]| {
        let mut order: Vec<usize> = (0..by.len()).collect();
        order.sort_by(|a, b| by[*b].total_cmp(&by[*a]));
        order
            .iter()
            .enumerate()
            .map(|(place, feature)| reference[*feature] / (place as f64 + 2.0).log2())
            .sum::<f64>()
    };
    let ideal = gain(reference);
    (ideal > 0.0).then(|| gain(current) / ideal)
}

/// Compares the contributions of current rows with those of reference rows, of one output each.
///
/// # Panics
/// When contributions are not whole rows of these features.
pub fn attribution_drift(
    names: &[String],
    reference: &[f64],
    current: &[f64],
    precision: Precision,
) -> AttributionDrift {
    let n_features = names.len();
    let (before, now) = (
        strengths(reference, n_features),
        strengths(current, n_features),
    );
    let n_rows = current.len() / n_features.max(1);
    let draw = |resample: u32| {
        let mut rng = generator(precision.bootstrap.seed, u64::from(resample));
        let mut drawn = vec![0.0; n_features];
        for _ in 0..n_rows {
            let row = below(&mut rng, n_rows);
            let values = &current[row * n_features..(row + 1) * n_features];
            drawn
                .iter_mut()
                .zip(values)
                .for_each(|(total, value)| *total += value.abs());
        }
        ndcg(&before, &drawn)
    };
    let estimate = ndcg(&before, &now).filter(|_| n_rows > 0);
    let interval = estimate.and_then(|estimate| {
        let values = (0..precision.bootstrap.n_resamples)
            .into_par_iter()
            .filter_map(draw)
            .collect();
        resampled_estimate(Some(estimate), values, precision, Method::BootstrapRows)
            .map(Estimate::holding_itself)
    });
    let mut features: Vec<(String, [f64; 2])> = names
        .iter()
        .zip(before.iter().zip(&now))
        .map(|(name, (a, b))| (name.clone(), [*a, *b]))
        .collect();
    features.sort_by(|a, b| b.1[0].total_cmp(&a.1[0]).then_with(|| a.0.cmp(&b.0)));
    AttributionDrift {
        ndcg: interval,
        features,
    }
}
