//! Dividing the rows into parts, and the bytes that say which row is in which.

use serde::Serialize;
use veracta_data::table::{Column, MISSING, Values};
use veracta_governance::record::{DatasetSplit, SplitMethod};
use veracta_ledger::Hash;
use veracta_statistics::split::{
    Part, SplitRows, SplitShares, prove_split, split_as_given, split_by_time, split_stratified,
};
use veracta_store::Blobs;

use super::dataset::Dataset;
use crate::LifecycleError;

/// How rows are divided into a training, a tuning and a test part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitRequest {
    /// By chance, by time, or as a column says.
    pub method: SplitMethod,
    /// Shares of the parts, and the seed.
    pub shares: SplitShares,
    /// Column whose rows stay in one part.
    pub subject: Option<String>,
}

impl Dataset {
    /// Divides the rows and returns the record with the part of each row.
    pub fn split(
        &self,
        request: &SplitRequest,
    ) -> Result<(DatasetSplit, Vec<Part>), LifecycleError> {
        let mut left_out: Vec<&str> = self.identifiers.iter().map(String::as_str).collect();
        if let SplitMethod::Given { column } = &request.method {
            // The column that says the part differs between two copies of a row in different parts, and would hide them.
            left_out.push(column);
        }
        let digests = self.table.row_digests(&left_out);
        let subjects = request
            .subject
            .as_ref()
            .map(|name| self.column(name).groups().codes);
        let rows = SplitRows {
            labels: self.target.binary()?,
            digests: &digests,
            subjects: subjects.as_deref(),
        };
        let shares = request.shares;
        let parts = match &request.method {
            SplitMethod::Given { column } => {
                split_as_given(rows, &given_parts(self.column(column)))?
            }
            SplitMethod::Time { column } => {
                split_by_time(rows, &order_of(self.column(column)), shares)?
            }
            SplitMethod::Stratified => split_stratified(rows, shares)?,
        };
        let record = DatasetSplit {
            dataset: self.digest,
            method: request.method.clone(),
            shares,
            subject: request.subject.clone(),
            identifiers: self.identifiers.clone(),
            proof: prove_split(rows, &parts),
            assignment: Hash::of(&encode_parts(&parts)),
        };
        Ok((record, parts))
    }
}

/// Returns the part that each row was given; a row with another word has none.
fn given_parts(column: &Column) -> Vec<Option<Part>> {
    let coded = column.groups();
    let part = |word: &String| match word.as_str() {
        "train" => Some(Part::Train),
        "tune" | "validation" => Some(Part::Tune),
        "test" => Some(Part::Test),
        _ => None,
    };
    let parts: Vec<Option<Part>> = coded.levels.iter().map(part).collect();
    let codes = coded.codes.iter();
    codes
        .map(|code| parts.get(*code as usize).copied().flatten())
        .collect()
}

/// Returns a number that orders rows in time: the value itself, or the position of the text among its levels, which puts
/// ISO 8601 dates in order.
fn order_of(column: &Column) -> Vec<f64> {
    match &column.values {
        Values::Numeric(values) => values.clone(),
        Values::Coded(coded) => {
            // A row without a time has no place in the order, and `split_by_time` refuses it.
            let place = |code: &u32| match *code {
                MISSING => f64::NAN,
                code => f64::from(code),
            };
            coded.codes.iter().map(place).collect()
        }
    }
}

/// Returns the rows that development may look at: all but the sealed test part and the excluded ones.
pub(crate) fn development_rows(parts: &[Part]) -> Vec<usize> {
    let is_open = |row: &usize| matches!(parts[*row], Part::Train | Part::Tune);
    (0..parts.len()).filter(is_open).collect()
}

/// Returns the rows of a part.
pub fn rows_of(parts: &[Part], part: Part) -> Vec<usize> {
    (0..parts.len()).filter(|row| parts[*row] == part).collect()
}

/// Returns the assignment of rows to parts, one letter a row.
pub(crate) fn encode_parts(parts: &[Part]) -> Vec<u8> {
    let letter = |part: &Part| match part {
        Part::Train => b'r',
        Part::Tune => b'u',
        Part::Test => b't',
        Part::Excluded => b'x',
    };
    parts.iter().map(letter).collect()
}

/// Reads an assignment; `None` when it is not one.
fn decode_parts(bytes: &[u8]) -> Option<Vec<Part>> {
    let part = |letter: &u8| match letter {
        b'r' => Some(Part::Train),
        b'u' => Some(Part::Tune),
        b't' => Some(Part::Test),
        b'x' => Some(Part::Excluded),
        _ => None,
    };
    bytes.iter().map(part).collect()
}

/// Reads the part of each row from a stored assignment; other bytes are an error.
pub(crate) fn read_parts(blobs: &Blobs, assignment: Hash) -> Result<Vec<Part>, LifecycleError> {
    let parts = decode_parts(&blobs.get(assignment)?);
    parts.ok_or(LifecycleError::MissingEvidence {
        kind: "assignment of rows to parts",
    })
}

#[cfg(test)]
mod tests {
    use veracta_data::csv::read_csv;
    use veracta_data::reading::ReadOptions;

    use super::*;

    #[test]
    fn a_row_without_a_date_has_no_place_in_time() {
        let text = "day\n2026-01-02\n\"\"\n2026-01-01\n";
        let (table, _) = read_csv(&mut std::io::Cursor::new(text), &ReadOptions::default())
            .expect("three rows of one column");
        let order = order_of(&table.columns[0]);
        assert!(order[1].is_nan() && order[2] < order[0], "{order:?}");
    }
}
