//! Golden checks: values that established libraries computed, against the public functions of this crate.
//!
//! Every check of every case under `fixtures/golden` is run, and each group must run a least number of checks, so that nothing passes by
//! not being looked at. Where a reference is wrong or decides otherwise, the runner of the group says so by name.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "golden/case.rs"]
mod case;
#[path = "golden/drift.rs"]
mod drift;
#[path = "golden/explain.rs"]
mod explain;
#[path = "golden/fairness.rs"]
mod fairness;
#[path = "golden/model.rs"]
mod model;
#[path = "golden/other_tasks.rs"]
mod other_tasks;
#[path = "golden/performance.rs"]
mod performance;

use case::{Case, Check, Comparison};
use veracta_statistics::performance::METRICS;

#[test]
fn performance_and_calibration_agree_with_the_reference() {
    check_group("perf", 477, performance::open, performance::run);
}

#[test]
fn fairness_agrees_with_the_reference() {
    check_group("fairness", 125, fairness::open, fairness::run);
}

#[test]
fn models_agree_with_the_reference() {
    check_group("model", 292, model::open, model::run);
}

#[test]
fn explanations_agree_with_the_reference() {
    check_group("explain", 35, explain::open, explain::run);
}

#[test]
fn drift_agrees_with_the_reference() {
    check_group("drift", 1419, drift::open, drift::run);
}

#[test]
fn every_metric_has_a_golden_value() {
    let cases = Case::all("perf");
    for descriptor in METRICS {
        let op = format!("perf.{}", descriptor.name);
        let is_covered = cases
            .iter()
            .flat_map(|case| &case.checks)
            .any(|check| check.op == op);
        // The selection rate is a column of `fairness.by_group`.
        assert!(
            is_covered || descriptor.name == "selection_rate",
            "`{op}` occurs nowhere"
        );
    }
}

fn check_group<D>(
    group: &str,
    n_checks_min: usize,
    open: fn(&Case) -> D,
    run: fn(&Case, &D, &Check) -> Option<Comparison>,
) {
    let (mut n_run, mut problems) = (0, Vec::new());
    for case in Case::all(group) {
        let data = open(&case);
        for check in &case.checks {
            let place = format!("{}, {} {}", case.name, check.name(), check.params);
            match run(&case, &data, check) {
                Some(comparison) => {
                    n_run += 1;
                    problems.extend(
                        comparison
                            .problems()
                            .into_iter()
                            .map(|problem| format!("{place}: {problem}")),
                    );
                }
                None => problems.push(format!("{place}: not run")),
            }
        }
    }
    assert!(
        problems.is_empty(),
        "{} problems\n{}",
        problems.len(),
        problems.join("\n")
    );
    assert!(
        n_run >= n_checks_min,
        "{n_run} checks of `{group}` were run, fewer than {n_checks_min}"
    );
}
