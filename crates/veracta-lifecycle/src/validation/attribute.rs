//! What each input contributes to a prediction: exact where the model allows it, else against background rows.

use std::path::Path;

use rayon::prelude::*;
use veracta_data::reading::ReadOptions;
use veracta_data::source::Source;
use veracta_model::explanation::coalition::{self, Sampling};
use veracta_model::explanation::interventional::{Scale, interventional};
use veracta_model::explanation::path_dependent::TreeExplainer;
use veracta_model::explanation::{Attribution, ExplanationError};
use veracta_model::model::{Batch, Form, Model, ModelError};
use veracta_model::onnx::Graph;
use veracta_model::tree::TreeEnsemble;

use crate::LifecycleError;
use crate::data::rows_for;
use crate::deployment::predict::Applied;

/// Columns up to which every coalition of a graph's inputs is tried.
const GRAPH_EXACT_COLUMNS: usize = 8;
/// How orders are sampled beyond.
const GRAPH_SAMPLING: Sampling = Sampling {
    n_pairs: 128,
    seed: 7,
};
/// Most pairs of a row and a background row.
pub(crate) const PAIRS_MAX: usize = 1 << 24;

/// Attributions of some rows, and how they were found.
#[derive(Debug, Clone)]
pub struct Attributed {
    /// For each row one attribution an output.
    pub rows: Vec<Vec<Attribution>>,
    /// The method in words, with the number of background rows where there are any.
    pub method: String,
    /// What contributions are measured in, and add up to with the base value.
    pub unit: Unit,
}

/// What contributions are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The margin: log-odds of a classifier.
    Margin,
    /// The number that the model predicts, for graphs that are not trees.
    Prediction,
}

/// Attributes the predictions of some rows: path-dependent, or against the rows of a background file.
pub fn attribute(
    applied: &Applied,
    rows: &[usize],
    background: Option<&Path>,
    csv: &ReadOptions,
) -> Result<Attributed, LifecycleError> {
    let batch = applied.rows.select_rows(rows);
    let Some(path) = background else {
        return attribute_alone(&applied.model, &batch);
    };
    let background = rows_for(&applied.model, &Source::file(path), csv)?;
    attribute_against(&applied.model, &batch, &background.batch)
}

/// Attributes predictions without background rows: what a feature that is not known is replaced by stands in the model.
pub(crate) fn attribute_alone(model: &Model, batch: &Batch) -> Result<Attributed, LifecycleError> {
    let method = match &model.form {
        Form::Logistic(_) => "linear attribution against the mean of the training rows",
        Form::Trees { ensemble, .. } if ensemble.linear.is_some() => {
            "coefficient times value, missing values as 0"
        }
        Form::Trees { .. } | Form::Graph(_) => "exact path-dependent tree SHAP",
    };
    Ok(Attributed {
        rows: model.explain(batch)?,
        method: method.to_owned(),
        unit: Unit::Margin,
    })
}

/// Attributes predictions against background rows, from which a feature that is not known is taken.
pub(crate) fn attribute_against(
    model: &Model,
    batch: &Batch,
    background: &Batch,
) -> Result<Attributed, LifecycleError> {
    let n_background = background.n_rows;
    if batch.n_rows.saturating_mul(n_background) > PAIRS_MAX {
        return Err(LifecycleError::TooManyPairs {
            n_rows: batch.n_rows,
            n_background,
        });
    }
    let others = (0..n_background).map(|row| background.row(row).to_vec());
    let others: Vec<Vec<f64>> = others.collect();
    let ensemble = match &model.form {
        Form::Graph(graph) => return attribute_graph(graph, batch, &others),
        Form::Trees { ensemble, .. } => ensemble,
        Form::Logistic(_) => return Err(LifecycleError::NeedsTrees),
    };
    let explain = |row: usize| interventional(ensemble, batch.row(row), &others, Scale::Margin);
    let rows = (0..batch.n_rows).into_par_iter().map(explain);
    Ok(Attributed {
        rows: rows.collect::<Result<_, _>>()?,
        method: format!("exact interventional tree SHAP against {n_background} background rows"),
        unit: Unit::Margin,
    })
}

/// Attributes predictions without background rows where the model allows it, else against those that `background` gives.
pub(crate) fn attribute_any(
    model: &Model,
    batch: &Batch,
    background: impl FnOnce() -> Batch,
) -> Result<Attributed, LifecycleError> {
    match attribute_alone(model, batch) {
        Err(LifecycleError::Explanation(
            ExplanationError::NoCovers | ExplanationError::NeedsBackground { .. },
        )) => attribute_against(model, batch, &background()),
        result => result,
    }
}

/// Attributes the predictions of a graph by coalitions: all of them when inputs are few, a sample of orders when not.
fn attribute_graph(
    graph: &Graph,
    rows: &Batch,
    others: &[Vec<f64>],
) -> Result<Attributed, LifecycleError> {
    let matrix = |values: &[f64]| Batch {
        values: values.to_vec(),
        n_rows: values.len() / rows.n_columns,
        n_columns: rows.n_columns,
    };
    // What the graph refuses is told before any coalition is tried.
    let n_outputs = graph
        .predict(rows)
        .and_then(|_| graph.predict(&matrix(&others.concat())))
        .map_err(ModelError::from)?
        .n_outputs;
    let refused = |n_values: usize| vec![f64::NAN; n_values / rows.n_columns * n_outputs];
    let predict = |values: &[f64]| {
        graph
            .predict(&matrix(values))
            .map_or_else(|_| refused(values.len()), |found| found.values)
    };
    let (mut attributions, mut largest_error) = (Vec::with_capacity(rows.n_rows), 0.0f64);
    let is_exact = rows.n_columns <= GRAPH_EXACT_COLUMNS;
    for row in 0..rows.n_rows {
        if is_exact {
            attributions.push(coalition::exact(&predict, rows.row(row), others)?);
            continue;
        }
        let sampled = coalition::sampled(&predict, rows.row(row), others, GRAPH_SAMPLING)?;
        largest_error = sampled
            .iter()
            .flat_map(|found| &found.standard_errors)
            .copied()
            .fold(largest_error, f64::max);
        attributions.push(sampled.into_iter().map(|found| found.attribution).collect());
    }
    let method = match is_exact {
        true => format!(
            "exact Shapley values of the prediction against {} background rows",
            others.len()
        ),
        false => format!(
            "Shapley values of the prediction from {} pairs of orders against {} background rows, standard error up to {largest_error:.2e}",
            GRAPH_SAMPLING.n_pairs,
            others.len()
        ),
    };
    Ok(Attributed {
        rows: attributions,
        method,
        unit: Unit::Prediction,
    })
}

fn trees_of(model: &Model) -> Result<&TreeEnsemble, LifecycleError> {
    model.trees().ok_or(LifecycleError::NeedsTrees)
}

/// Returns for each row and output the matrix of interaction values, row after row; the last row and column are the base value's.
pub fn interactions(
    applied: &Applied,
    rows: &[usize],
) -> Result<Vec<Vec<Vec<f64>>>, LifecycleError> {
    let explainer = TreeExplainer::new(trees_of(&applied.model)?)?;
    Ok(rows
        .par_iter()
        .map(|row| explainer.interactions(applied.rows.row(*row)))
        .collect())
}
