//! Which columns have drifted: Evidently's default rule, and our own.
//!
//! Evidently's rule ([`evidently`]) is kept so that people can compare. It alarms on p-values of one column after the other, which with
//! many rows or columns alarms always, and does not see missing values or categories that are new.
//!
//! Our own ([`judge_numeric`], [`judge_categorical`]) asks how large a change is, not whether there is one: the lower bound of an effect
//! size must pass a tolerance. The effect is the share of rows by which two distributions differ: the Kolmogorov-Smirnov distance of
//! numbers, the total variation of categories. Its bound holds for any distribution and any number of rows (Massart 1990 for numbers,
//! McDiarmid 1989 for categories), at a level divided by the number of columns (Bonferroni), so that a thousand unchanged columns raise a
//! false alarm no more often than one. Missing values and unseen categories are effects of their own.

use serde::{Deserialize, Serialize};

use super::{CategoryCounts, Sample, binned, contingency, kolmogorov_smirnov, transport};
use crate::interval::{newcombe_interval, wilson_interval};

/// Reference rows up to which Evidently tests with p-values.
const EVIDENTLY_SMALL: usize = 1000;
/// Distinct values up to which Evidently takes numbers for categories.
const EVIDENTLY_DISTINCT: usize = 5;

/// What Evidently's default rule says of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidentlyVerdict {
    /// Name of the method it chose.
    pub method: &'static str,
    /// p-value or distance; `None` when it is not defined.
    pub score: Option<f64>,
    /// 0.05 for p-values, 0.1 for distances.
    pub threshold: f64,
    /// Whether it calls this drift.
    pub drift: bool,
}

/// Returns what Evidently's default rule says of a numeric column.
pub fn evidently(reference: &Sample, current: &Sample) -> EvidentlyVerdict {
    evidently_at(reference, current, &|| {
        transport::wasserstein_normed(reference, current)
    })
}

/// Returns the same with a way to know the Wasserstein distance over the reference's spread.
pub(crate) fn evidently_at(
    reference: &Sample,
    current: &Sample,
    wasserstein: &dyn Fn() -> Option<f64>,
) -> EvidentlyVerdict {
    let is_small = reference.n() <= EVIDENTLY_SMALL;
    if has_few_distinct(reference, current) {
        return evidently_categorical(&CategoryCounts::of_numbers(reference, current), is_small);
    }
    if is_small {
        let score = kolmogorov_smirnov::test(reference, current, kolmogorov_smirnov::Method::Auto)
            .and_then(|found| found.p_value);
        return EvidentlyVerdict {
            method: "ks",
            score,
            threshold: 0.05,
            drift: score.is_some_and(|p| p <= 0.05),
        };
    }
    let score = wasserstein();
    EvidentlyVerdict {
        method: "wasserstein",
        score,
        threshold: 0.1,
        drift: score.is_some_and(|score| score >= 0.1),
    }
}

/// Returns whether both samples together have at most [`EVIDENTLY_DISTINCT`] distinct values, without looking at all of them.
fn has_few_distinct(reference: &Sample, current: &Sample) -> bool {
    let mut seen: Vec<f64> = Vec::with_capacity(EVIDENTLY_DISTINCT + 1);
    for sample in [reference, current] {
        let mut rest = sample.sorted.as_slice();
        while let Some(value) = rest.first() {
            if !seen.contains(value) {
                seen.push(*value);
            }
            if seen.len() > EVIDENTLY_DISTINCT {
                return false;
            }
            rest = &rest[rest.partition_point(|held| held <= value)..];
        }
    }
    true
}

/// Returns what Evidently's default rule says of categories; `is_small` is whether at most 1000 reference rows have a value.
pub fn evidently_categorical(counts: &CategoryCounts, is_small: bool) -> EvidentlyVerdict {
    if is_small {
        let (method, found) = match counts.levels.len() {
            0..=2 => ("z", contingency::proportion_z(counts)),
            _ => (
                "chisquare",
                contingency::chi_squared_against_reference(counts),
            ),
        };
        let score = found.and_then(|found| found.p_value);
        return EvidentlyVerdict {
            method,
            score,
            threshold: 0.05,
            drift: score.is_some_and(|p| p < 0.05),
        };
    }
    let score = counts.bins().and_then(|bins| binned::jensen_shannon(&bins));
    EvidentlyVerdict {
        method: "jensenshannon",
        score,
        threshold: 0.1,
        drift: score.is_some_and(|score| score >= 0.1),
    }
}

/// Limits of our own rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tolerances {
    /// Share of rows by which distributions may differ.
    pub effect: f64,
    /// Points by which the share of missing values may change.
    pub missing: f64,
    /// Share of rows that may have a category the reference lacks.
    pub unseen: f64,
    /// Confidence level over all columns together.
    pub level: f64,
}

impl Default for Tolerances {
    fn default() -> Self {
        Self {
            effect: 0.1,
            missing: 0.05,
            unseen: 0.01,
            level: 0.95,
        }
    }
}

/// A change with the bounds of its size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Size as a share of rows: 0 to 1, or −1 to 1 for the change of missing values.
    pub estimate: f64,
    /// Lower bound; what is judged.
    pub lower: f64,
    /// Upper bound; a column is stable when it stays within the tolerance.
    pub upper: f64,
}

/// What our rule says of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The lower bound of a change passes its tolerance.
    Drifted,
    /// The upper bounds of all changes stay within their tolerances.
    Stable,
    /// Neither: more rows would tell.
    Undecided,
}

