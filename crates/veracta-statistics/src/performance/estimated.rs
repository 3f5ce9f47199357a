//! Performance without labels, from calibrated probabilities (CBPE, Białek et al. 2024): each row counts as positive with its
//! probability and as negative with the rest.
//!
//! True only as far as the probabilities are calibrated on the data at hand; it cannot see that the relation of inputs and label has
//! changed.

use super::{Confusion, Metric, Scored};
use crate::distribution::normal_quantile;
use crate::interval::{Estimate, Method, Precision, resampled_estimate};
use veracta_model::model::Batch;
use veracta_model::numeric::{below, generator, uniform};
use veracta_model::training::{TrainingError, fit_regression_trees};
use veracta_model::tree::TreeEnsemble;
use veracta_model::tree::compiled::CompiledTrees;

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
    let weights: Vec<f64> = probabilities
        .iter()
        .copied()
        .chain(probabilities.iter().map(|p| 1.0 - p))
        .collect();
    metric.evaluate(
        &Scored::new(&labels, &scores)
            .ok()?
            .with_weights(&weights)
            .ok()?,
        threshold,
    )
}

/// Returns the expected value of a metric with the band in which it would be seen on as many rows: rows and labels are drawn again, each
/// label by its probability. `None` where [`expected_metric`] is, or when half the draws have no value.
pub fn expected_interval(
    metric: Metric,
    probabilities: &[f64],
    threshold: f64,
    precision: Precision,
) -> Option<Estimate> {
    expected_intervals(&[metric], probabilities, threshold, precision)
        .pop()
        .flatten()
}

/// Returns the same of several metrics from the same draws.
pub fn expected_intervals(
    metrics: &[Metric],
    probabilities: &[f64],
    threshold: f64,
    precision: Precision,
) -> Vec<Option<Estimate>> {
    use rayon::prelude::*;
    // In order of score once for all: a draw is how often each row came up with each label.
    let mut sorted = probabilities.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let n = sorted.len();
    let draw = |resample: u32| -> Vec<Option<f64>> {
        let mut rng = generator(precision.bootstrap.seed, u64::from(resample));
        let mut times = vec![[0u32; 2]; n];
        for _ in 0..n {
            let row = below(&mut rng, n);
            times[row][usize::from(uniform(&mut rng) < sorted[row])] += 1;
        }
        let (mut labels, mut scores, mut weights) = (
            Vec::with_capacity(n),
            Vec::with_capacity(n),
            Vec::with_capacity(n),
        );
        for (row, times) in times.iter().enumerate() {
            for label in [true, false]
                .into_iter()
                .filter(|label| times[usize::from(*label)] > 0)
            {
                labels.push(label);
                scores.push(sorted[row]);
                weights.push(f64::from(times[usize::from(label)]));
            }
        }
        let drawn = Scored {
            labels: &labels,
            scores: &scores,
            weights: Some(&weights),
        };
        metrics
            .iter()
            .map(|metric| metric.evaluate(&drawn, threshold))
            .collect()
    };
    let estimates: Vec<Option<f64>> = metrics
        .iter()
        .map(|metric| expected_metric(*metric, probabilities, threshold))
        .collect();
    if estimates.iter().all(Option::is_none) {
        return vec![None; metrics.len()];
    }
    let drawn: Vec<Vec<Option<f64>>> = (0..precision.bootstrap.n_resamples)
        .into_par_iter()
        .map(draw)
        .collect();
    let interval = |(place, estimate): (usize, &Option<f64>)| {
        let values = drawn.iter().filter_map(|values| values[place]).collect();
        resampled_estimate(*estimate, values, precision, Method::ExpectedBand)
            .map(Estimate::holding_itself)
    };
    estimates.iter().enumerate().map(interval).collect()
}

/// The mean loss of a regression without its targets (direct loss estimation, NannyML): a second model, of the losses that rows of a
/// reference had, foretells those of current rows.
///
/// It sees losses that follow from the inputs and the prediction, and no change of their relation to the target.
#[derive(Debug, Clone)]
pub struct LossModel {
    trees: TreeEnsemble,
    /// Mean squared difference of losses and what out-of-fold models foretold.
    residual_variance: f64,
}

/// Folds in which losses are foretold.
const LOSS_FOLDS: usize = 5;

impl LossModel {
    /// Learns losses from inputs, rows after rows; the prediction should be one of them.
    pub fn fit(inputs: &Batch, losses: &[f64]) -> Result<Self, TrainingError> {
        let mut squares = Vec::with_capacity(losses.len());
        for fold in 0..LOSS_FOLDS {
            let split = |is_out: bool| {
                (0..inputs.n_rows)
                    .filter(|row| (row % LOSS_FOLDS == fold) == is_out)
                    .collect::<Vec<usize>>()
            };
            let (out, fitted) = (split(true), split(false));
            if out.is_empty() || fitted.is_empty() {
                return Err(TrainingError::NoInputs);
            }
            let targets: Vec<f64> = fitted.iter().map(|row| losses[*row]).collect();
            let trees = fit_regression_trees(&inputs.select_rows(&fitted), &targets)?;
            let foretold = CompiledTrees::new(&trees)
                .margins(&inputs.select_rows(&out).values, inputs.n_columns);
            squares.extend(
                out.iter()
                    .zip(foretold)
                    .map(|(row, foretold)| (losses[*row] - foretold).powi(2)),
            );
        }
        let residual_variance = veracta_model::numeric::mean(&squares).unwrap_or(0.0);
        Ok(Self {
            trees: fit_regression_trees(inputs, losses)?,
            residual_variance,
        })
    }

    /// Returns the mean loss expected of rows, with the band in which it would be seen on as many; `None` of no rows.
    pub fn expected(&self, inputs: &Batch, level: f64) -> Option<Estimate> {
        let foretold = CompiledTrees::new(&self.trees).margins(&inputs.values, inputs.n_columns);
        let estimate = veracta_model::numeric::mean(&foretold)?;
        let spread =
            veracta_model::numeric::variance(&foretold).unwrap_or(0.0) + self.residual_variance;
        let half = normal_quantile(0.5 + level / 2.0) * (spread / foretold.len() as f64).sqrt();
        Some(Estimate {
            estimate,
            lower: estimate - half,
            upper: estimate + half,
            level,
            method: Method::ExpectedBand,
        })
    }
}

/// Returns the absolute error of each prediction, |truth − prediction|.
pub fn absolute_errors(truths: &[f64], predictions: &[f64]) -> Vec<f64> {
    let pairs = truths.iter().zip(predictions);
    pairs
        .map(|(truth, prediction)| (truth - prediction).abs())
        .collect()
}
