//! The validation stage in a pipeline file: what must hold, for whom, and how the model is explained.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use veracta_governance::plan::{
    DisparityCriterion, Limit, MetricCriterion, PrivacyCriterion, RobustnessCriterion,
    ValidationPlan,
};
use veracta_statistics::fairness::Disparity;
use veracta_statistics::interval::Bootstrap;
use veracta_statistics::performance::Metric;
use veracta_statistics::robustness::{SCENARIOS, Scenario};

use super::{PipelineSpec, Rule, is_share};

/// What must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidationSpec {
    /// Confidence level of intervals.
    #[serde(default = "ninety_five")]
    pub level: f64,
    /// Score from which a prediction is positive.
    #[serde(default = "a_half")]
    pub threshold: f64,
    /// Resamples of the bootstrap.
    #[serde(default = "a_thousand")]
    pub resamples: u32,
    /// Seed of the bootstrap.
    #[serde(default = "seven")]
    pub seed: u64,
    /// Limits on metrics; the bound of the interval decides.
    pub criteria: Vec<CriterionSpec>,
    /// Attributes, or lists of attributes to be crossed, by which results are shown; the protected ones by default.
    #[serde(default)]
    pub groups: Vec<OneOrMany>,
    /// Rows below which a group is shown but not compared.
    #[serde(default = "thirty")]
    pub group_rows_min: usize,
    /// Limits on gaps between groups.
    #[serde(default)]
    pub fairness: Vec<FairnessSpec>,
    /// Column whose equal values are rows that are not independent (subject, night, patient): intervals resample whole clusters.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub clusters: Option<Spanned<String>>,
    /// What the model must stand when its inputs go wrong; not tried when absent.
    #[serde(default)]
    pub robustness: Option<RobustnessSpec>,
    /// How little the model may give away of its training rows; not tried when absent.
    #[serde(default)]
    pub privacy: Option<PrivacySpec>,
}

impl ValidationSpec {
    /// Returns the limits of its numbers, each with whether it is kept.
    pub(in crate::pipeline) fn rules(&self) -> Vec<Rule> {
        vec![
            (
                is_share(self.level),
                "validation.level must be between 0 and 1",
            ),
            (
                (0.0..=1.0).contains(&self.threshold),
                "validation.threshold must be between 0 and 1",
            ),
            (
                (100..=100_000).contains(&self.resamples),
                "validation.resamples must be between 100 and 100,000",
            ),
        ]
    }
}

impl PipelineSpec {
    /// Returns the validation plan: criteria, groups, threshold and intervals, with every default written out.
    pub fn validation_plan(&self) -> ValidationPlan {
        let section = &self.validation;
        let limit = |at_least: Option<f64>, at_most: Option<f64>| match at_least {
            Some(limit) => Limit::AtLeast(limit),
            None => {
                Limit::AtMost(at_most.expect("one limit is given: checked when the file was read"))
            }
        };
        let metric = |spec: &CriterionSpec| MetricCriterion {
            metric: Metric::named(&spec.metric.value)
                .expect("the metric is known: checked when the file was read"),
            limit: limit(spec.at_least, spec.at_most),
        };
        let disparity = |spec: &FairnessSpec| DisparityCriterion {
            by: spec.by.names(),
            disparity: Disparity::named(&spec.metric.value)
                .expect("the gap is known: checked when the file was read"),
            limit: limit(spec.at_least, spec.at_most),
        };
        let fairness: Vec<DisparityCriterion> = section.fairness.iter().map(disparity).collect();
        let mut groups: Vec<Vec<String>> = section.groups.iter().map(OneOrMany::names).collect();
        if groups.is_empty() {
            groups = self
                .data
                .protected
                .iter()
                .map(|attribute| vec![attribute.value.clone()])
                .collect();
        }
        for criterion in &fairness {
            if !groups.contains(&criterion.by) {
                groups.push(criterion.by.clone());
            }
        }
        ValidationPlan {
            level: section.level,
            threshold: section.threshold,
            bootstrap: Bootstrap {
                n_resamples: section.resamples,
                seed: section.seed,
            },
            criteria: section.criteria.iter().map(metric).collect(),
            groups,
            group_rows_min: section.group_rows_min,
            fairness,
            clusters: section.clusters.as_ref().map(|column| column.value.clone()),
            robustness: section.robustness.as_ref().map(RobustnessSpec::criterion),
            privacy: section.privacy.as_ref().map(PrivacySpec::criterion),
        }
    }
}

