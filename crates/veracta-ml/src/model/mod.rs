//! A trained model with everything needed to apply it: inputs, their categories, and trees or coefficients.
//!
//! The bytes of a model are canonical: the same model has the same digest wherever it was trained.

pub mod imported;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::explanation::path_dependent::TreeExplainer;
use crate::explanation::{Attribution, linear_attribution};
use crate::table::{Coded, Column, Table, Values};
use crate::tree::compiled::CompiledTrees;
use crate::tree::xgboost::read_xgboost_json;
use crate::tree::{Link, Precision, TreeEnsemble, TreeError};

/// Format written today.
pub const MODEL_FORMAT: &str = "veracta-model/1";

/// An input of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name of the column.
    pub name: String,
    /// Categories in the order of their codes; `None` for a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<Vec<String>>,
}

/// What a model predicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Name of the label's column.
    pub column: String,
    /// Value that counts as positive.
    pub positive: String,
}

/// Rows of encoded inputs, row after row: numbers, category codes, NaN for missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// `n_rows` × `n_columns` values.
    pub values: Vec<f64>,
    /// Rows.
    pub n_rows: usize,
    /// Inputs.
    pub n_columns: usize,
}

/// A model in memory that predicts the probability of the positive label.
#[derive(Debug, Clone)]
pub struct Predictor {
    /// Its inputs, in order.
    pub inputs: Vec<Input>,
    /// What it predicts.
    pub label: Label,
    /// How it predicts.
    pub form: Form,
}

/// How a model predicts.
#[derive(Debug, Clone)]
pub enum Form {
    /// A sum of trees, with the JSON it was read from.
    Trees {
        /// The trees.
        ensemble: TreeEnsemble,
        /// XGBoost JSON without white space.
        xgboost: Box<RawValue>,
    },
    /// Logistic regression over standardised and one-hot columns.
    Logistic(Logistic),
    /// Trees trained elsewhere, whose file is kept as it came.
    Brought {
        /// The trees.
        ensemble: TreeEnsemble,
        /// The library that wrote them.
        library: &'static str,
    },
}

/// A logistic model over derived columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logistic {
    /// Intercept.
    pub intercept: f64,
    /// Derived columns with their coefficients.
    pub terms: Vec<Term>,
}

/// One derived column of a logistic model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Position of the input it is derived from.
    pub input: usize,
    /// How.
    pub of: TermKind,
    /// Coefficient, in log-odds.
    pub coefficient: f64,
    /// Mean over the training rows, the reference of attributions.
    pub mean: f64,
}

/// How a column is derived from an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TermKind {
    /// (value − centre) / scale; missing is 0.
    Standardised {
        /// Mean of the training rows.
        centre: f64,
        /// Standard deviation of the training rows.
        scale: f64,
    },
    /// 1 when the category has this code.
    Level {
        /// Code of the category.
        code: u32,
    },
    /// 1 when the value is missing or a category unknown at training.
    Missing,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    format: String,
    label: Label,
    inputs: Vec<Input>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    xgboost: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logistic: Option<Logistic>,
}

/// Why a model cannot be read or applied.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Not JSON of a model.
    #[error("not a model file of format {MODEL_FORMAT}")]
    Json(#[from] serde_json::Error),
    /// Another format.
    #[error("model format `{found}`; this program reads {MODEL_FORMAT}")]
    Format {
        /// Format found.
        found: String,
    },
    /// Neither or both forms.
    #[error("a model holds either trees or a logistic model")]
    Form,
    /// Trees that are not a binary classifier over these inputs.
    #[error(
        "the trees, over {n_features} features, are not a binary classifier over the model's {n_inputs} inputs"
    )]
    Trees {
        /// Features of the trees.
        n_features: usize,
        /// Inputs of the model.
        n_inputs: usize,
    },
    /// A model brought along that cannot be judged as a binary classifier.
    #[error("the model cannot be judged: {reason}")]
    Brought {
        /// Why.
        reason: String,
    },
    /// Trees trained here have a form that holds their bytes.
    #[error("a model brought along has the bytes it came with")]
    NotOwn,
    /// The graph cannot be used.
    #[error(transparent)]
    Onnx(#[from] crate::onnx::OnnxError),
    /// The trees cannot be used.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// None of the known formats.
    #[error("not a model: neither XGBoost (JSON, UBJSON), LightGBM text, ONNX nor {MODEL_FORMAT}")]
    UnknownFormat,
    /// A model without names, and another number of columns.
    #[error(
        "the model has {n_inputs} inputs without names and the data {n_columns} columns; they must be as many, in the same order"
    )]
    InputCount {
        /// Inputs of the model.
        n_inputs: usize,
        /// Columns of the data.
        n_columns: usize,
    },
    /// The data lacks an input.
    #[error("input `{input}` is not in the data; it has {}", .columns.join(", "))]
    MissingInput {
        /// Name of the input.
        input: String,
        /// Columns there are.
        columns: Vec<String>,
    },
    /// The data has an input of another type.
    #[error("input `{input}` is {found} in the data; the model was trained on {expected}")]
    InputType {
        /// Name of the input.
        input: String,
        /// Type in the data.
        found: &'static str,
        /// Type at training.
        expected: &'static str,
    },
}

