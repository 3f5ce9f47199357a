//! The training stage: a model from the training part, with its run.

use std::collections::BTreeMap;

use veracta_ml::model::{Predictor, describe_inputs, encode};
use veracta_ml::performance::{Metric, Scored};
use veracta_ml::split::Role;
use veracta_ml::table::Column;
use veracta_ml::training::{TrainingSpec, fit};

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
pub fn train(dataset: &Dataset, spec: &PipelineSpec, roles: &[Role]) -> Result<Trained, LifecycleError> {
    let rows = rows_with(roles, |role| role == Role::Train);
    let columns: Vec<&Column> = dataset.inputs.iter().map(|input| dataset.column(input)).collect();
    let inputs = describe_inputs(&columns, &rows, spec.training.categories_max);
    let matrix = encode(&dataset.table, &inputs)?.select_rows(&rows);
    let labels: Vec<bool> = rows.iter().map(|row| dataset.labels[*row]).collect();
    let predictor = fit(&spec.training_spec(), &inputs, &label_of(spec), &matrix, &labels)?;
    let scores = predictor.predict(&matrix);
    let scored = Scored::new(&labels, &scores)?;
    let metrics = [Metric::RocAuc, Metric::LogLoss]
        .into_iter()
        .filter_map(|metric| Some((metric.descriptor().name.to_owned(), metric.evaluate(&scored, 0.5)?)));
    Ok(Trained { bytes: predictor.to_bytes()?, metrics: metrics.collect(), predictor })
}

/// Returns the seed, when training involves chance.
pub fn seed_of(spec: &TrainingSpec) -> Option<u64> {
    match spec {
        TrainingSpec::GradientBoosting(parameters) => Some(parameters.seed),
        TrainingSpec::LogisticRegression(_) => None,
    }
}
