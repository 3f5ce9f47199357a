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
        return Err(ModelError::from(TreeError::TooLarge {
            n_bytes: metadata.len() as usize,
            limit: MODEL_BYTES_LIMIT,
        })
        .into());
    }
    let bytes = std::fs::read(path).map_err(LifecycleError::file(path))?;
    read_model(&bytes).map_err(|source| LifecycleError::ModelFile {
        file: path.display().to_string(),
        source,
    })
}

/// Reads a model and the rows of a data file as it wants them.
pub fn apply(
    model: &Path,
    rounds: Rounds,
    data: &Path,
    csv: &CsvOptions,
) -> Result<Application, LifecycleError> {
    let model = load_model(model)?;
    let rounds_past_best = model.rounds_past_best().filter(|_| rounds == Rounds::All);
    let model = if rounds == Rounds::Best {
        model.at_best_round()
    } else {
        model
    };
    let table = table_for(&model, data, csv)?;
    let rows = rows_of(&model, &table, data)?;
    let names = || {
        table
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect()
    };
    let inputs = model.input_names().unwrap_or_else(names);
    Ok(Application {
        model,
        inputs,
        rows,
        rounds_past_best,
    })
}

/// Reads a data file for a model: a column of words that an ONNX graph takes is read as it stands, whatever it looks like.
pub fn table_for(model: &Model, data: &Path, csv: &CsvOptions) -> Result<Table, LifecycleError> {
    let (_, table, _) = crate::data::read_table(data, csv)?;
    let Model::Graph(graph) = model else {
        return Ok(table);
    };
    let is_text = |position: &usize| graph.column_kind(*position) == InputKind::Text;
    let positions: Vec<usize> = (0..graph.n_columns()).filter(is_text).collect();
    if positions.is_empty() {
        return Ok(table);
    }
    let named = graph.column_names();
    let name_of = |position: &usize| match &named {
        Some(names) => names.get(*position).cloned(),
        None => table
            .columns
            .get(*position)
            .map(|column| column.name.clone()),
    };
    let verbatim = positions.iter().filter_map(name_of).collect();
    Ok(crate::data::read_table(
        data,
        &CsvOptions {
            verbatim,
            ..csv.clone()
        },
    )?
    .1)
}

/// Returns the rows of a table as a model reads them.
pub fn rows_of(model: &Model, table: &Table, data: &Path) -> Result<Matrix, LifecycleError> {
    model
        .rows(table)
        .map_err(|source| LifecycleError::ModelData {
            file: data.display().to_string(),
            source,
        })
}

impl Application {
    /// Returns a function from rows, one after the other, to the predictions of output `output`; NaN where the model refuses a row.
    pub fn predictor(&self, output: usize) -> impl Fn(&[f64]) -> Vec<f64> + Sync + '_ {
        let n_columns = self.rows.n_columns;
        move |values: &[f64]| {
            let matrix = Matrix {
                values: values.to_vec(),
                n_rows: values.len() / n_columns.max(1),
                n_columns,
            };
            match self.model.predict(&matrix) {
                Ok(found) => found
                    .values
                    .iter()
                    .skip(output)
                    .step_by(found.n_outputs)
                    .copied()
                    .collect(),
                Err(_) => vec![f64::NAN; matrix.n_rows],
            }
        }
    }

    /// Returns the predictions' number a row when it is one; what asks for one output refuses the others.
    pub fn one_output(&self, what: &'static str) -> Result<(), LifecycleError> {
        let first = self.rows.select_rows(&[0]);
        match self.model.predict(&first)?.n_outputs {
            1 => Ok(()),
            n => Err(LifecycleError::OneOutput { what, n }),
        }
    }

    /// Returns the name that a value of an input stands for, when the input holds categories.
    pub fn category(&self, feature: usize, value: f64) -> Option<String> {
        let at = |names: &[String]| {
            names
                .get(value as usize)
                .cloned()
                .or_else(|| Some(format!("code {value}")))
        };
        match &self.model {
            Model::Own(predictor) => at(predictor.inputs[feature].levels.as_ref()?),
            Model::Trees { ensemble, .. } => {
                match ensemble.categories.get(feature).and_then(Option::as_ref) {
                    Some(names) => at(names),
                    None => {
                        (!ensemble.numeric_features()[feature]).then(|| format!("code {value}"))
                    }
                }
            }
            Model::Graph(graph) => (graph.column_kind(feature) == InputKind::Text)
                .then(|| at(&graph.words))
                .flatten(),
        }
    }

    /// Returns for each input whether it holds numbers and not category codes.
    pub fn is_number(&self) -> Vec<bool> {
        match &self.model {
            Model::Own(predictor) => predictor
                .inputs
                .iter()
                .map(|input| input.levels.is_none())
                .collect(),
            Model::Trees { ensemble, .. } => ensemble.numeric_features(),
            Model::Graph(graph) => (0..graph.n_columns())
                .map(|column| graph.column_kind(column) == InputKind::Number)
                .collect(),
        }
    }
}
