//! Reason codes for an adverse decision (12 CFR 1002.9, 15 USC 1681m): which groups of inputs pushed a score towards it most.
//!
//! A mapping assigns inputs to codes. A code's points are the sum, over its inputs, of the contribution minus the mean contribution
//! over a reference population: what is unusual about this person, not about the model.

use std::collections::BTreeMap;

/// A code with its points in margin units.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// Reason code of the mapping, which several inputs may share.
    pub code: String,
    /// How far it pushed towards the adverse class beyond the mean of the reference.
    pub points: f64,
}

/// Returns up to `n_max` codes that push towards the adverse class, the strongest first, ties by code.
///
/// `contributions` are towards the adverse class; `codes` names the code of each feature, `None` for one that is never a reason.
///
/// # Panics
/// When the lengths differ.
pub fn reason_codes(
    contributions: &[f64],
    means: &[f64],
    codes: &[Option<&str>],
    n_max: usize,
) -> Vec<Reason> {
    assert!(
        contributions.len() == means.len() && means.len() == codes.len(),
        "one contribution, mean and code a feature"
    );
    let mut points: BTreeMap<&str, f64> = BTreeMap::new();
    for ((contribution, mean), code) in contributions.iter().zip(means).zip(codes) {
        if let Some(code) = code {
            *points.entry(code).or_default() += contribution - mean;
        }
    }
    let adverse = points.into_iter().filter(|(_, points)| *points > 0.0);
    let mut reasons: Vec<Reason> = adverse
        .map(|(code, points)| Reason {
            code: code.to_owned(),
            points,
        })
        .collect();
    // The map is in order of codes and the sort is stable: ties stay in that order.
    reasons.sort_by(|a, b| b.points.total_cmp(&a.points));
    reasons.truncate(n_max);
    reasons
}
