//! What drives a model over many rows: the mean strength of each feature and how its contributions are spread.

use serde::{Deserialize, Serialize};

use super::Attribution;
use crate::numeric::{mean, quantile_sorted, variance};

/// Shares whose quantiles are given.
pub const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// The explanation of some rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplanationSummary {
    /// The model in words: kind, number of trees or terms.
    pub model: String,
    /// Method of the attributions, in words.
    pub method: String,
    /// Rows explained; at least 1.
    pub n_rows: usize,
    /// One entry for each output of the model, in its order.
    pub outputs: Vec<OutputSummary>,
}

/// The explanation of one output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputSummary {
    /// The margin expected without knowing any feature.
    pub base_value: f64,
    /// Every feature, by falling mean absolute contribution, equal ones by name.
    pub features: Vec<FeatureSummary>,
}

/// A feature over the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSummary {
    /// Name of the input that the feature is.
    pub input: String,
    /// Mean absolute contribution, in margin units.
    pub mean_absolute: f64,
    /// Its standard error over the rows; `None` with one row.
    pub standard_error: Option<f64>,
    /// Mean absolute contribution over the sum of all features'.
    pub share: f64,
    /// Mean contribution, in margin units; above 0 raises the margin on average.
    pub mean: f64,
    /// Quantiles of the contribution at [`QUANTILES`].
    pub quantiles: [f64; 5],
}

/// Summarises the attributions of each row, of which each has one for each output.
///
/// # Panics
/// When there are no rows, or a row has another number of features.
pub fn summarise(
    model: String,
    method: String,
    inputs: &[String],
    attributions: &[Vec<Attribution>],
) -> ExplanationSummary {
    assert!(!attributions.is_empty(), "there are rows to explain");
    let n_outputs = attributions[0].len();
    let output = |output: usize| {
        let mut features: Vec<FeatureSummary> = (0..inputs.len())
            .map(|feature| of_feature(&inputs[feature], feature, output, attributions))
            .collect();
        let total: f64 = features.iter().map(|feature| feature.mean_absolute).sum();
        features.iter_mut().for_each(|feature| {
            feature.share = if total > 0.0 {
                feature.mean_absolute / total
            } else {
                0.0
            }
        });
        features.sort_by(|a, b| {
            b.mean_absolute
                .total_cmp(&a.mean_absolute)
                .then_with(|| a.input.cmp(&b.input))
        });
        OutputSummary {
            base_value: attributions[0][output].base_value,
            features,
        }
    };
    ExplanationSummary {
        model,
        method,
        n_rows: attributions.len(),
        outputs: (0..n_outputs).map(output).collect(),
    }
}

fn of_feature(
    input: &str,
    feature: usize,
    output: usize,
    attributions: &[Vec<Attribution>],
) -> FeatureSummary {
    let mut signed: Vec<f64> = attributions
        .iter()
        .map(|row| row[output].contributions[feature])
        .collect();
    let absolute: Vec<f64> = signed.iter().map(|value| value.abs()).collect();
    let average = mean(&signed).unwrap_or(0.0);
    signed.sort_by(f64::total_cmp);
    FeatureSummary {
        input: input.to_owned(),
        mean_absolute: mean(&absolute).unwrap_or(0.0),
        standard_error: variance(&absolute)
            .map(|variance| (variance / absolute.len() as f64).sqrt()),
        share: 0.0,
        mean: average,
        quantiles: QUANTILES.map(|share| quantile_sorted(&signed, share)),
    }
}
