//! `dataset.phi_scan`: identifiers found in columns and free text, by class; never a value.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_ml::privacy::{IdentifierFinding, IdentifierScan};

/// What was found, and where it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetPhiScan {
    /// Dataset version scanned.
    pub dataset: Hash,
    /// Findings and the detectors' recall.
    pub scan: IdentifierScan,
    /// Columns declared to be identifiers.
    pub declared: Vec<String>,
    /// Columns the model reads.
    pub inputs: Vec<String>,
    /// Columns left out before training.
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
