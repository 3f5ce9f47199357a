//! Intervals, multiplicity, sampling and rules that no golden case covers, against published or hand-computed values.

use veracta_data::table::Coded;
use veracta_model::explanation::coalition::{Sampling, exact, sampled};
use veracta_model::explanation::counterfactual::{
    Counterfactual, Direction, Mutable, counterfactual,
};
use veracta_statistics::anonymity::anonymity;
use veracta_statistics::drift::CategoryCounts;
use veracta_statistics::drift::rule::{Change, MissingCounts, Tolerances, judge_categorical};
use veracta_statistics::multiplicity::{benjamini_hochberg, e_benjamini_hochberg, holm};
use veracta_statistics::paired::{
    Comparison, PairedCounts, judge_gain, n_for_half_width, n_for_non_inferiority,
};

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    assert!(
        found
            .iter()
            .zip(expected)
            .all(|(found, expected)| (found - expected).abs() <= tolerance),
        "{found:?} against {expected:?}"
    );
}

#[test]
fn adjusted_p_values_are_those_of_the_definitions() {
    let p = [0.01, 0.04, 0.03, 0.005];
    assert_close(&holm(&p), &[0.03, 0.06, 0.06, 0.02], 1e-12);
    assert_close(&benjamini_hochberg(&p), &[0.02, 0.04, 0.04, 0.02], 1e-12);
    // 2 · 25 / 4 ≥ 1 / 0.1, but 3 · 1 / 4 is not.
    assert_eq!(
        e_benjamini_hochberg(&[40.0, 1.0, 25.0, 0.5], 0.1),
        [true, false, true, false]
    );
    assert_eq!(e_benjamini_hochberg(&[1.0, 2.0], 0.05), [false, false]);
}

/// Airway hyper-responsiveness before and after stem cell transplantation (Fagerland, Lydersen and Laake 2014, table 1).
#[test]
fn tangos_interval_is_the_published_one() {
    let counts = PairedCounts {
        both: 1,
        first_only: 1,
        second_only: 7,
        neither: 12,
    };
    let found = counts.difference(0.95).unwrap();
    assert_close(
        &[found.estimate, found.lower, found.upper],
        &[-6.0 / 21.0, -0.517, -0.026],
        6e-4,
    );
    let swapped = PairedCounts {
        first_only: 7,
        second_only: 1,
        ..counts
    }
    .difference(0.95)
    .unwrap();
    assert_close(
        &[swapped.lower, swapped.upper],
        &[-found.upper, -found.lower],
        1e-9,
    );
    assert_eq!(judge_gain(&found, 0.1), Comparison::Undecided);
    assert_eq!(judge_gain(&swapped, 0.1), Comparison::Superior);
    let agreeing = PairedCounts::new(&[true, false], &[true, false]);
    assert_eq!(agreeing.mcnemar_exact().unwrap().p_value, 1.0);
    assert!(PairedCounts::new(&[], &[]).mcnemar_exact().is_none());
}

#[test]
fn planned_sizes_are_the_least_that_suffice() {
    // (1.959964 + 0.841621)² · 0.1 / 0.02².
    assert_eq!(n_for_non_inferiority(0.1, 0.02, 0.95, 0.8), 1963);
    let half = |n: u64| {
        let found =
            veracta_statistics::interval::wilson_interval(0.9 * n as f64, n as f64, 0.95).unwrap();
        (found.upper - found.lower) / 2.0
    };
    let n = n_for_half_width(0.9, 0.02, 0.95);
    assert!(half(n) <= 0.02 && half(n - 1) > 0.02);
}

