//! The rows of a pipeline: which bytes they are, how they are read, and what their columns are for.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use veracta_data::reading::ReadOptions;
use veracta_data::source::{Format, ReadTable, Source};
use veracta_data::spelling::{DateOrder, NumberStyle};
use veracta_data::table::{Coded, Column, ColumnType, ReadLimits, ReadReport, Table, Values};
use veracta_governance::record::{
    ColumnUse, DataNature, DatasetColumn, DatasetPhiScan, DatasetProfile, DatasetVersion,
    Processing,
};
use veracta_ledger::Hash;
use veracta_model::model::{Encoded, Label, Model};
use veracta_statistics::privacy::scan_identifiers;
use veracta_statistics::profile::{Profile, profile, round_outwards};
use veracta_statistics::target::Target;

use super::{class_names, read_source, rows_for};
use crate::LifecycleError;

/// Fewest rows of each label: with fewer a split leaves a part without one.
const LABEL_ROWS_MIN: usize = 10;

/// Which rows are meant, how they are read and what their columns are for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct DatasetRequest {
    /// SHA-256 of the file's bytes, under which the store keeps them.
    pub digest: Hash,
    /// How its cells are read.
    pub reading: Reading,
    /// Column of the label, and which of its values are positive and negative.
    pub label: LabelRequest,
    /// Columns that tell rows or people apart, in order: never inputs.
    pub identifiers: Vec<String>,
    /// Columns that are left out, in order.
    pub dropped: Vec<String>,
}

/// How the cells of a data file are read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reading {
    /// Byte between cells of a CSV file; a comma when not given.
    pub delimiter: Option<u8>,
    /// Byte before the decimals of a number; a point when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<u8>,
    /// Byte between groups of three digits; none when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thousands: Option<u8>,
    /// How dates are written whose year comes last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dates: Option<DateOrder>,
    /// Cells that mean missing in every column, beside those that always do.
    pub missing: Vec<String>,
    /// Cells that mean missing in one column.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub missing_in: BTreeMap<String, Vec<String>>,
    /// Types that are not inferred.
    pub types: BTreeMap<String, ColumnType>,
    /// Most bytes of a file. What was read under one limit is the same under any other.
    #[serde(skip)]
    pub bytes_limit: Option<u64>,
}

/// Column of the label, and which of its values are positive and negative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LabelRequest {
    /// Name of the label's column; no row may lack a value in it.
    pub column: String,
    /// The value that counts as positive.
    pub positive: String,
    /// Values that count as negative; any other when empty.
    pub negative: Vec<String>,
}

/// A table with what its columns are for.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// SHA-256 of the file's bytes, as the request names it.
    pub digest: Hash,
    /// Length of the file, in bytes.
    pub n_bytes: u64,
    /// The format of the file.
    pub format: Format,
    /// The file.
    pub source: Source,
    /// How it is read.
    pub reading: Reading,
    /// All columns of the file, whatever they are for.
    pub table: Table,
    /// What was noticed while reading.
    pub read: ReadReport,
    /// Columns that a model may read, in file order: neither label, identifier, dropped, free text nor without values.
    pub inputs: Vec<String>,
    /// Name of the label's column.
    pub label: String,
    /// What is to be predicted of each row.
    pub target: Target,
    /// Columns that tell rows or people apart.
    pub identifiers: Vec<String>,
    /// Columns that are left out.
    pub dropped: Vec<String>,
}

impl LabelRequest {
    /// Returns what a model of this label predicts.
    pub(crate) fn label(&self) -> Label {
        Label {
            column: self.column.clone(),
            positive: self.positive.clone(),
        }
    }
}

impl Reading {
    /// Reads the table of a source with these settings.
    pub fn read(&self, source: &Source) -> Result<ReadTable, LifecycleError> {
        read_source(source, &self.options())
    }

