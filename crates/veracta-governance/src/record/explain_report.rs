//! `explain.report`: what drives the model, in general and for sampled cases, and how stable that is.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// What drives a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainReport {
    /// Model explained.
    pub model: Hash,
    /// `path-dependent tree SHAP` or `linear attribution`.
    pub method: String,
    /// Unit of contributions.
    pub unit: String,
    /// Test rows explained.
    pub n_rows: usize,
    /// Margin expected without knowing any input.
    pub base_value: f64,
    /// Inputs, strongest first.
    pub features: Vec<FeatureEffect>,
    /// Spearman correlation of the inputs' strength between two halves of the rows; `None` with fewer than two inputs.
    pub stability: Option<f64>,
    /// Largest difference between a margin and its contributions added up.
    pub additivity_error_max: f64,
    /// Sampled cases: without input values, so without personal data.
    pub cases: Vec<ExplainedCase>,
}

/// How strongly an input drives the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureEffect {
    /// The input.
    pub input: String,
    /// Mean absolute contribution.
    pub mean_absolute: f64,
    /// Its share of all inputs'.
    pub share: f64,
    /// Quantiles 5, 25, 50, 75 and 95 % of the contribution.
    pub quantiles: [f64; 5],
}

/// One explained case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedCase {
    /// Which case, such as `highest score`.
    pub case: String,
    /// Its score.
    pub score: f64,
    /// Strongest contributions, input and value.
    pub contributions: Vec<(String, f64)>,
}
