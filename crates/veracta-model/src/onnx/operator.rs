//! The operators that are read: those of `ai.onnx.ml` that scikit-learn's pipelines export, and the tensor operators between them.

use std::collections::HashMap;

use super::arithmetic::{
    Binary, Unary, argmax, binary, concat, flatten, gather, matmul, reshape, softmax, squeeze,
    transpose, unsqueeze,
};
use super::attributes::Attributes;
use super::linear::{self, Linear};
use super::preprocessing::{Key, Norm, encoded, imputed_in, key, looked_up, normalized, scaled};
use super::proto::NodeProto;
use super::tensor::{ElementType, Elements, Tensor, floats};
use super::trees::OnnxTrees;
use super::{OnnxError, refuse};

/// An operator, ready to run.
#[derive(Debug, Clone)]
pub(super) enum Operator {
    /// Identity, Dropout, and ZipMap, whose maps are read as columns.
    Same,
    Constant(Tensor),
    Cast(ElementType),
    Scaler {
        offset: Vec<f32>,
        scale: Vec<f32>,
    },
    Imputer {
        imputed: Elements,
        replaced: Option<f64>,
    },
    OneHot {
        categories: Elements,
        zeros: bool,
    },
    Labels {
        keys: HashMap<Key, usize>,
        values: Elements,
        default: Elements,
    },
    Normalizer(Norm),
    Linear(Box<Linear>),
    Vectorizer,
    Extractor,
    Binarizer(f32),
    Trees(Box<OnnxTrees>),
    Concat(i64),
    Reshape,
    Flatten(i64),
    Squeeze(Vec<i64>),
    Unsqueeze(Vec<i64>),
    Transpose,
    Gather(i64),
    MatMul,
    Sum,
    Clip {
        low: Option<f32>,
        high: Option<f32>,
    },
    Gemm {
        alpha: f32,
        beta: f32,
        transposed: [bool; 2],
    },
    Softmax(i64),
    ArgMax {
        axis: i64,
        keep: bool,
    },
    Unary(Unary),
    Binary(Binary),
}

/// Reads an operator of either set; `version` is that of its set in the file.
pub(super) fn read(node: &NodeProto, version: i64) -> Result<Operator, OnnxError> {
    let attributes = Attributes::new(node, version);
    let found = match node.domain.as_str() {
        "ai.onnx.ml" => read_learned(node, &attributes)?,
        "" | "ai.onnx" => read_tensor(node, &attributes, version)?,
        _ => None,
    };
    found.ok_or_else(|| OnnxError::Unsupported {
        what: format!("the operator {}", attributes.title),
    })
}

/// Reads an operator of `ai.onnx.ml`.
fn read_learned(
    node: &NodeProto,
    attributes: &Attributes<'_>,
) -> Result<Option<Operator>, OnnxError> {
    Ok(Some(match node.op_type.as_str() {
        "ZipMap" => Operator::Same,
        "Scaler" => Operator::Scaler {
            offset: attributes.floats("offset").to_vec(),
            scale: attributes.floats("scale").to_vec(),
        },
        "Imputer" => imputer(attributes)?,
        "OneHotEncoder" => one_hot(attributes)?,
        "LabelEncoder" => label_encoder(attributes)?,
        "Normalizer" => Operator::Normalizer(match attributes.text("norm")?.as_deref() {
            None | Some("MAX") => Norm::Max,
            Some("L1") => Norm::L1,
            Some("L2") => Norm::L2,
            Some(other) => {
                return Err(refuse(
                    attributes,
                    &format!("divides by norm {other}, which is not known"),
                ));
            }
        }),
        "LinearClassifier" => Operator::Linear(Box::new(linear::read(attributes, true)?)),
        "LinearRegressor" => Operator::Linear(Box::new(linear::read(attributes, false)?)),
        "FeatureVectorizer" => Operator::Vectorizer,
        "ArrayFeatureExtractor" => Operator::Extractor,
        "Binarizer" => Operator::Binarizer(attributes.float("threshold").unwrap_or(0.0)),
        "TreeEnsembleClassifier" => Operator::Trees(Box::new(OnnxTrees::classifier(attributes)?)),
        "TreeEnsembleRegressor" => Operator::Trees(Box::new(OnnxTrees::regressor(attributes)?)),
        "TreeEnsemble" => Operator::Trees(Box::new(OnnxTrees::ensemble(attributes)?)),
        _ => return Ok(None),
    }))
}

