//! Performance of a binary classifier: one function a metric, over labels, scores and optional weights.
//!
//! A metric that is not defined for the data (one class, no predicted positive) is `None`, never a made-up number. Definitions
//! follow scikit-learn unless stated; a predicted label is 1 when the score reaches the threshold.

pub mod estimated;
pub mod multiclass;
pub mod ranking;
pub mod regression;

use serde::{Deserialize, Serialize};

use crate::ranks::midranks;
use veracta_model::numeric::sum;

/// Labels with scores; equal length, at least one row, scores finite.
#[derive(Debug, Clone)]
pub struct Scored<'d> {
    /// Whether the row is positive.
    pub labels: &'d [bool],
    /// Score of the positive class; a probability where a metric needs one.
    pub scores: &'d [f64],
    /// Weight of each row; `None` is 1 each.
    pub weights: Option<&'d [f64]>,
}

/// Why labels and scores cannot be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PerformanceError {
    /// Lengths differ, or there are none.
    #[error("{n_labels} labels, {n_scores} scores: they must be as many, and at least one")]
    Length {
        /// Number of labels that were given.
        n_labels: usize,
        /// Number of scores that were given.
        n_scores: usize,
    },
    /// A score or weight that is not a finite number.
    #[error("row {row} has a score or weight that is not a finite number")]
    NotFinite {
        /// Position of the first such row, counted from 0.
        row: usize,
    },
}

/// Weighted counts of the four outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Confusion {
    /// True negatives: label 0, score below the threshold.
    pub tn: f64,
    /// False positives: label 0, score at or above the threshold.
    pub fp: f64,
    /// False negatives: label 1, score below the threshold.
    pub fn_: f64,
    /// True positives: label 1, score at or above the threshold.
    pub tp: f64,
}

/// A metric of a binary classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "each is documented by its descriptor in METRICS"
)]
pub enum Metric {
    RocAuc,
    AveragePrecision,
    LogLoss,
    Brier,
    Accuracy,
    BalancedAccuracy,
    Precision,
    Recall,
    Specificity,
    Npv,
    F1,
    SelectionRate,
    Mcc,
    CohenKappa,
    Jaccard,
    Ks,
    Gini,
    PrAucTrapezoid,
    D2LogLoss,
}

/// What a metric is called, which way is better, and what it is.
#[derive(Debug, Clone, Copy)]
pub struct MetricDescriptor {
    /// Metric that this entry describes; each has one entry.
    pub metric: Metric,
    /// Name in files, as scikit-learn has it where it does.
    pub name: &'static str,
    /// Name for people, in reports and documents.
    pub title: &'static str,
    /// Whether larger is better; `None` when neither is.
    pub higher_is_better: Option<bool>,
    /// Whether it depends on the threshold.
    pub needs_threshold: bool,
    /// Formula, range and, where needed, the value of chance and the source.
    pub meaning: &'static str,
}

const fn metric(
    metric: Metric,
    name: &'static str,
    title: &'static str,
    higher_is_better: Option<bool>,
    needs_threshold: bool,
    meaning: &'static str,
) -> MetricDescriptor {
    MetricDescriptor {
        metric,
        name,
        title,
        higher_is_better,
        needs_threshold,
        meaning,
    }
}

