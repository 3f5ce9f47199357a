//! The report of a drift measurement: which columns changed and by how much, readable in a minute.

use veracta_statistics::drift::measurement::{ColumnMeasurement, DriftMeasurement, Shape};
use veracta_statistics::drift::rule::{Change, Effect};

use super::{Report, ReportBlock, ReportSection, bad, good, open};
use crate::{Cell, Headline, Tone, grouped, number, number_cell, plot, text_cell, tone_cell};

/// Largest number of columns that get a plot, those with the largest changes.
const DRAWN_MAX: usize = 6;

/// Gathers the report; `subject` says what was compared.
pub fn report(subject: &str, measured: &DriftMeasurement) -> Report {
    let n_evidently = measured
        .columns
        .iter()
        .filter(|column| column.evidently.drift)
        .count();
    Report {
        title: "Drift report".to_owned(),
        subject: subject.to_owned(),
        verdict: verdict(measured),
        chips: vec![
            format!("{} reference rows", grouped(measured.n_reference)),
            format!("{} current rows", grouped(measured.n_current)),
            format!(
                "Evidently's default rule: {n_evidently} of {}",
                measured.columns.len()
            ),
        ],
        sections: sections(measured),
        method: method(measured),
    }
}

fn verdict(measured: &DriftMeasurement) -> Headline {
    let count = |change: Change| measured.with_change(change).count();
    let (n_drifted, n_undecided, n) = (
        count(Change::Drifted),
        count(Change::Undecided),
        measured.columns.len(),
    );
    let lost = measured.lost.len();
    match (n_drifted, n_undecided) {
        _ if lost > 0 => {
            let gone = if lost == 1 {
                "1 column is".to_owned()
            } else {
                format!("{lost} columns are")
            };
            bad(&format!(
                "{gone} gone or of another type; {n_drifted} of the other {n} have drifted"
            ))
        }
        (0, 0) => good(&format!(
            "Stable: all {n} columns stay within the tolerances"
        )),
        (0, _) => open(&format!(
            "No drift shown; {n_undecided} of {n} columns need more rows to tell"
        )),
        _ => bad(&format!("{n_drifted} of {n} columns have drifted")),
    }
}

fn sections(measured: &DriftMeasurement) -> Vec<ReportSection> {
    let mut sections = Vec::new();
    let schema = columns_not_compared(measured);
    if !schema.is_empty() {
        sections.push(ReportSection {
            heading: "Columns not compared".to_owned(),
            blocks: schema,
        });
    }
    sections.push(ReportSection {
        heading: "Columns".to_owned(),
        blocks: vec![columns_table(measured)],
    });
    let mut drawn: Vec<&ColumnMeasurement> = measured
        .columns
        .iter()
        .filter(|column| column.drift.effect.is_some())
        .collect();
    drawn.sort_by(|a, b| size(b).total_cmp(&size(a)));
    drawn.truncate(DRAWN_MAX);
    if !drawn.is_empty() {
        let blocks = drawn.into_iter().map(figure).collect();
        sections.push(ReportSection {
            heading: "Largest changes".to_owned(),
            blocks,
        });
    }
    sections.push(ReportSection {
        heading: "Tests".to_owned(),
        blocks: vec![tests_table(measured)],
    });
    sections
}

fn columns_not_compared(measured: &DriftMeasurement) -> Vec<ReportBlock> {
    let named = |names: &[String]| format!("`{}`", names.join("`, `"));
    let mut schema = Vec::new();
    let is_retyped = |name: &&String| measured.retyped.iter().any(|column| column.name == **name);
    let gone: Vec<String> = measured
        .lost
        .iter()
        .filter(|name| !is_retyped(name))
        .cloned()
        .collect();
    if !gone.is_empty() {
        schema.push(ReportBlock::Text(format!(
            "Gone from the current table: {}.",
            named(&gone)
        )));
    }
    for column in &measured.retyped {
        schema.push(ReportBlock::Text(format!(
            "Of another type: `{}` holds {} in the reference and {} in the current table.",
            column.name, column.reference, column.current
        )));
    }
    if !measured.unread.is_empty() {
        schema.push(ReportBlock::Text(format!(
            "Read in neither table, as lists, structures and bytes are not: {}.",
            named(&measured.unread)
        )));
    }
    if !measured.added.is_empty() {
        schema.push(ReportBlock::Text(format!(
            "Only in the current table: {}.",
            named(&measured.added)
        )));
    }
    schema
}

