//! Splits: what belongs together stays together, parts do not overlap, and the proof notices when they do.

use proptest::prelude::*;
use veracta_model::numeric::{below, generator, uniform};
use veracta_statistics::split::{
    Part, SplitRows, SplitShares, prove_split, split_by_time, split_stratified,
};

const N_ROWS: usize = 300;
const SHARES: SplitShares = SplitShares {
    tune: 0.2,
    test: 0.25,
    seed: 1,
};

struct Rows {
    labels: Vec<bool>,
    digests: Vec<[u8; 16]>,
    subjects: Vec<u32>,
}

impl Rows {
    /// Draws subjects of about two rows each, and repeats of earlier rows by other subjects.
    fn draw(seed: u64) -> Self {
        let mut rng = generator(seed, 0);
        let mut rows = Self {
            labels: Vec::new(),
            digests: Vec::new(),
            subjects: Vec::new(),
        };
        for row in 0..N_ROWS {
            let is_repeat = row > 0 && uniform(&mut rng) < 0.1;
            let (digest, label) = if is_repeat {
                let twin = below(&mut rng, row);
                (rows.digests[twin], rows.labels[twin])
            } else {
                (digest(row), uniform(&mut rng) < 0.4)
            };
            rows.digests.push(digest);
            rows.labels.push(label);
            rows.subjects.push(below(&mut rng, N_ROWS / 2) as u32);
        }
        rows
    }

    /// Returns rows of which each is its own subject and unlike any other; every second one is positive.
    fn distinct(n_rows: usize) -> Self {
        let labels = (0..n_rows).map(|row| row % 2 == 1).collect();
        Self {
            labels,
            digests: (0..n_rows).map(digest).collect(),
            subjects: (0..n_rows as u32).collect(),
        }
    }

    fn view(&self) -> SplitRows<'_> {
        SplitRows {
            labels: &self.labels,
            digests: &self.digests,
            subjects: Some(&self.subjects),
        }
    }
}

fn digest(row: usize) -> [u8; 16] {
    (row as u128).to_le_bytes()
}

fn n_of(assigned: &[Part], labels: &[bool], part: Part, label: bool) -> usize {
    assigned
        .iter()
        .zip(labels)
        .filter(|(held, held_label)| **held == part && **held_label == label)
        .count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn duplicates_and_subjects_stay_together(data_seed in any::<u64>(), seed in any::<u64>()) {
        let rows = Rows::draw(data_seed);
        let assigned = split_stratified(rows.view(), SplitShares { seed, ..SHARES }).unwrap();
        for first in 0..N_ROWS {
            for second in 0..first {
                let is_bound = rows.digests[first] == rows.digests[second] || rows.subjects[first] == rows.subjects[second];
                prop_assert!(!is_bound || assigned[first] == assigned[second], "rows {} and {}", first, second);
            }
        }
        let proof = prove_split(rows.view(), &assigned);
        prop_assert_eq!((proof.n_rows_shared, proof.n_subjects_shared, proof.n_excluded), (0, Some(0), 0));
        prop_assert_eq!(proof.parts.iter().map(|part| part.n_rows).sum::<usize>(), N_ROWS);
        let n_test = assigned.iter().filter(|part| **part == Part::Test).count();
        prop_assert!(n_test as f64 >= SHARES.test * N_ROWS as f64);
    }
}

#[test]
fn labels_are_divided_in_the_same_shares() {
    let mut rows = Rows::distinct(100);
    rows.labels = (0..100).map(|row| row < 40).collect();
    let assigned = split_stratified(rows.view(), SHARES).unwrap();
    let counts = |part: Part| {
        (
            n_of(&assigned, &rows.labels, part, true),
            n_of(&assigned, &rows.labels, part, false),
        )
    };
    assert_eq!(
        [counts(Part::Train), counts(Part::Tune), counts(Part::Test)],
        [(22, 33), (8, 12), (10, 15)]
    );
}

#[test]
fn the_seed_alone_decides() {
    let rows = Rows::draw(3);
    let split = |seed: u64| split_stratified(rows.view(), SplitShares { seed, ..SHARES }).unwrap();
    assert_eq!(split(1), split(1));
    assert_ne!(split(1), split(2));
}

