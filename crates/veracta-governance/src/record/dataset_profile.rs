//! `dataset.profile`: per-column statistics of one dataset version.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_statistics::profile::Profile;

/// Statistics of the columns of a dataset version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetProfile {
    /// SHA-256 of the dataset version that the statistics describe.
    pub dataset: Hash,
    /// Statistics of each column, and counts of repeated rows.
    pub profile: Profile,
}

impl DatasetProfile {
    /// Returns what the statistics show that a person should know, a sentence each.
    pub fn notices(&self) -> Vec<String> {
        let (all, without_id) = (
            self.profile.n_duplicate_rows,
            self.profile.n_duplicate_rows_without_id,
        );
        let mut notices = Vec::new();
        if without_id > 0 {
            let reading = if all == without_id {
                "in every column".to_owned()
            } else {
                format!("without the identifiers ({all} in every column)")
            };
            notices.push(format!("{without_id} rows repeat an earlier one {reading}; they are kept and stay in one part of the split"));
        }
        for column in &self.profile.columns {
            if column.n_missing == self.profile.n_rows {
                notices.push(format!(
                    "`{}` has no value in any row and is not read by the model",
                    column.name
                ));
            } else if column.n_distinct == 1 {
                notices.push(format!(
                    "`{}` has the same value in every row that has one",
                    column.name
                ));
            }
        }
        notices
    }
}
