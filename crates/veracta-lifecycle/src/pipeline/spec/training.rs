//! The training stage in a pipeline file.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;
use veracta_model::training::{BoostingParameters, LogisticParameters, TrainingSpec};

use super::{PipelineSpec, Rule};

/// What is trained.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingSection {
    /// Algorithm.
    pub algorithm: AlgorithmName,
    /// File of the model, relative to the pipeline file: a step writes it, or it is there (file).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub path: Option<Spanned<String>>,
    /// Registered model and version that a client of the tracking server trained, such as `churn@3` (tracked).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub version: Option<Spanned<String>>,
    /// File of the model among the version's; needed when there are several that could be it (tracked).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub file: Option<Spanned<String>>,
    /// Trees (gradient boosting).
    #[serde(default)]
    pub rounds: Option<u32>,
    /// Shrinkage of each tree (gradient boosting).
    #[serde(default)]
    pub learning_rate: Option<f64>,
    /// Depth of a tree (gradient boosting).
    #[serde(default)]
    pub max_depth: Option<u32>,
    /// Least sum of hessians in a leaf (gradient boosting).
    #[serde(default)]
    pub min_child_weight: Option<f64>,
    /// Share of rows drawn for each tree (gradient boosting).
    #[serde(default)]
    pub subsample: Option<f64>,
    /// Share of inputs drawn for each tree (gradient boosting).
    #[serde(default)]
    pub colsample_bytree: Option<f64>,
    /// L2 penalty on leaves (gradient boosting).
    #[serde(default)]
    pub lambda: Option<f64>,
    /// Seed of the draws (gradient boosting).
    #[serde(default)]
    pub seed: Option<u64>,
    /// L2 penalty on coefficients (logistic regression).
    #[serde(default)]
    pub l2: Option<f64>,
    /// Most categories of an input; rarer ones, and those of fewer than five training rows, are treated as missing.
    #[serde(default = "two_hundred_fifty")]
    pub categories_max: usize,
}

impl TrainingSection {
    /// Returns the limits of its numbers, each with whether it is kept.
    pub(in crate::pipeline) fn rules(&self) -> Vec<Rule> {
        let at_most_one =
            |share: Option<f64>| share.is_none_or(|share| share > 0.0 && share <= 1.0);
        let not_negative =
            |number: Option<f64>| number.is_none_or(|number| number >= 0.0 && number.is_finite());
        vec![
            (
                (1..=10_000).contains(&self.rounds.unwrap_or(1)),
                "training.rounds must be between 1 and 10,000",
            ),
            (
                (1..=30).contains(&self.max_depth.unwrap_or(1)),
                "training.max_depth must be between 1 and 30",
            ),
            (
                at_most_one(self.learning_rate),
                "training.learning_rate must be above 0 and at most 1",
            ),
            (
                at_most_one(self.subsample) && at_most_one(self.colsample_bytree),
                "training shares must be above 0 and at most 1",
            ),
            (
                not_negative(self.l2)
                    && not_negative(self.lambda)
                    && not_negative(self.min_child_weight),
                "training penalties must not be negative",
            ),
            (
                (2..=10_000).contains(&self.categories_max),
                "training.categories_max must be between 2 and 10,000",
            ),
        ]
    }
}

impl PipelineSpec {
    /// Returns what is trained, with every default spelt out.
    pub(crate) fn training_spec(&self) -> TrainingSpec {
        let section = &self.training;
        match section.algorithm {
            AlgorithmName::GradientBoosting => {
                let default = BoostingParameters::default();
                TrainingSpec::GradientBoosting(BoostingParameters {
                    rounds: section.rounds.unwrap_or(default.rounds),
                    learning_rate: section.learning_rate.unwrap_or(default.learning_rate),
                    max_depth: section.max_depth.unwrap_or(default.max_depth),
                    min_child_weight: section.min_child_weight.unwrap_or(default.min_child_weight),
                    subsample: section.subsample.unwrap_or(default.subsample),
                    colsample_bytree: section.colsample_bytree.unwrap_or(default.colsample_bytree),
                    lambda: section.lambda.unwrap_or(default.lambda),
                    seed: section.seed.unwrap_or(default.seed),
                })
            }
            AlgorithmName::LogisticRegression => {
                let default = LogisticParameters::default();
                TrainingSpec::LogisticRegression(LogisticParameters {
                    l2: section.l2.unwrap_or(default.l2),
                })
            }
            AlgorithmName::File => TrainingSpec::File {
                path: section
                    .path
                    .as_ref()
                    .map(|path| path.value.clone())
                    .unwrap_or_default(),
            },
            AlgorithmName::Tracked => {
                let text = |value: &Option<Spanned<String>>| {
                    value
                        .as_ref()
                        .map(|value| value.value.clone())
                        .unwrap_or_default()
                };
                TrainingSpec::Tracked {
                    version: text(&section.version),
                    file: text(&section.file),
                }
            }
        }
    }

    /// Returns what is trained again and again to measure something: of a model that was trained elsewhere boosted trees stand in.
    pub(crate) fn refit_spec(&self) -> TrainingSpec {
        match self.training_spec() {
            TrainingSpec::Tracked { .. } | TrainingSpec::File { .. } => {
                TrainingSpec::GradientBoosting(BoostingParameters::default())
            }
            own => own,
        }
    }
}

/// Algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlgorithmName {
    /// Gradient-boosted decision trees.
    GradientBoosting,
    /// Logistic regression.
    LogisticRegression,
    /// Trained elsewhere, logged and registered with a tracking client: XGBoost or LightGBM trees, or ONNX.
    Tracked,
    /// Trained elsewhere, and read from a file: any format that `veracta predict` reads.
    File,
}

const fn two_hundred_fifty() -> usize {
    250
}
