//! Intervals: proportions, ROC AUC, paired differences and the seeded bootstrap.
//!
//! Every interval names its method, so that a reader can recompute it. Not defined is `None`.

use serde::{Deserialize, Serialize};

use crate::distribution::{normal_quantile, normal_two_sided};
use crate::performance::{Confusion, Metric, Scored};
use veracta_model::numeric::{below, generator, quantile_sorted, variance};

/// An estimate between its bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value computed on all rows.
    pub estimate: f64,
    /// Lower bound of the confidence interval, in the units of the estimate.
    pub lower: f64,
    /// Upper bound of the confidence interval, in the units of the estimate.
    pub upper: f64,
    /// Confidence level, such as 0.95.
    pub level: f64,
    /// How the bounds were found.
    pub method: Method,
}

/// How an interval was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Wilson's score interval (Wilson 1927).
    Wilson,
    /// DeLong's variance of the ROC AUC on the logit scale (DeLong, DeLong and Clarke-Pearson 1988).
    DelongLogit,
    /// Percentiles of a seeded bootstrap, resampled within each class.
    BootstrapStratified,
    /// Newcombe's hybrid of two Wilson intervals (Newcombe 1998, method 10).
    Newcombe,
    /// Exact bounds of a proportion (Clopper and Pearson 1934).
    ClopperPearson,
    /// Agresti and Coull's (1998) bounds of a proportion.
    AgrestiCoull,
    /// Bounds of a proportion from Jeffreys' prior (Brown, Cai and DasGupta 2001).
    Jeffreys,
    /// Normal bounds with DeLong's variance of a difference of two ROC AUC on the same rows.
    DelongPaired,
    /// Tango's (1998) score interval of a difference of paired proportions.
    Tango,
    /// Percentiles of a seeded bootstrap of whole clusters (Field and Welsh 2007).
    BootstrapCluster,
    /// Bias-corrected and accelerated percentiles of a bootstrap within each class (Efron 1987).
    BootstrapBca,
    /// Percentiles of a seeded bootstrap of rows.
    BootstrapRows,
    /// The band in which a value would be seen if what was expected is right.
    ExpectedBand,
    /// Normal bounds of a mean, or of a difference of two.
    NormalMean,
    /// Student's t over folds with the corrected variance of Nadeau and Bengio (2003).
    CorrectedResampledT,
}

impl Method {
    /// Returns the method's name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Wilson => "Wilson",
            Self::DelongLogit => "DeLong, logit",
            Self::BootstrapStratified => "stratified bootstrap",
            Self::Newcombe => "Newcombe",
            Self::ClopperPearson => "Clopper-Pearson",
            Self::AgrestiCoull => "Agresti-Coull",
            Self::Jeffreys => "Jeffreys",
            Self::DelongPaired => "DeLong, paired",
            Self::Tango => "Tango",
            Self::BootstrapCluster => "cluster bootstrap",
            Self::BootstrapBca => "BCa bootstrap",
            Self::BootstrapRows => "bootstrap of rows",
            Self::ExpectedBand => "expected band",
            Self::NormalMean => "normal bounds of a mean",
            Self::CorrectedResampledT => "corrected resampled t",
        }
    }
}

fn two_sided_quantile(level: f64) -> f64 {
    normal_quantile(0.5 + level / 2.0)
}

/// Returns Wilson's interval for `successes` of `trials`; `None` without trials.
///
/// At 0 or all successes the outer bound is exactly 0 or 1.
pub fn wilson_interval(successes: f64, trials: f64, level: f64) -> Option<Estimate> {
    if trials <= 0.0 || !(0.0..=trials).contains(&successes) {
        return None;
    }
    let (z, share) = (two_sided_quantile(level), successes / trials);
    let denominator = 1.0 + z * z / trials;
    let centre = (share + z * z / (2.0 * trials)) / denominator;
    let half =
        z / denominator * (share * (1.0 - share) / trials + z * z / (4.0 * trials * trials)).sqrt();
    let lower = if successes == 0.0 { 0.0 } else { centre - half };
    let upper = if successes == trials {
        1.0
    } else {
        centre + half
    };
    Some(Estimate {
        estimate: share,
        lower,
        upper,
        level,
        method: Method::Wilson,
    })
}

