//! `fairness.report`: performance and outcome rates by group and intersection, with intervals.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_ml::fairness::{Disparity, Rate};
use veracta_ml::interval::Estimate;

use crate::plan::CriterionOutcome;

/// Performance by group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FairnessReport {
    /// Plan it follows.
    pub plan_digest: Hash,
    /// Model tested.
    pub model: Hash,
    /// Dataset version it was tested on.
    pub dataset: Hash,
    /// Threshold of a positive prediction.
    pub threshold: f64,
    /// Rows below which a group is shown but not compared.
    pub group_rows_min: usize,
    /// One entry an attribute or intersection.
    pub attributes: Vec<AttributeFairness>,
}

/// One attribute, or several crossed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeFairness {
    /// The attributes.
    pub by: Vec<String>,
    /// Groups.
    pub groups: Vec<GroupRow>,
    /// Gaps and ratios between the groups that are not small.
    pub disparities: Vec<DisparityResult>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRow {
    /// Level of each attribute.
    pub levels: Vec<String>,
    /// Test rows.
    pub n: usize,
    /// Positive test rows.
    pub n_positive: usize,
    /// Fewer rows than the plan compares.
    pub small: bool,
    /// Rates; not defined without the rows they need.
    pub rates: Vec<RateResult>,
    /// ROC AUC.
    pub roc_auc: Option<Estimate>,
}

/// One rate of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateResult {
    /// The rate.
    pub rate: Rate,
    /// Its value and interval.
    pub estimate: Option<Estimate>,
}

/// One gap or ratio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisparityResult {
    /// Which.
    pub disparity: Disparity,
    /// Its value and interval; not defined with fewer than two comparable groups.
    pub estimate: Option<Estimate>,
    /// The criterion it was held against, and how that ended.
    pub criterion: Option<CriterionOutcome>,
}
