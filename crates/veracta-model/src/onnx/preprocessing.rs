//! The operators that prepare columns: scaling, imputing, encoding, looking up and normalising.

use std::collections::HashMap;

use super::tensor::{ElementType, Elements, Tensor, floats};

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

pub(super) fn key(elements: &Elements, idx: usize) -> Key {
    let number = |value: f64| {
        Key::Float(
            if value.is_nan() {
                f64::NAN
            } else {
                value + 0.0
            }
            .to_bits(),
        )
    };
    match elements {
        Elements::Text(values) => Key::Text(values[idx].clone()),
        Elements::Int(values) => Key::Int(values[idx]),
        Elements::Float(values) => number(f64::from(values[idx])),
        Elements::Double(values) => number(values[idx]),
        Elements::Bool(values) => Key::Int(i64::from(values[idx])),
    }
}

/// Returns entry `column` of a list that holds one for all columns or one each.
fn of_column<T: Copy>(list: &[T], column: usize, n_columns: usize) -> Result<T, String> {
    match list.len() {
        1 => Ok(list[0]),
        n if n == n_columns => Ok(list[column]),
        n => Err(format!("holds {n} numbers for {n_columns} columns")),
    }
}

pub(super) fn scaled(input: &Tensor, offset: &[f32], scale: &[f32]) -> Result<Tensor, String> {
    let width = input.width();
    let scaled =
        |(idx, value): (usize, &f32)| {
            Ok((value - of_column(offset, idx % width, width)?)
                * of_column(scale, idx % width, width)?)
        };
    let elements = floats(input)?
        .iter()
        .enumerate()
        .map(scaled)
        .collect::<Result<Vec<f32>, String>>()?;
    Ok(Tensor {
        shape: input.shape.clone(),
        elements: Elements::Float(elements),
    })
}

pub(super) fn imputed_in(
    input: &Tensor,
    imputed: &Elements,
    replaced: Option<f64>,
) -> Result<Tensor, String> {
    let width = input.width();
    let is_replaced = |value: f64| replaced.map_or(value.is_nan(), |replaced| value == replaced);
    let elements = match (&input.elements, imputed) {
        (Elements::Int(values), Elements::Int(imputed)) => {
            let fill = |(idx, value): (usize, &i64)| match is_replaced(*value as f64) {
                true => of_column(imputed, idx % width, width),
                false => Ok(*value),
            };
            Elements::Int(
                values
                    .iter()
                    .enumerate()
                    .map(fill)
                    .collect::<Result<_, String>>()?,
            )
        }
        (_, Elements::Float(imputed)) => {
            let fill = |(idx, value): (usize, &f32)| match is_replaced(f64::from(*value)) {
                true => of_column(imputed, idx % width, width),
                false => Ok(*value),
            };
            Elements::Float(
                floats(input)?
                    .iter()
                    .enumerate()
                    .map(fill)
                    .collect::<Result<_, String>>()?,
            )
        }
        _ => return Err("puts whole numbers into a column of another type".to_owned()),
    };
    Ok(Tensor {
        shape: input.shape.clone(),
        elements,
    })
}

pub(super) fn encoded(
    input: &Tensor,
    categories: &Elements,
    zeros: bool,
) -> Result<Tensor, String> {
    let n_categories = categories.len();
    let known: HashMap<Key, usize> = (0..n_categories)
        .map(|idx| (key(categories, idx), idx))
        .collect();
    let read = match (&input.elements, categories) {
        (Elements::Text(_), Elements::Text(_)) | (Elements::Int(_), Elements::Int(_)) => {
            input.elements.clone()
        }
        (Elements::Float(_) | Elements::Double(_), Elements::Int(_)) => input
            .elements
            .cast(ElementType::Int)
            .ok_or("a category is not a whole number")?,
        _ => return Err("encodes categories of another type than its input".to_owned()),
    };
    let n = read.len();
    let mut shape = input.shape.clone();
    shape.push(n_categories);
    let n_elements = n
        .checked_mul(n_categories)
        .filter(|n| *n <= super::tensor::ELEMENTS_MAX)
        .ok_or("makes too many columns")?;
    let mut values = vec![0f32; n_elements];
    for idx in 0..n {
        match known.get(&key(&read, idx)) {
            Some(category) => values[idx * n_categories + category] = 1.0,
            None if zeros => {}
            // The value itself may be personal data.
            None => {
                return Err(format!(
                    "value {} is a category that the model does not know",
                    idx + 1
                ));
            }
        }
    }
    Ok(Tensor {
        shape,
        elements: Elements::Float(values),
    })
}

pub(super) fn looked_up(
    input: &Tensor,
    keys: &HashMap<Key, usize>,
    values: &Elements,
    default: &Elements,
) -> Result<Tensor, String> {
    let places: Vec<Option<usize>> = (0..input.elements.len())
        .map(|idx| keys.get(&key(&input.elements, idx)).copied())
        .collect();
    fn pick<T: Clone>(places: &[Option<usize>], values: &[T], default: &T) -> Vec<T> {
        places
            .iter()
            .map(|place| place.map_or_else(|| default.clone(), |place| values[place].clone()))
            .collect()
    }
    let elements = match (values, default) {
        (Elements::Text(values), Elements::Text(default)) => {
            Elements::Text(pick(&places, values, &default[0]))
        }
        (Elements::Int(values), Elements::Int(default)) => {
            Elements::Int(pick(&places, values, &default[0]))
        }
        (Elements::Float(values), Elements::Float(default)) => {
            Elements::Float(pick(&places, values, &default[0]))
        }
        (Elements::Double(values), Elements::Double(default)) => {
            Elements::Double(pick(&places, values, &default[0]))
        }
        _ => return Err("has a default of another type than its values".to_owned()),
    };
    Ok(Tensor {
        shape: input.shape.clone(),
        elements,
    })
}

pub(super) fn normalized(input: &Tensor, norm: Norm) -> Result<Tensor, String> {
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
    Ok(Tensor {
        shape: input.shape.clone(),
        elements: Elements::Float(values),
    })
}