/// Returns the quantile of a beta distribution by bisection on its distribution function.
fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0f64, 1.0f64);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if statrs::function::beta::beta_reg(a, b, middle) < p {
            low = middle
        } else {
            high = middle
        }
    }
    (low + high) / 2.0
}

/// Returns another interval for `successes` of `trials`, as statsmodels has it; `None` without trials or for a method that is not one of
/// a proportion. Bounds stay within 0 to 1.
pub fn proportion_interval(
    successes: f64,
    trials: f64,
    level: f64,
    method: Method,
) -> Option<Estimate> {
    if trials <= 0.0 || !(0.0..=trials).contains(&successes) {
        return None;
    }
    let (x, n, tail, share) = (successes, trials, (1.0 - level) / 2.0, successes / trials);
    let (lower, upper) = match method {
        Method::Wilson => return wilson_interval(successes, trials, level),
        Method::ClopperPearson => (
            if x == 0.0 {
                0.0
            } else {
                beta_quantile(tail, x, n - x + 1.0)
            },
            if x == n {
                1.0
            } else {
                beta_quantile(1.0 - tail, x + 1.0, n - x)
            },
        ),
        Method::Jeffreys => (
            beta_quantile(tail, x + 0.5, n - x + 0.5),
            beta_quantile(1.0 - tail, x + 0.5, n - x + 0.5),
        ),
        Method::AgrestiCoull => {
            let z = two_sided_quantile(level);
            let size = n + z * z;
            let centre = (x + z * z / 2.0) / size;
            let half = z * (centre * (1.0 - centre) / size).sqrt();
            ((centre - half).max(0.0), (centre + half).min(1.0))
        }
        Method::DelongLogit
        | Method::DelongPaired
        | Method::BootstrapStratified
        | Method::BootstrapCluster
        | Method::BootstrapBca
        | Method::BootstrapRows
        | Method::ExpectedBand
        | Method::NormalMean
        | Method::Newcombe
        | Method::Tango
        | Method::CorrectedResampledT => return None,
    };
    Some(Estimate {
        estimate: share,
        lower,
        upper,
        level,
        method,
    })
}

/// Returns Newcombe's interval for the difference of two independent proportions, first minus second.
pub(crate) fn newcombe_interval(
    first: (f64, f64),
    second: (f64, f64),
    level: f64,
) -> Option<Estimate> {
    let (a, b) = (
        wilson_interval(first.0, first.1, level)?,
        wilson_interval(second.0, second.1, level)?,
    );
    let difference = a.estimate - b.estimate;
    let lower =
        difference - ((a.estimate - a.lower).powi(2) + (b.upper - b.estimate).powi(2)).sqrt();
    let upper =
        difference + ((a.upper - a.estimate).powi(2) + (b.estimate - b.lower).powi(2)).sqrt();
    Some(Estimate {
        estimate: difference,
        lower,
        upper,
        level,
        method: Method::Newcombe,
    })
}

/// ROC AUC with DeLong's placement values.
#[derive(Debug, Clone, PartialEq)]
pub struct Delong {
    /// ROC AUC, 0 to 1; 0.5 is chance.
    pub auc: f64,
    /// DeLong's variance of the ROC AUC; 0 when the scores separate the classes in full.
    pub variance: f64,
    /// For each positive, the share of negatives it beats (ties half).
    positive_placements: Vec<f64>,
    /// For each negative, the share of positives that beat it.
    negative_placements: Vec<f64>,
}

