//! ONNX files: trees, linear models and the preprocessing that scikit-learn's pipelines export (`ai.onnx.ml` up to version 5 and the
//! tensor operators between them), in the 32-bit arithmetic of the standard.
//!
//! What is not supported is refused when the file is read, with the operator's name and version. Predictions agree with ONNX Runtime
//! to the rounding of 32-bit sums; where the standard leaves open how two classes come from one score, ONNX Runtime decides.

mod arithmetic;
mod attributes;
mod linear;
mod operator;
mod post_transform;
mod preprocessing;
mod proto;
mod tensor;
mod trees;

use std::collections::HashMap;

use prost::Message;
use rayon::prelude::*;

use crate::batch::{Batch, Outputs};
use crate::tree::{TreeEnsemble, TreeError};
use attributes::Attributes;
use operator::Operator;
use proto::{GraphProto, ModelProto, NodeProto, OperatorSetId, ValueInfo};
use tensor::{ElementType, Elements, Tensor};

/// Most operators of a graph.
const OPERATORS_MAX: usize = 100_000;
/// Most columns of all inputs together.
const COLUMNS_MAX: usize = crate::tree::FEATURES_LIMIT;
/// Rows that run through the graph together.
const BLOCK_ROWS: usize = 1024;

/// Why an ONNX file cannot be used, or a row cannot run through it.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// Not a protobuf message of a model.
    #[error("not an ONNX file")]
    Protobuf(#[from] prost::DecodeError),
    /// Something this reader does not support.
    #[error("{what} is not supported")]
    Unsupported {
        /// Operator, type or setting, in words.
        what: String,
    },
    /// An operator that cannot be, or cannot run on what it is given.
    #[error("operator {operator} {reason}")]
    Operator {
        /// Operator with its set and version.
        operator: String,
        /// What is wrong, as the predicate of the operator.
        reason: String,
    },
    /// A graph that does not hold together.
    #[error("the graph {reason}")]
    Graph {
        /// What is wrong with it.
        reason: String,
    },
    /// A value that an input cannot take.
    #[error("row {row} of input `{input}` {reason}")]
    Value {
        /// Position of the row in the data, counted from 1.
        row: usize,
        /// Name of the input in the file.
        input: String,
        /// What is wrong with the value, as the predicate of the row.
        reason: &'static str,
    },
    /// Trees that are malformed, or a file over the byte limit.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// What columns an input takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// Floating-point numbers, NaN for missing.
    Number,
    /// Whole numbers; a missing one is refused.
    Whole,
    /// Words, encoded by their position among those that the graph knows.
    Text,
    /// Truth values, as 0 and 1; a missing one is refused.
    Truth,
}

/// An input of the graph: columns of the data that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphInput {
    /// Name that the file gives the input.
    pub name: String,
    /// Columns it takes, at least 1; 1 of a vector.
    pub n_columns: usize,
    /// What all its columns hold.
    pub kind: InputKind,
    element: ElementKind,
    slot: usize,
    is_vector: bool,
}

/// Whether numbers are given to the graph in 32 or 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ElementKind {
    Single,
    Double,
}

/// An operator with the places of its inputs and outputs.
#[derive(Debug, Clone)]
struct Step {
    operator: Operator,
    title: String,
    inputs: Vec<Option<usize>>,
    outputs: Vec<Option<usize>>,
}

/// A graph that was read and whose operators are all supported.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Inputs in file order, which is the order of the columns of a batch.
    pub inputs: Vec<GraphInput>,
    /// Words that the graph knows, sorted; a word of the data is encoded as its position, one that is not here as their number.
    pub words: Vec<String>,
    steps: Vec<Step>,
    outputs: Vec<usize>,
    constants: Vec<(usize, Tensor)>,
    n_slots: usize,
    pub(crate) classes: Vec<String>,
}

fn refuse(attributes: &Attributes<'_>, reason: &str) -> OnnxError {
    OnnxError::Operator {
        operator: attributes.title.clone(),
        reason: reason.to_owned(),
    }
}