/// Every metric, one line each.
pub const METRICS: &[MetricDescriptor] = &[
    metric(
        Metric::RocAuc,
        "roc_auc",
        "ROC AUC",
        Some(true),
        false,
        "P(score of a positive > score of a negative), ties half; 0 to 1, 0.5 is chance",
    ),
    metric(
        Metric::AveragePrecision,
        "average_precision",
        "Average precision",
        Some(true),
        false,
        "sum of (R_n - R_{n-1}) P_n over thresholds; 0 to 1, the base rate is chance",
    ),
    metric(
        Metric::LogLoss,
        "log_loss",
        "Log loss",
        Some(false),
        false,
        "mean of -ln p(label), p clipped at the machine epsilon; 0 is perfect",
    ),
    metric(
        Metric::Brier,
        "brier",
        "Brier score",
        Some(false),
        false,
        "mean of (p - label)^2; 0 to 1, 0 is perfect (Brier 1950)",
    ),
    metric(
        Metric::Accuracy,
        "accuracy",
        "Accuracy",
        Some(true),
        true,
        "(TP + TN) / n; 0 to 1",
    ),
    metric(
        Metric::BalancedAccuracy,
        "balanced_accuracy",
        "Balanced accuracy",
        Some(true),
        true,
        "(recall + specificity) / 2; 0 to 1",
    ),
    metric(
        Metric::Precision,
        "precision",
        "Precision",
        Some(true),
        true,
        "TP / (TP + FP); 0 to 1",
    ),
    metric(
        Metric::Recall,
        "recall",
        "Recall (sensitivity)",
        Some(true),
        true,
        "TP / (TP + FN); 0 to 1",
    ),
    metric(
        Metric::Specificity,
        "specificity",
        "Specificity",
        Some(true),
        true,
        "TN / (TN + FP); 0 to 1",
    ),
    metric(
        Metric::Npv,
        "npv",
        "Negative predictive value",
        Some(true),
        true,
        "TN / (TN + FN); 0 to 1",
    ),
    metric(
        Metric::F1,
        "f1",
        "F1",
        Some(true),
        true,
        "2 TP / (2 TP + FP + FN); 0 to 1",
    ),
    metric(
        Metric::SelectionRate,
        "selection_rate",
        "Selection rate",
        None,
        true,
        "(TP + FP) / n; 0 to 1",
    ),
    metric(
        Metric::Mcc,
        "mcc",
        "Matthews correlation",
        Some(true),
        true,
        "correlation of label and prediction; -1 to 1, 0 is chance (Matthews 1975)",
    ),
    metric(
        Metric::CohenKappa,
        "cohen_kappa",
        "Cohen's kappa",
        Some(true),
        true,
        "agreement beyond chance; at most 1 (Cohen 1960)",
    ),
    metric(
        Metric::Jaccard,
        "jaccard",
        "Jaccard index",
        Some(true),
        true,
        "TP / (TP + FP + FN); 0 to 1",
    ),
    metric(
        Metric::Ks,
        "ks",
        "Kolmogorov-Smirnov distance",
        Some(true),
        false,
        "largest TPR - FPR over thresholds; 0 to 1",
    ),
    metric(
        Metric::Gini,
        "gini",
        "Gini coefficient",
        Some(true),
        false,
        "2 ROC AUC - 1; -1 to 1",
    ),
    metric(
        Metric::PrAucTrapezoid,
        "pr_auc_trapezoid",
        "Area under the precision-recall line",
        Some(true),
        false,
        "trapezoids under precision over recall; 0 to 1",
    ),
    metric(
        Metric::D2LogLoss,
        "d2_log_loss",
        "D² of log loss",
        Some(true),
        false,
        "1 - log loss / log loss of the base rate; at most 1",
    ),
];

impl Metric {
    /// Returns the metric's entry in [`METRICS`].
    pub fn descriptor(self) -> &'static MetricDescriptor {
        METRICS
            .iter()
            .find(|entry| entry.metric == self)
            .expect("every metric has a line in METRICS")
    }

    /// Returns the metric of that name.
    pub fn named(name: &str) -> Option<Self> {
        METRICS
            .iter()
            .find(|entry| entry.name == name)
            .map(|entry| entry.metric)
    }

    /// Returns the metric's value, or `None` when it is not defined.
    pub fn evaluate(self, scored: &Scored<'_>, threshold: f64) -> Option<f64> {
        let value = match self {
            Self::RocAuc => roc_auc(scored),
            Self::AveragePrecision => average_precision(scored),
            Self::LogLoss => Some(log_loss(scored)),
            Self::Brier => Some(brier(scored)),
            Self::Ks => ks(scored),
            Self::Gini => roc_auc(scored).map(|auc| 2.0 * auc - 1.0),
            Self::PrAucTrapezoid => pr_auc_trapezoid(scored),
            Self::D2LogLoss => d2_log_loss(scored),
            Self::Accuracy
            | Self::BalancedAccuracy
            | Self::Precision
            | Self::Recall
            | Self::Specificity
            | Self::Npv
            | Self::F1
            | Self::SelectionRate
            | Self::Mcc
            | Self::CohenKappa
            | Self::Jaccard => Confusion::at(scored, threshold).evaluate(self),
        };
        value.filter(|value| value.is_finite())
    }
}

