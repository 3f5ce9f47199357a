//! `dataset.version`: an immutable, content-addressed snapshot of a dataset with its schema and origin.

use serde::{Deserialize, Serialize};
use veracta_data::table::{ColumnType, ReadReport};
use veracta_ledger::Hash;

/// A version of a dataset: its content by digest, its columns, and what was declared about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetVersion {
    /// Name of the dataset in the pipeline; all its versions share it.
    pub name: String,
    /// SHA-256 of the bytes of the file.
    pub digest: Hash,
    /// Length of the file in bytes.
    pub n_bytes: u64,
    /// Format of the file, `csv` or `parquet`.
    pub format: String,
    /// Number of rows, without the header.
    pub n_rows: usize,
    /// Columns in the order of the file, with their types and uses.
    pub columns: Vec<DatasetColumn>,
    /// Where the bytes came from, as the pipeline states it.
    pub source: String,
    /// Whether the data is real, and if not, how it was made.
    pub nature: DataNature,
    /// What a person declared about the processing.
    pub processing: Processing,
    /// Blank, mixed, infinite and `nan` cells that were noticed while reading.
    pub read: ReadReport,
    /// SHA-256 of the dataset versions that it was derived from; empty when none is recorded.
    pub parents: Vec<Hash>,
}

impl DatasetVersion {
    /// Returns what was noticed while reading, a sentence each.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = self.read.notices();
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

/// A column of a dataset version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetColumn {
    /// Name of the column in the file.
    pub name: String,
    /// Type of the values, as it was inferred when the file was read.
    pub column_type: ColumnType,
    /// What the pipeline uses the column for.
    pub column_use: ColumnUse,
}

/// What the pipeline uses a column for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnUse {
    /// The outcome that the model predicts.
    Label,
    /// Distinguishes rows or persons; the model does not read it.
    Identifier,
    /// The model reads it to make a prediction.
    Input,
    /// Left out before training; the model does not read it.
    Dropped,
}

/// Whether data is real; the word stands beside every result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataNature {
    /// Collected from real events or persons.
    Real,
    /// Produced by a simulation of events or persons.
    Simulated,
    /// Generated from real data, such as by a model fitted to it.
    Synthetic,
    /// Invented for demonstration, without any real event or person behind it.
    Artificial,
    /// Nobody declared whether the data is real.
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
    /// Licence under which the data may be used; `None` when nobody declared it.
    pub licence: Option<String>,
    /// Region in which the data is stored; `None` when nobody declared it.
    pub region: Option<String>,
    /// Purposes for which the data may be used.
    pub purposes: Vec<String>,
    /// Legal ground (GDPR Art. 6(1)), such as `contract` or `legitimate_interest`.
    pub lawful_basis: Option<String>,
    /// Columns with special categories of personal data (GDPR Art. 9).
    pub special_categories: Vec<String>,
    /// Exception that allows processing the special categories (GDPR Art. 9(2)); `None` when none is stated.
    pub special_category_exception: Option<String>,
    /// Columns with protected attributes, by which groups are compared.
    pub protected: Vec<String>,
    /// Columns that are personal data; all inputs when nobody said.
    pub personal: Option<Vec<String>>,
    /// First day of collection, ISO 8601; `None` when nobody declared it.
    pub collected_from: Option<String>,
    /// Last day of collection, ISO 8601; `None` when nobody declared it.
    pub collected_to: Option<String>,
    /// Last day on which the data may be kept, ISO 8601; `None` when nobody declared it.
    pub retention_until: Option<String>,
}
