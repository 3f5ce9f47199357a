//! `bias.report`: label balance by group, inputs that give the label away, and inputs that stand in for a protected attribute.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_statistics::interval::Estimate;

/// What the data says about groups and about single inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BiasReport {
    /// SHA-256 of the dataset version that was examined.
    pub dataset: Hash,
    /// Rows looked at: those not in the sealed test part.
    pub n_rows: usize,
    /// Groups of the protected attributes with their label rate.
    pub groups: Vec<GroupShare>,
    /// How well each input alone gives the label away.
    pub leakage: Vec<InputAssociation>,
    /// How well each input alone gives a protected attribute away.
    pub proxies: Vec<InputAssociation>,
    /// Lower bound of the ROC AUC from which an input counts as leaking the label.
    pub leakage_limit: f64,
    /// Lower bound of the ROC AUC from which an input counts as a proxy.
    pub proxy_limit: f64,
}

/// How large a group is, and how often its label is positive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupShare {
    /// Name of the column with the protected attribute.
    pub attribute: String,
    /// Value of the attribute that all rows of the group have.
    pub level: String,
    /// Number of rows in the group.
    pub n_rows: usize,
    /// Share of all examined rows that are in the group, from 0 to 1.
    pub share: f64,
    /// Share of positive labels in the group, from 0 to 1, with Wilson's interval; `None` when not defined.
    pub label_rate: Option<Estimate>,
}

/// How well one input separates a target, as ROC AUC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputAssociation {
    /// Name of the column of the input.
    pub input: String,
    /// The label, or attribute and level such as `gender=Female`.
    pub target: String,
    /// ROC AUC of the input alone, out of fold.
    pub auc: Estimate,
}

impl BiasReport {
    /// Returns the inputs that give the label away.
    pub fn leaks(&self) -> impl Iterator<Item = &InputAssociation> {
        self.leakage
            .iter()
            .filter(|found| found.auc.lower >= self.leakage_limit)
    }

    /// Returns the inputs that stand in for a protected attribute.
    pub(crate) fn strong_proxies(&self) -> impl Iterator<Item = &InputAssociation> {
        self.proxies
            .iter()
            .filter(|found| found.auc.lower >= self.proxy_limit)
    }
}
