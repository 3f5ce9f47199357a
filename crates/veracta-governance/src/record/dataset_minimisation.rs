//! `dataset.minimisation`: which inputs are needed, shown by leaving them out and training again.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_statistics::minimisation::{DropResult, MinimisationPlan};

/// How much worse a model becomes when inputs are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetMinimisation {
    /// SHA-256 of the dataset version whose inputs were left out.
    pub dataset: Hash,
    /// Rows used: those not in the sealed test part.
    pub n_rows: usize,
    /// Name of the metric whose loss is measured, such as `roc_auc`.
    pub metric: String,
    /// Folds, repeats, tolerances, confidence level and seed of the measurement.
    pub plan: MinimisationPlan,
    /// Association between two inputs from which they are left out together, from 0 to 1.
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
    /// Name of the column, as the dataset has it.
    pub column: String,
    /// The reason that a person gave, as text.
    pub reason: String,
}
