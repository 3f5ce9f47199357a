//! Fairness by group and intersection, with intervals.
//!
//! Group rates, differences and ratios have Fairlearn's meaning (`MetricFrame`), so that numbers can be compared; the one
//! deliberate difference is that a rate without the rows it needs is `None` here and is left out of minima and maxima, where
//! Fairlearn counts it as 0. [`Rate::fairlearn`] gives Fairlearn's reading.

pub mod privileged;

use serde::{Deserialize, Serialize};

use crate::distribution::{fisher_two_sided, normal_quantile};
use crate::interval::{Estimate, Method, Precision, percentile_interval, wilson_interval};
use crate::performance::Confusion;
use veracta_data::table::Coded;
use veracta_model::numeric::generator;

/// One group of a frame: the level of each attribute and its confusion counts.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupCounts {
    /// Level of each attribute, in the order of the attributes.
    pub levels: Vec<String>,
    /// Rows, each counted once whatever its weight.
    pub n: usize,
    /// Outcome counts, each row counted by its weight.
    pub confusion: Confusion,
}

/// Confusion counts by group: everything a rate, a gap or an interval needs.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricFrame {
    /// Groups in order of their levels; absent intersections are left out.
    pub groups: Vec<GroupCounts>,
    /// Counts of all rows, small groups included; its levels are empty.
    pub overall: GroupCounts,
}

/// A rate of outcome counts, 0 to 1; not defined when its denominator is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// (TP + FP) / n.
    SelectionRate,
    /// TP / (TP + FN).
    TruePositiveRate,
    /// FP / (FP + TN).
    FalsePositiveRate,
    /// TN / (FP + TN).
    TrueNegativeRate,
    /// FN / (TP + FN).
    FalseNegativeRate,
    /// (TP + TN) / n.
    Accuracy,
    /// TP / (TP + FP).
    Precision,
}

/// Every rate, in the order of tables.
pub(crate) const RATES: [Rate; 7] = [
    Rate::SelectionRate,
    Rate::TruePositiveRate,
    Rate::FalsePositiveRate,
    Rate::TrueNegativeRate,
    Rate::FalseNegativeRate,
    Rate::Accuracy,
    Rate::Precision,
];

/// What gaps are measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// The largest against the smallest group.
    BetweenGroups,
    /// Each group against all rows.
    ToOverall,
}

/// A derived scalar of a frame, named as in Fairlearn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disparity {
    /// Largest minus smallest selection rate.
    DemographicParityDifference,
    /// Smallest over largest selection rate.
    DemographicParityRatio,
    /// The larger of the gaps in true and false positive rate.
    EqualizedOddsDifference,
    /// The smaller of the ratios of true and false positive rate.
    EqualizedOddsRatio,
    /// Largest minus smallest true positive rate.
    EqualOpportunityDifference,
    /// Smallest over largest true positive rate.
    EqualOpportunityRatio,
}

/// Every disparity with its name in files.
pub const DISPARITIES: [(Disparity, &str); 6] = [
    (
        Disparity::DemographicParityDifference,
        "demographic_parity_difference",
    ),
    (
        Disparity::DemographicParityRatio,
        "demographic_parity_ratio",
    ),
    (
        Disparity::EqualizedOddsDifference,
        "equalized_odds_difference",
    ),
    (Disparity::EqualizedOddsRatio, "equalized_odds_ratio"),
    (
        Disparity::EqualOpportunityDifference,
        "equal_opportunity_difference",
    ),
    (Disparity::EqualOpportunityRatio, "equal_opportunity_ratio"),
];

impl Disparity {
    /// Returns the disparity of that name.
    pub fn named(name: &str) -> Option<Self> {
        DISPARITIES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(disparity, _)| *disparity)
    }

    /// Returns its name in files.
    pub fn name(self) -> &'static str {
        DISPARITIES
            .iter()
            .find(|(disparity, _)| *disparity == self)
            .expect("every disparity has a line")
            .1
    }

    /// Returns whether it is a ratio, which is best at 1; a difference is best at 0.
    pub fn is_ratio(self) -> bool {
        matches!(
            self,
            Self::DemographicParityRatio | Self::EqualizedOddsRatio | Self::EqualOpportunityRatio
        )
    }
}

