//! How far attributions of single predictions can be relied on: whether they add up, and whether other rows say the same.

use veracta_model::explanation::Attribution;
use veracta_model::numeric::mean;

use crate::ranks::rank_correlation;

/// Returns the rank correlation between the mean absolute contributions over the first and the second half of the rows; `None` when
/// it is not defined. Near 1 the order of the inputs does not depend on which rows were explained.
pub fn stability(attributions: &[&Attribution]) -> Option<f64> {
    if attributions.len() < 2 {
        return None;
    }
    let (first, second) = attributions.split_at(attributions.len() / 2);
    rank_correlation(&strengths(first), &strengths(second))
}

fn strengths(attributions: &[&Attribution]) -> Vec<f64> {
    let n_inputs = attributions
        .first()
        .map_or(0, |found| found.contributions.len());
    let strength = |input: usize| {
        let absolute = attributions
            .iter()
            .map(|found| found.contributions[input].abs());
        mean(&absolute.collect::<Vec<f64>>()).unwrap_or(0.0)
    };
    (0..n_inputs).map(strength).collect()
}

/// Returns the largest distance between a probability and what its attribution adds up to; `is_margin` when that is a log-odds.
pub fn additivity_error_max(
    attributions: &[&Attribution],
    probabilities: &[f64],
    is_margin: bool,
) -> f64 {
    let error = |(found, probability): (&&Attribution, &f64)| {
        let total = found.base_value + found.contributions.iter().sum::<f64>();
        let explained = if is_margin {
            1.0 / (1.0 + (-total).exp())
        } else {
            total
        };
        (explained - probability).abs()
    };
    attributions
        .iter()
        .zip(probabilities)
        .map(error)
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_says_nothing_of_stability() {
        let row = Attribution {
            base_value: 0.0,
            contributions: vec![1.0, 2.0, 3.0],
        };
        assert_eq!(stability(&[]), None);
        assert_eq!(stability(&[&row]), None);
        assert_eq!(stability(&[&row, &row]), Some(1.0));
    }
}
