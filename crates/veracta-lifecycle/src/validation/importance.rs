//! How much worse a model gets when an input is shuffled.

use serde::Serialize;
use veracta_statistics::performance::Metric;
use veracta_statistics::permutation::{LabelledRows, permutation_importance, permutations};

use crate::LifecycleError;
use crate::deployment::predict::{Applied, one_output, predictor};

/// How much worse a metric gets when an input is shuffled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shuffled {
    /// Name of the input that was shuffled.
    pub input: String,
    /// Mean over shuffles of how much worse the metric got.
    pub mean: f64,
    /// Bounds of the mean; `None` of one shuffle.
    pub interval: Option<(f64, f64)>,
}

/// Shuffles each input in turn; the most important first.
pub fn shuffled(
    applied: &Applied,
    labels: &[bool],
    metric: Metric,
    threshold: f64,
    (n_repeats, seed): (u32, u64),
) -> Result<Vec<Shuffled>, LifecycleError> {
    one_output(applied, "permutation importance")?;
    let orders = permutations(applied.rows.n_rows, n_repeats, seed);
    let predict = predictor(&applied.model, applied.rows.n_columns, 0);
    let measured = LabelledRows {
        values: &applied.rows.values,
        n_columns: applied.rows.n_columns,
        labels,
        metric,
        threshold,
    };
    let of = |feature: usize| {
        let found = permutation_importance(&predict, measured, feature, &orders, 0.95).ok_or(
            LifecycleError::NotDefined {
                what: metric.descriptor().title,
            },
        )?;
        Ok(Shuffled {
            input: applied.inputs[feature].clone(),
            mean: found.mean,
            interval: found.interval,
        })
    };
    let mut found: Vec<Shuffled> = (0..applied.inputs.len())
        .map(of)
        .collect::<Result<_, LifecycleError>>()?;
    found.sort_by(|a, b| {
        b.mean
            .total_cmp(&a.mean)
            .then_with(|| a.input.cmp(&b.input))
    });
    Ok(found)
}
