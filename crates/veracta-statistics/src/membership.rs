//! Membership inference: whether a model's behaviour gives away which rows it was trained on.
//!
//! The loss-threshold attack (Yeom et al. 2018) takes rows with a small loss for members. The likelihood-ratio attack (LiRA, Carlini et
//! al. 2022) asks shadow models, trained with and without a row, how sure the model would be of it in each case. What counts is not the
//! average but the few rows found for sure: the true positive rate where false positives are rare.

use serde::{Deserialize, Serialize};

use crate::interval::{Estimate, Method, delong_interval, proportion_interval};
use crate::performance::Scored;
use veracta_model::numeric::{mean, variance};

/// False positive rates at which the true positive rate is given.
pub const FALSE_POSITIVE_RATES: [f64; 2] = [0.001, 0.01];
/// Smallest deviation of a shadow's confidence: shadows that agree to the last digit say no more than these.
const DEVIATION_MIN: f64 = 1e-3;

/// How well an attack finds members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attack {
    /// Rows of the training data, and others.
    pub n: [usize; 2],
    /// Area under the attack's ROC curve; 0.5 finds nothing.
    pub roc_auc: Option<Estimate>,
    /// True positive rate at each of [`FALSE_POSITIVE_RATES`], with exact bounds; `None` when there are too few other rows to have such
    /// a rate.
    pub found_at: [Option<Estimate>; 2],
}

/// Returns the log loss of each row, which the loss-threshold attack looks at.
///
/// # Panics
/// When the lengths differ.
pub fn losses(labels: &[bool], probabilities: &[f64]) -> Vec<f64> {
    assert_eq!(
        labels.len(),
        probabilities.len(),
        "there is one label a probability"
    );
    let loss = |(label, p): (&bool, &f64)| {
        -(if *label { *p } else { 1.0 - p })
            .clamp(f64::EPSILON, 1.0)
            .ln()
    };
    labels.iter().zip(probabilities).map(loss).collect()
}

/// Returns how sure a model is of a row's own label, in log-odds.
pub fn confidence(label: bool, probability: f64) -> f64 {
    let p = (if label {
        probability
    } else {
        1.0 - probability
    })
    .clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln()
}

/// Returns the log-likelihood ratio of membership: `own` is the model's confidence, `with` and `without` those of shadows trained with
/// and without the row. `None` with fewer than two shadows on a side.
pub fn likelihood_ratio(own: f64, with: &[f64], without: &[f64]) -> Option<f64> {
    let log_density = |values: &[f64]| {
        let (centre, deviation) = (mean(values)?, variance(values)?.sqrt().max(DEVIATION_MIN));
        Some(-((own - centre) / deviation).powi(2) / 2.0 - deviation.ln())
    };
    Some(log_density(with)? - log_density(without)?)
}

/// Measures an attack from how much each row looks like a member.
pub fn attack(members: &[f64], others: &[f64], level: f64) -> Attack {
    let labels: Vec<bool> = (0..members.len() + others.len())
        .map(|row| row < members.len())
        .collect();
    let scores: Vec<f64> = members.iter().chain(others).copied().collect();
    let roc_auc = Scored::new(&labels, &scores)
        .ok()
        .and_then(|scored| delong_interval(&scored, level));
    let mut sorted = others.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let at = |rate: f64| {
        // The threshold is the score above which just this share of the other rows lies; ties stay below.
        let n_allowed = (rate * others.len() as f64).floor() as usize;
        let threshold = sorted.get(n_allowed).filter(|_| n_allowed >= 1)?;
        let n_found = members.iter().filter(|score| *score > threshold).count();
        proportion_interval(
            n_found as f64,
            members.len() as f64,
            level,
            Method::ClopperPearson,
        )
    };
    Attack {
        n: [members.len(), others.len()],
        roc_auc,
        found_at: FALSE_POSITIVE_RATES.map(at),
    }
}
