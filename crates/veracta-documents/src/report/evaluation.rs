//! The report of an evaluation: how well scores tell positives from negatives, whether they come true, and for whom.

use veracta_statistics::evaluation::{Evaluation, FrameEvaluation, GroupEvaluation, Intervals};
use veracta_statistics::fairness::Rate;
use veracta_statistics::interval::Estimate;
use veracta_statistics::recalibration::{Recalibration, RecalibrationGain};

use super::{Report, ReportBlock, ReportSection};
use crate::row_plot::{self, ForestRow};
use crate::{Cell, Headline, Tone, grouped, number, number_cell, plot, text_cell, with_interval};
use veracta_governance::record::RocPoint;

/// Rates shown for each group.
const SHOWN_RATES: [Rate; 4] = [
    Rate::SelectionRate,
    Rate::TruePositiveRate,
    Rate::FalsePositiveRate,
    Rate::Precision,
];

/// Gathers the report; `subject` says what was evaluated.
pub fn report(subject: &str, measured: &Evaluation) -> Report {
    let auc = measured
        .metrics
        .iter()
        .find(|(metric, _)| metric.descriptor().name == "roc_auc")
        .and_then(|(_, found)| found.as_ref());
    // The first metric measured is the headline: ROC AUC unless others were asked for.
    let text =
        measured
            .metrics
            .first()
            .map_or("nothing was measured".to_owned(), |(metric, found)| {
                format!(
                    "{} {}",
                    metric.descriptor().title,
                    with_interval(found.as_ref())
                )
            });
    let mut sections = vec![performance(measured, auc)];
    if let Some(calibration) = calibration(measured) {
        sections.push(calibration);
    }
    sections.extend(recalibration(measured));
    sections.extend(
        measured
            .frames
            .iter()
            .map(|frame| group_section(frame, measured.options.precision.level)),
    );
    Report {
        title: "Evaluation".to_owned(),
        subject: subject.to_owned(),
        verdict: Headline {
            text,
            tone: Tone::Plain,
        },
        chips: vec![
            format!("{} rows", grouped(measured.n)),
            format!("{} positive", grouped(measured.n_positive)),
            format!("threshold {}", number(measured.options.threshold)),
        ],
        sections,
        method: method(measured),
    }
}

/// Says how intervals were found.
fn method(measured: &Evaluation) -> String {
    let options = &measured.options;
    let resamples = format!(
        "{} resamples",
        grouped(options.precision.bootstrap.n_resamples as usize)
    );
    let how = match (measured.n_clusters, options.intervals) {
        (Some(n), _) => format!("{resamples} of {} whole clusters", grouped(n)),
        (None, Intervals::Bca) => {
            format!(
                "{resamples} within each class, bias-corrected and accelerated; rates of groups by Wilson, gaps within group and class"
            )
        }
        (None, Intervals::Preferred) => format!(
            "Wilson for proportions, DeLong on the logit scale for ROC AUC, {resamples} within each class for the others; gaps between \
             groups by resampling within group and class"
        ),
    };
    format!(
        "Intervals at {} %: {how} (seed {}). Groups under {} rows are marked and not compared.",
        options.precision.level * 100.0,
        options.precision.bootstrap.seed,
        options.group_rows_min
    )
}

