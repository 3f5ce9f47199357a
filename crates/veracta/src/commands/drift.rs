//! `veracta drift`: which columns changed between two files, and by how much.

use std::path::{Path, PathBuf};

use anyhow::bail;
use veracta_governance::document::report::drift::report;
use veracta_lifecycle::monitoring::{Reference, measure_drift};
use veracta_ml::drift::measurement::DriftOptions;
use veracta_ml::drift::rule::{Change, Tolerances};
use veracta_ml::drift::{CATEGORICAL_TESTS, NUMERIC_TESTS};

use crate::args::{Args, FileOptions};
use crate::output::{Answer, csv_options, file_name, print_report};

pub(super) fn execute(
    args: &Args,
    (data, profile): (&[PathBuf], Option<&Path>),
    without: &[String],
    tolerance: f64,
    tests: &[String],
    options: &FileOptions,
) -> anyhow::Result<Answer> {
    let (reference, current) = match (data, profile) {
        ([reference, current], None) => (Reference::Rows(reference), current),
        ([current], Some(profile)) => (Reference::Profile(profile), current),
        ([_], None) => bail!("two files are compared: the reference, then the newer one (or `--profile FILE` and the newer one)"),
        _ => bail!("with `--profile` only the newer file is given"),
    };
    let (Reference::Rows(against) | Reference::Profile(against)) = reference;
    if !(tolerance > 0.0 && tolerance < 1.0) {
        bail!("`--tolerance` is a share between 0 and 1");
    }
    let mut known: Vec<&str> = NUMERIC_TESTS.iter().map(|test| test.name).chain(CATEGORICAL_TESTS.iter().map(|test| test.name)).collect();
    known.sort_unstable();
    known.dedup();
    if let Some(unknown) = tests.iter().find(|test| *test != "all" && !known.contains(&test.as_str())) {
        bail!("unknown test `{unknown}`; there are {}", known.join(", "));
    }
    let mut measured = DriftOptions::default();
    measured.tolerances = Tolerances { effect: tolerance, ..measured.tolerances };
    let asked: Vec<String> =
        if tests.iter().any(|test| test == "all") { known.iter().map(|test| (*test).to_owned()).collect() } else { tests.to_vec() };
    for test in asked {
        if !measured.tests.contains(&test) {
            measured.tests.push(test);
        }
    }
    let found = measure_drift(reference, current, &csv_options(options)?, without, measured)?;
    let page = report(&format!("{} against {}", file_name(current), file_name(against)), &found);
    print_report(args.format, options.output.as_deref(), &page, &found)?;
    let has_drifted = found.with_change(Change::Drifted).next().is_some();
    Ok((!has_drifted && found.lost.is_empty()).into())
}