/// A limit on a metric under scenarios.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RobustnessSpec {
    /// Name of the metric, such as `roc_auc`.
    #[schemars(with = "String")]
    pub metric: Spanned<String>,
    /// The lower bound must not be below, under any scenario.
    #[serde(default)]
    pub at_least: Option<f64>,
    /// The upper bound must not be above, under any scenario.
    #[serde(default)]
    pub at_most: Option<f64>,
    /// Scenarios, such as `noise: 0.25` or `missing: 0.1`; a fixed list of ten when absent.
    #[serde(default)]
    #[schemars(with = "Vec<std::collections::BTreeMap<String, f64>>")]
    pub scenarios: Vec<Scenario>,
}

/// A limit on membership inference.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacySpec {
    /// The upper bound of the ROC AUC of each attack must not be above.
    pub auc_at_most: f64,
    /// Shadow models that are trained for the likelihood-ratio attack; none when absent.
    #[serde(default)]
    pub shadows: usize,
}

impl RobustnessSpec {
    /// Returns what stands in the plan.
    pub(in crate::pipeline) fn criterion(&self) -> RobustnessCriterion {
        RobustnessCriterion {
            metric: Metric::named(&self.metric.value)
                .expect("the metric is known: checked when the file was read"),
            limit: match self.at_least {
                Some(limit) => Limit::AtLeast(limit),
                None => Limit::AtMost(
                    self.at_most
                        .expect("one limit is given: checked when the file was read"),
                ),
            },
            scenarios: if self.scenarios.is_empty() {
                SCENARIOS.to_vec()
            } else {
                self.scenarios.clone()
            },
        }
    }
}

impl PrivacySpec {
    /// Returns what stands in the plan.
    pub(in crate::pipeline) fn criterion(&self) -> PrivacyCriterion {
        PrivacyCriterion {
            auc_at_most: self.auc_at_most,
            n_shadows: self.shadows,
        }
    }
}

/// One name, or several to be crossed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One attribute.
    One(String),
    /// Several, crossed.
    Many(Vec<String>),
}

impl OneOrMany {
    pub(in crate::pipeline) fn names(&self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name.clone()],
            Self::Many(names) => names.clone(),
        }
    }
}

/// A limit on a metric.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CriterionSpec {
    /// Name of the metric, such as `roc_auc`.
    #[schemars(with = "String")]
    pub metric: Spanned<String>,
    /// The lower bound must not be below.
    #[serde(default)]
    pub at_least: Option<f64>,
    /// The upper bound must not be above.
    #[serde(default)]
    pub at_most: Option<f64>,
}

/// A limit on a gap between groups.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FairnessSpec {
    /// Name of the gap or ratio, such as `equal_opportunity_difference`.
    #[schemars(with = "String")]
    pub metric: Spanned<String>,
    /// Attribute, or several to be crossed.
    pub by: OneOrMany,
    /// The lower bound must not be below.
    #[serde(default)]
    pub at_least: Option<f64>,
    /// The upper bound must not be above.
    #[serde(default)]
    pub at_most: Option<f64>,
}

const fn ninety_five() -> f64 {
    0.95
}

const fn a_half() -> f64 {
    0.5
}

const fn a_thousand() -> u32 {
    1000
}

const fn seven() -> u64 {
    7
}

const fn thirty() -> usize {
    30
}
/// How the model is explained.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExplanationSpec {
    /// Most test rows explained.
    pub rows_max: usize,
}

impl Default for ExplanationSpec {
    fn default() -> Self {
        Self { rows_max: 1000 }
    }
}

impl ExplanationSpec {
    /// Returns the limits of its numbers, each with whether it is kept.
    pub(in crate::pipeline) fn rules(self) -> Vec<Rule> {
        vec![(
            (1..=1_000_000).contains(&self.rows_max),
            "explanation.rows_max must be between 1 and 1,000,000",
        )]
    }
}
