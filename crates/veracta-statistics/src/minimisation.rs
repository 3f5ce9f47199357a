//! Which inputs are needed: each group of correlated inputs is left out, the model trained again, and the loss measured.
//!
//! Losses are paired over the same folds, overall and in the worst group of a protected attribute. An input is *needed* when the
//! lower bound of the loss exceeds the tolerance, *not needed* when the upper bounds stay below it, and otherwise *undecided*: the
//! data does not say.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::distribution::student_quantile;
use crate::interval::{Estimate, Method};
use crate::performance::{Metric, Scored};
use veracta_data::table::Coded;
use veracta_model::model::{Batch, Input, Label};
use veracta_model::numeric::{generator, mean, shuffle, variance};
use veracta_model::training::{TrainingError, TrainingSpec, fit};

/// How the cross-validation is set up, and which losses count as none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MinimisationPlan {
    /// Folds; each is tested on a model trained on the others.
    pub folds: usize,
    /// Times the rows are divided anew.
    pub repeats: usize,
    /// Largest loss of ROC AUC overall that counts as none.
    pub tolerance: f64,
    /// Largest loss of ROC AUC in the worst group that counts as none.
    pub group_tolerance: f64,
    /// Confidence level of the intervals.
    pub level: f64,
    /// Fewest rows of each label a group needs in every fold to be judged.
    pub group_class_rows_min: usize,
    /// Seed of the folds; each repeat and class uses a stream of its own.
    pub seed: u64,
}

/// What the test says of a group of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Leaving it out costs more than the tolerance.
    Needed,
    /// Leaving it out costs less than the tolerance, overall and in every group that can be judged.
    NotNeeded,
    /// The interval contains the tolerance.
    Undecided,
}

/// What leaving a group of inputs out costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DropResult {
    /// Names of the inputs left out together.
    pub inputs: Vec<String>,
    /// ROC AUC with all inputs minus ROC AUC without these, over folds.
    pub loss: Estimate,
    /// The same in the group that loses most; `None` when no group can be judged.
    pub worst_group: Option<GroupLoss>,
    /// What the bounds of both losses say.
    pub need: Need,
}

/// Loss of ROC AUC in one protected group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupLoss {
    /// Attribute and level, such as `gender=Female`.
    pub group: String,
    /// ROC AUC in the group with all inputs minus ROC AUC without these, over folds.
    pub loss: Estimate,
}

/// The rows inputs are tested on: never the sealed test part.
#[derive(Debug, Clone, Copy)]
pub struct MinimisationData<'d> {
    /// Inputs of the model, in the order of the columns of `matrix`.
    pub inputs: &'d [Input],
    /// Label column and its positive value.
    pub label: &'d Label,
    /// Encoded inputs, one row for each label.
    pub matrix: &'d Batch,
    /// Whether each row of `matrix` is positive.
    pub labels: &'d [bool],
    /// Protected attributes with their names.
    pub attributes: &'d [(String, Coded)],
}

/// ROC AUC of one fold, overall and by (attribute, level).
struct FoldScores {
    overall: f64,
    groups: Vec<Option<f64>>,
}

