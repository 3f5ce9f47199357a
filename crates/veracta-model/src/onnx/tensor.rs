//! Tensors that a graph passes from operator to operator.

use std::str::FromStr;

use super::proto::TensorProto;

/// Most elements of a tensor: 2^26 64-bit numbers take 512 MiB.
pub(super) const ELEMENTS_MAX: usize = 1 << 26;

/// Element types of ONNX that are read, by their number in `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementType {
    Float,
    Double,
    Int,
    Text,
    Bool,
}

/// Elements of one type, the last dimension varying fastest.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Elements {
    Float(Vec<f32>),
    Double(Vec<f64>),
    Int(Vec<i64>),
    Text(Vec<String>),
    Bool(Vec<bool>),
}

/// A tensor; the product of its extents is the number of its elements.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) elements: Elements,
}

impl ElementType {
    /// Returns the type with this number; 32-bit whole numbers are held in 64 bits.
    pub(super) fn numbered(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Float),
            2 | 3 | 5 | 6 | 7 => Some(Self::Int),
            8 => Some(Self::Text),
            9 => Some(Self::Bool),
            11 => Some(Self::Double),
            _ => None,
        }
    }
}

impl Elements {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Bool(values) => values.len(),
        }
    }

    /// Returns the elements at these positions.
    pub(super) fn gather(&self, positions: &[usize]) -> Self {
        fn pick<T: Clone>(values: &[T], positions: &[usize]) -> Vec<T> {
            positions
                .iter()
                .map(|position| values[*position].clone())
                .collect()
        }
        match self {
            Self::Float(values) => Self::Float(pick(values, positions)),
            Self::Double(values) => Self::Double(pick(values, positions)),
            Self::Int(values) => Self::Int(pick(values, positions)),
            Self::Text(values) => Self::Text(pick(values, positions)),
            Self::Bool(values) => Self::Bool(pick(values, positions)),
        }
    }

    /// Returns the elements as this type, as the operator Cast has it; `None` when one cannot be.
    pub(super) fn cast(&self, to: ElementType) -> Option<Self> {
        Some(match to {
            ElementType::Float => Self::Float(self.to_floats()?),
            ElementType::Double => Self::Double(self.to_doubles()?),
            ElementType::Int => Self::Int(self.to_ints()?),
            ElementType::Text => Self::Text(self.to_texts()?),
            ElementType::Bool => Self::Bool(self.to_bools()?),
        })
    }

    fn to_floats(&self) -> Option<Vec<f32>> {
        Some(match self {
            Self::Float(values) => values.clone(),
            Self::Double(values) => values.iter().map(|value| *value as f32).collect(),
            Self::Int(values) => values.iter().map(|value| *value as f32).collect(),
            Self::Text(values) => return parsed(values),
            Self::Bool(values) => values
                .iter()
                .map(|value| f32::from(u8::from(*value)))
                .collect(),
        })
    }

    fn to_doubles(&self) -> Option<Vec<f64>> {
        Some(match self {
            Self::Float(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::Double(values) => values.clone(),
            Self::Int(values) => values.iter().map(|value| *value as f64).collect(),
            Self::Text(values) => return parsed(values),
            Self::Bool(values) => values
                .iter()
                .map(|value| f64::from(u8::from(*value)))
                .collect(),
        })
    }

    fn to_ints(&self) -> Option<Vec<i64>> {
        Some(match self {
            Self::Float(values) => values.iter().map(|value| *value as i64).collect(),
            Self::Double(values) => values.iter().map(|value| *value as i64).collect(),
            Self::Int(values) => values.clone(),
            Self::Text(values) => return parsed(values),
            Self::Bool(values) => values.iter().map(|value| i64::from(*value)).collect(),
        })
    }

    fn to_texts(&self) -> Option<Vec<String>> {
        match self {
            Self::Int(values) => Some(values.iter().map(ToString::to_string).collect()),
            Self::Text(values) => Some(values.clone()),
            Self::Float(_) | Self::Double(_) | Self::Bool(_) => None,
        }
    }

    fn to_bools(&self) -> Option<Vec<bool>> {
        Some(match self {
            Self::Float(values) => values.iter().map(|value| *value != 0.0).collect(),
            Self::Double(values) => values.iter().map(|value| *value != 0.0).collect(),
            Self::Int(values) => values.iter().map(|value| *value != 0).collect(),
            Self::Text(_) => return None,
            Self::Bool(values) => values.clone(),
        })
    }
}

