//! Typed columns: what every measurement and every trainer reads.
//!
//! A table lives in memory. Numbers are 64-bit floats with NaN for missing; everything else is a category code into a sorted
//! list of levels. Reading is in [`crate::csv`] and [`crate::parquet`], by the rules of [`crate::reading`].

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use crate::report::{
    BlankCells, CellPlace, CountedCells, MixedColumn, ReadReport, UnreadColumn,
};
use crate::spelling::{parse_number, parse_truth};

/// Code of a missing category.
pub const MISSING: u32 = u32::MAX;

/// How a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Numbers, held in 64 bits.
    Numeric,
    /// A limited set of values.
    Categorical,
    /// Text that differs from row to row.
    Text,
}

/// Columns of equal length; the readers refuse two of the same name.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The columns, in file order.
    pub columns: Vec<Column>,
    /// Number of rows: the length of each column.
    pub n_rows: usize,
    /// Columns of the file that are not read, so that who asks for one is told why.
    pub unread: Vec<UnreadColumn>,
}

/// One column: as many values as the table has rows.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name in the header, without white space around it in CSV.
    pub name: String,
    /// Type that was declared, else inferred from all values.
    pub column_type: ColumnType,
    /// One value for each row.
    pub values: Values,
}

/// The values of a column.
#[derive(Debug, Clone)]
pub enum Values {
    /// Numbers; NaN is missing, infinity is a value.
    Numeric(Vec<f64>),
    /// Categories or text, as codes.
    Coded(Coded),
}

/// Values as codes into their sorted levels.
#[derive(Debug, Clone, PartialEq)]
pub struct Coded {
    /// One code a row; [`MISSING`] is missing.
    pub codes: Vec<u32>,
    /// Distinct values in byte order.
    pub levels: Vec<String>,
}

/// Limits on what is read. Reading stops with an error at the first one passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Most bytes of the source. 1 GiB by default: with about 8 bytes a cell in memory against 5 to 10 in the file, this stays
    /// below 2 GiB of memory.
    pub bytes_max: u64,
    /// Most columns; 10,000 by default.
    pub columns_max: usize,
    /// Most bytes of one cell.
    pub cell_bytes_max: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            bytes_max: 1 << 30,
            columns_max: 10_000,
            cell_bytes_max: 1 << 20,
        }
    }
}

/// Returns which columns there are, for a message. A first line with a number in it is a person's row and not names: nothing of it is said.
pub fn named_columns(columns: &[String]) -> String {
    match columns.iter().any(|name| parse_number(name).is_some()) {
        true => "its first line holds numbers, where names of columns are expected".to_owned(),
        false => format!("it has {}", columns.join(", ")),
    }
}

/// Why a table cannot be read. Cell contents never appear: they may be personal.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file has no bytes, or no header.
    #[error("the file is empty")]
    Empty,
    /// A header and nothing else.
    #[error("the file has a header and no rows")]
    NoRows,
    /// The header has one column and looks like several.
    #[error("line 1 has one column with `{separator}` inside: the delimiter is not `{delimiter}`")]
    WrongDelimiter {
        /// The separator seen in the header.
        separator: char,
        /// The delimiter that the file was read with.
        delimiter: char,
    },
    /// A column without name, or two of the same.
    #[error("line 1, column {position}: {reason}")]
    Header {
        /// Position of the column, counted from 1.
        position: usize,
        /// What is wrong with the name, in words.
        reason: String,
    },
    /// A row with another number of cells.
    #[error("line {line} has {found} cells; the header has {expected}")]
    Ragged {
        /// Line of the file, counted from 1.
        line: u64,
        /// Number of cells in the row.
        found: u64,
        /// Number of cells in the header.
        expected: u64,
    },
    /// Bytes that are not UTF-8.
    #[error("line {line}, column {column}: not UTF-8 text; convert the file to UTF-8")]
    NotUtf8 {
        /// Line of the file, counted from 1.
        line: u64,
        /// One-based position of the column.
        column: usize,
    },
    /// Cells that are not of the declared type.
    #[error(
        "{n_cells} cells of column `{}` are not numbers although it is declared numeric, the first in line {}",
        .first.column, .first.line
    )]
    NotNumeric {
        /// Number of such cells in the column.
        n_cells: usize,
        /// Place of the first such cell.
        first: CellPlace,
    },
    /// A declared column is not in the file.
    #[error("column `{column}` is not in the file; {}", named_columns(.columns))]
    UnknownColumn {
        /// Name that was declared or asked for.
        column: String,
        /// Names of the columns there are, in file order.
        columns: Vec<String>,
    },
    /// A file or table over one of the limits.
    #[error("{what} is over the limit of {limit}")]
    OverLimit {
        /// What is too large, with its size.
        what: String,
        /// The limit, in bytes, columns or cells.
        limit: u64,
    },
    /// A cell over the limit.
    #[error("the cell in line {line}, column `{column}` is over the limit of {limit}")]
    CellOverLimit {
        /// Line of the file, counted from 1.
        line: u64,
        /// Name of the column in the header.
        column: String,
        /// Most bytes of a cell.
        limit: u64,
    },
    /// Bytes that are something else than CSV or Parquet.
    #[error("the file is {found}; {advice}")]
    OtherFormat {
        /// What its first bytes say it is.
        found: &'static str,
        /// What to do with it.
        advice: &'static str,
    },
    /// The Parquet reader refuses the file.
    #[error("not a readable Parquet file")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// A column of a type that has no place in a table.
    #[error("column `{column}` holds {found}; numbers, text, booleans, dates and times are read")]
    ColumnType {
        /// Name of the column in the file.
        column: String,
        /// Its type in the file.
        found: String,
    },
    /// The CSV reader refuses the file.
    #[error("not a readable CSV file")]
    Csv(#[from] ::csv::Error),
    /// The source cannot be read or rewound.
    #[error("the data cannot be read")]
    Io(#[from] std::io::Error),
}

impl Table {
    /// Takes columns of equal length.
    pub fn new(columns: Vec<Column>) -> Self {
        let n_rows = columns.first().map_or(0, |column| match &column.values {
            Values::Numeric(values) => values.len(),
            Values::Coded(coded) => coded.codes.len(),
        });
        Self {
            columns,
            n_rows,
            unread: Vec::new(),
        }
    }

    /// Returns the column of that name; the error of one that is in the file and cannot be read says why.
    pub fn column(&self, name: &str) -> Result<&Column, TableError> {
        let found = self.columns.iter().find(|column| column.name == name);
        found.ok_or_else(
            || match self.unread.iter().find(|column| column.column == name) {
                Some(UnreadColumn { column, found }) => TableError::ColumnType {
                    column: column.clone(),
                    found: found.clone(),
                },
                None => {
                    let columns = self.columns.iter().map(|column| column.name.clone());
                    TableError::UnknownColumn {
                        column: name.to_owned(),
                        columns: columns.collect(),
                    }
                }
            },
        )
    }

    /// Returns the given rows, in the given order.
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|column| Column {
            name: column.name.clone(),
            column_type: column.column_type,
            values: match &column.values {
                Values::Numeric(values) => {
                    Values::Numeric(rows.iter().map(|row| values[*row]).collect())
                }
                Values::Coded(coded) => Values::Coded(Coded {
                    codes: rows.iter().map(|row| coded.codes[*row]).collect(),
                    levels: coded.levels.clone(),
                }),
            },
        });
        Self {
            columns: columns.collect(),
            n_rows: rows.len(),
            unread: self.unread.clone(),
        }
    }

    /// Returns one 128-bit digest a row over all columns but `without`: equal rows, and with near certainty only those, agree.
    pub fn row_digests(&self, without: &[&str]) -> Vec<[u8; 16]> {
        use rayon::prelude::*;
        let columns: Vec<&Column> = self
            .columns
            .iter()
            .filter(|column| !without.contains(&column.name.as_str()))
            .collect();
        let digest_row = |row: usize| {
            let mut hasher = Sha256::new();
            for column in &columns {
                match &column.values {
                    Values::Numeric(values) => hasher.update(values[row].to_bits().to_le_bytes()),
                    Values::Coded(coded) => match coded.levels.get(coded.codes[row] as usize) {
                        Some(level) => {
                            // The length first, so that text of neighbouring cells cannot be parted in two ways.
                            hasher.update((level.len() as u64).to_le_bytes());
                            hasher.update(level);
                        }
                        None => hasher.update(u64::MAX.to_le_bytes()),
                    },
                }
            }
            let digest: [u8; 32] = hasher.finalize().into();
            let mut half = [0; 16];
            half.copy_from_slice(&digest[..16]);
            half
        };
        (0..self.n_rows).into_par_iter().map(digest_row).collect()
    }
}

