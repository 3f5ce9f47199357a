//! `fairness.report`: performance and outcome rates by group and intersection, with intervals.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_statistics::fairness::{Disparity, Rate};
use veracta_statistics::interval::Estimate;

use crate::plan::CriterionOutcome;

/// Rates of each group on the test part, and the gaps between groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FairnessReport {
    /// SHA-256 of the validation plan whose groups and limits were applied.
    pub plan_digest: Hash,
    /// SHA-256 of the model that was tested.
    pub model: Hash,
    /// SHA-256 of the dataset version that the test part belongs to.
    pub dataset: Hash,
    /// Score from which a prediction is positive.
    pub threshold: f64,
    /// Rows below which a group is shown but not compared.
    pub group_rows_min: usize,
    /// One entry for each attribute or crossing of attributes.
    pub attributes: Vec<AttributeFairness>,
}

/// Results by one attribute, or by several crossed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeFairness {
    /// Names of the attributes that define the groups; crossed when there are several.
    pub by: Vec<String>,
    /// One entry for each group, small ones included.
    pub groups: Vec<GroupRow>,
    /// Gaps and ratios between the groups that are not small.
    pub disparities: Vec<DisparityResult>,
}

/// Results of the test rows that share the same levels of the attributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRow {
    /// Level of each attribute, in the order of the attributes.
    pub levels: Vec<String>,
    /// Number of test rows in the group.
    pub n: usize,
    /// Number of test rows in the group with a positive label.
    pub n_positive: usize,
    /// Whether the group has fewer rows than the plan compares.
    pub small: bool,
    /// Rates; not defined without the rows they need.
    pub rates: Vec<RateResult>,
    /// ROC AUC within the group, from 0 to 1; `None` when it is not defined there.
    pub roc_auc: Option<Estimate>,
}

/// One rate of one group, such as the share of positive predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateResult {
    /// The rate that was measured in the group.
    pub rate: Rate,
    /// Value and interval, from 0 to 1; `None` when the group lacks the rows that the rate needs.
    pub estimate: Option<Estimate>,
}

/// The difference or ratio of a rate between groups, compared with a limit of the plan if there is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisparityResult {
    /// The gap or ratio that was measured between the groups.
    pub disparity: Disparity,
    /// Its value and interval; not defined with fewer than two comparable groups.
    pub estimate: Option<Estimate>,
    /// The criterion it was held against, and how that ended.
    pub criterion: Option<CriterionOutcome>,
}
