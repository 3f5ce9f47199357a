//! The reports of columns looked at together, of windows, of attributions and of streams.

use veracta_statistics::drift::attribution::{ALARM_BELOW, AttributionDrift};
use veracta_statistics::drift::rule::{Change, ColumnDrift};
use veracta_statistics::drift::together::TogetherDrift;

use super::{Report, ReportBlock, ReportSection, bad, good, open};
use crate::{Cell, Headline, grouped, number, number_cell, text_cell, with_interval};

/// Gathers the section about columns together.
pub fn together(found: &TogetherDrift) -> ReportSection {
    let mut rows = vec![vec![
        text_cell("Boosted trees, out of fold: ROC AUC of telling current from reference rows"),
        number_cell(with_interval(found.domain_classifier.as_ref())),
        text_cell(match &found.domain_classifier {
            Some(auc) if auc.lower > 0.5 => "tells them apart",
            Some(_) => "does not tell them apart",
            None => "not defined",
        }),
    ]];
    if let Some(rebuilt) = &found.reconstruction {
        let word = match &rebuilt.difference {
            Some(difference) if difference.lower > 0.0 => "rebuilt worse",
            Some(difference) if difference.upper < 0.0 => "rebuilt better",
            _ => "rebuilt as well",
        };
        rows.push(vec![
            text_cell(format!(
                "Reconstruction by {} components ({:.0} % of the variance): error of {} on the reference, current minus that",
                rebuilt.n_components,
                rebuilt.share * 100.0,
                number(rebuilt.reference_error)
            )),
            number_cell(with_interval(rebuilt.difference.as_ref())),
            text_cell(word),
        ]);
    }
    if let Some((statistic, p)) = found.discrepancy {
        rows.push(vec![
            text_cell("Maximum mean discrepancy, squared (permutation p)"),
            number_cell(format!("{} (p {})", number(statistic), number(p))),
            text_cell(if p < 0.05 {
                "apart"
            } else {
                "not shown to be apart"
            }),
        ]);
    }
    ReportSection {
        heading: "Columns together".to_owned(),
        blocks: vec![ReportBlock::Table {
            caption: format!(
                "{} numeric columns; {} reference and {} current rows without missing values",
                found.columns.len(),
                grouped(found.n[0]),
                grouped(found.n[1])
            ),
            columns: ["How", "Result (interval)", ""].map(str::to_owned).to_vec(),
            rows,
        }],
    }
}

/// Gathers the section about what a model leans on.
pub fn attributions(found: &AttributionDrift) -> ReportSection {
    let row = |(input, [before, now]): &(String, [f64; 2])| {
        vec![
            text_cell(format!("`{input}`")),
            number_cell(number(*before)),
            number_cell(number(*now)),
        ]
    };
    let word = match &found.ndcg {
        Some(gain) if gain.upper < ALARM_BELOW => "the model leans on other inputs",
        Some(gain) if gain.lower >= ALARM_BELOW => "the model leans on the same inputs",
        Some(_) => "undecided",
        None => "not defined",
    };
    ReportSection {
        heading: "What the model leans on".to_owned(),
        blocks: vec![ReportBlock::Table {
            caption: format!(
                "Normalised discounted cumulative gain {}: {word} (1 is the same order, the alarm is below {ALARM_BELOW})",
                with_interval(found.ndcg.as_ref())
            ),
            columns: ["Input", "Strength in the reference", "Strength now"]
                .map(str::to_owned)
                .to_vec(),
            rows: found.features.iter().map(row).collect(),
        }],
    }
}

/// A window: where it starts, its rows, and the drift of each column.
pub(crate) type DriftWindow = (String, usize, Vec<(String, ColumnDrift)>);

/// Gathers the report of windows.
pub fn windows(subject: &str, found: &[DriftWindow], tolerance: f64) -> Report {
    Report {
        title: "Drift over time".to_owned(),
        subject: subject.to_owned(),
        verdict: windows_verdict(found),
        chips: vec![format!("{} windows", found.len()), format!("tolerance {}", number(tolerance))],
        sections: vec![ReportSection {
            heading: "Windows".to_owned(),
            blocks: vec![ReportBlock::Table {
                caption: "Each window of the newer file against the reference".to_owned(),
                columns: ["Window from", "Rows", "Drifted columns", "Undecided", "Largest change"].map(str::to_owned).to_vec(),
                rows: found.iter().map(window_row).collect(),
            }],
        }],
        method:
            "A column has drifted in a window when the lower bound of the change passes the tolerance; bounds hold over all columns of \
                 one window together."
                .to_owned(),
    }
}