/// Gives each name of the graph a place.
#[derive(Default)]
struct Slots {
    places: HashMap<String, usize>,
}

impl Slots {
    fn define(&mut self, name: &str) -> Result<usize, OnnxError> {
        let place = self.places.len();
        match self.places.insert(name.to_owned(), place) {
            None => Ok(place),
            Some(_) => Err(OnnxError::Graph {
                reason: format!("defines `{name}` twice"),
            }),
        }
    }

    fn find(&self, name: &str) -> Result<usize, OnnxError> {
        let found = self.places.get(name).copied();
        found.ok_or_else(|| OnnxError::Graph {
            reason: format!("uses `{name}` before anything gives it a value"),
        })
    }
}

/// Reads a file; refuses what is not supported, before any row is predicted.
pub fn read_onnx(bytes: &[u8]) -> Result<Graph, OnnxError> {
    if bytes.len() > crate::tree::MODEL_BYTES_LIMIT {
        return Err(TreeError::TooLarge {
            n_bytes: bytes.len(),
            limit: crate::tree::MODEL_BYTES_LIMIT,
        }
        .into());
    }
    let model = ModelProto::decode(bytes)?;
    let graph = model.graph.ok_or_else(|| OnnxError::Graph {
        reason: "is missing".to_owned(),
    })?;
    if graph.node.len() > OPERATORS_MAX {
        return Err(OnnxError::Graph {
            reason: format!("has more than {OPERATORS_MAX} operators"),
        });
    }
    let mut slots = Slots::default();
    let constants = read_constants(&graph, &mut slots)?;
    let inputs = read_inputs(&graph, &mut slots)?;
    let mut steps = Vec::with_capacity(graph.node.len());
    for node in &graph.node {
        let version = version_of(&model.opset_import, &node.domain);
        steps.push(read_step(node, version, &mut slots)?);
    }
    let outputs = graph
        .output
        .iter()
        .map(|output| slots.find(&output.name))
        .collect::<Result<Vec<_>, _>>()?;
    if outputs.is_empty() {
        return Err(OnnxError::Graph {
            reason: "has no outputs".to_owned(),
        });
    }
    let classes = steps
        .iter()
        .rev()
        .map(|step| step.operator.class_names())
        .find(|names| !names.is_empty())
        .unwrap_or_default();
    let words = words_of(&graph.node, &constants)?;
    Ok(Graph {
        inputs,
        words,
        steps,
        outputs,
        constants,
        n_slots: slots.places.len(),
        classes,
    })
}

/// Returns the version of a set of operators; 1, the first, when the file does not say.
fn version_of(sets: &[OperatorSetId], domain: &str) -> i64 {
    let same = |held: &str| held == domain || (held == "ai.onnx" && domain.is_empty());
    sets.iter()
        .find(|set| same(&set.domain))
        .map_or(1, |set| set.version)
}

fn read_constants(
    graph: &GraphProto,
    slots: &mut Slots,
) -> Result<Vec<(usize, Tensor)>, OnnxError> {
    let mut constants = Vec::with_capacity(graph.initializer.len());
    for initializer in &graph.initializer {
        let place = slots.define(&initializer.name)?;
        constants.push((
            place,
            Tensor::read(initializer).map_err(|reason| OnnxError::Graph {
                reason: format!("has a {reason}"),
            })?,
        ));
    }
    Ok(constants)
}

fn read_inputs(graph: &GraphProto, slots: &mut Slots) -> Result<Vec<GraphInput>, OnnxError> {
    // Before IR version 4 constants were inputs too.
    let mut inputs = Vec::new();
    for value in graph
        .input
        .iter()
        .filter(|value| !graph.initializer.iter().any(|held| held.name == value.name))
    {
        inputs.push(read_input(value, slots.define(&value.name)?)?);
    }
    if inputs.is_empty() || inputs.iter().map(|input| input.n_columns).sum::<usize>() > COLUMNS_MAX
    {
        return Err(OnnxError::Graph {
            reason: "has no inputs, or too many columns".to_owned(),
        });
    }
    Ok(inputs)
}