/// Reads an operator of the main set.
fn read_tensor(
    node: &NodeProto,
    attributes: &Attributes<'_>,
    version: i64,
) -> Result<Option<Operator>, OnnxError> {
    if let Some(unary) = Unary::named(&node.op_type) {
        return Ok(Some(Operator::Unary(unary)));
    }
    if let Some(binary) = Binary::named(&node.op_type) {
        return Ok(Some(Operator::Binary(binary)));
    }
    Ok(Some(match node.op_type.as_str() {
        "Identity" | "Dropout" => Operator::Same,
        "Constant" => constant(attributes)?,
        "Cast" => {
            let to = attributes
                .int("to")
                .and_then(|number| ElementType::numbered(i32::try_from(number).ok()?));
            Operator::Cast(
                to.ok_or_else(|| refuse(attributes, "casts to a type that is not supported"))?,
            )
        }
        "Concat" => Operator::Concat(attributes.int("axis").unwrap_or(0)),
        "Reshape" => Operator::Reshape,
        "Flatten" => Operator::Flatten(attributes.int("axis").unwrap_or(1)),
        "Squeeze" => Operator::Squeeze(attributes.ints("axes").to_vec()),
        "Unsqueeze" => Operator::Unsqueeze(attributes.ints("axes").to_vec()),
        "Transpose" if matches!(attributes.ints("perm"), [] | [1, 0]) => Operator::Transpose,
        "Gather" => Operator::Gather(attributes.int("axis").unwrap_or(0)),
        "MatMul" => Operator::MatMul,
        "Sum" => Operator::Sum,
        "Clip" => Operator::Clip {
            low: attributes.float("min"),
            high: attributes.float("max"),
        },
        "Gemm" => {
            let flag = |name| attributes.int(name).unwrap_or(0) != 0;
            let number = |name| attributes.float(name).unwrap_or(1.0);
            Operator::Gemm {
                alpha: number("alpha"),
                beta: number("beta"),
                transposed: [flag("transA"), flag("transB")],
            }
        }
        // Before version 13 the default axis was 1, and later ones were taken together with it.
        "Softmax" => {
            Operator::Softmax(
                attributes
                    .int("axis")
                    .unwrap_or(if version < 13 { 1 } else { -1 }),
            )
        }
        "ArgMax" if attributes.int("select_last_index").unwrap_or(0) == 0 => Operator::ArgMax {
            axis: attributes.int("axis").unwrap_or(0),
            keep: attributes.int("keepdims").unwrap_or(1) != 0,
        },
        _ => return Ok(None),
    }))
}

fn constant(attributes: &Attributes<'_>) -> Result<Operator, OnnxError> {
    if let Some(tensor) = attributes.tensor("value")? {
        return Ok(Operator::Constant(tensor));
    }
    let (shape, elements) = if let Some(value) = attributes.float("value_float") {
        (vec![], Elements::Float(vec![value]))
    } else if let Some(value) = attributes.int("value_int") {
        (vec![], Elements::Int(vec![value]))
    } else if attributes.has_any(&["value_floats"]) {
        let values = attributes.floats("value_floats").to_vec();
        (vec![values.len()], Elements::Float(values))
    } else if attributes.has_any(&["value_ints"]) {
        let values = attributes.ints("value_ints").to_vec();
        (vec![values.len()], Elements::Int(values))
    } else {
        return Err(refuse(
            attributes,
            "has a value of a type that is not supported",
        ));
    };
    Ok(Operator::Constant(Tensor { shape, elements }))
}

