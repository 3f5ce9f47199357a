//! `drift.report`: how far current data is from a reference.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_statistics::drift::measurement::DriftMeasurement;
use veracta_statistics::drift::rule::{Change, ColumnDrift, Tolerances};

/// The drift of a table; no value of a row is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftReport {
    /// SHA-256 of the model whose inputs were compared.
    pub model: Hash,
    /// SHA-256 of the reference file or stored profile.
    pub reference: Hash,
    /// SHA-256 of the current file.
    pub current: Hash,
    /// Number of rows of the reference and of the current data, in this order.
    pub n: [usize; 2],
    /// Limits that the changes are compared with.
    pub tolerances: Tolerances,
    /// Each compared column with its kind and its drift.
    pub columns: Vec<DriftedColumn>,
    /// Columns of the reference that the current file lacks.
    pub lost: Vec<String>,
    /// Columns that only the current file has.
    pub added: Vec<String>,
    /// The worst verdict of any column; a lost one counts as drifted.
    pub outcome: Change,
}

/// The drift of one column between reference and current data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftedColumn {
    /// Name of the column in both files.
    pub column: String,
    /// How the column was compared: `numeric` or `categorical`.
    pub kind: String,
    /// Whether the column drifted, and the size of the change with its bounds.
    pub drift: ColumnDrift,
}

impl DriftReport {
    /// Returns the part of a measurement that is recorded.
    pub fn new(model: Hash, [reference, current]: [Hash; 2], measured: &DriftMeasurement) -> Self {
        let has = |change| measured.with_change(change).next().is_some();
        let outcome = if has(Change::Drifted) || !measured.lost.is_empty() {
            Change::Drifted
        } else if has(Change::Undecided) {
            Change::Undecided
        } else {
            Change::Stable
        };
        let column =
            |found: &veracta_statistics::drift::measurement::ColumnMeasurement| DriftedColumn {
                column: found.name.clone(),
                kind: found.kind.clone(),
                drift: found.drift.clone(),
            };
        Self {
            model,
            reference,
            current,
            n: [measured.n_reference, measured.n_current],
            tolerances: measured.options.tolerances,
            columns: measured.columns.iter().map(column).collect(),
            lost: measured.lost.clone(),
            added: measured.added.clone(),
            outcome,
        }
    }
}
