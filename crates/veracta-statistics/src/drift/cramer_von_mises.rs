//! The two-sample Cramér-von Mises test (Anderson 1962), with the limiting distribution (Anderson and Darling 1952, equation 4.35).

use statrs::function::gamma::ln_gamma;

use super::{Sample, TestResult, for_each_distinct};

/// Terms of the limiting distribution are added until they are below this.
const TERM_MIN: f64 = 1e-16;

/// Returns the statistic T and its asymptotic p-value; `None` with fewer than two values in a sample.
pub fn test(reference: &Sample, current: &Sample) -> Option<TestResult> {
    let (n, m) = (reference.n() as f64, current.n() as f64);
    if n < 2.0 || m < 2.0 {
        return None;
    }
    let (mut below, mut below_n, mut below_m) = (0.0, 0.0, 0.0);
    let (mut sum_n, mut sum_m) = (0.0, 0.0);
    for_each_distinct(reference, current, |_, in_reference, in_current| {
        let rank = below + (in_reference + in_current + 1) as f64 / 2.0;
        // Σ (rank − i)² over the places i of tied values.
        let squares = |before: f64, count: usize| {
            (1..=count)
                .map(|step| (rank - before - step as f64).powi(2))
                .sum::<f64>()
        };
        sum_n += squares(below_n, in_reference);
        sum_m += squares(below_m, in_current);
        (below_n, below_m) = (below_n + in_reference as f64, below_m + in_current as f64);
        below = below_n + below_m;
    });
    let (product, total) = (n * m, n + m);
    let u = n * sum_n + m * sum_m;
    let statistic = u / (product * total) - (4.0 * product - 1.0) / (6.0 * total);
    let expected = (1.0 + 1.0 / total) / 6.0;
    let variance = (total + 1.0) * (4.0 * product * total - 3.0 * (n * n + m * m) - 2.0 * product)
        / (45.0 * total * total * 4.0 * product);
    let normalised = 1.0 / 6.0 + (statistic - expected) / (45.0 * variance).sqrt();
    let p = if normalised < 0.003 {
        1.0
    } else {
        (1.0 - limit(normalised)).max(0.0)
    };
    Some(TestResult {
        statistic,
        p_value: Some(p),
    })
}

/// Returns the limiting distribution function at x > 0.
fn limit(x: f64) -> f64 {
    let mut total = 0.0;
    for k in 0..200 {
        let k = f64::from(k);
        let y = 4.0 * k + 1.0;
        let q = y * y / (16.0 * x);
        let weight = (ln_gamma(k + 0.5) - ln_gamma(k + 1.0)).exp()
            / (std::f64::consts::PI.powf(1.5) * x.sqrt());
        let term = weight * y.sqrt() * scaled_bessel_quarter(q);
        total += term;
        if term < TERM_MIN {
            break;
        }
    }
    total
}

/// Returns exp(−q) K_{1/4}(q): the integral of exp(−q (1 + cosh t)) cosh(t / 4) over t > 0 by the trapezoid rule, which converges
/// faster than any power of the step for an even entire integrand.
fn scaled_bessel_quarter(q: f64) -> f64 {
    const STEP: f64 = 1.0 / 32.0;
    let at = |t: f64| (-q * (1.0 + t.cosh())).exp() * (t / 4.0).cosh();
    let mut total = at(0.0) / 2.0;
    for step in 1..2000 {
        let value = at(f64::from(step) * STEP);
        total += value;
        if value < total * 1e-18 {
            break;
        }
    }
    total * STEP
}
