//! Bootstrap intervals beyond the percentiles of rows: of whole clusters, and bias-corrected and accelerated.
//!
//! Rows of one subject, night or patient are not independent, and intervals that take them for it are too narrow. The cluster
//! bootstrap draws whole clusters with replacement (Field and Welsh 2007); few clusters have no interval.

use rayon::prelude::*;

use crate::distribution::{normal_quantile, normal_upper_tail};
use crate::fairness::{Against, Disparity, MetricFrame, Rate};
use crate::interval::{
    Bootstrap, Estimate, Method, OrderedRows, Precision, bootstrap_draws, resampled_estimate,
};
use crate::performance::{Confusion, Metric, Scored};
use veracta_model::numeric::{below, generator, mean, quantile_sorted};

/// Fewest clusters of which an interval is given: percentiles of fewer are far too narrow.
pub const CLUSTERS_MIN: usize = 10;
/// Most groups that the jackknife leaves out in turn.
const JACKKNIFE_GROUPS: usize = 200;

/// The cluster of each row.
#[derive(Debug, Clone, Copy)]
pub struct Clusters<'d> {
    /// Cluster of each row, below `n`.
    pub of_row: &'d [u32],
    /// Number of clusters; fewer than [`CLUSTERS_MIN`] give no interval.
    pub n: usize,
}

/// Draws as many of `n` clusters as there are, and returns how often each was drawn.
fn draw_clusters(n: usize, bootstrap: Bootstrap, resample: u32) -> Vec<f64> {
    let mut rng = generator(bootstrap.seed, u64::from(resample));
    let mut drawn = vec![0.0; n];
    (0..n).for_each(|_| drawn[below(&mut rng, n)] += 1.0);
    drawn
}

fn percentiles(estimate: f64, values: Vec<f64>, precision: Precision) -> Option<Estimate> {
    resampled_estimate(Some(estimate), values, precision, Method::BootstrapCluster)
        .map(Estimate::holding_itself)
}

/// Returns the cluster bootstrap interval of each metric; `None` where the metric is not defined, on the data or on half the
/// resamples, and with fewer than [`CLUSTERS_MIN`] clusters.
///
/// # Panics
/// When there is not one cluster a row.
pub fn cluster_intervals(
    scored: &Scored<'_>,
    clusters: Clusters<'_>,
    metrics: &[Metric],
    threshold: f64,
    precision: Precision,
) -> Vec<Option<Estimate>> {
    assert_eq!(
        clusters.of_row.len(),
        scored.n(),
        "there is one cluster a row"
    );
    if clusters.n < CLUSTERS_MIN {
        return vec![None; metrics.len()];
    }
    let rows = OrderedRows::new(scored);
    let of_row: Vec<u32> = rows
        .order
        .iter()
        .map(|row| clusters.of_row[*row as usize])
        .collect();
    let draw = |resample: u32| -> Vec<Option<f64>> {
        let drawn = draw_clusters(clusters.n, precision.bootstrap, resample);
        let weight = |(row, cluster): (usize, &u32)| {
            drawn[*cluster as usize] * rows.weights.as_ref().map_or(1.0, |held| held[row])
        };
        let weights: Vec<f64> = of_row.iter().enumerate().map(weight).collect();
        let drawn = Scored {
            labels: &rows.labels,
            scores: &rows.scores,
            weights: Some(&weights),
        };
        metrics
            .iter()
            .map(|metric| metric.evaluate(&drawn, threshold))
            .collect()
    };
    let drawn: Vec<Vec<Option<f64>>> = (0..precision.bootstrap.n_resamples)
        .into_par_iter()
        .map(draw)
        .collect();
    let interval = |(place, metric): (usize, &Metric)| {
        let values = drawn.iter().filter_map(|values| values[place]).collect();
        percentiles(metric.evaluate(scored, threshold)?, values, precision)
    };
    metrics.iter().enumerate().map(interval).collect()
}

/// Rates of groups and gaps between them, with cluster bootstrap intervals.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClusteredFrame {
    /// For each group of the frame, the interval of each rate asked for.
    pub rates: Vec<Vec<Option<Estimate>>>,
    /// The interval of each disparity asked for.
    pub disparities: Vec<Option<Estimate>>,
}

/// Returns intervals of a frame's rates and disparities; `counts` holds for each group its outcome counts by cluster, and `is_compared`
/// says which groups are large enough for a disparity.
///
/// # Panics
/// When there are not as many counts and marks as groups.
pub(crate) fn clustered_frame(
    frame: &MetricFrame,
    counts: &[Vec<Confusion>],
    is_compared: &[bool],
    (rates, disparities): (&[Rate], &[Disparity]),
    precision: Precision,
) -> ClusteredFrame {
    assert!(
        counts.len() == frame.groups.len() && is_compared.len() == counts.len(),
        "there is one of each a group"
    );
    let n_clusters = counts.first().map_or(0, Vec::len);
    if n_clusters < CLUSTERS_MIN {
        return ClusteredFrame {
            rates: vec![vec![None; rates.len()]; counts.len()],
            disparities: vec![None; disparities.len()],
        };
    }
    let draw = |resample: u32| {
        let redrawn = redrawn(
            frame,
            counts,
            &draw_clusters(n_clusters, precision.bootstrap, resample),
        );
        let values: Vec<Vec<Option<f64>>> = redrawn
            .groups
            .iter()
            .map(|group| rates.iter().map(|rate| rate.of(&group.confusion)).collect())
            .collect();
        let kept = compared(&redrawn, is_compared);
        let gaps: Vec<Option<f64>> = disparities
            .iter()
            .map(|disparity| kept.disparity(*disparity, Against::BetweenGroups))
            .collect();
        (values, gaps)
    };
    let drawn: Vec<_> = (0..precision.bootstrap.n_resamples)
        .into_par_iter()
        .map(draw)
        .collect();
    let rate = |group: usize, place: usize| {
        let values = drawn
            .iter()
            .filter_map(|(values, _)| values[group][place])
            .collect();
        percentiles(
            rates[place].of(&frame.groups[group].confusion)?,
            values,
            precision,
        )
    };
    let kept = compared(frame, is_compared);
    let gap = |place: usize| {
        let values = drawn.iter().filter_map(|(_, gaps)| gaps[place]).collect();
        percentiles(
            kept.disparity(disparities[place], Against::BetweenGroups)?,
            values,
            precision,
        )
    };
    ClusteredFrame {
        rates: (0..counts.len())
            .map(|group| (0..rates.len()).map(|place| rate(group, place)).collect())
            .collect(),
        disparities: (0..disparities.len()).map(gap).collect(),
    }
}