    /// Returns the settings in full.
    pub fn options(&self) -> ReadOptions {
        let limits = ReadLimits::default();
        ReadOptions {
            delimiter: self.delimiter,
            numbers: NumberStyle {
                decimal: self.decimal.unwrap_or(NumberStyle::default().decimal),
                thousands: self.thousands,
            },
            dates: self.dates,
            missing: self.missing.clone(),
            missing_in: self.missing_in.clone(),
            types: self.types.clone(),
            limits: ReadLimits {
                bytes_max: self.bytes_limit.unwrap_or(limits.bytes_max),
                ..limits
            },
            ..ReadOptions::default()
        }
    }
}

impl DatasetRequest {
    /// Reads the rows and finds out what their columns are for. `check_columns` is asked first whether it knows better names.
    pub(crate) fn load(
        &self,
        source: &Source,
        check_columns: &dyn Fn(&[String]) -> Result<(), LifecycleError>,
    ) -> Result<Dataset, LifecycleError> {
        let n_bytes = source
            .n_bytes()
            .map_err(LifecycleError::file(&source.path))?;
        let ReadTable {
            format,
            table,
            report,
        } = self.reading.read(source)?;
        let names = table.columns.iter().map(|column| column.name.clone());
        check_columns(&names.collect::<Vec<String>>())?;
        let labels = self.labels(&source.path, &table)?;
        let inputs: Vec<String> = table
            .columns
            .iter()
            .filter(|column| self.is_input(column))
            .map(|column| column.name.clone())
            .collect();
        if inputs.is_empty() {
            return Err(LifecycleError::NoInputs);
        }
        Ok(Dataset {
            digest: self.digest,
            n_bytes,
            format,
            source: source.clone(),
            reading: self.reading.clone(),
            table,
            read: report,
            inputs,
            label: self.label.column.clone(),
            target: Target::Binary(labels),
            identifiers: self.identifiers.clone(),
            dropped: self.dropped.clone(),
        })
    }

    /// Text differs from row to row, and a column without any value teaches nothing; the profile reports both.
    fn is_input(&self, column: &Column) -> bool {
        let has_values = match &column.values {
            Values::Numeric(values) => values.iter().any(|value| value.is_finite()),
            Values::Coded(coded) => !coded.levels.is_empty(),
        };
        column.column_type != ColumnType::Text
            && column.name != self.label.column
            && !self.identifiers.contains(&column.name)
            && !self.dropped.contains(&column.name)
            && has_values
    }

    fn labels(&self, path: &Path, table: &Table) -> Result<Vec<bool>, LifecycleError> {
        let LabelRequest {
            column,
            positive,
            negative,
        } = &self.label;
        let refuse = |reason: String| LifecycleError::Label {
            file: path.display().to_string(),
            column: column.clone(),
            reason,
        };
        let source = table
            .column(column)
            .map_err(|source| LifecycleError::Data {
                file: path.display().to_string(),
                source,
            })?;
        let n_missing = (0..table.n_rows)
            .filter(|row| source.is_missing(*row))
            .count();
        if n_missing > 0 {
            return Err(refuse(format!(
                "{n_missing} of {} rows have no label; remove them before training",
                table.n_rows
            )));
        }
        let coded = source.groups();
        let code = check_levels(&coded, positive, negative).map_err(refuse)?;
        let labels: Vec<bool> = coded
            .codes
            .iter()
            .map(|held| *held as usize == code)
            .collect();
        let n_positive = labels.iter().filter(|label| **label).count();
        if n_positive.min(labels.len() - n_positive) < LABEL_ROWS_MIN {
            return Err(refuse(format!(
                "{n_positive} of {} rows are positive; at least {LABEL_ROWS_MIN} of each label are needed to train and to measure",
                labels.len()
            )));
        }
        Ok(labels)
    }
}

