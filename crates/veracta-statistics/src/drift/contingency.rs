//! Tests and distances on a table of two samples by categories.

use super::{CategoryCounts, TestResult};
use crate::distribution::{chi_squared_tail, fisher_two_sided, normal_two_sided};

/// Whether a table of two categories is corrected for continuity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// Counts are used as they are.
    None,
    /// By up to one half (Yates 1934).
    Yates,
}

/// A test on the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContingencyTest {
    /// Statistic, at least 0, and its p-value from the chi-squared distribution.
    pub result: TestResult,
    /// Degrees of freedom: categories minus 1.
    pub degrees: f64,
    /// Cramér's V, not corrected for bias; 0 to 1.
    pub cramers_v: f64,
}

/// Returns pairs of observed and expected counts, corrected when asked; `None` when a sample is empty or there is one category.
fn cells(counts: &CategoryCounts, correction: Correction) -> Option<Vec<(f64, f64)>> {
    let (n, m) = counts.totals();
    if n == 0.0 || m == 0.0 || counts.levels.len() < 2 {
        return None;
    }
    let mut cells = Vec::with_capacity(2 * counts.levels.len());
    for (r, c) in counts.reference.iter().zip(&counts.current) {
        cells.push((*r, (r + c) * n / (n + m)));
        cells.push((*c, (r + c) * m / (n + m)));
    }
    if correction == Correction::Yates && counts.levels.len() == 2 {
        for (observed, expected) in &mut cells {
            let gap = *expected - *observed;
            *observed += gap.signum() * gap.abs().min(0.5);
        }
    }
    Some(cells)
}

fn contingency(counts: &CategoryCounts, statistic: f64, plain: f64) -> ContingencyTest {
    let degrees = (counts.levels.len() - 1) as f64;
    let (n, m) = counts.totals();
    let result = TestResult {
        statistic,
        p_value: Some(chi_squared_tail(statistic, degrees)),
    };
    ContingencyTest {
        result,
        degrees,
        cramers_v: (plain / (n + m)).sqrt(),
    }
}

fn pearson(cells: &[(f64, f64)]) -> f64 {
    cells
        .iter()
        .map(|(observed, expected)| (observed - expected).powi(2) / expected)
        .sum()
}

/// Returns Pearson's test; `None` when a sample is empty or there is one category.
pub fn chi_squared(counts: &CategoryCounts, correction: Correction) -> Option<ContingencyTest> {
    let plain = pearson(&cells(counts, Correction::None)?);
    let statistic = pearson(&cells(counts, correction)?);
    Some(contingency(counts, statistic, plain))
}

/// Returns the log-likelihood ratio test; `None` when a sample is empty or there is one category.
pub fn g_test(counts: &CategoryCounts) -> Option<ContingencyTest> {
    let term = |(observed, expected): &(f64, f64)| {
        if *observed > 0.0 {
            observed * (observed / expected).ln()
        } else {
            0.0
        }
    };
    let statistic: f64 = 2.0
        * cells(counts, Correction::None)?
            .iter()
            .map(term)
            .sum::<f64>();
    Some(contingency(
        counts,
        statistic,
        pearson(&cells(counts, Correction::None)?),
    ))
}

/// Returns Evidently's one-sample form: current counts against reference shares. A category the reference lacks gives an infinite
/// statistic and p = 0; `None` when a sample is empty or there is one category.
pub fn chi_squared_against_reference(counts: &CategoryCounts) -> Option<TestResult> {
    let (n, m) = counts.totals();
    if n == 0.0 || m == 0.0 || counts.levels.len() < 2 {
        return None;
    }
    let cell = |(r, c): (&f64, &f64)| {
        let expected = r * m / n;
        if expected > 0.0 {
            (c - expected).powi(2) / expected
        } else {
            f64::INFINITY
        }
    };
    let statistic: f64 = counts.reference.iter().zip(&counts.current).map(cell).sum();
    let p = if statistic.is_infinite() {
        0.0
    } else {
        chi_squared_tail(statistic, (counts.levels.len() - 1) as f64)
    };
    Some(TestResult {
        statistic,
        p_value: Some(p),
    })
}

/// Returns the pooled z test of the share of the first category; `None` unless both samples have rows. With one category, or two
/// equal shares of it, p is 1.
pub fn proportion_z(counts: &CategoryCounts) -> Option<TestResult> {
    let (n, m) = counts.totals();
    if n == 0.0 || m == 0.0 || counts.levels.len() > 2 {
        return None;
    }
    let (p, q) = (counts.reference[0] / n, counts.current[0] / m);
    let pooled = (counts.reference[0] + counts.current[0]) / (n + m);
    let spread = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let statistic = if spread > 0.0 { (p - q) / spread } else { 0.0 };
    Some(TestResult {
        statistic,
        p_value: Some(normal_two_sided(statistic)),
    })
}

/// Returns the odds ratio and the two-sided p-value of Fisher's exact test on two categories; `None` for other tables.
pub fn fisher_exact(counts: &CategoryCounts) -> Option<TestResult> {
    let ([a, b], [c, d]) = (
        <[f64; 2]>::try_from(counts.reference.as_slice()).ok()?,
        <[f64; 2]>::try_from(counts.current.as_slice()).ok()?,
    );
    let p_value = fisher_two_sided([a, b], [c, d])?;
    let statistic = if b * c > 0.0 {
        a * d / (b * c)
    } else {
        f64::INFINITY
    };
    Some(TestResult {
        statistic,
        p_value: Some(p_value),
    })
}

fn gaps(counts: &CategoryCounts) -> Option<Vec<f64>> {
    let (n, m) = counts.totals();
    let pairs = counts.reference.iter().zip(&counts.current);
    (n > 0.0 && m > 0.0).then(|| pairs.map(|(r, c)| (r / n - c / m).abs()).collect())
}

/// Returns half the sum of absolute differences of shares; `None` for an empty sample.
pub fn total_variation(counts: &CategoryCounts) -> Option<f64> {
    gaps(counts).map(|gaps| gaps.iter().sum::<f64>() / 2.0)
}

/// Returns the largest absolute difference of shares; `None` for an empty sample.
pub fn l_infinity(counts: &CategoryCounts) -> Option<f64> {
    gaps(counts).map(|gaps| gaps.into_iter().fold(0.0, f64::max))
}