impl Rate {
    /// Returns the rate's name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::SelectionRate => "Selection rate",
            Self::TruePositiveRate => "True positive rate",
            Self::FalsePositiveRate => "False positive rate",
            Self::TrueNegativeRate => "True negative rate",
            Self::FalseNegativeRate => "False negative rate",
            Self::Accuracy => "Accuracy",
            Self::Precision => "Precision",
        }
    }

    /// Returns numerator and denominator of the rate, for intervals of a proportion.
    pub fn proportion(self, counts: &Confusion) -> (f64, f64) {
        let Confusion { tn, fp, fn_, tp } = *counts;
        match self {
            Self::SelectionRate => (tp + fp, counts.total()),
            Self::TruePositiveRate => (tp, tp + fn_),
            Self::FalsePositiveRate => (fp, fp + tn),
            Self::TrueNegativeRate => (tn, fp + tn),
            Self::FalseNegativeRate => (fn_, tp + fn_),
            Self::Accuracy => (tp + tn, counts.total()),
            Self::Precision => (tp, tp + fp),
        }
    }

    /// Returns the rate, or `None` without the rows it needs.
    pub fn of(self, counts: &Confusion) -> Option<f64> {
        let (successes, trials) = self.proportion(counts);
        (trials > 0.0).then(|| successes / trials)
    }

    /// Returns the rate as Fairlearn reads it: 0 without the rows it needs.
    pub fn fairlearn(self, counts: &Confusion) -> f64 {
        self.of(counts).unwrap_or(0.0)
    }
}

/// Labels, predictions and groups of the same rows.
#[derive(Debug, Clone, Copy)]
pub struct Outcomes<'d> {
    /// True label of each row.
    pub labels: &'d [bool],
    /// Predicted label of each row.
    pub predicted: &'d [bool],
    /// Weight of each row; `None` is 1 each.
    pub weights: Option<&'d [f64]>,
}

impl MetricFrame {
    /// Counts outcomes by the crossed levels of `attributes`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn new(outcomes: Outcomes<'_>, attributes: &[Coded]) -> Self {
        let n_rows = outcomes.labels.len();
        assert!(
            outcomes.predicted.len() == n_rows
                && attributes
                    .iter()
                    .all(|attribute| attribute.codes.len() == n_rows),
            "labels, predictions and groups are of the same rows"
        );
        let empty = GroupCounts {
            levels: Vec::new(),
            n: 0,
            confusion: Confusion::default(),
        };
        let mut cells = std::collections::BTreeMap::new();
        let mut overall = empty.clone();
        for row in 0..n_rows {
            let key: Vec<u32> = attributes
                .iter()
                .map(|attribute| attribute.codes[row])
                .collect();
            let weight = outcomes.weights.map_or(1.0, |weights| weights[row]);
            for counts in [
                cells.entry(key).or_insert_with(|| empty.clone()),
                &mut overall,
            ] {
                counts.n += 1;
                counts
                    .confusion
                    .add(outcomes.labels[row], outcomes.predicted[row], weight);
            }
        }
        let name = |attribute: &Coded, code: u32| {
            attribute
                .levels
                .get(code as usize)
                .cloned()
                .unwrap_or_else(|| "(missing)".to_owned())
        };
        let groups = cells.into_iter().map(|(key, mut counts)| {
            counts.levels = attributes
                .iter()
                .zip(key)
                .map(|(attribute, code)| name(attribute, code))
                .collect();
            counts
        });
        Self {
            groups: groups.collect(),
            overall,
        }
    }

    /// Returns the groups with at least `n_min` rows: gaps are taken over these.
    pub(crate) fn without_small(&self, n_min: usize) -> Self {
        let groups = self
            .groups
            .iter()
            .filter(|group| group.n >= n_min)
            .cloned()
            .collect();
        Self {
            groups,
            overall: self.overall.clone(),
        }
    }

    fn rates(&self, rate: Rate) -> Vec<f64> {
        self.groups
            .iter()
            .filter_map(|group| rate.of(&group.confusion))
            .collect()
    }

    /// Returns the difference of a rate: largest minus smallest, or the largest distance to the overall rate.
    pub fn difference(&self, rate: Rate, against: Against) -> Option<f64> {
        gap_difference(&self.rates(rate), rate.of(&self.overall.confusion), against)
    }

    /// Returns the ratio of a rate: smallest over largest, or the smallest ratio to the overall rate or its inverse.
    pub fn ratio(&self, rate: Rate, against: Against) -> Option<f64> {
        gap_ratio(&self.rates(rate), rate.of(&self.overall.confusion), against)
    }

    /// Returns a disparity; `None` with fewer than two groups that have the rates it needs.
    pub fn disparity(&self, disparity: Disparity, against: Against) -> Option<f64> {
        use {Disparity as D, Rate as R};
        match disparity {
            D::DemographicParityDifference => self.difference(R::SelectionRate, against),
            D::DemographicParityRatio => self.ratio(R::SelectionRate, against),
            D::EqualOpportunityDifference => self.difference(R::TruePositiveRate, against),
            D::EqualOpportunityRatio => self.ratio(R::TruePositiveRate, against),
            D::EqualizedOddsDifference => {
                let gaps = (
                    self.difference(R::TruePositiveRate, against)?,
                    self.difference(R::FalsePositiveRate, against)?,
                );
                Some(gaps.0.max(gaps.1))
            }
            D::EqualizedOddsRatio => {
                let gaps = (
                    self.ratio(R::TruePositiveRate, against)?,
                    self.ratio(R::FalsePositiveRate, against)?,
                );
                Some(gaps.0.min(gaps.1))
            }
        }
    }

    /// Returns a rate of each group with Wilson's interval.
    pub(crate) fn rate_intervals(&self, rate: Rate, level: f64) -> Vec<Option<Estimate>> {
        let interval = |group: &GroupCounts| {
            let (successes, trials) = rate.proportion(&group.confusion);
            wilson_interval(successes, trials, level)
        };
        self.groups.iter().map(interval).collect()
    }

    /// Returns a disparity between groups with a bootstrap interval.
    ///
    /// Rows are resampled within each group and class, which for metrics of the four counts is a binomial draw per group and
    /// class instead of a draw per row. Resamples depend on the seed and their number alone.
    pub fn disparity_interval(
        &self,
        disparity: Disparity,
        precision: Precision,
    ) -> Option<Estimate> {
        use rayon::prelude::*;
        let estimate = self.disparity(disparity, Against::BetweenGroups)?;
        let draw = |resample: u32| {
            let mut rng = generator(precision.bootstrap.seed, u64::from(resample));
            let mut drawn = self.clone();
            for group in &mut drawn.groups {
                group.confusion = group.confusion.redrawn(&mut rng);
            }
            drawn.disparity(disparity, Against::BetweenGroups)
        };
        let mut values: Vec<f64> = (0..precision.bootstrap.n_resamples)
            .into_par_iter()
            .filter_map(draw)
            .collect();
        let (lower, upper) = percentile_interval(&mut values, precision.level)?;
        // The gap between the extremes of several groups only grows when they are redrawn, so that all percentiles may lie on one
        // side of it: the interval is widened to hold the estimate.
        let (lower, upper) = (lower.min(estimate), upper.max(estimate));
        Some(Estimate {
            estimate,
            lower,
            upper,
            level: precision.level,
            method: Method::BootstrapStratified,
        })
    }
}

