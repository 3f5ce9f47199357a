//! Recalibration: maps from scores to probabilities that come true, and whether they help on rows they were not fitted on.
//!
//! Isotonic regression is scikit-learn's (pool adjacent violators, linear between the steps), Platt's sigmoid has his smoothed targets
//! (Platt 1999) and is fitted on the score itself, as scikit-learn's `CalibratedClassifierCV` does.

use serde::{Deserialize, Serialize};

use crate::calibration::{Binning, reliability};
use crate::distribution::normal_quantile;
use crate::interval::{Estimate, Method};
use crate::performance::{Metric, Scored};
use veracta_model::numeric::{generator, mean, shuffle, variance};

/// Folds in which recalibration is tried.
pub(crate) const FOLDS: usize = 5;
const RELIABILITY_BINS: usize = 10;
const NEWTON_STEPS: usize = 100;

/// A family of maps from scores to probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recalibration {
    /// A step function that never falls.
    Isotonic,
    /// A sigmoid of the score.
    Platt,
}

/// Every family, in the order of reports.
pub(crate) const RECALIBRATIONS: [Recalibration; 2] =
    [Recalibration::Isotonic, Recalibration::Platt];

/// A fitted map from scores to probabilities between 0 and 1.
#[derive(Debug, Clone, PartialEq)]
pub enum Calibrator {
    /// Points between which it is linear, and beyond which it is constant; scores ascending.
    Isotonic {
        /// Pairs of score and probability; neither ever falls.
        points: Vec<(f64, f64)>,
    },
    /// 1 / (1 + exp(a · score + b)).
    Platt {
        /// Slope; below 0 when higher scores are more often positive.
        a: f64,
        /// Intercept, in logits of the negative class.
        b: f64,
    },
}

/// What recalibration does on rows it was not fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecalibrationGain {
    /// Family of maps that was fitted in each fold.
    pub method: Recalibration,
    /// Folds; the scores of each are mapped by a fit on the others.
    pub n_folds: usize,
    /// Expected calibration error over ten bins of equal width, before and after.
    pub ece: [f64; 2],
    /// Brier score, before and after.
    pub brier: [f64; 2],
    /// What the Brier score falls by, over the same rows; above 0 is better.
    pub brier_gain: Option<Estimate>,
}

/// Fits a map; `None` with one class.
///
/// # Panics
/// When the lengths differ.
pub fn fit(method: Recalibration, scores: &[f64], labels: &[bool]) -> Option<Calibrator> {
    assert_eq!(scores.len(), labels.len(), "there is one label a score");
    let n_positive = labels.iter().filter(|label| **label).count();
    if n_positive == 0 || n_positive == labels.len() {
        return None;
    }
    match method {
        Recalibration::Isotonic => Some(isotonic(scores, labels)),
        Recalibration::Platt => platt(scores, labels, n_positive),
    }
}

fn isotonic(scores: &[f64], labels: &[bool]) -> Calibrator {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    // Equal scores are one point; pools are (sum of labels, weight, first score, last score).
    let mut pools: Vec<(f64, f64, f64, f64)> = Vec::new();
    for rows in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let score = scores[rows[0]];
        let n_positive = rows.iter().filter(|row| labels[**row]).count() as f64;
        pools.push((n_positive, rows.len() as f64, score, score));
        while let [.., before, last] = pools[..]
            && before.0 / before.1 >= last.0 / last.1
        {
            pools.truncate(pools.len() - 2);
            pools.push((before.0 + last.0, before.1 + last.1, before.2, last.3));
        }
    }
    let ends = |pool: &(f64, f64, f64, f64)| {
        let value = pool.0 / pool.1;
        if pool.2 == pool.3 {
            vec![(pool.2, value)]
        } else {
            vec![(pool.2, value), (pool.3, value)]
        }
    };
    Calibrator::Isotonic {
        points: pools.iter().flat_map(ends).collect(),
    }
}

