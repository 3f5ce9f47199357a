//! The training stage: a model from the training part, or one that was trained elsewhere.

pub mod train;

use std::collections::BTreeMap;

use serde::Serialize;
use veracta_governance::record::ModelVersion;
use veracta_ledger::Hash;
use veracta_model::model::{Label, Model};
use veracta_store::Blobs;

use crate::LifecycleError;

pub use train::{bring, seed_of, train};

/// A trained model.
#[derive(Debug)]
pub struct Trained {
    /// The model in memory.
    pub model: Model,
    /// Its bytes: canonical when it was trained here, as they came when not.
    pub bytes: Vec<u8>,
    /// Figures of merit on the training rows.
    pub metrics: BTreeMap<String, f64>,
}

/// Which model is meant, and as what it is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelRequest {
    /// SHA-256 of its bytes.
    pub digest: Hash,
    /// What it predicts.
    pub label: Label,
    /// Names of its inputs: of a model that has none of its own those of the data, in order.
    pub inputs: Vec<String>,
}

impl ModelRequest {
    /// Returns the model of a version.
    pub fn of(version: &ModelVersion) -> Self {
        let inputs = version.inputs.iter().map(|input| input.name.clone());
        Self {
            digest: version.digest,
            label: version.label.clone(),
            inputs: inputs.collect(),
        }
    }

    /// Reads it.
    pub fn read(&self, blobs: &Blobs) -> Result<Model, LifecycleError> {
        let model = Model::read(&blobs.get(self.digest)?)?;
        Ok(model.judged_as(self.label.clone(), &self.inputs)?)
    }
}