impl Matrix {
    /// Returns one row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.n_columns..(row + 1) * self.n_columns]
    }

    /// Returns the matrix without some columns.
    pub fn without(&self, dropped: &[usize]) -> Self {
        let kept: Vec<usize> = (0..self.n_columns)
            .filter(|column| !dropped.contains(column))
            .collect();
        let rows =
            (0..self.n_rows).flat_map(|row| kept.iter().map(move |column| self.row(row)[*column]));
        Self {
            values: rows.collect(),
            n_rows: self.n_rows,
            n_columns: kept.len(),
        }
    }

    /// Returns some rows.
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        let values = rows
            .iter()
            .flat_map(|row| self.row(*row).iter().copied())
            .collect();
        Self {
            values,
            n_rows: rows.len(),
            n_columns: self.n_columns,
        }
    }
}

/// Returns the inputs that columns of a table make: at most `levels_max` categories each, the most frequent in `rows`.
///
/// A rarer category is treated as missing, which keeps a column of ten thousand categories from becoming a row identifier.
pub fn describe_inputs(columns: &[&Column], rows: &[usize], levels_max: usize) -> Vec<Input> {
    let describe = |column: &&Column| {
        let levels = match &column.values {
            Values::Numeric(_) => None,
            Values::Coded(coded) => {
                let mut counts = vec![0usize; coded.levels.len()];
                rows.iter().for_each(|row| {
                    if let Some(count) = counts.get_mut(coded.codes[*row] as usize) {
                        *count += 1;
                    }
                });
                let mut kept: Vec<usize> =
                    (0..counts.len()).filter(|code| counts[*code] > 0).collect();
                kept.sort_by_key(|code| (std::cmp::Reverse(counts[*code]), *code));
                kept.truncate(levels_max);
                kept.sort_unstable();
                Some(
                    kept.into_iter()
                        .map(|code| coded.levels[code].clone())
                        .collect(),
                )
            }
        };
        Input {
            name: column.name.clone(),
            levels,
        }
    };
    columns.iter().map(describe).collect()
}

/// Encodes all rows of a table for a model's inputs. Infinite numbers and unknown categories become missing; numbers have 32 bits, as the
/// trainer's have.
pub fn encode(table: &Table, inputs: &[Input]) -> Result<Matrix, ModelError> {
    encode_as(table, inputs, |number| f64::from(number as f32))
}

fn encode_as(
    table: &Table,
    inputs: &[Input],
    seen: impl Fn(f64) -> f64,
) -> Result<Matrix, ModelError> {
    let (n_rows, n_columns) = (table.n_rows, inputs.len());
    let mut values = vec![f64::NAN; n_rows * n_columns];
    for (position, input) in inputs.iter().enumerate() {
        let column = table
            .columns
            .iter()
            .find(|column| column.name == input.name)
            .ok_or_else(|| {
                let columns = table
                    .columns
                    .iter()
                    .map(|column| column.name.clone())
                    .collect();
                ModelError::MissingInput {
                    input: input.name.clone(),
                    columns,
                }
            })?;
        match (&column.values, &input.levels) {
            (Values::Numeric(numbers), None) => {
                // A number beyond what the model's arithmetic holds is infinite to it.
                for (row, number) in numbers
                    .iter()
                    .map(|number| seen(*number))
                    .enumerate()
                    .filter(|(_, number)| number.is_finite())
                {
                    values[row * n_columns + position] = number;
                }
            }
            (Values::Coded(coded), Some(levels)) => {
                let codes = recode(coded, levels);
                for (row, code) in coded.codes.iter().enumerate() {
                    if let Some(Some(code)) = codes.get(*code as usize) {
                        values[row * n_columns + position] = f64::from(*code);
                    }
                }
            }
            // A column of whole numbers may have been read as numbers although the model knows its categories.
            (Values::Numeric(_), Some(levels)) => {
                let coded = column.groups();
                let codes = recode(&coded, levels);
                for (row, code) in coded.codes.iter().enumerate() {
                    if let Some(code) = codes[*code as usize] {
                        values[row * n_columns + position] = f64::from(code);
                    }
                }
            }
            (Values::Coded(_), None) => {
                let (found, expected) = ("text", "numbers");
                return Err(ModelError::InputType {
                    input: input.name.clone(),
                    found,
                    expected,
                });
            }
        }
    }
    Ok(Matrix {
        values,
        n_rows,
        n_columns,
    })
}

