//! The two-sample Kolmogorov-Smirnov test: the largest distance of the two empirical distribution functions.
//!
//! The exact p-value counts lattice paths that stay within the distance (Hodges 1958) in steps that keep every number between 0 and one.
//! The asymptotic one is that of the one-sample statistic at the harmonic size, by the methods Simard and L'Ecuyer (2011) found accurate
//! in each range.

use statrs::function::gamma::ln_gamma;

use super::{Sample, TestResult, for_each_distinct};

/// Most rows of a sample for which the exact p-value is the default.
pub(crate) const EXACT_ROWS_MAX: usize = 10_000;

/// How the p-value is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Exact up to `EXACT_ROWS_MAX` rows in both samples, asymptotic beyond.
    Auto,
    /// By counting lattice paths (Hodges 1958), whatever the number of rows.
    Exact,
    /// By the one-sample distribution at the harmonic size n m / (n + m).
    Asymptotic,
}

/// Returns the largest distance of the distribution functions as a whole multiple of 1 / (n m); `None` for an empty sample or one of
/// more than 2^31 rows.
///
/// Counts are compared, not accumulated shares, so that the statistic has no rounding in it.
pub fn distance(reference: &Sample, current: &Sample) -> Option<f64> {
    // 2^31 rows of a column fill 16 GiB: the products stay below 2^62.
    let (n, m) = (
        i64::from(i32::try_from(reference.n()).ok()?),
        i64::from(i32::try_from(current.n()).ok()?),
    );
    if n == 0 || m == 0 {
        return None;
    }
    let (mut gap, mut largest) = (0i64, 0i64);
    for_each_distinct(reference, current, |_, in_reference, in_current| {
        gap += in_reference as i64 * m - in_current as i64 * n;
        largest = largest.max(gap.abs());
    });
    Some(largest as f64 / (n * m) as f64)
}

/// Returns distance and two-sided p-value; `None` for an empty sample.
pub fn test(reference: &Sample, current: &Sample, method: Method) -> Option<TestResult> {
    Some(test_at(
        distance(reference, current)?,
        reference.n(),
        current.n(),
        method,
    ))
}