/// Maximum likelihood of the sigmoid by Newton's method with step halving.
fn platt(scores: &[f64], labels: &[bool], n_positive: usize) -> Option<Calibrator> {
    let (positive, negative) = (n_positive as f64, (labels.len() - n_positive) as f64);
    let (high, low) = ((positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0));
    let target = |label: bool| if label { high } else { low };
    let loss = |a: f64, b: f64| -> f64 {
        let one = |(score, label): (&f64, &bool)| {
            let z = a * score + b;
            // −t ln p − (1 − t) ln(1 − p) with p = 1 / (1 + exp(z)).
            let softplus = if z > 0.0 {
                z + (-z).exp().ln_1p()
            } else {
                z.exp().ln_1p()
            };
            softplus - (1.0 - target(*label)) * z
        };
        scores.iter().zip(labels).map(one).sum()
    };
    let (mut a, mut b) = (0.0, ((negative + 1.0) / (positive + 1.0)).ln());
    let mut best = loss(a, b);
    for _ in 0..NEWTON_STEPS {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-12, 0.0, 1e-12);
        for (score, label) in scores.iter().zip(labels) {
            let p = 1.0 / (1.0 + (a * score + b).exp());
            let (gap, weight) = (target(*label) - p, p * (1.0 - p));
            (ga, gb) = (ga + gap * score, gb + gap);
            (haa, hab, hbb) = (
                haa + weight * score * score,
                hab + weight * score,
                hbb + weight,
            );
        }
        if ga.abs() < 1e-10 && gb.abs() < 1e-10 {
            break;
        }
        let determinant = haa * hbb - hab * hab;
        if determinant <= 0.0 {
            break;
        }
        let (da, db) = (
            -(hbb * ga - hab * gb) / determinant,
            -(haa * gb - hab * ga) / determinant,
        );
        let mut step = 1.0;
        while step > 1e-10 && loss(a + step * da, b + step * db) > best {
            step /= 2.0;
        }
        (a, b) = (a + step * da, b + step * db);
        let now = loss(a, b);
        if best - now <= 1e-14 * best.abs() {
            break;
        }
        best = now;
    }
    (a.is_finite() && b.is_finite()).then_some(Calibrator::Platt { a, b })
}

impl Calibrator {
    /// Returns the probability of a score.
    pub fn apply(&self, score: f64) -> f64 {
        match self {
            Self::Platt { a, b } => 1.0 / (1.0 + (a * score + b).exp()),
            Self::Isotonic { points } => {
                let after = points.partition_point(|(x, _)| *x <= score);
                match (
                    after.checked_sub(1).map(|before| points[before]),
                    points.get(after),
                ) {
                    (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (score - x0) / (x1 - x0),
                    (Some((_, y)), None) => y,
                    (None, Some((_, y))) => *y,
                    (None, None) => f64::NAN,
                }
            }
        }
    }
}

/// Returns the scores of each row from maps fitted on the other folds; folds are drawn within each class. `None` when a class has
/// fewer rows than there are folds.
pub fn cross_fitted(method: Recalibration, scored: &Scored<'_>, seed: u64) -> Option<Vec<f64>> {
    let mut fold_of = vec![0usize; scored.n()];
    for (stream, wanted) in [(0, false), (1, true)] {
        let mut rows: Vec<usize> = (0..scored.n())
            .filter(|row| scored.labels[*row] == wanted)
            .collect();
        if rows.len() < FOLDS {
            return None;
        }
        shuffle(&mut rows, &mut generator(seed, stream));
        rows.iter()
            .enumerate()
            .for_each(|(place, row)| fold_of[*row] = place % FOLDS);
    }
    let mut found = vec![0.0; scored.n()];
    for fold in 0..FOLDS {
        let fitted: Vec<usize> = (0..scored.n())
            .filter(|row| fold_of[*row] != fold)
            .collect();
        let scores: Vec<f64> = fitted.iter().map(|row| scored.scores[*row]).collect();
        let labels: Vec<bool> = fitted.iter().map(|row| scored.labels[*row]).collect();
        let calibrator = fit(method, &scores, &labels)?;
        (0..scored.n())
            .filter(|row| fold_of[*row] == fold)
            .for_each(|row| found[row] = calibrator.apply(scored.scores[row]));
    }
    Some(found)
}

/// Returns what a way of recalibration gains out of fold; `None` when it cannot be fitted or scores are no probabilities.
pub fn recalibration_gain(
    method: Recalibration,
    scored: &Scored<'_>,
    level: f64,
    seed: u64,
) -> Option<RecalibrationGain> {
    if scored
        .scores
        .iter()
        .any(|score| !(0.0..=1.0).contains(score))
    {
        return None;
    }
    let after = cross_fitted(method, scored, seed)?;
    let recalibrated = Scored {
        labels: scored.labels,
        scores: &after,
        weights: None,
    };
    let plain = Scored {
        labels: scored.labels,
        scores: scored.scores,
        weights: None,
    };
    let ece = |scored: &Scored<'_>| reliability(scored, RELIABILITY_BINS, Binning::Width).ece;
    let error = |score: f64, label: bool| (score - f64::from(u8::from(label))).powi(2);
    let gains: Vec<f64> = (0..scored.n())
        .map(|row| {
            error(scored.scores[row], scored.labels[row]) - error(after[row], scored.labels[row])
        })
        .collect();
    let brier_gain = mean(&gains)
        .zip(variance(&gains))
        .map(|(estimate, spread)| {
            let half = normal_quantile(0.5 + level / 2.0) * (spread / gains.len() as f64).sqrt();
            Estimate {
                estimate,
                lower: estimate - half,
                upper: estimate + half,
                level,
                method: Method::NormalMean,
            }
        });
    Some(RecalibrationGain {
        method,
        n_folds: FOLDS,
        ece: [ece(&plain), ece(&recalibrated)],
        brier: [
            Metric::Brier.evaluate(&plain, 0.5)?,
            Metric::Brier.evaluate(&recalibrated, 0.5)?,
        ],
        brier_gain,
    })
}
