//! One group against all others, with the vocabulary of AIF360 0.6: differences are unprivileged minus privileged, ratios unprivileged
//! over privileged.
//!
//! The entropy indices ignore weights, as there; `coefficient_of_variation` is the root of twice the generalized entropy index.

use crate::performance::Confusion;
use veracta_model::numeric::mean;

/// Outcomes of the privileged group and of all other rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Privileged {
    /// Weighted outcomes of the privileged group.
    pub privileged: Confusion,
    /// Weighted outcomes of everybody else.
    pub unprivileged: Confusion,
    /// Benefit of each row, 1 + prediction − label, with whether it is privileged; not weighted.
    benefits: Vec<(f64, bool)>,
}

/// A rate of a side.
type Rate = fn(&Confusion) -> f64;

const SELECTION: Rate = |c| (c.tp + c.fp) / c.total();
const TRUE_POSITIVE: Rate = |c| c.tp / (c.tp + c.fn_);
const FALSE_POSITIVE: Rate = |c| c.fp / (c.fp + c.tn);
const FALSE_NEGATIVE: Rate = |c| c.fn_ / (c.tp + c.fn_);
const FALSE_OMISSION: Rate = |c| c.fn_ / (c.fn_ + c.tn);
const FALSE_DISCOVERY: Rate = |c| c.fp / (c.fp + c.tp);
const PRECISION: Rate = |c| c.tp / (c.fp + c.tp);
const ERROR: Rate = |c| (c.fp + c.fn_) / c.total();
const BASE: Rate = |c| (c.tp + c.fn_) / c.total();