/// Returns for each level of the data its code in the model; `None` when the model does not know it.
fn recode(coded: &Coded, levels: &[String]) -> Vec<Option<u32>> {
    let known: BTreeMap<&str, u32> = levels
        .iter()
        .enumerate()
        .map(|(code, level)| (level.as_str(), code as u32))
        .collect();
    coded
        .levels
        .iter()
        .map(|level| known.get(level.as_str()).copied())
        .collect()
}

impl Predictor {
    /// Reads a model.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let file: ModelFile = serde_json::from_slice(bytes)?;
        if file.format != MODEL_FORMAT {
            return Err(ModelError::Format { found: file.format });
        }
        let form = match (file.xgboost, file.logistic) {
            (Some(xgboost), None) => {
                let ensemble = read_xgboost_json(xgboost.get().as_bytes())?;
                if ensemble.n_features != file.inputs.len()
                    || ensemble.n_outputs() != 1
                    || ensemble.link != (Link::Logistic { scale: 1.0 })
                {
                    return Err(ModelError::Trees {
                        n_features: ensemble.n_features,
                        n_inputs: file.inputs.len(),
                    });
                }
                Form::Trees { ensemble, xgboost }
            }
            (None, Some(logistic))
                if logistic
                    .terms
                    .iter()
                    .all(|term| term.input < file.inputs.len()) =>
            {
                Form::Logistic(logistic)
            }
            _ => return Err(ModelError::Form),
        };
        Ok(Self {
            inputs: file.inputs,
            label: file.label,
            form,
        })
    }

    /// Takes a model trained elsewhere for a binary classifier of this label.
    ///
    /// It must be trees with one logistic output, names of its inputs, and names for the categories it tells apart.
    pub fn brought(model: imported::Model, label: Label) -> Result<Self, ModelError> {
        let refused = |reason: String| ModelError::Brought { reason };
        let imported::Model::Trees { ensemble, library } = model else {
            return Err(refused(format!(
                "it is {}; trees of XGBoost or LightGBM are needed",
                model.kind()
            )));
        };
        if ensemble.n_outputs() != 1
            || ensemble.link != (Link::Logistic { scale: 1.0 })
            || ensemble.n_averaged.is_some()
        {
            return Err(refused(
                "it does not give one probability: a binary logistic objective is needed"
                    .to_owned(),
            ));
        }
        TreeExplainer::new(&ensemble)
            .map_err(|error| refused(format!("its predictions cannot be explained: {error}")))?;
        if ensemble.feature_names.len() != ensemble.n_features {
            return Err(refused(
                "its file has no names of inputs; train it on a table with named columns"
                    .to_owned(),
            ));
        }
        let is_number = ensemble.numeric_features();
        let mut inputs = Vec::with_capacity(ensemble.n_features);
        for (position, name) in ensemble.feature_names.iter().enumerate() {
            let levels = ensemble.categories.get(position).cloned().flatten();
            if levels.is_none() && !is_number[position] {
                return Err(refused(format!(
                    "its input `{name}` tells categories apart, and its file does not name them"
                )));
            }
            inputs.push(Input {
                name: name.clone(),
                levels,
            });
        }
        Ok(Self {
            inputs,
            label,
            form: Form::Brought { ensemble, library },
        })
    }

    /// Encodes all rows of a table as this model sees them.
    pub fn encode(&self, table: &Table) -> Result<Matrix, ModelError> {
        match &self.form {
            Form::Brought { ensemble, .. } if ensemble.precision == Precision::Double => {
                encode_as(table, &self.inputs, |number| number)
            }
            _ => encode(table, &self.inputs),
        }
    }

    /// Returns the canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let (xgboost, logistic) = match &self.form {
            Form::Brought { .. } => return Err(ModelError::NotOwn),
            Form::Trees { xgboost, .. } => (Some(xgboost.clone()), None),
            Form::Logistic(logistic) => (None, Some(logistic.clone())),
        };
        let (label, inputs) = (self.label.clone(), self.inputs.clone());
        Ok(serde_json::to_vec(&ModelFile {
            format: MODEL_FORMAT.to_owned(),
            label,
            inputs,
            xgboost,
            logistic,
        })?)
    }

    /// Returns the log-odds of the positive label for each row.
    pub fn margins(&self, matrix: &Matrix) -> Vec<f64> {
        match &self.form {
            Form::Trees { ensemble, .. } | Form::Brought { ensemble, .. } => {
                CompiledTrees::new(ensemble).margins(&matrix.values, matrix.n_columns)
            }
            Form::Logistic(logistic) => (0..matrix.n_rows)
                .map(|row| logistic.margin(matrix.row(row)))
                .collect(),
        }
    }

    /// Returns the probability of the positive label for each row.
    pub fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        self.margins(matrix)
            .iter()
            .map(|margin| 1.0 / (1.0 + (-margin).exp()))
            .collect()
    }

    /// Returns the contribution of each input to the log-odds of each row.
    pub fn explain(&self, matrix: &Matrix) -> Vec<Attribution> {
        match &self.form {
            Form::Trees { ensemble, .. } | Form::Brought { ensemble, .. } => {
                let explainer = TreeExplainer::new(ensemble).expect(
                    "checked when a model is brought, and the trainer makes no linear leaves",
                );
                let (base_value, contributions) = (
                    explainer.base_values()[0],
                    explainer.explain_batch(&matrix.values, matrix.n_columns),
                );
                let rows = contributions.chunks(matrix.n_columns.max(1));
                rows.map(|contributions| Attribution {
                    contributions: contributions.to_vec(),
                    base_value,
                })
                .collect()
            }
            Form::Logistic(logistic) => (0..matrix.n_rows)
                .map(|row| logistic.attribution(matrix.row(row), self.inputs.len()))
                .collect(),
        }
    }

    /// Returns the kind of model in words.
    pub fn kind(&self) -> String {
        match &self.form {
            Form::Trees { ensemble, .. } => format!(
                "gradient-boosted decision trees ({} trees)",
                ensemble.trees.len()
            ),
            Form::Brought { ensemble, library } => format!(
                "{library} trees ({} trees), trained elsewhere",
                ensemble.trees.len()
            ),
            Form::Logistic(logistic) => {
                format!("logistic regression ({} terms)", logistic.terms.len())
            }
        }
    }
}

