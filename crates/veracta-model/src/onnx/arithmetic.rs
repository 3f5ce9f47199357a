//! The tensor operators between the learned ones. Shapes broadcast as NumPy's do.

use super::tensor::{ELEMENTS_MAX, Elements, Tensor};

/// An operator on each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Abs,
    Exp,
    Log,
    Neg,
    Not,
    Reciprocal,
    Relu,
    Sigmoid,
    Sqrt,
    Tanh,
}

/// An operator on pairs of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Max,
    Min,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Unary {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Abs" => Self::Abs,
            "Exp" => Self::Exp,
            "Log" => Self::Log,
            "Neg" => Self::Neg,
            "Not" => Self::Not,
            "Reciprocal" => Self::Reciprocal,
            "Relu" => Self::Relu,
            "Sigmoid" => Self::Sigmoid,
            "Sqrt" => Self::Sqrt,
            "Tanh" => Self::Tanh,
            _ => return None,
        })
    }

    fn number(self, x: f64) -> f64 {
        match self {
            Self::Abs => x.abs(),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Neg => -x,
            Self::Reciprocal => 1.0 / x,
            Self::Relu => x.max(0.0),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Sqrt => x.sqrt(),
            Self::Tanh => x.tanh(),
            Self::Not => f64::from(x == 0.0),
        }
    }

    pub(super) fn apply(self, tensor: &Tensor) -> Result<Tensor, String> {
        let elements = match &tensor.elements {
            Elements::Bool(values) if self == Self::Not => {
                Elements::Bool(values.iter().map(|value| !value).collect())
            }
            _ if self == Self::Not => {
                return Err("negates something else than truth values".to_owned());
            }
            Elements::Float(values) => Elements::Float(
                values
                    .iter()
                    .map(|value| self.number(f64::from(*value)) as f32)
                    .collect(),
            ),
            Elements::Double(values) => {
                Elements::Double(values.iter().map(|value| self.number(*value)).collect())
            }
            Elements::Int(values) if matches!(self, Self::Abs | Self::Neg) => Elements::Int(
                values
                    .iter()
                    .map(|value| {
                        if self == Self::Neg {
                            value.wrapping_neg()
                        } else {
                            value.wrapping_abs()
                        }
                    })
                    .collect(),
            ),
            Elements::Int(_) | Elements::Text(_) | Elements::Bool(_) => {
                return Err("takes floating-point numbers".to_owned());
            }
        };
        Ok(Tensor {
            shape: tensor.shape.clone(),
            elements,
        })
    }
}

impl Binary {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Add" => Self::Add,
            "Sub" => Self::Sub,
            "Mul" => Self::Mul,
            "Div" => Self::Div,
            "Pow" => Self::Pow,
            "Max" => Self::Max,
            "Min" => Self::Min,
            "Equal" => Self::Equal,
            "Less" => Self::Less,
            "LessOrEqual" => Self::LessOrEqual,
            "Greater" => Self::Greater,
            "GreaterOrEqual" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn compare<T: PartialOrd>(self, a: &T, b: &T) -> Option<bool> {
        Some(match self {
            Self::Equal => a == b,
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
            _ => return None,
        })
    }

    fn float(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Pow => a.powf(b),
            Self::Max => a.max(b),
            _ => a.min(b),
        }
    }

    fn double(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Pow => a.powf(b),
            Self::Max => a.max(b),
            _ => a.min(b),
        }
    }

    fn int(self, a: i64, b: i64) -> Option<i64> {
        Some(match self {
            Self::Add => a.wrapping_add(b),
            Self::Sub => a.wrapping_sub(b),
            Self::Mul => a.wrapping_mul(b),
            Self::Div => a.checked_div(b)?,
            Self::Pow => a.checked_pow(u32::try_from(b).ok()?)?,
            Self::Max => a.max(b),
            _ => a.min(b),
        })
    }

    fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal | Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
        )
    }
}

/// Positions of two elements that are taken together.
type Pair = (usize, usize);

/// Returns the shape that two shapes broadcast to, and for each of its elements the positions in both.
fn broadcast(a: &[usize], b: &[usize]) -> Result<(Vec<usize>, Vec<Pair>), String> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| {
        if axis + shape.len() < rank {
            1
        } else {
            shape[axis + shape.len() - rank]
        }
    };
    let mut shape = Vec::with_capacity(rank);
    for axis in 0..rank {
        shape.push(match (extent(a, axis), extent(b, axis)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            (x, y) => return Err(format!("joins extents {x} and {y}")),
        });
    }
    let n = shape
        .iter()
        .try_fold(1usize, |n, extent| n.checked_mul(*extent))
        .filter(|n| *n <= ELEMENTS_MAX)
        .ok_or("makes too many elements")?;
    let position = |of: &[usize], place: usize| {
        let (mut rest, mut stride, mut position) = (place, 1, 0);
        for axis in (0..rank).rev() {
            let (at, own) = (rest % shape[axis], extent(of, axis));
            rest /= shape[axis];
            if own > 1 {
                position += at * stride;
            }
            stride *= own;
        }
        position
    };
    let places = (0..n)
        .map(|place| (position(a, place), position(b, place)))
        .collect();
    Ok((shape, places))
}

