//! Resampling of clusters, bias-corrected bounds, recalibration and stored profiles, against SciPy, scikit-learn and exact counts.

use proptest::prelude::*;
use veracta_data::table::{MISSING, Table};
use veracta_model::numeric::{generator, uniform};
use veracta_statistics::drift::measurement::{DriftOptions, measure_prepared};
use veracta_statistics::drift::{Prepared, Sample};
use veracta_statistics::interval::{Bootstrap, Method, Precision, bootstrap_interval};
use veracta_statistics::performance::{Metric, Scored};
use veracta_statistics::recalibration::{
    Calibrator, Recalibration, cross_fitted, fit, recalibration_gain,
};
use veracta_statistics::resampling::{Clusters, bca_bounds, bca_intervals, cluster_intervals};
use veracta_statistics::sketch::{SketchError, TableSketch, ValueSketch};

use crate::samples::{categorical, numeric};

const PRECISION: Precision = Precision {
    level: 0.95,
    bootstrap: Bootstrap {
        n_resamples: 400,
        seed: 3,
    },
};

/// Scores that tell positives from negatives with some error.
fn scored_rows(n: usize, seed: u64) -> (Vec<bool>, Vec<f64>) {
    let mut rng = generator(seed, 5);
    (0..n)
        .map(|_| {
            let label = uniform(&mut rng) < 0.4;
            (
                label,
                (0.35 * f64::from(u8::from(label)) + 0.65 * uniform(&mut rng)).clamp(0.0, 1.0),
            )
        })
        .unzip()
}

#[test]
fn bca_bounds_are_those_of_the_formula() {
    let draws: Vec<f64> = (0..200)
        .map(|i| f64::from(i * 37 % 101) / 101.0 + 0.3 * (f64::from(i * 53 % 97) / 97.0).powi(2))
        .collect();
    let jackknife: Vec<f64> = (0..30)
        .map(|i| 0.5 + 0.01 * (f64::from(i * 29 % 31) / 31.0).powi(3))
        .collect();
    // By SciPy's normal distribution and NumPy's quantiles.
    let (lower, upper) = bca_bounds(0.52, &draws, &jackknife, 0.95).unwrap();
    assert!(
        (lower - 0.011788373469762066).abs() < 1e-9 && (upper - 1.0282306531138214).abs() < 1e-9,
        "{lower} to {upper}"
    );
    assert_eq!(
        bca_bounds(9.0, &draws, &jackknife, 0.95),
        None,
        "all resamples are below the estimate"
    );
    assert_eq!(
        bca_bounds(0.5, &draws, &[1.0, 1.0], 0.95),
        None,
        "nothing depends on a row"
    );
}

#[test]
fn bca_intervals_are_near_the_percentiles_of_a_large_sample() {
    let (labels, scores) = scored_rows(3_000, 1);
    let scored = Scored::new(&labels, &scores).unwrap();
    for metric in [Metric::F1, Metric::AveragePrecision, Metric::Brier] {
        let found = bca_intervals(&scored, &[metric], 0.5, PRECISION)
            .pop()
            .unwrap()
            .unwrap();
        let plain = bootstrap_interval(&scored, metric, 0.5, PRECISION).unwrap();
        let width = plain.upper - plain.lower;
        assert_eq!(found.method, Method::BootstrapBca);
        assert!(
            (found.lower - plain.lower).abs() < 0.25 * width
                && (found.upper - plain.upper).abs() < 0.25 * width,
            "{metric:?}"
        );
    }
}

