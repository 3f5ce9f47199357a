//! `veracta evaluate`: performance, calibration and fairness of a scored file, of any task.

use anyhow::{Context, bail};
use veracta_documents::report::{evaluation, tasks};
use veracta_governance::record::{PerformanceReport, Record};
use veracta_lifecycle::MeasuredOf;
use veracta_lifecycle::monitoring::windows::WindowColumns;
use veracta_lifecycle::validation::evaluate::{
    GroupColumns, ScoredColumns, evaluate_file, evaluate_multiclass_file, evaluate_ranking_file,
    evaluate_regression_file, expected_error_file, expected_file, metric_over_time,
};
use veracta_statistics::evaluation::{EvaluationOptions, Intervals};
use veracta_statistics::interval::Bootstrap;
use veracta_statistics::performance::Metric;

use crate::args::{Args, Evaluate, Task};
use crate::output::{Answer, check_measure, csv_options, file_name, print_report};

pub(super) fn execute(args: &Args, options: &Evaluate) -> anyhow::Result<Answer> {
    let Evaluate {
        data,
        measure,
        files,
        ..
    } = options;
    check_measure(measure)?;
    let metrics: Vec<Metric> = options
        .metric
        .iter()
        .map(|name| super::metric_named(name))
        .collect::<Result<_, _>>()?;
    if options.task != Task::Binary {
        return other_task(args, options);
    }
    let [score] = &options.score[..] else {
        bail!("of two classes one `--score` is evaluated; `--task multiclass` takes several")
    };
    let (csv, bootstrap) = (
        csv_options(files)?,
        Bootstrap {
            n_resamples: measure.resamples,
            seed: measure.seed,
        },
    );
    let subject = format!("{score} of {}", file_name(data));
    let is_plain = options.group.is_empty()
        && options.control.is_none()
        && options.cluster.is_none()
        && options.record.record.is_none();
    let is_whole = is_plain && !options.bca && !options.recalibrate;
    if (options.without_labels || options.every.is_some()) && !is_whole
        || options.without_labels && options.every.is_some()
    {
        bail!(
            "`--without-labels` and `--every` go with neither groups, clusters, `--bca`, `--recalibrate`, `--record` nor each other"
        );
    }
    if options.reference.is_some() {
        bail!(
            "`--reference` is for `--task regression`; of two classes `--without-labels` estimates performance"
        );
    }
    if options.query.is_some() {
        bail!("`--query` is for `--task ranking`");
    }
    if options.without_labels {
        let found = expected_file(
            data,
            &csv,
            score,
            &metrics,
            measure.threshold,
            (measure.level, bootstrap),
        )?;
        let page = tasks::expected(&subject, found.n, &found.confusion, &found.metrics);
        print_report(args.format, files.output.as_deref(), &page, &found)?;
        return Ok(Answer::Yes);
    }
    let label = options.label.clone().unwrap_or_default();
    let columns = ScoredColumns {
        label: label.clone(),
        positive: options.positive.clone(),
        scores: vec![score.clone()],
    };
    if let Some(every) = &options.every {
        if !(options.labelled > 0.0 && options.labelled <= 1.0) {
            bail!("`--labelled` is a share above 0, at most 1");
        }
        let how = WindowColumns {
            every: every.clone(),
            time: options.time.clone(),
        };
        let metric = metrics.first().copied().unwrap_or(Metric::RocAuc);
        let found = metric_over_time(
            data,
            &csv,
            &columns,
            &how,
            (metric, measure.threshold, options.labelled),
            (measure.level, bootstrap),
        )?;
        let page = tasks::over_time(&subject, metric, &found.windows, found.labelled);
        print_report(args.format, files.output.as_deref(), &page, &found)?;
        return Ok(Answer::Yes);
    }
    let groups = GroupColumns {
        groups: options.group.clone(),
        control: options.control.clone(),
        cluster: options.cluster.clone(),
    };
    check_groups(options, &groups)?;
    let asked = EvaluationOptions {
        metrics,
        threshold: measure.threshold,
        level: measure.level,
        bootstrap,
        group_rows_min: measure.group_rows_min,
        intervals: if options.bca {
            Intervals::Bca
        } else {
            Intervals::Preferred
        },
        recalibrate: options.recalibrate,
    };
    let found = evaluate_file(data, &csv, &columns, &groups, asked)?;
    let digest = super::digest(data)?;
    super::record(args, &options.record, &MeasuredOf::Scores, |model| {
        Record::PerformanceReport(PerformanceReport::new(model, digest, &found))
    })?;
    let page = evaluation::report(
        &format!(
            "{subject} for {label} = {}",
            columns.positive.as_deref().unwrap_or("1")
        ),
        &found,
    );
    print_report(args.format, files.output.as_deref(), &page, &found)?;
    Ok(Answer::Yes)
}

