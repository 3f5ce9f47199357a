//! The population stability index over quantiles of the reference (Siddiqi 2006).

use super::Sample;
use veracta_model::numeric::quantile_sorted;

/// The index with the bins it was taken over.
#[derive(Debug, Clone, PartialEq)]
pub struct StabilityIndex {
    /// Σ (r − c) ln(r / c); 0 is no change.
    pub psi: f64,
    /// Edges between the bins; a value equal to an edge belongs above it.
    pub inner_edges: Vec<f64>,
    /// Shares of the reference before any was raised.
    pub reference: Vec<f64>,
    /// Shares of the current sample before any was raised.
    pub current: Vec<f64>,
}

/// Returns the index over `n_bins` bins of equal reference count, duplicates merged, shares below `floor` raised to it.
///
/// `None` for an empty sample or fewer than two bins.
pub fn quantile(
    reference: &Sample,
    current: &Sample,
    n_bins: usize,
    floor: f64,
) -> Option<StabilityIndex> {
    if reference.n() == 0 || current.n() == 0 || n_bins < 2 {
        return None;
    }
    // Multiples of a step, as NumPy's linspace has them: a share that is off by a rounding moves an edge off its value.
    let step = 1.0 / n_bins as f64;
    let share = |idx: usize| {
        if idx == n_bins {
            1.0
        } else {
            idx as f64 * step
        }
    };
    let mut edges: Vec<f64> = (0..=n_bins)
        .map(|idx| quantile_sorted(&reference.sorted, share(idx)))
        .collect();
    edges.dedup();
    let inner_edges = if edges.len() > 2 {
        edges[1..edges.len() - 1].to_vec()
    } else {
        Vec::new()
    };
    let shares = |sample: &Sample| {
        let mut below: Vec<usize> = vec![0];
        below.extend(
            inner_edges
                .iter()
                .map(|edge| sample.sorted.partition_point(|value| value < edge)),
        );
        below.push(sample.n());
        below
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64 / sample.n() as f64)
            .collect::<Vec<f64>>()
    };
    let (reference, current) = (shares(reference), shares(current));
    let term = |(r, c): (&f64, &f64)| {
        let (r, c) = (r.max(floor), c.max(floor));
        (r - c) * (r / c).ln()
    };
    let psi = reference.iter().zip(&current).map(term).sum();
    Some(StabilityIndex {
        psi,
        inner_edges,
        reference,
        current,
    })
}