fn windows_verdict(found: &[DriftWindow]) -> Headline {
    let n_drifted = found
        .iter()
        .filter(|(.., columns)| !drifted_columns(columns).is_empty())
        .count();
    let is_unsure = found.iter().any(|(.., columns)| {
        columns
            .iter()
            .any(|(_, drift)| drift.change == Change::Undecided)
    });
    match n_drifted {
        0 if is_unsure => open("No window has drifted for sure; some have too few rows to tell"),
        0 => good("No window has drifted"),
        n => bad(&format!("{n} of {} windows have drifted", found.len())),
    }
}

fn drifted_columns(columns: &[(String, ColumnDrift)]) -> Vec<&str> {
    columns
        .iter()
        .filter(|(_, drift)| drift.change == Change::Drifted)
        .map(|(name, _)| name.as_str())
        .collect()
}

fn window_row((start, n, columns): &DriftWindow) -> Vec<Cell> {
    let names = drifted_columns(columns);
    let n_undecided = columns
        .iter()
        .filter(|(_, drift)| drift.change == Change::Undecided)
        .count();
    let size = |drift: &ColumnDrift| drift.effect.map_or(0.0, |effect| effect.lower);
    let largest = columns
        .iter()
        .max_by(|a, b| size(&a.1).total_cmp(&size(&b.1)));
    let largest = largest.map_or("–".to_owned(), |(name, drift)| {
        let bounds = drift.effect.map_or(String::new(), |found| {
            format!(
                " {:.3} ({:.3} to {:.3})",
                found.estimate, found.lower, found.upper
            )
        });
        format!("`{name}`{bounds}")
    });
    let word = if names.is_empty() {
        "–".to_owned()
    } else {
        names.join(", ")
    };
    vec![
        text_cell(start),
        number_cell(grouped(*n)),
        text_cell(word),
        number_cell(n_undecided.to_string()),
        text_cell(largest),
    ]
}

/// Gathers the report of detectors: name and rows at which it spoke.
pub fn stream(subject: &str, found: &[(String, Vec<usize>)]) -> Report {
    const SHOWN_MAX: usize = 30;
    let row = |(name, rows): &(String, Vec<usize>)| {
        let shown: Vec<String> = rows
            .iter()
            .take(SHOWN_MAX)
            .map(ToString::to_string)
            .collect();
        let more = if rows.len() > SHOWN_MAX {
            format!(", and {} more", rows.len() - SHOWN_MAX)
        } else {
            String::new()
        };
        let text = if rows.is_empty() {
            "none".to_owned()
        } else {
            shown.join(", ") + &more
        };
        vec![
            text_cell(format!("`{name}`")),
            number_cell(rows.len().to_string()),
            text_cell(text),
        ]
    };
    let n = found.iter().filter(|(_, rows)| !rows.is_empty()).count();
    let verdict = match n {
        0 => good("No detector says that the stream changes"),
        n => bad(&format!(
            "{n} of {} detectors say that the stream changes",
            found.len()
        )),
    };
    Report {
        title: "Stream".to_owned(),
        subject: subject.to_owned(),
        verdict,
        chips: Vec::new(),
        sections: vec![ReportSection {
            heading: "Detectors".to_owned(),
            blocks: vec![ReportBlock::Table {
                caption: "Rows at which each says that something changed".to_owned(),
                columns: ["Detector", "Changes", "Rows"].map(str::to_owned).to_vec(),
                rows: found.iter().map(row).collect(),
            }],
        }],
        method: "ADWIN (Bifet and Gavaldà 2007), Page-Hinkley (Page 1954), DDM (Gama et al. 2004), EDDM (Baena-García et al. 2006) and \
                 HDDM-A (Frías-Blanco et al. 2015), with the settings that River has by default."
            .to_owned(),
    }
}
