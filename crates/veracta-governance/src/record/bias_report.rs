//! `bias.report`: label balance by group, inputs that give the label away, and inputs that stand in for a protected attribute.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use veracta_ml::interval::Estimate;

/// What the data says about groups and about single inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BiasReport {
    /// Dataset version looked at.
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

/// A group's share of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupShare {
    /// Protected attribute.
    pub attribute: String,
    /// Its level.
    pub level: String,
    /// Rows.
    pub n_rows: usize,
    /// Share of all rows.
    pub share: f64,
    /// Share of positive labels, with Wilson's interval.
    pub label_rate: Option<Estimate>,
}

/// How well one input separates a target, as ROC AUC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputAssociation {
    /// The input.
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
    pub fn strong_proxies(&self) -> impl Iterator<Item = &InputAssociation> {
        self.proxies
            .iter()
            .filter(|found| found.auc.lower >= self.proxy_limit)
    }
}
