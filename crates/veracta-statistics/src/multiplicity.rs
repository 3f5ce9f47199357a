//! Many tests at once: adjusted p-values and e-values, so that a thousand columns raise no more false alarms than one.

/// Returns Holm's adjusted p-values (Holm 1979): the probability of any false rejection stays below the level.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len();
    let mut largest = 0.0f64;
    adjust(p_values, |rank, p| {
        largest = largest.max(((n - rank) as f64 * p).min(1.0));
        largest
    })
}

/// Returns Benjamini and Hochberg's adjusted p-values (1995): the expected share of false among all rejections stays below the level,
/// for independent or positively dependent tests.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let (mut adjusted, mut smallest) = (vec![1.0; p_values.len()], 1.0f64);
    for (rank, idx) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[*idx] * p_values.len() as f64 / (rank + 1) as f64);
        adjusted[*idx] = smallest;
    }
    adjusted
}

/// Returns whether each e-value is rejected by the e-BH procedure (Wang and Ramdas 2022) at false discovery rate `alpha`, whatever the
/// dependence between them.
pub fn e_benjamini_hochberg(e_values: &[f64], alpha: f64) -> Vec<bool> {
    let n = e_values.len() as f64;
    let negated: Vec<f64> = e_values.iter().map(|value| -value).collect();
    let order = ascending(&negated);
    let is_large =
        |(rank, idx): (usize, &usize)| (rank + 1) as f64 * e_values[*idx] / n >= 1.0 / alpha;
    let n_rejected = order
        .iter()
        .enumerate()
        .rev()
        .find(|(rank, idx)| is_large((*rank, idx)))
        .map_or(0, |(rank, _)| rank + 1);
    let mut rejected = vec![false; e_values.len()];
    order[..n_rejected]
        .iter()
        .for_each(|idx| rejected[*idx] = true);
    rejected
}

fn ascending(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    order
}

fn adjust(values: &[f64], mut next: impl FnMut(usize, f64) -> f64) -> Vec<f64> {
    let mut adjusted = vec![0.0; values.len()];
    for (rank, idx) in ascending(values).into_iter().enumerate() {
        adjusted[idx] = next(rank, values[idx]);
    }
    adjusted
}
