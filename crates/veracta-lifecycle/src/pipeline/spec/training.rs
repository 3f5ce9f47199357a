//! The training stage in a pipeline file.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

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
    /// Most categories of an input; rarer ones are treated as missing.
    #[serde(default = "two_hundred_fifty")]
    pub categories_max: usize,
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