impl<'d> Scored<'d> {
    /// Pairs labels with scores, without weights; refuses different lengths, no rows and scores that are not finite.
    pub fn new(labels: &'d [bool], scores: &'d [f64]) -> Result<Self, PerformanceError> {
        if labels.len() != scores.len() || labels.is_empty() {
            return Err(PerformanceError::Length {
                n_labels: labels.len(),
                n_scores: scores.len(),
            });
        }
        if let Some(row) = scores.iter().position(|score| !score.is_finite()) {
            return Err(PerformanceError::NotFinite { row });
        }
        Ok(Self {
            labels,
            scores,
            weights: None,
        })
    }

    /// Adds weights, which must be finite, not negative and as many.
    pub fn with_weights(mut self, weights: &'d [f64]) -> Result<Self, PerformanceError> {
        if weights.len() != self.labels.len() {
            return Err(PerformanceError::Length {
                n_labels: self.labels.len(),
                n_scores: weights.len(),
            });
        }
        if let Some(row) = weights
            .iter()
            .position(|weight| !weight.is_finite() || *weight < 0.0)
        {
            return Err(PerformanceError::NotFinite { row });
        }
        self.weights = Some(weights);
        Ok(self)
    }

    /// Returns how many rows there are.
    pub fn n(&self) -> usize {
        self.labels.len()
    }

    /// Returns how many rows are positive.
    pub fn n_positive(&self) -> usize {
        self.labels.iter().filter(|label| **label).count()
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// Returns the weighted mean; with weights that are all 0 it is not a number, which `evaluate` turns into not defined.
    fn weighted_mean(&self, value: impl Fn(usize) -> f64) -> f64 {
        let values: Vec<f64> = (0..self.n())
            .map(|row| self.weight(row) * value(row))
            .collect();
        let weights: Vec<f64> = (0..self.n()).map(|row| self.weight(row)).collect();
        sum(&values) / sum(&weights)
    }

    /// Returns (threshold, false positive weight, true positive weight) at every distinct score, from the highest down.
    fn cumulative(&self) -> Vec<(f64, f64, f64)> {
        let mut order: Vec<usize> = (0..self.n()).collect();
        order.sort_by(|a, b| self.scores[*b].total_cmp(&self.scores[*a]));
        let (mut fp, mut tp, mut points) = (0.0, 0.0, Vec::new());
        for (position, row) in order.iter().enumerate() {
            if self.labels[*row] {
                tp += self.weight(*row);
            } else {
                fp += self.weight(*row);
            }
            let is_last_of_ties = order
                .get(position + 1)
                .is_none_or(|next| self.scores[*next] != self.scores[*row]);
            if is_last_of_ties {
                points.push((self.scores[*row], fp, tp));
            }
        }
        points
    }
}

impl Confusion {
    /// Counts outcomes when rows that reach `threshold` are predicted positive.
    pub fn at(scored: &Scored<'_>, threshold: f64) -> Self {
        let mut confusion = Self::default();
        for (row, (label, score)) in scored.labels.iter().zip(scored.scores).enumerate() {
            confusion.add(*label, *score >= threshold, scored.weight(row));
        }
        confusion
    }

    /// Adds the weight of one row to its outcome.
    pub fn add(&mut self, label: bool, predicted: bool, weight: f64) {
        match (label, predicted) {
            (false, false) => self.tn += weight,
            (false, true) => self.fp += weight,
            (true, false) => self.fn_ += weight,
            (true, true) => self.tp += weight,
        }
    }

