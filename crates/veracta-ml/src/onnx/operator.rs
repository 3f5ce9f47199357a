//! The operators that are read: those of `ai.onnx.ml` that scikit-learn's pipelines export, and the tensor operators between them.

use std::collections::HashMap;

use super::arithmetic::{Binary, Unary, argmax, binary, concat, flatten, gather, matmul, reshape, softmax, squeeze, transpose, unsqueeze};
use super::attributes::Attributes;
use super::proto::NodeProto;
use super::tensor::{ElementType, Elements, Tensor};
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

/// What a label encoder looks up: numbers by their bits, so that NaN is itself and minus zero is zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Text(String),
    Int(i64),
    Float(u64),
}

/// What a row is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Norm {
    Max,
    L1,
    L2,
}

/// What is done to scores at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PostTransform {
    None,
    Softmax,
    SoftmaxZero,
    Logistic,
}

/// Labels of classes.
#[derive(Debug, Clone)]
pub(super) enum ClassLabels {
    Text(Vec<String>),
    Int(Vec<i64>),
}

/// A linear classifier or regressor: `n_outputs` rows of coefficients.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    labels: Option<ClassLabels>,
    post_transform: PostTransform,
}

impl PostTransform {
    /// Returns the transformed scores of a row.
    pub(super) fn apply(self, scores: &[f64]) -> Vec<f64> {
        match self {
            Self::None => scores.to_vec(),
            Self::Logistic => scores.iter().map(|score| 1.0 / (1.0 + (-score).exp())).collect(),
            Self::Softmax | Self::SoftmaxZero => {
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let power = |score: &f64| match self {
                    Self::SoftmaxZero if score.abs() <= 1e-7 => 0.0,
                    _ => (score - largest).exp(),
                };
                let powers: Vec<f64> = scores.iter().map(power).collect();
                let total: f64 = powers.iter().sum();
                powers.iter().map(|power| power / total).collect()
            }
        }
    }
}

impl ClassLabels {
    pub(super) fn read(attributes: &Attributes<'_>, text: &str, int: &str) -> Result<Option<Self>, OnnxError> {
        let (words, numbers) = (attributes.texts(text)?, attributes.ints(int));
        Ok(match (words.is_empty(), numbers.is_empty()) {
            (false, _) => Some(Self::Text(words)),
            (true, false) => Some(Self::Int(numbers.to_vec())),
            (true, true) => None,
        })
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(labels) => labels.len(),
            Self::Int(labels) => labels.len(),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Text(labels) => labels.clone(),
            Self::Int(labels) => labels.iter().map(ToString::to_string).collect(),
        }
    }

    /// Returns the labels at these positions.
    pub(super) fn gather(&self, positions: &[usize]) -> Elements {
        match self {
            Self::Text(labels) => Elements::Text(labels.clone()).gather(positions),
            Self::Int(labels) => Elements::Int(labels.clone()).gather(positions),
        }
    }
}

/// Reads an operator.
pub(super) fn read(node: &NodeProto, version: i64) -> Result<Operator, OnnxError> {
    let attributes = Attributes::new(node, version);
    let found = match node.domain.as_str() {
        "ai.onnx.ml" => read_learned(node, &attributes)?,
        "" | "ai.onnx" => read_tensor(node, &attributes, version)?,
        _ => None,
    };
    found.ok_or_else(|| OnnxError::Unsupported { what: format!("the operator {}", attributes.title) })
}

