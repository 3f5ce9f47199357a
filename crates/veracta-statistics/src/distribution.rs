//! Quantiles and tails of the normal, Student and chi-squared distributions.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::gamma::ln_gamma;

/// Returns the standard normal quantile.
///
/// # Panics
/// When `p` is not inside 0 to 1.
pub fn normal_quantile(p: f64) -> f64 {
    assert!(
        p > 0.0 && p < 1.0,
        "a normal quantile needs a share inside 0 to 1"
    );
    let standard = Normal::standard();
    let start = standard.inverse_cdf(p);
    // One Newton step on the tail that keeps relative accuracy.
    let density = (-0.5 * start * start).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let error = if start > 0.0 {
        (1.0 - p) - normal_upper_tail(start)
    } else {
        normal_upper_tail(-start) - p
    };
    start
        - if start > 0.0 {
            -error / -density
        } else {
            error / density
        }
}

/// Returns P(Z > z) for a standard normal Z, with relative accuracy far into the tail.
pub(crate) fn normal_upper_tail(z: f64) -> f64 {
    0.5 * statrs::function::erf::erfc(z / std::f64::consts::SQRT_2)
}

/// Returns the two-sided p-value of a standard normal statistic.
pub fn normal_two_sided(z: f64) -> f64 {
    (2.0 * normal_upper_tail(z.abs())).min(1.0)
}

/// Returns the quantile of Student's t with `degrees` of freedom.
///
/// # Panics
/// When `degrees` is not positive or `p` is not inside 0 to 1.
pub(crate) fn student_quantile(p: f64, degrees: f64) -> f64 {
    assert!(
        p > 0.0 && p < 1.0,
        "a t quantile needs a share inside 0 to 1"
    );
    StudentsT::new(0.0, 1.0, degrees)
        .expect("degrees of freedom are positive")
        .inverse_cdf(p)
}

/// Returns the two-sided p-value of Student's t, with relative accuracy far into the tail.
///
/// # Panics
/// When `degrees` is not positive.
pub(crate) fn student_two_sided(t: f64, degrees: f64) -> f64 {
    assert!(degrees > 0.0, "degrees of freedom are positive");
    if t == 0.0 {
        1.0
    } else {
        statrs::function::beta::beta_reg(degrees / 2.0, 0.5, degrees / (degrees + t * t))
    }
}

/// Returns P(X > x) for chi-squared X, with relative accuracy far into the tail; 1 below 0.
///
/// # Panics
/// When `degrees` is not positive.
pub(crate) fn chi_squared_tail(x: f64, degrees: f64) -> f64 {
    assert!(degrees > 0.0, "degrees of freedom are positive");
    if x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        0.0
    } else {
        statrs::function::gamma::gamma_ur(degrees / 2.0, x / 2.0)
    }
}

/// Returns the two-sided p-value of Fisher's exact test (1922) on a table of two rows and two columns of counts; `None` when a row is empty.
///
/// It sums the probabilities of all tables with the same margins that are not more likely than the observed one.
pub fn fisher_two_sided([a, b]: [f64; 2], [c, d]: [f64; 2]) -> Option<f64> {
    let (row, other, column) = (a + b, c + d, a + c);
    if row == 0.0 || other == 0.0 {
        return None;
    }
    let log_choose = |n: f64, k: f64| ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    let log_total = log_choose(row + other, column);
    let log_probability = |x: f64| log_choose(row, x) + log_choose(other, column - x) - log_total;
    let observed = log_probability(a);
    let (mut x, last, mut p) = ((column - other).max(0.0), row.min(column), 0.0);
    while x <= last {
        let log = log_probability(x);
        // Equal probabilities differ by rounding.
        if log <= observed + 1e-7 {
            p += log.exp();
        }
        x += 1.0;
    }
    Some(p.min(1.0))
}
