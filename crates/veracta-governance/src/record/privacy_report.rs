//! `privacy.report`: results of privacy attacks on a model.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_model::model::UnknownValues;
use veracta_statistics::membership::Attack;

/// How well attacks find the training rows of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyReport {
    /// SHA-256 of the model that was attacked.
    pub model: Hash,
    /// SHA-256 of the file of training rows, and of the file of others.
    pub data: [Hash; 2],
    /// Name of each attack with what it found.
    pub attacks: Vec<(String, Attack)>,
    /// Number of shadow models trained for the likelihood-ratio attack; 0 when it was not made.
    pub n_shadows: usize,
    /// Values of the rows that the model does not know, by column; since version 2.
    #[serde(default)]
    pub unknown: Vec<UnknownValues>,
}