/// Returns the ROC AUC and its variance; `None` with fewer than two rows in a class.
pub fn delong(scored: &Scored<'_>) -> Option<Delong> {
    let split = |wanted: bool| -> Vec<f64> {
        let rows = scored
            .labels
            .iter()
            .zip(scored.scores)
            .filter(|(label, _)| **label == wanted);
        rows.map(|(_, score)| *score).collect()
    };
    let (mut positives, mut negatives) = (split(true), split(false));
    if positives.len() < 2 || negatives.len() < 2 {
        return None;
    }
    let share_below = |sorted: &[f64], value: f64| {
        let strictly = sorted.partition_point(|other| *other < value);
        let with_ties = sorted.partition_point(|other| *other <= value);
        (strictly + with_ties) as f64 / 2.0 / sorted.len() as f64
    };
    let (unsorted_positives, unsorted_negatives) = (positives.clone(), negatives.clone());
    positives.sort_by(f64::total_cmp);
    negatives.sort_by(f64::total_cmp);
    let positive_placements: Vec<f64> = unsorted_positives
        .iter()
        .map(|score| share_below(&negatives, *score))
        .collect();
    let negative_placements: Vec<f64> = unsorted_negatives
        .iter()
        .map(|score| 1.0 - share_below(&positives, *score))
        .collect();
    let spread = variance(&positive_placements)? / positive_placements.len() as f64
        + variance(&negative_placements)? / negative_placements.len() as f64;
    let auc = Metric::RocAuc.evaluate(scored, 0.5)?;
    Some(Delong {
        auc,
        variance: spread,
        positive_placements,
        negative_placements,
    })
}

impl Delong {
    /// Returns the normal interval clipped to 0 to 1.
    pub fn normal_interval(&self, level: f64) -> (f64, f64) {
        let half = two_sided_quantile(level) * self.variance.sqrt();
        ((self.auc - half).max(0.0), (self.auc + half).min(1.0))
    }

    /// Returns the interval on the logit scale; `None` when the AUC is 0 or 1, where the logit does not exist.
    pub fn logit_interval(&self, level: f64) -> Option<(f64, f64)> {
        if self.auc <= 0.0 || self.auc >= 1.0 {
            return None;
        }
        let logit = (self.auc / (1.0 - self.auc)).ln();
        let half = two_sided_quantile(level) * self.variance.sqrt() / (self.auc * (1.0 - self.auc));
        let back = |x: f64| 1.0 / (1.0 + (-x).exp());
        Some((back(logit - half), back(logit + half)))
    }

    /// Returns (difference, variance, z, two-sided p) of this AUC minus that of another score on the same rows.
    ///
    /// `None` when the difference has no variance, so that no test exists.
    ///
    /// # Panics
    /// When the two are not of the same rows.
    pub fn compare(&self, other: &Self) -> Option<(f64, f64, f64, f64)> {
        let n_rows = |delong: &Self| {
            (
                delong.positive_placements.len(),
                delong.negative_placements.len(),
            )
        };
        assert_eq!(
            n_rows(self),
            n_rows(other),
            "two scores are compared on the same rows"
        );
        let gaps = |mine: &[f64], theirs: &[f64]| -> Vec<f64> {
            mine.iter().zip(theirs).map(|(a, b)| a - b).collect()
        };
        let positive = gaps(&self.positive_placements, &other.positive_placements);
        let negative = gaps(&self.negative_placements, &other.negative_placements);
        let spread = variance(&positive)? / positive.len() as f64
            + variance(&negative)? / negative.len() as f64;
        if spread <= 0.0 {
            return None;
        }
        let difference = self.auc - other.auc;
        let z = difference / spread.sqrt();
        Some((difference, spread, z, normal_two_sided(z)))
    }
}

/// Returns the ROC AUC with its logit interval, or an exact bound from Wilson's interval when the AUC is 0 or 1.
///
/// With perfect separation the logit does not exist and the normal interval has no width; the bound is then that of a
/// proportion over the smaller class, which is wider.
pub fn delong_interval(scored: &Scored<'_>, level: f64) -> Option<Estimate> {
    let delong = delong(scored)?;
    if let Some((lower, upper)) = delong
        .logit_interval(level)
        .filter(|_| delong.variance > 0.0)
    {
        return Some(Estimate {
            estimate: delong.auc,
            lower,
            upper,
            level,
            method: Method::DelongLogit,
        });
    }
    let n = delong
        .positive_placements
        .len()
        .min(delong.negative_placements.len()) as f64;
    wilson_interval(delong.auc * n, n, level)
}

/// How many resamples, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Resamples drawn; an interval needs at least half of them to be defined.
    pub n_resamples: u32,
    /// Seed; resample i uses stream i, so that the result does not depend on threads.
    pub seed: u64,
}

