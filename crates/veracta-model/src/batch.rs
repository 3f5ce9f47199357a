//! Rows as a model reads them, and what it says of them.

/// Rows of encoded inputs, row after row: numbers, category codes, NaN for missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `n_rows` × `n_columns` numbers, row after row; NaN is missing.
    pub values: Vec<f64>,
    /// Number of rows; 0 is possible.
    pub n_rows: usize,
    /// Numbers in each row: one for each input of the model.
    pub n_columns: usize,
}

/// Numbers for each row: `n_outputs` of them, one row after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// `n_outputs` numbers for each row, row after row.
    pub values: Vec<f64>,
    /// Numbers of each row: one for each output of the model, or 1 when it names a class.
    pub n_outputs: usize,
}

impl Batch {
    /// Returns the `n_columns` numbers of one row, counted from 0.
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

    /// Returns the rows at these positions, in their order; a position may occur again.
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
