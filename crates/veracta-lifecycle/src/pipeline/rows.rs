//! How the rows of the data are divided.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

/// How rows are divided.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SplitSpec {
    /// `stratified`, `time` for the latest rows to test, or `column` for rows divided before.
    pub method: SplitMethodName,
    /// Column with the time, for `time`.
    #[schemars(with = "Option<String>")]
    pub time: Option<Spanned<String>>,
    /// Column that says `train`, `tune` or `test`, for `column`; a row with another word belongs to no part.
    #[schemars(with = "Option<String>")]
    pub column: Option<Spanned<String>>,
    /// Share of rows to test on.
    pub test: f64,
    /// Share of rows to tune on.
    pub tune: f64,
    /// Seed.
    pub seed: u64,
}

/// How rows are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitMethodName {
    /// At random, with the same label share in each part.
    Stratified,
    /// The latest rows test.
    Time,
    /// A column says it.
    Column,
}

impl Default for SplitSpec {
    fn default() -> Self {
        Self {
            method: SplitMethodName::Stratified,
            time: None,
            column: None,
            test: 0.2,
            tune: 0.0,
            seed: 7,
        }
    }
}
