//! The validation plan: what must hold, written down before any result exists.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_statistics::fairness::Disparity;
use veracta_statistics::interval::{Bootstrap, Estimate, Precision};
use veracta_statistics::performance::Metric;
use veracta_statistics::robustness::Scenario;

/// Everything a validation needs to be repeated: metrics, groups, intervals and limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationPlan {
    /// Confidence level of the intervals, from 0 to 1.
    pub level: f64,
    /// Score from which a prediction is positive, from 0 to 1.
    pub threshold: f64,
    /// Resamples and seed of the bootstrap.
    pub bootstrap: Bootstrap,
    /// Limits on metrics over all rows of the test part.
    pub criteria: Vec<MetricCriterion>,
    /// Attributes, alone and crossed, by which results are shown.
    pub groups: Vec<Vec<String>>,
    /// Rows below which a group is shown but not compared.
    pub group_rows_min: usize,
    /// Limits on gaps and ratios between groups.
    pub fairness: Vec<DisparityCriterion>,
    /// Column of rows that are not independent; intervals then resample whole clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<String>,
    /// Limit on a metric when inputs go wrong; `None` when nothing was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robustness: Option<RobustnessCriterion>,
    /// Limit on what attacks find; `None` when nothing was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacyCriterion>,
}

/// A limit that a metric keeps under every scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobustnessCriterion {
    /// The metric measured on the rows that a scenario changed.
    pub metric: Metric,
    /// The limit on the bound of its interval.
    pub limit: Limit,
    /// The changes of the inputs under which the limit must be kept.
    pub scenarios: Vec<Scenario>,
}

/// A limit on how well attacks may distinguish training rows from others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyCriterion {
    /// The upper bound of each attack's ROC AUC must not be above.
    pub auc_at_most: f64,
    /// Shadow models of the likelihood-ratio attack; 0 for none.
    pub n_shadows: usize,
}

/// A limit on a metric over the whole test part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricCriterion {
    /// The metric that is limited, measured on the whole test part.
    pub metric: Metric,
    /// The limit on the bound of its interval.
    pub limit: Limit,
}

/// A limit on a gap or ratio between the groups of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisparityCriterion {
    /// Attributes that define the groups; crossed when there are several.
    pub by: Vec<String>,
    /// The gap or ratio between the groups that is limited.
    pub disparity: Disparity,
    /// The limit on the bound of its interval.
    pub limit: Limit,
}

/// Which bound of an interval must lie on which side of a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The lower bound of the interval must be this value or greater.
    AtLeast(f64),
    /// The upper bound of the interval must be this value or less.
    AtMost(f64),
}

/// A limit, and whether an estimate keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriterionOutcome {
    /// The limit that the estimate was compared with.
    pub limit: Limit,
    /// Whether the bound keeps it; `None` when the value is not defined, which never passes.
    pub met: Option<bool>,
}

impl Limit {
    /// Holds an estimate against the limit: the bound decides, not the point.
    pub fn judge(self, estimate: Option<&Estimate>) -> CriterionOutcome {
        let met = estimate.map(|estimate| match self {
            Self::AtLeast(limit) => estimate.lower >= limit,
            Self::AtMost(limit) => estimate.upper <= limit,
        });
        CriterionOutcome { limit: self, met }
    }

    /// Returns the limit in words.
    pub fn words(self) -> String {
        match self {
            Self::AtLeast(limit) => format!("lower bound ≥ {limit}"),
            Self::AtMost(limit) => format!("upper bound ≤ {limit}"),
        }
    }
}

impl ValidationPlan {
    /// Returns how intervals are made.
    pub fn precision(&self) -> Precision {
        Precision {
            level: self.level,
            bootstrap: self.bootstrap,
        }
    }

    /// Returns the digest that a result names.
    pub fn digest(&self) -> Hash {
        Hash::of(&serde_json::to_vec(self).expect("a plan is plain data with finite numbers"))
    }
}