/// How sure an interval is, and how it is found where no formula gives it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Precision {
    /// Confidence level, between 0 and 1.
    pub level: f64,
    /// Resamples of what has no formula.
    pub bootstrap: Bootstrap,
}

/// Returns the percentiles of a metric over given resamples of row numbers; resamples where it is not defined are left out.
pub fn percentile_interval(values: &mut Vec<f64>, level: f64) -> Option<(f64, f64)> {
    values.retain(|value| value.is_finite());
    if values.len() < 2 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Some((
        quantile_sorted(values, tail),
        quantile_sorted(values, 1.0 - tail),
    ))
}

/// Returns an estimate between percentiles of its resampled values; `None` when fewer than half the resamples have a value.
pub(crate) fn resampled_estimate(
    estimate: Option<f64>,
    mut values: Vec<f64>,
    precision: Precision,
    method: Method,
) -> Option<Estimate> {
    let estimate = estimate?;
    if values.len() * 2 < precision.bootstrap.n_resamples as usize {
        return None;
    }
    let (lower, upper) = percentile_interval(&mut values, precision.level)?;
    Some(Estimate {
        estimate,
        lower,
        upper,
        level: precision.level,
        method,
    })
}

impl Estimate {
    /// Widens the bounds to hold the estimate: resamples of an extreme, or of a gap between extremes, may all lie on one side of it.
    pub(crate) fn holding_itself(self) -> Self {
        Self {
            lower: self.lower.min(self.estimate),
            upper: self.upper.max(self.estimate),
            ..self
        }
    }
}

/// Returns a bootstrap interval of any metric: rows are drawn with replacement within each class.
///
/// `None` when the metric is not defined on the data, or on half the resamples.
pub fn bootstrap_interval(
    scored: &Scored<'_>,
    metric: Metric,
    threshold: f64,
    precision: Precision,
) -> Option<Estimate> {
    bootstrap_intervals(scored, &[metric], threshold, precision)
        .pop()
        .flatten()
}

/// Returns the bootstrap intervals of several metrics from the same resamples, each as if it had been asked for alone.
///
/// A metric of the four counts needs two binomial draws a resample. For the others a resample is a weight for each row, rows being in
/// order of score once for all.
pub(crate) fn bootstrap_intervals(
    scored: &Scored<'_>,
    metrics: &[Metric],
    threshold: f64,
    precision: Precision,
) -> Vec<Option<Estimate>> {
    let drawn = bootstrap_draws(scored, metrics, threshold, precision.bootstrap);
    let interval = |(position, metric): (usize, &Metric)| {
        let values = drawn.iter().filter_map(|values| values[position]).collect();
        resampled_estimate(
            metric.evaluate(scored, threshold),
            values,
            precision,
            Method::BootstrapStratified,
        )
    };
    metrics.iter().enumerate().map(interval).collect()
}

/// Returns the values of metrics on each resample within the classes.
pub(crate) fn bootstrap_draws(
    scored: &Scored<'_>,
    metrics: &[Metric],
    threshold: f64,
    bootstrap: Bootstrap,
) -> Vec<Vec<Option<f64>>> {
    use rayon::prelude::*;
    let confusion = Confusion::at(scored, threshold);
    let is_counted = |metric: &Metric| {
        scored.weights.is_none()
            && metric.descriptor().needs_threshold
            && confusion.evaluate(*metric).is_some()
    };
    let needs_rows = metrics.iter().any(|metric| !is_counted(metric));
    let rows = if needs_rows {
        Some(OrderedRows::new(scored))
    } else {
        None
    };
    let draw = |resample: u32| -> Vec<Option<f64>> {
        // Counts and rows have streams of their own, so that a metric's resamples do not depend on what else is asked for.
        let counts =
            confusion.redrawn(&mut generator(bootstrap.seed, u64::from(resample) << 1 | 1));
        let weights = rows
            .as_ref()
            .map(|rows| rows.draw(&mut generator(bootstrap.seed, u64::from(resample) << 1)));
        let of = |metric: &Metric| match (&rows, &weights) {
            _ if is_counted(metric) => counts.evaluate(*metric),
            (Some(rows), Some(weights)) => {
                let drawn = Scored {
                    labels: &rows.labels,
                    scores: &rows.scores,
                    weights: Some(weights),
                };
                metric.evaluate(&drawn, threshold)
            }
            _ => None,
        };
        metrics.iter().map(of).collect()
    };
    (0..bootstrap.n_resamples)
        .into_par_iter()
        .map(draw)
        .collect()
}

