//! The numbers of a column, sorted, as tests and sketches compare them.

/// The finite values of a numeric column, sorted, with how many rows there were.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Finite values in ascending order.
    pub sorted: Vec<f64>,
    /// Rows, missing and infinite ones included.
    pub n_rows: usize,
}

impl Sample {
    /// Sorts the finite values of a column.
    pub fn new(values: &[f64]) -> Self {
        let finite = values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .collect();
        Self::from_finite(finite, values.len())
    }

    /// Sorts values that are known to be finite.
    pub(crate) fn from_finite(mut values: Vec<f64>, n_rows: usize) -> Self {
        // Minus zero is zero: the two must be one value.
        values.iter_mut().for_each(|value| *value += 0.0);
        radsort::sort(&mut values);
        Self {
            sorted: values,
            n_rows,
        }
    }

    /// Returns how many finite values there are.
    pub fn n(&self) -> usize {
        self.sorted.len()
    }

    /// Returns how many rows have no finite value.
    pub fn n_missing(&self) -> usize {
        self.n_rows - self.sorted.len()
    }

    /// Returns how many distinct values there are.
    pub fn n_distinct(&self) -> usize {
        self.sorted.chunk_by(|a, b| a == b).count()
    }
}
