//! `veracta compare`: two scores of the same rows.

use anyhow::bail;
use veracta_lifecycle::validation::evaluate::{PairedRequest, ScoredColumns};
use veracta_statistics::paired::Comparison;

use crate::args::{Args, Compare};
use crate::output::{Answer, check_measure, csv_options};

pub(super) fn execute(args: &Args, options: &Compare) -> anyhow::Result<Answer> {
    let (margin, measure) = (options.margin, &options.measure);
    if options.score.len() != 2 {
        bail!("two scores are compared: give `--score` twice, the old one first");
    }
    if !(margin > 0.0 && margin < 1.0) {
        bail!("`--margin` is a number of points between 0 and 1");
    }
    check_measure(measure)?;
    let request = PairedRequest {
        data: &options.data,
        csv: csv_options(&options.files.reading)?,
        columns: ScoredColumns {
            label: options.label.clone(),
            positive: options.positive.clone(),
            scores: options.score.clone(),
        },
        threshold: measure.threshold,
        level: measure.level,
        margin,
    };
    let found = super::answer(args, &options.files, None, request.measure()?)?;
    Ok((!matches!(found.verdict, Comparison::Inferior | Comparison::Undecided)).into())
}