/// Returns the difference over group values; see [`MetricFrame::difference`].
pub fn gap_difference(values: &[f64], overall: Option<f64>, against: Against) -> Option<f64> {
    match against {
        Against::BetweenGroups => {
            let (low, high) = extremes(values)?;
            Some(high - low)
        }
        Against::ToOverall => {
            let overall = overall?;
            values
                .iter()
                .map(|value| (value - overall).abs())
                .max_by(f64::total_cmp)
        }
    }
}

/// Returns the ratio over group values; see [`MetricFrame::ratio`]. 0/0 is not defined.
pub fn gap_ratio(values: &[f64], overall: Option<f64>, against: Against) -> Option<f64> {
    let quotient = |low: f64, high: f64| (high != 0.0).then(|| low / high);
    match against {
        Against::BetweenGroups => {
            let (low, high) = extremes(values)?;
            quotient(low, high)
        }
        Against::ToOverall => {
            let overall = overall?;
            let ratios = values
                .iter()
                .map(|value| quotient(value.min(overall), value.max(overall)));
            ratios.flatten().min_by(f64::total_cmp)
        }
    }
}

fn extremes(values: &[f64]) -> Option<(f64, f64)> {
    let low = values.iter().copied().min_by(f64::total_cmp)?;
    let high = values.iter().copied().max_by(f64::total_cmp)?;
    (values.len() >= 2).then_some((low, high))
}

/// Adverse impact of one group against another (Katz logarithmic interval).
#[derive(Debug, Clone, PartialEq)]
pub struct AdverseImpact {
    /// Selection rate over that of the reference group.
    pub ratio: f64,
    /// Bounds of the ratio; `None` when one of the rates is 0.
    pub interval: Option<(f64, f64)>,
    /// Pooled two-proportion z statistic; `None` when all or none of the rows are selected.
    pub z: Option<f64>,
    /// Two-sided p-value of Fisher's exact test that both groups are selected alike.
    pub fisher_p: Option<f64>,
}

/// Returns the ratio of a group's selection rate to a reference group's; `None` when a group is empty or the reference is 0.
pub fn adverse_impact(
    group: &Confusion,
    reference: &Confusion,
    level: f64,
) -> Option<AdverseImpact> {
    let (a, n) = Rate::SelectionRate.proportion(group);
    let (b, m) = Rate::SelectionRate.proportion(reference);
    if n <= 0.0 || m <= 0.0 || b <= 0.0 {
        return None;
    }
    let (p, q, pooled) = (a / n, b / m, (a + b) / (n + m));
    let spread = pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m);
    let z = (spread > 0.0).then(|| (p - q) / spread.sqrt());
    let half = normal_quantile(0.5 + level / 2.0) * (1.0 / a - 1.0 / n + 1.0 / b - 1.0 / m).sqrt();
    let ratio = p / q;
    let interval = (a > 0.0).then(|| (ratio * (-half).exp(), ratio * half.exp()));
    Some(AdverseImpact {
        ratio,
        interval,
        z,
        fisher_p: fisher_two_sided([a, n - a], [b, m - b]),
    })
}