    /// Draws each class again with replacement: how many positives are flagged, and how many negatives, is binomial.
    pub(crate) fn redrawn(&self, rng: &mut rand_chacha::ChaCha8Rng) -> Self {
        use rand_distr::{Binomial, Distribution};
        let mut draw = |hits: f64, misses: f64| {
            let total = hits + misses;
            if hits <= 0.0 || misses <= 0.0 {
                return (hits, misses);
            }
            // With weights the total need not be whole: as many rows as it stands for are drawn, and scaled back.
            let n_rows = total.round().max(1.0);
            let binomial =
                Binomial::new(n_rows as u64, hits / total).expect("a share lies between 0 and 1");
            let drawn = binomial.sample(rng) as f64 / n_rows * total;
            (drawn, total - drawn)
        };
        let ((tp, fn_), (fp, tn)) = (draw(self.tp, self.fn_), draw(self.fp, self.tn));
        Self { tn, fp, fn_, tp }
    }

    /// Adds the counts of `other`, each multiplied by `times`: how often a resample of clusters
    /// drew the rows that they count.
    pub(crate) fn add_times(&mut self, other: &Self, times: f64) {
        self.tn += other.tn * times;
        self.fp += other.fp * times;
        self.fn_ += other.fn_ * times;
        self.tp += other.tp * times;
    }

    /// Returns the sum of all four.
    pub fn total(&self) -> f64 {
        self.tn + self.fp + self.fn_ + self.tp
    }

    /// Returns (successes, trials) of a metric that is a proportion of counted rows.
    pub fn proportion(&self, metric: Metric) -> Option<(f64, f64)> {
        let Self { tn, fp, fn_, tp } = *self;
        Some(match metric {
            Metric::Accuracy => (tp + tn, self.total()),
            Metric::Precision => (tp, tp + fp),
            Metric::Recall => (tp, tp + fn_),
            Metric::Specificity => (tn, tn + fp),
            Metric::Npv => (tn, tn + fn_),
            Metric::SelectionRate => (tp + fp, self.total()),
            _ => return None,
        })
    }

    /// Returns a metric that depends on the four counts alone; `None` when it is not defined or depends on more.
    pub fn evaluate(&self, metric: Metric) -> Option<f64> {
        let Self { tn, fp, fn_, tp } = *self;
        let ratio =
            |numerator: f64, denominator: f64| (denominator > 0.0).then(|| numerator / denominator);
        if let Some((successes, trials)) = self.proportion(metric) {
            return ratio(successes, trials);
        }
        match metric {
            Metric::BalancedAccuracy => Some((ratio(tp, tp + fn_)? + ratio(tn, tn + fp)?) / 2.0),
            Metric::F1 => self.f_beta(1.0),
            Metric::Jaccard => ratio(tp, tp + fp + fn_),
            Metric::Mcc => {
                let product =
                    (tp + fp).sqrt() * (tp + fn_).sqrt() * (tn + fp).sqrt() * (tn + fn_).sqrt();
                ratio(tp * tn - fp * fn_, product)
            }
            Metric::CohenKappa => {
                let n = self.total();
                let chance = ((tp + fp) * (tp + fn_) + (tn + fn_) * (tn + fp)) / (n * n);
                ratio((tp + tn) / n - chance, 1.0 - chance)
            }
            _ => None,
        }
    }

