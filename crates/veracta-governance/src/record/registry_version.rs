//! `registry.version`: a version of a registered model as it stands after a change of it, with the files it consists of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::NamedDigest;

/// A version after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryVersion {
    /// What happened: `created`, `described`, `staged`, `archived`, `tagged`, `deleted`, `renamed` (its model has another name from then
    /// on) or `named` (its model got this one).
    pub event: String,
    /// Why, when somebody said so.
    pub reason: Option<String>,
    /// Name of the model.
    pub model: String,
    /// Counts from 1.
    pub version: i64,
    /// In words.
    pub description: String,
    /// `None`, `Staging`, `Production`, `Archived` or `Deleted_Internal`.
    pub stage: String,
    /// Where it came from, as the client said.
    pub source: String,
    /// Where its files are.
    pub storage_location: String,
    /// The run that made it; empty when not said.
    pub run_id: String,
    /// The logged model it was made of.
    pub model_id: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its files; from then on they cannot change.
    pub artifacts: Vec<NamedDigest>,
}
