//! Training on the training part, and taking a model that was trained elsewhere.

use std::collections::BTreeMap;

use veracta_data::table::Column;
use veracta_model::model::{Batch, Label, Model, ModelError, describe_inputs, encode};
use veracta_model::training::{TrainingSpec, fit};
use veracta_statistics::performance::{Metric, Scored};
use veracta_statistics::split::Part;

use super::Trained;
use crate::LifecycleError;
use crate::data::dataset::Dataset;
use crate::data::parts::rows_of;

/// Trains on the training part.
pub fn train(
    dataset: &Dataset,
    label: &Label,
    training: &TrainingSpec,
    categories_max: usize,
    parts: &[Part],
) -> Result<Trained, LifecycleError> {
    let rows = rows_of(parts, Part::Train);
    let columns = dataset.inputs.iter().map(|input| dataset.column(input));
    let columns: Vec<&Column> = columns.collect();
    let mut inputs = describe_inputs(&columns, &rows, categories_max);
    let reading = dataset.reading.options();
    for input in &mut inputs {
        input.missing = reading.marks(&input.name);
    }
    let batch = encode(&dataset.table, &inputs)?.select_rows(&rows);
    let labels = labels_of(dataset, &rows)?;
    let model = fit(training, &inputs, label, &batch, &labels)?;
    Ok(Trained {
        bytes: model.to_own_bytes()?,
        metrics: figures_of_merit(&model, &batch, &labels)?,
        model,
    })
}

/// Reads a model that was trained elsewhere, and applies it to the rows it is said to have seen.
pub fn bring(
    dataset: &Dataset,
    label: &Label,
    bytes: Vec<u8>,
    parts: &[Part],
) -> Result<Trained, LifecycleError> {
    let model = Model::read(&bytes)?.judged_as(label.clone(), &dataset.inputs)?;
    let mut inputs = model.signature.inputs.iter();
    if let Some(input) = inputs.find(|input| !dataset.inputs.contains(&input.name)) {
        return Err(ModelError::Brought {
            reason: format!(
                "it uses `{}`, which is not an input of this pipeline",
                input.name
            ),
        }
        .into());
    }
    let rows = rows_of(parts, Part::Train);
    let batch = dataset.rows_for(&model)?.batch.select_rows(&rows);
    let metrics = figures_of_merit(&model, &batch, &labels_of(dataset, &rows)?)?;
    Ok(Trained {
        model,
        bytes,
        metrics,
    })
}

fn labels_of(dataset: &Dataset, rows: &[usize]) -> Result<Vec<bool>, LifecycleError> {
    let labels = dataset.target.binary()?;
    Ok(rows.iter().map(|row| labels[*row]).collect())
}

/// Returns figures of merit on the training rows.
fn figures_of_merit(
    model: &Model,
    batch: &Batch,
    labels: &[bool],
) -> Result<BTreeMap<String, f64>, LifecycleError> {
    let scores = model.probabilities(batch)?;
    let scored = Scored::new(labels, &scores)?;
    let figure = |metric: Metric| {
        let value = metric.evaluate(&scored, 0.5)?;
        Some((metric.descriptor().name.to_owned(), value))
    };
    let metrics = [Metric::RocAuc, Metric::LogLoss].into_iter();
    Ok(metrics.filter_map(figure).collect())
}

/// Returns the seed, when training involves chance.
pub(crate) fn seed_of(training: &TrainingSpec) -> Option<u64> {
    match training {
        TrainingSpec::GradientBoosting(parameters) => Some(parameters.seed),
        TrainingSpec::LogisticRegression(_)
        | TrainingSpec::Tracked { .. }
        | TrainingSpec::File { .. } => None,
    }
}
