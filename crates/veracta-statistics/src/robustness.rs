//! Robustness: what predictions do when inputs are noisy, missing, shifted or at their limits.
//!
//! Each scenario changes a copy of the rows by a seeded rule and asks the predictor again. How many decisions turn has an interval; a
//! metric has one when there are labels.

use serde::{Deserialize, Serialize};

use crate::distribution::normal_quantile;
use crate::interval::{Bootstrap, Estimate, Precision, metric_interval, wilson_interval};
use crate::performance::{Metric, Scored};
use veracta_model::explanation::coalition::Predict;
use veracta_model::model::Batch;
use veracta_model::numeric::{generator, mean, quantile_sorted, uniform, variance};

/// A way in which inputs go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// Normal noise of this many standard deviations on each number.
    Noise(f64),
    /// This share of all values missing, at random.
    Missing(f64),
    /// Every number moved by this many standard deviations.
    Shift(f64),
    /// Numbers beyond these quantiles (the share and one minus it) moved to them.
    Clip(f64),
    /// This share of all numbers, at random, at the smallest or largest value seen.
    Boundary(f64),
}

/// The scenarios that are tried unless others are asked for.
pub const SCENARIOS: [Scenario; 10] = [
    Scenario::Noise(0.1),
    Scenario::Noise(0.25),
    Scenario::Noise(0.5),
    Scenario::Missing(0.05),
    Scenario::Missing(0.2),
    Scenario::Shift(0.25),
    Scenario::Shift(-0.25),
    Scenario::Clip(0.05),
    Scenario::Boundary(0.01),
    Scenario::Boundary(0.05),
];

/// What a scenario does to scores, decisions and a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioResult {
    /// Change that was made to the rows.
    pub scenario: Scenario,
    /// Share of rows whose decision at the threshold turns.
    pub turned: Option<Estimate>,
    /// Mean absolute change of the score.
    pub mean_change: f64,
    /// Rows whose prediction is no finite number any more.
    pub n_undefined: usize,
    /// The metric under the scenario; `None` without labels or when it is not defined.
    pub metric: Option<Estimate>,
}

/// Rows with what is known of them.
#[derive(Clone, Copy)]
pub struct Tried<'t> {
    /// Encoded rows before any change; NaN is missing.
    pub rows: &'t Batch,
    /// For each column whether it holds numbers; category codes are only made missing.
    pub is_number: &'t [bool],
    /// Whether each row is positive; `None` when it is not known.
    pub labels: Option<&'t [bool]>,
    /// What is measured with labels.
    pub metric: Metric,
    /// Scores from here on are predicted positive.
    pub threshold: f64,
    /// Confidence level of the intervals, between 0 and 1.
    pub level: f64,
}

impl Scenario {
    /// Returns whether its size is one: shares are between 0 and 1, sizes finite.
    pub fn is_possible(self) -> bool {
        match self {
            Self::Noise(size) => size > 0.0 && size.is_finite(),
            Self::Shift(size) => size.is_finite(),
            Self::Missing(share) | Self::Boundary(share) => share > 0.0 && share <= 1.0,
            Self::Clip(share) => share > 0.0 && share < 0.5,
        }
    }

    /// Returns the name for people.
    pub fn title(self) -> String {
        match self {
            Self::Noise(size) => format!("noise of {size} standard deviations"),
            Self::Missing(share) => format!("{} % of values missing", share * 100.0),
            Self::Shift(size) => format!("all numbers moved by {size} standard deviations"),
            Self::Clip(share) => format!(
                "numbers kept within their {} % and {} % quantiles",
                share * 100.0,
                (1.0 - share) * 100.0
            ),
            Self::Boundary(share) => format!(
                "{} % of numbers at their smallest or largest value",
                share * 100.0
            ),
        }
    }

    /// Returns the rows under the scenario; column i uses stream i of the seed.
    pub fn apply(self, rows: &Batch, is_number: &[bool], seed: u64) -> Batch {
        let mut changed = rows.clone();
        for (column, is_number) in is_number.iter().enumerate() {
            if !is_number && !matches!(self, Self::Missing(_)) {
                continue;
            }
            let mut known: Vec<f64> = (0..rows.n_rows)
                .map(|row| rows.row(row)[column])
                .filter(|value| value.is_finite())
                .collect();
            let deviation = variance(&known).map_or(0.0, f64::sqrt);
            known.sort_by(f64::total_cmp);
            let (Some(low), Some(high)) = (known.first().copied(), known.last().copied()) else {
                continue;
            };
            let mut rng = generator(seed, column as u64);
            for row in 0..rows.n_rows {
                let value = &mut changed.values[row * rows.n_columns + column];
                // Drawn for every cell, so that a cell's fate does not depend on which others are missing.
                let (first, second) = (uniform(&mut rng), uniform(&mut rng));
                *value = match self {
                    Self::Noise(size) => {
                        *value + size * deviation * normal_quantile(first.clamp(1e-12, 1.0 - 1e-12))
                    }
                    Self::Missing(share) if first < share => f64::NAN,
                    Self::Shift(size) => *value + size * deviation,
                    Self::Clip(share) => value.clamp(
                        quantile_sorted(&known, share.min(0.5)),
                        quantile_sorted(&known, 1.0 - share.min(0.5)),
                    ),
                    Self::Boundary(share) if first < share && value.is_finite() => {
                        if second < 0.5 {
                            low
                        } else {
                            high
                        }
                    }
                    Self::Missing(_) | Self::Boundary(_) => *value,
                };
            }
        }
        changed
    }
}

/// Tries scenarios. `predict` gives one score a row.
///
/// # Panics
/// When there is not one mark a column.
pub fn robustness(
    predict: &Predict<'_>,
    tried: Tried<'_>,
    scenarios: &[Scenario],
    bootstrap: Bootstrap,
) -> Vec<ScenarioResult> {
    assert_eq!(
        tried.is_number.len(),
        tried.rows.n_columns,
        "there is one mark a column"
    );
    let before = predict(&tried.rows.values);
    let try_out = |scenario: &Scenario| {
        let after = predict(
            &scenario
                .apply(tried.rows, tried.is_number, bootstrap.seed)
                .values,
        );
        let known: Vec<(f64, f64)> = before
            .iter()
            .copied()
            .zip(after.iter().copied())
            .filter(|(a, b)| a.is_finite() && b.is_finite())
            .collect();
        let n_turned = known
            .iter()
            .filter(|(a, b)| (*a >= tried.threshold) != (*b >= tried.threshold))
            .count();
        let changes: Vec<f64> = known.iter().map(|(a, b)| (a - b).abs()).collect();
        let metric = tried.labels.and_then(|labels| {
            metric_interval(
                &Scored::new(labels, &after).ok()?,
                tried.metric,
                tried.threshold,
                Precision {
                    level: tried.level,
                    bootstrap,
                },
            )
        });
        ScenarioResult {
            scenario: *scenario,
            turned: wilson_interval(n_turned as f64, known.len() as f64, tried.level),
            mean_change: mean(&changes).unwrap_or(0.0),
            n_undefined: before.len() - known.len(),
            metric,
        }
    };
    scenarios.iter().map(try_out).collect()
}