#[test]
fn rows_seen_ten_times_tell_no_more_than_once() {
    let (labels, scores) = scored_rows(200, 2);
    let repeat = |n: usize| {
        (0..200 * n)
            .map(|row| (row / n) as u32)
            .collect::<Vec<u32>>()
    };
    let (of_row, many) = (repeat(1), repeat(10));
    let labels_again: Vec<bool> = many.iter().map(|row| labels[*row as usize]).collect();
    let scores_again: Vec<f64> = many.iter().map(|row| scores[*row as usize]).collect();
    let once = Scored::new(&labels, &scores).unwrap();
    let again = Scored::new(&labels_again, &scores_again).unwrap();
    let metrics = [Metric::RocAuc, Metric::Recall];
    let by_cluster = cluster_intervals(
        &again,
        Clusters {
            of_row: &many,
            n: 200,
        },
        &metrics,
        0.5,
        PRECISION,
    );
    // The same clusters are drawn, so that the bounds are the same but for the order of sums.
    let by_row = cluster_intervals(
        &once,
        Clusters {
            of_row: &of_row,
            n: 200,
        },
        &metrics,
        0.5,
        PRECISION,
    );
    for (metric, (found, wanted)) in metrics.iter().zip(by_cluster.iter().zip(&by_row)) {
        let (found, wanted) = (found.as_ref().unwrap(), wanted.as_ref().unwrap());
        assert!(
            (found.lower - wanted.lower).abs() < 1e-9 && (found.upper - wanted.upper).abs() < 1e-9,
            "{metric:?}"
        );
        let naive = bootstrap_interval(&again, *metric, 0.5, PRECISION).unwrap();
        assert!(
            found.upper - found.lower > 2.0 * (naive.upper - naive.lower),
            "{metric:?}: rows taken for independent are too sure"
        );
    }
    let few = Clusters {
        of_row: &vec![0; 200],
        n: 1,
    };
    assert_eq!(
        cluster_intervals(&once, few, &metrics, 0.5, PRECISION),
        [None, None]
    );
}

#[test]
fn recalibration_is_that_of_scikit_learn() {
    let scores = [
        0.1, 0.2, 0.2, 0.35, 0.4, 0.5, 0.55, 0.6, 0.7, 0.8, 0.85, 0.9,
    ];
    let labels = [0, 0, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1].map(|label| label == 1);
    let isotonic = fit(Recalibration::Isotonic, &scores, &labels).unwrap();
    let asked = [0.0, 0.15, 0.2, 0.3, 0.45, 0.52, 0.65, 0.75, 0.95];
    let wanted = [
        0.0,
        0.1666666666666666,
        0.3333333333333333,
        0.3333333333333333,
        0.5,
        0.5666666666666667,
        2.0 / 3.0,
        5.0 / 6.0,
        1.0,
    ];
    for (score, wanted) in asked.iter().zip(wanted) {
        assert!((isotonic.apply(*score) - wanted).abs() < 1e-12, "{score}");
    }
    let Some(Calibrator::Platt { a, b }) = fit(Recalibration::Platt, &scores, &labels) else {
        panic!("the sigmoid is fitted")
    };
    // scikit-learn stops its search at 1e-5.
    assert!(
        (a + 2.959700128350797).abs() < 1e-4 && (b - 1.1593134695384086).abs() < 1e-4,
        "{a}, {b}"
    );
    assert_eq!(fit(Recalibration::Platt, &scores, &[true; 12]), None);
}

#[test]
fn recalibration_helps_scores_that_do_not_come_true_and_not_those_that_do() {
    let mut rng = generator(4, 0);
    let probabilities: Vec<f64> = (0..4_000).map(|_| 0.05 + 0.9 * uniform(&mut rng)).collect();
    let labels: Vec<bool> = probabilities
        .iter()
        .map(|p| uniform(&mut rng) < *p)
        .collect();
    let squared: Vec<f64> = probabilities.iter().map(|p| p * p).collect();
    for method in [Recalibration::Isotonic, Recalibration::Platt] {
        let helped =
            recalibration_gain(method, &Scored::new(&labels, &squared).unwrap(), 0.95, 7).unwrap();
        assert!(
            helped.brier_gain.as_ref().unwrap().lower > 0.0 && helped.ece[1] < helped.ece[0],
            "{helped:?}"
        );
        let kept = recalibration_gain(
            method,
            &Scored::new(&labels, &probabilities).unwrap(),
            0.95,
            7,
        )
        .unwrap();
        assert!(kept.brier_gain.as_ref().unwrap().lower < 0.0, "{kept:?}");
    }
    let few = Scored::new(&labels[..12], &squared[..12]).unwrap();
    assert_eq!(
        few.n_positive() < 5,
        cross_fitted(Recalibration::Platt, &few, 7).is_none(),
        "a class with fewer rows than folds"
    );
}

fn table(values: Vec<f64>, codes: Vec<u32>) -> Table {
    let n_rows = values.len();
    Table {
        columns: vec![
            numeric("x", values),
            categorical("c", codes, &["a", "b", "d"]),
        ],
        n_rows,
        ..Table::default()
    }
}

fn numbers(sketch: &TableSketch) -> Sample {
    let ValueSketch::Numbers(numbers) = &sketch.columns[0].values else {
        panic!("the first column holds numbers")
    };
    numbers.sample(sketch.n_rows).unwrap()
}

