//! Paired comparisons of two classifiers on the same rows: McNemar's test, Tango's interval, non-inferiority and sample sizes.

use serde::{Deserialize, Serialize};

use crate::distribution::{chi_squared_tail, normal_quantile};
use crate::interval::{Estimate, Method};

/// Outcomes of two classifiers on the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedCounts {
    /// Rows that both classifiers get right.
    pub both: u64,
    /// Rows that only the first gets right; discordant.
    pub first_only: u64,
    /// Rows that only the second gets right; discordant.
    pub second_only: u64,
    /// Rows that both get wrong.
    pub neither: u64,
}

/// A test of paired outcomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedTest {
    /// Smaller discordant count of the exact test; else chi-squared with one degree of freedom.
    pub statistic: f64,
    /// Two-sided p-value under equal shares right, 0 to 1.
    pub p_value: f64,
}

impl PairedCounts {
    /// Counts rows by whether each classifier is right.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn new(first: &[bool], second: &[bool]) -> Self {
        assert_eq!(
            first.len(),
            second.len(),
            "both classifiers judge the same rows"
        );
        let mut counts = Self {
            both: 0,
            first_only: 0,
            second_only: 0,
            neither: 0,
        };
        for pair in first.iter().zip(second) {
            match pair {
                (true, true) => counts.both += 1,
                (true, false) => counts.first_only += 1,
                (false, true) => counts.second_only += 1,
                (false, false) => counts.neither += 1,
            }
        }
        counts
    }

    /// Returns the same counts with the second classifier first.
    pub fn swapped(self) -> Self {
        Self {
            first_only: self.second_only,
            second_only: self.first_only,
            ..self
        }
    }

    /// Returns how many rows there are.
    pub fn n(&self) -> u64 {
        self.both + self.first_only + self.second_only + self.neither
    }

    /// Returns McNemar's exact test (1947): the smaller discordant count and its binomial p-value, which is 1 when all rows
    /// agree; `None` without rows.
    pub fn mcnemar_exact(&self) -> Option<PairedTest> {
        let (small, n) = (
            self.first_only.min(self.second_only),
            self.first_only + self.second_only,
        );
        if self.n() == 0 {
            return None;
        }
        // P(X ≤ k) of a fair binomial is the regularised incomplete beta function at one half.
        let tail = if small == n {
            1.0
        } else {
            statrs::function::beta::beta_reg((n - small) as f64, (small + 1) as f64, 0.5)
        };
        Some(PairedTest {
            statistic: small as f64,
            p_value: (2.0 * tail).min(1.0),
        })
    }

    /// Returns McNemar's chi-squared test with Edwards' correction (1948); `None` when all rows agree.
    pub fn mcnemar_chi_squared(&self) -> Option<PairedTest> {
        let (b, c) = (self.first_only as f64, self.second_only as f64);
        if b + c == 0.0 {
            return None;
        }
        let statistic = ((b - c).abs() - 1.0).powi(2) / (b + c);
        Some(PairedTest {
            statistic,
            p_value: chi_squared_tail(statistic, 1.0),
        })
    }

    /// Returns the difference of the shares right, first minus second, with Tango's score interval (1998); `None` without rows.
    pub fn difference(&self, level: f64) -> Option<Estimate> {
        let n = self.n() as f64;
        if n == 0.0 {
            return None;
        }
        let (b, c) = (self.first_only as f64, self.second_only as f64);
        let estimate = (b - c) / n;
        let z = normal_quantile(0.5 + level / 2.0);
        let score = |delta: f64| {
            // The constrained maximum likelihood estimate of the share that only the second gets right.
            let (quadratic, linear, constant) = (
                2.0 * n,
                -b - c + (2.0 * n - b + c) * delta,
                -c * delta * (1.0 - delta),
            );
            let share = ((linear * linear - 4.0 * quadratic * constant)
                .max(0.0)
                .sqrt()
                - linear)
                / (2.0 * quadratic);
            let spread = (n * (2.0 * share + delta * (1.0 - delta))).max(0.0).sqrt();
            let gap = b - c - n * delta;
            if spread > 0.0 {
                gap / spread
            } else {
                gap.signum() * f64::INFINITY
            }
        };
        // The score falls with delta: the bounds are where it crosses ±z.
        let bound = |target: f64, mut low: f64, mut high: f64| {
            for _ in 0..200 {
                let middle = (low + high) / 2.0;
                if score(middle) > target {
                    low = middle
                } else {
                    high = middle
                }
            }
            (low + high) / 2.0
        };
        let (lower, upper) = (bound(z, -1.0, estimate), bound(-z, estimate, 1.0));
        Some(Estimate {
            estimate,
            lower,
            upper,
            level,
            method: Method::Tango,
        })
    }
}

/// Whether a new model is not worse than the old one by more than a margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// The lower bound of the gain is above 0.
    Superior,
    /// The lower bound is above minus the margin, the upper below the margin.
    Equivalent,
    /// The lower bound is above minus the margin.
    NonInferior,
    /// The upper bound is below minus the margin.
    Inferior,
    /// The interval holds both: more rows would tell.
    Undecided,
}

/// Judges a gain (new minus old, larger is better) by its bounds.
pub fn judge_gain(gain: &Estimate, margin: f64) -> Comparison {
    if gain.lower > 0.0 {
        Comparison::Superior
    } else if gain.lower > -margin && gain.upper < margin {
        Comparison::Equivalent
    } else if gain.lower > -margin {
        Comparison::NonInferior
    } else if gain.upper < -margin {
        Comparison::Inferior
    } else {
        Comparison::Undecided
    }
}

/// Returns the rows needed to show non-inferiority of paired shares with a probability of `power`, when the models differ on `discordant`
/// of the rows and are equally good: (z_level + z_power)² discordant / margin² (Nam 1997, at no difference).
///
/// # Panics
/// When a share is not inside 0 to 1.
pub fn n_for_non_inferiority(discordant: f64, margin: f64, level: f64, power: f64) -> u64 {
    assert!(
        [discordant, margin, level, power]
            .iter()
            .all(|share| *share > 0.0 && *share < 1.0),
        "shares lie inside 0 to 1"
    );
    let z = normal_quantile(0.5 + level / 2.0) + normal_quantile(power);
    (z * z * discordant / (margin * margin)).ceil() as u64
}

/// Returns the rows needed for a Wilson interval of a share around `share` to be at most `half_width` wide on each side.
///
/// # Panics
/// When a share is not inside 0 to 1.
pub fn n_for_half_width(share: f64, half_width: f64, level: f64) -> u64 {
    assert!(
        [share, half_width, level]
            .iter()
            .all(|share| *share > 0.0 && *share < 1.0),
        "shares lie inside 0 to 1"
    );
    let z = normal_quantile(0.5 + level / 2.0);
    let half =
        |n: f64| z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let (mut low, mut high) = (1u64, 1u64 << 40);
    while low < high {
        let middle = low + (high - low) / 2;
        if half(middle as f64) <= half_width {
            high = middle
        } else {
            low = middle + 1
        }
    }
    low
}
