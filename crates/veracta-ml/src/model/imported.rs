//! Models of any format this crate reads, under one roof: our own, XGBoost (JSON and UBJSON), LightGBM text and ONNX.
//!
//! The format is told by the bytes, never by a file's name. Data is matched to inputs by name where the model has names, else by
//! position; a missing input or one of another type is an error that names it.

use std::collections::HashMap;

use super::{Matrix, ModelError, Predictor, encode};
use crate::explanation::path_dependent::TreeExplainer;
use crate::explanation::{Attribution, ExplanationError};
use crate::onnx::{Graph, InputKind, read_onnx};
use crate::table::{MISSING, Table, Values};
use crate::tree::compiled::CompiledTrees;
use crate::tree::lightgbm::read_lightgbm_text;
use crate::tree::xgboost::{read_xgboost_json, read_xgboost_ubjson};
use crate::tree::{Link, TreeEnsemble, TreeError};

/// A model in memory.
#[derive(Debug, Clone)]
pub enum Model {
    /// Trained here.
    Own(Predictor),
    /// Trees, or a linear booster, brought along.
    Trees {
        /// The ensemble.
        ensemble: TreeEnsemble,
        /// The library that wrote it.
        library: &'static str,
    },
    /// An ONNX graph of more than trees.
    Graph(Box<Graph>),
}

/// Numbers for each row: `n_outputs` of them, one row after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// The numbers.
    pub values: Vec<f64>,
    /// How many a row.
    pub n_outputs: usize,
}

/// Reads a model of any known format.
pub fn read_model(bytes: &[u8]) -> Result<Model, ModelError> {
    let trees = |ensemble: Result<TreeEnsemble, TreeError>, library| {
        Ok(Model::Trees {
            ensemble: ensemble?,
            library,
        })
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
        return Ok(match graph.only_trees() {
            Some(ensemble) => Model::Trees {
                ensemble,
                library: "ONNX",
            },
            None => Model::Graph(Box::new(graph)),
        });
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
                _ => Predictor::from_bytes(bytes).map(Model::Own),
            }
        }
        _ => Err(ModelError::UnknownFormat),
    }
}

impl Model {
    /// Returns the names of its inputs; `None` when the file has none and position decides.
    pub fn input_names(&self) -> Option<Vec<String>> {
        match self {
            Self::Own(predictor) => Some(
                predictor
                    .inputs
                    .iter()
                    .map(|input| input.name.clone())
                    .collect(),
            ),
            Self::Trees { ensemble, .. } => {
                Some(ensemble.feature_names.clone()).filter(|names| !names.is_empty())
            }
            Self::Graph(graph) => graph.column_names(),
        }
    }

    /// Returns how many inputs it has.
    pub fn n_inputs(&self) -> usize {
        match self {
            Self::Own(predictor) => predictor.inputs.len(),
            Self::Trees { ensemble, .. } => ensemble.n_features,
            Self::Graph(graph) => graph.n_columns(),
        }
    }

    /// Returns what it is in words.
    pub fn kind(&self) -> String {
        match self {
            Self::Own(predictor) => predictor.kind(),
            Self::Trees { ensemble, library } => match ensemble.linear {
                Some(_) => format!("{library} linear booster"),
                None => format!(
                    "{library} trees ({} trees, {} outputs)",
                    ensemble.trees.len(),
                    ensemble.n_outputs()
                ),
            },
            Self::Graph(graph) => graph.kind(),
        }
    }

    /// Returns the model with the rounds up to the best one of early stopping, or as it is when the file names none.
    pub fn at_best_round(self) -> Self {
        match self {
            Self::Trees { ensemble, library } => match ensemble.best_round {
                Some(best) => Self::Trees {
                    ensemble: ensemble.rounds(0, best.saturating_add(1)),
                    library,
                },
                None => Self::Trees { ensemble, library },
            },
            other @ (Self::Own(_) | Self::Graph(_)) => other,
        }
    }

    /// Returns (best round, rounds) when the file says that early stopping found a round before the last one best.
    pub fn rounds_past_best(&self) -> Option<(usize, usize)> {
        let Self::Trees { ensemble, .. } = self else {
            return None;
        };
        let n_rounds = ensemble
            .trees
            .len()
            .div_ceil(ensemble.n_trees_a_round.max(1));
        ensemble
            .best_round
            .filter(|best| best + 1 < n_rounds)
            .map(|best| (best, n_rounds))
    }

