//! How cells are read: the one set of rules for every format, for training and for every later use.
//!
//! A column is numeric when every cell that is there is a number whose spelling a 64-bit float keeps apart from every other. Whatever
//! else a column holds are words, taken as they stand; nothing but the empty cell and the declared marks is missing among them. So
//! the same rows read the same from CSV and from Parquet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::spelling::{DateOrder, NumberStyle, parse_number};
use crate::table::{ColumnType, ReadLimits};

/// How cells are parted, read and limited.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Byte between cells of a CSV file; a comma, or what a first line `sep=` says, when not given.
    pub delimiter: Option<u8>,
    /// How numbers are written in a CSV file.
    pub numbers: NumberStyle,
    /// How dates are written whose year comes last; they are words when not given.
    pub dates: Option<DateOrder>,
    /// Cells that are missing in every column, beside the empty one and [`NUMBER_MARKS`](crate::spelling::NUMBER_MARKS); case matters.
    pub missing: Vec<String>,
    /// Cells that are missing in one column.
    pub missing_in: BTreeMap<String, Vec<String>>,
    /// Declared types; the rest is inferred.
    pub types: BTreeMap<String, ColumnType>,
    /// How a model reads columns: goes before what is declared, and of no matter to a file without such a column.
    pub of_model: BTreeMap<String, ColumnReading>,
    /// Most bytes, columns and bytes of a cell.
    pub limits: ReadLimits,
    /// What a person should be told of all that was read with these options or copies of them.
    pub notes: Notes,
}

/// Sentences for a person, each once, in the order in which they came; copies share them.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    /// Adds a sentence unless it is there.
    pub fn add(&self, sentence: String) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.contains(&sentence) {
            held.push(sentence);
        }
    }

    /// Returns all sentences.
    pub fn all(&self) -> Vec<String> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }
}

/// How a model reads a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnReading {
    /// Numbers or words.
    pub column_type: ColumnType,
    /// Whether words are taken as they stand even where they are nothing but white space.
    pub is_verbatim: bool,
    /// Whether the model knows an empty word, which only a file that tells it from a missing one can hold.
    pub keeps_empty: bool,
    /// Cells that are missing beside the empty one.
    pub missing: Vec<String>,
}

/// How one column is read, all settings taken together.
#[derive(Debug, Clone)]
pub(crate) struct ColumnRules {
    /// The type; inferred when `None`.
    pub(crate) declared: Option<ColumnType>,
    pub(crate) is_verbatim: bool,
    pub(crate) keeps_empty: bool,
    /// Whether truth values and dates have one spelling: of inferred words, and of those that a model trained here reads.
    pub(crate) has_one_spelling: bool,
    pub(crate) dates: Option<DateOrder>,
    missing: Vec<String>,
}

impl ColumnRules {
    /// Returns whether a cell is a declared mark of missing.
    pub(crate) fn is_mark(&self, cell: &str) -> bool {
        self.missing.iter().any(|mark| mark == cell)
    }

    /// Returns the numbers among the declared marks.
    pub(crate) fn number_marks(&self) -> Vec<f64> {
        let marks = self.missing.iter();
        marks.filter_map(|mark| parse_number(mark)).collect()
    }
}

impl ReadOptions {
    /// Returns how a column is read.
    pub(crate) fn rules(&self, column: &str) -> ColumnRules {
        if let Some(reading) = self.of_model.get(column) {
            return ColumnRules {
                declared: Some(reading.column_type),
                is_verbatim: reading.is_verbatim,
                keeps_empty: reading.keeps_empty,
                has_one_spelling: !reading.is_verbatim,
                dates: self.dates,
                missing: reading.missing.clone(),
            };
        }
        ColumnRules {
            declared: self.types.get(column).copied(),
            is_verbatim: false,
            keeps_empty: false,
            has_one_spelling: !self.types.contains_key(column),
            dates: self.dates,
            missing: self.marks(column),
        }
    }

    /// Returns the declared marks of missing of a column, those of every column first.
    pub fn marks(&self, column: &str) -> Vec<String> {
        let own = self.missing_in.get(column).into_iter().flatten();
        self.missing.iter().chain(own).cloned().collect()
    }

    /// Returns the first column that something is declared about and that is not among `names`.
    pub(crate) fn declared_beside(&self, names: &[String]) -> Option<&String> {
        let mut declared = self.types.keys().chain(self.missing_in.keys());
        declared.find(|name| !names.contains(name))
    }
}
