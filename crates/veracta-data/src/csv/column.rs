//! One column of a CSV file while it is read: numbers as long as every cell is one, words from the first that is not.

use crate::reading::{ColumnRules, ReadOptions};
use crate::spelling::{
    NumberStyle, is_number_mark, is_rounded, loses_identity, parse_number, plain_number,
};
use crate::table::{
    BlankCells, CellPlace, Column, ColumnType, CountedCells, MixedColumn, ReadReport, TableError,
    Values,
};
use crate::words::{Interner, coded_type, with_one_spelling};

/// Cells of one kind: how many there are, and at which byte the row of the first begins.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    n: u64,
    first: Option<u64>,
}

impl Seen {
    fn note(&mut self, byte: u64) {
        self.n += 1;
        self.first.get_or_insert(byte);
    }
}

/// One column while it is read.
pub(super) struct Builder {
    pub(super) name: String,
    pub(super) rules: ColumnRules,
    /// Numbers that are declared missing.
    number_marks: Vec<f64>,
    pub(super) form: Form,
    /// Numbers that a float keeps apart.
    n_numeric: u64,
    /// Words.
    other: Seen,
    /// Whole numbers that a float would take for others.
    merged: Seen,
    /// Words that are missing among numbers.
    marks: Seen,
    nan: Seen,
    blank: Seen,
    infinite: Option<u64>,
}

pub(super) enum Form {
    Numbers(Vec<f64>),
    Text(Interner),
    /// Guessed to be numeric and found not to be: read again in the second pass.
    Abandoned,
    /// Finished in an earlier pass.
    Done(Values),
}

/// What a cell that is there holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    Number(f64),
    /// A whole number that a float would take for another.
    Merged,
    Word,
}

impl Cell {
    pub(super) fn of(text: &str, style: NumberStyle) -> Self {
        match number_of(text, style) {
            None => Self::Word,
            Some(_) if is_merged(text, style) => Self::Merged,
            Some(number) => Self::Number(number),
        }
    }
}

fn is_merged(text: &str, style: NumberStyle) -> bool {
    match style == NumberStyle::default() {
        true => loses_identity(text),
        false => plain_number(text, style).is_some_and(|plain| loses_identity(&plain)),
    }
}

fn number_of(text: &str, style: NumberStyle) -> Option<f64> {
    if style == NumberStyle::default() {
        return parse_number(text);
    }
    parse_number(&plain_number(text, style)?)
}

impl Builder {
    pub(super) fn new(name: String, options: &ReadOptions) -> Self {
        let rules = options.rules(&name);
        let form = match rules.declared {
            None | Some(ColumnType::Numeric) => Form::Numbers(Vec::new()),
            Some(ColumnType::Categorical | ColumnType::Text) => Form::Text(Interner::default()),
        };
        Self {
            name,
            number_marks: rules.number_marks(),
            rules,
            form,
            n_numeric: 0,
            other: Seen::default(),
            merged: Seen::default(),
            marks: Seen::default(),
            nan: Seen::default(),
            blank: Seen::default(),
            infinite: None,
        }
    }

    /// Returns whether a cell is missing, whatever the column holds otherwise.
    pub(super) fn is_missing(&self, text: &str) -> bool {
        let cell = text.trim();
        cell.is_empty() || self.rules.is_mark(cell) || is_number_mark(cell)
    }

    pub(super) fn push(&mut self, text: &str, byte: u64, options: &ReadOptions, is_first: bool) {
        match &mut self.form {
            Form::Done(_) => return,
            Form::Text(interner) if self.rules.is_verbatim => {
                return match text.is_empty() || self.rules.is_mark(text) {
                    true => interner.push_missing(),
                    false => interner.push(text),
                };
            }
            Form::Text(_) | Form::Numbers(_) | Form::Abandoned => {}
        }
        let cell = text.trim();
        if cell.is_empty() || self.rules.is_mark(cell) {
            if is_first && cell.is_empty() && !text.is_empty() {
                self.blank.note(byte);
            }
            return self.form.push_missing();
        }
        match &mut self.form {
            Form::Numbers(values) => match Cell::of(cell, options.numbers) {
                Cell::Number(value) if self.number_marks.contains(&value) => values.push(f64::NAN),
                Cell::Number(value) => {
                    self.n_numeric += 1;
                    if value.is_infinite() {
                        self.infinite.get_or_insert(byte);
                    }
                    values.push(value);
                }
                Cell::Merged if self.rules.declared.is_some() => {
                    if cell.parse().map_or(cell.len() > 15, is_rounded) {
                        self.merged.note(byte);
                    }
                    values.push(number_of(cell, options.numbers).unwrap_or(f64::NAN));
                }
                Cell::Word if is_number_mark(cell) => {
                    values.push(f64::NAN);
                    self.count_mark(cell, byte);
                }
                // Refused when all rows are read, so that the error counts every such cell.
                Cell::Word if self.rules.declared.is_some() => {
                    self.other.note(byte);
                    values.push(f64::NAN);
                }
                found => {
                    self.count(found, byte);
                    self.form = Form::Abandoned;
                }
            },
            Form::Text(interner) => {
                interner.push(text);
                if is_first {
                    self.count_word(cell, byte, options);
                }
            }
            Form::Abandoned => self.count_word(cell, byte, options),
            Form::Done(_) => {}
        }
    }