/// Applies an operator to pairs of elements.
pub(super) fn binary(operation: Binary, a: &Tensor, b: &Tensor) -> Result<Tensor, String> {
    let (shape, places) = broadcast(&a.shape, &b.shape)?;
    fn compared<T: PartialOrd>(
        operation: Binary,
        a: &[T],
        b: &[T],
        places: &[Pair],
    ) -> Option<Elements> {
        places
            .iter()
            .map(|(i, j)| operation.compare(&a[*i], &b[*j]))
            .collect::<Option<Vec<bool>>>()
            .map(Elements::Bool)
    }
    let elements = match (&a.elements, &b.elements) {
        (Elements::Float(a), Elements::Float(b)) if operation.is_comparison() => {
            compared(operation, a, b, &places)
        }
        (Elements::Double(a), Elements::Double(b)) if operation.is_comparison() => {
            compared(operation, a, b, &places)
        }
        (Elements::Int(a), Elements::Int(b)) if operation.is_comparison() => {
            compared(operation, a, b, &places)
        }
        (Elements::Text(a), Elements::Text(b)) if operation == Binary::Equal => {
            compared(operation, a, b, &places)
        }
        (Elements::Bool(a), Elements::Bool(b)) if operation == Binary::Equal => {
            compared(operation, a, b, &places)
        }
        (Elements::Float(a), Elements::Float(b)) => Some(Elements::Float(
            places
                .iter()
                .map(|(i, j)| operation.float(a[*i], b[*j]))
                .collect(),
        )),
        (Elements::Double(a), Elements::Double(b)) => Some(Elements::Double(
            places
                .iter()
                .map(|(i, j)| operation.double(a[*i], b[*j]))
                .collect(),
        )),
        (Elements::Int(a), Elements::Int(b)) => places
            .iter()
            .map(|(i, j)| operation.int(a[*i], b[*j]))
            .collect::<Option<Vec<i64>>>()
            .map(Elements::Int),
        _ => None,
    };
    Ok(Tensor {
        shape,
        elements: elements.ok_or("is not defined on these elements")?,
    })
}

/// Returns a position on an axis; negative ones count from the end.
fn axis_of(axis: i64, rank: usize) -> Result<usize, String> {
    let counted = if axis < 0 {
        axis.checked_add(rank as i64)
    } else {
        Some(axis)
    };
    counted
        .and_then(|axis| usize::try_from(axis).ok())
        .filter(|axis| *axis < rank)
        .ok_or_else(|| format!("has no axis {axis} of {rank}"))
}

/// Joins tensors along an axis.
pub(super) fn concat(tensors: &[&Tensor], axis: i64) -> Result<Tensor, String> {
    let first = tensors.first().ok_or("joins nothing")?;
    let axis = axis_of(axis, first.shape.len())?;
    let fits = |other: &&Tensor| {
        other.shape.len() == first.shape.len()
            && (0..first.shape.len()).all(|at| at == axis || other.shape[at] == first.shape[at])
    };
    if !tensors.iter().all(fits) {
        return Err("joins tensors of different shapes".to_owned());
    }
    let mut shape = first.shape.clone();
    shape[axis] = tensors.iter().map(|tensor| tensor.shape[axis]).sum();
    if shape
        .iter()
        .try_fold(1usize, |n, extent| n.checked_mul(*extent))
        .is_none_or(|n| n > ELEMENTS_MAX)
    {
        return Err("makes too many elements".to_owned());
    }
    let n_outer: usize = shape[..axis].iter().product();
    fn join<T: Clone>(parts: Vec<&[T]>, n_outer: usize) -> Vec<T> {
        let mut joined = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for outer in 0..n_outer {
            for part in &parts {
                let width = part.len() / n_outer;
                joined.extend_from_slice(&part[outer * width..(outer + 1) * width]);
            }
        }
        joined
    }
    macro_rules! joined {
        ($kind:ident) => {{
            let part = |tensor: &&'_ Tensor| match &tensor.elements {
                Elements::$kind(values) => Some(values.clone()),
                _ => None,
            };
            let parts: Vec<Vec<_>> = tensors
                .iter()
                .map(part)
                .collect::<Option<_>>()
                .ok_or("joins elements of different types")?;
            Elements::$kind(join(parts.iter().map(Vec::as_slice).collect(), n_outer))
        }};
    }
    let elements = match &first.elements {
        Elements::Float(_) => joined!(Float),
        Elements::Double(_) => joined!(Double),
        Elements::Int(_) => joined!(Int),
        Elements::Text(_) => joined!(Text),
        Elements::Bool(_) => joined!(Bool),
    };
    Ok(Tensor { shape, elements })
}

