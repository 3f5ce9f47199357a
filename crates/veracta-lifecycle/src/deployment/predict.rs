//! A model file applied to a data file, without a workspace.

use std::path::Path;

use veracta_data::reading::ReadOptions;
use veracta_data::source::Source;
use veracta_model::model::{Batch, Encoded, Model, ModelError, UnknownValues};
use veracta_model::tree::{MODEL_BYTES_LIMIT, TreeError};

use crate::LifecycleError;
use crate::data::{refuse_source, rows_for};

/// A model with the rows it is applied to.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The model, cut after its best round when [`Rounds::Best`] was asked for.
    pub model: Model,
    /// Names of its inputs: the file's columns when the model has none.
    pub inputs: Vec<String>,
    /// The rows of the data file, encoded as the model reads them.
    pub rows: Batch,
    /// Values of the file that the model does not know, by column.
    pub unknown: Vec<UnknownValues>,
    /// (best round, rounds used) when the file says that an earlier round was best.
    pub rounds_past_best: Option<(usize, usize)>,
}

impl Applied {
    /// Returns the positive value of a label: the one that is given, else the one that the model was trained to predict.
    pub fn positive<'a>(&'a self, column: &str, given: Option<&'a str>) -> Option<&'a str> {
        let trained = self.model.signature.label.as_ref();
        let trained = trained.filter(|label| label.column == column);
        given.or_else(|| trained.map(|label| label.positive.as_str()))
    }
}

/// Which boosting rounds are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounds {
    /// All, as XGBoost's `Booster` does.
    All,
    /// Up to the best one of early stopping, as its scikit-learn classes do.
    Best,
}

/// Reads a model file of any known format.
pub fn load_model(path: &Path) -> Result<Model, LifecycleError> {
    let metadata = std::fs::metadata(path).map_err(LifecycleError::file(path))?;
    let limit = MODEL_BYTES_LIMIT as u64;
    if metadata.len() > limit {
        return Err(ModelError::from(TreeError::TooLarge {
            n_bytes: metadata.len() as usize,
            limit: MODEL_BYTES_LIMIT,
        })
        .into());
    }
    let bytes = std::fs::read(path).map_err(LifecycleError::file(path))?;
    Model::read(&bytes).map_err(|source| LifecycleError::ModelFile {
        file: path.display().to_string(),
        source,
    })
}

/// Reads a model and the rows of a data file as it wants them.
pub fn apply(
    model: &Path,
    rounds: Rounds,
    data: &Path,
    csv: &ReadOptions,
) -> Result<Applied, LifecycleError> {
    let model = load_model(model)?;
    let rounds_past_best = model.rounds_past_best().filter(|_| rounds == Rounds::All);
    let model = if rounds == Rounds::Best {
        model.at_best_round()
    } else {
        model
    };
    let source = Source::file(data);
    let Encoded { batch, unknown, .. } = rows_for(&model, &source, csv)?;
    let inputs = match model.signature.input_names() {
        Some(names) => names,
        None => source.columns(csv).map_err(refuse_source(&source))?,
    };
    Ok(Applied {
        model,
        inputs,
        rows: batch,
        unknown,
        rounds_past_best,
    })
}

/// Returns a function from rows, one after the other, to the predictions of output `output`; NaN where the model refuses a row.
pub fn predictor(
    model: &Model,
    n_columns: usize,
    output: usize,
) -> impl Fn(&[f64]) -> Vec<f64> + Sync + '_ {
    move |values: &[f64]| {
        let batch = Batch {
            values: values.to_vec(),
            n_rows: values.len() / n_columns.max(1),
            n_columns,
        };
        match model.predict(&batch) {
            Ok(found) => {
                let values = found.values.iter().skip(output);
                values.step_by(found.n_outputs).copied().collect()
            }
            Err(_) => vec![f64::NAN; batch.n_rows],
        }
    }
}

/// Refuses a model of several outputs where one is asked for.
pub fn one_output(applied: &Applied, what: &'static str) -> Result<(), LifecycleError> {
    let first = applied.rows.select_rows(&[0]);
    match applied.model.predict(&first)?.n_outputs {
        1 => Ok(()),
        n => Err(LifecycleError::OneOutput { what, n }),
    }
}