/// Rows in descending order of score, with the rows of each class.
pub(crate) struct OrderedRows {
    /// The rows as they were given, in this order.
    pub(crate) order: Vec<u32>,
    pub(crate) labels: Vec<bool>,
    pub(crate) scores: Vec<f64>,
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) classes: [Vec<u32>; 2],
}

impl OrderedRows {
    pub(crate) fn new(scored: &Scored<'_>) -> Self {
        let mut order: Vec<usize> = (0..scored.n()).collect();
        order.sort_by(|a, b| scored.scores[*b].total_cmp(&scored.scores[*a]));
        let labels: Vec<bool> = order.iter().map(|row| scored.labels[*row]).collect();
        let class = |wanted: bool| {
            (0..labels.len() as u32)
                .filter(|row| labels[*row as usize] == wanted)
                .collect()
        };
        Self {
            scores: order.iter().map(|row| scored.scores[*row]).collect(),
            weights: scored
                .weights
                .map(|weights| order.iter().map(|row| weights[*row]).collect()),
            classes: [class(true), class(false)],
            order: order.iter().map(|row| *row as u32).collect(),
            labels,
        }
    }

    /// Draws as many rows as each class has, and returns how often each was drawn, times its weight.
    fn draw(&self, rng: &mut rand_chacha::ChaCha8Rng) -> Vec<f64> {
        let mut drawn = vec![0.0; self.labels.len()];
        for class in &self.classes {
            for _ in 0..class.len() {
                drawn[class[below(rng, class.len())] as usize] += 1.0;
            }
        }
        if let Some(weights) = &self.weights {
            drawn
                .iter_mut()
                .zip(weights)
                .for_each(|(drawn, weight)| *drawn *= weight);
        }
        drawn
    }
}

/// Returns the interval this crate prefers for a metric: Wilson for proportions, DeLong for ROC AUC and Gini, else the bootstrap.
pub fn metric_interval(
    scored: &Scored<'_>,
    metric: Metric,
    threshold: f64,
    precision: Precision,
) -> Option<Estimate> {
    metric_intervals(scored, &[metric], threshold, precision)
        .pop()
        .flatten()
}

/// Returns the preferred interval of each metric; those that need resamples share them.
pub fn metric_intervals(
    scored: &Scored<'_>,
    metrics: &[Metric],
    threshold: f64,
    precision: Precision,
) -> Vec<Option<Estimate>> {
    let confusion = Confusion::at(scored, threshold);
    let is_plain = scored.weights.is_none();
    let has_formula = |metric: &Metric| {
        is_plain
            && (matches!(metric, Metric::RocAuc | Metric::Gini)
                || confusion.proportion(*metric).is_some())
    };
    let resampled: Vec<Metric> = metrics
        .iter()
        .copied()
        .filter(|metric| !has_formula(metric))
        .collect();
    let mut from_resamples =
        bootstrap_intervals(scored, &resampled, threshold, precision).into_iter();
    let of = |metric: &Metric| match metric {
        _ if !has_formula(metric) => from_resamples.next().flatten(),
        Metric::RocAuc => delong_interval(scored, precision.level),
        Metric::Gini => delong_interval(scored, precision.level).map(|auc| {
            let stretch = |value: f64| 2.0 * value - 1.0;
            Estimate {
                estimate: stretch(auc.estimate),
                lower: stretch(auc.lower),
                upper: stretch(auc.upper),
                ..auc
            }
        }),
        _ => confusion
            .proportion(*metric)
            .and_then(|(successes, trials)| wilson_interval(successes, trials, precision.level)),
    };
    metrics.iter().map(of).collect()
}