impl Privileged {
    /// Counts the outcomes of rows.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn new(
        labels: &[bool],
        predicted: &[bool],
        weights: Option<&[f64]>,
        is_privileged: &[bool],
    ) -> Self {
        assert!(
            labels.len() == predicted.len() && labels.len() == is_privileged.len(),
            "one prediction and side a label"
        );
        let (mut privileged, mut unprivileged) = (Confusion::default(), Confusion::default());
        let mut benefits = Vec::with_capacity(labels.len());
        for row in 0..labels.len() {
            let side = if is_privileged[row] {
                &mut privileged
            } else {
                &mut unprivileged
            };
            side.add(
                labels[row],
                predicted[row],
                weights.map_or(1.0, |weights| weights[row]),
            );
            benefits.push((
                1.0 + f64::from(predicted[row]) - f64::from(labels[row]),
                is_privileged[row],
            ));
        }
        Self {
            privileged,
            unprivileged,
            benefits,
        }
    }

    fn difference(&self, rate: Rate) -> f64 {
        rate(&self.unprivileged) - rate(&self.privileged)
    }

    fn ratio(&self, rate: Rate) -> f64 {
        rate(&self.unprivileged) / rate(&self.privileged)
    }

    /// Returns a metric of the labels alone: `disparate_impact`, `statistical_parity_difference`, `base_rate` or
    /// `smoothed_empirical_differential_fairness`; `None` when it is unknown or not defined.
    pub fn dataset_metric(&self, name: &str) -> Option<f64> {
        let value = match name {
            "disparate_impact" => self.ratio(BASE),
            "statistical_parity_difference" => self.difference(BASE),
            "base_rate" => {
                let (a, b) = (&self.privileged, &self.unprivileged);
                (a.tp + a.fn_ + b.tp + b.fn_) / (a.total() + b.total())
            }
            "smoothed_empirical_differential_fairness" => {
                self.differential_fairness(|c| c.tp + c.fn_)
            }
            _ => return None,
        };
        value.is_finite().then_some(value)
    }

    /// Returns a metric of predictions by the name that AI Fairness 360 gives it; `None` when it is unknown or not defined.
    pub fn classification_metric(&self, name: &str) -> Option<f64> {
        let (tpr, fpr) = (
            self.difference(TRUE_POSITIVE),
            self.difference(FALSE_POSITIVE),
        );
        let (own, between) = (
            |alpha| self.entropy(alpha, false),
            |alpha| self.entropy(alpha, true),
        );
        let value = match name {
            "disparate_impact" => self.ratio(SELECTION),
            "statistical_parity_difference" => self.difference(SELECTION),
            "average_odds_difference" => (fpr + tpr) / 2.0,
            "average_abs_odds_difference" => (fpr.abs() + tpr.abs()) / 2.0,
            "equal_opportunity_difference" | "true_positive_rate_difference" => tpr,
            "false_positive_rate_difference" => fpr,
            "false_negative_rate_difference" => self.difference(FALSE_NEGATIVE),
            "false_omission_rate_difference" => self.difference(FALSE_OMISSION),
            "false_discovery_rate_difference" => self.difference(FALSE_DISCOVERY),
            "error_rate_difference" => self.difference(ERROR),
            "error_rate_ratio" => self.ratio(ERROR),
            "false_positive_rate_ratio" => self.ratio(FALSE_POSITIVE),
            "false_negative_rate_ratio" => self.ratio(FALSE_NEGATIVE),
            "false_discovery_rate_ratio" => self.ratio(FALSE_DISCOVERY),
            "false_omission_rate_ratio" => self.ratio(FALSE_OMISSION),
            "theil_index" => own(1)?,
            "generalized_entropy_index" => own(2)?,
            "coefficient_of_variation" => (2.0 * own(2)?).sqrt(),
            "between_group_theil_index" => between(1)?,
            "between_group_generalized_entropy_index" => between(2)?,
            "between_group_coefficient_of_variation" => (2.0 * between(2)?).sqrt(),
            "average_predictive_value_difference" => {
                (self.difference(PRECISION) + self.difference(FALSE_OMISSION)) / 2.0
            }
            "equalized_odds_difference" => tpr.abs().max(fpr.abs()),
            "differential_fairness_bias_amplification" => {
                self.differential_fairness(|c| c.tp + c.fp)
                    - self.differential_fairness(|c| c.tp + c.fn_)
            }
            _ => return None,
        };
        value.is_finite().then_some(value)
    }

    /// Returns the generalized entropy index of the benefits (Speicher et al. 2018), for alpha 1 (Theil) or 2; between groups when each
    /// row has its side's mean.
    fn entropy(&self, alpha: i32, between_groups: bool) -> Option<f64> {
        let side_mean = |side: bool| {
            mean(
                &self
                    .benefits
                    .iter()
                    .filter(|(_, is)| *is == side)
                    .map(|(benefit, _)| *benefit)
                    .collect::<Vec<f64>>(),
            )
        };
        let means = if between_groups {
            Some((side_mean(true)?, side_mean(false)?))
        } else {
            None
        };
        let of = |(benefit, side): &(f64, bool)| match means {
            Some((privileged, unprivileged)) => {
                if *side {
                    privileged
                } else {
                    unprivileged
                }
            }
            None => *benefit,
        };
        let values: Vec<f64> = self.benefits.iter().map(of).collect();
        let centre = mean(&values)?;
        let term = |value: &f64| {
            let share = value / centre;
            match alpha {
                1 if share == 0.0 => 0.0,
                1 => share * share.ln(),
                _ => (share * share - 1.0) / 2.0,
            }
        };
        mean(&values.iter().map(term).collect::<Vec<f64>>())
    }

    /// Returns the smoothed differential fairness (Foulds et al. 2020) of a count of positives: the largest log ratio of the sides'
    /// shares or their complements, with a Dirichlet concentration of 1.
    fn differential_fairness(&self, positives: fn(&Confusion) -> f64) -> f64 {
        let share = |side: &Confusion| (positives(side) + 0.5) / (side.total() + 1.0);
        let (p, q) = (share(&self.privileged), share(&self.unprivileged));
        (p / q).ln().abs().max(((1.0 - p) / (1.0 - q)).ln().abs())
    }
}