/// Says how drift was decided, with the tolerances that were used.
fn method(measured: &DriftMeasurement) -> String {
    let tolerances = measured.options.tolerances;
    let rank_error = measured
        .columns
        .iter()
        .map(|column| column.rank_error)
        .fold(0.0, f64::max);
    let stored = match rank_error > 0.0 {
        true => format!(
            " The reference is a stored profile: distributions are known to within {} of its rows, and bounds are wider by that.",
            percent(rank_error)
        ),
        false => String::new(),
    };
    format!(
        "A column has drifted when the lower bound of a change passes its tolerance: {} of rows differently distributed \
         (Kolmogorov-Smirnov distance of numbers, total variation of categories), {} points of missing values, {} of rows in unseen \
         categories. Bounds hold at {} over all columns together (Bonferroni). Evidently's rule is shown for comparison; p-values are \
         adjusted over columns (Benjamini and Hochberg).{stored}",
        percent(tolerances.effect),
        percent(tolerances.missing),
        percent(tolerances.unseen),
        percent(tolerances.level)
    )
}

fn size(column: &ColumnMeasurement) -> f64 {
    column.drift.effect.map_or(0.0, |effect| effect.estimate)
}

fn percent(share: f64) -> String {
    format!(
        "{} %",
        number(share * 100.0)
            .trim_end_matches('0')
            .trim_end_matches('.')
    )
}

/// Writes a share with three decimals; minus zero reads like a mistake.
fn thousandths(share: f64) -> String {
    let text = format!("{share:.3}");
    if text == "-0.000" {
        "0.000".to_owned()
    } else {
        text
    }
}

fn effect_cell(effect: Option<Effect>) -> Cell {
    match effect {
        Some(found) => number_cell(format!(
            "{} ({} to {})",
            thousandths(found.estimate),
            thousandths(found.lower),
            thousandths(found.upper)
        )),
        None => text_cell("not defined"),
    }
}

fn columns_table(measured: &DriftMeasurement) -> ReportBlock {
    let row = |column: &ColumnMeasurement| {
        let (word, tone) = match column.drift.change {
            Change::Drifted => ("drifted", Tone::Bad),
            Change::Stable => ("stable", Tone::Good),
            Change::Undecided => ("undecided", Tone::Open),
        };
        let score = column
            .evidently
            .score
            .map_or("not defined".to_owned(), number);
        let evidently = format!(
            "{} {score}{}",
            column.evidently.method,
            if column.evidently.drift {
                ", drift"
            } else {
                ""
            }
        );
        vec![
            text_cell(format!("`{}`", column.name)),
            tone_cell(word, tone),
            effect_cell(column.drift.effect),
            effect_cell(column.drift.missing),
            column
                .drift
                .unseen
                .map_or(text_cell("–"), |unseen| effect_cell(Some(unseen))),
            text_cell(evidently),
        ]
    };
    let mut columns: Vec<&ColumnMeasurement> = measured.columns.iter().collect();
    let rank = |column: &ColumnMeasurement| match column.drift.change {
        Change::Drifted => 0,
        Change::Undecided => 1,
        Change::Stable => 2,
    };
    columns.sort_by(|a, b| rank(a).cmp(&rank(b)).then(size(b).total_cmp(&size(a))));
    ReportBlock::Table {
        caption: "Share of rows by which the distributions differ, with bounds".to_owned(),
        columns: [
            "Column",
            "Verdict",
            "Distribution",
            "Missing values",
            "Unseen categories",
            "Evidently's rule",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: columns.into_iter().map(row).collect(),
    }
}

fn tests_table(measured: &DriftMeasurement) -> ReportBlock {
    let mut rows = Vec::new();
    for column in &measured.columns {
        for test in &column.tests {
            let shown = |value: Option<f64>| {
                value.map_or(text_cell("–"), |value| number_cell(number(value)))
            };
            let statistic = test
                .statistic
                .map_or(text_cell("not defined"), |value| number_cell(number(value)));
            rows.push(vec![
                text_cell(format!("`{}`", column.name)),
                text_cell(test.test.replace('_', " ")),
                statistic,
                shown(test.p_value),
                shown(test.p_adjusted),
            ]);
        }
    }
    ReportBlock::Table {
        caption:
            "With many rows the smallest change has a small p-value; the size above is what counts"
                .to_owned(),
        columns: ["Column", "Test", "Statistic", "p", "p adjusted"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    }
}

fn figure(column: &ColumnMeasurement) -> ReportBlock {
    let effect = column.drift.effect.map_or(0.0, |effect| effect.estimate);
    let (svg, description) = match &column.shape {
        Shape::Numbers(points) => (
            plot::distributions(&format!("Distribution of {}", column.name), points),
            format!(
                "Share of rows at or below each value; the curves are at most {} apart.",
                percent(effect)
            ),
        ),
        Shape::Categories(shares) => (
            plot::shares(&format!("Shares of {}", column.name), shares),
            format!(
                "Shares of categories; {} of rows would have to change.",
                percent(effect)
            ),
        ),
    };
    ReportBlock::Plot {
        caption: column.name.clone(),
        description,
        svg,
    }
}