/// Gives a tensor another shape: 0 keeps an extent, −1 is what is left.
pub(super) fn reshape(tensor: &Tensor, shape: &[i64]) -> Result<Tensor, String> {
    let wrong = || "gives another number of elements".to_owned();
    let mut extents = Vec::with_capacity(shape.len());
    let mut open = None;
    for (axis, extent) in shape.iter().enumerate() {
        extents.push(match *extent {
            0 => *tensor.shape.get(axis).ok_or_else(wrong)?,
            -1 if open.is_none() => {
                open = Some(axis);
                1
            }
            extent => usize::try_from(extent).map_err(|_| wrong())?,
        });
    }
    if let Some(axis) = open {
        let known = extents
            .iter()
            .try_fold(1usize, |n, extent| n.checked_mul(*extent))
            .filter(|n| *n > 0)
            .ok_or_else(wrong)?;
        extents[axis] = tensor.elements.len() / known;
    }
    Tensor::new(extents, tensor.elements.clone()).ok_or_else(wrong)
}

/// Makes a matrix of the axes before and from this one on.
pub(super) fn flatten(tensor: &Tensor, axis: i64) -> Result<Tensor, String> {
    let rank = tensor.shape.len();
    let axis = if axis == rank as i64 {
        rank
    } else {
        axis_of(axis, rank)?
    };
    let (rows, columns) = (
        tensor.shape[..axis].iter().product(),
        tensor.shape[axis..].iter().product(),
    );
    Ok(Tensor {
        shape: vec![rows, columns],
        elements: tensor.elements.clone(),
    })
}

/// Leaves out axes of extent 1; all of them when none is named.
pub(super) fn squeeze(tensor: &Tensor, axes: &[i64]) -> Result<Tensor, String> {
    let rank = tensor.shape.len();
    let named: Vec<usize> = axes
        .iter()
        .map(|axis| axis_of(*axis, rank))
        .collect::<Result<_, _>>()?;
    if named.iter().any(|axis| tensor.shape[*axis] != 1) {
        return Err("leaves out an axis that is not 1 wide".to_owned());
    }
    let is_left_out = |axis: usize| {
        if axes.is_empty() {
            tensor.shape[axis] == 1
        } else {
            named.contains(&axis)
        }
    };
    let shape = (0..rank)
        .filter(|axis| !is_left_out(*axis))
        .map(|axis| tensor.shape[axis])
        .collect();
    Ok(Tensor {
        shape,
        elements: tensor.elements.clone(),
    })
}

/// Puts in axes of extent 1.
pub(super) fn unsqueeze(tensor: &Tensor, axes: &[i64]) -> Result<Tensor, String> {
    let rank = tensor.shape.len() + axes.len();
    let named: Vec<usize> = axes
        .iter()
        .map(|axis| axis_of(*axis, rank))
        .collect::<Result<_, _>>()?;
    let mut rest = tensor.shape.iter();
    let shape: Option<Vec<usize>> = (0..rank)
        .map(|axis| {
            if named.contains(&axis) {
                Some(1)
            } else {
                rest.next().copied()
            }
        })
        .collect();
    let shape = shape.ok_or("puts in an axis twice")?;
    Tensor::new(shape, tensor.elements.clone()).ok_or_else(|| "puts in an axis twice".to_owned())
}

/// Exchanges rows and columns of a matrix.
pub(super) fn transpose(tensor: &Tensor) -> Result<Tensor, String> {
    let [n, m] = tensor.shape[..] else {
        return Err("turns something else than a matrix".to_owned());
    };
    let places: Vec<usize> = (0..n * m)
        .map(|idx| idx % n.max(1) * m + idx / n.max(1))
        .collect();
    Ok(Tensor {
        shape: vec![m, n],
        elements: tensor.elements.gather(&places),
    })
}