impl Column {
    /// Returns whether the value of `row` is missing.
    pub fn is_missing(&self, row: usize) -> bool {
        match &self.values {
            Values::Numeric(values) => values[row].is_nan(),
            Values::Coded(coded) => coded.codes[row] == MISSING,
        }
    }

    /// Returns each row's value as a code, [`MISSING`] where there is none: the levels of a coded column, the distinct values of a
    /// numeric one.
    pub fn codes(&self) -> Coded {
        match &self.values {
            Values::Coded(coded) => coded.clone(),
            Values::Numeric(values) => {
                let mut distinct: Vec<f64> = values
                    .iter()
                    .copied()
                    .filter(|value| !value.is_nan())
                    .collect();
                distinct.sort_by(f64::total_cmp);
                distinct.dedup();
                let code = |value: &f64| match value.is_nan() {
                    true => MISSING,
                    false => distinct.partition_point(|level| level < value) as u32,
                };
                let codes = values.iter().map(code).collect();
                Coded {
                    codes,
                    levels: distinct.iter().map(f64::to_string).collect(),
                }
            }
        }
    }

    /// Returns each row's group and the groups' names.
    ///
    /// Missing values form a group of their own, only when there are any. It is the last one, named `(missing)`, or `(no value)` where
    /// a value is called so itself.
    pub fn groups(&self) -> Coded {
        let mut coded = self.codes();
        if coded.codes.contains(&MISSING) {
            let code = coded.levels.len() as u32;
            coded
                .codes
                .iter_mut()
                .filter(|held| **held == MISSING)
                .for_each(|held| *held = code);
            let mut name = "(missing)".to_owned();
            let mut n_taken = 0;
            while coded.levels.contains(&name) {
                n_taken += 1;
                name = match n_taken {
                    1 => "(no value)".to_owned(),
                    n => format!("(no value {n})"),
                };
            }
            coded.levels.push(name);
        }
        coded
    }
}

impl Coded {
    /// Returns the code of the level that a person means by a word: the level itself, else the only one that is the same truth value, the
    /// same number, or the same word but for white space around it.
    pub fn code_of(&self, word: &str) -> Option<usize> {
        if let Some(code) = self.levels.iter().position(|level| level == word) {
            return Some(code);
        }
        let (truth, number) = (parse_truth(word), parse_number(word.trim()));
        let is_meant = |level: &&String| match truth {
            Some(_) => parse_truth(level) == truth,
            None => {
                let is_number = number.is_some() && parse_number(level.trim()) == number;
                level.trim() == word.trim() || is_number
            }
        };
        let mut meant = self.levels.iter().filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some(level), None) => self.levels.iter().position(|held| held == level),
            _ => None,
        }
    }
}
