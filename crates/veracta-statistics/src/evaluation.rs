//! The evaluation of a scored table: performance with intervals, calibration, and fairness by group, intersection and control.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::calibration::{Binning, CalibrationLine, Reliability, calibration_line, reliability};
use crate::fairness::{
    Against, DISPARITIES, Disparity, GroupCounts, MetricFrame, Outcomes, RATES, Rate,
};
use crate::interval::{Estimate, Precision, delong, delong_interval, metric_intervals};
use crate::paired::{Comparison, PairedCounts, judge_gain};
use crate::performance::{Confusion, METRICS, Metric, Scored, roc_curve};
use crate::recalibration::{RECALIBRATIONS, Recalibration, RecalibrationGain, recalibration_gain};
use crate::resampling::{
    ClusteredFrame, Clusters, bca_intervals, cluster_intervals, clustered_frame,
};
use veracta_data::table::Coded;

/// Most points of a drawn ROC curve.
const ROC_POINTS_MAX: usize = 200;
const RELIABILITY_BINS: usize = 10;

/// How a table is evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationOptions {
    /// What is measured; everything when empty.
    pub metrics: Vec<Metric>,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// How every interval is made.
    #[serde(flatten)]
    pub precision: Precision,
    /// Groups with fewer rows are shown and not compared.
    pub group_rows_min: usize,
    /// How intervals of metrics are found; with clusters the cluster bootstrap finds all.
    #[serde(default)]
    pub intervals: Intervals,
    /// Whether isotonic and Platt recalibration are tried out of fold.
    #[serde(default)]
    pub recalibrate: bool,
}

/// How intervals of metrics are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intervals {
    /// By a formula where there is a good one, else by percentiles of resamples.
    #[default]
    Preferred,
    /// By bias-corrected and accelerated resamples.
    Bca,
}

/// Groups to compare: columns that are crossed, and columns within whose levels they are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouping {
    /// Names of the crossed columns.
    pub attributes: Vec<String>,
    /// Name of the control column.
    pub control: Option<String>,
    /// Codes of the crossed columns.
    pub groups: Vec<Coded>,
    /// Codes of the control column.
    pub within: Option<Coded>,
}

/// Performance, calibration and fairness of scored rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Rows evaluated; at least 1.
    pub n: usize,
    /// Rows whose label is positive; 0 to `n`.
    pub n_positive: usize,
    /// Options the evaluation was made with.
    pub options: EvaluationOptions,
    /// Outcome counts when scores from the threshold on are predicted positive.
    pub confusion: Confusion,
    /// Every metric; `None` when it is not defined.
    pub metrics: Vec<(Metric, Option<Estimate>)>,
    /// Points of the ROC curve, false positive and true positive rate; empty with one class.
    pub roc: Vec<(f64, f64)>,
    /// Reliability over bins of equal width; `None` when a score is outside 0 to 1.
    pub reliability: Option<Reliability>,
    /// Logistic recalibration; `None` when it does not exist.
    pub calibration: Option<CalibrationLine>,
    /// What recalibration gains out of fold, where it was asked for and can be fitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recalibration: Vec<RecalibrationGain>,
    /// Clusters of rows that are not independent; `None` when each row stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_clusters: Option<usize>,
    /// One entry a grouping and level of its control.
    pub frames: Vec<FrameEvaluation>,
}

/// Groups of rows compared with each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameEvaluation {
    /// Names of the crossed columns, in the order of `levels`.
    pub attributes: Vec<String>,
    /// Control column and its level, when the groups are compared within one.
    pub control: Option<(String, String)>,
    /// Combinations of levels that have rows, in order of their levels; small ones too.
    pub groups: Vec<GroupEvaluation>,
    /// Gaps between groups that are large enough, by name; `None` when a gap is not defined.
    pub disparities: Vec<(String, Option<Estimate>)>,
}

/// Rates of the rows that share a level of each attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupEvaluation {
    /// Its level of each attribute.
    pub levels: Vec<String>,
    /// Rows of the group; at least 1.
    pub n: usize,
    /// Rows of the group whose label is positive; 0 in evaluations written before it was counted.
    #[serde(default)]
    pub n_positive: usize,
    /// Whether it has too few rows to be compared.
    pub is_small: bool,
    /// Each rate with Wilson's interval.
    pub rates: Vec<(Rate, Option<Estimate>)>,
    /// ROC AUC with DeLong's interval.
    pub roc_auc: Option<Estimate>,
}

