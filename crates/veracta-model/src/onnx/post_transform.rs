//! What is done to the scores of a classifier or regressor at the end.

/// What is done to scores at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PostTransform {
    None,
    Softmax,
    SoftmaxZero,
    Logistic,
}

impl PostTransform {
    /// Returns the transformed scores of a row.
    pub(super) fn apply(self, scores: &[f64]) -> Vec<f64> {
        match self {
            Self::None => scores.to_vec(),
            Self::Logistic => scores
                .iter()
                .map(|score| 1.0 / (1.0 + (-score).exp()))
                .collect(),
            Self::Softmax | Self::SoftmaxZero => {
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let power = |score: &f64| match self {
                    Self::SoftmaxZero if score.abs() <= 1e-7 => 0.0,
                    _ => (score - largest).exp(),
                };
                let powers: Vec<f64> = scores.iter().map(power).collect();
                let total: f64 = powers.iter().sum();
                powers.iter().map(|power| power / total).collect()
            }
        }
    }
}