    fn count_word(&mut self, cell: &str, byte: u64, options: &ReadOptions) {
        match is_number_mark(cell) {
            true => self.count_mark(cell, byte),
            // What a declared category looks like is nobody's concern.
            false if self.rules.declared.is_none() => {
                self.count(Cell::of(cell, options.numbers), byte)
            }
            false => {}
        }
    }

    fn count_mark(&mut self, cell: &str, byte: u64) {
        self.marks.note(byte);
        if cell.eq_ignore_ascii_case("nan") {
            self.nan.note(byte);
        }
    }

    fn count(&mut self, found: Cell, byte: u64) {
        match found {
            Cell::Number(_) => self.n_numeric += 1,
            Cell::Merged => self.merged.note(byte),
            Cell::Word => self.other.note(byte),
        }
    }

    /// Refuses cells that contradict a declaration and reports what a person should know.
    pub(super) fn note(
        &self,
        report: &mut ReadReport,
        line_at: &mut dyn FnMut(u64) -> Result<u64, TableError>,
    ) -> Result<(), TableError> {
        let column = || self.name.clone();
        let mut place = |byte: u64| {
            line_at(byte).map(|line| CellPlace {
                line,
                column: column(),
            })
        };
        if let Some(byte) = self.other.first {
            if self.rules.declared == Some(ColumnType::Numeric) {
                return Err(TableError::NotNumeric {
                    n_cells: self.other.n as usize,
                    first: place(byte)?,
                });
            }
            if self.n_numeric > self.other.n {
                report.mixed.push(MixedColumn {
                    first: place(byte)?,
                    n_numeric: self.n_numeric,
                    n_other: self.other.n,
                });
            }
        }
        if let Some(byte) = self.blank.first {
            report.blank.push(BlankCells {
                first: place(byte)?,
                n_cells: self.blank.n,
            });
        }
        self.note_kind(report, line_at)
    }

    /// Reports what depends on whether the column became one of numbers or of words.
    fn note_kind(
        &self,
        report: &mut ReadReport,
        line_at: &mut dyn FnMut(u64) -> Result<u64, TableError>,
    ) -> Result<(), TableError> {
        let column = || self.name.clone();
        let mut counted = |seen: Seen| -> Result<Option<CountedCells>, TableError> {
            let Some(byte) = seen.first else {
                return Ok(None);
            };
            Ok(Some(CountedCells {
                column: column(),
                line: Some(line_at(byte)?),
                n_cells: seen.n,
            }))
        };
        match &self.form {
            Form::Numbers(values) | Form::Done(Values::Numeric(values)) => {
                report.rounded.extend(counted(self.merged)?);
                if self.n_numeric == 0 {
                    report.only_marks.extend(counted(self.marks)?);
                }
                let infinite = values.iter().filter(|value| value.is_infinite());
                report.n_infinite += infinite.count() as u64;
                report.n_nan_text += self.nan.n;
                let mut place = |byte: u64| {
                    line_at(byte).map(|line| CellPlace {
                        line,
                        column: column(),
                    })
                };
                if let Some(byte) = self.infinite.filter(|_| report.first_infinite.is_none()) {
                    report.first_infinite = Some(place(byte)?);
                }
                if let Some(byte) = self.nan.first.filter(|_| report.first_nan_text.is_none()) {
                    report.first_nan_text = Some(place(byte)?);
                }
            }
            Form::Text(_) | Form::Done(Values::Coded(_)) | Form::Abandoned => {
                report.mark_words.extend(counted(self.marks)?);
                if self.other.n == 0 {
                    report.kept_words.extend(counted(self.merged)?);
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(self, report: &mut ReadReport) -> Column {
        let (inferred, values) = match self.form.into_values() {
            Values::Coded(coded) => {
                let inferred = coded_type(&coded);
                let (coded, n_cells) = match self.rules.has_one_spelling {
                    true => with_one_spelling(coded, self.rules.dates),
                    false => (coded, 0),
                };
                if n_cells > 0 {
                    report.odd_words.push(CountedCells {
                        column: self.name.clone(),
                        line: None,
                        n_cells,
                    });
                }
                (inferred, Values::Coded(coded))
            }
            numbers @ Values::Numeric(_) => (ColumnType::Numeric, numbers),
        };
        Column {
            name: self.name,
            column_type: self.rules.declared.unwrap_or(inferred),
            values,
        }
    }
}

impl Form {
    fn push_missing(&mut self) {
        match self {
            Self::Numbers(values) => values.push(f64::NAN),
            Self::Text(interner) => interner.push_missing(),
            Self::Abandoned | Self::Done(_) => {}
        }
    }

    pub(super) fn into_values(self) -> Values {
        match self {
            Self::Numbers(values) => Values::Numeric(values),
            Self::Text(interner) => Values::Coded(interner.finish()),
            Self::Done(values) => values,
            Self::Abandoned => {
                unreachable!("an abandoned column is read again before it is finished")
            }
        }
    }
}
