//! What one input tells about a target, how columns move together, and the profile of a table.

use veracta_data::table::{Column, ColumnType, Table};
use veracta_model::numeric::{below, generator, uniform};
use veracta_statistics::association::{association, one_input_auc};
use veracta_statistics::profile::{SHOWN_COUNT_MIN, profile};

use crate::samples::{categorical, numeric};

const N_ROWS: usize = 2000;

fn target() -> Vec<bool> {
    let mut rng = generator(51, 0);
    (0..N_ROWS).map(|_| uniform(&mut rng) < 0.3).collect()
}

fn draw(stream: u64) -> Vec<f64> {
    let mut rng = generator(52, stream);
    (0..N_ROWS).map(|_| uniform(&mut rng)).collect()
}

fn auc(column: &Column, target: &[bool]) -> f64 {
    let estimate = one_input_auc(column, target, 9, 0.95).unwrap();
    assert!(estimate.lower <= estimate.estimate && estimate.estimate <= estimate.upper);
    estimate.estimate
}

#[test]
fn a_leak_is_found_in_numbers_categories_and_gaps() {
    let target = target();
    let noise = draw(1);
    let of_target = |value: fn(bool, f64) -> f64| -> Vec<f64> {
        target
            .iter()
            .zip(&noise)
            .map(|(label, u)| value(*label, *u))
            .collect()
    };
    let codes = target.iter().map(|label| u32::from(*label)).collect();
    let leaks = [
        (
            numeric("copied", of_target(|label, _| f64::from(label))),
            0.99,
        ),
        (
            numeric("shifted", of_target(|label, u| u + f64::from(label))),
            0.99,
        ),
        (
            numeric(
                "missing",
                of_target(|label, u| if label { f64::NAN } else { u }),
            ),
            0.99,
        ),
        (categorical("named", codes, &["no", "yes"]), 0.99),
        // Twenty bins are a little too coarse for the edges of the middle.
        (
            numeric(
                "in_the_middle",
                of_target(|label, u| if label { 0.4 + 0.2 * u } else { u.round() }),
            ),
            0.9,
        ),
    ];
    for (column, least) in &leaks {
        assert!(
            auc(column, &target) > *least,
            "`{}` gives the target away",
            column.name
        );
    }
}

#[test]
fn noise_and_row_numbers_tell_nothing() {
    let target = target();
    assert!((auc(&numeric("noise", draw(2)), &target) - 0.5).abs() < 0.08);
    let mut rng = generator(53, 0);
    let codes = (0..N_ROWS).map(|_| below(&mut rng, 4) as u32).collect();
    assert!(
        (auc(
            &categorical("quarter", codes, &["a", "b", "c", "d"]),
            &target
        ) - 0.5)
            .abs()
            < 0.08
    );
    // A category of one row is known from no other row: every row has the overall rate.
    let names: Vec<String> = (0..N_ROWS).map(|row| format!("{row:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let codes = (0..N_ROWS as u32).collect();
    assert!((auc(&categorical("row", codes, &names), &target) - 0.5).abs() < 1e-12);
    assert!(one_input_auc(&numeric("noise", draw(2)), &[true; N_ROWS], 9, 0.95).is_none());
}

#[test]
fn association_is_one_for_copies_and_small_for_strangers() {
    let (first, second) = (numeric("first", draw(3)), numeric("second", draw(4)));
    let squared = numeric(
        "squared",
        draw(3).iter().map(|value| value * value).collect(),
    );
    assert!((association(&first, &first) - 1.0).abs() < 1e-9);
    assert!(
        (association(&first, &squared) - 1.0).abs() < 1e-9,
        "any monotone copy is a copy"
    );
    assert!(association(&first, &second) < 0.2);
    assert!((association(&first, &second) - association(&second, &first)).abs() < 1e-12);
    assert_eq!(
        association(&first, &numeric("constant", vec![1.0; N_ROWS])),
        0.0
    );
}

/// Returns 102 rows: the numbers 1 to 100, an infinite one and a missing one.
fn profiled() -> Table {
    let mut values: Vec<f64> = (1..=100).map(f64::from).collect();
    values.extend([f64::INFINITY, f64::NAN]);
    let n_rows = values.len();
    // Level `a` has two rows more than the least that is shown, `b` just as many, `c` one less; the rest is `d`.
    let n_least = SHOWN_COUNT_MIN;
    let code = |row: usize| match row {
        row if row < n_least + 2 => 0,
        row if row < 2 * n_least + 2 => 1,
        row if row < 3 * n_least + 1 => 2,
        _ => 3,
    };
    let codes: Vec<u32> = (0..n_rows).map(code).collect();
    let mut text = categorical("text", codes.clone(), &["a", "b", "c", "d"]);
    text.column_type = ColumnType::Text;
    let columns = vec![
        numeric("number", values),
        categorical("level", codes, &["a", "b", "c", "d"]),
        text,
    ];
    Table {
        columns,
        n_rows,
        ..Table::default()
    }
}

#[test]
fn numbers_are_profiled_without_infinite_and_missing_ones() {
    let number = &profile(&profiled(), &[]).columns[0];
    assert_eq!((number.n_missing, number.n_distinct), (1, 100));
    let numeric = number.numeric.as_ref().unwrap();
    assert_eq!(
        (numeric.n_infinite, numeric.min, numeric.max, numeric.mean),
        (1, 1.0, 100.0, 50.5)
    );
    // The variance of 1 to n is n (n + 1) / 12.
    assert!((numeric.standard_deviation.unwrap().powi(2) - 100.0 * 101.0 / 12.0).abs() < 1e-9);
    assert!(
        (numeric.quantiles[3] - 50.5).abs() < 1e-12 && (numeric.quantiles[0] - 1.99).abs() < 1e-12
    );
    assert_eq!(
        (
            numeric.histogram.len(),
            numeric.histogram.iter().sum::<usize>()
        ),
        (20, 100)
    );
}

#[test]
fn only_values_of_many_rows_are_shown_and_no_text() {
    let columns = profile(&profiled(), &[]).columns;
    let shown: Vec<(&str, usize)> = columns[1]
        .frequent
        .iter()
        .map(|entry| (entry.value.as_str(), entry.n_rows))
        .collect();
    let n_rest = 102 - (3 * SHOWN_COUNT_MIN + 1);
    assert_eq!(
        shown,
        [
            ("d", n_rest),
            ("a", SHOWN_COUNT_MIN + 2),
            ("b", SHOWN_COUNT_MIN)
        ]
    );
    assert_eq!((columns[2].n_distinct, columns[2].frequent.len()), (4, 0));
}

#[test]
fn repeated_rows_are_counted_with_and_without_the_identifier() {
    let columns = vec![
        numeric("id", vec![1.0, 2.0, 3.0, 3.0, 4.0]),
        numeric("x", vec![5.0, 5.0, 5.0, 5.0, f64::NAN]),
    ];
    let table = Table {
        columns,
        n_rows: 5,
        ..Table::default()
    };
    let profiled = profile(&table, &["id"]);
    assert_eq!(
        (
            profiled.n_duplicate_rows,
            profiled.n_duplicate_rows_without_id
        ),
        (1, 3)
    );
    let again = rayon::ThreadPoolBuilder::new()
        .num_threads(8)
        .build()
        .unwrap()
        .install(|| profile(&table, &["id"]));
    assert_eq!(profiled, again);
}
