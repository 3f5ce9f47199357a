//! `veracta drift`: which columns changed between two files, alone, together, over time, and to a model.

use std::path::Path;

use anyhow::bail;
use serde_json::json;
use veracta_documents::report::changes;
use veracta_documents::report::drift::report;
use veracta_governance::record::{DriftReport, Record};
use veracta_lifecycle::MeasuredOf;
use veracta_lifecycle::deployment::predict::{Rounds, apply};
use veracta_lifecycle::monitoring::drift::{
    Reference, measure_attribution_drift, measure_drift, measure_together, measure_windows,
};
use veracta_lifecycle::monitoring::windows::WindowColumns;
use veracta_statistics::drift::measurement::DriftOptions;
use veracta_statistics::drift::rule::{Change, Tolerances};
use veracta_statistics::drift::{CATEGORICAL_TESTS, NUMERIC_TESTS};
use veracta_statistics::interval::Bootstrap;

use crate::args::{Args, Drift};
use crate::output::{Answer, csv_options, file_name, print_report};

/// Confidence level of what is shown beside the verdicts on columns.
const LEVEL: f64 = 0.95;
const BOOTSTRAP: Bootstrap = Bootstrap {
    n_resamples: 1000,
    seed: 7,
};

pub(super) fn execute(args: &Args, options: &Drift) -> anyhow::Result<Answer> {
    let (reference, current) = match (&options.data[..], options.profile.as_deref()) {
        ([reference, current], None) => (Reference::Rows(reference), current),
        ([current], Some(profile)) => (Reference::Profile(profile), current),
        ([_], None) => bail!(
            "two files are compared: the reference, then the newer one (or `--profile FILE` and the newer one)"
        ),
        _ => bail!("with `--profile` only the newer file is given"),
    };
    let (Reference::Rows(against) | Reference::Profile(against)) = reference;
    let (csv, measured) = (csv_options(&options.files)?, measured(options)?);
    let subject = format!("{} against {}", file_name(current), file_name(against));
    let output = options.files.output.as_deref();
    if let Some(every) = &options.every {
        if options.record.record.is_some() || options.together || options.model.is_some() {
            bail!(
                "windows are of single columns; leave out `--together`, `--model` and `--record`"
            );
        }
        let how = WindowColumns {
            every: every.clone(),
            time: options.time.clone(),
        };
        let found = measure_windows(reference, current, &csv, &options.without, &measured, &how)?;
        let windows: Vec<_> = found
            .iter()
            .map(|window| (window.window.clone(), window.n, window.columns.clone()))
            .collect();
        print_report(
            args.format,
            output,
            &changes::windows(&subject, &windows, options.tolerance),
            &found,
        )?;
        let is_drifted =
            |drift: &veracta_statistics::drift::rule::ColumnDrift| drift.change == Change::Drifted;
        let has_drifted = found
            .iter()
            .any(|window| window.columns.iter().any(|(_, drift)| is_drifted(drift)));
        return Ok((!has_drifted).into());
    }
    let found = measure_drift(reference, current, &csv, &options.without, measured)?;
    let (mut page, mut value) = (report(&subject, &found), serde_json::to_value(&found)?);
    if options.together {
        let together = measure_together(
            [against, current],
            &csv,
            &options.without,
            LEVEL,
            BOOTSTRAP.seed,
        )?;
        page.sections.push(changes::together(&together));
        value["together"] = json!(together);
    }
    if let Some(model) = &options.model {
        let side = |path: &Path| apply(model, Rounds::All, path, &csv);
        let leaned =
            measure_attribution_drift([&side(against)?, &side(current)?], LEVEL, BOOTSTRAP)?;
        page.sections.push(changes::attributions(&leaned));
        value["attributions"] = json!(leaned);
    }
    let digests = [super::digest(against)?, super::digest(current)?];
    let columns = found
        .columns
        .iter()
        .map(|column| column.name.clone())
        .chain(found.lost.iter().cloned())
        .collect();
    super::record(
        args,
        &options.record,
        &MeasuredOf::Columns(columns),
        |model| Record::DriftReport(DriftReport::new(model, digests, &found)),
    )?;
    print_report(args.format, output, &page, &value)?;
    let has_drifted = found.with_change(Change::Drifted).next().is_some();
    Ok((!has_drifted && found.lost.is_empty()).into())
}

/// Returns what is measured.
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
