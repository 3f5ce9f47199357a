//! `registry.model`: a registered model as it stands after a change of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A registered model after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryModel {
    /// What happened: `created`, `described`, `tagged`, `alias_set`, `alias_removed`, `deleted`, `renamed` (it has another name from then
    /// on) or `named` (it got this one).
    pub event: String,
    /// Why, when somebody said so.
    pub reason: Option<String>,
    /// Its name.
    pub name: String,
    /// The name it had, when it got this one.
    pub previous_name: Option<String>,
    /// In words.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Version by alias: what each alias stands for now.
    pub aliases: BTreeMap<String, i64>,
}
