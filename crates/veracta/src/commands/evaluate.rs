//! `veracta evaluate`: performance, calibration and fairness of a scored file, of any task.

use anyhow::{Context, bail};
use veracta_lifecycle::monitoring::over_time::OverTimeRequest;
use veracta_lifecycle::monitoring::windows::WindowColumns;
use veracta_lifecycle::validation::evaluate::{EvaluateRequest, GroupColumns, ScoredColumns};
use veracta_lifecycle::validation::expected::{ExpectedErrorRequest, ExpectedRequest};
use veracta_lifecycle::validation::tasks::{TaskColumns, TaskRequest};
use veracta_statistics::evaluation::{EvaluationOptions, Intervals};
use veracta_statistics::performance::Metric;

use crate::args::{Args, Evaluate, Task};
use crate::output::{Answer, check_measure, csv_options, precision};

pub(super) fn execute(args: &Args, options: &Evaluate) -> anyhow::Result<Answer> {
    check_measure(&options.measure)?;
    let metrics = options.metric.iter().map(|name| super::metric_named(name));
    let metrics: Vec<Metric> = metrics.collect::<Result<_, _>>()?;
    if options.task != Task::Binary {
        return other_task(args, options);
    }
    check_binary(options)?;
    if options.without_labels {
        expected(args, options, metrics)
    } else if let Some(every) = &options.every {
        over_time(args, options, &metrics, every)
    } else {
        binary(args, options, metrics)
    }
}

/// Refuses options that do not go together for two classes.
fn check_binary(options: &Evaluate) -> anyhow::Result<()> {
    if options.score.len() != 1 {
        bail!("of two classes one `--score` is evaluated; `--task multiclass` takes several")
    }
    let is_whole = options.group.is_empty()
        && options.control.is_none()
        && options.cluster.is_none()
        && options.record.record.is_none()
        && !options.bca
        && !options.recalibrate;
    let is_windowed = options.every.is_some();
    if (options.without_labels || is_windowed) && !is_whole || options.without_labels && is_windowed
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
    if is_windowed && !(options.labelled > 0.0 && options.labelled <= 1.0) {
        bail!("`--labelled` is a share above 0, at most 1");
    }
    Ok(())
}

fn columns(options: &Evaluate) -> ScoredColumns {
    ScoredColumns {
        label: options.label.clone().unwrap_or_default(),
        positive: options.positive.clone(),
        scores: options.score.clone(),
    }
}

/// Estimates the performance of probabilities whose labels have not come.
fn expected(args: &Args, options: &Evaluate, metrics: Vec<Metric>) -> anyhow::Result<Answer> {
    let request = ExpectedRequest {
        data: &options.data,
        csv: csv_options(&options.files.reading)?,
        score: options.score.concat(),
        metrics,
        threshold: options.measure.threshold,
        precision: precision(&options.measure),
    };
    super::answer(args, &options.files, None, request.measure()?)?;
    Ok(Answer::Yes)
}

/// Measures one metric in windows of the file.
fn over_time(
    args: &Args,
    options: &Evaluate,
    metrics: &[Metric],
    every: &str,
) -> anyhow::Result<Answer> {
    let request = OverTimeRequest {
        data: &options.data,
        csv: csv_options(&options.files.reading)?,
        columns: columns(options),
        how: WindowColumns {
            every: every.to_owned(),
            time: options.time.clone(),
        },
        metric: metrics.first().copied().unwrap_or(Metric::RocAuc),
        threshold: options.measure.threshold,
        labelled: options.labelled,
        precision: precision(&options.measure),
    };
    super::answer(args, &options.files, None, request.measure()?)?;
    Ok(Answer::Yes)
}

/// Measures performance, calibration and fairness of two classes.
fn binary(args: &Args, options: &Evaluate, metrics: Vec<Metric>) -> anyhow::Result<Answer> {
    let groups = GroupColumns {
        groups: options.group.clone(),
        control: options.control.clone(),
        cluster: options.cluster.clone(),
    };
    check_groups(options, &groups)?;
    let measure = &options.measure;
    let request = EvaluateRequest {
        data: &options.data,
        csv: csv_options(&options.files.reading)?,
        columns: columns(options),
        groups,
        options: EvaluationOptions {
            metrics,
            threshold: measure.threshold,
            precision: precision(measure),
            group_rows_min: measure.group_rows_min,
            intervals: match options.bca {
                true => Intervals::Bca,
                false => Intervals::Preferred,
            },
            recalibrate: options.recalibrate,
        },
    };
    let record = Some(&options.record);
    super::answer(args, &options.files, record, request.measure()?)?;
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
    let is_again = |(idx, name): &(usize, &&String)| named[..*idx].contains(name);
    if let Some((_, twice)) = named.iter().enumerate().find(is_again) {
        bail!("column `{twice}` is named twice");
    }
    Ok(())
}

/// Evaluates several classes, a number or an order.
fn other_task(args: &Args, options: &Evaluate) -> anyhow::Result<Answer> {
    let is_of_two = !options.group.is_empty()
        || options.cluster.is_some()
        || options.recalibrate
        || options.bca
        || options.every.is_some()
        || options.without_labels
        || options.record.record.is_some()
        || !options.metric.is_empty();
    if is_of_two {
        bail!(
            "groups, clusters, windows, single metrics, recalibration and recording are for `--task binary`"
        );
    }
    let label = options.label.clone().context("the label is missing")?;
    let one = || match &options.score[..] {
        [one] => Ok(one.clone()),
        _ => bail!("one `--score` is evaluated"),
    };
    let (data, csv) = (options.data.as_path(), csv_options(&options.files.reading)?);
    if let Some(reference) = &options.reference {
        if options.task != Task::Regression {
            bail!(
                "`--reference` is for `--task regression`; of two classes `--without-labels` estimates performance"
            );
        }
        let request = ExpectedErrorRequest {
            reference,
            current: data,
            csv,
            label,
            score: one()?,
            level: options.measure.level,
        };
        super::answer(args, &options.files, None, request.measure()?)?;
        return Ok(Answer::Yes);
    }
    let task = match options.task {
        Task::Multiclass => TaskColumns::Multiclass {
            label,
            scores: options.score.clone(),
        },
        Task::Ranking => TaskColumns::Ranking {
            label,
            score: one()?,
            query: options.query.clone().context("the query is missing")?,
            relevant_from: options.relevant_from,
        },
        Task::Regression | Task::Binary => TaskColumns::Regression {
            label,
            score: one()?,
        },
    };
    let request = TaskRequest {
        data,
        csv,
        task,
        precision: precision(&options.measure),
    };
    super::answer(args, &options.files, None, request.measure()?)?;
    Ok(Answer::Yes)
}