fn imputer(attributes: &Attributes<'_>) -> Result<Operator, OnnxError> {
    let floats = attributes.floats("imputed_value_floats");
    let ints = attributes.ints("imputed_value_int64s");
    let imputed = match (floats.is_empty(), ints.is_empty()) {
        (false, _) => Elements::Float(floats.to_vec()),
        (true, false) => Elements::Int(ints.to_vec()),
        (true, true) => return Err(refuse(attributes, "has no values to put in")),
    };
    let replaced = match &imputed {
        Elements::Int(_) => Some(attributes.int("replaced_value_int64").unwrap_or(0) as f64),
        _ => attributes
            .float("replaced_value_float")
            .map(f64::from)
            .or(Some(0.0)),
    };
    // NaN is found by not being equal to itself.
    Ok(Operator::Imputer {
        imputed,
        replaced: replaced.filter(|value| !value.is_nan()),
    })
}

fn one_hot(attributes: &Attributes<'_>) -> Result<Operator, OnnxError> {
    let (words, numbers) = (
        attributes.texts("cats_strings")?,
        attributes.ints("cats_int64s"),
    );
    let categories = match (words.is_empty(), numbers.is_empty()) {
        (false, true) => Elements::Text(words),
        (true, false) => Elements::Int(numbers.to_vec()),
        _ => {
            return Err(refuse(
                attributes,
                "has no categories, or two kinds of them",
            ));
        }
    };
    Ok(Operator::OneHot {
        categories,
        zeros: attributes.int("zeros").unwrap_or(1) != 0,
    })
}

fn label_encoder(attributes: &Attributes<'_>) -> Result<Operator, OnnxError> {
    let list = |kind: &str| -> Result<Option<Elements>, OnnxError> {
        if let Some(tensor) = attributes.tensor(&format!("{kind}_tensor"))? {
            return Ok(Some(tensor.elements));
        }
        let (words, ints) = (
            attributes.texts(&format!("{kind}_strings"))?,
            attributes.ints(&format!("{kind}_int64s")),
        );
        let floats = attributes.floats(&format!("{kind}_floats"));
        Ok(
            match (words.is_empty(), ints.is_empty(), floats.is_empty()) {
                (false, ..) => Some(Elements::Text(words)),
                (_, false, _) => Some(Elements::Int(ints.to_vec())),
                (.., false) => Some(Elements::Float(floats.to_vec())),
                _ => None,
            },
        )
    };
    let (Some(keys), Some(values)) = (list("keys")?, list("values")?) else {
        return Err(refuse(attributes, "has no keys and values"));
    };
    if keys.len() != values.len() {
        return Err(refuse(
            attributes,
            "has keys and values of different number",
        ));
    }
    let given = attributes
        .tensor("default_tensor")?
        .map(|tensor| tensor.elements);
    let default = match (given, &values) {
        (Some(default), _) if default.len() == 1 => default,
        (Some(_), _) => return Err(refuse(attributes, "has more than one default")),
        (None, Elements::Text(_)) => Elements::Text(vec![
            attributes
                .text("default_string")?
                .unwrap_or_else(|| "_Unused".to_owned()),
        ]),
        (None, Elements::Int(_)) => {
            Elements::Int(vec![attributes.int("default_int64").unwrap_or(-1)])
        }
        (None, Elements::Float(_)) => {
            Elements::Float(vec![attributes.float("default_float").unwrap_or(-0.0)])
        }
        (None, Elements::Double(_)) => Elements::Double(vec![
            attributes.float("default_float").map_or(-0.0, f64::from),
        ]),
        (None, Elements::Bool(_)) => {
            return Err(refuse(
                attributes,
                "gives truth values, which is not supported",
            ));
        }
    };
    let places = (0..keys.len()).map(|idx| (key(&keys, idx), idx)).collect();
    Ok(Operator::Labels {
        keys: places,
        values,
        default,
    })
}

