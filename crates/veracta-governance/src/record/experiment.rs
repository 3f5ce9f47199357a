//! `experiment`: a named collection of runs as it stands after a change of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An experiment after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// What happened: `created`, `renamed`, `tagged`, `deleted` or `restored`.
    pub event: String,
    /// Why, when somebody said so.
    pub reason: Option<String>,
    /// Its number.
    pub experiment_id: i64,
    /// Its name.
    pub name: String,
    /// Where its artifacts are.
    pub artifact_location: String,
    /// `active` or `deleted`.
    pub stage: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Runs it had.
    pub n_runs: u64,
}
