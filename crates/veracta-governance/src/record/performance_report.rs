//! `performance.report`: live performance once outcomes are known, overall and by group.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_model::model::UnknownValues;
use veracta_statistics::evaluation::Evaluation;
use veracta_statistics::fairness::Rate;
use veracta_statistics::interval::Estimate;
use veracta_statistics::performance::{Confusion, Metric};

/// Performance on rows whose labels are known by now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerformanceReport {
    /// SHA-256 of the model that gave the scores.
    pub model: Hash,
    /// SHA-256 of the file of scores and labels.
    pub data: Hash,
    /// Number of rows with a score and a label.
    pub n: usize,
    /// Number of rows with a positive label.
    pub n_positive: usize,
    /// Clusters of rows that are not independent; `None` when each row stands for itself.
    pub n_clusters: Option<usize>,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// Counts of true and false positives and negatives at the threshold.
    pub confusion: Confusion,
    /// Every metric; `None` when it is not defined.
    pub metrics: Vec<(Metric, Option<Estimate>)>,
    /// One entry for each attribute or crossing by which rows were grouped.
    pub groups: Vec<PerformanceGroups>,
    /// Values of the rows, when the model was applied to them here, that the model does not know, by column; since version 2.
    #[serde(default)]
    pub unknown: Vec<UnknownValues>,
}

/// Groups compared with each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerformanceGroups {
    /// Names of the columns that define the groups; crossed when there are several.
    pub by: Vec<String>,
    /// Control column and the level within which groups are compared; `None` when there is none.
    pub control: Option<(String, String)>,
    /// Levels, rows and rates of each group.
    pub groups: Vec<PerformanceGroup>,
    /// Gaps between groups that are large enough, by name; `None` when a gap is not defined.
    pub disparities: Vec<(String, Option<Estimate>)>,
}

/// Rates of the rows that share the same levels of the columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerformanceGroup {
    /// Level of each column, in the order of the columns.
    pub levels: Vec<String>,
    /// Number of rows in the group.
    pub n: usize,
    /// Each rate with its interval; `None` when it is not defined in the group.
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
            unknown: Vec::new(),
        }
    }
}
