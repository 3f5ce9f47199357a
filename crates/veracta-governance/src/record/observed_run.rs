//! `run`, version 3: an event of a run, job or dataset elsewhere, as OpenLineage tells it.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// A dataset as OpenLineage names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedDataset {
    /// Where it lives.
    pub namespace: String,
    /// Its name there.
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
    /// When it happened, as it says.
    pub event_time: String,
    /// Id of the run; none in an event about a job or a dataset alone.
    pub run_id: Option<String>,
    /// The job: its namespace and name.
    pub job: Option<ObservedDataset>,
    /// Datasets it read.
    pub inputs: Vec<ObservedDataset>,
    /// Datasets it wrote.
    pub outputs: Vec<ObservedDataset>,
    /// The event, whole.
    pub event: serde_json::Value,
}