/// Returns the test of a distance that is known already, for samples of `n` and `m` values.
pub(crate) fn test_at(statistic: f64, n: usize, m: usize, method: Method) -> TestResult {
    let is_exact = match method {
        Method::Auto => n.max(m) <= EXACT_ROWS_MAX,
        Method::Exact => true,
        Method::Asymptotic => false,
    };
    let p = if is_exact {
        exact_p(n, m, statistic)
    } else {
        let harmonic = n as f64 * m as f64 / (n as f64 + m as f64);
        // Half to even, as NumPy rounds.
        one_sample_tail(harmonic.round_ties_even(), statistic)
    };
    TestResult {
        statistic,
        p_value: Some(p.clamp(0.0, 1.0)),
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Returns P(D ≥ d) for samples of n and m rows without ties.
fn exact_p(n: usize, m: usize, d: f64) -> f64 {
    let divisor = gcd(n, m);
    let lcm = (n / divisor) as f64 * m as f64;
    let h = (d * lcm).round();
    if h == 0.0 {
        return 1.0;
    }
    if n == m {
        outside_square(n, h as usize)
    } else {
        outside_band(n.max(m), n.min(m), divisor, h)
    }
}

/// Equal sizes: the reflection principle gives an alternating sum, evaluated by Horner's scheme from the smallest term.
fn outside_square(n: usize, h: usize) -> f64 {
    let mut total = 0.0;
    for k in (0..=n / h).rev() {
        let mut ratio = 1.0;
        for j in 0..h {
            ratio *= (n as f64 - (k * h) as f64 - j as f64) / (n + k * h + j + 1) as f64;
        }
        total = ratio * (1.0 - total);
    }
    2.0 * total
}

/// Unequal sizes: the share of lattice paths from (0, 0) to (m, n) that touch the band's edge, one column after the other.
fn outside_band(m: usize, n: usize, divisor: usize, h: f64) -> f64 {
    let (mg, ng) = ((m / divisor) as f64, (n / divisor) as f64);
    let top = |i: usize| (((ng * i as f64 + h) / mg).ceil() as usize).min(n + 1);
    let bottom = |i: usize| ((((ng * i as f64 - h) / mg).floor() + 1.0).max(0.0) as usize).min(n);
    // `outside[j - low]` is the share of paths to (i, j) that have been outside; whatever is outside the band has the value 1.
    let (mut low, mut high) = (0, top(0));
    let mut outside = vec![0.0; high];
    for i in 1..=m {
        let (low_now, high_now) = (bottom(i), top(i));
        if high_now <= low_now {
            return 1.0;
        }
        let mut below = if low_now == 0 { 0.0 } else { 1.0 };
        let mut column = Vec::with_capacity(high_now - low_now);
        for j in low_now..high_now {
            let left = if (low..high).contains(&j) {
                outside[j - low]
            } else {
                1.0
            };
            below = (left * i as f64 + below * j as f64) / (i + j) as f64;
            column.push(below);
        }
        (low, high, outside) = (low_now, high_now, column);
    }
    outside.last().copied().unwrap_or(1.0)
}

/// Returns P(D_n ≥ x) of the one-sample two-sided statistic for `n` rows.
fn one_sample_tail(n: f64, x: f64) -> f64 {
    if x >= 1.0 || n <= 0.0 {
        return 0.0;
    }
    let t = n * x;
    if t <= 0.5 {
        return 1.0;
    }
    if t <= 1.0 {
        // Ruben and Gambino (1982): n! ((2t − 1) / n)^n.
        return 1.0 - (ln_gamma(n + 1.0) + n * ((2.0 * t - 1.0) / n).ln()).exp();
    }
    if x >= 0.5 || t >= n - 1.0 {
        return 2.0 * one_sided_tail(n, x);
    }
    let scaled = t * x;
    if n <= 140.0 {
        // The matrix method loses the tail to cancellation above 4, where twice the one-sided tail is accurate.
        return if scaled <= 4.0 {
            1.0 - by_matrix(n, x)
        } else {
            2.0 * one_sided_tail(n, x)
        };
    }
    if scaled >= 370.0 {
        return 0.0;
    }
    if scaled >= 2.2 {
        return 2.0 * one_sided_tail(n, x);
    }
    if n <= 100_000.0 && n * x.powf(1.5) <= 1.4 {
        return 1.0 - by_matrix(n, x);
    }
    1.0 - by_expansion(n, x)
}

/// Returns P(D_n⁺ ≥ x): Birnbaum and Tingey's (1951) sum, each term by its logarithm.
fn one_sided_tail(n: f64, x: f64) -> f64 {
    let last = (n * (1.0 - x)).floor();
    let log_n_factorial = ln_gamma(n + 1.0);
    let log_term = |k: f64| {
        let (up, down) = (x + k / n, 1.0 - x - k / n);
        let rest = if k == n {
            0.0
        } else {
            (n - k) * down.max(0.0).ln()
        };
        log_n_factorial - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0) + (k - 1.0) * up.ln() + rest
    };
    // Terms rise and then fall: from the largest outwards until they no longer count, some √n of them.
    let (mut low, mut high) = (0.0, last);
    while high - low > 2.0 {
        let third = ((high - low) / 3.0).floor().max(1.0);
        if log_term(low + third) < log_term(high - third) {
            low += third
        } else {
            high -= third
        }
    }
    let peak = ((low as u64)..=(high as u64))
        .map(|k| k as f64)
        .max_by(|a, b| log_term(*a).total_cmp(&log_term(*b)))
        .unwrap_or(low);
    let mut total = 0.0;
    for (start, step) in [(peak, 1.0), (peak - 1.0, -1.0)] {
        let mut k = start;
        while (0.0..=last).contains(&k) {
            let term = log_term(k).exp();
            total += term;
            if term <= total * 1e-18 {
                break;
            }
            k += step;
        }
    }
    x * total
}

/// Returns P(D_n < x) by powers of a matrix (Marsaglia, Tsang and Wang 2003).
fn by_matrix(n: f64, x: f64) -> f64 {
    let k = (n * x).ceil() as usize;
    let h = k as f64 - n * x;
    let size = 2 * k - 1;
    let mut base = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..size {
            base[i * size + j] = if i + 1 >= j { 1.0 } else { 0.0 };
        }
    }
    for i in 0..size {
        base[i * size] -= h.powi(i as i32 + 1);
        base[(size - 1) * size + i] -= h.powi((size - i) as i32);
    }
    if 2.0 * h - 1.0 > 0.0 {
        base[(size - 1) * size] += (2.0 * h - 1.0).powi(size as i32);
    }
    for i in 0..size {
        for j in 0..size.min(i + 1) {
            (1..=i + 1 - j).for_each(|g| base[i * size + j] /= g as f64);
        }
    }
    let (power, mut exponent) = matrix_power(&base, size, n as u64);
    let mut value = power[(k - 1) * size + k - 1];
    for i in 1..=n as u64 {
        value *= i as f64 / n;
        if value < 1e-140 {
            value *= 1e140;
            exponent -= 140;
        }
    }
    value * 10f64.powi(exponent)
}

