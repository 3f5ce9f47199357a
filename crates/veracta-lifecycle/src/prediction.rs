//! Applying a model file to a data file: predictions and explanations, without a workspace.

use std::path::Path;

use rayon::prelude::*;
use veracta_ml::explanation::Attribution;
use veracta_ml::explanation::coalition::{self, Sampling};
use veracta_ml::explanation::interventional::{Scale, interventional};
use veracta_ml::explanation::summary::{ExplanationSummary, summarise};
use veracta_ml::model::imported::{Model, read_model};
use veracta_ml::model::{Form, Matrix, ModelError, Predictor};
use veracta_ml::onnx::Graph;
use veracta_ml::table::Table;
use veracta_ml::table::csv::CsvOptions;
use veracta_ml::tree::{MODEL_BYTES_LIMIT, TreeEnsemble, TreeError};

use crate::LifecycleError;

/// Columns up to which every coalition of a graph's inputs is tried.
const GRAPH_EXACT_COLUMNS: usize = 8;
/// How orders are sampled beyond.
const GRAPH_SAMPLING: Sampling = Sampling { n_pairs: 128, seed: 7 };

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

/// Explains some rows: path-dependent, or against the rows of a background file.
pub fn explain_rows(
    applied: &Application,
    rows: &[usize],
    background: Option<&Path>,
    csv: &CsvOptions,
) -> Result<ExplanationSummary, LifecycleError> {
    let matrix = applied.rows.select_rows(rows);
    let Some(path) = background else {
        let method = match &applied.model {
            Model::Own(Predictor { form: Form::Logistic(_), .. }) => "linear attribution against the mean of the training rows",
            Model::Trees { ensemble, .. } if ensemble.linear.is_some() => "coefficient times value, missing values as 0",
            Model::Own(_) | Model::Trees { .. } | Model::Graph(_) => "exact path-dependent tree SHAP",
        };
        let attributions = applied.model.explain(&matrix)?;
        return Ok(summarise(applied.model.kind(), method.to_owned(), &applied.inputs, &attributions));
    };
    let (_, table, _) = crate::data::read_table(path, csv)?;
    let others = rows_of(&applied.model, &table, path)?;
    let others: Vec<Vec<f64>> = (0..others.n_rows).map(|row| others.row(row).to_vec()).collect();
    if let Model::Graph(graph) = &applied.model {
        return explain_graph(graph, applied, &matrix, &others);
    }
    let ensemble = trees_of(&applied.model)?;
    let explain = |row: usize| interventional(ensemble, matrix.row(row), &others, Scale::Margin);
    let attributions: Vec<Vec<Attribution>> = (0..matrix.n_rows).into_par_iter().map(explain).collect::<Result<_, _>>()?;
    let method = format!("exact interventional tree SHAP against {} background rows", others.len());
    Ok(summarise(applied.model.kind(), method, &applied.inputs, &attributions))
}

/// Explains the predictions of a graph by coalitions: all of them when inputs are few, a sample of orders when not.
fn explain_graph(graph: &Graph, applied: &Application, rows: &Matrix, others: &[Vec<f64>]) -> Result<ExplanationSummary, LifecycleError> {
    let matrix = |values: &[f64]| Matrix { values: values.to_vec(), n_rows: values.len() / rows.n_columns, n_columns: rows.n_columns };
    // What the graph refuses is told before any coalition is tried.
    let n_outputs = graph.predict(rows).and_then(|_| graph.predict(&matrix(&others.concat()))).map_err(ModelError::from)?.n_outputs;
    let refused = |n_values: usize| vec![f64::NAN; n_values / rows.n_columns * n_outputs];
    let predict = |values: &[f64]| graph.predict(&matrix(values)).map_or_else(|_| refused(values.len()), |found| found.values);
    let (mut attributions, mut largest_error) = (Vec::with_capacity(rows.n_rows), 0.0f64);
    let is_exact = rows.n_columns <= GRAPH_EXACT_COLUMNS;
    for row in 0..rows.n_rows {
        if is_exact {
            attributions.push(coalition::exact(&predict, rows.row(row), others)?);
            continue;
        }
        let sampled = coalition::sampled(&predict, rows.row(row), others, GRAPH_SAMPLING)?;
        largest_error = sampled.iter().flat_map(|found| &found.standard_errors).copied().fold(largest_error, f64::max);
        attributions.push(sampled.into_iter().map(|found| found.attribution).collect());
    }
    let method = match is_exact {
        true => format!("exact Shapley values of the prediction against {} background rows", others.len()),
        false => format!(
            "Shapley values of the prediction from {} pairs of orders against {} background rows, standard error up to {largest_error:.2e}",
            GRAPH_SAMPLING.n_pairs,
            others.len()
        ),
    };
    Ok(summarise(applied.model.kind(), method, &applied.inputs, &attributions))
}

fn trees_of(model: &Model) -> Result<&TreeEnsemble, LifecycleError> {
    match model {
        Model::Own(Predictor { form: Form::Trees { ensemble, .. }, .. }) | Model::Trees { ensemble, .. } => Ok(ensemble),
        Model::Own(_) | Model::Graph(_) => Err(LifecycleError::NeedsTrees),
    }
}
