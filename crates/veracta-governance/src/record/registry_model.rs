//! `registry.model`: a registered model as it stands after a change of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A registered model as it is after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryModel {
    /// What happened: `created`, `described`, `tagged`, `alias_set`, `alias_removed`, `deleted`, `renamed` (it has another name from then
    /// on) or `named` (it got this one).
    pub event: String,
    /// Reason for the change; `None` when none was given.
    pub reason: Option<String>,
    /// Name of the model after the change.
    pub name: String,
    /// The name it had, when it got this one.
    pub previous_name: Option<String>,
    /// Description for people, as text; may be empty.
    pub description: String,
    /// Tags of the model after the change, by key.
    pub tags: BTreeMap<String, String>,
    /// Version by alias: what each alias stands for now.
    pub aliases: BTreeMap<String, i64>,
}