    /// Returns the rows of a table as the model reads them.
    pub fn rows(&self, table: &Table) -> Result<Matrix, ModelError> {
        if let Self::Own(predictor) = self {
            return encode(table, &predictor.inputs);
        }
        let columns = match self.input_names() {
            Some(names) => names
                .iter()
                .map(|name| column_named(table, name))
                .collect::<Result<Vec<_>, _>>()?,
            None if table.columns.len() == self.n_inputs() => table.columns.iter().collect(),
            None => {
                return Err(ModelError::InputCount {
                    n_inputs: self.n_inputs(),
                    n_columns: table.columns.len(),
                });
            }
        };
        let n_columns = columns.len();
        let mut values = vec![f64::NAN; table.n_rows * n_columns];
        for (position, column) in columns.iter().enumerate() {
            let names = match self {
                Self::Trees { ensemble, .. } => {
                    ensemble.categories.get(position).and_then(Option::as_ref)
                }
                Self::Own(_) | Self::Graph(_) => None,
            };
            if let Some((InputKind::Text, words)) = self.graph_column(position) {
                let coded = column.groups();
                let codes = coded
                    .levels
                    .iter()
                    .map(|level| words.binary_search(level).unwrap_or(words.len()) as f64);
                let codes: Vec<f64> = codes.collect();
                for (row, code) in coded
                    .codes
                    .iter()
                    .enumerate()
                    .filter(|(row, _)| !column.is_missing(*row))
                {
                    values[row * n_columns + position] = codes[*code as usize];
                }
                continue;
            }
            match &column.values {
                _ if names.is_some() => {
                    // The file says what its codes stand for: an unknown category is missing, as it is to the library.
                    let known: HashMap<&str, usize> = names
                        .into_iter()
                        .flatten()
                        .enumerate()
                        .map(|(code, name)| (name.as_str(), code))
                        .collect();
                    let coded = column.groups();
                    let codes: Vec<f64> = coded
                        .levels
                        .iter()
                        .map(|level| {
                            known
                                .get(level.as_str())
                                .map_or(f64::NAN, |code| *code as f64)
                        })
                        .collect();
                    for (row, code) in coded
                        .codes
                        .iter()
                        .enumerate()
                        .filter(|(row, _)| !column.is_missing(*row))
                    {
                        values[row * n_columns + position] = codes[*code as usize];
                    }
                }
                Values::Numeric(numbers) => {
                    numbers
                        .iter()
                        .enumerate()
                        .for_each(|(row, number)| values[row * n_columns + position] = *number);
                }
                // A column without any value is read as categories; it is all missing whatever its type.
                Values::Coded(coded) if coded.levels.is_empty() => {}
                Values::Coded(coded) if coded.levels.iter().all(|level| truth(level).is_some()) => {
                    for (row, code) in coded
                        .codes
                        .iter()
                        .enumerate()
                        .filter(|(_, code)| **code != MISSING)
                    {
                        values[row * n_columns + position] =
                            truth(&coded.levels[*code as usize]).unwrap_or(f64::NAN);
                    }
                }
                Values::Coded(_) => {
                    let (found, expected) = ("text", "numbers or category codes");
                    return Err(ModelError::InputType {
                        input: column.name.clone(),
                        found,
                        expected,
                    });
                }
            }
        }
        Ok(Matrix {
            values,
            n_rows: table.n_rows,
            n_columns,
        })
    }

    /// Returns what a column of a graph holds, and the words that the graph knows.
    fn graph_column(&self, position: usize) -> Option<(InputKind, &[String])> {
        match self {
            Self::Graph(graph) => Some((graph.column_kind(position), &graph.words)),
            Self::Own(_) | Self::Trees { .. } => None,
        }
    }

    /// Returns the margins of each row: log-odds of a classifier. A graph has none but its predictions.
    pub fn margins(&self, matrix: &Matrix) -> Result<Outputs, ModelError> {
        Ok(match self {
            Self::Own(predictor) => Outputs {
                values: predictor.margins(matrix),
                n_outputs: 1,
            },
            Self::Trees { ensemble, .. } => Outputs {
                values: CompiledTrees::new(ensemble).margins(&matrix.values, matrix.n_columns),
                n_outputs: ensemble.n_outputs(),
            },
            Self::Graph(graph) => graph.predict(matrix)?,
        })
    }

    /// Returns the predictions of each row.
    pub fn predict(&self, matrix: &Matrix) -> Result<Outputs, ModelError> {
        Ok(match self {
            Self::Own(predictor) => Outputs {
                values: predictor.predict(matrix),
                n_outputs: 1,
            },
            Self::Trees { ensemble, .. } => {
                let margins = self.margins(matrix)?;
                let values: Vec<f64> = margins
                    .values
                    .chunks(margins.n_outputs)
                    .flat_map(|margins| ensemble.predictions(margins))
                    .collect();
                let n_outputs = if ensemble.link == Link::ArgMax {
                    1
                } else {
                    margins.n_outputs
                };
                Outputs { values, n_outputs }
            }
            Self::Graph(graph) => graph.predict(matrix)?,
        })
    }

    /// Returns for each row the attributions of each output, by path-dependent tree SHAP or linear attribution.
    pub fn explain(&self, matrix: &Matrix) -> Result<Vec<Vec<Attribution>>, ExplanationError> {
        match self {
            Self::Own(predictor) => Ok(predictor
                .explain(matrix)
                .into_iter()
                .map(|attribution| vec![attribution])
                .collect()),
            Self::Trees { ensemble, .. } => {
                let explainer = TreeExplainer::new(ensemble)?;
                let base = explainer.base_values();
                let width = ensemble.n_features;
                let contributions = explainer.explain_batch(&matrix.values, matrix.n_columns);
                let of_row = |row: &[f64]| {
                    let outputs = row.chunks(width.max(1)).zip(&base);
                    outputs
                        .map(|(values, base)| Attribution {
                            contributions: values.to_vec(),
                            base_value: *base,
                        })
                        .collect()
                };
                Ok(contributions
                    .chunks((width * base.len()).max(1))
                    .map(of_row)
                    .collect())
            }
            Self::Graph(graph) => Err(ExplanationError::NeedsBackground { kind: graph.kind() }),
        }
    }
}

/// Reads a truth value as 1 or 0.
fn truth(level: &str) -> Option<f64> {
    match level {
        "true" | "True" | "TRUE" => Some(1.0),
        "false" | "False" | "FALSE" => Some(0.0),
        _ => None,
    }
}

fn column_named<'t>(table: &'t Table, name: &str) -> Result<&'t crate::table::Column, ModelError> {
    table
        .columns
        .iter()
        .find(|column| column.name == name)
        .ok_or_else(|| {
            let columns = table
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect();
            ModelError::MissingInput {
                input: name.to_owned(),
                columns,
            }
        })
}
