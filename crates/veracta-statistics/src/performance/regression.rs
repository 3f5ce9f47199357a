//! Performance of a regression: errors, deviances and correlations, with scikit-learn's and SciPy's definitions.

use serde::{Deserialize, Serialize};

use crate::distribution::{normal_upper_tail, student_two_sided};
use crate::ranks::midranks;
use veracta_model::numeric::sum;

/// True and predicted values of the same rows.
#[derive(Debug, Clone, Copy)]
pub struct Regressed<'d> {
    /// True value of each row.
    pub truths: &'d [f64],
    /// Predicted value of each row, in the units of the true one.
    pub predictions: &'d [f64],
    /// Weight of each row; `None` is 1 each.
    pub weights: Option<&'d [f64]>,
}

/// A metric of a regression.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegressionMetric {
    /// Mean squared error; 0 is perfect.
    Mse,
    /// Its root, in the units of the label.
    Rmse,
    /// Mean absolute error, in the units of the label; 0 is perfect.
    Mae,
    /// Median absolute error; with weights the averaged inverse of the distribution function.
    MedianAe,
    /// Largest absolute error, in the units of the label; weights do not count.
    MaxError,
    /// Mean of |error| / |truth|, truths of at least the machine epsilon.
    Mape,
    /// Root of the mean squared error of ln(1 + value); not defined below −1.
    Rmsle,
    /// 1 − squared error over squared spread; at most 1, 0 is the mean.
    R2,
    /// 1 − variance of the error over variance of the truth; at most 1.
    ExplainedVariance,
    /// Pinball loss of a quantile.
    Pinball(f64),
    /// Mean deviance of the Tweedie family with this power: 1 Poisson, 2 gamma; 0 is perfect. Not defined outside the family's range.
    TweedieDeviance(f64),
}

impl RegressionMetric {
    /// Returns the metric of that name in files; `None` of an unknown one.
    pub fn named(name: &str) -> Option<Self> {
        let parameter = |prefix: &str| name.strip_prefix(prefix).and_then(|text| text.parse().ok());
        Some(match name {
            "mse" => Self::Mse,
            "rmse" => Self::Rmse,
            "mae" => Self::Mae,
            "median_ae" => Self::MedianAe,
            "max_error" => Self::MaxError,
            "mape" => Self::Mape,
            "rmsle" => Self::Rmsle,
            "r2" => Self::R2,
            "explained_variance" => Self::ExplainedVariance,
            "poisson_deviance" => Self::TweedieDeviance(1.0),
            "gamma_deviance" => Self::TweedieDeviance(2.0),
            _ => match (parameter("pinball_"), parameter("tweedie_deviance_")) {
                (Some(level), _) => Self::Pinball(level),
                (None, Some(power)) => Self::TweedieDeviance(power),
                (None, None) => return None,
            },
        })
    }

    /// Returns the metric's value, or `None` when it is not defined.
    pub fn evaluate(self, data: Regressed<'_>) -> Option<f64> {
        let error = |row: usize| data.predictions[row] - data.truths[row];
        let value = match self {
            Self::Mse => data.mean(|row| error(row).powi(2))?,
            Self::Rmse => data.mean(|row| error(row).powi(2))?.sqrt(),
            Self::Mae => data.mean(|row| error(row).abs())?,
            Self::MedianAe => data.median(|row| error(row).abs())?,
            Self::MaxError => (0..data.truths.len())
                .map(|row| error(row).abs())
                .max_by(f64::total_cmp)?,
            Self::Mape => {
                data.mean(|row| error(row).abs() / data.truths[row].abs().max(f64::EPSILON))?
            }
            Self::Rmsle => data
                .mean(|row| (data.predictions[row].ln_1p() - data.truths[row].ln_1p()).powi(2))?
                .sqrt(),
            Self::R2 => {
                let centre = data.mean(|row| data.truths[row])?;
                let spread = data.mean(|row| (data.truths[row] - centre).powi(2))?;
                1.0 - data.mean(|row| error(row).powi(2))? / spread
            }
            Self::ExplainedVariance => {
                let (centre, bias) = (data.mean(|row| data.truths[row])?, data.mean(error)?);
                let spread = data.mean(|row| (data.truths[row] - centre).powi(2))?;
                1.0 - data.mean(|row| (error(row) - bias).powi(2))? / spread
            }
            Self::Pinball(level) => data.mean(|row| {
                let short = -error(row);
                if short >= 0.0 {
                    level * short
                } else {
                    (level - 1.0) * short
                }
            })?,
            Self::TweedieDeviance(power) => {
                data.mean(|row| tweedie(data.truths[row], data.predictions[row], power))?
            }
        };
        value.is_finite().then_some(value)
    }
}

/// Returns the unit deviance of a row; NaN outside the family's range.
fn tweedie(truth: f64, prediction: f64, power: f64) -> f64 {
    if prediction <= 0.0 || truth < 0.0 || power >= 2.0 && truth == 0.0 {
        return f64::NAN;
    }
    if power == 1.0 {
        let first = if truth == 0.0 {
            0.0
        } else {
            truth * (truth / prediction).ln()
        };
        return 2.0 * (first - truth + prediction);
    }
    if power == 2.0 {
        return 2.0 * ((prediction / truth).ln() + truth / prediction - 1.0);
    }
    let (one, two) = (1.0 - power, 2.0 - power);
    2.0 * (truth.max(0.0).powf(two) / (one * two) - truth * prediction.powf(one) / one
        + prediction.powf(two) / two)
}