#[test]
fn the_proof_counts_what_parts_share() {
    let [a, b, c] = [digest(1), digest(2), digest(3)];
    let rows = Rows {
        labels: vec![true, false, true, false, true],
        digests: vec![a, b, a, c, a],
        subjects: vec![0, 1, 2, 1, 3],
    };
    use Part::{Excluded, Test, Train, Tune};
    let shared = |assigned: [Part; 5]| {
        let proof = prove_split(rows.view(), &assigned);
        (
            proof.n_rows_shared,
            proof.n_subjects_shared,
            proof.n_excluded,
        )
    };
    assert_eq!(shared([Train, Tune, Train, Tune, Train]), (0, Some(0), 0));
    assert_eq!(shared([Train, Tune, Test, Tune, Train]), (1, Some(0), 0));
    assert_eq!(shared([Train, Tune, Test, Test, Tune]), (2, Some(1), 0));
    assert_eq!(
        shared([Train, Tune, Excluded, Test, Excluded]),
        (0, Some(1), 2)
    );

    let without_subjects = SplitRows {
        subjects: None,
        ..rows.view()
    };
    assert_eq!(
        prove_split(without_subjects, &[Train; 5]).n_subjects_shared,
        None
    );
}

#[test]
fn the_digest_of_a_part_does_not_depend_on_the_order_of_rows() {
    let rows = Rows::distinct(6);
    let mut reversed = Rows::distinct(6);
    reversed.digests.reverse();
    reversed.labels.reverse();
    let digest_of = |rows: &Rows| {
        prove_split(rows.view(), &[Part::Train; 6]).parts[0]
            .digest
            .clone()
    };
    assert_eq!(digest_of(&rows), digest_of(&reversed));
    reversed.digests[0] = digest(99);
    assert_ne!(digest_of(&rows), digest_of(&reversed));
}

/// Of 20 rows 6 test and 4 tune; row 12 is a subject of the training part, row 15 repeats a training row.
#[test]
fn later_rows_that_repeat_earlier_parts_are_excluded() {
    let mut rows = Rows::distinct(20);
    rows.subjects[12] = rows.subjects[0];
    rows.digests[15] = rows.digests[3];
    rows.subjects[17] = rows.subjects[16];
    let mut times: Vec<f64> = (0..20).map(f64::from).collect();
    // Rows 13 and 14 happen at once: both belong to the later part.
    times[14] = times[13];
    let shares = SplitShares {
        tune: 0.2,
        test: 0.3,
        seed: 0,
    };
    let assigned = split_by_time(rows.view(), &times, shares).unwrap();
    let expected: Vec<Part> = (0..20)
        .map(|row| match row {
            0..=9 => Part::Train,
            10 | 11 => Part::Tune,
            12 | 15 => Part::Excluded,
            _ => Part::Test,
        })
        .collect();
    assert_eq!(assigned, expected);
    let proof = prove_split(rows.view(), &assigned);
    assert_eq!(
        (
            proof.n_rows_shared,
            proof.n_subjects_shared,
            proof.n_excluded
        ),
        (0, Some(0), 2)
    );
}

#[test]
fn parts_of_one_label_and_impossible_shares_are_refused() {
    let mut rows = Rows::distinct(10);
    let message = |rows: &Rows, tune: f64, test: f64| {
        split_stratified(
            rows.view(),
            SplitShares {
                tune,
                test,
                seed: 0,
            },
        )
        .unwrap_err()
        .to_string()
    };
    for (tune, test) in [
        (0.5, 0.5),
        (0.2, 0.0),
        (-0.1, 0.2),
        (0.2, 1.0),
        (f64::NAN, 0.2),
    ] {
        let expected =
            format!("shares of {tune} to tune and {test} to test leave nothing to train on");
        assert_eq!(message(&rows, tune, test), expected);
    }
    rows.labels.fill(false);
    assert_eq!(
        message(&rows, 0.2, 0.2),
        "the training part has 6 rows, 0 of them positive; it needs both labels"
    );
    rows.labels[9] = true;
    let times: Vec<f64> = (0..10).map(f64::from).collect();
    let refusal = split_by_time(
        rows.view(),
        &times,
        SplitShares {
            tune: 0.0,
            test: 0.2,
            seed: 0,
        },
    )
    .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the training part has 8 rows, 0 of them positive; it needs both labels"
    );
}
