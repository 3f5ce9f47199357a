//! Shapley values of any predictor, by trying coalitions: all of them when features are few, a seeded sample of orders when not.
//!
//! A feature outside the coalition is taken from each background row in turn (the interventional expectation). The exact form asks
//! the predictor 2^n times the number of background rows; the sampled form states its standard error.

use rayon::prelude::*;

use super::{Attribution, ExplanationError};
use crate::numeric::{generator, mean, shuffle, sum, variance};

/// Most features of the exact form: 2^16 coalitions.
pub(crate) const EXACT_FEATURES_MAX: usize = 16;

/// Predicts rows that stand one after the other; gives the outputs of each row one after the other.
pub type Predict<'p> = dyn Fn(&[f64]) -> Vec<f64> + Sync + 'p;

/// Sampled attributions of one row to one output.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledAttribution {
    /// Mean over the sampled orders; contributions and base value add up to the prediction.
    pub attribution: Attribution,
    /// Standard error of each contribution from the sampling of orders.
    pub standard_errors: Vec<f64>,
}

/// How many orders of the features are sampled, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Pairs of an order and its reverse; at least 2.
    pub n_pairs: u32,
    /// Seed; pair i uses stream i.
    pub seed: u64,
}

/// Returns the mean prediction of each output when the features in `members` are the row's and the others the background's.
fn value(
    predict: &Predict<'_>,
    row: &[f64],
    background: &[Vec<f64>],
    members: impl Fn(usize) -> bool,
) -> Vec<f64> {
    let filled = |other: &Vec<f64>| {
        (0..row.len())
            .map(|feature| {
                if members(feature) {
                    row[feature]
                } else {
                    other[feature]
                }
            })
            .collect::<Vec<_>>()
    };
    let outputs = predict(&background.iter().flat_map(filled).collect::<Vec<f64>>());
    let n_outputs = outputs.len() / background.len();
    (0..n_outputs)
        .map(|output| {
            sum(&outputs
                .iter()
                .skip(output)
                .step_by(n_outputs)
                .copied()
                .collect::<Vec<_>>())
                / background.len() as f64
        })
        .collect()
}

/// Returns exact attributions of one row for each output.
///
/// # Panics
/// When the row has more than `EXACT_FEATURES_MAX` features.
pub fn exact(
    predict: &Predict<'_>,
    row: &[f64],
    background: &[Vec<f64>],
) -> Result<Vec<Attribution>, ExplanationError> {
    let n = row.len();
    assert!(
        n <= EXACT_FEATURES_MAX,
        "the exact form tries every coalition"
    );
    if background.is_empty() {
        return Err(ExplanationError::NoBackground);
    }
    let coalition =
        |mask: usize| value(predict, row, background, |feature| mask >> feature & 1 == 1);
    let values: Vec<Vec<f64>> = (0..1usize << n).into_par_iter().map(coalition).collect();
    // |S|! (n − |S| − 1)! / n! = 1 / (n · C(n − 1, |S|)).
    let choose = |k: usize| (1..=k).fold(1.0, |product, i| product * (n - i) as f64 / i as f64);
    let weights: Vec<f64> = (0..n).map(|size| 1.0 / (n as f64 * choose(size))).collect();
    let contribution = |feature: usize, output: usize| {
        let without = (0..values.len()).filter(|mask| mask >> feature & 1 == 0);
        let gains = without.map(|mask| {
            weights[mask.count_ones() as usize]
                * (values[mask | 1 << feature][output] - values[mask][output])
        });
        sum(&gains.collect::<Vec<f64>>())
    };
    let attribution = |output: usize| Attribution {
        contributions: (0..n)
            .map(|feature| contribution(feature, output))
            .collect(),
        base_value: values[0][output],
    };
    Ok((0..values[0].len()).map(attribution).collect())
}

/// Returns attributions from a sample of orders, each with its reverse (antithetic sampling, Mitchell et al. 2022).
///
/// # Panics
/// When fewer than 2 pairs are asked for.
pub fn sampled(
    predict: &Predict<'_>,
    row: &[f64],
    background: &[Vec<f64>],
    sampling: Sampling,
) -> Result<Vec<SampledAttribution>, ExplanationError> {
    assert!(
        sampling.n_pairs >= 2,
        "a sampling error needs two pairs of orders"
    );
    if background.is_empty() {
        return Err(ExplanationError::NoBackground);
    }
    let n = row.len();
    let base = value(predict, row, background, |_| false);
    let of_pair = |pair: u32| {
        let mut order: Vec<usize> = (0..n).collect();
        shuffle(&mut order, &mut generator(sampling.seed, u64::from(pair)));
        let mut gains = vec![vec![0.0; n]; base.len()];
        for reversed in [false, true] {
            let mut members = vec![false; n];
            let mut before = base.clone();
            for step in 0..n {
                let feature = order[if reversed { n - 1 - step } else { step }];
                members[feature] = true;
                let after = value(predict, row, background, |feature| members[feature]);
                gains
                    .iter_mut()
                    .zip(after.iter().zip(&before))
                    .for_each(|(gains, (after, before))| gains[feature] += (after - before) / 2.0);
                before = after;
            }
        }
        gains
    };
    let pairs: Vec<Vec<Vec<f64>>> = (0..sampling.n_pairs).into_par_iter().map(of_pair).collect();
    let column = |output: usize, feature: usize| {
        pairs
            .iter()
            .map(|pair| pair[output][feature])
            .collect::<Vec<f64>>()
    };
    let attribution = |output: usize| {
        let contributions = (0..n)
            .map(|feature| mean(&column(output, feature)).unwrap_or(0.0))
            .collect();
        let error = |feature: usize| {
            (variance(&column(output, feature)).unwrap_or(0.0) / f64::from(sampling.n_pairs)).sqrt()
        };
        SampledAttribution {
            attribution: Attribution {
                contributions,
                base_value: base[output],
            },
            standard_errors: (0..n).map(error).collect(),
        }
    };
    Ok((0..base.len()).map(attribution).collect())
}