/// Reads an operator of `ai.onnx.ml`.
fn read_learned(node: &NodeProto, attributes: &Attributes<'_>) -> Result<Option<Operator>, OnnxError> {
    Ok(Some(match node.op_type.as_str() {
        "ZipMap" => Operator::Same,
        "Scaler" => Operator::Scaler { offset: attributes.floats("offset").to_vec(), scale: attributes.floats("scale").to_vec() },
        "Imputer" => imputer(attributes)?,
        "OneHotEncoder" => one_hot(attributes)?,
        "LabelEncoder" => label_encoder(attributes)?,
        "Normalizer" => Operator::Normalizer(match attributes.text("norm")?.as_deref() {
            None | Some("MAX") => Norm::Max,
            Some("L1") => Norm::L1,
            Some("L2") => Norm::L2,
            Some(other) => return Err(refuse(attributes, &format!("divides by norm {other}, which is not known"))),
        }),
        "LinearClassifier" => Operator::Linear(Box::new(linear(attributes, true)?)),
        "LinearRegressor" => Operator::Linear(Box::new(linear(attributes, false)?)),
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
fn read_tensor(node: &NodeProto, attributes: &Attributes<'_>, version: i64) -> Result<Option<Operator>, OnnxError> {
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
            let to = attributes.int("to").and_then(|number| ElementType::numbered(i32::try_from(number).ok()?));
            Operator::Cast(to.ok_or_else(|| refuse(attributes, "casts to a type that is not supported"))?)
        }
        "Concat" => Operator::Concat(attributes.int("axis").unwrap_or(0)),
        "Reshape" => Operator::Reshape,
        "Flatten" => Operator::Flatten(attributes.int("axis").unwrap_or(1)),
        "Squeeze" => Operator::Squeeze(attributes.ints("axes").to_vec()),
        "Unsqueeze" => Operator::Unsqueeze(attributes.ints("axes").to_vec()),
        "Transpose" if matches!(attributes.ints("perm"), [] | [1, 0]) => Operator::Transpose,
        "Gather" => Operator::Gather(attributes.int("axis").unwrap_or(0)),
        "MatMul" => Operator::MatMul,
        "Gemm" => {
            let flag = |name| attributes.int(name).unwrap_or(0) != 0;
            let number = |name| attributes.float(name).unwrap_or(1.0);
            Operator::Gemm { alpha: number("alpha"), beta: number("beta"), transposed: [flag("transA"), flag("transB")] }
        }
        // Before version 13 the default axis was 1, and later ones were taken together with it.
        "Softmax" => Operator::Softmax(attributes.int("axis").unwrap_or(if version < 13 { 1 } else { -1 })),
        "ArgMax" if attributes.int("select_last_index").unwrap_or(0) == 0 => {
            Operator::ArgMax { axis: attributes.int("axis").unwrap_or(0), keep: attributes.int("keepdims").unwrap_or(1) != 0 }
        }
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
        return Err(refuse(attributes, "has a value of a type that is not supported"));
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
        _ => attributes.float("replaced_value_float").map(f64::from).or(Some(0.0)),
    };
    // NaN is found by not being equal to itself.
    Ok(Operator::Imputer { imputed, replaced: replaced.filter(|value| !value.is_nan()) })
}

fn one_hot(attributes: &Attributes<'_>) -> Result<Operator, OnnxError> {
    let (words, numbers) = (attributes.texts("cats_strings")?, attributes.ints("cats_int64s"));
    let categories = match (words.is_empty(), numbers.is_empty()) {
        (false, true) => Elements::Text(words),
        (true, false) => Elements::Int(numbers.to_vec()),
        _ => return Err(refuse(attributes, "has no categories, or two kinds of them")),
    };
    Ok(Operator::OneHot { categories, zeros: attributes.int("zeros").unwrap_or(1) != 0 })
}

fn label_encoder(attributes: &Attributes<'_>) -> Result<Operator, OnnxError> {
    let list = |kind: &str| -> Result<Option<Elements>, OnnxError> {
        if let Some(tensor) = attributes.tensor(&format!("{kind}_tensor"))? {
            return Ok(Some(tensor.elements));
        }
        let (words, ints) = (attributes.texts(&format!("{kind}_strings"))?, attributes.ints(&format!("{kind}_int64s")));
        let floats = attributes.floats(&format!("{kind}_floats"));
        Ok(match (words.is_empty(), ints.is_empty(), floats.is_empty()) {
            (false, ..) => Some(Elements::Text(words)),
            (_, false, _) => Some(Elements::Int(ints.to_vec())),
            (.., false) => Some(Elements::Float(floats.to_vec())),
            _ => None,
        })
    };
    let (Some(keys), Some(values)) = (list("keys")?, list("values")?) else {
        return Err(refuse(attributes, "has no keys and values"));
    };
    if keys.len() != values.len() {
        return Err(refuse(attributes, "has keys and values of different number"));
    }
    let given = attributes.tensor("default_tensor")?.map(|tensor| tensor.elements);
    let default = match (given, &values) {
        (Some(default), _) if default.len() == 1 => default,
        (Some(_), _) => return Err(refuse(attributes, "has more than one default")),
        (None, Elements::Text(_)) => Elements::Text(vec![attributes.text("default_string")?.unwrap_or_else(|| "_Unused".to_owned())]),
        (None, Elements::Int(_)) => Elements::Int(vec![attributes.int("default_int64").unwrap_or(-1)]),
        (None, Elements::Float(_)) => Elements::Float(vec![attributes.float("default_float").unwrap_or(-0.0)]),
        (None, Elements::Double(_)) => Elements::Double(vec![attributes.float("default_float").map_or(-0.0, f64::from)]),
        (None, Elements::Bool(_)) => return Err(refuse(attributes, "gives truth values, which is not supported")),
    };
    let places = (0..keys.len()).map(|idx| (key(&keys, idx), idx)).collect();
    Ok(Operator::Labels { keys: places, values, default })
}

fn key(elements: &Elements, idx: usize) -> Key {
    let number = |value: f64| Key::Float(if value.is_nan() { f64::NAN } else { value + 0.0 }.to_bits());
    match elements {
        Elements::Text(values) => Key::Text(values[idx].clone()),
        Elements::Int(values) => Key::Int(values[idx]),
        Elements::Float(values) => number(f64::from(values[idx])),
        Elements::Double(values) => number(values[idx]),
        Elements::Bool(values) => Key::Int(i64::from(values[idx])),
    }
}

fn linear(attributes: &Attributes<'_>, is_classifier: bool) -> Result<Linear, OnnxError> {
    let coefficients = attributes.floats("coefficients").to_vec();
    let mut intercepts = attributes.floats("intercepts").to_vec();
    let labels = if is_classifier { ClassLabels::read(attributes, "classlabels_strings", "classlabels_ints")? } else { None };
    let n_outputs = match (is_classifier, intercepts.len()) {
        (true, 0) => labels.as_ref().map_or(1, ClassLabels::len),
        (true, n) => n,
        (false, _) => attributes.count("targets")?,
    };
    if intercepts.is_empty() {
        intercepts = vec![0.0; n_outputs];
    }
    if coefficients.is_empty() || !coefficients.len().is_multiple_of(n_outputs) || intercepts.len() != n_outputs {
        return Err(refuse(attributes, "has coefficients that are not whole rows with one intercept each"));
    }
    if labels.as_ref().is_some_and(|labels| labels.len() != n_outputs.max(2)) {
        return Err(refuse(attributes, "has another number of labels than of scores"));
    }
    Ok(Linear { coefficients, intercepts, labels, post_transform: attributes.post_transform()? })
}

impl Operator {
    /// Runs the operator on its inputs; an input left out is `None`.
    pub(super) fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, String> {
        let input = |idx: usize| inputs.get(idx).copied().flatten().ok_or_else(|| format!("input {idx} is missing"));
        if let Self::Concat(axis) = self {
            let tensors: Vec<&Tensor> = inputs.iter().copied().collect::<Option<_>>().ok_or("an input is missing")?;
            return Ok(vec![concat(&tensors, *axis)?]);
        }
        if let Self::Constant(tensor) = self {
            return Ok(vec![tensor.clone()]);
        }
        let first = input(0)?;
        let made = match self {
            Self::Same => first.clone(),
            Self::Cast(to) => {
                let elements = first.elements.cast(*to).ok_or("a value cannot be read as the type asked for")?;
                Tensor { shape: first.shape.clone(), elements }
            }
            Self::Trees(trees) => return trees.run(first),
            Self::Linear(linear) => return linear.run(first),
            Self::Scaler { offset, scale } => scaled(first, offset, scale)?,
            Self::Imputer { imputed, replaced } => imputed_in(first, imputed, *replaced)?,
            Self::OneHot { categories, zeros } => encoded(first, categories, *zeros)?,
            Self::Labels { keys, values, default } => looked_up(first, keys, values, default)?,
            Self::Normalizer(norm) => normalized(first, *norm)?,
            Self::Vectorizer => {
                let floats: Vec<Tensor> = (0..inputs.len()).map(|idx| float_matrix(input(idx)?)).collect::<Result<_, String>>()?;
                concat(&floats.iter().collect::<Vec<_>>(), 1)?
            }
            Self::Extractor => {
                let last = i64::try_from(first.shape.len().max(1)).unwrap_or(1) - 1;
                let indices = input(1)?;
                let flat = Tensor { shape: vec![indices.elements.len()], elements: indices.elements.clone() };
                // A vector is one row.
                let row = if first.shape.len() == 1 { reshape(first, &[1, first.width() as i64])? } else { first.clone() };
                gather(&row, &flat, last.max(1))?
            }
            Self::Binarizer(threshold) => {
                let matrix = floats(first)?;
                let elements = Elements::Float(matrix.iter().map(|value| f32::from(u8::from(value > threshold))).collect());
                Tensor { shape: first.shape.clone(), elements }
            }
            Self::Reshape => reshape(first, &ints(input(1)?)?)?,
            Self::Flatten(axis) => flatten(first, *axis)?,
            Self::Squeeze(axes) => squeeze(first, &axes_of(axes, inputs)?)?,
            Self::Unsqueeze(axes) => unsqueeze(first, &axes_of(axes, inputs)?)?,
            Self::Transpose => transpose(first)?,
            Self::Gather(axis) => gather(first, input(1)?, *axis)?,
            Self::MatMul => matmul(first, input(1)?)?,
            Self::Gemm { alpha, beta, transposed } => {
                let turned = |tensor: &Tensor, turn: bool| if turn { transpose(tensor) } else { Ok(tensor.clone()) };
                let product = matmul(&turned(first, transposed[0])?, &turned(input(1)?, transposed[1])?)?;
                let scale = |tensor: &Tensor, by: f32| match by {
                    1.0 => Ok(tensor.clone()),
                    _ => binary(Binary::Mul, tensor, &Tensor { shape: vec![], elements: Elements::Float(vec![by]) }),
                };
                let product = scale(&product, *alpha)?;
                match inputs.get(2).copied().flatten() {
                    Some(added) => binary(Binary::Add, &product, &scale(added, *beta)?)?,
                    None => product,
                }
            }
            Self::Softmax(axis) => softmax(first, *axis)?,
            Self::ArgMax { axis, keep } => argmax(first, *axis, *keep)?,
            Self::Unary(unary) => unary.apply(first)?,
            Self::Binary(operation) => binary(*operation, first, input(1)?)?,
            Self::Concat(_) | Self::Constant(_) => unreachable!("handled above"),
        };
        Ok(vec![made])
    }

    /// Returns the names of the classes that it tells apart.
    pub(super) fn class_names(&self) -> Vec<String> {
        match self {
            Self::Trees(trees) => trees.class_names(),
            Self::Linear(linear) => linear.labels.as_ref().map(ClassLabels::names).unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

impl Linear {
    fn run(&self, input: &Tensor) -> Result<Vec<Tensor>, String> {
        let (n_rows, n_columns) = input.rows_and_columns();
        let n_outputs = self.intercepts.len();
        if self.coefficients.len() != n_outputs * n_columns {
            return Err(format!("has {} coefficients an output, and a row {n_columns} values", self.coefficients.len() / n_outputs));
        }
        let values = floats(input)?;
        let (mut scores, mut picked) = (Vec::with_capacity(n_rows * n_outputs), Vec::with_capacity(n_rows));
        for row in values.chunks(n_columns.max(1)) {
            let score = |output: usize| {
                let coefficients = &self.coefficients[output * n_columns..(output + 1) * n_columns];
                f64::from(row.iter().zip(coefficients).map(|(x, b)| x * b).sum::<f32>() + self.intercepts[output])
            };
            let row: Vec<f64> = (0..n_outputs).map(score).collect();
            if self.labels.is_some() && n_outputs == 1 {
                picked.push(usize::from(row[0] > 0.0));
                // ONNX Runtime gives the other class the rest of the score, whatever the transform.
                scores.extend([1.0 - row[0], row[0]]);
                continue;
            }
            picked.push((0..n_outputs).reduce(|best, idx| if row[idx] > row[best] { idx } else { best }).unwrap_or(0));
            scores.extend(self.post_transform.apply(&row));
        }
        let scores: Vec<f32> = scores.into_iter().map(|score| score as f32).collect();
        let scores = Tensor { shape: vec![n_rows, scores.len() / n_rows.max(1)], elements: Elements::Float(scores) };
        Ok(match &self.labels {
            Some(labels) => vec![Tensor { shape: vec![n_rows], elements: labels.gather(&picked) }, scores],
            None => vec![scores],
        })
    }
}

/// Returns numbers as 32-bit ones, which the operators of `ai.onnx.ml` work in.
fn floats(tensor: &Tensor) -> Result<Vec<f32>, String> {
    match tensor.elements.cast(ElementType::Float) {
        Some(Elements::Float(values)) if !matches!(tensor.elements, Elements::Text(_)) => Ok(values),
        _ => Err("takes numbers and is given text".to_owned()),
    }
}

fn float_matrix(tensor: &Tensor) -> Result<Tensor, String> {
    let (n_rows, n_columns) = tensor.rows_and_columns();
    Ok(Tensor { shape: vec![n_rows, n_columns], elements: Elements::Float(floats(tensor)?) })
}

fn ints(tensor: &Tensor) -> Result<Vec<i64>, String> {
    match &tensor.elements {
        Elements::Int(values) => Ok(values.clone()),
        _ => Err("takes whole numbers as its second input".to_owned()),
    }
}

/// Axes are a setting before version 13, an input since.
fn axes_of(axes: &[i64], inputs: &[Option<&Tensor>]) -> Result<Vec<i64>, String> {
    inputs.get(1).copied().flatten().map_or_else(|| Ok(axes.to_vec()), ints)
}

/// Returns entry `column` of a list that holds one for all columns or one each.
fn of_column<T: Copy>(list: &[T], column: usize, n_columns: usize) -> Result<T, String> {
    match list.len() {
        1 => Ok(list[0]),
        n if n == n_columns => Ok(list[column]),
        n => Err(format!("holds {n} numbers for {n_columns} columns")),
    }
}

fn scaled(input: &Tensor, offset: &[f32], scale: &[f32]) -> Result<Tensor, String> {
    let width = input.width();
    let scaled = |(idx, value): (usize, &f32)| Ok((value - of_column(offset, idx % width, width)?) * of_column(scale, idx % width, width)?);
    let elements = floats(input)?.iter().enumerate().map(scaled).collect::<Result<Vec<f32>, String>>()?;
    Ok(Tensor { shape: input.shape.clone(), elements: Elements::Float(elements) })
}

fn imputed_in(input: &Tensor, imputed: &Elements, replaced: Option<f64>) -> Result<Tensor, String> {
    let width = input.width();
    let is_replaced = |value: f64| replaced.map_or(value.is_nan(), |replaced| value == replaced);
    let elements = match (&input.elements, imputed) {
        (Elements::Int(values), Elements::Int(imputed)) => {
            let fill = |(idx, value): (usize, &i64)| match is_replaced(*value as f64) {
                true => of_column(imputed, idx % width, width),
                false => Ok(*value),
            };
            Elements::Int(values.iter().enumerate().map(fill).collect::<Result<_, String>>()?)
        }
        (_, Elements::Float(imputed)) => {
            let fill = |(idx, value): (usize, &f32)| match is_replaced(f64::from(*value)) {
                true => of_column(imputed, idx % width, width),
                false => Ok(*value),
            };
            Elements::Float(floats(input)?.iter().enumerate().map(fill).collect::<Result<_, String>>()?)
        }
        _ => return Err("puts whole numbers into a column of another type".to_owned()),
    };
    Ok(Tensor { shape: input.shape.clone(), elements })
}

fn encoded(input: &Tensor, categories: &Elements, zeros: bool) -> Result<Tensor, String> {
    let n_categories = categories.len();
    let known: HashMap<Key, usize> = (0..n_categories).map(|idx| (key(categories, idx), idx)).collect();
    let read = match (&input.elements, categories) {
        (Elements::Text(_), Elements::Text(_)) | (Elements::Int(_), Elements::Int(_)) => input.elements.clone(),
        (Elements::Float(_) | Elements::Double(_), Elements::Int(_)) => {
            input.elements.cast(ElementType::Int).ok_or("a category is not a whole number")?
        }
        _ => return Err("encodes categories of another type than its input".to_owned()),
    };
    let n = read.len();
    let mut shape = input.shape.clone();
    shape.push(n_categories);
    let n_elements = n.checked_mul(n_categories).filter(|n| *n <= super::tensor::ELEMENTS_MAX).ok_or("makes too many columns")?;
    let mut values = vec![0f32; n_elements];
    for idx in 0..n {
        match known.get(&key(&read, idx)) {
            Some(category) => values[idx * n_categories + category] = 1.0,
            None if zeros => {}
            // The value itself may be personal data.
            None => return Err(format!("value {} is a category that the model does not know", idx + 1)),
        }
    }
    Ok(Tensor { shape, elements: Elements::Float(values) })
}

fn looked_up(input: &Tensor, keys: &HashMap<Key, usize>, values: &Elements, default: &Elements) -> Result<Tensor, String> {
    let places: Vec<Option<usize>> = (0..input.elements.len()).map(|idx| keys.get(&key(&input.elements, idx)).copied()).collect();
    fn pick<T: Clone>(places: &[Option<usize>], values: &[T], default: &T) -> Vec<T> {
        places.iter().map(|place| place.map_or_else(|| default.clone(), |place| values[place].clone())).collect()
    }
    let elements = match (values, default) {
        (Elements::Text(values), Elements::Text(default)) => Elements::Text(pick(&places, values, &default[0])),
        (Elements::Int(values), Elements::Int(default)) => Elements::Int(pick(&places, values, &default[0])),
        (Elements::Float(values), Elements::Float(default)) => Elements::Float(pick(&places, values, &default[0])),
        (Elements::Double(values), Elements::Double(default)) => Elements::Double(pick(&places, values, &default[0])),
        _ => return Err("has a default of another type than its values".to_owned()),
    };
    Ok(Tensor { shape: input.shape.clone(), elements })
}

fn normalized(input: &Tensor, norm: Norm) -> Result<Tensor, String> {
    let width = input.width().max(1);
    let mut values = floats(input)?;
    for row in values.chunks_mut(width) {
        let size = match norm {
            // ONNX Runtime divides by the largest value, not by the largest size.
            Norm::Max => row.iter().copied().fold(f32::MIN, f32::max),
            Norm::L1 => row.iter().map(|value| value.abs()).sum(),
            Norm::L2 => row.iter().map(|value| value * value).sum::<f32>().sqrt(),
        };
        if size != 0.0 {
            row.iter_mut().for_each(|value| *value /= size);
        }
    }
    Ok(Tensor { shape: input.shape.clone(), elements: Elements::Float(values) })
}
