//! `dataset.phi_scan`: identifiers found in columns and free text, by class; never a value.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_statistics::privacy::{IdentifierFinding, IdentifierScan};

/// Identifiers that were found, and what the columns they are in are used for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetPhiScan {
    /// SHA-256 of the dataset version that was searched for identifiers.
    pub dataset: Hash,
    /// Findings by column and class, and the measured recall of the detectors.
    pub scan: IdentifierScan,
    /// Columns that the pipeline declares to be identifiers.
    pub declared: Vec<String>,
    /// Columns that the model reads as inputs.
    pub inputs: Vec<String>,
    /// Columns that are left out before training.
    pub dropped: Vec<String>,
}

impl DatasetPhiScan {
    /// Returns findings in columns that are neither declared as identifiers nor left out.
    pub fn residual(&self) -> impl Iterator<Item = &IdentifierFinding> {
        self.scan.findings.iter().filter(|finding| {
            !self.declared.contains(&finding.column) && !self.dropped.contains(&finding.column)
        })
    }
}
