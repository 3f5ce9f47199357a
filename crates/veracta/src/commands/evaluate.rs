//! `veracta evaluate`: performance, calibration and fairness of a scored file.

use std::path::Path;

use anyhow::Context;
use veracta_governance::document::report::evaluation::report;
use veracta_lifecycle::evaluation::{GroupColumns, ScoredColumns, evaluate_file};
use veracta_ml::evaluation::EvaluationOptions;
use veracta_ml::interval::Bootstrap;
use veracta_ml::performance::{METRICS, Metric};

use crate::args::{Args, FileOptions, MeasureOptions};
use crate::output::{Answer, check_level, csv_options, file_name, print_report};

pub(super) fn execute(
    args: &Args,
    data: &Path,
    (columns, groups, metrics): (&ScoredColumns, &GroupColumns, &[String]),
    measure: &MeasureOptions,
    files: &FileOptions,
) -> anyhow::Result<Answer> {
    check_level(measure.level)?;
    let named = |name: &String| {
        let known = || METRICS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
        Metric::named(name).with_context(|| format!("unknown metric `{name}`; there are {}", known()))
    };
    let options = EvaluationOptions {
        metrics: metrics.iter().map(named).collect::<Result<_, _>>()?,
        threshold: measure.threshold,
        level: measure.level,
        bootstrap: Bootstrap { n_resamples: measure.resamples, seed: measure.seed },
        group_rows_min: measure.group_rows_min,
    };
    let found = evaluate_file(data, &csv_options(files)?, columns, groups, options)?;
    let page = report(&format!("{} of {}", columns.scores[0], file_name(data)), &found);
    print_report(args.format, files.output.as_deref(), &page, &found)?;
    Ok(Answer::Yes)
}
