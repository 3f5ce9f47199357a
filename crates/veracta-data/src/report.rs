//! What was noticed while reading, without any cell content.

use serde::{Deserialize, Serialize};

/// Where a cell stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellPlace {
    /// One-based line of the file.
    pub line: u64,
    /// Name of the column in the header.
    pub column: String,
}

/// What was noticed while reading, without any cell content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReadReport {
    /// Columns read as categories although most cells are numbers.
    pub mixed: Vec<MixedColumn>,
    /// Cells that say `nan`, read as missing.
    pub n_nan_text: u64,
    /// Place of the first of them; `None` when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_nan_text: Option<CellPlace>,
    /// Cells that are infinite numbers, kept as values.
    pub n_infinite: u64,
    /// The first of them, in the first column that has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_infinite: Option<CellPlace>,
    /// Cells that are only white space, read as missing.
    pub blank: Vec<BlankCells>,
    /// The same in a file without lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blank_words: Vec<CountedCells>,
    /// Columns of whole numbers kept as words, because a 64-bit float would make two of them one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_words: Vec<CountedCells>,
    /// Cells of words that say `NA`, `?` or another of [`NUMBER_MARKS`](crate::spelling::NUMBER_MARKS), taken for words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mark_words: Vec<CountedCells>,
    /// Whole numbers of columns declared numeric that were rounded to a 64-bit float.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounded: Vec<CountedCells>,
    /// Cells of columns of truth values or dates that are neither.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub odd_words: Vec<CountedCells>,
    /// Columns that hold nothing but marks of missing numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_marks: Vec<CountedCells>,
    /// Columns of the file that are not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadColumn>,
}

/// Cells of a column that were counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedCells {
    /// Name of the column.
    pub column: String,
    /// One-based line of the first such cell; `None` in a file without lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Number of such cells in the column.
    pub n_cells: u64,
}

/// A column that is in the file and not in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadColumn {
    /// Name of the column.
    pub column: String,
    /// What it holds, in words.
    pub found: String,
}

impl ReadReport {
    /// Returns all that was noticed, a sentence each.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        let place = |place: &Option<CellPlace>| match place {
            Some(place) => format!(", the first in line {} of `{}`", place.line, place.column),
            None => String::new(),
        };
        if self.n_nan_text > 0 {
            notices.push(format!(
                "{} cells say `nan` and are read as missing{}",
                self.n_nan_text,
                place(&self.first_nan_text)
            ));
        }
        if self.n_infinite > 0 {
            notices.push(format!(
                "{} cells are infinite{}",
                self.n_infinite,
                place(&self.first_infinite)
            ));
        }
        notices.extend(self.surprises());
        notices
    }

    /// Returns what was read otherwise than somebody may expect, a sentence each.
    pub fn surprises(&self) -> Vec<String> {
        let mut notices = Vec::new();
        let blank = |column: &str, n_cells: u64, line: Option<u64>| {
            format!(
                "{n_cells} blank cells in `{column}` are read as missing{}",
                at_line(line)
            )
        };
        for found in &self.blank {
            notices.push(blank(
                &found.first.column,
                found.n_cells,
                Some(found.first.line),
            ));
        }
        for found in &self.blank_words {
            notices.push(blank(&found.column, found.n_cells, found.line));
        }
        let mixed = self.mixed.iter().map(|found| {
            format!(
                "`{}` is read as text: {} cells are numbers, {} are not, the first of these in line {}",
                found.first.column, found.n_numeric, found.n_other, found.first.line
            )
        });
        let kept = self.kept_words.iter().map(|found| {
            format!(
                "`{}` is read as words: {} numbers have leading zeros or more digits than a number keeps apart{}; the type `numeric` rounds them",
                found.column, found.n_cells, at_line(found.line)
            )
        });
        let rounded = self.rounded.iter().map(|found| {
            format!(
                "`{}` is declared numeric: {} whole numbers are rounded, as a 64-bit float does not hold them{}",
                found.column, found.n_cells, at_line(found.line)
            )
        });
        let marks = self.mark_words.iter().map(|found| {
            format!(
                "`{}` has {} cells such as `NA` or `?`, taken for words{}; declare the mark if they are missing",
                found.column, found.n_cells, at_line(found.line)
            )
        });
        let odd = self.odd_words.iter().map(|found| {
            format!(
                "`{}` holds truth values or dates, and {} cells that are neither",
                found.column, found.n_cells
            )
        });
        let only_marks = self.only_marks.iter().map(|found| {
            format!(
                "`{}` holds nothing but {} cells such as `NA`, read as missing{}",
                found.column,
                found.n_cells,
                at_line(found.line)
            )
        });
        let unread = self
            .unread
            .iter()
            .map(|found| format!("`{}` is not read: it holds {}", found.column, found.found));
        notices.extend(mixed.chain(kept).chain(rounded).chain(marks));
        notices.extend(odd.chain(only_marks).chain(unread));
        notices
    }
}

fn at_line(line: Option<u64>) -> String {
    line.map_or(String::new(), |line| format!(", the first in line {line}"))
}

/// A column with numbers and other text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixedColumn {
    /// First cell that is not a number.
    pub first: CellPlace,
    /// Number of cells that are numbers; more than `n_other`.
    pub n_numeric: u64,
    /// Number of cells that are neither numbers nor missing.
    pub n_other: u64,
}

/// Cells of a column that hold only white space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlankCells {
    /// Place of the first such cell.
    pub first: CellPlace,
    /// Number of such cells in the column.
    pub n_cells: u64,
}
