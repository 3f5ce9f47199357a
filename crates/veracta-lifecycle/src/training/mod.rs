//! The training stage: a model from the training part, or one that was trained elsewhere.

pub mod train;

use std::collections::BTreeMap;

use serde::Serialize;
use veracta_governance::record::ModelVersion;
use veracta_ledger::Hash;
use veracta_model::model::{Label, Model};
use veracta_store::Blobs;

use crate::LifecycleError;

pub(crate) use train::seed_of;
pub use train::{bring, train};

/// A model that was trained here or brought from elsewhere, measured on the training part.
#[derive(Debug)]
pub struct Trained {
    /// The model in memory, with the pipeline's label as what it predicts.
    pub model: Model,
    /// Its bytes: canonical when it was trained here, as they came when not.
    pub bytes: Vec<u8>,
    /// Figures of merit on the training rows.
    pub metrics: BTreeMap<String, f64>,
}

/// Which model is meant, and as what it is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ModelRequest {
    /// SHA-256 of the model's bytes, under which they are in the store.
    pub digest: Hash,
    /// Column and positive value whose probability the model is taken to predict.
    pub label: Label,
    /// Names of its inputs: of a model that has none of its own those of the data, in order.
    pub inputs: Vec<String>,
}

impl ModelRequest {
    /// Returns the model of a version.
    pub(crate) fn of(version: &ModelVersion) -> Self {
        let inputs = version.inputs.iter().map(|input| input.name.clone());
        Self {
            digest: version.digest,
            label: version.label.clone(),
            inputs: inputs.collect(),
        }
    }

    /// Reads the model from the store, and refuses one that cannot be judged as a classifier of `label`.
    pub(crate) fn read(&self, blobs: &Blobs) -> Result<Model, LifecycleError> {
        let model = Model::read(&blobs.get(self.digest)?)?;
        Ok(model.judged_as(self.label.clone(), &self.inputs)?)
    }
}
