//! Sums, moments, quantiles and seeded draws in a fixed order, so that no thread count ever changes a digit.

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

/// Returns the largest absolute difference of two lists at the same positions; 0 of empty ones, NaN when a difference is none
/// or one list is longer.
pub fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::NAN;
    }
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    // `f64::max` passes over NaN, which would call a score that is none equal to any other.
    differences.fold(0.0, |largest, difference| match largest > difference {
        true => largest,
        false if f64::is_nan(largest) => largest,
        false => difference,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_with_what_is_no_number_is_none() {
        assert_eq!(largest_difference(&[1.0, 2.0], &[1.5, 1.9]), 0.5);
        assert_eq!(largest_difference(&[], &[]), 0.0);
        for (a, b) in [
            (&[f64::NAN, 2.0][..], &[1.0, 0.0][..]),
            (&[2.0, f64::NAN], &[0.0, 1.0]),
            (&[1.0], &[1.0, 2.0]),
        ] {
            assert!(largest_difference(a, b).is_nan(), "{a:?} {b:?}");
        }
    }
}