/// Takes slices along an axis.
pub(super) fn gather(tensor: &Tensor, indices: &Tensor, axis: i64) -> Result<Tensor, String> {
    let axis = axis_of(axis, tensor.shape.len())?;
    let Elements::Int(wanted) = &indices.elements else {
        return Err("takes whole numbers as positions".to_owned());
    };
    let extent = tensor.shape[axis];
    let wanted: Vec<usize> = wanted
        .iter()
        .map(|idx| axis_of(*idx, extent))
        .collect::<Result<_, _>>()
        .map_err(|_| "takes a position that does not exist")?;
    let (n_outer, n_inner): (usize, usize) = (
        tensor.shape[..axis].iter().product(),
        tensor.shape[axis + 1..].iter().product(),
    );
    if n_outer
        .checked_mul(n_inner)
        .and_then(|n| n.checked_mul(wanted.len()))
        .is_none_or(|n| n > ELEMENTS_MAX)
    {
        return Err("makes too many elements".to_owned());
    }
    let mut places = Vec::with_capacity(n_outer * wanted.len() * n_inner);
    for outer in 0..n_outer {
        for at in &wanted {
            places.extend((0..n_inner).map(|inner| (outer * extent + at) * n_inner + inner));
        }
    }
    let shape = [
        &tensor.shape[..axis],
        indices.shape.as_slice(),
        &tensor.shape[axis + 1..],
    ]
    .concat();
    Ok(Tensor {
        shape,
        elements: tensor.elements.gather(&places),
    })
}

/// Multiplies two matrices, or a matrix and a vector.
pub(super) fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor, String> {
    if let ([_, _], [k]) = (&a.shape[..], &b.shape[..]) {
        let column = Tensor {
            shape: vec![*k, 1],
            elements: b.elements.clone(),
        };
        return squeeze(&matmul(a, &column)?, &[1]);
    }
    let ([n, k], [other, m]) = (&a.shape[..], &b.shape[..]) else {
        return Err("multiplies something else than matrices".to_owned());
    };
    let (n, k, m) = (*n, *k, *m);
    if k != *other {
        return Err(format!("multiplies {k} columns with {other} rows"));
    }
    if n.checked_mul(m).is_none_or(|n| n > ELEMENTS_MAX) {
        return Err("makes too many elements".to_owned());
    }
    macro_rules! product {
        ($kind:ident, $zero:expr, $a:expr, $b:expr) => {{
            let mut product = vec![$zero; n * m];
            for row in 0..n {
                for (at, x) in $a[row * k..(row + 1) * k].iter().enumerate() {
                    let terms = product[row * m..(row + 1) * m]
                        .iter_mut()
                        .zip(&$b[at * m..(at + 1) * m]);
                    terms.for_each(|(sum, y)| *sum += x * y);
                }
            }
            Elements::$kind(product)
        }};
    }
    let elements = match (&a.elements, &b.elements) {
        (Elements::Float(a), Elements::Float(b)) => product!(Float, 0f32, a, b),
        (Elements::Double(a), Elements::Double(b)) => product!(Double, 0f64, a, b),
        _ => {
            return Err(
                "multiplies elements that are not floating-point numbers of one size".to_owned(),
            );
        }
    };
    Ok(Tensor {
        shape: vec![n, m],
        elements,
    })
}

/// Returns the values of a floating-point tensor as 64-bit numbers.
fn doubles(tensor: &Tensor) -> Result<Vec<f64>, String> {
    match &tensor.elements {
        Elements::Float(values) => Ok(values.iter().map(|value| f64::from(*value)).collect()),
        Elements::Double(values) => Ok(values.clone()),
        Elements::Int(values) => Ok(values.iter().map(|value| *value as f64).collect()),
        Elements::Text(_) | Elements::Bool(_) => Err("takes numbers".to_owned()),
    }
}

/// Softmax over the last axis.
pub(super) fn softmax(tensor: &Tensor, axis: i64) -> Result<Tensor, String> {
    if axis_of(axis, tensor.shape.len())? + 1 != tensor.shape.len() {
        return Err("is supported over the last axis only".to_owned());
    }
    let values = doubles(tensor)?;
    let shares = values
        .chunks(tensor.width().max(1))
        .flat_map(|row| super::post_transform::PostTransform::Softmax.apply(row));
    let elements = match &tensor.elements {
        Elements::Float(_) => Elements::Float(shares.map(|share| share as f32).collect()),
        _ => Elements::Double(shares.collect()),
    };
    Ok(Tensor {
        shape: tensor.shape.clone(),
        elements,
    })
}

/// Position of the largest element of the last axis, the first of equal ones.
pub(super) fn argmax(tensor: &Tensor, axis: i64, keep: bool) -> Result<Tensor, String> {
    let rank = tensor.shape.len();
    if axis_of(axis, rank)? + 1 != rank || tensor.width() == 0 {
        return Err("is supported over a last axis that is not empty".to_owned());
    }
    let values = doubles(tensor)?;
    let largest = |row: &[f64]| {
        (0..row.len())
            .reduce(|best, idx| if row[idx] > row[best] { idx } else { best })
            .unwrap_or(0) as i64
    };
    let mut shape = tensor.shape.clone();
    shape.pop();
    if keep {
        shape.push(1);
    }
    Ok(Tensor {
        shape,
        elements: Elements::Int(values.chunks(tensor.width()).map(largest).collect()),
    })
}
