//! Sums, quantiles and distributions in a fixed order, so that no thread count ever changes a digit.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Returns the sum by pairwise summation over fixed blocks of 128 values; error grows with log n instead of n.
pub fn sum(values: &[f64]) -> f64 {
    const BLOCK: usize = 128;
    if values.len() <= BLOCK {
        return values.iter().sum();
    }
    // A power-of-two number of blocks on the left keeps the shape of the tree independent of everything but the length.
    let n_blocks = values.len().div_ceil(BLOCK);
    let (left, right) = values.split_at(n_blocks.next_power_of_two() / 2 * BLOCK);
    sum(left) + sum(right)
}

/// Returns the mean, or `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| sum(values) / values.len() as f64)
}

/// Returns the sample variance (n - 1), or `None` with fewer than two values.
pub fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() >= 2)?;
    let squares: Vec<f64> = values.iter().map(|value| (value - mean).powi(2)).collect();
    Some(sum(&squares) / (values.len() - 1) as f64)
}

/// Returns quantile `p` of sorted values by linear interpolation (Hyndman and Fan type 7), in NumPy's rounding-stable form.
///
/// # Panics
/// When `sorted` is empty or `p` is outside 0 to 1.
pub fn quantile_sorted(sorted: &[f64], p: f64) -> f64 {
    assert!(
        !sorted.is_empty() && (0.0..=1.0).contains(&p),
        "a quantile needs values and a share of 0 to 1"
    );
    let position = p * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    let (step, weight) = (high - low, position - below as f64);
    if weight >= 0.5 {
        high - step * (1.0 - weight)
    } else {
        low + step * weight
    }
}

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
pub fn normal_upper_tail(z: f64) -> f64 {
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
pub fn student_quantile(p: f64, degrees: f64) -> f64 {
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
pub fn student_two_sided(t: f64, degrees: f64) -> f64 {
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
pub fn chi_squared_tail(x: f64, degrees: f64) -> f64 {
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

/// Returns eigenvalues and eigenvectors (in columns, row after row) of a symmetric matrix by Jacobi's rotations, in no order.
///
/// # Panics
/// When the matrix is not `size` × `size`.
pub fn symmetric_eigen(matrix: &[f64], size: usize) -> (Vec<f64>, Vec<f64>) {
    assert_eq!(matrix.len(), size * size, "the matrix is square");
    let mut a = matrix.to_vec();
    let mut vectors: Vec<f64> = (0..size * size)
        .map(|idx| f64::from(u8::from(idx % (size + 1) == 0)))
        .collect();
    for _ in 0..100 {
        let outside: f64 = (0..size)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| a[i * size + j].powi(2))
            .sum();
        let diagonal: f64 = (0..size).map(|i| a[i * size + i].powi(2)).sum();
        if outside <= diagonal * 1e-34 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                if a[p * size + q] == 0.0 {
                    continue;
                }
                let theta = (a[q * size + q] - a[p * size + p]) / (2.0 * a[p * size + q]);
                let sign = if theta >= 0.0 { 1.0 } else { -1.0 };
                let t = sign / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..size {
                    let (x, y) = (a[k * size + p], a[k * size + q]);
                    (a[k * size + p], a[k * size + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..size {
                    let (x, y) = (a[p * size + k], a[q * size + k]);
                    (a[p * size + k], a[q * size + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (vectors[k * size + p], vectors[k * size + q]);
                    (vectors[k * size + p], vectors[k * size + q]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    ((0..size).map(|i| a[i * size + i]).collect(), vectors)
}

/// Returns midranks (ties share the mean of their positions), one-based.
pub fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        let rank = (start + 1 + end) as f64 / 2.0;
        order[start..end].iter().for_each(|row| ranks[*row] = rank);
        start = end;
    }
    ranks
}

/// Returns Spearman's rank correlation; `None` when it is not defined.
///
/// # Panics
/// When the lengths differ.
pub fn rank_correlation(first: &[f64], second: &[f64]) -> Option<f64> {
    assert_eq!(first.len(), second.len(), "a correlation is over pairs");
    let (a, b) = (midranks(first), midranks(second));
    let (mean_a, mean_b) = (mean(&a)?, mean(&b)?);
    let products: Vec<f64> = a
        .iter()
        .zip(&b)
        .map(|(x, y)| (x - mean_a) * (y - mean_b))
        .collect();
    let spread = (variance(&a)? * variance(&b)?).sqrt();
    (spread > 0.0).then(|| sum(&products) / (a.len() - 1) as f64 / spread)
}

/// Rounds to two significant digits, up or down: an extreme that does not give a single value away.
pub fn round_outwards(value: f64, up: bool) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let unit = 10f64.powi(value.abs().log10().floor() as i32 - 1);
    let steps = value / unit;
    // A value that has two digits already stays as it is, whatever the division did to its last bit.
    let whole = if (steps - steps.round()).abs() < 1e-9 {
        steps.round()
    } else if up {
        steps.ceil()
    } else {
        steps.floor()
    };
    whole * unit
}

/// Returns a generator whose stream depends on `seed` and `stream` alone.
pub fn generator(seed: u64, stream: u64) -> rand_chacha::ChaCha8Rng {
    use rand_chacha::rand_core::SeedableRng;
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Returns a uniform integer below `bound` without modulo bias (Lemire's method).
///
/// # Panics
/// When `bound` is 0.
pub fn below(rng: &mut rand_chacha::ChaCha8Rng, bound: usize) -> usize {
    use rand_chacha::rand_core::Rng;
    assert!(bound > 0, "there is no number below 0");
    let bound = bound as u64;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(bound);
        if product as u64 >= bound.wrapping_neg() % bound {
            return (product >> 64) as usize;
        }
    }
}

/// Returns a uniform number in 0 to 1 with 53 random bits.
pub fn uniform(rng: &mut rand_chacha::ChaCha8Rng) -> f64 {
    use rand_chacha::rand_core::Rng;
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Shuffles in place (Fisher and Yates).
pub fn shuffle<T>(values: &mut [T], rng: &mut rand_chacha::ChaCha8Rng) {
    for end in (1..values.len()).rev() {
        values.swap(end, below(rng, end + 1));
    }
}