/// What our rule found in a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnDrift {
    /// Verdict from the bounds of the three effects below.
    pub change: Change,
    /// Difference of the distributions of values; `None` when a sample has none.
    pub effect: Option<Effect>,
    /// Change of the share of missing values, current minus reference.
    pub missing: Option<Effect>,
    /// Share of current rows with a category that the reference lacks; `None` for numbers.
    pub unseen: Option<Effect>,
}

/// Rows in both samples, and how many of them have no value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MissingCounts {
    /// Rows and missing values of the reference.
    pub reference: (usize, usize),
    /// Rows and missing values of the current sample.
    pub current: (usize, usize),
}

/// Judges a numeric column among `n_columns`.
pub fn judge_numeric(
    reference: &Sample,
    current: &Sample,
    n_columns: usize,
    tolerances: Tolerances,
) -> ColumnDrift {
    judge_numeric_at(
        kolmogorov_smirnov::distance(reference, current).map(|distance| (distance, 0.0)),
        reference,
        current,
        n_columns,
        tolerances,
    )
}

/// Judges a numeric column whose Kolmogorov-Smirnov distance is known already, with how wrong it may be.
pub(crate) fn judge_numeric_at(
    distance: Option<(f64, f64)>,
    reference: &Sample,
    current: &Sample,
    n_columns: usize,
    tolerances: Tolerances,
) -> ColumnDrift {
    let missing = MissingCounts {
        reference: (reference.n_rows, reference.n_missing()),
        current: (current.n_rows, current.n_missing()),
    };
    let alpha = level_left(n_columns, tolerances);
    let effect = distance.map(|(estimate, slack)| {
        // Massart: each distribution function is within √(ln(2/α) / 2n) of the true one.
        let reach = |n: usize| ((4.0 / alpha).ln() / (2.0 * n as f64)).sqrt();
        let half = reach(reference.n()) + reach(current.n()) + slack;
        Effect {
            estimate,
            lower: (estimate - half).max(0.0),
            upper: (estimate + half).min(1.0),
        }
    });
    judge(effect, missing, None, alpha, tolerances)
}

/// Judges a categorical column among `n_columns`.
pub fn judge_categorical(
    counts: &CategoryCounts,
    missing: MissingCounts,
    n_columns: usize,
    tolerances: Tolerances,
) -> ColumnDrift {
    let alpha = level_left(n_columns, tolerances);
    let (n, m) = counts.totals();
    let effect = contingency::total_variation(counts).map(|estimate| {
        // The estimate is too large by at most this on average, and one row moves it by at most 1/n.
        let share = |r: f64, c: f64| (r + c) / (n + m);
        let bias = |(r, c): (&f64, &f64)| {
            (share(*r, *c) * (1.0 - share(*r, *c)) * (1.0 / n + 1.0 / m)).sqrt() / 2.0
        };
        let bias: f64 = counts.reference.iter().zip(&counts.current).map(bias).sum();
        let half = ((2.0 / alpha).ln() / 2.0 * (1.0 / n + 1.0 / m)).sqrt();
        Effect {
            estimate,
            lower: (estimate - bias - half).max(0.0),
            upper: (estimate + half).min(1.0),
        }
    });
    let n_unseen: f64 = counts
        .reference
        .iter()
        .zip(&counts.current)
        .filter(|(r, _)| **r == 0.0)
        .map(|(_, c)| c)
        .sum::<f64>()
        + 0.0;
    let unseen = wilson_interval(n_unseen, m, 1.0 - alpha).filter(|_| n > 0.0);
    let unseen = unseen.map(|found| Effect {
        estimate: found.estimate,
        lower: found.lower,
        upper: found.upper,
    });
    judge(effect, missing, unseen, alpha, tolerances)
}

/// Returns the error left for one column: each of its up to three effects has a third.
fn level_left(n_columns: usize, tolerances: Tolerances) -> f64 {
    (1.0 - tolerances.level) / (3 * n_columns.max(1)) as f64
}

fn judge(
    effect: Option<Effect>,
    missing: MissingCounts,
    unseen: Option<Effect>,
    alpha: f64,
    tolerances: Tolerances,
) -> ColumnDrift {
    let pair = |(n_rows, n_missing): (usize, usize)| (n_missing as f64, n_rows as f64);
    let gap = newcombe_interval(pair(missing.current), pair(missing.reference), 1.0 - alpha);
    let gap = gap.map(|found| Effect {
        estimate: found.estimate,
        lower: found.lower,
        upper: found.upper,
    });
    // A change of missing values counts in both directions.
    let size = |gap: Effect| match gap.lower > 0.0 || gap.upper < 0.0 {
        true => (
            gap.lower.abs().min(gap.upper.abs()),
            gap.lower.abs().max(gap.upper.abs()),
        ),
        false => (0.0, gap.lower.abs().max(gap.upper.abs())),
    };
    let bounds = [
        effect.map(|found| (found.lower, found.upper, tolerances.effect)),
        gap.map(|found| (size(found).0, size(found).1, tolerances.missing)),
        unseen.map(|found| (found.lower, found.upper, tolerances.unseen)),
    ];
    let known: Vec<(f64, f64, f64)> = bounds.into_iter().flatten().collect();
    let change = if known.iter().any(|(lower, _, tolerance)| lower > tolerance) {
        Change::Drifted
    } else if effect.is_some() && known.iter().all(|(_, upper, tolerance)| upper <= tolerance) {
        Change::Stable
    } else {
        Change::Undecided
    };
    ColumnDrift {
        change,
        effect,
        missing: gap,
        unseen,
    }
}