/// Reads one operator; an input or output without a name is left out, which the standard allows of optional ones.
fn read_step(node: &NodeProto, version: i64, slots: &mut Slots) -> Result<Step, OnnxError> {
    let operator = operator::read(node, version)?;
    let place = |name: &String| {
        if name.is_empty() {
            Ok(None)
        } else {
            slots.find(name).map(Some)
        }
    };
    let inputs = node.input.iter().map(place).collect::<Result<_, _>>()?;
    let mut outputs = Vec::with_capacity(node.output.len());
    for name in &node.output {
        outputs.push(if name.is_empty() {
            None
        } else {
            Some(slots.define(name)?)
        });
    }
    Ok(Step {
        operator,
        title: Attributes::new(node, version).title,
        inputs,
        outputs,
    })
}

fn read_input(value: &ValueInfo, slot: usize) -> Result<GraphInput, OnnxError> {
    let name = value.name.clone();
    let refuse = |reason: &str| OnnxError::Graph {
        reason: format!("has an input `{name}` {reason}"),
    };
    let tensor = value
        .r#type
        .as_ref()
        .and_then(|held| held.tensor_type.as_ref())
        .ok_or_else(|| refuse("that is not a tensor"))?;
    let (kind, element) = match ElementType::numbered(tensor.elem_type) {
        Some(ElementType::Float) => (InputKind::Number, ElementKind::Single),
        Some(ElementType::Double) => (InputKind::Number, ElementKind::Double),
        Some(ElementType::Int) => (InputKind::Whole, ElementKind::Double),
        Some(ElementType::Text) => (InputKind::Text, ElementKind::Double),
        Some(ElementType::Bool) => (InputKind::Truth, ElementKind::Double),
        None => return Err(refuse("of a type that is not supported")),
    };
    let shape = tensor
        .shape
        .as_ref()
        .map(|shape| shape.dim.as_slice())
        .unwrap_or_default();
    let (n_columns, is_vector) = match shape {
        [_] => (Some(1), true),
        [_, columns] => (
            columns
                .dim_value
                .and_then(|columns| usize::try_from(columns).ok())
                .filter(|columns| *columns > 0),
            false,
        ),
        _ => return Err(refuse("that is not rows of columns")),
    };
    let n_columns = n_columns.ok_or_else(|| refuse("that does not say how many columns it has"))?;
    Ok(GraphInput {
        name,
        n_columns,
        kind,
        element,
        slot,
        is_vector,
    })
}

/// Gathers the words of settings and constants.
fn words_of(nodes: &[NodeProto], constants: &[(usize, Tensor)]) -> Result<Vec<String>, OnnxError> {
    let mut words = Vec::new();
    for node in nodes {
        let attributes = Attributes::new(node, 0);
        for name in [
            "cats_strings",
            "keys_strings",
            "classlabels_strings",
            "value_strings",
        ] {
            words.extend(attributes.texts(name)?);
        }
        for name in ["keys_tensor", "value"] {
            if let Some(Tensor {
                elements: Elements::Text(held),
                ..
            }) = attributes.tensor(name)?
            {
                words.extend(held);
            }
        }
    }
    for (_, tensor) in constants {
        if let Elements::Text(held) = &tensor.elements {
            words.extend(held.iter().cloned());
        }
    }
    words.sort_unstable();
    words.dedup();
    Ok(words)
}

impl Graph {
    /// Returns the columns of all inputs together.
    pub fn n_columns(&self) -> usize {
        self.inputs.iter().map(|input| input.n_columns).sum()
    }

