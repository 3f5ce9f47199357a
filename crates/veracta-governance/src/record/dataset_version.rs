//! `dataset.version`: an immutable, content-addressed snapshot of a dataset with its schema and origin.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_ml::table::{CellPlace, ColumnType, ReadReport};

/// A dataset version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetVersion {
    /// Name of the dataset.
    pub name: String,
    /// SHA-256 of its bytes.
    pub digest: Hash,
    /// Length in bytes.
    pub n_bytes: u64,
    /// `csv` or `parquet`.
    pub format: String,
    /// Rows.
    pub n_rows: usize,
    /// Columns and what they are used for.
    pub columns: Vec<DatasetColumn>,
    /// Where the bytes came from, as the pipeline states it.
    pub source: String,
    /// Whether the data is real.
    pub nature: DataNature,
    /// What a person declared about the processing.
    pub processing: Processing,
    /// What was noticed while reading.
    pub read: ReadReport,
    /// Dataset versions it was derived from.
    pub parents: Vec<Hash>,
}

impl DatasetVersion {
    /// Returns what was noticed while reading, a sentence each.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        for blank in &self.read.blank {
            let (column, line) = (&blank.first.column, blank.first.line);
            notices.push(format!(
                "{} blank cells in `{column}` are read as missing, the first in line {line}",
                blank.n_cells
            ));
        }
        for mixed in &self.read.mixed {
            let (column, line) = (&mixed.first.column, mixed.first.line);
            let counts = format!(
                "{} cells are numbers, {} are not",
                mixed.n_numeric, mixed.n_other
            );
            notices.push(format!(
                "`{column}` is read as text: {counts}, the first of these in line {line}"
            ));
        }
        if self.read.n_nan_text > 0 {
            let place = first_place(self.read.first_nan_text.as_ref());
            notices.push(format!(
                "{} cells say `nan` and are read as missing{place}",
                self.read.n_nan_text
            ));
        }
        if self.read.n_infinite > 0 {
            let place = first_place(self.read.first_infinite.as_ref());
            notices.push(format!(
                "{} cells are infinite and treated as missing by the model{place}",
                self.read.n_infinite
            ));
        }
        let is_unused_text = |column: &&DatasetColumn| {
            column.column_type == ColumnType::Text && column.column_use == ColumnUse::Dropped
        };
        for column in self.columns.iter().filter(is_unused_text) {
            notices.push(format!(
                "`{}` is text that differs from row to row and is not read by the model",
                column.name
            ));
        }
        notices
    }
}

fn first_place(place: Option<&CellPlace>) -> String {
    place
        .map(|place| format!(", the first in line {} of `{}`", place.line, place.column))
        .unwrap_or_default()
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetColumn {
    /// Name.
    pub name: String,
    /// How it was read.
    pub column_type: ColumnType,
    /// What it is used for.
    pub column_use: ColumnUse,
}

/// What a column is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnUse {
    /// What is predicted.
    Label,
    /// Tells rows apart.
    Identifier,
    /// Read by the model.
    Input,
    /// Left out.
    Dropped,
}

/// Whether data is real; the word stands beside every result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataNature {
    /// Collected from the world.
    Real,
    /// Produced by a model of the world.
    Simulated,
    /// Generated from real data.
    Synthetic,
    /// Made up for demonstration.
    Artificial,
    /// Nobody said.
    Undeclared,
}

impl DataNature {
    /// Returns the word that stands beside results.
    pub fn word(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Simulated => "simulated",
            Self::Synthetic => "synthetic",
            Self::Artificial => "artificial",
            Self::Undeclared => "undeclared",
        }
    }
}

/// What a person declares about the processing of personal data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Processing {
    /// Who decides on purposes and means (GDPR Art. 4(7)).
    pub controller: Option<String>,
    /// Licence of the data.
    pub licence: Option<String>,
    /// Region it is held in.
    pub region: Option<String>,
    /// What it may be used for.
    pub purposes: Vec<String>,
    /// Legal ground (GDPR Art. 6(1)), such as `contract` or `legitimate_interest`.
    pub lawful_basis: Option<String>,
    /// Columns of special categories (GDPR Art. 9).
    pub special_categories: Vec<String>,
    /// Exception that allows them.
    pub special_category_exception: Option<String>,
    /// Protected attributes.
    pub protected: Vec<String>,
    /// Columns that are personal data; all inputs when nobody said.
    pub personal: Option<Vec<String>>,
    /// First day of collection, ISO 8601.
    pub collected_from: Option<String>,
    /// Last day of collection.
    pub collected_to: Option<String>,
    /// Last day it may be kept.
    pub retention_until: Option<String>,
}