/// Evaluates scored rows, which clusters may hold together.
///
/// # Panics
/// When there is not one cluster a row.
pub fn evaluate(
    scored: &Scored<'_>,
    groupings: &[Grouping],
    clusters: Option<Clusters<'_>>,
    options: EvaluationOptions,
) -> Evaluation {
    let is_probability = scored
        .scores
        .iter()
        .all(|score| (0.0..=1.0).contains(score));
    let is_asked = |metric: &Metric| options.metrics.is_empty() || options.metrics.contains(metric);
    let is_possible = |metric: &Metric| is_probability || !needs_probability(*metric);
    let metrics: Vec<Metric> = METRICS
        .iter()
        .map(|entry| entry.metric)
        .filter(|metric| is_asked(metric) && is_possible(metric))
        .collect();
    let (threshold, precision) = (options.threshold, options.precision);
    let intervals = match (clusters, options.intervals) {
        (Some(clusters), _) => cluster_intervals(scored, clusters, &metrics, threshold, precision),
        (None, Intervals::Bca) => bca_intervals(scored, &metrics, threshold, precision),
        (None, Intervals::Preferred) => metric_intervals(scored, &metrics, threshold, precision),
    };
    let gain = |method: &Recalibration| {
        recalibration_gain(*method, scored, precision.level, precision.bootstrap.seed)
    };
    Evaluation {
        n: scored.n(),
        n_positive: scored.n_positive(),
        confusion: Confusion::at(scored, options.threshold),
        metrics: metrics.iter().copied().zip(intervals).collect(),
        roc: roc_points(scored),
        reliability: is_probability.then(|| reliability(scored, RELIABILITY_BINS, Binning::Width)),
        calibration: if is_probability {
            calibration_line(scored)
        } else {
            None
        },
        recalibration: if options.recalibrate {
            RECALIBRATIONS.iter().filter_map(gain).collect()
        } else {
            Vec::new()
        },
        n_clusters: clusters.map(|clusters| clusters.n),
        frames: groupings
            .iter()
            .flat_map(|grouping| frames(scored, grouping, clusters, &options))
            .collect(),
        options,
    }
}

/// Returns at most 201 points of the ROC curve, the ends among them; none with one class.
pub fn roc_points(scored: &Scored<'_>) -> Vec<(f64, f64)> {
    let curve = roc_curve(scored).unwrap_or_default();
    let step = curve.len().div_ceil(ROC_POINTS_MAX).max(1);
    let last = curve.last().copied();
    let mut points: Vec<(f64, f64)> = curve.into_iter().step_by(step).chain(last).collect();
    points.dedup();
    points
}

/// Returns whether a metric is defined on probabilities only.
pub fn needs_probability(metric: Metric) -> bool {
    matches!(metric, Metric::LogLoss | Metric::Brier | Metric::D2LogLoss)
}

fn frames(
    scored: &Scored<'_>,
    grouping: &Grouping,
    clusters: Option<Clusters<'_>>,
    options: &EvaluationOptions,
) -> Vec<FrameEvaluation> {
    let all: Vec<usize> = (0..scored.n()).collect();
    match (&grouping.control, &grouping.within) {
        (Some(name), Some(within)) => (0..within.levels.len())
            .map(|code| {
                let rows: Vec<usize> = all
                    .iter()
                    .copied()
                    .filter(|row| within.codes[*row] as usize == code)
                    .collect();
                frame(
                    scored,
                    grouping,
                    Some((name.clone(), within.levels[code].clone())),
                    (&rows, clusters),
                    options,
                )
            })
            .collect(),
        _ => vec![frame(scored, grouping, None, (&all, clusters), options)],
    }
}

/// Compares the groups of some attributes, over all rows.
pub fn evaluate_groups(
    scored: &Scored<'_>,
    grouping: &Grouping,
    clusters: Option<Clusters<'_>>,
    options: &EvaluationOptions,
) -> FrameEvaluation {
    let all: Vec<usize> = (0..scored.n()).collect();
    frame(scored, grouping, None, (&all, clusters), options)
}

