//! Rows as a model reads them, and what it says of them.

/// Rows of encoded inputs, row after row: numbers, category codes, NaN for missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `n_rows` × `n_columns` values.
    pub values: Vec<f64>,
    /// Rows.
    pub n_rows: usize,
    /// Inputs.
    pub n_columns: usize,
}

/// Numbers for each row: `n_outputs` of them, one row after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// The numbers.
    pub values: Vec<f64>,
    /// How many a row.
    pub n_outputs: usize,
}

impl Batch {
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
