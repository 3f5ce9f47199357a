//! `veracta compare`: two scores of the same rows.

use anyhow::bail;
use veracta_documents::report::comparison::report;
use veracta_lifecycle::validation::evaluate::{ScoredColumns, compare_file};
use veracta_statistics::paired::Comparison;

use crate::args::{Args, Compare};
use crate::output::{Answer, check_measure, csv_options, print_report};

pub(super) fn execute(
    args: &Args,
    Compare {
        data,
        label,
        score,
        positive,
        margin,
        measure,
        files,
    }: &Compare,
) -> anyhow::Result<Answer> {
    let margin = *margin;
    let columns = &ScoredColumns {
        label: label.clone(),
        positive: positive.clone(),
        scores: score.clone(),
    };
    let [first, second] = &columns.scores[..] else {
        bail!("two scores are compared: give `--score` twice, the old one first");
    };
    if !(margin > 0.0 && margin < 1.0) {
        bail!("`--margin` is a number of points between 0 and 1");
    }
    check_measure(measure)?;
    let found = compare_file(
        data,
        &csv_options(files)?,
        columns,
        measure.threshold,
        measure.level,
        margin,
    )?;
    print_report(
        args.format,
        files.output.as_deref(),
        &report([first, second], &found),
        &found,
    )?;
    Ok((!matches!(found.verdict, Comparison::Inferior | Comparison::Undecided)).into())
}
