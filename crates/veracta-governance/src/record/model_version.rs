//! `model.version`: a model artefact with its lineage, first as a candidate, then registered or refused by a gate.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_ml::model::{Input, Label};
use veracta_ml::training::TrainingSpec;

use crate::gate::GateResult;

/// A model version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelVersion {
    /// Name of the model.
    pub model: String,
    /// Counts the distinct artefacts of this name, from 1.
    pub version: u32,
    /// SHA-256 of the artefact.
    pub digest: Hash,
    /// Where it stands.
    pub status: ModelStatus,
    /// Run that made it.
    pub run_idx: u64,
    /// Dataset versions it was trained on.
    pub datasets: Vec<Hash>,
    /// What kind of model it is, in words.
    pub architecture: String,
    /// Algorithm with every hyperparameter.
    pub training: TrainingSpec,
    /// Inputs with their categories.
    pub inputs: Vec<Input>,
    /// What it predicts.
    pub label: Label,
    /// Score from which the prediction is positive.
    pub threshold: f64,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Risk tier.
    pub tier: Option<String>,
    /// What it is for.
    pub purpose: String,
    /// What it must not be used for.
    pub out_of_scope: Vec<String>,
    /// Why the gate let it pass or refused it; `None` while it is a candidate.
    pub gate: Option<GateResult>,
}

/// Where a model version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    /// Trained, not yet judged.
    Candidate,
    /// The gate let it pass.
    Registered,
    /// The gate refused it.
    Refused,
}

impl ModelStatus {
    /// Returns the word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Registered => "registered",
            Self::Refused => "refused",
        }
    }
}