/// Tests each of `groups` (positions of inputs left out together), and last all that are not needed at once.
///
/// `progress` is called after each model with (models trained, models in all without the last step).
///
/// # Panics
/// When the plan has fewer than two folds, no repeat, or a level outside 0 to 1.
pub fn minimise(
    spec: &TrainingSpec,
    data: MinimisationData<'_>,
    groups: &[Vec<usize>],
    plan: MinimisationPlan,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<DropResult>, TrainingError> {
    let usable = plan.folds >= 2 && plan.repeats >= 1 && plan.level > 0.0 && plan.level < 1.0;
    assert!(
        usable,
        "a test of inputs needs at least two folds, one repeat and a level between 0 and 1"
    );
    let folds = assign_folds(data.labels, plan);
    let n_models = folds.len() * plan.folds * (groups.len() + 1);
    let n_done = std::sync::atomic::AtomicUsize::new(0);
    let evaluate = |dropped: &[usize]| -> Result<Vec<FoldScores>, TrainingError> {
        let (kept_inputs, matrix) = keep(data, dropped);
        let tasks: Vec<(usize, usize)> = (0..folds.len())
            .flat_map(|r| (0..plan.folds).map(move |fold| (r, fold)))
            .collect();
        let score = |(repeat, fold): (usize, usize)| {
            let scores = score_fold(
                spec,
                data,
                &kept_inputs,
                &matrix,
                &folds[repeat],
                fold,
                plan,
            );
            progress(
                n_done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1,
                n_models,
            );
            scores
        };
        tasks.into_par_iter().map(score).collect()
    };
    let baseline = evaluate(&[])?;
    let results: Result<Vec<_>, TrainingError> = groups
        .par_iter()
        .map(|dropped| Ok(compare(data, dropped, &baseline, &evaluate(dropped)?, plan)))
        .collect();
    let mut results: Vec<DropResult> = results?;
    let unneeded: Vec<usize> = results
        .iter()
        .zip(groups)
        .filter(|(result, _)| result.need == Need::NotNeeded)
        .flat_map(|(_, dropped)| dropped.iter().copied())
        .collect();
    let n_unneeded = results
        .iter()
        .filter(|result| result.need == Need::NotNeeded)
        .count();
    if n_unneeded > 1 && unneeded.len() < data.inputs.len() {
        results.push(compare(
            data,
            &unneeded,
            &baseline,
            &evaluate(&unneeded)?,
            plan,
        ));
    }
    Ok(results)
}

fn keep(data: MinimisationData<'_>, dropped: &[usize]) -> (Vec<Input>, Batch) {
    let kept = data
        .inputs
        .iter()
        .enumerate()
        .filter(|(position, _)| !dropped.contains(position));
    (
        kept.map(|(_, input)| input.clone()).collect(),
        data.matrix.without(dropped),
    )
}

/// Returns for each repeat the fold of every row, with the same label share in each fold.
fn assign_folds(labels: &[bool], plan: MinimisationPlan) -> Vec<Vec<usize>> {
    let assign = |repeat: usize| {
        let mut fold_of = vec![0; labels.len()];
        for class in [false, true] {
            let mut rows: Vec<usize> = (0..labels.len())
                .filter(|row| labels[*row] == class)
                .collect();
            shuffle(
                &mut rows,
                &mut generator(plan.seed, 2 * repeat as u64 + u64::from(class)),
            );
            rows.iter()
                .enumerate()
                .for_each(|(position, row)| fold_of[*row] = position % plan.folds);
        }
        fold_of
    };
    (0..plan.repeats).map(assign).collect()
}

fn score_fold(
    spec: &TrainingSpec,
    data: MinimisationData<'_>,
    inputs: &[Input],
    matrix: &Batch,
    fold_of: &[usize],
    fold: usize,
    plan: MinimisationPlan,
) -> Result<FoldScores, TrainingError> {
    let rows_where = |held_out: bool| {
        (0..fold_of.len())
            .filter(|row| (fold_of[*row] == fold) == held_out)
            .collect::<Vec<_>>()
    };
    let (train, test) = (rows_where(false), rows_where(true));
    let labels_of = |rows: &[usize]| rows.iter().map(|row| data.labels[*row]).collect::<Vec<_>>();
    let test_labels = labels_of(&test);
    let scores = if inputs.is_empty() {
        vec![0.5; test.len()]
    } else {
        let predictor = fit(
            spec,
            inputs,
            data.label,
            &matrix.select_rows(&train),
            &labels_of(&train),
        )?;
        predictor
            .probabilities(&matrix.select_rows(&test))
            .map_err(TrainingError::from)?
    };
    let auc = |members: &[usize]| {
        let labels: Vec<bool> = members.iter().map(|member| test_labels[*member]).collect();
        let scores: Vec<f64> = members.iter().map(|member| scores[*member]).collect();
        Metric::RocAuc.evaluate(&Scored::new(&labels, &scores).ok()?, 0.5)
    };
    let groups = data.attributes.iter().flat_map(|(_, coded)| {
        let auc = &auc;
        let (test, test_labels) = (&test, &test_labels);
        (0..coded.levels.len() as u32).map(move |code| {
            let members: Vec<usize> = (0..test.len())
                .filter(|member| coded.codes[test[*member]] == code)
                .collect();
            let n_positive = members
                .iter()
                .filter(|member| test_labels[**member])
                .count();
            let n_smaller = n_positive.min(members.len() - n_positive);
            if n_smaller >= plan.group_class_rows_min {
                auc(&members)
            } else {
                None
            }
        })
    });
    let everyone: Vec<usize> = (0..test.len()).collect();
    let groups = groups.collect();
    Ok(FoldScores {
        overall: auc(&everyone).unwrap_or(0.5),
        groups,
    })
}

fn compare(
    data: MinimisationData<'_>,
    dropped: &[usize],
    baseline: &[FoldScores],
    without: &[FoldScores],
    plan: MinimisationPlan,
) -> DropResult {
    let overall: Vec<f64> = baseline
        .iter()
        .zip(without)
        .map(|(with, without)| with.overall - without.overall)
        .collect();
    let loss = corrected_interval(&overall, plan);
    let names: Vec<String> = data
        .attributes
        .iter()
        .flat_map(|(name, coded)| {
            coded
                .levels
                .iter()
                .map(move |level| format!("{name}={level}"))
        })
        .collect();
    let mut worst_group: Option<GroupLoss> = None;
    for (position, group) in names.into_iter().enumerate() {
        let losses: Option<Vec<f64>> = baseline
            .iter()
            .zip(without)
            .map(|(with, without)| Some(with.groups[position]? - without.groups[position]?))
            .collect();
        let Some(losses) = losses else { continue };
        let loss = corrected_interval(&losses, plan);
        if worst_group
            .as_ref()
            .is_none_or(|worst| loss.upper > worst.loss.upper)
        {
            worst_group = Some(GroupLoss { group, loss });
        }
    }
    let group_upper = worst_group
        .as_ref()
        .map_or(f64::NEG_INFINITY, |worst| worst.loss.upper);
    let group_lower = worst_group
        .as_ref()
        .map_or(f64::NEG_INFINITY, |worst| worst.loss.lower);
    let need = if loss.lower > plan.tolerance || group_lower > plan.group_tolerance {
        Need::Needed
    } else if loss.upper < plan.tolerance && group_upper < plan.group_tolerance {
        Need::NotNeeded
    } else {
        Need::Undecided
    };
    let inputs = dropped
        .iter()
        .map(|position| data.inputs[*position].name.clone())
        .collect();
    DropResult {
        inputs,
        loss,
        worst_group,
        need,
    }
}

/// Returns Student's interval of the mean loss with the variance of Nadeau and Bengio (2003): folds share training rows, so the
/// plain variance of the mean would be too small by the share of test to training rows.
fn corrected_interval(losses: &[f64], plan: MinimisationPlan) -> Estimate {
    let estimate = mean(losses).unwrap_or(0.0);
    let n = losses.len() as f64;
    let spread = variance(losses).unwrap_or(f64::INFINITY);
    let test_to_train = 1.0 / (plan.folds as f64 - 1.0);
    let quantile = if losses.len() > 1 {
        student_quantile(0.5 + plan.level / 2.0, n - 1.0)
    } else {
        f64::INFINITY
    };
    let half = quantile * ((1.0 / n + test_to_train) * spread).sqrt();
    let (lower, upper) = (estimate - half, estimate + half);
    Estimate {
        estimate,
        lower,
        upper,
        level: plan.level,
        method: Method::CorrectedResampledT,
    }
}

/// Returns inputs in groups whose members are associated with one another at least as strongly as `threshold`.
pub fn correlated_groups(
    strength: &dyn Fn(usize, usize) -> f64,
    n_inputs: usize,
    threshold: f64,
) -> Vec<Vec<usize>> {
    let mut group_of: Vec<usize> = (0..n_inputs).collect();
    for i in 0..n_inputs {
        for j in 0..i {
            if group_of[i] != group_of[j] && strength(i, j) >= threshold {
                let (from, to) = (group_of[i].max(group_of[j]), group_of[i].min(group_of[j]));
                group_of
                    .iter_mut()
                    .filter(|group| **group == from)
                    .for_each(|group| *group = to);
            }
        }
    }
    let mut groups: std::collections::BTreeMap<usize, Vec<usize>> = Default::default();
    group_of
        .iter()
        .enumerate()
        .for_each(|(input, group)| groups.entry(*group).or_default().push(input));
    groups.into_values().collect()
}
