//! The training stage: a model from the training part, with its run.

use std::collections::BTreeMap;

use veracta_governance::record::ModelVersion;
use veracta_ml::model::imported::read_model;
use veracta_ml::model::{Matrix, ModelError, Predictor, describe_inputs, encode};
use veracta_ml::performance::{Metric, Scored};
use veracta_ml::split::Role;
use veracta_ml::table::Column;
use veracta_ml::training::{TrainingSpec, fit};
use veracta_store::Store;

use crate::LifecycleError;
use crate::data::{Dataset, label_of, rows_with};
use crate::pipeline::PipelineSpec;

/// A trained model.
#[derive(Debug)]
pub struct Trained {
    /// The model in memory.
    pub predictor: Predictor,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// Figures of merit on the training rows.
    pub metrics: BTreeMap<String, f64>,
}

/// Trains on the training part.
pub fn train(
    dataset: &Dataset,
    spec: &PipelineSpec,
    roles: &[Role],
) -> Result<Trained, LifecycleError> {
    let rows = rows_with(roles, |role| role == Role::Train);
    let columns: Vec<&Column> = dataset
        .inputs
        .iter()
        .map(|input| dataset.column(input))
        .collect();
    let inputs = describe_inputs(&columns, &rows, spec.training.categories_max);
    let matrix = encode(&dataset.table, &inputs)?.select_rows(&rows);
    let labels: Vec<bool> = rows.iter().map(|row| dataset.labels[*row]).collect();
    let predictor = fit(
        &spec.training_spec(),
        &inputs,
        &label_of(spec),
        &matrix,
        &labels,
    )?;
    let metrics = figures_of_merit(&predictor, &matrix, &labels)?;
    Ok(Trained {
        bytes: predictor.to_bytes()?,
        metrics,
        predictor,
    })
}

/// Reads a model that was trained elsewhere, and applies it to the rows it is said to have seen.
pub fn bring(
    dataset: &Dataset,
    spec: &PipelineSpec,
    roles: &[Role],
    bytes: Vec<u8>,
) -> Result<Trained, LifecycleError> {
    let predictor = Predictor::brought(read_model(&bytes)?, label_of(spec))?;
    let used = predictor
        .inputs
        .iter()
        .find(|input| !dataset.inputs.contains(&input.name));
    if let Some(input) = used {
        return Err(ModelError::Brought {
            reason: format!(
                "it uses `{}`, which is not an input of this pipeline",
                input.name
            ),
        }
        .into());
    }
    let rows = rows_with(roles, |role| role == Role::Train);
    let labels: Vec<bool> = rows.iter().map(|row| dataset.labels[*row]).collect();
    let metrics = figures_of_merit(
        &predictor,
        &predictor.encode(&dataset.table)?.select_rows(&rows),
        &labels,
    )?;
    Ok(Trained {
        predictor,
        bytes,
        metrics,
    })
}

/// Returns figures of merit on the training rows.
fn figures_of_merit(
    predictor: &Predictor,
    matrix: &Matrix,
    labels: &[bool],
) -> Result<BTreeMap<String, f64>, LifecycleError> {
    let scores = predictor.predict(matrix);
    let scored = Scored::new(labels, &scores)?;
    let metrics = [Metric::RocAuc, Metric::LogLoss]
        .into_iter()
        .filter_map(|metric| {
            Some((
                metric.descriptor().name.to_owned(),
                metric.evaluate(&scored, 0.5)?,
            ))
        });
    Ok(metrics.collect())
}

/// Reads the model of a version: the file as it came, or the one that was trained here.
pub fn predictor_of(store: &Store, model: &ModelVersion) -> Result<Predictor, LifecycleError> {
    let bytes = store.blobs().get(model.digest)?;
    Ok(match model.training {
        TrainingSpec::Tracked { .. } => {
            Predictor::brought(read_model(&bytes)?, model.label.clone())?
        }
        _ => Predictor::from_bytes(&bytes)?,
    })
}

/// Returns the seed, when training involves chance.
pub fn seed_of(spec: &TrainingSpec) -> Option<u64> {
    match spec {
        TrainingSpec::GradientBoosting(parameters) => Some(parameters.seed),
        TrainingSpec::LogisticRegression(_) | TrainingSpec::Tracked { .. } => None,
    }
}
