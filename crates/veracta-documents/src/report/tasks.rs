//! The reports of several classes, of a regression, of a ranking, and of performance expected without labels.

use veracta_statistics::interval::Estimate;
use veracta_statistics::performance::{Confusion, Metric};
use veracta_statistics::task_evaluation::TaskEvaluation;
use veracta_statistics::windows::WindowMetric;

use super::{Report, ReportBlock, ReportSection};
use crate::row_plot::{self, ForestRow};
use crate::{Cell, Headline, Tone, grouped, number, number_cell, text_cell, with_interval};

/// Largest number of windows that are drawn, from the first.
const DRAWN_MAX: usize = 60;

fn metrics_table(
    caption: String,
    metrics: impl Iterator<Item = (String, Option<Estimate>)>,
) -> ReportBlock {
    let row = |(name, found): (String, Option<Estimate>)| {
        vec![text_cell(name), number_cell(with_interval(found.as_ref()))]
    };
    ReportBlock::Table {
        caption,
        columns: ["Metric", "Estimate (interval)"]
            .map(str::to_owned)
            .to_vec(),
        rows: metrics.map(row).collect(),
    }
}

/// Gathers the report of a task that is not one of two classes.
pub fn report(subject: &str, measured: &TaskEvaluation, level: f64) -> Report {
    let (name, found) = &measured.metrics[0];
    let unit = if measured.task == "ranking" {
        "queries"
    } else {
        "rows"
    };
    let mut sections = vec![ReportSection {
        heading: "Performance".to_owned(),
        blocks: vec![metrics_table(
            format!("Over {} {unit}", grouped(measured.n)),
            measured.metrics.iter().cloned(),
        )],
    }];
    if !measured.confusion.is_empty() {
        let row = |(class, counts): (&String, &Vec<f64>)| -> Vec<Cell> {
            std::iter::once(text_cell(class))
                .chain(counts.iter().map(|count| number_cell(count.to_string())))
                .collect()
        };
        sections.push(ReportSection {
            heading: "Classes".to_owned(),
            blocks: vec![ReportBlock::Table {
                caption: "Rows of each true class, by predicted class".to_owned(),
                columns: std::iter::once("True class".to_owned())
                    .chain(measured.classes.iter().cloned())
                    .collect(),
                rows: measured
                    .classes
                    .iter()
                    .zip(&measured.confusion)
                    .map(row)
                    .collect(),
            }],
        });
    }
    Report {
        title: "Evaluation".to_owned(),
        subject: subject.to_owned(),
        verdict: Headline {
            text: format!("{name} {}", with_interval(found.as_ref())),
            tone: Tone::Plain,
        },
        chips: vec![
            measured.task.clone(),
            format!("{} {unit}", grouped(measured.n)),
        ],
        sections,
        method: format!(
            "Intervals at {} %: percentiles of resampled {unit}. Definitions are those of scikit-learn and SciPy.",
            level * 100.0
        ),
    }
}

/// Gathers the report of performance expected from probabilities alone.
pub fn expected(
    subject: &str,
    n: usize,
    confusion: &Confusion,
    metrics: &[(Metric, Option<Estimate>)],
) -> Report {
    let named = metrics
        .iter()
        .map(|(metric, found)| (metric.descriptor().title.to_owned(), found.clone()));
    let text = metrics
        .first()
        .map_or("nothing was asked for".to_owned(), |(metric, found)| {
            format!(
                "{} expected: {}",
                metric.descriptor().title,
                with_interval(found.as_ref())
            )
        });
    let round = |count: f64| number(count);
    Report {
        title: "Expected performance".to_owned(),
        subject: subject.to_owned(),
        verdict: Headline { text, tone: Tone::Plain },
        chips: vec![format!("{} rows", grouped(n)), "no labels".to_owned()],
        sections: vec![ReportSection {
            heading: "If the probabilities are right".to_owned(),
            blocks: vec![metrics_table(
                format!(
                    "Expected at the threshold: {} true positives, {} false positives, {} false negatives, {} true negatives",
                    round(confusion.tp),
                    round(confusion.fp),
                    round(confusion.fn_),
                    round(confusion.tn)
                ),
                named,
            )],
        }],
        method: "Confidence-based performance estimation: each row counts as positive with its probability. The band is where the metric \
                 would be seen on as many rows. It is right only as far as the probabilities are calibrated on these rows, and cannot see \
                 that the relation of inputs and label has changed."
            .to_owned(),
    }
}

