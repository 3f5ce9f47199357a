//! `approval.signature`: a named person's decision on a named subject, such as a waiver with an end date.

use serde::{Deserialize, Serialize};

/// A decision that a named person made about a model, a rule or a control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalSignature {
    /// Name of the person who decided, as stated.
    pub signer: String,
    /// Role in which the person decided, as stated.
    pub role: String,
    /// What the decision is: `approve`, `reject`, `waive`.
    pub meaning: String,
    /// What it is about; for a waiver `control:<id>` or `rule:<id>`.
    pub subject: String,
    /// The reason that the person gave for the decision.
    pub reason: String,
    /// Last day it holds, ISO 8601; a waiver without one does not count.
    pub valid_until: Option<String>,
    /// How it was made. `declared in the pipeline file` is a statement, not an electronic signature.
    pub method: String,
    /// Second factor that was used; `None` when there was none.
    pub second_factor: Option<String>,
}
