//! `explain.report`: what drives the model, in general and for sampled cases, and how stable that is.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// Which inputs the predictions of a model depend on, and how strongly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainReport {
    /// SHA-256 of the model whose predictions were explained.
    pub model: Hash,
    /// Name of the method, such as `path-dependent tree SHAP` or `linear attribution`.
    pub method: String,
    /// Unit of the contributions: `log-odds` or `probability`.
    pub unit: String,
    /// Number of rows of the test part that were explained.
    pub n_rows: usize,
    /// Prediction expected without knowing any input, in the report's unit.
    pub base_value: f64,
    /// Effect of each input, in descending order of strength.
    pub features: Vec<FeatureEffect>,
    /// Spearman correlation of the inputs' strength between two halves of the rows; `None` with fewer than two inputs.
    pub stability: Option<f64>,
    /// Largest difference between a margin and its contributions added up.
    pub additivity_error_max: f64,
    /// Sampled cases: without input values, so without personal data.
    pub cases: Vec<ExplainedCase>,
}

/// How strongly the predictions of the model depend on an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureEffect {
    /// Name of the input, as the model has it.
    pub input: String,
    /// Mean of the absolute contribution over the explained rows, in the report's unit.
    pub mean_absolute: f64,
    /// Its share of the sum of mean absolute contributions of all inputs, from 0 to 1.
    pub share: f64,
    /// Quantiles 5, 25, 50, 75 and 95 % of the contribution.
    pub quantiles: [f64; 5],
}

/// The explanation of the prediction for one sampled row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedCase {
    /// Why the case was sampled, such as `highest score`.
    pub case: String,
    /// Score that the model gives the case, from 0 to 1.
    pub score: f64,
    /// Strongest contributions: name of the input, and contribution in the report's unit.
    pub contributions: Vec<(String, f64)>,
}
