//! Trainers: gradient boosting and logistic regression, deterministic for any number of threads.
//!
//! Boosting is the `hessboost` library's; its model is read back into our own [`TreeEnsemble`], so
//! that training, prediction and explanation agree on one set of trees.

use hessboost::data::FeatureType;
use hessboost::model::ModelFormat;
use hessboost::prelude::{
    DMatrix, HessboostError, Objective, RegLoss, TrainingParams, TreeMethod, train,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::linear::fit_logistic;
use crate::model::{
    Batch, Form, Input, Label, Logistic, Model, ModelError, Signature, Term, TermKind, TreeOrigin,
};
use crate::numeric::{mean, variance};
use crate::tree::xgboost::read_xgboost_json;
use crate::tree::{TreeEnsemble, TreeError};

/// What is trained, with every hyperparameter spelt out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case", deny_unknown_fields)]
pub enum TrainingSpec {
    /// Gradient-boosted trees for a binary logistic objective.
    GradientBoosting(BoostingParameters),
    /// Logistic regression on standardised and one-hot columns.
    LogisticRegression(LogisticParameters),
    /// Trained elsewhere, by a client of the tracking server; what it was trained with is in the run's own record.
    Tracked {
        /// Registered model and version that the file is of.
        version: String,
        /// File of the model in it.
        file: String,
    },
    /// Trained elsewhere, and read from a file in the pipeline's folder that a step wrote or somebody put there.
    File {
        /// Path of the file within the pipeline's folder.
        path: String,
    },
}

/// Hyperparameters of gradient boosting, named as in XGBoost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoostingParameters {
    /// Boosting rounds, each of one tree.
    pub rounds: u32,
    /// Factor on the leaf values of each tree.
    pub learning_rate: f64,
    /// Most splits on the way to a leaf.
    pub max_depth: u32,
    /// Least sum of hessians in a child.
    pub min_child_weight: f64,
    /// Share of rows drawn for each tree.
    pub subsample: f64,
    /// Share of inputs drawn for each tree.
    pub colsample_bytree: f64,
    /// L2 penalty on leaf values.
    pub lambda: f64,
    /// Seed of the draws of rows and inputs; without effect when both shares are 1.
    pub seed: u64,
}

/// Hyperparameters of logistic regression, which has one optimum and no seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticParameters {
    /// L2 penalty on the coefficients of standardised columns: scikit-learn's 1 / C.
    pub l2: f64,
}

impl Default for BoostingParameters {
    fn default() -> Self {
        Self {
            rounds: 150,
            learning_rate: 0.06,
            max_depth: 4,
            min_child_weight: 2.0,
            subsample: 1.0,
            colsample_bytree: 1.0,
            lambda: 1.0,
            seed: 7,
        }
    }
}

impl Default for LogisticParameters {
    fn default() -> Self {
        Self { l2: 1.0 }
    }
}

/// Why a model cannot be trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// All labels are the same.
    #[error("all {n_rows} training rows have the same label; a classifier needs both")]
    OneClass {
        /// Training rows, all of the same label.
        n_rows: usize,
    },
    /// A model that is not trained here.
    #[error("`{name}` was trained elsewhere and cannot be trained again here")]
    Elsewhere {
        /// Registered model and version, or file.
        name: String,
    },
    /// The matrix has no column.
    #[error("there are no inputs to train on")]
    NoInputs,
    /// A hyperparameter out of range, or data the library refuses.
    #[error("gradient boosting refused the data or a hyperparameter")]
    Boosting(#[from] HessboostError),
    /// The trained model cannot be read back.
    #[error("the trained trees cannot be read back")]
    Trees(#[from] TreeError),
    /// The trained model cannot be applied.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The trained model is not JSON.
    #[error("the trained model is not JSON")]
    Json(#[from] serde_json::Error),
    /// Newton's method does not settle.
    #[error(
        "the logistic fit does not exist: the columns are collinear or separate the labels; raise `l2`"
    )]
    NoFit,
}

/// Trains on all rows of an encoded matrix.
///
/// # Panics
/// When labels and rows differ in number.
pub fn fit(
    spec: &TrainingSpec,
    inputs: &[Input],
    label: &Label,
    matrix: &Batch,
    labels: &[bool],
) -> Result<Model, TrainingError> {
    assert_eq!(matrix.n_rows, labels.len(), "there is one label a row");
    if matrix.n_columns == 0 {
        return Err(TrainingError::NoInputs);
    }
    if labels.iter().all(|label| *label) || !labels.iter().any(|label| *label) {
        return Err(TrainingError::OneClass {
            n_rows: labels.len(),
        });
    }
    let form = match spec {
        TrainingSpec::GradientBoosting(parameters) => {
            fit_boosting(parameters, inputs, matrix, labels)?
        }
        TrainingSpec::LogisticRegression(parameters) => {
            fit_logistic_form(parameters, inputs, matrix, labels)?
        }
        TrainingSpec::Tracked { version: name, .. } | TrainingSpec::File { path: name } => {
            return Err(TrainingError::Elsewhere { name: name.clone() });
        }
    };
    Ok(Model {
        signature: Signature {
            inputs: inputs.to_vec(),
            n_inputs: inputs.len(),
            label: Some(label.clone()),
            classes: Vec::new(),
        },
        form,
    })
}

