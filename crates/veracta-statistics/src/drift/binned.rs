//! Divergences of shares over bins, with the binning of Evidently 0.7 so that numbers can be compared.
//!
//! A numeric column with more than 20 distinct reference values is cut into equal bins over the pooled range, as many as Sturges' rule
//! says through NumPy's width formula, the last bin closed; else each distinct value is a bin.

use super::{CategoryCounts, Sample};

/// Distinct reference values up to which each value is a bin of its own.
const DISTINCT_MAX: usize = 20;
/// What an empty share is raised to, unless the smallest other share is not larger.
const SHARE_FLOOR: f64 = 1e-4;

/// Shares of both samples in the same bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// Shares of the reference; they sum to 1.
    pub reference: Vec<f64>,
    /// Shares of the current sample; they sum to 1.
    pub current: Vec<f64>,
}

/// Returns the bins of a numeric column; `None` for an empty sample.
pub fn bins(reference: &Sample, current: &Sample) -> Option<Bins> {
    if reference.n() == 0 || current.n() == 0 {
        return None;
    }
    if reference.n_distinct() <= DISTINCT_MAX {
        return CategoryCounts::of_numbers(reference, current).bins();
    }
    let (first, last) = pooled_range(reference, current);
    let edges = sturges_edges(first, last, reference.n() + current.n());
    let share = |sample: &Sample| {
        counts(sample, &edges)
            .into_iter()
            .map(|count| count / sample.n() as f64)
            .collect()
    };
    Some(Bins {
        reference: share(reference),
        current: share(current),
    })
}

fn pooled_range(reference: &Sample, current: &Sample) -> (f64, f64) {
    let (a, b) = (&reference.sorted, &current.sorted);
    (a[0].min(b[0]), a[a.len() - 1].max(b[b.len() - 1]))
}

/// Returns the edges of Sturges' bins for `n` values from `first` to `last`.
fn sturges_edges(first: f64, last: f64, n: usize) -> Vec<f64> {
    let width = (last - first) / ((n as f64).log2() + 1.0);
    // Without any width NumPy opens one bin of width 1 around the value.
    let (first, last, n_bins) = if last > first {
        (first, last, ((last - first) / width).ceil() as usize)
    } else {
        (first - 0.5, last + 0.5, 1)
    };
    let step = (last - first) / n_bins as f64;
    let mut edges: Vec<f64> = (0..=n_bins).map(|idx| idx as f64 * step + first).collect();
    edges[n_bins] = last;
    edges
}

/// Returns how many values lie in each bin; all but the last are open on the right.
fn counts(sample: &Sample, edges: &[f64]) -> Vec<f64> {
    let n_bins = edges.len() - 1;
    let below: Vec<usize> = (0..=n_bins)
        .map(|idx| match idx == n_bins {
            true => sample.sorted.partition_point(|value| *value <= edges[idx]),
            false => sample.sorted.partition_point(|value| *value < edges[idx]),
        })
        .collect();
    below
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) as f64)
        .collect()
}

/// Raises empty shares: to 0.0001, or to a millionth of the smallest other share when that is not larger than 0.0001.
fn raised(shares: &[f64]) -> Vec<f64> {
    let smallest = shares
        .iter()
        .copied()
        .filter(|share| *share > 0.0)
        .fold(f64::INFINITY, f64::min);
    let floor = if smallest <= SHARE_FLOOR {
        smallest / 1e6
    } else {
        SHARE_FLOOR
    };
    shares
        .iter()
        .map(|share| if *share == 0.0 { floor } else { *share })
        .collect()
}

fn normalised(shares: &[f64]) -> Vec<f64> {
    let total: f64 = shares.iter().sum();
    shares.iter().map(|share| share / total).collect()
}

/// Returns the population stability index Σ (r − c) ln(r / c), empty shares raised.
pub fn stability(bins: &Bins) -> Option<f64> {
    let (reference, current) = (raised(&bins.reference), raised(&bins.current));
    Some(
        reference
            .iter()
            .zip(&current)
            .map(|(r, c)| (r - c) * (r / c).ln())
            .sum(),
    )
}

/// Returns the Kullback-Leibler divergence of the reference from the current sample, empty shares raised, natural logarithm.
pub fn kullback_leibler(bins: &Bins) -> Option<f64> {
    let (reference, current) = (
        normalised(&raised(&bins.reference)),
        normalised(&raised(&bins.current)),
    );
    Some(
        reference
            .iter()
            .zip(&current)
            .map(|(r, c)| r * (r / c).ln())
            .sum(),
    )
}

/// Returns the Jensen-Shannon distance: the root of the divergence, natural logarithm.
pub fn jensen_shannon(bins: &Bins) -> Option<f64> {
    let term = |share: f64, middle: f64| {
        if share > 0.0 {
            share * (share / middle).ln()
        } else {
            0.0
        }
    };
    let pairs = bins.reference.iter().zip(&bins.current);
    let divergence: f64 = pairs
        .map(|(r, c)| term(*r, (r + c) / 2.0) + term(*c, (r + c) / 2.0))
        .sum();
    Some((divergence / 2.0).max(0.0).sqrt())
}

/// Returns the Hellinger distance of shares.
pub fn hellinger(bins: &Bins) -> Option<f64> {
    let overlap: f64 = bins
        .reference
        .iter()
        .zip(&bins.current)
        .map(|(r, c)| (r * c).sqrt())
        .sum();
    Some((1.0 - overlap).clamp(0.0, 1.0).sqrt())
}

/// Returns the Hellinger distance of a numeric column over Sturges' bins of its distinct pooled values; `None` for an empty sample.
///
/// Densities are multiplied by the width of the first bin: where bins differ in width by rounding, so does the overlap.
pub fn hellinger_numeric(reference: &Sample, current: &Sample) -> Option<f64> {
    if reference.n() == 0 || current.n() == 0 {
        return None;
    }
    let mut n_distinct = 0;
    super::for_each_distinct(reference, current, |_, _, _| n_distinct += 1);
    let (first, last) = pooled_range(reference, current);
    let edges = sturges_edges(first, last, n_distinct);
    let density = |sample: &Sample| {
        let counts = counts(sample, &edges);
        let total: f64 = counts.iter().sum();
        let widths = edges
            .windows(2)
            .map(|pair| (edges[1] - edges[0]) / (pair[1] - pair[0]));
        counts
            .iter()
            .zip(widths)
            .map(|(count, width)| count / total * width)
            .collect()
    };
    hellinger(&Bins {
        reference: density(reference),
        current: density(current),
    })
}
