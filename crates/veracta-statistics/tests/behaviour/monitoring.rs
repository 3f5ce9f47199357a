//! What is watched after training: windows with late labels, expected losses, attributions, several columns together, robustness and
//! what a model gives away.

use veracta_model::model::Batch;
use veracta_model::numeric::{generator, mean, uniform};
use veracta_statistics::distribution::normal_quantile;
use veracta_statistics::drift::attribution::{attribution_drift, ndcg};
use veracta_statistics::drift::principal_components::{PrincipalComponents, SHARE_KEPT};
use veracta_statistics::interval::{Bootstrap, Precision};
use veracta_statistics::membership::{attack, confidence, likelihood_ratio, losses};
use veracta_statistics::neighbours::neighbour_share;
use veracta_statistics::performance::estimated::{LossModel, expected_interval};
use veracta_statistics::performance::{Metric, Scored};
use veracta_statistics::robustness::{SCENARIOS, Scenario, Tried, robustness};
use veracta_statistics::windows::{Cut, CutError, Delayed, cut, metric_by_window};

const PRECISION: Precision = Precision {
    level: 0.95,
    bootstrap: Bootstrap {
        n_resamples: 300,
        seed: 11,
    },
};

#[test]
fn reconstruction_errors_are_those_of_scikit_learn() {
    let column = |of: &dyn Fn(f64) -> f64| (0..60).map(|i| of(f64::from(i))).collect::<Vec<f64>>();
    let reference = vec![
        column(&|i| i % 7.0),
        column(&|i| 2.0 * (i % 7.0) + (i * 13.0 % 5.0) * 0.3),
        column(&|i| (i * 11.0 % 17.0) / 4.0),
        column(&|i| (i * 29.0 % 23.0) / 5.0 + (i % 7.0) * 0.2),
    ];
    let found = PrincipalComponents::new(&reference, SHARE_KEPT).unwrap();
    assert_eq!(found.n_components(), 2);
    assert!((found.share - 0.784_992_616_563_453_2).abs() < 1e-9);
    let errors = found.errors(&reference);
    assert!((mean(&errors).unwrap() - 0.780_058_914_526_532_4).abs() < 1e-9);
    // One column in another order: each looks as before, together they do not.
    let mut current = reference.clone();
    current[1].reverse();
    assert!((mean(&found.errors(&current)).unwrap() - 1.082_719_936_187_284).abs() < 1e-9);
    current[1][0] = f64::NAN;
    assert!(found.errors(&current).iter().all(|error| error.is_finite()));
    assert_eq!(
        PrincipalComponents::new(&[vec![1.0, 2.0], vec![3.0, 3.0]], SHARE_KEPT),
        None,
        "one column varies"
    );
}

