//! `veracta evaluate`: performance, calibration and fairness of a scored file.

use std::path::Path;

use veracta_governance::document::report::evaluation::report;
use veracta_lifecycle::evaluation::{GroupColumns, ScoredColumns, evaluate_file};
use veracta_ml::evaluation::EvaluationOptions;
use veracta_ml::interval::Bootstrap;

use crate::args::{Args, FileOptions, MeasureOptions};
use crate::output::{Answer, check_level, csv_options, file_name, print_report};

pub(super) fn execute(
    args: &Args,
    data: &Path,
    columns: &ScoredColumns,
    groups: &GroupColumns,
    measure: &MeasureOptions,
    files: &FileOptions,
) -> anyhow::Result<Answer> {
    check_level(measure.level)?;
    let options = EvaluationOptions {
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
