//! The least change of a row that brings its prediction below a target.

use serde::Serialize;
use veracta_model::explanation::counterfactual::{
    Counterfactual, Direction, Mutable, counterfactual,
};
use veracta_model::numeric::variance;

use super::dependence::{GRID_POINTS, position};
use crate::LifecycleError;
use crate::deployment::predict::{Applied, one_output, predictor};

/// Values of an input that is changed alone.
const SINGLE_VALUES: usize = 5_000;
/// Combinations that a counterfactual search looks at.
const CANDIDATES_MAX: usize = 200_000;
/// Most inputs that a counterfactual changes.
pub const CHANGES_MAX: usize = 12;

/// A change that was found, with names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Position of the row in the file, counted from 1.
    pub row: usize,
    /// Prediction for the row as it is.
    pub prediction: f64,
    /// What was to be reached.
    pub target: f64,
    /// How the search ended: `found`, `below_already`, `impossible` or `not_within_limit`.
    pub outcome: &'static str,
    /// Changed inputs with the old and the new value.
    pub changes: Vec<(String, f64, f64)>,
    /// Sum of changes in standard deviations of the data.
    pub cost: Option<f64>,
    /// Prediction after the change, or the lowest of any that was tried.
    pub reached: f64,
}

/// Searches the least change of a row that brings its prediction below a target. `inputs` may end in `+` or `-` for one direction.
pub fn change(
    applied: &Applied,
    row: usize,
    inputs: &[String],
    target: f64,
) -> Result<Change, LifecycleError> {
    one_output(applied, "a counterfactual")?;
    let (mut mutable, mut alone) = (
        Vec::with_capacity(inputs.len()),
        Vec::with_capacity(inputs.len()),
    );
    for named in inputs {
        let (name, direction) = match (named.strip_suffix('+'), named.strip_suffix('-')) {
            (Some(name), _) if !applied.inputs.contains(named) => (name, Direction::Increase),
            (_, Some(name)) if !applied.inputs.contains(named) => (name, Direction::Decrease),
            _ => (named.as_str(), Direction::Any),
        };
        let feature = position(applied, name)?;
        let column: Vec<f64> = (0..applied.rows.n_rows)
            .map(|row| applied.rows.row(row)[feature])
            .filter(|value| value.is_finite())
            .collect();
        if column
            .first()
            .is_some_and(|value| applied.model.category(feature, *value).is_some())
        {
            return Err(LifecycleError::CategoryChange {
                input: name.to_owned(),
            });
        }
        let deviation = variance(&column)
            .map(f64::sqrt)
            .filter(|deviation| *deviation > 0.0)
            .unwrap_or(1.0);
        // Observed values only, so that each is one that somebody has.
        let mut sorted = column;
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        let some = |n: usize| -> Vec<f64> {
            let step = sorted.len().div_ceil(n).max(1);
            sorted
                .iter()
                .copied()
                .step_by(step)
                .chain(sorted.last().copied())
                .collect()
        };
        let of = |values: Vec<f64>| Mutable {
            feature,
            values,
            direction,
            cost_per_unit: 1.0 / deviation,
            cost_from_missing: 1.0,
        };
        alone.push(of(some(SINGLE_VALUES)));
        mutable.push(of(some(GRID_POINTS)));
    }
    let predict = predictor(&applied.model, applied.rows.n_columns, 0);
    let own = applied.rows.row(row);
    let now = predict(own)[0];
    if now < target {
        return Ok(Change {
            row: row + 1,
            prediction: now,
            target,
            outcome: "below_already",
            changes: Vec::new(),
            cost: None,
            reached: now,
        });
    }
    // Each input alone at every value, and all together at twenty values each: the cheapest of these.
    let cost_of = |found: &Counterfactual| match found {
        Counterfactual::Found { cost, .. } => *cost,
        Counterfactual::Impossible { .. } | Counterfactual::NotWithinLimit { .. } => f64::INFINITY,
    };
    let single = alone.iter().map(|one| {
        counterfactual(
            &predict,
            own,
            std::slice::from_ref(one),
            target,
            CANDIDATES_MAX,
        )
    });
    let single = single.min_by(|a, b| cost_of(a).total_cmp(&cost_of(b)));
    let joint = counterfactual(&predict, own, &mutable, target, CANDIDATES_MAX);
    let best = match single {
        Some(single) if cost_of(&single) < cost_of(&joint) => single,
        _ => joint,
    };
    let (outcome, changes, cost, reached) = match best {
        Counterfactual::Found {
            changes,
            cost,
            prediction,
        } => ("found", changes, Some(cost), prediction),
        Counterfactual::Impossible { lowest_prediction } => {
            ("impossible", Vec::new(), None, lowest_prediction)
        }
        Counterfactual::NotWithinLimit { lowest_prediction } => {
            ("not_within_limit", Vec::new(), None, lowest_prediction)
        }
    };
    let changes = changes
        .into_iter()
        .map(|(feature, value)| (applied.inputs[feature].clone(), own[feature], value))
        .collect();
    Ok(Change {
        row: row + 1,
        prediction: now,
        target,
        outcome,
        changes,
        cost,
        reached,
    })
}