#[test]
fn a_stored_profile_stands_in_for_the_rows() {
    let mut rng = generator(9, 0);
    let rows = |n: usize, shift: f64, rng: &mut _| {
        table(
            (0..n).map(|_| uniform(rng).powi(2) + shift).collect(),
            (0..n)
                .map(|row| {
                    if row % 7 == 0 {
                        MISSING
                    } else {
                        row as u32 % 3
                    }
                })
                .collect(),
        )
    };
    let (reference, current) = (rows(60_000, 0.0, &mut rng), rows(20_000, 0.2, &mut rng));
    let stored = TableSketch::from_bytes(&TableSketch::new(&reference).to_bytes()).unwrap();
    assert_eq!(
        stored,
        TableSketch::new(&reference),
        "what is written reads back"
    );
    for place in 0..2 {
        let from_rows = Prepared::new(&reference.columns[place]);
        let from_profile = Prepared::of_sketch(&stored.columns[place], stored.n_rows).unwrap();
        let measure = |reference: &Prepared| {
            measure_prepared(
                "x",
                reference,
                &Prepared::new(&current.columns[place]),
                2,
                &DriftOptions::default(),
            )
            .unwrap()
        };
        let (exact, found) = (measure(&from_rows), measure(&from_profile));
        assert_eq!((exact.drift.change, exact.n), (found.drift.change, found.n));
        let (exact, effect) = (exact.drift.effect.unwrap(), found.drift.effect.unwrap());
        assert!(
            (exact.estimate - effect.estimate).abs() <= found.rank_error,
            "{exact:?}, {effect:?}"
        );
        assert!(
            effect.lower <= exact.lower && effect.upper >= exact.upper,
            "the bounds are wider by what is not known"
        );
    }
    let mut other = TableSketch::new(&reference);
    let swapped = Table::new(reference.columns.iter().rev().cloned().collect());
    assert!(matches!(
        other.update(&swapped),
        Err(SketchError::Columns { .. })
    ));
    let text = Table::new(vec![
        categorical("x", vec![0], &["a"]),
        categorical("c", vec![0], &["a"]),
    ]);
    assert!(matches!(other.update(&text), Err(SketchError::Type { column }) if column == "x"));
    assert_eq!(
        other,
        TableSketch::new(&reference),
        "what is refused changes nothing"
    );
    assert!(TableSketch::from_bytes(b"{}").is_err());
    let changed = String::from_utf8(stored.to_bytes()).unwrap().replacen(
        "\"n_rows\":60000",
        "\"n_rows\":60001",
        1,
    );
    assert!(matches!(
        TableSketch::from_bytes(changed.as_bytes()),
        Err(SketchError::Malformed { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ranks_of_a_profile_are_wrong_by_no_more_than_it_says(seed in any::<u64>(), n_parts in 1usize..6, kind in 0u8..3) {
        let mut rng = generator(seed, 0);
        let mut all = Vec::new();
        let mut sketch: Option<TableSketch> = None;
        for part in 0..n_parts {
            let n = 1 + (uniform(&mut rng) * 30_000.0) as usize;
            let values: Vec<f64> = (0..n)
                .map(|row| match kind {
                    0 => uniform(&mut rng),
                    1 => row as f64,
                    _ => (uniform(&mut rng) * 50.0).floor(),
                })
                .collect();
            all.extend_from_slice(&values);
            let added = table(values, vec![part as u32 % 3; n]);
            match &mut sketch {
                Some(sketch) => sketch.update(&added).unwrap(),
                None => sketch = Some(TableSketch::new(&added)),
            }
        }
        let sketch = sketch.unwrap();
        let ValueSketch::Numbers(held) = &sketch.columns[0].values else { panic!("the first column holds numbers") };
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        prop_assert!((held.mean - mean).abs() <= 1e-9 * (1.0 + mean.abs()) && held.n as usize == all.len());
        let (exact, found) = (Sample::new(&all), numbers(&sketch));
        prop_assert_eq!(found.n(), exact.n());
        for step in 0..100 {
            let value = exact.sorted[step * (exact.n() - 1) / 99];
            let rank = |sample: &Sample| sample.sorted.partition_point(|held| *held <= value) as i64;
            prop_assert!((rank(&exact) - rank(&found)).unsigned_abs() <= held.rank_error, "{} of {}", held.rank_error, exact.n());
        }
        prop_assert!(held.rank_error_share() < 0.006, "{}", held.rank_error_share());
    }
}
