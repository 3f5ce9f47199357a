//! `dataset.minimisation`: which inputs are needed, shown by leaving them out and training again.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_ml::minimisation::{DropResult, MinimisationPlan};

/// What leaving inputs out costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetMinimisation {
    /// Dataset version used.
    pub dataset: Hash,
    /// Rows used: those not in the sealed test part.
    pub n_rows: usize,
    /// Metric whose loss is measured.
    pub metric: String,
    /// Folds, tolerances and level.
    pub plan: MinimisationPlan,
    /// Association from which inputs are tested together.
    pub correlation: f64,
    /// Inputs set aside because they give the label away: with them in, every other input looks unneeded.
    pub set_aside: Vec<String>,
    /// One result a group of inputs; the last may be all that are not needed at once.
    pub results: Vec<DropResult>,
    /// Columns left out before training, with the reason given.
    pub dropped: Vec<DroppedInput>,
    /// Inputs kept although not needed, with the reason given.
    pub exempted: Vec<DroppedInput>,
}

/// A column and why it is treated as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DroppedInput {
    /// The column.
    pub column: String,
    /// The reason a person gave.
    pub reason: String,
}