/// Returns the frame with the outcomes of each cluster counted as often as it was drawn.
fn redrawn(frame: &MetricFrame, counts: &[Vec<Confusion>], times_drawn: &[f64]) -> MetricFrame {
    let mut redrawn = frame.clone();
    for (group, by_cluster) in redrawn.groups.iter_mut().zip(counts) {
        group.confusion = Confusion::default();
        by_cluster
            .iter()
            .zip(times_drawn)
            .filter(|(_, times)| **times > 0.0)
            .for_each(|(held, times)| group.confusion.add_times(held, *times));
    }
    redrawn
}

/// Returns the frame without the groups that are too small for a disparity.
fn compared(frame: &MetricFrame, is_compared: &[bool]) -> MetricFrame {
    let mut kept = frame.clone();
    let mut marks = is_compared.iter();
    kept.groups
        .retain(|_| *marks.next().expect("one mark a group"));
    kept
}

/// Returns bias-corrected and accelerated bounds (Efron 1987) from resampled values and jackknife values; `None` when resamples are all
/// on one side of the estimate, or the jackknife does not vary.
pub fn bca_bounds(
    estimate: f64,
    draws: &[f64],
    jackknife: &[f64],
    level: f64,
) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = draws
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    sorted.sort_by(f64::total_cmp);
    let below = sorted.partition_point(|value| *value < estimate);
    let up_to = sorted.partition_point(|value| *value <= estimate);
    let share = (below + up_to) as f64 / 2.0 / sorted.len() as f64;
    if !(share > 0.0 && share < 1.0) {
        return None;
    }
    let bias = normal_quantile(share);
    let centre = mean(jackknife)?;
    let gaps: Vec<f64> = jackknife.iter().map(|value| centre - value).collect();
    let squares: f64 = gaps.iter().map(|gap| gap * gap).sum();
    if squares <= 0.0 {
        return None;
    }
    let acceleration = gaps.iter().map(|gap| gap.powi(3)).sum::<f64>() / (6.0 * squares.powf(1.5));
    let bound = |p: f64| {
        let shifted = bias + normal_quantile(p);
        let place = 1.0 - normal_upper_tail(bias + shifted / (1.0 - acceleration * shifted));
        quantile_sorted(&sorted, place.clamp(0.0, 1.0))
    };
    Some((bound((1.0 - level) / 2.0), bound((1.0 + level) / 2.0)))
}

/// Returns the bias-corrected and accelerated bootstrap interval of each metric; rows are drawn within each class. Where the correction
/// does not exist, or the metric is not defined, there is none.
pub fn bca_intervals(
    scored: &Scored<'_>,
    metrics: &[Metric],
    threshold: f64,
    precision: Precision,
) -> Vec<Option<Estimate>> {
    let drawn = bootstrap_draws(scored, metrics, threshold, precision.bootstrap);
    let rows = OrderedRows::new(scored);
    // Groups of equal size in order of score within each class: leaving one out keeps the shape of the rest.
    let n_groups = JACKKNIFE_GROUPS.min(scored.n());
    let mut group_of = vec![0usize; scored.n()];
    for class in &rows.classes {
        class
            .iter()
            .enumerate()
            .for_each(|(place, row)| group_of[*row as usize] = place % n_groups);
    }
    let leave = |group: usize| -> Vec<Option<f64>> {
        let weight = |row: usize| {
            if group_of[row] == group {
                0.0
            } else {
                rows.weights.as_ref().map_or(1.0, |held| held[row])
            }
        };
        let weights: Vec<f64> = (0..scored.n()).map(weight).collect();
        let left = Scored {
            labels: &rows.labels,
            scores: &rows.scores,
            weights: Some(&weights),
        };
        metrics
            .iter()
            .map(|metric| metric.evaluate(&left, threshold))
            .collect()
    };
    let left: Vec<Vec<Option<f64>>> = (0..n_groups).into_par_iter().map(leave).collect();
    let interval = |(place, metric): (usize, &Metric)| {
        let estimate = metric.evaluate(scored, threshold)?;
        let draws: Vec<f64> = drawn.iter().filter_map(|values| values[place]).collect();
        let jackknife: Vec<f64> = left.iter().filter_map(|values| values[place]).collect();
        if draws.len() * 2 < precision.bootstrap.n_resamples as usize {
            return None;
        }
        let (lower, upper) = bca_bounds(estimate, &draws, &jackknife, precision.level)?;
        Some(Estimate {
            estimate,
            lower,
            upper,
            level: precision.level,
            method: Method::BootstrapBca,
        })
    };
    metrics.iter().enumerate().map(interval).collect()
}