    /// Returns what a column holds.
    ///
    /// # Panics
    /// When there is no such column.
    pub fn column_kind(&self, position: usize) -> InputKind {
        let mut end = 0;
        let holds = |input: &&GraphInput| {
            end += input.n_columns;
            position < end
        };
        self.inputs
            .iter()
            .find(holds)
            .expect("the column exists")
            .kind
    }

    /// Returns the names of the columns when each input is one column; else position decides.
    pub fn column_names(&self) -> Option<Vec<String>> {
        let is_named = self.inputs.iter().all(|input| input.n_columns == 1);
        is_named.then(|| self.inputs.iter().map(|input| input.name.clone()).collect())
    }

    /// Returns what it is in words.
    pub fn kind(&self) -> String {
        let classes = match self.classes.len() {
            0 => String::new(),
            n if n <= 5 => format!(", classes {}", self.classes.join(", ")),
            n => format!(", {n} classes"),
        };
        format!("ONNX graph ({} operators{classes})", self.steps.len())
    }

    /// Returns the trees when the graph is nothing but trees on one input of numbers.
    pub fn only_trees(&self) -> Option<TreeEnsemble> {
        let [input] = &self.inputs[..] else {
            return None;
        };
        let step_of = |slot: usize| {
            self.steps
                .iter()
                .find(|step| step.outputs.contains(&Some(slot)))
        };
        let passed = |mut slot: usize, to: fn(&Operator) -> bool| {
            while let Some(step) = step_of(slot).filter(|step| to(&step.operator)) {
                slot = step.inputs.first().copied().flatten()?;
            }
            Some(slot)
        };
        let is_same = |operator: &Operator| {
            matches!(
                operator,
                Operator::Same | Operator::Cast(ElementType::Float)
            )
        };
        let step = step_of(passed(*self.outputs.last()?, is_same)?)?;
        let Operator::Trees(trees) = &step.operator else {
            return None;
        };
        let from = passed(step.inputs.first().copied().flatten()?, is_same)?;
        if from != input.slot
            || input.kind != InputKind::Number
            || trees.n_features() > input.n_columns
        {
            return None;
        }
        let ensemble = trees.plain()?;
        Some(TreeEnsemble {
            n_features: input.n_columns,
            ..ensemble
        })
    }

    /// Returns the predictions of each row: of a classifier of two classes the probability of the second, of more one a class.
    pub fn predict(&self, matrix: &Batch) -> Result<Outputs, OnnxError> {
        let blocks: Vec<usize> = (0..matrix.n_rows).step_by(BLOCK_ROWS).collect();
        let run =
            |start: &usize| self.block(matrix, *start, (*start + BLOCK_ROWS).min(matrix.n_rows));
        let blocks: Vec<Outputs> = blocks.par_iter().map(run).collect::<Result<_, _>>()?;
        let n_outputs = blocks.first().map_or(1, |block| block.n_outputs);
        Ok(Outputs {
            values: blocks.into_iter().flat_map(|block| block.values).collect(),
            n_outputs,
        })
    }

    fn block(&self, matrix: &Batch, start: usize, end: usize) -> Result<Outputs, OnnxError> {
        let mut values: Vec<Option<Tensor>> = vec![None; self.n_slots];
        for (slot, tensor) in &self.constants {
            values[*slot] = Some(tensor.clone());
        }
        let mut first_column = 0;
        for input in &self.inputs {
            values[input.slot] = Some(self.feed(input, first_column, matrix, start, end)?);
            first_column += input.n_columns;
        }
        for step in &self.steps {
            let inputs: Vec<Option<&Tensor>> = step
                .inputs
                .iter()
                .map(|slot| slot.and_then(|slot| values[slot].as_ref()))
                .collect();
            let refuse = |reason: String| OnnxError::Operator {
                operator: step.title.clone(),
                reason,
            };
            let made = step.operator.run(&inputs).map_err(refuse)?;
            // An output that the operator does not give stays without a value, and is told when it is used.
            for (slot, tensor) in step.outputs.iter().zip(made) {
                if let Some(slot) = slot {
                    values[*slot] = Some(tensor);
                }
            }
        }
        self.scores(&values, end - start)
    }

