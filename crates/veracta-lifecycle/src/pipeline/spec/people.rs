//! What people state in a pipeline file: statements and waivers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

/// A statement by a person.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementSpec {
    /// What it is about: `balancing_test`, or a section as `model_card/Summary`.
    pub topic: String,
    /// The statement.
    pub statement: String,
    /// Who makes it.
    #[serde(default)]
    pub signer: Option<String>,
    /// Last day it holds, ISO 8601.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub valid_until: Option<Spanned<String>>,
}

/// A waiver.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaiverSpec {
    /// What is waived: `rule:<id>` or `control:<id>`.
    #[schemars(with = "String")]
    pub subject: Spanned<String>,
    /// Who waives it.
    pub signer: String,
    /// In which role.
    pub role: String,
    /// Why.
    pub reason: String,
    /// Last day it holds, ISO 8601.
    pub valid_until: String,
}
