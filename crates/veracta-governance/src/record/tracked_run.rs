//! `run`, version 2: a run that a tracking client logged, as it stands when it ends or is changed afterwards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

use super::NamedDigest;

/// A run with everything that was logged of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackedRun {
    /// What happened: `ended`, `reopened`, `changed`, `deleted` or `restored`.
    pub event: String,
    /// Reason for the change; `None` when none was given.
    pub reason: Option<String>,
    /// Random, so that nobody can guess the values from the digest once they are erased.
    pub salt: Hash,
    /// Id of the run: 32 hexadecimal digits, or the id that an import kept.
    pub run_id: String,
    /// Number of the experiment that the run belongs to.
    pub experiment_id: i64,
    /// Name of the run; it need not be unique.
    pub name: String,
    /// Who ran it, as the client says.
    pub user_id: String,
    /// Where it stands: `FINISHED`, `FAILED`, `KILLED`, `RUNNING` or `SCHEDULED`.
    pub status: String,
    /// `active`, or `deleted` when it can still be restored.
    pub stage: String,
    /// Start of the run, milliseconds since 1970 in UTC.
    pub start_ms: i64,
    /// End, milliseconds since 1970 in UTC; `None` while the run has not ended.
    pub end_ms: Option<i64>,
    /// Parameters by key, as text.
    pub params: BTreeMap<String, String>,
    /// Tags by key, as text.
    pub tags: BTreeMap<String, String>,
    /// Every metric with all its values.
    pub metrics: Vec<TrackedMetric>,
    /// Datasets it read: name and digest as the client computed it, and the digest of all that was said about the dataset.
    pub datasets: Vec<TrackedDataset>,
    /// Ids of the logged models that the run read.
    pub model_inputs: Vec<String>,
    /// Ids of the logged models that the run made.
    pub model_outputs: Vec<String>,
    /// Its files, and those of the models it made.
    pub artifacts: Vec<NamedDigest>,
}

/// A metric of a run: its last value, and a digest of its whole history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackedMetric {
    /// Key of the metric within the run.
    pub name: String,
    /// Its last value; absent when that is not a number.
    pub last: Option<f64>,
    /// Step of the last value; it may be negative.
    pub step: i64,
    /// Number of values logged under this key.
    pub n_points: u64,
    /// SHA-256 of all values by time, step and value, each as three 8-byte big-endian words (time, step, bits of the value).
    pub points: Hash,
}

/// A dataset that a run read, as the client described it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackedDataset {
    /// Name of the dataset, as the client gave it.
    pub name: String,
    /// Its digest, as the client computed it.
    pub digest: String,
    /// What it was used for, such as `training`.
    pub context: Option<String>,
    /// SHA-256 of source, schema, profile and tags as JSON.
    pub description: Hash,
}