/// Returns the section on what recalibrating the scores would gain; `None` when it was not measured.
fn recalibration(measured: &Evaluation) -> Option<ReportSection> {
    let n_folds = measured.recalibration.first()?.n_folds;
    let pair =
        |values: [f64; 2]| number_cell(format!("{} to {}", number(values[0]), number(values[1])));
    let row = |gain: &RecalibrationGain| {
        let name = match gain.method {
            Recalibration::Isotonic => "Isotonic",
            Recalibration::Platt => "Platt",
        };
        let word = match &gain.brier_gain {
            Some(found) if found.lower > 0.0 => "better",
            Some(found) if found.upper < 0.0 => "worse",
            _ => "undecided",
        };
        vec![
            text_cell(name),
            pair(gain.ece),
            pair(gain.brier),
            number_cell(with_interval(gain.brier_gain.as_ref())),
            text_cell(word),
        ]
    };
    let rows = measured.recalibration.iter().map(row).collect();
    let columns = [
        "",
        "Expected calibration error",
        "Brier score",
        "Brier score falls by (interval)",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    let caption = format!(
        "Each map fitted on {} folds of {n_folds} and tried on the one left",
        n_folds - 1
    );
    Some(ReportSection {
        heading: "Recalibration".to_owned(),
        blocks: vec![ReportBlock::Table {
            caption,
            columns,
            rows,
        }],
    })
}

fn performance(measured: &Evaluation, auc: Option<&Estimate>) -> ReportSection {
    let row = |(metric, found): &(veracta_statistics::performance::Metric, Option<Estimate>)| {
        let method = found.as_ref().map_or("–", |found| found.method.title());
        vec![
            text_cell(metric.descriptor().title),
            estimate_cell(found.as_ref()),
            text_cell(method),
            text_cell(metric.descriptor().meaning),
        ]
    };
    let mut blocks = Vec::new();
    if !measured.roc.is_empty() {
        let points: Vec<RocPoint> = measured
            .roc
            .iter()
            .map(|(fpr, tpr)| RocPoint {
                fpr: *fpr,
                tpr: *tpr,
            })
            .collect();
        blocks.push(ReportBlock::Plot {
            caption: "ROC curve".to_owned(),
            description: "True positive rate over false positive rate at every threshold; the dashed line is chance.".to_owned(),
            svg: plot::roc(&points, auc),
        });
    }
    if let Some(reliability) = &measured.reliability {
        blocks.push(ReportBlock::Plot {
            caption: "Reliability".to_owned(),
            description: "Share of positives over mean predicted probability in ten bins; on the dashed line predictions come true."
                .to_owned(),
            svg: plot::reliability(reliability, measured.options.precision.level),
        });
    }
    let counts = measured.confusion;
    blocks.push(ReportBlock::Table {
        caption: format!(
            "At the threshold: {} true positives, {} false positives, {} false negatives, {} true negatives",
            counts.tp, counts.fp, counts.fn_, counts.tn
        ),
        columns: ["Metric", "Estimate (interval)", "Interval by", "Meaning"].map(str::to_owned).to_vec(),
        rows: measured.metrics.iter().map(row).collect(),
    });
    ReportSection {
        heading: "Performance".to_owned(),
        blocks,
    }
}

fn calibration(measured: &Evaluation) -> Option<ReportSection> {
    let reliability = measured.reliability.as_ref()?;
    let mut text = format!(
        "Expected calibration error {}, largest gap of a bin {}.",
        number(reliability.ece),
        number(reliability.mce)
    );
    if let Some(line) = &measured.calibration {
        text += &format!(
            " Logistic recalibration: slope {} ± {} (1 is perfect, below 1 too extreme), intercept {} ± {} (0 is perfect).",
            number(line.slope),
            number(1.96 * line.se[1]),
            number(line.intercept),
            number(1.96 * line.se[0])
        );
    }
    Some(ReportSection {
        heading: "Calibration".to_owned(),
        blocks: vec![ReportBlock::Text(text)],
    })
}

fn estimate_cell(estimate: Option<&Estimate>) -> Cell {
    match estimate {
        Some(found) => number_cell(with_interval(Some(found))),
        None => text_cell("not defined"),
    }
}

fn group_section(frame: &FrameEvaluation, level: f64) -> ReportSection {
    let names = frame.attributes.join(" × ");
    let heading = match &frame.control {
        Some((name, within)) => format!("By {names}, within {name} {within}"),
        None => format!("By {names}"),
    };
    ReportSection {
        heading,
        blocks: vec![
            rate_plot(frame, Rate::SelectionRate, level),
            rate_plot(frame, Rate::TruePositiveRate, level),
            groups_table(frame),
            gaps_table(frame),
        ],
    }
}

fn rate_of(group: &GroupEvaluation, wanted: Rate) -> Option<&Estimate> {
    group
        .rates
        .iter()
        .find(|(rate, _)| *rate == wanted)
        .and_then(|(_, found)| found.as_ref())
}

/// Draws one rate of every group.
fn rate_plot(frame: &FrameEvaluation, rate: Rate, level: f64) -> ReportBlock {
    let row = |group: &GroupEvaluation| ForestRow {
        label: group.levels.join(" × "),
        estimate: rate_of(group, rate).cloned(),
        faint: group.is_small,
    };
    let rows: Vec<ForestRow> = frame.groups.iter().map(row).collect();
    ReportBlock::Plot {
        caption: format!("{} by {}", rate.title(), frame.attributes.join(" × ")),
        description: format!(
            "Dots with {} % intervals; small groups are faint.",
            level * 100.0
        ),
        svg: row_plot::forest(rate.title(), &rows, None),
    }
}

fn groups_table(frame: &FrameEvaluation) -> ReportBlock {
    let row = |group: &GroupEvaluation| {
        let small = if group.is_small { " (small)" } else { "" };
        let mut cells = vec![
            text_cell(format!("{}{small}", group.levels.join(" × "))),
            number_cell(grouped(group.n)),
            estimate_cell(group.roc_auc.as_ref()),
        ];
        let rates = SHOWN_RATES.iter();
        cells.extend(rates.map(|rate| estimate_cell(rate_of(group, *rate))));
        cells
    };
    let names = frame.attributes.join(" × ");
    let mut columns = vec![names, "Rows".to_owned(), "ROC AUC".to_owned()];
    columns.extend(SHOWN_RATES.iter().map(|rate| rate.title().to_owned()));
    ReportBlock::Table {
        caption: "Each group".to_owned(),
        columns,
        rows: frame.groups.iter().map(row).collect(),
    }
}

fn gaps_table(frame: &FrameEvaluation) -> ReportBlock {
    let gaps = frame.disparities.iter().map(|(name, found)| {
        let none = if frame.groups.iter().filter(|group| !group.is_small).count() < 2 {
            "fewer than two groups are large enough"
        } else {
            "not defined"
        };
        let value = found
            .as_ref()
            .map_or_else(|| text_cell(none), |found| estimate_cell(Some(found)));
        vec![text_cell(name.replace('_', " ")), value]
    });
    ReportBlock::Table {
        caption: "Gaps between groups; 0 is none of a difference, 1 of a ratio".to_owned(),
        columns: ["Gap", "Estimate (interval)"].map(str::to_owned).to_vec(),
        rows: gaps.collect(),
    }
}
