//! The Mann-Whitney U test with the normal approximation, tie correction and continuity correction.

use super::{Sample, TestResult, for_each_distinct};
use crate::distribution::normal_upper_tail;

/// Which way the reference may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// The reference is stochastically less or greater.
    TwoSided,
    /// The reference is stochastically less than the current sample.
    Less,
}

/// Returns U of the reference and its p-value; `None` for an empty sample or when all values are tied.
pub fn test(reference: &Sample, current: &Sample, alternative: Alternative) -> Option<TestResult> {
    let (n, m) = (reference.n() as f64, current.n() as f64);
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let (mut below, mut rank_sum, mut ties) = (0.0, 0.0, 0.0);
    for_each_distinct(reference, current, |_, in_reference, in_current| {
        let count = (in_reference + in_current) as f64;
        rank_sum += in_reference as f64 * (below + (count + 1.0) / 2.0);
        ties += count * (count * count - 1.0);
        below += count;
    });
    let (total, own) = (n + m, rank_sum - n * (n + 1.0) / 2.0);
    let other = n * m - own;
    let (u, factor) = match alternative {
        Alternative::TwoSided => (own.max(other), 2.0),
        Alternative::Less => (other, 1.0),
    };
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return None;
    }
    let z = (u - n * m / 2.0 - 0.5) / variance.sqrt();
    Some(TestResult {
        statistic: own,
        p_value: Some((factor * normal_upper_tail(z)).min(1.0)),
    })
}
