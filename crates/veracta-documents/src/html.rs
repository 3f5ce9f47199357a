//! Renders a document as one self-contained HTML page: no script, no outside resource, light and dark, fit to print.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Block, Cell, Document, Fact, Grid, Section, Tone, ValueState};
use veracta_governance::record::RecordRef;

const STYLE: &str = include_str!("style.css");

/// Renders a document as one self-contained HTML page.
pub fn render(document: &Document) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&document.title, &document.subject))
            body {
                (header(document))
                main {
                    (contents(document))
                    @for (position, section) in document.sections.iter().enumerate() { (render_section(position, section, nature(document))) }
                    (records(document))
                }
                footer {
                    p { "Each value carries the place of its record in the log " code { (document.origin) } "; "
                        "check the log with " code { "veracta verify" } ". "
                        "A draft until a person approves it." }
                }
            }
        }
    };
    page.into_string()
}

/// Returns the head of every page: its title and the one style sheet.
pub(super) fn head(title: &str, subject: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · " (subject) }
            style { (PreEscaped(STYLE)) }
        }
    }
}

fn header(document: &Document) -> Markup {
    html! {
        header {
            p.kind { (document.title) }
            h1 { (document.subject) }
            p.verdict.(tone(document.verdict.tone)) { (document.verdict.text) }
            ul.chips {
                li { "data: " strong { (document.data_nature) } }
                li.open[document.n_gaps > 0] { strong { (document.n_gaps) } " gaps" }
                li { strong { (document.sources.len()) } " records" }
                li { "template " (document.template) }
                li { "draft" }
            }
        }
    }
}

fn contents(document: &Document) -> Markup {
    html! {
        nav aria-label="Contents" {
            ol {
                @for (position, section) in document.sections.iter().enumerate() {
                    @let n_gaps = gaps(section);
                    li { a href=(format!("#s{position}")) { (section.heading) }
                        @if n_gaps > 0 { " " span.count title="gaps" { (n_gaps) } } }
                }
            }
        }
    }
}

fn gaps(section: &Section) -> usize {
    section
        .blocks
        .iter()
        .filter(|block| matches!(block, Block::Gap(_)))
        .count()
}

/// The word that stands beside results of data that is not real.
fn nature(document: &Document) -> Option<&str> {
    Some(document.data_nature.as_str()).filter(|word| !matches!(*word, "real" | "undeclared"))
}

fn render_section(position: usize, section: &Section, nature: Option<&str>) -> Markup {
    let is_figure = |block: &Block| matches!(block, Block::Plot(_));
    html! {
        section id=(format!("s{position}")) {
            h2 { (section.heading) }
            @for run in section.blocks.chunk_by(|a, b| is_figure(a) && is_figure(b)) {
                @if is_figure(&run[0]) { div.figures { @for block in run { (render_block(block, nature)) } } }
                @else { @for block in run { (render_block(block, nature)) } }
            }
        }
    }
}

fn render_block(block: &Block, nature: Option<&str>) -> Markup {
    match block {
        Block::Facts(facts) => html! { dl { @for fact in facts { (render_fact(fact)) } } },
        Block::Text(fact) => html! {
            p.text { strong { (fact.label) ": " } (code_spans(&fact.value)) " " (badge(fact.state)) " " (source(fact.source.as_ref())) }
        },
        Block::Gap(gap) => html! { p.gap { span.mark { "Gap" } " " (gap) } },
        Block::Plot(figure) => html! {
            figure {
                (PreEscaped(&figure.svg))
                figcaption { (figure.caption) (nature_mark(nature)) " " (source(Some(&figure.source))) p.described { (figure.description) } }
            }
        },
        Block::Table(grid) => render_table(grid, nature),
    }
}

fn render_fact(fact: &Fact) -> Markup {
    html! {
        div { dt { (fact.label) } dd { span.value { (code_spans(&fact.value)) } " " (badge(fact.state)) " " (source(fact.source.as_ref())) } }
    }
}

fn nature_mark(nature: Option<&str>) -> Markup {
    html! { @if let Some(word) = nature { " · " em { (word) " data" } } }
}

fn render_table(grid: &Grid, nature: Option<&str>) -> Markup {
    html! {
        div.scroll {
            table {
                caption { (grid.caption) (nature_mark(nature)) " " (source(Some(&grid.source))) }
                thead { tr { @for name in &grid.columns { th scope="col" { (name) } } } }
                tbody { @for row in &grid.rows { tr { @for cell in row { (render_cell(cell)) } } } }
            }
        }
    }
}

pub(super) fn render_cell(cell: &Cell) -> Markup {
    if !cell.records.is_empty() {
        return html! { td { @for record in &cell.records { (source(Some(record))) " " } } };
    }
    if cell.numeric {
        // A line may break before an interval, not inside it.
        return html! { td.numeric { (cell.text.replace(" to ", "\u{a0}to\u{a0}")) } };
    }
    html! { td { @if cell.tone == Tone::Plain { (code_spans(&cell.text)) } @else { span.pill.(tone(cell.tone)) { (cell.text) } } } }
}

/// Sets text between backticks as code.
pub(super) fn code_spans(text: &str) -> Markup {
    html! {
        @for (position, part) in text.split('`').enumerate() {
            @if position % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn badge(state: ValueState) -> Markup {
    match state {
        ValueState::Measured => html! { span.badge title="computed from data" { "measured" } },
        ValueState::Declared => {
            html! { span.badge.declared title="stated by a person" { "declared" } }
        }
        ValueState::Inherited => {
            html! { span.badge title="taken from another record" { "inherited" } }
        }
    }
}

fn source(source: Option<&RecordRef>) -> Markup {
    html! {
        @if let Some(source) = source {
            a.source href=(format!("#r{}", source.idx)) title=(format!("{} at #{}, SHA-256 {}", source.kind, source.idx, source.digest)) { "#" (source.idx) }
        }
    }
}

fn records(document: &Document) -> Markup {
    html! {
        section #records {
            h2 { "Records" }
            div.scroll {
                table {
                    caption { "Everything this document rests on" }
                    thead { tr { th scope="col" { "Place" } th scope="col" { "Kind" } th scope="col" { "SHA-256 of the record" } } }
                    tbody {
                        @for source in &document.sources {
                            tr id=(format!("r{}", source.idx)) { td { "#" (source.idx) } td { (source.kind) } td { code { (source.digest) } } }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Open => "open",
        Tone::Plain => "plain",
    }
}
