//! Applying a model file to a data file, without a workspace.

use std::path::Path;

use veracta_ml::model::imported::{Model, read_model};
use veracta_ml::model::{Matrix, ModelError};
use veracta_ml::onnx::InputKind;
use veracta_ml::table::Table;
use veracta_ml::table::csv::CsvOptions;
use veracta_ml::tree::{MODEL_BYTES_LIMIT, TreeError};

use crate::LifecycleError;

/// A model with the rows it is applied to.
#[derive(Debug, Clone)]
pub struct Application {
    /// The model.
    pub model: Model,
    /// Names of its inputs.
    pub inputs: Vec<String>,
    /// The rows.
    pub rows: Matrix,
    /// (best round, rounds used) when the file says that an earlier round was best.
    pub rounds_past_best: Option<(usize, usize)>,
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
        return Err(ModelError::from(TreeError::TooLarge { n_bytes: metadata.len() as usize, limit: MODEL_BYTES_LIMIT }).into());
    }
    let bytes = std::fs::read(path).map_err(LifecycleError::file(path))?;
    read_model(&bytes).map_err(|source| LifecycleError::ModelFile { file: path.display().to_string(), source })
}

/// Reads a model and the rows of a data file as it wants them.
pub fn apply(model: &Path, rounds: Rounds, data: &Path, csv: &CsvOptions) -> Result<Application, LifecycleError> {
    let model = load_model(model)?;
    let rounds_past_best = model.rounds_past_best().filter(|_| rounds == Rounds::All);
    let model = if rounds == Rounds::Best { model.at_best_round() } else { model };
    let (_, table, _) = crate::data::read_table(data, csv)?;
    let rows = rows_of(&model, &table, data)?;
    let names = || table.columns.iter().map(|column| column.name.clone()).collect();
    let inputs = model.input_names().unwrap_or_else(names);
    Ok(Application { model, inputs, rows, rounds_past_best })
}

/// Returns the rows of a table as a model reads them.
pub fn rows_of(model: &Model, table: &Table, data: &Path) -> Result<Matrix, LifecycleError> {
    model.rows(table).map_err(|source| LifecycleError::ModelData { file: data.display().to_string(), source })
}

impl Application {
    /// Returns a function from rows, one after the other, to the predictions of output `output`; NaN where the model refuses a row.
    pub fn predictor(&self, output: usize) -> impl Fn(&[f64]) -> Vec<f64> + Sync + '_ {
        let n_columns = self.rows.n_columns;
        move |values: &[f64]| {
            let matrix = Matrix { values: values.to_vec(), n_rows: values.len() / n_columns.max(1), n_columns };
            match self.model.predict(&matrix) {
                Ok(found) => found.values.iter().skip(output).step_by(found.n_outputs).copied().collect(),
                Err(_) => vec![f64::NAN; matrix.n_rows],
            }
        }
    }

    /// Returns for each input whether it holds numbers and not category codes.
    pub fn is_number(&self) -> Vec<bool> {
        match &self.model {
            Model::Own(predictor) => predictor.inputs.iter().map(|input| input.levels.is_none()).collect(),
            Model::Trees { ensemble, .. } => ensemble.numeric_features(),
            Model::Graph(graph) => (0..graph.n_columns()).map(|column| graph.column_kind(column) == InputKind::Number).collect(),
        }
    }
}