fn frame(
    scored: &Scored<'_>,
    grouping: &Grouping,
    control: Option<(String, String)>,
    (rows, clusters): (&[usize], Option<Clusters<'_>>),
    options: &EvaluationOptions,
) -> FrameEvaluation {
    let held = FrameRows::new(scored, grouping, (rows, clusters), options);
    let frame = MetricFrame::new(
        Outcomes {
            labels: &held.labels,
            predicted: &held.predicted,
            weights: None,
        },
        &held.coded,
    );
    let clustered = held.clustered(&frame);
    let rates = rate_intervals(&frame, clustered.as_ref(), options.precision.level);
    let group = |(idx, group): (usize, &GroupCounts)| GroupEvaluation {
        levels: group.levels.clone(),
        n: group.n,
        n_positive: held.n_positive(&group.levels),
        is_small: group.n < options.group_rows_min,
        rates: RATES
            .iter()
            .zip(&rates)
            .map(|(rate, by_group)| (*rate, by_group[idx].clone()))
            .collect(),
        roc_auc: held.roc_auc(&group.levels),
    };
    FrameEvaluation {
        attributes: grouping.attributes.clone(),
        control,
        groups: frame.groups.iter().enumerate().map(group).collect(),
        disparities: disparities(&frame, clustered.as_ref(), options),
    }
}

/// The rows that one frame compares, with all that is measured on them; positions are those among these rows.
struct FrameRows<'f> {
    /// Position of each row in the table.
    rows: &'f [usize],
    labels: Vec<bool>,
    scores: Vec<f64>,
    predicted: Vec<bool>,
    coded: Vec<Coded>,
    clusters: Option<Clusters<'f>>,
    options: &'f EvaluationOptions,
}

impl<'f> FrameRows<'f> {
    fn new(
        scored: &Scored<'_>,
        grouping: &Grouping,
        (rows, clusters): (&'f [usize], Option<Clusters<'f>>),
        options: &'f EvaluationOptions,
    ) -> Self {
        let scores: Vec<f64> = rows.iter().map(|row| scored.scores[*row]).collect();
        let select = |column: &Coded| Coded {
            codes: rows.iter().map(|row| column.codes[*row]).collect(),
            levels: column.levels.clone(),
        };
        Self {
            rows,
            labels: rows.iter().map(|row| scored.labels[*row]).collect(),
            predicted: scores
                .iter()
                .map(|score| *score >= options.threshold)
                .collect(),
            scores,
            coded: grouping.groups.iter().map(select).collect(),
            clusters,
            options,
        }
    }

    /// Returns the rows that have these levels, one of each attribute.
    fn members_of(&self, levels: &[String]) -> Vec<usize> {
        let is_member = |row: &usize| {
            self.coded.iter().zip(levels).all(|(column, level)| {
                column.levels.get(column.codes[*row] as usize) == Some(level)
            })
        };
        (0..self.labels.len()).filter(is_member).collect()
    }

    fn n_positive(&self, levels: &[String]) -> usize {
        self.members_of(levels)
            .iter()
            .filter(|row| self.labels[**row])
            .count()
    }

    /// Returns the ROC AUC of one group; `None` when it has one class, or clusters too few for an interval.
    fn roc_auc(&self, levels: &[String]) -> Option<Estimate> {
        let members = self.members_of(levels);
        let labels: Vec<bool> = members.iter().map(|row| self.labels[*row]).collect();
        let scores: Vec<f64> = members.iter().map(|row| self.scores[*row]).collect();
        let own = Scored::new(&labels, &scores).ok()?;
        let Some(clusters) = self.clusters else {
            return delong_interval(&own, self.options.precision.level);
        };
        let (of_row, n) = renumbered(members.iter().map(|row| clusters.of_row[self.rows[*row]]));
        cluster_intervals(
            &own,
            Clusters { of_row: &of_row, n },
            &[Metric::RocAuc],
            self.options.threshold,
            self.options.precision,
        )
        .pop()?
    }

    /// Returns cluster bootstrap intervals of the frame over these rows; `None` without clusters.
    fn clustered(&self, frame: &MetricFrame) -> Option<ClusteredFrame> {
        let clusters = self.clusters?;
        let counts = cluster_counts(
            (&self.labels, &self.predicted),
            &self.coded,
            renumbered(self.rows.iter().map(|row| clusters.of_row[*row])),
        );
        let is_compared: Vec<bool> = frame
            .groups
            .iter()
            .map(|group| group.n >= self.options.group_rows_min)
            .collect();
        let disparities: Vec<Disparity> = DISPARITIES
            .iter()
            .map(|(disparity, _)| *disparity)
            .collect();
        Some(clustered_frame(
            frame,
            &counts,
            &is_compared,
            (&RATES, &disparities),
            self.options.precision,
        ))
    }
}

/// Returns for each rate its interval in each group.
fn rate_intervals(
    frame: &MetricFrame,
    clustered: Option<&ClusteredFrame>,
    level: f64,
) -> Vec<Vec<Option<Estimate>>> {
    let Some(found) = clustered else {
        return RATES
            .iter()
            .map(|rate| frame.rate_intervals(*rate, level))
            .collect();
    };
    let of_groups = |rate: usize| {
        found
            .rates
            .iter()
            .map(|group| group[rate].clone())
            .collect()
    };
    (0..RATES.len()).map(of_groups).collect()
}

