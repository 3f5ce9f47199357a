//! What drives a prediction: exact Shapley values of trees and of linear models, for a row and in general.
//!
//! [`path_dependent`] weighs a feature that is not in the coalition by the training rows of each branch; [`interventional`] takes
//! it from background rows. Both are exact with missing values, categories and several outputs. Attributions and base value add up
//! to the margin; this is asserted for every row.

pub mod coalition;
pub mod counterfactual;
pub mod dependence;
pub mod interventional;
pub mod path_dependent;
pub mod reason;
pub mod summary;

use crate::tree::{Arithmetic, TreeEnsemble};

/// Attributions of one row to one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    /// Contribution of each feature, in margin units (log-odds for a classifier).
    pub contributions: Vec<f64>,
    /// The margin expected without knowing any feature.
    pub base_value: f64,
}

/// Why a prediction cannot be explained exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplanationError {
    /// Leaves that are linear functions.
    #[error(
        "trees with linear leaves have no exact attributions; use permutation importance or partial dependence"
    )]
    LinearLeaves,
    /// Trees without the training rows of their branches.
    #[error(
        "the file does not say how many training rows passed each branch; give background rows to compare with"
    )]
    NoCovers,
    /// Something else than trees or a linear model.
    #[error("{kind} is explained against background rows only; give some")]
    NeedsBackground {
        /// The model in words, such as its format and operators.
        kind: String,
    },
    /// Background rows were to be compared with, and there are none.
    #[error("interventional attributions need at least one background row")]
    NoBackground,
}

/// Returns the contributions of a linear model: coefficient × (value − mean value), in margin units.
pub(crate) fn linear_attribution(
    coefficients: &[f64],
    intercept: f64,
    row: &[f64],
    means: &[f64],
) -> Attribution {
    let base_value = intercept
        + coefficients
            .iter()
            .zip(means)
            .map(|(b, mean)| b * mean)
            .sum::<f64>();
    let contributions = coefficients
        .iter()
        .zip(row)
        .zip(means)
        .map(|((b, x), mean)| b * (x - mean))
        .collect();
    Attribution {
        contributions,
        base_value,
    }
}

/// Refuses what has no exact attributions.
fn refuse_linear_leaves(ensemble: &TreeEnsemble) -> Result<(), ExplanationError> {
    let has_terms = ensemble
        .trees
        .iter()
        .flat_map(|tree| tree.linear.values())
        .any(|leaf| !leaf.terms.is_empty());
    if has_terms {
        Err(ExplanationError::LinearLeaves)
    } else {
        Ok(())
    }
}

/// Refuses trees whose branches have no weight: a split that no training row passed.
fn refuse_without_covers(ensemble: &TreeEnsemble) -> Result<(), ExplanationError> {
    let has_none = |tree: &crate::tree::Tree| tree.nodes.len() > 1 && tree.nodes[0].cover == 0.0;
    if ensemble.trees.iter().any(has_none) {
        Err(ExplanationError::NoCovers)
    } else {
        Ok(())
    }
}

/// Asserts that attributions and base value add up to the margin.
///
/// `added` is the sum of absolute values of all that was added to the margin: what its arithmetic can lose grows with it.
fn assert_additive(arithmetic: Arithmetic, total: f64, margin: f64, added: f64) {
    let unit = match arithmetic {
        Arithmetic::Single => 1e-5,
        Arithmetic::Double => 1e-9,
    };
    // A margin that leaves the range of its arithmetic is not the sum of anything.
    if !margin.is_finite() || !added.is_finite() {
        return;
    }
    let tolerance = unit * (1.0 + added);
    assert!(
        (total - margin).abs() <= tolerance,
        "attributions add up to {total}, the margin is {margin}"
    );
}
