//! A model in memory: what it reads and predicts ([`Signature`]), and how ([`Form`]), whatever format it came in.
//!
//! The format of a file is told by its bytes, never by its name.

mod encode;
mod logistic;
mod own;
mod signature;

use serde_json::value::RawValue;
use veracta_data::table::named_columns;

pub use encode::{Encoded, describe_inputs, encode};
pub use logistic::{Logistic, Term, TermKind};
pub(crate) use own::{FIRST_FORMAT, MODEL_FORMAT};
pub use signature::{Input, Label, Signature, UnknownValues};

pub use crate::batch::{Batch, Outputs};
use crate::category::Category;
use crate::explanation::path_dependent::TreeExplainer;
use crate::explanation::{Attribution, ExplanationError};
use crate::onnx::{Graph, InputKind, read_onnx};
use crate::tree::compiled::CompiledTrees;
use crate::tree::lightgbm::read_lightgbm_text;
use crate::tree::xgboost::{read_xgboost_json, read_xgboost_ubjson};
use crate::tree::{Link, TreeEnsemble, TreeError};

/// A model that can be applied to rows.
#[derive(Debug, Clone)]
pub struct Model {
    /// What it reads and predicts.
    pub signature: Signature,
    /// Trees, a logistic model or a graph.
    pub form: Form,
}

/// The parts of a model that predictions are computed from.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a process holds few models, and each stands alone"
)]
pub enum Form {
    /// A sum of trees, or a linear booster.
    Trees {
        /// Trees or coefficients, in the arithmetic of the library they come from.
        ensemble: TreeEnsemble,
        /// Where they were trained, which decides how columns are encoded.
        origin: TreeOrigin,
    },
    /// Logistic regression trained here, over encoded columns.
    Logistic(Logistic),
    /// An ONNX graph of more than trees.
    Graph(Box<Graph>),
}

/// Where trees were trained; only those trained here have canonical bytes.
#[derive(Debug, Clone)]
pub enum TreeOrigin {
    /// Trained here, by this crate's trainer.
    Own {
        /// The XGBoost JSON they were read from, without white space.
        xgboost: Box<RawValue>,
    },
    /// Elsewhere, by the library of this name.
    Library(&'static str),
}

/// Why a model cannot be read or applied.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Not JSON of a model.
    #[error("not a model file of format {MODEL_FORMAT}")]
    Json(#[from] serde_json::Error),
    /// A model trained here, of a format that this program does not read.
    #[error("model format `{found}`; this program reads {FIRST_FORMAT} and {MODEL_FORMAT}")]
    Format {
        /// Format that the file states.
        found: String,
    },
    /// Neither or both of trees and logistic model, or a term of an input that does not exist.
    #[error("a model holds either trees or a logistic model")]
    Form,
    /// Trees that are not a binary classifier over these inputs.
    #[error(
        "the trees, over {n_features} features, are not a binary classifier over the model's {n_inputs} inputs"
    )]
    Trees {
        /// Features that the trees are over.
        n_features: usize,
        /// Inputs that the model file names.
        n_inputs: usize,
    },
    /// A model brought along that cannot be judged as a binary classifier.
    #[error("the model cannot be judged: {reason}")]
    Brought {
        /// What the model lacks, as a clause of its own.
        reason: String,
    },
    /// Only a model trained here has canonical bytes.
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
        /// Inputs that the model expects.
        n_inputs: usize,
        /// Columns that the data has.
        n_columns: usize,
    },
    /// The data lacks an input.
    #[error("input `{input}` is not in the data; {}", named_columns(.columns))]
    MissingInput {
        /// Name of the input that no column has.
        input: String,
        /// Names of the columns of the data, in file order.
        columns: Vec<String>,
    },
    /// Two columns may be meant by one input.
    #[error(
        "input `{input}` may be any of the columns {}; LightGBM writes a blank in a name as `_`, so rename all but one", .columns.join(", ")
    )]
    AmbiguousInput {
        /// Name of the input.
        input: String,
        /// Columns whose names become that name.
        columns: Vec<String>,
    },
    /// Values that the model does not know, where it means that to be an error, or of most of a column.
    #[error(
        "the model does not know {n_unknown} of the {n_present} values of column `{column}`, the first in row {row}{why}"
    )]
    UnknownCategory {
        /// Name of the column.
        column: String,
        /// Number of cells with a value that the model does not know.
        n_unknown: u64,
        /// Number of cells that are not missing.
        n_present: u64,
        /// The first of them, counted from 1 without the header.
        row: usize,
        /// Why that is refused, as the end of the sentence.
        why: &'static str,
    },
    /// The data has an input of another type.
    #[error("input `{input}` is {found} in the data; the model was trained on {expected}")]
    InputType {
        /// Name of the input and of its column.
        input: String,
        /// Type of the column in the data, in words.
        found: &'static str,
        /// Type that the model reads, in words.
        expected: &'static str,
    },
}