#[test]
fn sampled_shapley_values_lie_within_their_stated_error() {
    let predict = |values: &[f64]| {
        values
            .chunks(5)
            .map(|x| x[0] * x[1] + x[2] * x[3] * x[4] - x[0])
            .collect::<Vec<f64>>()
    };
    let row = [1.0, 2.0, -1.0, 0.5, 3.0];
    let background = vec![
        vec![0.0, 1.0, 2.0, 1.0, -1.0],
        vec![2.0, 0.0, 1.0, 3.0, 1.0],
    ];
    let wanted = &exact(&predict, &row, &background).unwrap()[0];
    let total: f64 = wanted.contributions.iter().sum::<f64>() + wanted.base_value;
    assert!((total - predict(&row)[0]).abs() < 1e-12);
    let sampling = Sampling {
        n_pairs: 400,
        seed: 3,
    };
    let found = &sampled(&predict, &row, &background, sampling).unwrap()[0];
    for (feature, error) in found.standard_errors.iter().enumerate() {
        let gap = (found.attribution.contributions[feature] - wanted.contributions[feature]).abs();
        assert!(
            gap <= 4.0 * error + 1e-12,
            "feature {feature} is off by {gap}, with a standard error of {error}"
        );
    }
    assert_eq!(
        &sampled(&predict, &row, &background, sampling).unwrap()[0],
        found,
        "the seed decides"
    );
}

#[test]
fn counterfactuals_keep_to_what_may_change_and_which_way() {
    let predict = |values: &[f64]| values.chunks(2).map(|x| x[0] + x[1]).collect::<Vec<f64>>();
    let mutable = |direction| Mutable {
        feature: 0,
        values: vec![-3.0, 0.0, 4.0],
        direction,
        cost_per_unit: 1.0,
        cost_from_missing: 1.0,
    };
    let search =
        |direction, limit| counterfactual(&predict, &[1.0, 1.0], &[mutable(direction)], 1.5, limit);
    let found = Counterfactual::Found {
        changes: vec![(0, 0.0)],
        cost: 1.0,
        prediction: 1.0,
    };
    assert_eq!(search(Direction::Any, 100), found);
    assert_eq!(search(Direction::Decrease, 100), found);
    assert_eq!(
        search(Direction::Increase, 100),
        Counterfactual::Impossible {
            lowest_prediction: 2.0
        }
    );
    assert_eq!(
        search(Direction::Any, 1),
        Counterfactual::NotWithinLimit {
            lowest_prediction: 2.0
        }
    );
}

#[test]
fn missing_values_and_unseen_categories_are_drift_of_their_own() {
    let counts = |reference: [f64; 3], current: [f64; 3]| CategoryCounts {
        levels: ["a", "b", "c"].map(str::to_owned).to_vec(),
        reference: reference.to_vec(),
        current: current.to_vec(),
    };
    let judge = |counts: &CategoryCounts, n_missing: usize| {
        let (n, m) = counts.totals();
        let missing = MissingCounts {
            reference: (n as usize, 0),
            current: (m as usize + n_missing, n_missing),
        };
        judge_categorical(counts, missing, 1, Tolerances::default()).change
    };
    let same = counts([5000.0, 5000.0, 0.0], [5000.0, 5000.0, 0.0]);
    assert_eq!(judge(&same, 0), Change::Stable);
    assert_eq!(judge(&same, 2000), Change::Drifted);
    assert_eq!(
        judge(&counts([5000.0, 5000.0, 0.0], [4900.0, 4900.0, 200.0]), 0),
        Change::Drifted
    );
    assert_eq!(
        judge(&counts([5000.0, 5000.0, 0.0], [4999.0, 5000.0, 1.0]), 0),
        Change::Stable
    );
    assert_eq!(
        judge(&counts([5.0, 5.0, 0.0], [5.0, 5.0, 0.0]), 0),
        Change::Undecided
    );
}

#[test]
fn classes_of_rows_are_counted_with_what_they_disclose() {
    let coded = |codes: &[u32]| Coded {
        codes: codes.to_vec(),
        levels: ["x", "y", "z"].map(str::to_owned).to_vec(),
    };
    let found = anonymity(
        &[coded(&[0, 0, 0, 1, 1, 2])],
        &[("illness".to_owned(), coded(&[0, 1, 1, 0, 0, 1]))],
    );
    assert_eq!(
        (found.k, found.n_classes, found.n_exposed),
        (1, 3, [1, 6, 6])
    );
    let illness = &found.sensitive[0];
    assert_eq!((illness.l, illness.n_disclosed), (1, 3));
    assert!((illness.t - 0.5).abs() < 1e-12 && (illness.l_entropy - 1.0).abs() < 1e-12);
}
