//! `model.version`: a model artefact with its lineage, first as a candidate, then registered or refused by a gate.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_model::model::{Input, Label};
use veracta_model::training::TrainingSpec;

use crate::gate::GateResult;

/// A trained model with its origin, its declared purpose and the decision of the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelVersion {
    /// Name of the model; all its versions share it.
    pub model: String,
    /// Counts the distinct artefacts of this name, from 1.
    pub version: u32,
    /// SHA-256 of the bytes of the model file.
    pub digest: Hash,
    /// Whether the gate has decided, and how.
    pub status: ModelStatus,
    /// Position in the ledger of the record of the run that trained the model.
    pub run_idx: u64,
    /// SHA-256 of the dataset versions that it was trained on.
    pub datasets: Vec<Hash>,
    /// What kind of model it is, in words.
    pub architecture: String,
    /// Algorithm of the training with every hyperparameter, so that it can be repeated.
    pub training: TrainingSpec,
    /// Columns that the model reads.
    pub inputs: Vec<ModelInput>,
    /// The column that the model predicts, and which of its values is positive.
    pub label: Label,
    /// Score from which the prediction is positive.
    pub threshold: f64,
    /// Name of the person or group that is responsible for the model; `None` when nobody is named.
    pub owner: Option<String>,
    /// Risk tier that the pipeline declares, such as `high`; `None` when it declares none.
    pub tier: Option<String>,
    /// Intended purpose of the model, as the pipeline declares it.
    pub purpose: String,
    /// Uses that the pipeline declares to be outside its purpose.
    pub out_of_scope: Vec<String>,
    /// Why the gate let it pass or refused it; `None` while it is a candidate.
    pub gate: Option<GateResult>,
}

/// A column that a model reads. The categories themselves are in the model file only: they are values of people's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "InputForm")]
pub struct ModelInput {
    /// Name of the column.
    pub name: String,
    /// The categories that the model knows; `None` of a number.
    pub categories: Option<CategoryList>,
    /// Declared cells that are missing in the column, beside the empty one.
    pub missing: Vec<String>,
}

/// What a record tells of a list of categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryList {
    /// Number of categories.
    pub n: usize,
    /// SHA-256 of the list as JSON, in the order of the codes.
    pub digest: Hash,
    /// Whether the training rows had rarer ones, which are missing to the model.
    pub has_rarer: bool,
}

/// An input as version 1 or 2 has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputForm {
    name: String,
    /// Of version 1: the categories themselves.
    #[serde(default)]
    levels: Option<Vec<String>>,
    #[serde(default)]
    categories: Option<CategoryList>,
    #[serde(default)]
    missing: Vec<String>,
}

impl From<InputForm> for ModelInput {
    fn from(form: InputForm) -> Self {
        let of_levels = || form.levels.map(|levels| CategoryList::of(&levels, false));
        Self {
            name: form.name,
            categories: form.categories.or_else(of_levels),
            missing: form.missing,
        }
    }
}

impl From<&Input> for ModelInput {
    fn from(input: &Input) -> Self {
        let levels = input.levels.as_ref();
        Self {
            name: input.name.clone(),
            categories: levels.map(|levels| CategoryList::of(levels, input.has_rarer)),
            missing: input.missing.clone(),
        }
    }
}

impl CategoryList {
    fn of(levels: &[String], has_rarer: bool) -> Self {
        // A list of words cannot fail to be JSON.
        let bytes = serde_json::to_vec(levels).unwrap_or_default();
        Self {
            n: levels.len(),
            digest: Hash::of(&bytes),
            has_rarer,
        }
    }
}

/// Whether the gate has decided on a model version, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    /// Trained, and not decided on by the gate yet.
    Candidate,
    /// The gate found every rule met or waived.
    Registered,
    /// The gate found a rule that is not met.
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
