//! The reports of robustness, of membership inference and of synthetic rows.

use veracta_statistics::interval::{Estimate, Method, proportion_interval};
use veracta_statistics::membership::{Attack, FALSE_POSITIVE_RATES};
use veracta_statistics::neighbours::NeighbourShare;
use veracta_statistics::performance::Metric;
use veracta_statistics::robustness::ScenarioResult;

use super::{Report, ReportBlock, ReportSection, bad, good, open};
use crate::{Cell, Headline, Tone, grouped, number, number_cell, text_cell, with_interval};

/// Gathers the report of scenarios.
pub fn scenarios(
    subject: &str,
    n: usize,
    metric: Option<Metric>,
    baseline: Option<&Estimate>,
    threshold: f64,
    results: &[ScenarioResult],
) -> Report {
    let mut columns = vec![
        "Scenario".to_owned(),
        "Decisions that turn".to_owned(),
        "Mean change of score".to_owned(),
    ];
    let mut chips = vec![
        format!("{} rows", grouped(n)),
        format!("threshold {}", number(threshold)),
    ];
    if let Some(metric) = metric {
        columns.push(metric.descriptor().title.to_owned());
        chips.push(format!(
            "{} as it is: {}",
            metric.descriptor().title,
            with_interval(baseline)
        ));
    }
    columns.push("No prediction".to_owned());
    Report {
        title: "Robustness".to_owned(),
        subject: subject.to_owned(),
        verdict: worst_scenario(results),
        chips,
        sections: vec![ReportSection {
            heading: "Scenarios".to_owned(),
            blocks: vec![ReportBlock::Table {
                caption: "What predictions do when inputs go wrong".to_owned(),
                columns,
                rows: results.iter().map(|result| scenario_row(metric, result)).collect(),
            }],
        }],
        method: "Each scenario changes all rows by a seeded rule; standard deviations and quantiles are those of the rows given. Shares \
                 have Wilson's interval. These are accidents, not attacks: nobody searched for the worst input."
            .to_owned(),
    }
}

/// Returns the scenario under which the largest share of decisions turns, in words.
fn worst_scenario(results: &[ScenarioResult]) -> Headline {
    let worst = results.iter().max_by(|a, b| {
        let size =
            |result: &ScenarioResult| result.turned.as_ref().map_or(0.0, |found| found.estimate);
        size(a).total_cmp(&size(b))
    });
    let text = worst.map_or("nothing was tried".to_owned(), |worst| {
        format!(
            "The most decisions turn under {}: {}",
            worst.scenario.title(),
            with_interval(worst.turned.as_ref())
        )
    });
    Headline {
        text,
        tone: Tone::Plain,
    }
}

fn scenario_row(metric: Option<Metric>, result: &ScenarioResult) -> Vec<Cell> {
    let mut cells = vec![
        text_cell(result.scenario.title()),
        number_cell(with_interval(result.turned.as_ref())),
        number_cell(number(result.mean_change)),
    ];
    if metric.is_some() {
        cells.push(match &result.metric {
            Some(found) => number_cell(with_interval(Some(found))),
            None => text_cell("not defined"),
        });
    }
    cells.push(if result.n_undefined == 0 {
        text_cell("–")
    } else {
        number_cell(grouped(result.n_undefined))
    });
    cells
}

/// Gathers the report of membership inference; the name of each attack with what it found.
pub fn membership(subject: &str, attacks: &[(&str, &Attack)]) -> Report {
    let row = |(name, found): &(&str, &Attack)| {
        let mut cells = vec![
            text_cell(*name),
            number_cell(with_interval(found.roc_auc.as_ref())),
        ];
        cells.extend(found.found_at.iter().map(|at| match at {
            Some(found) => number_cell(with_interval(Some(found))),
            None => text_cell("too few rows"),
        }));
        cells
    };
    let finds = |attack: &Attack| {
        // The threshold comes from a few other rows: what they would be found at has an upper bound of its own.
        let n_others = attack.n[1] as f64;
        let is_better = |(at, rate): (&Option<Estimate>, f64)| {
            let by_chance = |level: f64| {
                proportion_interval(
                    (rate * n_others).floor(),
                    n_others,
                    level,
                    Method::ClopperPearson,
                )
            };
            at.as_ref().is_some_and(|found| {
                by_chance(found.level).is_some_and(|chance| found.lower > chance.upper)
            })
        };
        attack.roc_auc.as_ref().is_some_and(|auc| auc.lower > 0.5)
            || attack
                .found_at
                .iter()
                .zip(FALSE_POSITIVE_RATES)
                .any(is_better)
    };
    let verdict = match attacks.iter().any(|(_, found)| finds(found)) {
        true => bad("The model gives away which rows it was trained on"),
        false => good("These attacks do not find the training rows better than by chance"),
    };
    let n = attacks.first().map_or([0, 0], |(_, found)| found.n);
    Report {
        title: "Membership inference".to_owned(),
        subject: subject.to_owned(),
        verdict,
        chips: vec![format!("{} training rows", grouped(n[0])), format!("{} other rows", grouped(n[1]))],
        sections: vec![ReportSection {
            heading: "Attacks".to_owned(),
            blocks: vec![ReportBlock::Table {
                caption: "How many training rows are found".to_owned(),
                columns: ["Attack", "ROC AUC", "Found at 0.1 % false alarms", "Found at 1 % false alarms"].map(str::to_owned).to_vec(),
                rows: attacks.iter().map(row).collect(),
            }],
        }],
        method: "The loss-threshold attack (Yeom et al. 2018) takes rows with a small loss for training rows; the likelihood-ratio attack \
                 (Carlini et al. 2022) compares with shadow models trained with and without each row. Bounds are DeLong's and exact ones. \
                 What these attacks do not find, others may."
            .to_owned(),
    }
}

/// Gathers the report of synthetic rows.
pub fn neighbours(subject: &str, columns: &[String], found: &NeighbourShare) -> Report {
    let verdict = match &found.share {
        Some(share) if share.lower > 0.5 => {
            bad("Synthetic rows are nearer to the rows they were made from than to others")
        }
        Some(share) if share.upper <= 0.55 => {
            good("Synthetic rows are no nearer to the rows they were made from")
        }
        Some(_) => open("Undecided: more rows would tell whether synthetic rows are too near"),
        None => open("There are no rows to compare"),
    };
    let row = |name: &str, value: String| vec![text_cell(name), number_cell(value)];
    Report {
        title: "Nearest neighbours".to_owned(),
        subject: subject.to_owned(),
        verdict,
        chips: vec![format!("{} synthetic rows", grouped(found.n[0])), format!("{} rows of each kind", grouped(found.n[1]))],
        sections: vec![ReportSection {
            heading: "How near they are".to_owned(),
            blocks: vec![ReportBlock::Table {
                caption: format!("Over {} columns: {}", columns.len(), columns.join(", ")),
                columns: ["", ""].map(str::to_owned).to_vec(),
                rows: vec![
                    row("Share nearer to a training row (0.5 is no copying)", with_interval(found.share.as_ref())),
                    row("Rows that equal a training row", grouped(found.n_copies)),
                    row("Rows that equal a held-out row, by chance", grouped(found.n_chance_copies)),
                ],
            }],
        }],
        method: "Gower's distance over all columns, ranges of numbers from both real files; as many held-out as training rows, drawn by a \
                 seed. A share of one half does not prove that nobody can be found again."
            .to_owned(),
    }
}
