//! Calibration: whether predicted probabilities come true.
//!
//! The logistic recalibration fits run on the same Newton solver as the logistic model.

use serde::{Deserialize, Serialize};
use statrs::function::gamma::gamma_ur;

use crate::performance::Scored;
use veracta_model::linear::{LogisticFit, fit_logistic};
use veracta_model::numeric::{mean, quantile_sorted, sum};

/// How scores are cut into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binning {
    /// Equal widths: bin = min(floor(score × bins), bins − 1).
    Width,
    /// Equal counts: edges are score quantiles, duplicates merged, an edge belongs to the bin above.
    Quantile,
}

/// One bin of the reliability curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Zero-based position from the lowest scores; positions of empty bins are skipped.
    pub bin: usize,
    /// Rows inside; empty bins are left out.
    pub n: usize,
    /// Mean score of the rows inside; 0 to 1 of probabilities.
    pub mean_score: f64,
    /// Share of rows inside that are positive, 0 to 1; equal to `mean_score` when calibrated.
    pub positive_rate: f64,
}

/// The reliability curve with its summaries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Expected calibration error: Σ n_bin / n · |mean score − positive rate|; 0 is perfect (Naeini et al. 2015).
    pub ece: f64,
    /// Largest gap of any bin.
    pub mce: f64,
    /// The bins that hold rows.
    pub bins: Vec<ReliabilityBin>,
}

/// Returns the reliability curve over `n_bins` bins.
///
/// # Panics
/// When `n_bins` is 0.
pub fn reliability(scored: &Scored<'_>, n_bins: usize, binning: Binning) -> Reliability {
    assert!(n_bins > 0, "a reliability curve needs bins");
    let bin_of: Box<dyn Fn(f64) -> usize> = match binning {
        Binning::Width => Box::new(move |score| {
            ((score * n_bins as f64).floor().max(0.0) as usize).min(n_bins - 1)
        }),
        Binning::Quantile => {
            let mut sorted = scored.scores.to_vec();
            sorted.sort_by(f64::total_cmp);
            let mut edges: Vec<f64> = (0..=n_bins)
                .map(|i| quantile_sorted(&sorted, i as f64 / n_bins as f64))
                .collect();
            edges.dedup();
            let inner = edges[1..edges.len().max(2) - 1].to_vec();
            Box::new(move |score| inner.partition_point(|edge| *edge <= score))
        }
    };
    let mut rows_of: Vec<Vec<usize>> = vec![Vec::new(); n_bins];
    scored
        .scores
        .iter()
        .enumerate()
        .for_each(|(row, score)| rows_of[bin_of(*score)].push(row));
    let mut bins = Vec::new();
    for (bin, rows) in rows_of
        .iter()
        .enumerate()
        .filter(|(_, rows)| !rows.is_empty())
    {
        let scores: Vec<f64> = rows.iter().map(|row| scored.scores[*row]).collect();
        let n_positive = rows.iter().filter(|row| scored.labels[**row]).count();
        bins.push(ReliabilityBin {
            bin,
            n: rows.len(),
            mean_score: sum(&scores) / rows.len() as f64,
            positive_rate: n_positive as f64 / rows.len() as f64,
        });
    }
    let gap = |bin: &ReliabilityBin| (bin.mean_score - bin.positive_rate).abs();
    let ece = bins
        .iter()
        .map(|bin| bin.n as f64 / scored.n() as f64 * gap(bin))
        .sum();
    Reliability {
        ece,
        mce: bins.iter().map(gap).fold(0.0, f64::max),
        bins,
    }
}

/// Logistic recalibration of the score's logit (Cox 1958).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationLine {
    /// Intercept in logits; 0 is perfect when the slope is 1, above 0 means too low predictions.
    pub intercept: f64,
    /// Slope; 1 is perfect, below 1 means too extreme predictions.
    pub slope: f64,
    /// Standard errors of intercept and slope.
    pub se: [f64; 2],
}

fn logits(scored: &Scored<'_>) -> Vec<f64> {
    let logit = |score: &f64| {
        let p = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        (p / (1.0 - p)).ln()
    };
    scored.scores.iter().map(logit).collect()
}

/// Returns slope and intercept of the label on the score's logit; `None` with one class or when the fit does not exist.
pub fn calibration_line(scored: &Scored<'_>) -> Option<CalibrationLine> {
    let LogisticFit {
        coefficients,
        standard_errors,
    } = fit_logistic(&[logits(scored)], scored.labels, None, 0.0)?;
    Some(CalibrationLine {
        intercept: coefficients[0],
        slope: coefficients[1],
        se: [standard_errors[0], standard_errors[1]],
    })
}

/// Returns calibration in the large: the intercept with the slope fixed at 1; 0 is perfect.
pub fn calibration_in_the_large(scored: &Scored<'_>) -> Option<f64> {
    fit_logistic(&[], scored.labels, Some(&logits(scored)), 0.0).map(|fit| fit.coefficients[0])
}

/// Returns the Hosmer-Lemeshow statistic and its p-value over `n_groups` groups of equal count in order of score.
pub fn hosmer_lemeshow(scored: &Scored<'_>, n_groups: usize) -> Option<(f64, f64)> {
    if scored.n() < n_groups || n_groups < 3 {
        return None;
    }
    let mut order: Vec<usize> = (0..scored.n()).collect();
    order.sort_by(|a, b| scored.scores[*a].total_cmp(&scored.scores[*b]));
    let (mut statistic, mut start) = (0.0, 0);
    for group in 0..n_groups {
        // The first n mod groups get one row more, as numpy.array_split does.
        let end = start + scored.n() / n_groups + usize::from(group < scored.n() % n_groups);
        let rows = &order[start..end];
        let n = rows.len() as f64;
        let observed = rows.iter().filter(|row| scored.labels[**row]).count() as f64;
        let expected_rate = mean(
            &rows
                .iter()
                .map(|row| scored.scores[*row])
                .collect::<Vec<_>>(),
        )?;
        let spread = n * expected_rate * (1.0 - expected_rate);
        if spread <= 0.0 {
            return None;
        }
        statistic += (observed - n * expected_rate).powi(2) / spread;
        start = end;
    }
    let degrees = (n_groups - 2) as f64;
    Some((statistic, gamma_ur(degrees / 2.0, statistic / 2.0)))
}
