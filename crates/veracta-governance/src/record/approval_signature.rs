//! `approval.signature`: a named person's decision on a named subject, such as a waiver with an end date.

use serde::{Deserialize, Serialize};

/// A person's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalSignature {
    /// Name of the person.
    pub signer: String,
    /// Role in which the person decided.
    pub role: String,
    /// What the decision is: `approve`, `reject`, `waive`.
    pub meaning: String,
    /// What it is about; for a waiver `control:<id>` or `rule:<id>`.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// Last day it holds, ISO 8601; a waiver without one does not count.
    pub valid_until: Option<String>,
    /// How it was made. `declared in the pipeline file` is a statement, not an electronic signature.
    pub method: String,
    /// Second factor used, if any.
    pub second_factor: Option<String>,
}