/// Returns a matrix to a power, and the decimal exponent that was taken out of it.
fn matrix_power(base: &[f64], size: usize, power: u64) -> (Vec<f64>, i32) {
    let multiply = |a: &[f64], b: &[f64]| {
        let mut product = vec![0.0; size * size];
        for i in 0..size {
            for k in 0..size {
                let factor = a[i * size + k];
                if factor != 0.0 {
                    (0..size).for_each(|j| product[i * size + j] += factor * b[k * size + j]);
                }
            }
        }
        product
    };
    let mut result: Vec<f64> = (0..size * size)
        .map(|idx| f64::from(u8::from(idx % (size + 1) == 0)))
        .collect();
    let (mut square, mut left, mut exponent, mut square_exponent) = (base.to_vec(), power, 0, 0);
    let shrink = |matrix: &mut Vec<f64>, exponent: &mut i32| {
        if matrix[(size / 2) * size + size / 2] > 1e140 {
            matrix.iter_mut().for_each(|value| *value *= 1e-140);
            *exponent += 140;
        }
    };
    while left > 0 {
        if left & 1 == 1 {
            result = multiply(&result, &square);
            exponent += square_exponent;
            shrink(&mut result, &mut exponent);
        }
        left >>= 1;
        if left > 0 {
            square = multiply(&square, &square);
            square_exponent *= 2;
            shrink(&mut square, &mut square_exponent);
        }
    }
    (result, exponent)
}

/// Returns P(D_n < x) by the expansion of Pelz and Good (1976) to order n^(-3/2).
fn by_expansion(n: f64, x: f64) -> f64 {
    use std::f64::consts::PI;
    let z = n.sqrt() * x;
    let (z2, z4, z6) = (z * z, z.powi(4), z.powi(6));
    let (pi2, pi4, pi6) = (PI * PI, PI.powi(4), PI.powi(6));
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    for step in 0..64 {
        let half = f64::from(step) + 0.5;
        let h2 = half * half;
        let weight = (-h2 * pi2 / (2.0 * z2)).exp();
        if weight == 0.0 {
            break;
        }
        k0 += weight;
        k1 += weight * (pi2 * h2 - z2);
        let (h4, h6) = (h2 * h2, h2 * h2 * h2);
        k2 += weight
            * (6.0 * z6
                + 2.0 * z4
                + pi2 * (2.0 * z4 - 5.0 * z2) * h2
                + pi4 * (1.0 - 2.0 * z2) * h4);
        k3 += weight
            * (-30.0 * z6 - 90.0 * z.powi(8)
                + pi2 * (135.0 * z4 - 96.0 * z6) * h2
                + pi4 * (212.0 * z4 - 60.0 * z2) * h4
                + pi6 * (5.0 - 30.0 * z2) * h6);
    }
    // The sums over half-integers are one-sided here and twice as large over all of them.
    let root = (2.0 * PI).sqrt();
    let mut total = root / z * k0;
    total += (PI / 2.0).sqrt() / (3.0 * z4) * k1 / n.sqrt();
    let (mut whole2, mut whole3) = (0.0, 0.0);
    for step in 1..64 {
        let k2_step = f64::from(step) * f64::from(step);
        let weight = (-k2_step * pi2 / (2.0 * z2)).exp();
        if weight == 0.0 {
            break;
        }
        whole2 += k2_step * weight;
        whole3 += weight * (3.0 * pi2 * k2_step * z2 - pi4 * k2_step * k2_step);
    }
    total += ((PI / 2.0).sqrt() / (36.0 * z.powi(7)) * k2
        - root * pi2 / (36.0 * z.powi(3)) * whole2)
        / n;
    total += ((PI / 2.0).sqrt() / (3240.0 * z.powi(10)) * k3 + root / (216.0 * z6) * whole3)
        / n.powf(1.5);
    total
}