impl Tensor {
    /// Returns a tensor, or `None` when the shape does not hold these elements.
    pub(super) fn new(shape: Vec<usize>, elements: Elements) -> Option<Self> {
        let n = shape
            .iter()
            .try_fold(1usize, |n, extent| n.checked_mul(*extent))?;
        (n == elements.len() && n <= ELEMENTS_MAX).then_some(Self { shape, elements })
    }

    /// Returns the extent of the last dimension; 1 of a scalar.
    pub(super) fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Returns (rows, columns) when read as a matrix: a vector is one column.
    pub(super) fn rows_and_columns(&self) -> (usize, usize) {
        match self.shape.as_slice() {
            [] => (1, 1),
            [n] => (*n, 1),
            [n, rest @ ..] => (*n, rest.iter().product()),
        }
    }

    /// Reads a tensor of a file; the error says what is wrong with it.
    pub(super) fn read(proto: &TensorProto) -> Result<Self, String> {
        let refuse = |reason: &str| format!("tensor `{}` {reason}", proto.name);
        if proto.data_location != 0 {
            return Err(refuse("is stored in another file"));
        }
        let raw = proto.raw_data.as_slice();
        let elements = match proto.data_type {
            1 if !raw.is_empty() => Elements::Float(chunks(raw).map(f32::from_le_bytes).collect()),
            1 => Elements::Float(proto.float_data.clone()),
            11 if !raw.is_empty() => {
                Elements::Double(chunks(raw).map(f64::from_le_bytes).collect())
            }
            11 => Elements::Double(proto.double_data.clone()),
            7 if !raw.is_empty() => Elements::Int(chunks(raw).map(i64::from_le_bytes).collect()),
            7 => Elements::Int(proto.int64_data.clone()),
            6 if !raw.is_empty() => Elements::Int(
                chunks(raw)
                    .map(|bytes| i64::from(i32::from_le_bytes(bytes)))
                    .collect(),
            ),
            2 if !raw.is_empty() => {
                Elements::Int(raw.iter().map(|byte| i64::from(*byte)).collect())
            }
            3 if !raw.is_empty() => Elements::Int(
                raw.iter()
                    .map(|byte| i64::from(byte.cast_signed()))
                    .collect(),
            ),
            2 | 3 | 6 => Elements::Int(
                proto
                    .int32_data
                    .iter()
                    .map(|value| i64::from(*value))
                    .collect(),
            ),
            9 if !raw.is_empty() => Elements::Bool(raw.iter().map(|byte| *byte != 0).collect()),
            9 => Elements::Bool(proto.int32_data.iter().map(|value| *value != 0).collect()),
            8 => Elements::Text(text(&proto.string_data).ok_or_else(|| refuse("is not UTF-8"))?),
            other => return Err(refuse(&format!("has elements of type {other}"))),
        };
        let shape = proto
            .dims
            .iter()
            .map(|extent| usize::try_from(*extent))
            .collect::<Result<Vec<usize>, _>>();
        let shape = shape.map_err(|_| refuse("has a negative extent"))?;
        Self::new(shape, elements)
            .ok_or_else(|| refuse("has another number of elements than its shape says"))
    }
}

/// Reads words; `None` when one is not UTF-8.
pub(super) fn text(words: &[Vec<u8>]) -> Option<Vec<String>> {
    words
        .iter()
        .map(|word| String::from_utf8(word.clone()).ok())
        .collect()
}

/// Returns the numbers that words are; `None` when one is not a number.
fn parsed<T: FromStr>(words: &[String]) -> Option<Vec<T>> {
    words.iter().map(|word| word.parse().ok()).collect()
}

/// Returns whole groups of bytes; a rest is left out, which the shape then misses.
fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// Returns numbers as 32-bit ones, which the operators of `ai.onnx.ml` work in.
pub(super) fn floats(tensor: &Tensor) -> Result<Vec<f32>, String> {
    match tensor.elements.cast(ElementType::Float) {
        Some(Elements::Float(values)) if !matches!(tensor.elements, Elements::Text(_)) => {
            Ok(values)
        }
        _ => Err("takes numbers and is given text".to_owned()),
    }
}
