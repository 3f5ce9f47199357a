//! `experiment`: a named collection of runs as it stands after a change of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An experiment as it is after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// What happened: `created`, `renamed`, `tagged`, `deleted` or `restored`.
    pub event: String,
    /// Reason for the change; `None` when none was given.
    pub reason: Option<String>,
    /// Number of the experiment, unique in the workspace and counted from 0.
    pub experiment_id: i64,
    /// Name of the experiment after the change, unique in the workspace.
    pub name: String,
    /// URI below which artifacts of new runs are put.
    pub artifact_location: String,
    /// `active`, or `deleted` when it can still be restored.
    pub stage: String,
    /// Tags of the experiment after the change, by key.
    pub tags: BTreeMap<String, String>,
    /// Number of runs in the experiment at the time of the change.
    pub n_runs: u64,
}