/// Returns the code of the positive value, or why these values are not those of two labels.
fn check_levels(labels: &Coded, positive: &str, negative: &[String]) -> Result<usize, String> {
    let levels = &labels.levels;
    let Some(code) = labels.code_of(positive) else {
        return Err(format!(
            "no row has the positive value `{positive}`; there are {}",
            class_names(levels)
        ));
    };
    if levels.len() < 2 {
        return Err(format!(
            "every row has the value `{positive}`; a classifier needs both labels"
        ));
    }
    // A third value must not become a negative label in silence: it may be a misspelt positive.
    let others: Vec<&String> = levels
        .iter()
        .filter(|level| **level != levels[code])
        .collect();
    let has_list = !negative.is_empty();
    let negative: Vec<usize> = negative
        .iter()
        .filter_map(|word| labels.code_of(word))
        .collect();
    let is_listed = |level: &String| negative.iter().any(|code| levels[*code] == *level);
    let undeclared: Vec<&String> = match has_list {
        false if levels.len() > 2 => others,
        false => Vec::new(),
        true => others
            .into_iter()
            .filter(|level| !is_listed(level))
            .collect(),
    };
    if undeclared.is_empty() {
        return Ok(code);
    }
    Err(format!(
        "besides `{positive}` there are {}; correct the values, or list those that count as negative under `data.label.negative`",
        class_names(undeclared)
    ))
}

impl Dataset {
    /// Returns the column of that name.
    ///
    /// # Panics
    /// When the name was not checked against the data.
    pub fn column(&self, name: &str) -> &Column {
        let found = self.table.column(name);
        found.expect("names in the pipeline file are checked when the data is read")
    }

    /// Returns all rows as a model reads them. A model that was trained elsewhere has the file read again as it reads: what the pipeline
    /// infers of a column is no matter to it.
    pub(crate) fn rows_for(&self, model: &Model) -> Result<Encoded, LifecycleError> {
        match model.is_own() {
            true => Ok(model.batch(&self.table)?),
            false => rows_for(model, &self.source, &self.reading.options()),
        }
    }

    /// Returns the record of this version.
    pub(crate) fn version_record(
        &self,
        name: &str,
        file_name: &str,
        nature: DataNature,
        processing: Processing,
    ) -> DatasetVersion {
        let columns = self.table.columns.iter().map(|column| DatasetColumn {
            name: column.name.clone(),
            column_type: column.column_type,
            column_use: self.use_of(&column.name),
        });
        DatasetVersion {
            name: name.to_owned(),
            digest: self.digest,
            n_bytes: self.n_bytes,
            format: self.format.name().to_owned(),
            n_rows: self.table.n_rows,
            columns: columns.collect(),
            source: file_name.to_owned(),
            nature,
            processing,
            read: self.read.clone(),
            parents: Vec::new(),
        }
    }

    fn use_of(&self, name: &String) -> ColumnUse {
        if *name == self.label {
            ColumnUse::Label
        } else if self.identifiers.contains(name) {
            ColumnUse::Identifier
        } else if self.inputs.contains(name) {
            ColumnUse::Input
        } else {
            ColumnUse::Dropped
        }
    }

    /// Returns the record of its profile.
    pub(crate) fn profile_record(&self) -> DatasetProfile {
        let identifiers: Vec<&str> = self.identifiers.iter().map(String::as_str).collect();
        let mut profile = profile(&self.table, &identifiers);
        hide_identifying_values(&mut profile, &self.identifiers);
        DatasetProfile {
            dataset: self.digest,
            profile,
        }
    }

    /// Returns the record of the search for identifiers.
    pub(crate) fn phi_scan_record(&self) -> DatasetPhiScan {
        DatasetPhiScan {
            dataset: self.digest,
            scan: scan_identifiers(&self.table),
            declared: self.identifiers.clone(),
            inputs: self.inputs.clone(),
            dropped: self.dropped.clone(),
        }
    }
}

/// Identifiers keep their counts and lose their values; extremes, which are one row's, are rounded outwards.
fn hide_identifying_values(profile: &mut Profile, identifiers: &[String]) {
    let columns = profile.columns.iter_mut();
    for numeric in columns.filter_map(|column| column.numeric.as_mut()) {
        (numeric.min, numeric.max) = (
            round_outwards(numeric.min, false),
            round_outwards(numeric.max, true),
        );
    }
    for column in &mut profile.columns {
        if identifiers.contains(&column.name) {
            column.frequent.clear();
            column.numeric = None;
        }
    }
}
