//! `veracta drift`: which columns changed between two files, alone, together, over time, and to a model.

use anyhow::bail;
use veracta_lifecycle::monitoring::drift::{DriftRequest, Reference};
use veracta_lifecycle::monitoring::windows::WindowColumns;
use veracta_statistics::drift::measurement::DriftOptions;
use veracta_statistics::drift::rule::Tolerances;
use veracta_statistics::drift::{CATEGORICAL_TESTS, NUMERIC_TESTS};

use crate::args::{Args, Drift};
use crate::output::{Answer, csv_options};

pub(super) fn execute(args: &Args, options: &Drift) -> anyhow::Result<Answer> {
    let (reference, current) = match (&options.data[..], options.profile.as_deref()) {
        ([reference, current], None) => (Reference::Rows(reference), current),
        ([current], Some(profile)) => (Reference::Profile(profile), current),
        ([_], None) => bail!(
            "two files are compared: the reference, then the newer one (or `--profile FILE` and the newer one)"
        ),
        _ => bail!("with `--profile` only the newer file is given"),
    };
    let request = DriftRequest {
        reference,
        current,
        csv: csv_options(&options.files.reading)?,
        without: options.without.clone(),
        options: measured(options)?,
        together: options.together,
        model: options.model.as_deref(),
    };
    let Some(every) = &options.every else {
        let record = Some(&options.record);
        let found = super::answer(args, &options.files, record, request.measure()?)?;
        return Ok((!found.has_drifted()).into());
    };
    if options.record.record.is_some() || options.together || options.model.is_some() {
        bail!("windows are of single columns; leave out `--together`, `--model` and `--record`");
    }
    let how = WindowColumns {
        every: every.clone(),
        time: options.time.clone(),
    };
    let found = super::answer(args, &options.files, None, request.measure_windows(&how)?)?;
    Ok((!found.iter().any(|window| window.has_drifted())).into())
}

/// Returns the tests and tolerances that the options ask for.
fn measured(options: &Drift) -> anyhow::Result<DriftOptions> {
    let (tolerance, tests) = (options.tolerance, &options.test);
    if !(tolerance > 0.0 && tolerance < 1.0) {
        bail!("`--tolerance` is a share between 0 and 1");
    }
    let mut known: Vec<&str> = NUMERIC_TESTS
        .iter()
        .map(|test| test.name)
        .chain(CATEGORICAL_TESTS.iter().map(|test| test.name))
        .collect();
    known.sort_unstable();
    known.dedup();
    if let Some(unknown) = tests
        .iter()
        .find(|test| *test != "all" && !known.contains(&test.as_str()))
    {
        bail!("unknown test `{unknown}`; there are {}", known.join(", "));
    }
    let mut measured = DriftOptions::default();
    measured.tolerances = Tolerances {
        effect: tolerance,
        ..measured.tolerances
    };
    let asked: Vec<String> = if tests.iter().any(|test| test == "all") {
        known.iter().map(|test| (*test).to_owned()).collect()
    } else {
        tests.clone()
    };
    for test in asked {
        if !measured.tests.contains(&test) {
            measured.tests.push(test);
        }
    }
    Ok(measured)
}