    /// Returns F-beta = (1 + b²) TP / ((1 + b²) TP + b² FN + FP).
    pub fn f_beta(&self, beta: f64) -> Option<f64> {
        let square = beta * beta;
        let denominator = (1.0 + square) * self.tp + square * self.fn_ + self.fp;
        (denominator > 0.0).then(|| (1.0 + square) * self.tp / denominator)
    }
}

fn roc_auc(scored: &Scored<'_>) -> Option<f64> {
    let n_positive = scored.n_positive();
    let n_negative = scored.n() - n_positive;
    if n_positive == 0 || n_negative == 0 {
        return None;
    }
    if scored.weights.is_none() {
        // Midranks are multiples of one half, so this sum is exact.
        let ranks = midranks(scored.scores);
        let positive: f64 = ranks
            .iter()
            .zip(scored.labels)
            .filter(|(_, label)| **label)
            .map(|(rank, _)| rank)
            .sum();
        let offset = n_positive as f64 * (n_positive as f64 + 1.0) / 2.0;
        return Some((positive - offset) / (n_positive as f64 * n_negative as f64));
    }
    let curve = roc_curve(scored)?;
    let areas: Vec<f64> = curve
        .windows(2)
        .map(|pair| (pair[1].0 - pair[0].0) * (pair[1].1 + pair[0].1) / 2.0)
        .collect();
    Some(sum(&areas))
}

/// Returns the ROC curve as (false positive rate, true positive rate), from (0, 0) to (1, 1); `None` with one class.
pub(crate) fn roc_curve(scored: &Scored<'_>) -> Option<Vec<(f64, f64)>> {
    let points = scored.cumulative();
    let (_, fp_total, tp_total) = *points.last()?;
    if fp_total == 0.0 || tp_total == 0.0 {
        return None;
    }
    let mut curve = vec![(0.0, 0.0)];
    curve.extend(
        points
            .iter()
            .map(|(_, fp, tp)| (fp / fp_total, tp / tp_total)),
    );
    Some(curve)
}

/// Returns the partial ROC AUC up to a false positive rate, standardised so that 0.5 is chance (McClish 1989).
pub fn roc_auc_up_to(scored: &Scored<'_>, fpr_max: f64) -> Option<f64> {
    let curve = roc_curve(scored)?;
    let mut area = 0.0;
    for pair in curve.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        if x0 >= fpr_max {
            break;
        }
        let end = x1.min(fpr_max);
        let y_end = if x1 > x0 {
            y0 + (y1 - y0) * (end - x0) / (x1 - x0)
        } else {
            y1
        };
        area += (end - x0) * (y0 + y_end) / 2.0;
    }
    let (chance, best) = (fpr_max * fpr_max / 2.0, fpr_max);
    Some(0.5 * (1.0 + (area - chance) / (best - chance)))
}

fn ks(scored: &Scored<'_>) -> Option<f64> {
    roc_curve(scored).map(|curve| curve.iter().map(|(fpr, tpr)| tpr - fpr).fold(0.0, f64::max))
}

/// Returns (recall, precision) at every distinct score, from the highest down.
fn precision_recall(scored: &Scored<'_>) -> Option<Vec<(f64, f64)>> {
    let points = scored.cumulative();
    let (_, _, tp_total) = *points.last()?;
    (tp_total > 0.0).then(|| {
        let flagged = points.iter().filter(|(_, fp, tp)| fp + tp > 0.0);
        flagged
            .map(|(_, fp, tp)| (tp / tp_total, tp / (tp + fp)))
            .collect()
    })
}

fn average_precision(scored: &Scored<'_>) -> Option<f64> {
    let mut before = 0.0;
    let steps: Vec<f64> = precision_recall(scored)?
        .into_iter()
        .map(|(recall, precision)| (recall - std::mem::replace(&mut before, recall)) * precision)
        .collect();
    Some(sum(&steps))
}

fn pr_auc_trapezoid(scored: &Scored<'_>) -> Option<f64> {
    let (mut recall_before, mut precision_before, mut area) = (0.0, 1.0, 0.0);
    for (recall, precision) in precision_recall(scored)? {
        area += (recall - recall_before) * (precision + precision_before) / 2.0;
        (recall_before, precision_before) = (recall, precision);
    }
    Some(area)
}

fn log_loss(scored: &Scored<'_>) -> f64 {
    scored.weighted_mean(|row| {
        let p = scored.scores[row].clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        if scored.labels[row] {
            -p.ln()
        } else {
            -(1.0 - p).ln()
        }
    })
}

fn d2_log_loss(scored: &Scored<'_>) -> Option<f64> {
    let base_rate = scored.weighted_mean(|row| f64::from(scored.labels[row]));
    if base_rate <= 0.0 || base_rate >= 1.0 {
        return None;
    }
    let base = -(base_rate * base_rate.ln() + (1.0 - base_rate) * (1.0 - base_rate).ln());
    Some(1.0 - log_loss(scored) / base)
}

fn brier(scored: &Scored<'_>) -> f64 {
    scored.weighted_mean(|row| (scored.scores[row] - f64::from(scored.labels[row])).powi(2))
}