impl Regressed<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    fn mean(&self, of: impl Fn(usize) -> f64) -> Option<f64> {
        let rows = 0..self.truths.len();
        let total: f64 = sum(&rows
            .clone()
            .map(|row| self.weight(row))
            .collect::<Vec<f64>>());
        (total > 0.0).then(|| {
            sum(&rows
                .map(|row| self.weight(row) * of(row))
                .collect::<Vec<f64>>())
                / total
        })
    }

    fn median(&self, of: impl Fn(usize) -> f64) -> Option<f64> {
        let mut values: Vec<(f64, f64)> = (0..self.truths.len())
            .map(|row| (of(row), self.weight(row)))
            .collect();
        values.retain(|(_, weight)| *weight > 0.0);
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
        let mut below = 0.0;
        for (idx, (value, weight)) in values.iter().enumerate() {
            below += weight;
            if below > half {
                return Some(*value);
            }
            if below == half {
                return Some((value + values.get(idx + 1)?.0) / 2.0);
            }
        }
        None
    }
}

/// A correlation with its two-sided p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    /// Correlation, −1 to 1; 0 is no association.
    pub coefficient: f64,
    /// Two-sided p-value under no association, 0 to 1.
    pub p_value: f64,
}

/// Returns Pearson's correlation with the p-value of Student's t; `None` with fewer than three rows or a constant side.
pub fn pearson(first: &[f64], second: &[f64]) -> Option<Correlation> {
    let n = first.len();
    if n < 3 || n != second.len() {
        return None;
    }
    let centre = |values: &[f64]| sum(values) / n as f64;
    let (a, b) = (centre(first), centre(second));
    let product = |x: &[f64], x0: f64, y: &[f64], y0: f64| {
        sum(&x
            .iter()
            .zip(y)
            .map(|(x, y)| (x - x0) * (y - y0))
            .collect::<Vec<f64>>())
    };
    let spread = (product(first, a, first, a) * product(second, b, second, b)).sqrt();
    if spread <= 0.0 {
        return None;
    }
    let coefficient = (product(first, a, second, b) / spread).clamp(-1.0, 1.0);
    let degrees = (n - 2) as f64;
    let t = coefficient * (degrees / ((1.0 - coefficient) * (1.0 + coefficient))).sqrt();
    let p_value = if t.is_infinite() {
        0.0
    } else {
        student_two_sided(t, degrees)
    };
    Some(Correlation {
        coefficient,
        p_value,
    })
}

/// Returns Spearman's correlation: Pearson's of midranks.
pub fn spearman(first: &[f64], second: &[f64]) -> Option<Correlation> {
    pearson(&midranks(first), &midranks(second))
}

/// Returns Kendall's tau-b with the normal approximation under ties (Kendall 1970); `None` with fewer than three rows or a constant side.
pub fn kendall(first: &[f64], second: &[f64]) -> Option<Correlation> {
    let n = first.len();
    if n < 3 || n != second.len() {
        return None;
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| {
        first[*a]
            .total_cmp(&first[*b])
            .then(second[*a].total_cmp(&second[*b]))
    });
    let mut values: Vec<f64> = order.iter().map(|row| second[*row]).collect();
    let n_both = runs(&order, |a, b| {
        first[*a] == first[*b] && second[*a] == second[*b]
    });
    let in_first = runs(&order, |a, b| first[*a] == first[*b]);
    let n_discordant = inversions(&mut values);
    // The merge sort has left the values in order.
    let in_second = runs(&values, |a, b| a == b);
    let pairs = |sizes: &[f64]| sizes.iter().map(|t| t * (t - 1.0) / 2.0).sum::<f64>();
    let all = n as f64 * (n as f64 - 1.0) / 2.0;
    let (x, y) = (pairs(&in_first), pairs(&in_second));
    if x == all || y == all {
        return None;
    }
    let difference = all - x - y + pairs(&n_both) - 2.0 * n_discordant;
    let coefficient = difference / ((all - x) * (all - y)).sqrt();
    let moment = |sizes: &[f64], of: fn(f64) -> f64| sizes.iter().map(|t| of(*t)).sum::<f64>();
    let size = n as f64;
    let m = size * (size - 1.0);
    let v = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
    let w = |t: f64| t * (t - 1.0) * (t - 2.0);
    let variance = (m * (2.0 * size + 5.0) - moment(&in_first, v) - moment(&in_second, v)) / 18.0
        + 2.0 * x * y / m
        + moment(&in_first, w) * moment(&in_second, w) / (9.0 * m * (size - 2.0));
    let z = difference / variance.sqrt();
    Some(Correlation {
        coefficient,
        p_value: (2.0 * normal_upper_tail(z.abs())).min(1.0),
    })
}

/// Returns the lengths of runs of equal neighbours.
fn runs<T>(values: &[T], is_same: impl Fn(&T, &T) -> bool) -> Vec<f64> {
    values
        .chunk_by(|a, b| is_same(a, b))
        .map(|run| run.len() as f64)
        .collect()
}

/// Sorts by merging and returns how many pairs stood in the wrong order (Knight 1966).
fn inversions(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n < 2 {
        return 0.0;
    }
    let (left, right) = values.split_at_mut(n / 2);
    let mut count = inversions(left) + inversions(right);
    let mut merged = Vec::with_capacity(n);
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if right[j] < left[i] {
            count += (left.len() - i) as f64;
            merged.push(right[j]);
            j += 1;
        } else {
            merged.push(left[i]);
            i += 1;
        }
    }
    merged.extend_from_slice(&left[i..]);
    merged.extend_from_slice(&right[j..]);
    values.copy_from_slice(&merged);
    count
}
