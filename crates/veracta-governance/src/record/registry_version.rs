//! `registry.version`: a version of a registered model as it stands after a change of it, with the files it consists of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::NamedDigest;

/// A version of a registered model as it is after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryVersion {
    /// What happened: `created`, `described`, `staged`, `archived`, `tagged`, `deleted`, `renamed` (its model has another name from then
    /// on) or `named` (its model got this one).
    pub event: String,
    /// Reason for the change; `None` when none was given.
    pub reason: Option<String>,
    /// Name of the registered model that the version belongs to.
    pub model: String,
    /// Number of the version within its model, counted from 1 and never given again.
    pub version: i64,
    /// Description for people, as text; may be empty.
    pub description: String,
    /// Stage: `None`, `Staging`, `Production`, `Archived`, or `Deleted_Internal` when it was deleted.
    pub stage: String,
    /// Where it came from, as the client said.
    pub source: String,
    /// URI of the folder with the files of the version.
    pub storage_location: String,
    /// The run that made it; empty when not said.
    pub run_id: String,
    /// Id of the logged model that it was made of; `None` when not said.
    pub model_id: Option<String>,
    /// Tags of the version after the change, by key.
    pub tags: BTreeMap<String, String>,
    /// Its files; from then on they cannot change.
    pub artifacts: Vec<NamedDigest>,
}