    /// Makes the tensor of an input from some rows.
    fn feed(
        &self,
        input: &GraphInput,
        first_column: usize,
        matrix: &Batch,
        start: usize,
        end: usize,
    ) -> Result<Tensor, OnnxError> {
        let columns = first_column..first_column + input.n_columns;
        let cells =
            || (start..end).flat_map(|row| matrix.row(row)[columns.clone()].iter().copied());
        let refuse = |place: usize, reason| OnnxError::Value {
            row: start + place / input.n_columns + 1,
            input: input.name.clone(),
            reason,
        };
        let elements = match (input.kind, input.element) {
            (InputKind::Number, ElementKind::Single) => {
                Elements::Float(cells().map(|value| value as f32).collect())
            }
            (InputKind::Number, ElementKind::Double) => Elements::Double(cells().collect()),
            (InputKind::Whole, _) => {
                let whole = |(place, value): (usize, f64)| match value {
                    value if value.is_nan() => Err(refuse(
                        place,
                        "is missing, and the model takes whole numbers",
                    )),
                    value if value.fract() != 0.0 => Err(refuse(place, "is not a whole number")),
                    value => Ok(value as i64),
                };
                Elements::Int(cells().enumerate().map(whole).collect::<Result<_, _>>()?)
            }
            (InputKind::Truth, _) => {
                let truth = |(place, value): (usize, f64)| match value {
                    0.0 => Ok(false),
                    1.0 => Ok(true),
                    _ => Err(refuse(place, "is neither true nor false")),
                };
                Elements::Bool(cells().enumerate().map(truth).collect::<Result<_, _>>()?)
            }
            (InputKind::Text, _) => {
                // A word that the graph does not know is none of its words, whichever it is; a missing one is empty.
                let unknown = "\u{0}";
                let word = |code: f64| {
                    if code.is_nan() {
                        String::new()
                    } else {
                        self.words
                            .get(code as usize)
                            .cloned()
                            .unwrap_or_else(|| unknown.to_owned())
                    }
                };
                Elements::Text(cells().map(word).collect())
            }
        };
        let shape = if input.is_vector {
            vec![end - start]
        } else {
            vec![end - start, input.n_columns]
        };
        Ok(Tensor { shape, elements })
    }

    /// Picks the scores: the last output that holds floating-point numbers, else the last of whole numbers.
    fn scores(&self, values: &[Option<Tensor>], n_rows: usize) -> Result<Outputs, OnnxError> {
        let outputs: Vec<&Tensor> = self
            .outputs
            .iter()
            .filter_map(|slot| values[*slot].as_ref())
            .collect();
        let is_float =
            |tensor: &&&Tensor| matches!(tensor.elements, Elements::Float(_) | Elements::Double(_));
        let is_int = |tensor: &&&Tensor| matches!(tensor.elements, Elements::Int(_));
        let found = outputs
            .iter()
            .rev()
            .find(is_float)
            .or_else(|| outputs.iter().rev().find(is_int));
        let found = found.ok_or_else(|| OnnxError::Graph {
            reason: "has no output of numbers".to_owned(),
        })?;
        let Some(Elements::Double(scores)) = found.elements.cast(ElementType::Double) else {
            unreachable!("numbers are numbers")
        };
        if n_rows == 0 || !scores.len().is_multiple_of(n_rows) || scores.is_empty() {
            return Err(OnnxError::Graph {
                reason: format!("gives {} scores for {n_rows} rows", scores.len()),
            });
        }
        let width = scores.len() / n_rows;
        if width == 2 && self.outputs.len() > 1 {
            return Ok(Outputs {
                values: scores.chunks(2).map(|row| row[1]).collect(),
                n_outputs: 1,
            });
        }
        Ok(Outputs {
            values: scores,
            n_outputs: width,
        })
    }
}
