//! `attestation`: a statement by a person; also the validation plan, which must stand in the ledger before any result.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

use crate::plan::ValidationPlan;

/// Topic of the attestation that fixes the criteria.
pub const VALIDATION_PLAN: &str = "validation_plan";

/// A statement that a person makes about a topic, or the validation plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// What it is about, such as `validation_plan`, `legal_basis`, `balancing_test`.
    pub topic: String,
    /// The text of the statement, as it was declared.
    pub statement: String,
    /// Name of the person who makes the statement; `None` when nobody is named.
    pub signer: Option<String>,
    /// Last day on which the statement is valid, ISO 8601; `None` when it does not end.
    pub valid_until: Option<String>,
    /// SHA-256 of an attached file or, for a plan, of its canonical bytes.
    pub file_digest: Option<Hash>,
    /// The plan itself, when the topic is `validation_plan`.
    pub plan: Option<ValidationPlan>,
}

impl Attestation {
    /// Returns the plan when this attestation fixes one.
    pub fn validation_plan(&self) -> Option<&ValidationPlan> {
        self.plan.as_ref().filter(|_| self.topic == VALIDATION_PLAN)
    }
}