impl Operator {
    /// Runs the operator on its inputs; an input left out is `None`.
    pub(super) fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, String> {
        if let Self::Concat(axis) = self {
            let tensors: Vec<&Tensor> = inputs
                .iter()
                .copied()
                .collect::<Option<_>>()
                .ok_or("an input is missing")?;
            return Ok(vec![concat(&tensors, *axis)?]);
        }
        if let Self::Constant(tensor) = self {
            return Ok(vec![tensor.clone()]);
        }
        let first = input(inputs, 0)?;
        let made = match self {
            Self::Same => first.clone(),
            Self::Cast(to) => cast(first, *to)?,
            Self::Trees(trees) => return trees.run(first),
            Self::Linear(linear) => return linear.run(first),
            Self::Scaler { offset, scale } => scaled(first, offset, scale)?,
            Self::Imputer { imputed, replaced } => imputed_in(first, imputed, *replaced)?,
            Self::OneHot { categories, zeros } => encoded(first, categories, *zeros)?,
            Self::Labels {
                keys,
                values,
                default,
            } => looked_up(first, keys, values, default)?,
            Self::Normalizer(norm) => normalized(first, *norm)?,
            Self::Vectorizer => vectorized(inputs)?,
            Self::Extractor => extracted(first, input(inputs, 1)?)?,
            Self::Binarizer(threshold) => binarized(first, *threshold)?,
            Self::Reshape => reshape(first, &ints(input(inputs, 1)?)?)?,
            Self::Flatten(axis) => flatten(first, *axis)?,
            Self::Squeeze(axes) => squeeze(first, &axes_of(axes, inputs)?)?,
            Self::Unsqueeze(axes) => unsqueeze(first, &axes_of(axes, inputs)?)?,
            Self::Transpose => transpose(first)?,
            Self::Gather(axis) => gather(first, input(inputs, 1)?, *axis)?,
            Self::MatMul => matmul(first, input(inputs, 1)?)?,
            Self::Sum => (1..inputs.len()).try_fold(first.clone(), |sum, idx| {
                binary(Binary::Add, &sum, input(inputs, idx)?)
            })?,
            Self::Clip { low, high } => {
                clip(first, bound(inputs, 1, *low), bound(inputs, 2, *high))?
            }
            Self::Gemm {
                alpha,
                beta,
                transposed,
            } => {
                let added = inputs.get(2).copied().flatten();
                gemm(
                    [first, input(inputs, 1)?],
                    added,
                    [*alpha, *beta],
                    *transposed,
                )?
            }
            Self::Softmax(axis) => softmax(first, *axis)?,
            Self::ArgMax { axis, keep } => argmax(first, *axis, *keep)?,
            Self::Unary(unary) => unary.apply(first)?,
            Self::Binary(operation) => binary(*operation, first, input(inputs, 1)?)?,
            Self::Concat(_) | Self::Constant(_) => unreachable!("handled above"),
        };
        Ok(vec![made])
    }

    /// Returns the names of the classes that it tells apart.
    pub(super) fn class_names(&self) -> Vec<String> {
        match self {
            Self::Trees(trees) => trees.class_names(),
            Self::Linear(linear) => linear.class_names(),
            _ => Vec::new(),
        }
    }
}

fn input<'t>(inputs: &[Option<&'t Tensor>], idx: usize) -> Result<&'t Tensor, String> {
    inputs
        .get(idx)
        .copied()
        .flatten()
        .ok_or_else(|| format!("input {idx} is missing"))
}

fn cast(tensor: &Tensor, to: ElementType) -> Result<Tensor, String> {
    let elements = tensor
        .elements
        .cast(to)
        .ok_or("a value cannot be read as the type asked for")?;
    Ok(Tensor {
        shape: tensor.shape.clone(),
        elements,
    })
}

