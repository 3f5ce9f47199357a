//! Distances that integrate the difference of two distribution functions: Wasserstein and energy.

use super::{Sample, for_each_distinct};
use veracta_model::numeric::{mean, sum};

/// Returns the integral of |difference|^power over the pooled values; `None` for an empty sample.
fn integral(reference: &Sample, current: &Sample, power: i32) -> Option<f64> {
    let (n, m) = (reference.n() as f64, current.n() as f64);
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let (mut below_n, mut below_m, mut last) = (0usize, 0usize, None);
    // Compensated: millions of small areas of one sign.
    let (mut total, mut lost) = (0.0f64, 0.0f64);
    for_each_distinct(reference, current, |value, in_reference, in_current| {
        if let Some(last) = last {
            let gap: f64 = below_n as f64 / n - below_m as f64 / m;
            let area = gap.abs().powi(power) * (value - last) - lost;
            let next = total + area;
            lost = (next - total) - area;
            total = next;
        }
        below_n += in_reference;
        below_m += in_current;
        last = Some(value);
    });
    total.is_finite().then_some(total)
}

/// Returns the area between the distribution functions (Wasserstein-1, in the units of the column); `None` for an empty sample.
pub fn wasserstein(reference: &Sample, current: &Sample) -> Option<f64> {
    integral(reference, current, 1)
}

/// Returns the Wasserstein distance over the larger of the reference's population standard deviation and 0.001.
pub fn wasserstein_normed(reference: &Sample, current: &Sample) -> Option<f64> {
    normed(wasserstein(reference, current)?, reference)
}

/// Returns a Wasserstein distance that is known already over the spread of the reference.
pub(crate) fn normed(distance: f64, reference: &Sample) -> Option<f64> {
    let centre = mean(&reference.sorted)?;
    let squares: Vec<f64> = reference
        .sorted
        .iter()
        .map(|value| (value - centre).powi(2))
        .collect();
    let spread = (sum(&squares) / reference.n() as f64).sqrt();
    Some(distance / spread.max(1e-3))
}

/// Returns the energy distance, √2 times the root of the squared area; `None` for an empty sample.
pub fn energy(reference: &Sample, current: &Sample) -> Option<f64> {
    integral(reference, current, 2).map(|area| (2.0 * area).sqrt())
}