/// Returns each gap between the groups that have enough rows, by name.
fn disparities(
    frame: &MetricFrame,
    clustered: Option<&ClusteredFrame>,
    options: &EvaluationOptions,
) -> Vec<(String, Option<Estimate>)> {
    let compared = frame.without_small(options.group_rows_min);
    let gap = |(place, (disparity, name)): (usize, &(Disparity, &str))| {
        if let Some(found) = clustered {
            return ((*name).to_owned(), found.disparities[place].clone());
        }
        let defined = compared
            .disparity(*disparity, Against::BetweenGroups)
            .is_some();
        let interval = if defined {
            compared.disparity_interval(*disparity, options.precision)
        } else {
            None
        };
        ((*name).to_owned(), interval)
    };
    DISPARITIES.iter().enumerate().map(gap).collect()
}

/// Gives the clusters that occur numbers from 0.
pub fn renumbered(clusters: impl Iterator<Item = u32>) -> (Vec<u32>, usize) {
    let mut numbers = HashMap::new();
    let of_row = clusters
        .map(|cluster| {
            let next = numbers.len() as u32;
            *numbers.entry(cluster).or_insert(next)
        })
        .collect();
    (of_row, numbers.len())
}

/// Returns for each group, in the order of a frame over these attributes, its outcome counts by cluster.
///
/// # Panics
/// When the lengths differ.
pub(crate) fn cluster_counts(
    (labels, predicted): (&[bool], &[bool]),
    coded: &[Coded],
    (of_row, n): (Vec<u32>, usize),
) -> Vec<Vec<Confusion>> {
    let mut groups: BTreeMap<Vec<u32>, Vec<Confusion>> = BTreeMap::new();
    for row in 0..labels.len() {
        let key = coded.iter().map(|attribute| attribute.codes[row]).collect();
        let counts = groups
            .entry(key)
            .or_insert_with(|| vec![Confusion::default(); n]);
        counts[of_row[row] as usize].add(labels[row], predicted[row], 1.0);
    }
    groups.into_values().collect()
}

/// Two scores of the same rows compared; differences are second minus first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairedEvaluation {
    /// Rows that both scores are of.
    pub n: usize,
    /// ROC AUC of the first and the second score, with DeLong's interval.
    pub roc_auc: [Option<Estimate>; 2],
    /// Difference of ROC AUC with DeLong's paired variance.
    pub roc_auc_gain: Option<Estimate>,
    /// Two-sided p-value of no difference of ROC AUC.
    pub roc_auc_p: Option<f64>,
    /// Rows each gets right at the threshold.
    pub counts: PairedCounts,
    /// Difference of accuracy with Tango's interval.
    pub accuracy_gain: Option<Estimate>,
    /// McNemar's exact p-value of equal accuracy; 1 when both are right on the same rows.
    pub mcnemar_p: Option<f64>,
    /// Margin of non-inferiority, in points of ROC AUC.
    pub margin: f64,
    /// What the bounds of the gain in ROC AUC say.
    pub verdict: Comparison,
}

/// Compares two scores, which differ by 0 with p = 1 when they rank the rows alike; `None` when the ROC AUC is not defined, or the two differ in all of it.
pub fn compare(
    labels: &[bool],
    scores: [&[f64]; 2],
    threshold: f64,
    level: f64,
    margin: f64,
) -> Option<PairedEvaluation> {
    let scored = scores.map(|scores| Scored::new(labels, scores).ok());
    let [first, second] = [scored[0].as_ref()?, scored[1].as_ref()?];
    let (a, b) = (delong(first)?, delong(second)?);
    let same = (a == b).then_some((0.0, 0.0, 0.0, 1.0));
    let (difference, variance, _, p) = b.compare(&a).or(same)?;
    let half = crate::distribution::normal_quantile(0.5 + level / 2.0) * variance.sqrt();
    let gain = Estimate {
        estimate: difference,
        lower: difference - half,
        upper: difference + half,
        level,
        method: crate::interval::Method::DelongPaired,
    };
    let is_right = |(score, label): (&f64, &bool)| (*score >= threshold) == *label;
    let right = |scores: &[f64]| -> Vec<bool> { scores.iter().zip(labels).map(is_right).collect() };
    let counts = PairedCounts::new(&right(scores[0]), &right(scores[1]));
    Some(PairedEvaluation {
        n: labels.len(),
        roc_auc: [
            delong_interval(first, level),
            delong_interval(second, level),
        ],
        verdict: judge_gain(&gain, margin),
        roc_auc_gain: Some(gain),
        roc_auc_p: Some(p),
        // A gain: second minus first.
        accuracy_gain: counts.swapped().difference(level),
        mcnemar_p: counts.mcnemar_exact().map(|test| test.p_value),
        counts,
        margin,
    })
}
