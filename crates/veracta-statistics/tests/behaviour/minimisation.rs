//! Minimisation: an input that decides the label is needed, one that is constant or noise is not.

use std::sync::atomic::{AtomicUsize, Ordering};

use veracta_data::table::Coded;
use veracta_model::numeric::{below, generator};
use veracta_statistics::minimisation::{
    MinimisationData, MinimisationPlan, Need, correlated_groups, minimise,
};

use crate::samples::{Sample, few_trees, label, numeric};

const N_ROWS: usize = 600;
const ROUNDS: u32 = 20;
const PLAN: MinimisationPlan = MinimisationPlan {
    folds: 4,
    repeats: 2,
    tolerance: 0.05,
    group_tolerance: 0.2,
    level: 0.95,
    group_class_rows_min: 10,
    seed: 7,
};

/// Returns a sample of the inputs `strong`, `noise` and a constant.
fn sample() -> Sample {
    let mut sample = Sample::draw(41, N_ROWS);
    let columns = &mut sample.table.columns;
    columns.swap(1, 4);
    columns.truncate(2);
    columns.push(numeric("constant", vec![1.0; N_ROWS]));
    sample
}

#[test]
fn strong_inputs_are_needed_and_useless_ones_are_not() {
    let sample = sample();
    let (inputs, matrix) = (sample.inputs(), sample.matrix());
    let mut rng = generator(42, 0);
    let codes = (0..N_ROWS).map(|_| below(&mut rng, 2) as u32).collect();
    let side = Coded {
        codes,
        levels: vec!["left".to_owned(), "right".to_owned()],
    };
    let attributes = [("side".to_owned(), side)];
    let data = MinimisationData {
        inputs: &inputs,
        label: &label(),
        matrix: &matrix,
        labels: &sample.labels,
        attributes: &attributes,
    };
    let n_models = AtomicUsize::new(0);
    let count = |_: usize, n_planned: usize| {
        assert_eq!(
            n_planned,
            8 * 4,
            "eight folds for all inputs and for each of three left out"
        );
        n_models.fetch_add(1, Ordering::Relaxed);
    };
    let results = minimise(
        &few_trees(ROUNDS),
        data,
        &[vec![0], vec![1], vec![2]],
        PLAN,
        &count,
    )
    .unwrap();

    let found: Vec<(String, Need)> = results
        .iter()
        .map(|result| (result.inputs.join("+"), result.need))
        .collect();
    let expected = [
        ("strong", Need::Needed),
        ("noise", Need::NotNeeded),
        ("constant", Need::NotNeeded),
        ("noise+constant", Need::NotNeeded),
    ];
    assert_eq!(
        found,
        expected.map(|(inputs, need)| (inputs.to_owned(), need)),
        "{results:?}"
    );
    assert_eq!(
        n_models.into_inner(),
        8 * 5,
        "the last step leaves out all that are not needed"
    );
    assert!(results[0].loss.lower > 0.1);
    assert_eq!(
        (results[2].loss.estimate, results[2].loss.upper),
        (0.0, 0.0),
        "no tree can use a constant"
    );
    let worst = results[0].worst_group.as_ref().unwrap();
    assert!(worst.group.starts_with("side=") && worst.loss.estimate > 0.1);
}

#[test]
fn groups_too_small_to_judge_are_left_out() {
    let sample = sample();
    let (inputs, matrix) = (sample.inputs(), sample.matrix());
    let codes = (0..N_ROWS).map(|row| u32::from(row < 12)).collect();
    let attributes = [(
        "rare".to_owned(),
        Coded {
            codes,
            levels: vec!["no".to_owned(), "yes".to_owned()],
        },
    )];
    let plan = MinimisationPlan { repeats: 1, ..PLAN };
    let data = MinimisationData {
        inputs: &inputs,
        label: &label(),
        matrix: &matrix,
        labels: &sample.labels,
        attributes: &attributes,
    };
    let results = minimise(&few_trees(5), data, &[vec![0]], plan, &|_, _| {}).unwrap();
    assert_eq!(
        results.len(),
        1,
        "nothing is left out at once when at most one input is not needed"
    );
    assert_eq!(results[0].worst_group.as_ref().unwrap().group, "rare=no");
}

#[test]
fn associated_inputs_are_left_out_together() {
    let strength = |first: usize, second: usize| match (first.min(second), first.max(second)) {
        (0, 1) | (1, 2) => 0.9,
        _ => 0.1,
    };
    assert_eq!(
        correlated_groups(&strength, 4, 0.8),
        [vec![0, 1, 2], vec![3]]
    );
    assert_eq!(correlated_groups(&strength, 4, 0.95).len(), 4);
}