/// Returns the library's settings for an objective.
fn settings(
    objective: Objective,
    parameters: &BoostingParameters,
) -> Result<TrainingParams, TrainingError> {
    let settings = TrainingParams::builder()
        .objective(objective)
        .tree_method(TreeMethod::Hist)
        .max_depth(parameters.max_depth as usize)
        .eta(parameters.learning_rate)
        .min_child_weight(parameters.min_child_weight)
        .subsample(parameters.subsample)
        .colsample_bytree(parameters.colsample_bytree)
        .lambda(parameters.lambda)
        .seed(parameters.seed)
        .build()?;
    Ok(settings)
}

fn fit_boosting(
    parameters: &BoostingParameters,
    inputs: &[Input],
    matrix: &Batch,
    labels: &[bool],
) -> Result<Form, TrainingError> {
    let targets: Vec<f32> = labels
        .iter()
        .map(|label| f32::from(u8::from(*label)))
        .collect();
    let types: Vec<FeatureType> = inputs
        .iter()
        .map(|input| {
            if input.levels.is_some() {
                FeatureType::Categorical
            } else {
                FeatureType::Numerical
            }
        })
        .collect();
    let values: Vec<f32> = matrix.values.iter().map(|value| *value as f32).collect();
    let data = DMatrix::from_dense(&values, matrix.n_rows, matrix.n_columns)?
        .with_labels(&targets)?
        .with_feature_types(&types)?;
    let settings = settings(Objective::BinaryLogistic(RegLoss::default()), parameters)?;
    let model = train(&settings, &data, parameters.rounds as usize)?;
    let pretty: serde_json::Value =
        serde_json::from_slice(&model.encode(ModelFormat::XgboostJson)?)?;
    let compact = serde_json::to_string(&pretty)?;
    Ok(Form::Trees {
        ensemble: read_xgboost_json(compact.as_bytes())?,
        origin: TreeOrigin::Own {
            xgboost: RawValue::from_string(compact)?,
        },
    })
}

/// Trains trees of a number (squared error), all inputs taken for numbers.
pub fn fit_regression_trees(
    matrix: &Batch,
    targets: &[f64],
) -> Result<TreeEnsemble, TrainingError> {
    let parameters = BoostingParameters::default();
    let narrow = |values: &[f64]| {
        values
            .iter()
            .map(|value| *value as f32)
            .collect::<Vec<f32>>()
    };
    let data = DMatrix::from_dense(&narrow(&matrix.values), matrix.n_rows, matrix.n_columns)?
        .with_labels(&narrow(targets))?;
    let settings = settings(Objective::SquaredError(RegLoss::default()), &parameters)?;
    let model = train(&settings, &data, parameters.rounds as usize)?;
    Ok(read_xgboost_json(&model.encode(ModelFormat::XgboostJson)?)?)
}

fn fit_logistic_form(
    parameters: &LogisticParameters,
    inputs: &[Input],
    matrix: &Batch,
    labels: &[bool],
) -> Result<Form, TrainingError> {
    let mut terms: Vec<(usize, TermKind)> = Vec::new();
    for (position, input) in inputs.iter().enumerate() {
        let values: Vec<f64> = (0..matrix.n_rows)
            .map(|row| matrix.row(row)[position])
            .collect();
        match &input.levels {
            Some(levels) => terms
                .extend((0..levels.len() as u32).map(|code| (position, TermKind::Level { code }))),
            None => {
                let known: Vec<f64> = values
                    .iter()
                    .copied()
                    .filter(|value| !value.is_nan())
                    .collect();
                let centre = mean(&known).unwrap_or(0.0);
                let scale = variance(&known).map_or(1.0, f64::sqrt);
                if scale > 0.0 {
                    terms.push((position, TermKind::Standardised { centre, scale }));
                }
            }
        }
        if values.iter().any(|value| value.is_nan()) {
            terms.push((position, TermKind::Missing));
        }
    }
    let column = |(position, kind): &(usize, TermKind)| -> Vec<f64> {
        (0..matrix.n_rows)
            .map(|row| kind.value(matrix.row(row)[*position]))
            .collect()
    };
    let columns: Vec<Vec<f64>> = terms.iter().map(column).collect();
    let fitted = fit_logistic(&columns, labels, None, parameters.l2).ok_or(TrainingError::NoFit)?;
    let derived = terms
        .into_iter()
        .zip(&columns)
        .zip(&fitted.coefficients[1..]);
    let terms = derived.map(|(((input, of), values), coefficient)| Term {
        input,
        of,
        coefficient: *coefficient,
        mean: mean(values).unwrap_or(0.0),
    });
    Ok(Form::Logistic(Logistic {
        intercept: fitted.coefficients[0],
        terms: terms.collect(),
    }))
}
