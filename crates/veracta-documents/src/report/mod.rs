//! Reports of measurements that stand on their own: no workspace and no record behind them, so that a value names its method instead
//! of its record. A family of functions gathers them, one file a measurement; two render them.

pub mod anonymity;
pub mod changes;
pub mod comparison;
pub mod drift;
pub mod evaluation;
pub mod explanation;
pub mod insight;
pub mod robustness;
pub mod tasks;

use std::borrow::Cow;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use super::{Cell, Headline, Tone};

/// The report of one measurement, ready to be rendered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Kind of the report, such as `Drift report`.
    pub title: String,
    /// What was measured, such as a model, a file, or two that are compared.
    pub subject: String,
    /// The result in one line, printed at the top.
    pub verdict: Headline,
    /// Facts of a few words each, such as the number of rows.
    pub chips: Vec<String>,
    /// Sections in the order in which they are printed.
    pub sections: Vec<ReportSection>,
    /// The methods by which the numbers were computed, in words.
    pub method: String,
}

/// A section of a report, with its content.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportSection {
    /// Heading of the section, in a few words.
    pub heading: String,
    /// Parts of the content, in the order in which they are printed.
    pub blocks: Vec<ReportBlock>,
}

/// A part of the content of a section.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportBlock {
    /// A paragraph of text; words between backticks are set as code.
    Text(String),
    /// A table with its title.
    Table {
        /// Title of the table, in one line.
        caption: String,
        /// Headings of the columns, one for each cell of a row.
        columns: Vec<String>,
        /// Rows from top to bottom, with one cell for each column.
        rows: Vec<Vec<Cell>>,
    },
    /// A plot with its title.
    Plot {
        /// Title of the plot, in one line.
        caption: String,
        /// What the plot shows, in words, for those who do not see it.
        description: String,
        /// The plot as an SVG element.
        #[serde(skip)]
        svg: String,
    },
}

/// Renders a report as one self-contained page: no script, no outside resource, light and dark, fit to print.
pub fn html(report: &Report) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (super::html::head(&report.title, &report.subject))
            body {
                header {
                    p.kind { (report.title) }
                    h1 { (report.subject) }
                    p.verdict.(super::html::tone(report.verdict.tone)) { (report.verdict.text) }
                    ul.chips { @for chip in &report.chips { li { (chip) } } }
                }
                main { @for section in &report.sections { (html_section(section)) } }
                footer { p { (report.method) } }
            }
        }
    };
    page.into_string()
}

fn html_section(section: &ReportSection) -> Markup {
    let is_plot = |block: &ReportBlock| matches!(block, ReportBlock::Plot { .. });
    html! {
        section {
            h2 { (section.heading) }
            @for run in section.blocks.chunk_by(|a, b| is_plot(a) && is_plot(b)) {
                @if is_plot(&run[0]) { div.figures { @for block in run { (html_block(block)) } } }
                @else { @for block in run { (html_block(block)) } }
            }
        }
    }
}

fn html_block(block: &ReportBlock) -> Markup {
    match block {
        ReportBlock::Text(text) => html! { p.text { (super::html::code_spans(text)) } },
        ReportBlock::Table {
            caption,
            columns,
            rows,
        } => html! {
            div.scroll {
                table {
                    caption { (caption) }
                    thead { tr { @for name in columns { th scope="col" { (name) } } } }
                    tbody { @for row in rows { tr { @for cell in row { (super::html::render_cell(cell)) } } } }
                }
            }
        },
        ReportBlock::Plot {
            caption,
            description,
            svg,
        } => html! {
            figure { (PreEscaped(svg)) figcaption { (caption) p.described { (description) } } }
        },
    }
}

/// Whether a section is nothing but drawings.
fn is_drawn_only(section: &ReportSection) -> bool {
    section
        .blocks
        .iter()
        .all(|block| matches!(block, ReportBlock::Plot { .. }))
}

/// Renders a report as Markdown.
pub fn markdown(report: &Report) -> String {
    let escape = super::markdown::escape;
    let mut out = format!(
        "# {}: {}\n\n**{}** {}\n",
        escape(&report.title),
        escape(&report.subject),
        escape(&report.verdict.text),
        escape(&report.chips.join(" · "))
    );
    for section in report
        .sections
        .iter()
        .filter(|section| !is_drawn_only(section))
    {
        out += &format!("\n## {}\n\n", escape(&section.heading));
        for block in &section.blocks {
            match block {
                ReportBlock::Text(text) => out += &format!("{}\n\n", escape(text)),
                // What a drawing shows stands in the tables.
                ReportBlock::Plot { .. } => {}
                ReportBlock::Table {
                    caption,
                    columns,
                    rows,
                } => {
                    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
                    out += &format!(
                        "{}\n\n{}",
                        escape(caption),
                        line(columns.iter().map(|name| escape(name)).collect())
                    );
                    out += &format!("|{}\n", "---|".repeat(columns.len()));
                    rows.iter().for_each(|row| {
                        out += &line(row.iter().map(|cell| escape(&cell.text)).collect())
                    });
                    out.push('\n');
                }
            }
        }
    }
    out + "\n" + &escape(&report.method) + "\n"
}

/// Renders a report as plain lines for a terminal, without its plots.
pub fn plain(report: &Report) -> String {
    let mut out = format!(
        "{}\n{}\n{}\n",
        report.subject,
        report.verdict.text,
        report.chips.join(" · ")
    );
    for section in report
        .sections
        .iter()
        .filter(|section| !is_drawn_only(section))
    {
        out += &format!("\n{}\n", section.heading);
        for block in &section.blocks {
            match block {
                ReportBlock::Text(text) => out += &format!("  {text}\n"),
                ReportBlock::Table { columns, rows, .. } => out += &plain_table(columns, rows),
                ReportBlock::Plot { .. } => {}
            }
        }
    }
    out + "\n" + &report.method + "\n"
}

/// Most characters of a cell in plain text; a page has them all.
const PLAIN_CHARS_MAX: usize = 200;

fn plain_cell(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(PLAIN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

fn plain_table(columns: &[String], rows: &[Vec<Cell>]) -> String {
    let width = |idx: usize| {
        let cells = rows.iter().filter_map(|row| row.get(idx));
        let names = [plain_cell(&columns[idx]).chars().count()];
        let cells = cells.map(|cell| plain_cell(&cell.text).chars().count());
        cells.chain(names).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: Vec<(Cow<'_, str>, bool)>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|((text, numeric), width)| match numeric {
                true => format!("{text:>width$}"),
                false => format!("{text:<width$}"),
            });
        format!("  {}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut out = line(
        columns
            .iter()
            .map(|name| (plain_cell(name), false))
            .collect(),
    );
    rows.iter().for_each(|row| {
        out += &line(
            row.iter()
                .map(|cell| (plain_cell(&cell.text), cell.numeric))
                .collect(),
        )
    });
    out
}

fn good(text: &str) -> Headline {
    Headline {
        text: text.to_owned(),
        tone: Tone::Good,
    }
}

fn bad(text: &str) -> Headline {
    Headline {
        text: text.to_owned(),
        tone: Tone::Bad,
    }
}

fn open(text: &str) -> Headline {
    Headline {
        text: text.to_owned(),
        tone: Tone::Open,
    }
}
