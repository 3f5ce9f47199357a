//! `run`, version 3: an event of a run, job or dataset elsewhere, as OpenLineage tells it.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// A dataset or job as OpenLineage names it: by namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedDataset {
    /// Namespace of the dataset, usually its data source, such as `s3://raw`.
    pub namespace: String,
    /// Name of the dataset, unique within the namespace.
    pub name: String,
}

/// An event that another system reported (OpenLineage 2-0-2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedRun {
    /// Hides the event from whoever only has its digest.
    pub salt: Hash,
    /// `START`, `RUNNING`, `COMPLETE`, `ABORT`, `FAIL` or `OTHER`, when it is about a run and says so.
    pub event_type: Option<String>,
    /// When it happened, RFC 3339, as the event says.
    pub event_time: String,
    /// Id of the run; none in an event about a job or a dataset alone.
    pub run_id: Option<String>,
    /// The job: its namespace and name.
    pub job: Option<ObservedDataset>,
    /// Datasets that the job read, as the event lists them.
    pub inputs: Vec<ObservedDataset>,
    /// Datasets that the job wrote, as the event lists them.
    pub outputs: Vec<ObservedDataset>,
    /// The complete event as it was received, as JSON.
    pub event: serde_json::Value,
}