#[test]
fn rows_are_cut_by_number_and_by_time() {
    let starts = |windows: &[veracta_statistics::windows::Window]| {
        windows
            .iter()
            .map(|window| (window.start, window.rows.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        starts(&cut(10, None, Cut::Rows(4)).unwrap()),
        [(0.0, 4), (4.0, 4), (8.0, 2)]
    );
    assert_eq!(
        starts(&cut(9, None, Cut::Rows(4)).unwrap()),
        [(0.0, 4), (4.0, 5)],
        "a rest of less than half joins the one before"
    );
    let times = [30.0, 1.0, 12.0, 2.0, 11.0];
    let by_time = cut(5, Some(&times), Cut::Width(10.0)).unwrap();
    assert_eq!(starts(&by_time), [(1.0, 2), (11.0, 2), (21.0, 1)]);
    assert_eq!(by_time[1].rows, [4, 2]);
    assert_eq!(cut(5, None, Cut::Rows(0)), Err(CutError::Width));
    assert_eq!(
        cut(2, Some(&[1.0, f64::NAN]), Cut::Width(1.0)),
        Err(CutError::NoTime { row: 2 })
    );
    assert!(matches!(
        cut(2, Some(&[0.0, 1e9]), Cut::Width(1e-3)),
        Err(CutError::TooMany { .. })
    ));
}

#[test]
fn late_labels_are_waited_for_and_the_expected_value_stands_in() {
    let mut rng = generator(1, 0);
    let scores: Vec<f64> = (0..4_000).map(|_| uniform(&mut rng)).collect();
    let truth: Vec<bool> = scores.iter().map(|p| uniform(&mut rng) < *p).collect();
    let labels: Vec<Option<bool>> = truth
        .iter()
        .enumerate()
        .map(|(row, label)| (row < 2_500).then_some(*label))
        .collect();
    let windows = cut(4_000, None, Cut::Rows(1_000)).unwrap();
    let found = metric_by_window(
        Delayed {
            labels: &labels,
            scores: &scores,
        },
        &windows,
        Metric::RocAuc,
        0.5,
        0.9,
        PRECISION,
    );
    assert_eq!(
        found
            .iter()
            .map(|window| window.n_labelled)
            .collect::<Vec<_>>(),
        [1_000, 1_000, 500, 0]
    );
    assert_eq!(
        found
            .iter()
            .map(|window| window.realised.is_some())
            .collect::<Vec<_>>(),
        [true, true, false, false]
    );
    for (window, place) in found.iter().zip(0..) {
        let rows = place * 1_000..(place + 1) * 1_000;
        let wanted = Metric::RocAuc
            .evaluate(
                &Scored::new(&truth[rows.clone()], &scores[rows]).unwrap(),
                0.5,
            )
            .unwrap();
        let expected = window.expected.as_ref().unwrap();
        assert!(
            expected.lower < wanted && wanted < expected.upper,
            "{expected:?} against {wanted}"
        );
    }
    assert_eq!(
        expected_interval(Metric::RocAuc, &[1.2], 0.5, PRECISION),
        None
    );
}

#[test]
fn losses_are_foretold_from_inputs() {
    let mut rng = generator(2, 0);
    let mut rows = |low: f64| -> (Batch, Vec<f64>) {
        let values: Vec<f64> = (0..3_000).map(|_| low + uniform(&mut rng)).collect();
        // The error grows with the input.
        let losses = values.iter().map(|x| x * uniform(&mut rng)).collect();
        (
            Batch {
                values,
                n_rows: 3_000,
                n_columns: 1,
            },
            losses,
        )
    };
    let (reference, reference_losses) = rows(0.0);
    let model = LossModel::fit(&reference, &reference_losses).unwrap();
    let (current, current_losses) = rows(0.0);
    let expected = model.expected(&current, 0.99).unwrap();
    let seen = mean(&current_losses).unwrap();
    assert!(
        expected.lower < seen && seen < expected.upper && (expected.estimate - 0.25).abs() < 0.03,
        "{expected:?} against {seen}"
    );
    let upper_half: Vec<f64> = current.values.iter().map(|x| 0.5 + x / 2.0).collect();
    let shifted = model
        .expected(
            &Batch {
                values: upper_half,
                ..current
            },
            0.99,
        )
        .unwrap();
    assert!(
        shifted.lower > expected.upper,
        "inputs on which the model errs more are told"
    );
    assert!(
        LossModel::fit(
            &Batch {
                values: vec![1.0],
                n_rows: 1,
                n_columns: 1
            },
            &[1.0]
        )
        .is_err()
    );
}

#[test]
fn attributions_in_another_order_lower_the_gain() {
    // By hand: DCG = 1/log2(3) + 3/log2(2) over IDCG = 3/log2(2) + 1/log2(3) when the order stays, and with it turned.
    assert_eq!(ndcg(&[3.0, 1.0], &[30.0, 2.0]), Some(1.0));
    let turned = (1.0 / 2f64.log2() + 3.0 / 3f64.log2()) / (3.0 / 2f64.log2() + 1.0 / 3f64.log2());
    assert!((ndcg(&[3.0, 1.0], &[1.0, 2.0]).unwrap() - turned).abs() < 1e-12);
    assert_eq!(ndcg(&[0.0, 0.0], &[1.0, 2.0]), None);
    let names = ["a".to_owned(), "b".to_owned()];
    let reference: Vec<f64> = (0..200).flat_map(|_| [3.0, -1.0]).collect();
    let current: Vec<f64> = (0..200).flat_map(|_| [-1.0, 2.0]).collect();
    let found = attribution_drift(&names, &reference, &current, PRECISION);
    let gain = found.ndcg.unwrap();
    assert!((gain.estimate - turned).abs() < 1e-12 && gain.lower <= gain.upper);
    assert_eq!(found.features[0], ("a".to_owned(), [3.0, 1.0]));
}

#[test]
fn scenarios_change_what_they_say() {
    let mut rng = generator(3, 0);
    let values: Vec<f64> = (0..2_000)
        .flat_map(|_| {
            [
                normal_quantile(uniform(&mut rng).clamp(1e-9, 1.0 - 1e-9)),
                (uniform(&mut rng) * 3.0).floor(),
            ]
        })
        .collect();
    let rows = Batch {
        values,
        n_rows: 2_000,
        n_columns: 2,
    };
    let is_number = [true, false];
    let labels: Vec<bool> = (0..2_000).map(|row| rows.row(row)[0] > 0.0).collect();
    let predict = |values: &[f64]| {
        values
            .chunks(2)
            .map(|row| 1.0 / (1.0 + (-4.0 * row[0]).exp()))
            .collect::<Vec<f64>>()
    };
    let tried = Tried {
        rows: &rows,
        is_number: &is_number,
        labels: Some(&labels),
        metric: Metric::Accuracy,
        threshold: 0.5,
        level: 0.95,
    };
    let found = robustness(&predict, tried, &SCENARIOS, PRECISION.bootstrap);
    let turned = |scenario: Scenario| {
        found
            .iter()
            .find(|result| result.scenario == scenario)
            .unwrap()
            .turned
            .as_ref()
            .unwrap()
            .estimate
    };
    // A normal value and noise of a quarter of its deviation have another sign with probability atan(1/4) / π.
    let wanted = 0.25f64.atan() / std::f64::consts::PI;
    assert!(
        (turned(Scenario::Noise(0.25)) - wanted).abs() < 0.015,
        "{}",
        turned(Scenario::Noise(0.25))
    );
    assert!(
        turned(Scenario::Noise(0.1)) < turned(Scenario::Noise(0.5))
            && turned(Scenario::Clip(0.05)) == 0.0
    );
    let missing = found
        .iter()
        .find(|result| result.scenario == Scenario::Missing(0.2))
        .unwrap();
    assert!(
        (missing.n_undefined as f64 / 2_000.0 - 0.2).abs() < 0.03 && missing.metric.is_none(),
        "{missing:?}"
    );
    for scenario in SCENARIOS
        .iter()
        .filter(|scenario| !matches!(scenario, Scenario::Missing(_)))
    {
        let changed = scenario.apply(&rows, &is_number, 1);
        assert!(
            (0..2_000).all(|row| changed.row(row)[1] == rows.row(row)[1]),
            "categories are not numbers"
        );
    }
    assert_eq!(
        found,
        robustness(&predict, tried, &SCENARIOS, PRECISION.bootstrap),
        "the seed decides"
    );
}

#[test]
fn members_that_a_model_remembers_are_found() {
    let mut rng = generator(4, 0);
    let mut draw = |n: usize, shift: f64| -> Vec<f64> {
        (0..n)
            .map(|_| normal_quantile(uniform(&mut rng).clamp(1e-9, 1.0 - 1e-9)) + shift)
            .collect()
    };
    let found = attack(&draw(5_000, 1.0), &draw(5_000, 0.0), 0.95);
    // Φ(1 / √2) and 1 − Φ(z − 1) at both rates.
    let auc = found.roc_auc.unwrap();
    assert!(auc.lower < 0.7602 && auc.upper > 0.7602, "{auc:?}");
    for (at, wanted) in found.found_at.iter().zip([0.0183, 0.0923]) {
        let at = at.as_ref().unwrap();
        assert!(
            (at.estimate - wanted).abs() < 0.02,
            "{at:?} against {wanted}"
        );
    }
    let few = attack(&draw(50, 0.0), &draw(50, 0.0), 0.95);
    assert_eq!(
        few.found_at,
        [None, None],
        "50 rows have no false positive rate of 1 %"
    );
    assert!((losses(&[true, false], &[0.5, 0.25])[1] - (4f64 / 3.0).ln()).abs() < 1e-12);
    assert!((confidence(false, 0.25) - 3f64.ln()).abs() < 1e-9);
    // Means 2 and 0, deviations 1: the ratio of normal densities at 2 is exp(2).
    let ratio = likelihood_ratio(2.0, &[1.0, 2.0, 3.0], &[-1.0, 0.0, 1.0]).unwrap();
    assert!((ratio - 2.0).abs() < 1e-12);
    assert_eq!(likelihood_ratio(2.0, &[1.0], &[0.0, 1.0]), None);
}

#[test]
fn copies_are_nearer_to_what_they_were_copied_from() {
    let mut rng = generator(5, 0);
    let mut table = |n: usize| Batch {
        values: (0..2 * n).map(|_| uniform(&mut rng)).collect(),
        n_rows: n,
        n_columns: 2,
    };
    let (training, held_out, fresh) = (table(400), table(400), table(400));
    let honest = neighbour_share(&fresh, &training, &held_out, &[true, true], 0.99, 1);
    let share = honest.share.unwrap();
    assert!(
        share.lower < 0.5 && share.upper > 0.5 && honest.n_copies == 0,
        "{share:?}"
    );
    let copied = neighbour_share(&training, &training, &held_out, &[true, true], 0.99, 1);
    assert!(
        copied.share.unwrap().lower > 0.95 && copied.n_copies == 400 && copied.n_chance_copies == 0
    );
    let missing = Batch {
        values: vec![f64::NAN, 1.0],
        n_rows: 1,
        n_columns: 2,
    };
    assert_eq!(
        neighbour_share(&missing, &missing, &missing, &[true, false], 0.95, 1)
            .share
            .unwrap()
            .estimate,
        0.5
    );
}
