//! `veracta evaluate`: performance, calibration and fairness of a scored file.

use std::path::Path;

use anyhow::{Context, bail};
use veracta_governance::document::report::evaluation::report;
use veracta_lifecycle::evaluation::{GroupColumns, ScoredColumns, evaluate_file};
use veracta_ml::evaluation::{EvaluationOptions, Intervals};
use veracta_ml::interval::Bootstrap;
use veracta_ml::performance::{METRICS, Metric};

use crate::args::{Args, FileOptions, MeasureOptions};
use crate::output::{Answer, check_measure, csv_options, file_name, print_report};

/// What is evaluated.
pub(super) struct Scope<'a> {
    /// Label and score.
    pub(super) columns: &'a ScoredColumns,
    /// Groups, control and clusters.
    pub(super) groups: &'a GroupColumns,
    /// Names of the metrics; all when empty.
    pub(super) metrics: &'a [String],
    /// Whether intervals are bias-corrected and accelerated.
    pub(super) bca: bool,
    /// Whether recalibration is tried.
    pub(super) recalibrate: bool,
}

pub(super) fn execute(
    args: &Args,
    data: &Path,
    scope: &Scope<'_>,
    measure: &MeasureOptions,
    files: &FileOptions,
) -> anyhow::Result<Answer> {
    let Scope { columns, groups, metrics, bca, recalibrate } = *scope;
    check_measure(measure)?;
    if bca && groups.cluster.is_some() {
        bail!("`--cluster` resamples whole clusters; leave out `--bca`");
    }
    if groups.groups.is_empty() && groups.control.is_some() {
        bail!("`--control` compares the groups of `--group`; name at least one");
    }
    let columns_named: Vec<&String> = groups.groups.iter().chain(&groups.control).collect();
    if let Some(twice) = columns_named.iter().enumerate().find(|(idx, name)| columns_named[..*idx].contains(name)) {
        bail!("column `{}` is named twice", twice.1);
    }
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
        intervals: if bca { Intervals::Bca } else { Intervals::Preferred },
        recalibrate,
    };
    let found = evaluate_file(data, &csv_options(files)?, columns, groups, options)?;
    let page = report(
        &format!("{} of {} for {} = {}", columns.scores[0], file_name(data), columns.label, columns.positive.as_deref().unwrap_or("1")),
        &found,
    );
    print_report(args.format, files.output.as_deref(), &page, &found)?;
    Ok(Answer::Yes)
}