/// Gathers the report of the error of a regression expected without labels: rows of the reference and of the current file.
pub fn expected_error(
    subject: &str,
    n: [usize; 2],
    reference: f64,
    expected: Option<&Estimate>,
    inputs: &[String],
) -> Report {
    let text = format!("Mean absolute error expected: {}", with_interval(expected));
    let rows = vec![
        vec![
            text_cell("On the reference, with labels"),
            number_cell(number(reference)),
        ],
        vec![
            text_cell("Expected on the current rows (band)"),
            number_cell(with_interval(expected)),
        ],
    ];
    Report {
        title: "Expected error".to_owned(),
        subject: subject.to_owned(),
        verdict: Headline { text, tone: Tone::Plain },
        chips: vec![format!("{} reference rows", grouped(n[0])), format!("{} current rows", grouped(n[1])), "no labels".to_owned()],
        sections: vec![ReportSection {
            heading: "Mean absolute error".to_owned(),
            blocks: vec![ReportBlock::Table {
                caption: format!("Foretold from {}", inputs.join(", ")),
                columns: ["", "Mean absolute error"].map(str::to_owned).to_vec(),
                rows,
            }],
        }],
        method:
            "Direct loss estimation: boosted trees learn which rows of the reference had a large error, and foretell those of the current \
                 rows. It sees errors that follow from the inputs and the prediction, and no change of their relation to the label."
                .to_owned(),
    }
}

/// Gathers the report of a metric over windows.
pub fn over_time(
    subject: &str,
    metric: Metric,
    windows: &[(String, WindowMetric)],
    labelled: f64,
) -> Report {
    let title = metric.descriptor().title;
    let drawn = windows
        .iter()
        .take(DRAWN_MAX)
        .map(|(name, window)| ForestRow {
            label: name.clone(),
            estimate: window.realised.clone().or_else(|| window.expected.clone()),
            faint: window.realised.is_none(),
        });
    let n_waiting = windows
        .iter()
        .filter(|(_, window)| is_waiting(window, labelled))
        .count();
    Report {
        title: "Performance over time".to_owned(),
        subject: subject.to_owned(),
        verdict: over_time_verdict(title, windows, labelled),
        chips: vec![format!("{} windows", windows.len()), format!("{n_waiting} wait for labels")],
        sections: vec![ReportSection {
            heading: title.to_owned(),
            blocks: vec![
                ReportBlock::Plot {
                    caption: format!("{title} by window"),
                    description: "The metric where labels have come; faint where it is only expected.".to_owned(),
                    svg: row_plot::forest(title, &drawn.collect::<Vec<_>>(), None),
                },
                ReportBlock::Table {
                    caption: format!("A window's metric is given when {} % of its rows have their label", labelled * 100.0),
                    columns: ["Window from", "Rows", "With label", "Realised (interval)", "Expected (band)"].map(str::to_owned).to_vec(),
                    rows: windows.iter().map(|(name, window)| window_row(name, window, labelled)).collect(),
                },
            ],
        }],
        method: "The expected value takes each probability for right (CBPE); a realised value outside its band says that probabilities do \
                 not come true any more."
            .to_owned(),
    }
}

/// Whether fewer than the share `labelled` of a window's rows have their label.
fn is_waiting(window: &WindowMetric, labelled: f64) -> bool {
    (window.n_labelled as f64) < labelled * window.n as f64
}

fn over_time_verdict(title: &str, windows: &[(String, WindowMetric)], labelled: f64) -> Headline {
    let outside = windows.iter().filter(|(_, window)| {
        let apart = |a: &Estimate, b: &Estimate| a.upper < b.lower || a.lower > b.upper;
        window
            .realised
            .as_ref()
            .zip(window.expected.as_ref())
            .is_some_and(|(a, b)| apart(a, b))
    });
    let n_outside = outside.count();
    let n_judged = windows
        .iter()
        .filter(|(_, window)| window.realised.is_some() && window.expected.is_some())
        .count();
    let n_waiting = windows
        .iter()
        .filter(|(_, window)| is_waiting(window, labelled))
        .count();
    let n_undefined = windows.len().saturating_sub(n_waiting + n_judged);
    let beside = [
        (n_undefined, "not defined"),
        (n_waiting, "waiting for labels"),
    ];
    let beside = beside.iter().filter(|(n, _)| *n > 0);
    let beside: String = beside.map(|(n, word)| format!("; {word} in {n}")).collect();
    let text = match n_outside {
        0 if n_judged == 0 => format!("No window of {} can be judged{beside}", windows.len()),
        0 => format!(
            "{title} is as its probabilities foretell in {n_judged} of {} windows{beside}",
            windows.len()
        ),
        n => format!(
            "{title} is not what its probabilities foretell in {n} of {} windows{beside}",
            windows.len()
        ),
    };
    let is_settled = n_outside == 0 && n_judged > 0 && n_undefined == 0;
    Headline {
        text,
        tone: if is_settled { Tone::Plain } else { Tone::Open },
    }
}

fn window_row(name: &str, window: &WindowMetric, labelled: f64) -> Vec<Cell> {
    vec![
        text_cell(name),
        number_cell(grouped(window.n)),
        number_cell(grouped(window.n_labelled)),
        match &window.realised {
            Some(found) => number_cell(with_interval(Some(found))),
            None if is_waiting(window, labelled) => text_cell("waits for labels"),
            None => text_cell("not defined"),
        },
        number_cell(with_interval(window.expected.as_ref())),
    ]
}
