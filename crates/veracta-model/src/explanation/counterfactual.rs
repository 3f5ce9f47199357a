//! Counterfactuals: the least change of a row that moves its prediction below a target, under constraints.
//!
//! Every feature is immutable unless it is given values to take, so what a person cannot change is never suggested. Values come from
//! the caller (observed ones keep the result plausible feature by feature). Candidates are tried in order of cost, each exactly once,
//! so the first that reaches the target is the cheapest there is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::coalition::Predict;

/// Candidates asked of the predictor at once.
const BATCH: usize = 256;

/// Which way a feature may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To smaller and to larger values.
    Any,
    /// To values above the feature's own only.
    Increase,
    /// To values below the feature's own only.
    Decrease,
}

/// A feature that may change.
#[derive(Debug, Clone, PartialEq)]
pub struct Mutable {
    /// Position of the feature in the row, counted from 0.
    pub feature: usize,
    /// Values it may take besides its own.
    pub values: Vec<f64>,
    /// Which way it may move; a missing value may take any.
    pub direction: Direction,
    /// Cost of a change by 1, such as one over the standard deviation.
    pub cost_per_unit: f64,
    /// Cost of replacing a missing value.
    pub cost_from_missing: f64,
}

/// What a search ended with.
#[derive(Debug, Clone, PartialEq)]
pub enum Counterfactual {
    /// The cheapest change that reaches the target.
    Found {
        /// Changed features with their new values.
        changes: Vec<(usize, f64)>,
        /// Sum of the costs of all changes; no cheaper combination reaches the target.
        cost: f64,
        /// Prediction after the change, below the target.
        prediction: f64,
    },
    /// No combination reaches the target.
    Impossible {
        /// The lowest prediction of any.
        lowest_prediction: f64,
    },
    /// The limit of candidates came first.
    NotWithinLimit {
        /// The lowest prediction of those tried.
        lowest_prediction: f64,
    },
}

/// A candidate: one option of each mutable feature. Ordered by cost, then by options, so that the search does not depend on chance.
#[derive(Debug, Clone, PartialEq)]
struct Candidate {
    cost: f64,
    options: Vec<u32>,
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.cost
            .total_cmp(&other.cost)
            .then_with(|| self.options.cmp(&other.options))
    }
}

/// Returns the cheapest change that brings the prediction below `target`, trying at most `n_candidates_max`.
///
/// `predict` gives one number a row.
pub fn counterfactual(
    predict: &Predict<'_>,
    row: &[f64],
    mutable: &[Mutable],
    target: f64,
    n_candidates_max: usize,
) -> Counterfactual {
    let options: Vec<Vec<(f64, f64)>> = mutable
        .iter()
        .map(|feature| options(row[feature.feature], feature))
        .collect();
    let apply = |candidate: &Candidate| {
        let mut changed = row.to_vec();
        for ((feature, options), option) in mutable.iter().zip(&options).zip(&candidate.options) {
            changed[feature.feature] = options[*option as usize].1;
        }
        changed
    };
    let mut heap = BinaryHeap::from([Reverse(Candidate {
        cost: 0.0,
        options: vec![0; mutable.len()],
    })]);
    let (mut lowest_prediction, mut n_tried) = (f64::INFINITY, 0);
    while !heap.is_empty() {
        if n_tried >= n_candidates_max {
            return Counterfactual::NotWithinLimit { lowest_prediction };
        }
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH.min(n_candidates_max - n_tried) {
            let Some(Reverse(candidate)) = heap.pop() else {
                break;
            };
            successors(&candidate, &options, &mut heap);
            batch.push(candidate);
        }
        n_tried += batch.len();
        let predictions = predict(&batch.iter().flat_map(apply).collect::<Vec<f64>>());
        for (candidate, prediction) in batch.iter().zip(predictions) {
            lowest_prediction = lowest_prediction.min(prediction);
            if prediction < target {
                let changed = mutable
                    .iter()
                    .zip(&options)
                    .zip(&candidate.options)
                    .filter(|(_, option)| **option > 0);
                let changes = changed
                    .map(|((feature, options), option)| {
                        (feature.feature, options[*option as usize].1)
                    })
                    .collect();
                return Counterfactual::Found {
                    changes,
                    cost: candidate.cost,
                    prediction,
                };
            }
        }
    }
    Counterfactual::Impossible { lowest_prediction }
}

/// Returns (cost, value) of what a feature may become, the value it has first and then by cost.
fn options(current: f64, mutable: &Mutable) -> Vec<(f64, f64)> {
    let is_allowed = |value: &f64| match mutable.direction {
        _ if current.is_nan() => true,
        Direction::Any => true,
        Direction::Increase => *value >= current,
        Direction::Decrease => *value <= current,
    };
    let cost = |value: f64| {
        if current.is_nan() {
            mutable.cost_from_missing
        } else {
            (value - current).abs() * mutable.cost_per_unit
        }
    };
    let mut options: Vec<(f64, f64)> = mutable
        .values
        .iter()
        .filter(|value| **value != current && is_allowed(value))
        .map(|value| (cost(*value), *value))
        .collect();
    options.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    options.dedup();
    options.insert(0, (0.0, current));
    options
}

/// Pushes the candidates after this one: its last changed feature, or one after it, moves on by one option. Each candidate has one
/// predecessor, so none is met twice, and none is cheaper than its predecessor.
fn successors(
    candidate: &Candidate,
    options: &[Vec<(f64, f64)>],
    heap: &mut BinaryHeap<Reverse<Candidate>>,
) {
    let last = candidate
        .options
        .iter()
        .rposition(|option| *option > 0)
        .unwrap_or(0);
    for feature in last..options.len() {
        let option = candidate.options[feature] as usize;
        if option + 1 < options[feature].len() {
            let mut next = candidate.clone();
            next.options[feature] += 1;
            // Summed anew: costs that were added and taken away would drift.
            next.cost = next
                .options
                .iter()
                .zip(options)
                .map(|(option, options)| options[*option as usize].0)
                .sum();
            heap.push(Reverse(next));
        }
    }
}
