//! Golden checks: values that established libraries computed, against the public functions of this crate.
//!
//! Every check of every case under `fixtures/golden` is either run or listed as not implemented with a reason, and each group must
//! run a least number of checks, so that nothing passes by not being looked at.
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
#[path = "golden/performance.rs"]
mod performance;

use case::{Case, Check, Comparison};
use veracta_ml::performance::METRICS;

/// The groups of the golden set that concern this crate.
const GROUPS: [&str; 5] = ["perf", "fairness", "model", "explain", "drift"];

/// Operations that occur in the cases and that this crate does not have, with the reason.
const NOT_IMPLEMENTED: &[(&str, &str)] = &[
    ("ci.proportion/clopper_pearson", "Wilson's interval is the one for proportions"),
    ("ci.proportion/agresti_coull", "Wilson's interval is the one for proportions"),
    ("ci.proportion/jeffreys", "Wilson's interval is the one for proportions"),
    ("test.mcnemar", "models are compared by the paired DeLong test"),
    ("fairness.aif360.classification", "gaps have Fairlearn's meaning; one vocabulary is enough"),
    ("fairness.aif360.dataset", "gaps have Fairlearn's meaning; one vocabulary is enough"),
];

#[test]
fn performance_and_calibration_agree_with_the_reference() {
    check_group("perf", 286, performance::open, performance::run);
}

#[test]
fn fairness_agrees_with_the_reference() {
    check_group("fairness", 109, fairness::open, fairness::run);
}

#[test]
fn models_agree_with_the_reference() {
    check_group("model", 292, model::open, model::run);
}

#[test]
fn explanations_agree_with_the_reference() {
    check_group("explain", 34, explain::open, explain::run);
}

#[test]
fn drift_agrees_with_the_reference() {
    check_group("drift", 1000, drift::open, drift::run);
}

#[test]
fn every_listed_operation_occurs() {
    let names: Vec<String> =
        GROUPS.iter().flat_map(|group| Case::all(group)).flat_map(|case| case.checks).map(|check| check.name()).collect();
    for (name, _) in NOT_IMPLEMENTED {
        assert!(names.iter().any(|known| known == name), "`{name}` is listed as not implemented and occurs nowhere");
    }
}

#[test]
fn every_metric_has_a_golden_value() {
    let cases = Case::all("perf");
    for descriptor in METRICS {
        let op = format!("perf.{}", descriptor.name);
        let is_covered = cases.iter().flat_map(|case| &case.checks).any(|check| check.op == op);
        // The selection rate is a column of `fairness.by_group`.
        assert!(is_covered || descriptor.name == "selection_rate", "`{op}` occurs nowhere");
    }
}

fn check_group<D>(group: &str, n_checks_min: usize, open: fn(&Case) -> D, run: fn(&Case, &D, &Check) -> Option<Comparison>) {
    let (mut n_run, mut problems) = (0, Vec::new());
    for case in Case::all(group) {
        let data = open(&case);
        for check in &case.checks {
            let name = check.name();
            let place = format!("{}, {name} {}", case.name, check.params);
            let is_listed = NOT_IMPLEMENTED.iter().any(|(known, _)| *known == name);
            match run(&case, &data, check) {
                Some(_) if is_listed => problems.push(format!("{place}: run although listed as not implemented")),
                Some(comparison) => {
                    n_run += 1;
                    problems.extend(comparison.problems().into_iter().map(|problem| format!("{place}: {problem}")));
                }
                None if is_listed => {}
                None => problems.push(format!("{place}: neither run nor listed as not implemented")),
            }
        }
    }
    assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n"));
    assert!(n_run >= n_checks_min, "{n_run} checks of `{group}` were run, fewer than {n_checks_min}");
}
