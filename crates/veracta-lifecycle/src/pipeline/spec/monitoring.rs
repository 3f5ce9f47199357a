//! The monitoring stage in a pipeline file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

/// What newer data is held against.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitoringSpec {
    /// Path of newer rows, relative to the pipeline file; they are compared with the training part. With the label among their columns
    /// performance is measured too.
    #[schemars(with = "String")]
    pub current: Spanned<String>,
    /// Share of rows by which the distribution of an input may differ.
    #[serde(default = "a_tenth")]
    pub tolerance: f64,
    /// Columns to leave out; the label and identifiers always are.
    #[serde(default)]
    pub without: Vec<String>,
}

const fn a_tenth() -> f64 {
    0.1
}
