//! Renders a document as Markdown; every value is followed by its place in the ledger.

use std::fmt::Write;

use super::{Block, Document, Fact, Grid, ValueState};
use veracta_governance::record::RecordRef;

/// Renders a document as Markdown, with its plots in words.
pub fn render(document: &Document) -> String {
    let mut out = format!(
        "# {}: {}\n\n",
        escape(&document.title),
        escape(&document.subject)
    );
    put(
        &mut out,
        format_args!(
            "**{}.** Data: {}. Gaps: {}. Log: `{}`.\n",
            document.verdict.text, document.data_nature, document.n_gaps, document.origin
        ),
    );
    for section in &document.sections {
        put(&mut out, format_args!("\n## {}\n\n", section.heading));
        for block in &section.blocks {
            render_block(&mut out, block);
        }
    }
    out += "\n## Records\n\n| Place | Kind | SHA-256 |\n|---|---|---|\n";
    for source in &document.sources {
        put(
            &mut out,
            format_args!(
                "| #{} | {} | `{}` |\n",
                source.idx, source.kind, source.digest
            ),
        );
    }
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to a string cannot fail");
}

fn render_block(out: &mut String, block: &Block) {
    match block {
        Block::Facts(facts) => {
            facts
                .iter()
                .for_each(|fact| put(out, format_args!("- {}\n", line(fact))));
            out.push('\n');
        }
        Block::Text(fact) => put(out, format_args!("{}\n\n", line(fact))),
        Block::Gap(gap) => put(out, format_args!("> **Gap:** {}\n\n", escape(gap))),
        Block::Plot(figure) => put(
            out,
            format_args!(
                "*{}.* {} {}\n\n",
                escape(&figure.caption),
                escape(&figure.description),
                place(&figure.source)
            ),
        ),
        Block::Table(grid) => table(out, grid),
    }
}

fn line(fact: &Fact) -> String {
    let state = match fact.state {
        ValueState::Measured => "measured",
        ValueState::Declared => "declared",
        ValueState::Inherited => "inherited",
    };
    let source = fact.source.as_ref().map(place).unwrap_or_default();
    format!(
        "**{}:** {} ({state}) {source}",
        escape(&fact.label),
        escape(&fact.value)
    )
}

fn table(out: &mut String, grid: &Grid) {
    put(
        out,
        format_args!(
            "{} {}\n\n| {} |\n|",
            escape(&grid.caption),
            place(&grid.source),
            grid.columns
                .iter()
                .map(|name| escape(name))
                .collect::<Vec<_>>()
                .join(" | ")
        ),
    );
    grid.columns.iter().for_each(|_| out.push_str("---|"));
    out.push('\n');
    for row in &grid.rows {
        put(
            out,
            format_args!(
                "| {} |\n",
                row.iter()
                    .map(|cell| escape(&cell.text))
                    .collect::<Vec<_>>()
                    .join(" | ")
            ),
        );
    }
    out.push('\n');
}

fn place(source: &RecordRef) -> String {
    format!(
        "[{} #{} {}]",
        source.kind,
        source.idx,
        source.digest.short()
    )
}

/// Keeps text from being read as markup or as the end of a cell.
pub(super) fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('*', "\\*")
        .replace('<', "&lt;")
        .replace('\n', " ")
}
