//! Commands in a pipeline file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

/// A command.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    /// Name of the step.
    #[schemars(with = "String")]
    pub id: Spanned<String>,
    /// Command, run by `sh -c` in the pipeline's folder.
    pub run: String,
    /// Files it reads, its scripts included: a change of any runs it again.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub inputs: Vec<Spanned<String>>,
    /// Files it writes.
    #[schemars(with = "Vec<String>")]
    pub outputs: Vec<Spanned<String>>,
    /// Variables it gets, beside `PATH` and `HOME`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variables taken from the environment and never shown or recorded.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Commands whose output states a version to record, such as `python3 --version`.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// Longest run, in seconds; an hour by default.
    #[serde(default = "an_hour")]
    pub seconds_max: u64,
}

const fn an_hour() -> u64 {
    3600
}
