//! `performance.report`: live performance once outcomes are known, overall and by group.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_ml::evaluation::Evaluation;
use veracta_ml::fairness::Rate;
use veracta_ml::interval::Estimate;
use veracta_ml::performance::{Confusion, Metric};

/// Performance on rows whose labels have come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerformanceReport {
    /// Model whose scores these are.
    pub model: Hash,
    /// SHA-256 of the file of scores and labels.
    pub data: Hash,
    /// Rows.
    pub n: usize,
    /// Positive rows.
    pub n_positive: usize,
    /// Clusters of rows that are not independent; `None` when each row stands for itself.
    pub n_clusters: Option<usize>,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// Counts at the threshold.
    pub confusion: Confusion,
    /// Every metric; `None` when it is not defined.
    pub metrics: Vec<(Metric, Option<Estimate>)>,
    /// Groups compared.
    pub groups: Vec<PerformanceGroups>,
}

/// Groups compared with each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerformanceGroups {
    /// Columns crossed.
    pub by: Vec<String>,
    /// Control column and its level.
    pub control: Option<(String, String)>,
    /// Levels, rows and rates of each group.
    pub groups: Vec<PerformanceGroup>,
    /// Gaps between groups that are large enough.
    pub disparities: Vec<(String, Option<Estimate>)>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerformanceGroup {
    /// Its level of each column.
    pub levels: Vec<String>,
    /// Rows.
    pub n: usize,
    /// Its rates.
    pub rates: Vec<(Rate, Option<Estimate>)>,
}

impl PerformanceReport {
    /// Takes what is kept of an evaluation. Groups too small to be compared are left out: their rates are their labels.
    pub fn new(model: Hash, data: Hash, measured: &Evaluation) -> Self {
        let groups = measured.frames.iter().map(|frame| PerformanceGroups {
            by: frame.attributes.clone(),
            control: frame.control.clone(),
            groups: frame
                .groups
                .iter()
                .filter(|group| !group.is_small)
                .map(|group| PerformanceGroup {
                    levels: group.levels.clone(),
                    n: group.n,
                    rates: group.rates.clone(),
                })
                .collect(),
            disparities: frame.disparities.clone(),
        });
        Self {
            model,
            data,
            n: measured.n,
            n_positive: measured.n_positive,
            n_clusters: measured.n_clusters,
            threshold: measured.options.threshold,
            confusion: measured.confusion,
            metrics: measured.metrics.clone(),
            groups: groups.collect(),
        }
    }
}
