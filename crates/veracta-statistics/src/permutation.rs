//! Permutation importance (Breiman 2001; Fisher, Rudin and Dominici 2019): how much worse a metric gets when a feature's values are
//! shuffled among the rows.
//!
//! Correlated features hide each other; which inputs are needed at all is the business of [`minimisation`](crate::minimisation).

use crate::distribution::student_quantile;
use crate::performance::{Metric, Scored};
use veracta_model::explanation::coalition::Predict;
use veracta_model::numeric::{generator, mean, shuffle, variance};

/// Importance of one feature to one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct PermutationImportance {
    /// Position of the feature within a row.
    pub feature: usize,
    /// How much worse the metric got in each repeat; positive is worse.
    pub values: Vec<f64>,
    /// Mean of `values`, in the units of the metric; 0 is a feature that the metric does not depend on.
    pub mean: f64,
    /// Bounds of the mean over shuffles (Student's t); `None` with fewer than two repeats.
    pub interval: Option<(f64, f64)>,
}

/// Returns seeded permutations of `n_rows` rows; repeat i uses stream i.
pub fn permutations(n_rows: usize, n_repeats: u32, seed: u64) -> Vec<Vec<usize>> {
    let permutation = |repeat: u32| {
        let mut order: Vec<usize> = (0..n_rows).collect();
        shuffle(&mut order, &mut generator(seed, u64::from(repeat)));
        order
    };
    (0..n_repeats).map(permutation).collect()
}

/// Rows with labels, and how they are measured.
#[derive(Clone, Copy)]
pub struct LabelledRows<'m> {
    /// Rows one after the other.
    pub values: &'m [f64],
    /// Number of features, the length of each row in `values`.
    pub n_columns: usize,
    /// Whether each row is positive.
    pub labels: &'m [bool],
    /// Metric whose loss is the importance.
    pub metric: Metric,
    /// Threshold of a positive prediction.
    pub threshold: f64,
}

/// Returns the importance of `feature`: in repeat i row r takes the value of row `permutations[i][r]`.
///
/// `predict` gives one score a row. `None` when the metric is not defined for the rows, or a score is not a finite number.
pub fn permutation_importance(
    predict: &Predict<'_>,
    measured: LabelledRows<'_>,
    feature: usize,
    permutations: &[Vec<usize>],
    level: f64,
) -> Option<PermutationImportance> {
    let evaluate = |values: &[f64]| {
        let scores = predict(values);
        measured.metric.evaluate(
            &Scored::new(measured.labels, &scores).ok()?,
            measured.threshold,
        )
    };
    let baseline = evaluate(measured.values)?;
    let sign = if measured.metric.descriptor().higher_is_better == Some(false) {
        -1.0
    } else {
        1.0
    };
    let mut drops = Vec::with_capacity(permutations.len());
    for permutation in permutations {
        let mut shuffled = measured.values.to_vec();
        for (row, from) in permutation.iter().enumerate() {
            shuffled[row * measured.n_columns + feature] =
                measured.values[from * measured.n_columns + feature];
        }
        drops.push(sign * (baseline - evaluate(&shuffled)?));
    }
    let centre = mean(&drops)?;
    let interval = variance(&drops).map(|variance| {
        let half = student_quantile(0.5 + level / 2.0, (drops.len() - 1) as f64)
            * (variance / drops.len() as f64).sqrt();
        (centre - half, centre + half)
    });
    Some(PermutationImportance {
        feature,
        values: drops,
        mean: centre,
        interval,
    })
}