impl TermKind {
    /// Returns the derived value.
    pub fn value(&self, value: f64) -> f64 {
        match self {
            Self::Standardised { .. } if value.is_nan() => 0.0,
            Self::Standardised { centre, scale } => (value - centre) / scale,
            Self::Level { code } => f64::from(value == f64::from(*code)),
            Self::Missing => f64::from(value.is_nan()),
        }
    }
}

impl Logistic {
    fn margin(&self, row: &[f64]) -> f64 {
        let terms = self
            .terms
            .iter()
            .map(|term| term.coefficient * term.of.value(row[term.input]));
        self.intercept + terms.sum::<f64>()
    }

    fn attribution(&self, row: &[f64], n_inputs: usize) -> Attribution {
        let coefficients: Vec<f64> = self.terms.iter().map(|term| term.coefficient).collect();
        let values: Vec<f64> = self
            .terms
            .iter()
            .map(|term| term.of.value(row[term.input]))
            .collect();
        let means: Vec<f64> = self.terms.iter().map(|term| term.mean).collect();
        let by_term = linear_attribution(&coefficients, self.intercept, &values, &means);
        let mut contributions = vec![0.0; n_inputs];
        for (term, contribution) in self.terms.iter().zip(by_term.contributions) {
            contributions[term.input] += contribution;
        }
        Attribution {
            contributions,
            base_value: by_term.base_value,
        }
    }
}