fn check_groups(options: &Evaluate, groups: &GroupColumns) -> anyhow::Result<()> {
    if options.bca && groups.cluster.is_some() {
        bail!("`--cluster` resamples whole clusters; leave out `--bca`");
    }
    if groups.groups.is_empty() && groups.control.is_some() {
        bail!("`--control` compares the groups of `--group`; name at least one");
    }
    let named: Vec<&String> = groups.groups.iter().chain(&groups.control).collect();
    if let Some(twice) = named
        .iter()
        .enumerate()
        .find(|(idx, name)| named[..*idx].contains(name))
    {
        bail!("column `{}` is named twice", twice.1);
    }
    Ok(())
}

/// Evaluates several classes, a number or an order.
fn other_task(args: &Args, options: &Evaluate) -> anyhow::Result<Answer> {
    let Evaluate {
        data,
        measure,
        files,
        score,
        ..
    } = options;
    let is_of_two = !options.group.is_empty()
        || options.cluster.is_some()
        || options.recalibrate
        || options.bca
        || options.every.is_some();
    if is_of_two
        || options.without_labels
        || options.record.record.is_some()
        || !options.metric.is_empty()
    {
        bail!(
            "groups, clusters, windows, single metrics, recalibration and recording are for `--task binary`"
        );
    }
    let label = options.label.as_deref().context("the label is missing")?;
    let (csv, how) = (
        csv_options(files)?,
        (
            measure.level,
            Bootstrap {
                n_resamples: measure.resamples,
                seed: measure.seed,
            },
        ),
    );
    let one = || match &score[..] {
        [one] => Ok(one.as_str()),
        _ => bail!("one `--score` is evaluated"),
    };
    if let Some(reference) = &options.reference {
        if options.task != Task::Regression {
            bail!(
                "`--reference` is for `--task regression`; of two classes `--without-labels` estimates performance"
            );
        }
        let found = expected_error_file([reference, data], &csv, [label, one()?], measure.level)?;
        let page = tasks::expected_error(
            &file_name(data),
            found.n,
            found.reference_mae,
            found.expected_mae.as_ref(),
            &found.inputs,
        );
        print_report(args.format, files.output.as_deref(), &page, &found)?;
        return Ok(Answer::Yes);
    }
    let found = match options.task {
        Task::Multiclass => evaluate_multiclass_file(data, &csv, label, score, how)?,
        Task::Ranking => {
            let query = options.query.as_deref().context("the query is missing")?;
            evaluate_ranking_file(
                data,
                &csv,
                [label, one()?, query],
                options.relevant_from,
                how,
            )?
        }
        Task::Regression | Task::Binary => {
            evaluate_regression_file(data, &csv, [label, one()?], how.0, how.1)?
        }
    };
    let page = tasks::report(
        &format!("{} of {} for {label}", score.join(", "), file_name(data)),
        &found,
        measure.level,
    );
    print_report(args.format, files.output.as_deref(), &page, &found)?;
    Ok(Answer::Yes)
}