impl Model {
    /// Reads a model of any known format: our own, XGBoost (JSON and UBJSON), LightGBM text and ONNX.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        let trees = |ensemble: Result<TreeEnsemble, TreeError>, library| {
            Ok(Self::of_trees(ensemble?, library))
        };
        if bytes.starts_with(b"tree\n") || bytes.starts_with(b"tree\r\n") {
            let text = std::str::from_utf8(bytes).map_err(|_| TreeError::Text {
                line: 1,
                reason: "the text is not UTF-8".to_owned(),
            })?;
            return trees(read_lightgbm_text(text), "LightGBM");
        }
        // An ONNX file begins with the version of its format.
        if bytes.first() == Some(&0x08) {
            let graph = read_onnx(bytes)?;
            let Some(ensemble) = graph.only_trees() else {
                return Ok(Self::of_graph(graph));
            };
            let mut model = Self::of_trees(ensemble, "ONNX");
            model.signature.classes = graph.classes;
            return Ok(model);
        }
        let first = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
        match first.map(|first| &bytes[first..]) {
            // After an opening brace JSON has a quote or white space, UBJSON the type of a length.
            Some([b'{', b'i' | b'U' | b'I' | b'l' | b'L' | b'$' | b'#', ..]) => {
                trees(read_xgboost_ubjson(bytes), "XGBoost")
            }
            Some([b'{', ..]) => {
                match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(bytes) {
                    Ok(fields) if fields.contains_key("learner") => {
                        trees(read_xgboost_json(bytes), "XGBoost")
                    }
                    _ => Self::from_own_bytes(bytes),
                }
            }
            _ => Err(ModelError::UnknownFormat),
        }
    }

    fn of_trees(ensemble: TreeEnsemble, library: &'static str) -> Self {
        let names = ensemble.feature_names.iter().enumerate();
        let inputs = names.map(|(position, name)| Input {
            name: name.clone(),
            levels: ensemble
                .categories
                .get(position)
                .and_then(Option::as_ref)
                .map(|categories| categories.iter().map(Category::name).collect()),
            ..Input::number(String::new())
        });
        Self {
            signature: Signature {
                inputs: inputs.collect(),
                n_inputs: ensemble.n_features,
                label: None,
                classes: Vec::new(),
            },
            form: Form::Trees {
                ensemble,
                origin: TreeOrigin::Library(library),
            },
        }
    }

    fn of_graph(graph: Graph) -> Self {
        let names = graph.column_names().unwrap_or_default();
        let inputs = names.into_iter().map(Input::number);
        Self {
            signature: Signature {
                inputs: inputs.collect(),
                n_inputs: graph.n_columns(),
                label: None,
                classes: graph.classes.clone(),
            },
            form: Form::Graph(Box::new(graph)),
        }
    }

    /// Takes a model for a classifier of two classes that predicts the probability of `label`. One without names of inputs gets
    /// those of `columns`, in that order.
    pub fn judged_as(mut self, label: Label, columns: &[String]) -> Result<Self, ModelError> {
        let refused = |reason: &str| ModelError::Brought {
            reason: reason.to_owned(),
        };
        self.signature.check_classes(&label)?;
        if let Form::Trees { ensemble, origin } = &self.form {
            if matches!(
                TreeExplainer::new(ensemble),
                Err(ExplanationError::LinearLeaves)
            ) {
                return Err(refused(
                    "leaves that are linear functions cannot be explained",
                ));
            }
            if ensemble.n_outputs() != 1
                || ensemble.link != (Link::Logistic { scale: 1.0 })
                || ensemble.n_averaged.is_some()
            {
                return Err(refused(
                    "it does not give one probability: a binary logistic objective is needed",
                ));
            }
            let is_number = ensemble.numeric_features();
            let unnamed = self.signature.inputs.iter().zip(is_number);
            let unnamed = unnamed
                .filter(|(input, is_number)| input.levels.is_none() && !is_number)
                .map(|(input, _)| &input.name)
                .next();
            if let Some(name) = unnamed {
                return Err(refused(&format!(
                    "its input `{name}` tells categories apart, and its file does not name them"
                )));
            }
            if matches!(origin, TreeOrigin::Own { .. })
                && self.signature.label != Some(label.clone())
            {
                return Err(refused("it predicts another label"));
            }
        }
        if !self.signature.is_named() {
            if columns.len() != self.signature.n_inputs {
                return Err(ModelError::InputCount {
                    n_inputs: self.signature.n_inputs,
                    n_columns: columns.len(),
                });
            }
            let names = columns.iter().cloned();
            self.signature.inputs = names.map(Input::number).collect();
        }
        self.signature.label = Some(label);
        Ok(self)
    }

    /// Returns what it is in words.
    pub fn kind(&self) -> String {
        match &self.form {
            Form::Trees { ensemble, origin } => match origin {
                TreeOrigin::Own { .. } => format!(
                    "gradient-boosted decision trees ({} trees)",
                    ensemble.trees.len()
                ),
                TreeOrigin::Library(library) if ensemble.linear.is_some() => {
                    format!("{library} linear booster")
                }
                TreeOrigin::Library(library) => format!(
                    "{library} trees ({} trees, {} outputs)",
                    ensemble.trees.len(),
                    ensemble.n_outputs()
                ),
            },
            Form::Logistic(logistic) => {
                format!("logistic regression ({} terms)", logistic.terms.len())
            }
            Form::Graph(graph) => graph.kind(),
        }
    }

    /// Returns the trees, if it is made of them.
    pub fn trees(&self) -> Option<&TreeEnsemble> {
        match &self.form {
            Form::Trees { ensemble, .. } => Some(ensemble),
            Form::Logistic(_) | Form::Graph(_) => None,
        }
    }

    /// Returns for each input whether it holds numbers, and not codes of categories or words.
    pub fn is_number(&self) -> Vec<bool> {
        match &self.form {
            Form::Trees {
                ensemble,
                origin: TreeOrigin::Library(_),
            } => ensemble.numeric_features(),
            Form::Graph(graph) => (0..graph.n_columns())
                .map(|column| graph.column_kind(column) == InputKind::Number)
                .collect(),
            Form::Trees { .. } | Form::Logistic(_) => {
                let inputs = self.signature.inputs.iter();
                inputs.map(|input| input.levels.is_none()).collect()
            }
        }
    }

    /// Returns the name that a value of an input stands for, when the input holds categories.
    pub fn category(&self, input: usize, value: f64) -> Option<String> {
        let code = || format!("code {value}");
        let names = match &self.form {
            Form::Graph(graph) if graph.column_kind(input) == InputKind::Text => Some(&graph.words),
            Form::Graph(_) => None,
            Form::Trees { .. } | Form::Logistic(_) => self
                .signature
                .inputs
                .get(input)
                .and_then(|input| input.levels.as_ref()),
        };
        match names {
            Some(names) => Some(names.get(value as usize).cloned().unwrap_or_else(code)),
            None => match &self.form {
                Form::Trees { ensemble, .. } => (!ensemble.numeric_features()[input]).then(code),
                Form::Logistic(_) | Form::Graph(_) => None,
            },
        }
    }

    /// Returns the model with the rounds up to the best one of early stopping, or as it is when the file names none.
    pub fn at_best_round(mut self) -> Self {
        if let Form::Trees { ensemble, origin } = &mut self.form
            && matches!(origin, TreeOrigin::Library(_))
            && let Some(best) = ensemble.best_round
        {
            *ensemble = ensemble.rounds(0, best.saturating_add(1));
        }
        self
    }

    /// Returns (best round, rounds) when the file says that early stopping found a round before the last one best.
    pub fn rounds_past_best(&self) -> Option<(usize, usize)> {
        let ensemble = self.trees().filter(|_| !self.is_trained_here())?;
        let n_trees_a_round = ensemble.n_trees_a_round.max(1);
        let n_rounds = ensemble.trees.len().div_ceil(n_trees_a_round);
        let best = ensemble.best_round.filter(|best| best + 1 < n_rounds);
        best.map(|best| (best, n_rounds))
    }

    /// Returns whether it was trained here.
    pub(crate) fn is_trained_here(&self) -> bool {
        match &self.form {
            Form::Trees { origin, .. } => matches!(origin, TreeOrigin::Own { .. }),
            Form::Logistic(_) => true,
            Form::Graph(_) => false,
        }
    }

    /// Returns the margins of each row: log-odds of a classifier. A graph has none but its predictions.
    pub fn margins(&self, batch: &Batch) -> Result<Outputs, ModelError> {
        let (values, n_outputs) = match &self.form {
            Form::Trees { ensemble, .. } => (
                CompiledTrees::new(ensemble).margins(&batch.values, batch.n_columns),
                ensemble.n_outputs(),
            ),
            Form::Logistic(logistic) => {
                let rows = 0..batch.n_rows;
                (rows.map(|row| logistic.margin(batch.row(row))).collect(), 1)
            }
            Form::Graph(graph) => return Ok(graph.predict(batch)?),
        };
        Ok(Outputs { values, n_outputs })
    }

    /// Returns the predictions of each row.
    pub fn predict(&self, batch: &Batch) -> Result<Outputs, ModelError> {
        let margins = match &self.form {
            Form::Graph(graph) => return Ok(graph.predict(batch)?),
            Form::Trees { .. } | Form::Logistic(_) => self.margins(batch)?,
        };
        let probability = |margin: &f64| 1.0 / (1.0 + (-margin).exp());
        Ok(match &self.form {
            Form::Trees {
                ensemble,
                origin: TreeOrigin::Library(_),
            } => Outputs {
                values: margins
                    .values
                    .chunks(margins.n_outputs)
                    .flat_map(|margins| ensemble.predictions(margins))
                    .collect(),
                n_outputs: match ensemble.link {
                    Link::ArgMax => 1,
                    _ => margins.n_outputs,
                },
            },
            Form::Trees { .. } | Form::Logistic(_) | Form::Graph(_) => Outputs {
                values: margins.values.iter().map(probability).collect(),
                n_outputs: 1,
            },
        })
    }

    /// Returns for each row the probability of the positive label.
    pub fn probabilities(&self, batch: &Batch) -> Result<Vec<f64>, ModelError> {
        let found = self.predict(batch)?;
        let is_probability = |p: &f64| (0.0..=1.0).contains(p);
        if found.n_outputs != 1 || !found.values.iter().all(is_probability) {
            return Err(ModelError::Brought {
                reason: format!("{} does not give one probability a row", self.kind()),
            });
        }
        Ok(found.values)
    }

    /// Returns for each row the attributions of each output, by path-dependent tree SHAP or linear attribution.
    pub fn explain(&self, batch: &Batch) -> Result<Vec<Vec<Attribution>>, ExplanationError> {
        match &self.form {
            Form::Logistic(logistic) => {
                let n_inputs = self.signature.n_inputs;
                let rows = 0..batch.n_rows;
                let explain = |row| vec![logistic.attribution(batch.row(row), n_inputs)];
                Ok(rows.map(explain).collect())
            }
            Form::Trees { ensemble, .. } => {
                let explainer = TreeExplainer::new(ensemble)?;
                let base = explainer.base_values();
                let width = ensemble.n_features;
                let contributions = explainer.explain_batch(&batch.values, batch.n_columns);
                let of_row = |row: &[f64]| {
                    let outputs = row.chunks(width.max(1)).zip(&base);
                    let attribution = |(values, base): (&[f64], &f64)| Attribution {
                        contributions: values.to_vec(),
                        base_value: *base,
                    };
                    outputs.map(attribution).collect()
                };
                let rows = contributions.chunks((width * base.len()).max(1));
                Ok(rows.map(of_row).collect())
            }
            Form::Graph(graph) => Err(ExplanationError::NeedsBackground { kind: graph.kind() }),
        }
    }
}