/// Puts the columns of all inputs side by side, as 32-bit numbers (`FeatureVectorizer`).
fn vectorized(inputs: &[Option<&Tensor>]) -> Result<Tensor, String> {
    let floats: Vec<Tensor> = (0..inputs.len())
        .map(|idx| float_matrix(input(inputs, idx)?))
        .collect::<Result<_, String>>()?;
    concat(&floats.iter().collect::<Vec<_>>(), 1)
}

/// Picks columns by their positions (`ArrayFeatureExtractor`).
fn extracted(tensor: &Tensor, indices: &Tensor) -> Result<Tensor, String> {
    let last = i64::try_from(tensor.shape.len().max(1)).unwrap_or(1) - 1;
    let flat = Tensor {
        shape: vec![indices.elements.len()],
        elements: indices.elements.clone(),
    };
    // A vector is one row.
    let row = if tensor.shape.len() == 1 {
        reshape(tensor, &[1, tensor.width() as i64])?
    } else {
        tensor.clone()
    };
    gather(&row, &flat, last.max(1))
}

/// Gives 1 for values above the threshold and 0 for all others.
fn binarized(tensor: &Tensor, threshold: f32) -> Result<Tensor, String> {
    let matrix = floats(tensor)?;
    let elements = Elements::Float(
        matrix
            .iter()
            .map(|value| f32::from(u8::from(*value > threshold)))
            .collect(),
    );
    Ok(Tensor {
        shape: tensor.shape.clone(),
        elements,
    })
}

/// Returns a bound of `Clip`: bounds are settings before version 11, inputs since.
fn bound(inputs: &[Option<&Tensor>], idx: usize, setting: Option<f32>) -> Option<Tensor> {
    let own = setting.map(|value| Tensor {
        shape: vec![],
        elements: Elements::Float(vec![value]),
    });
    inputs.get(idx).copied().flatten().cloned().or(own)
}

fn float_matrix(tensor: &Tensor) -> Result<Tensor, String> {
    let (n_rows, n_columns) = tensor.rows_and_columns();
    Ok(Tensor {
        shape: vec![n_rows, n_columns],
        elements: Elements::Float(floats(tensor)?),
    })
}

fn ints(tensor: &Tensor) -> Result<Vec<i64>, String> {
    match &tensor.elements {
        Elements::Int(values) => Ok(values.clone()),
        _ => Err("takes whole numbers as its second input".to_owned()),
    }
}

/// Axes are a setting before version 13, an input since.
fn axes_of(axes: &[i64], inputs: &[Option<&Tensor>]) -> Result<Vec<i64>, String> {
    inputs
        .get(1)
        .copied()
        .flatten()
        .map_or_else(|| Ok(axes.to_vec()), ints)
}

/// Multiplies two matrices, turned where asked for, and adds a third.
fn gemm(
    factors: [&Tensor; 2],
    added: Option<&Tensor>,
    [alpha, beta]: [f32; 2],
    turned: [bool; 2],
) -> Result<Tensor, String> {
    let side = |idx: usize| {
        if turned[idx] {
            transpose(factors[idx])
        } else {
            Ok(factors[idx].clone())
        }
    };
    let scale = |tensor: &Tensor, by: f32| match by {
        1.0 => Ok(tensor.clone()),
        _ => binary(
            Binary::Mul,
            tensor,
            &Tensor {
                shape: vec![],
                elements: Elements::Float(vec![by]),
            },
        ),
    };
    let product = scale(&matmul(&side(0)?, &side(1)?)?, alpha)?;
    match added {
        Some(added) => binary(Binary::Add, &product, &scale(added, beta)?),
        None => Ok(product),
    }
}

/// Keeps values within bounds; a side without one is open.
fn clip(tensor: &Tensor, low: Option<Tensor>, high: Option<Tensor>) -> Result<Tensor, String> {
    let raised = low.map_or_else(
        || Ok(tensor.clone()),
        |low| binary(Binary::Max, tensor, &low),
    )?;
    high.map_or_else(
        || Ok(raised.clone()),
        |high| binary(Binary::Min, &raised, &high),
    )
}
