//! Documents: views of evidence in which every value names its record and every gap is printed and counted.
//!
//! A document is gathered into a [`Document`] once and rendered to HTML, Markdown or JSON from that. Sections, and what should fill
//! them, come from the templates file; a section whose evidence is not there says so.

mod behaviour;
pub mod html;
pub mod markdown;
mod model_card;
pub mod plot;
pub mod report;
mod validation_report;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use veracta_ml::interval::Estimate;

use crate::evidence::{Evidence, EvidenceSet};
use crate::record::RecordRef;

const TEMPLATES: &str = include_str!("../../data/documents.yaml");

/// A document template.
#[derive(Debug, Clone, Deserialize)]
pub struct Template {
    /// Identifier, such as `model_card`.
    pub id: String,
    /// Title.
    pub title: String,
    /// When it is made.
    pub when: String,
    /// Who reads it.
    pub audience: String,
    /// Controls it serves.
    pub controls: Vec<String>,
    /// Its sections.
    pub sections: Vec<SectionTemplate>,
}

/// A section of a template.
#[derive(Debug, Clone, Deserialize)]
pub struct SectionTemplate {
    /// Heading.
    pub heading: String,
    /// Kinds of record that fill it.
    pub fills: Vec<String>,
    /// What is taken from them.
    pub how: String,
    /// What a person must write or confirm; `none` when nothing.
    pub person: String,
}

#[derive(Deserialize)]
struct TemplateFile {
    schema: String,
    documents: Vec<Template>,
}

fn templates() -> &'static TemplateFile {
    static SHIPPED: OnceLock<TemplateFile> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        serde_saphyr::from_str(TEMPLATES).expect("the shipped templates are checked by a test")
    })
}

/// A kind of document this version writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// What a model is, what it was trained on, how well it works, for whom.
    ModelCard,
    /// What was tested, against what, and how it ended.
    ValidationReport,
}

/// Every kind, one line each.
pub const DOCUMENT_KINDS: [DocumentKind; 2] =
    [DocumentKind::ModelCard, DocumentKind::ValidationReport];

impl DocumentKind {
    /// Returns the identifier of its template.
    pub fn id(self) -> &'static str {
        match self {
            Self::ModelCard => "model_card",
            Self::ValidationReport => "validation_report",
        }
    }

    /// Returns the kind of that identifier.
    pub fn named(id: &str) -> Option<Self> {
        DOCUMENT_KINDS.into_iter().find(|kind| kind.id() == id)
    }

    /// Returns its template.
    pub fn template(self) -> &'static Template {
        let found = templates()
            .documents
            .iter()
            .find(|template| template.id == self.id());
        found.expect("every kind of document has a template")
    }

    /// Returns the version of the templates.
    pub fn template_version(self) -> &'static str {
        &templates().schema
    }
}

/// A gathered document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// Kind.
    pub kind: DocumentKind,
    /// Title.
    pub title: String,
    /// What it is about, in one line.
    pub subject: String,
    /// The word that stands beside every result: real, simulated …
    pub data_nature: String,
    /// A headline: the gate's verdict.
    pub verdict: Headline,
    /// Version of the template.
    pub template: String,
    /// Sections.
    pub sections: Vec<Section>,
    /// Gaps in all sections.
    pub n_gaps: usize,
    /// Log the records stand in.
    pub origin: String,
    /// Records it rests on, in ledger order.
    pub sources: Vec<RecordRef>,
}

/// The verdict over a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Headline {
    /// In words.
    pub text: String,
    /// How it looks.
    pub tone: Tone,
}

/// Whether something is good, bad or open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Holds.
    Good,
    /// Does not hold.
    Bad,
    /// Not settled.
    Open,
    /// Neither.
    Plain,
}

/// One section.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Heading.
    pub heading: String,
    /// Content in order.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// Labelled values.
    Facts(Vec<Fact>),
    /// A table whose rows name their records.
    Table(Grid),
    /// A plot as SVG, with its content in words.
    Plot(Figure),
    /// A paragraph with the state of what it says.
    Text(Fact),
    /// Something that is missing.
    Gap(String),
}

/// A value with where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// The value.
    pub value: String,
    /// How it came about.
    pub state: ValueState,
    /// The record that holds it.
    pub source: Option<RecordRef>,
}

/// How a value came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueState {
    /// Computed from data.
    Measured,
    /// Stated by a person.
    Declared,
    /// Taken from another record.
    Inherited,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grid {
    /// What it shows.
    pub caption: String,
    /// Column headings.
    pub columns: Vec<String>,
    /// Rows of cells.
    pub rows: Vec<Vec<Cell>>,
    /// The record that holds it.
    pub source: RecordRef,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// Its text.
    pub text: String,
    /// How it looks.
    pub tone: Tone,
    /// Whether it is a number, set to the right.
    pub numeric: bool,
    /// Records it names, each opened by a link.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordRef>,
}

/// A plot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What it shows.
    pub caption: String,
    /// The same in words, for those who do not see it.
    pub description: String,
    /// The drawing.
    #[serde(skip)]
    pub svg: String,
    /// The record that holds its numbers.
    pub source: RecordRef,
}

/// Gathers a document from evidence. The clock is not read: the same evidence gives the same bytes.
pub fn gather(kind: DocumentKind, evidence: &EvidenceSet) -> Document {
    let template = kind.template();
    let (subject, verdict) = headline(evidence);
    let sections: Vec<Section> = template
        .sections
        .iter()
        .map(|section| {
            let mut blocks = match kind {
                DocumentKind::ModelCard => model_card::blocks(&section.heading, evidence),
                DocumentKind::ValidationReport => {
                    validation_report::blocks(&section.heading, evidence)
                }
            };
            blocks.extend(person_block(kind, section, evidence));
            blocks.extend(absent_kinds(section, evidence));
            Section {
                heading: section.heading.clone(),
                blocks,
            }
        })
        .collect();
    let n_gaps = sections
        .iter()
        .flat_map(|section| &section.blocks)
        .filter(|block| matches!(block, Block::Gap(_)))
        .count();
    let sources: BTreeSet<RecordRef> = sections
        .iter()
        .flat_map(|section| &section.blocks)
        .flat_map(sources_of)
        .collect();
    let nature = evidence
        .dataset_version()
        .map_or("undeclared", |(_, data)| data.nature.word());
    let origin = evidence
        .ledger_checkpoint()
        .map(|(_, opening)| opening.origin.clone())
        .unwrap_or_default();
    Document {
        kind,
        title: template.title.clone(),
        subject,
        data_nature: nature.to_owned(),
        verdict,
        template: kind.template_version().to_owned(),
        sections,
        n_gaps,
        origin,
        sources: sources.into_iter().collect(),
    }
}

fn headline(evidence: &EvidenceSet) -> (String, Headline) {
    use crate::gate::Verdict;
    let Some((_, model)) = evidence.model_version() else {
        return (
            "no model".to_owned(),
            Headline {
                text: "No model on record".to_owned(),
                tone: Tone::Open,
            },
        );
    };
    let subject = format!(
        "{} version {} · {}",
        model.model,
        model.version,
        model.digest.short()
    );
    let (text, tone) = match model.gate.as_ref().map(|gate| gate.verdict) {
        Some(Verdict::Pass) => (
            "Registered: every rule of the gate holds or is waived",
            Tone::Good,
        ),
        Some(Verdict::Refuse) => (
            "Refused: at least one rule of the gate does not hold",
            Tone::Bad,
        ),
        Some(Verdict::Incomplete) => ("Not registered: evidence is missing", Tone::Open),
        None => ("Candidate: no gate has judged it", Tone::Open),
    };
    (
        subject,
        Headline {
            text: text.to_owned(),
            tone,
        },
    )
}

/// Returns what a person wrote for the section, or the gap where it should stand.
fn person_block(
    kind: DocumentKind,
    section: &SectionTemplate,
    evidence: &EvidenceSet,
) -> Option<Block> {
    if section.person == "none" {
        return None;
    }
    let topic = format!("{}/{}", kind.id(), section.heading);
    let written = evidence.attestations(&topic).last();
    Some(match written {
        Some((item, statement)) => {
            let label = statement
                .signer
                .clone()
                .map_or("Statement".to_owned(), |signer| {
                    format!("Statement by {signer}")
                });
            Block::Text(declared(label, &statement.statement, item))
        }
        None => Block::Gap(format!("A person has not written: {}.", section.person)),
    })
}

fn absent_kinds(section: &SectionTemplate, evidence: &EvidenceSet) -> Vec<Block> {
    // A document is recorded after it is written, so its own record cannot be in it.
    let absent = section
        .fills
        .iter()
        .filter(|kind| *kind != "document.export" && !evidence.has_kind(kind));
    absent
        .map(|kind| Block::Gap(format!("No {kind} record is in the ledger.")))
        .collect()
}

fn sources_of(block: &Block) -> Vec<RecordRef> {
    match block {
        Block::Facts(facts) => facts
            .iter()
            .filter_map(|fact| fact.source.clone())
            .collect(),
        Block::Text(fact) => fact.source.clone().into_iter().collect(),
        Block::Table(grid) => {
            let named = grid
                .rows
                .iter()
                .flatten()
                .flat_map(|cell| cell.records.iter().cloned());
            [grid.source.clone()].into_iter().chain(named).collect()
        }
        Block::Plot(figure) => vec![figure.source.clone()],
        Block::Gap(_) => Vec::new(),
    }
}

fn fact(
    label: impl Into<String>,
    value: impl ToString,
    state: ValueState,
    item: &Evidence,
) -> Fact {
    Fact {
        label: label.into(),
        value: value.to_string(),
        state,
        source: Some(item.reference()),
    }
}

fn measured(label: impl Into<String>, value: impl ToString, item: &Evidence) -> Fact {
    fact(label, value, ValueState::Measured, item)
}

fn declared(label: impl Into<String>, value: impl ToString, item: &Evidence) -> Fact {
    fact(label, value, ValueState::Declared, item)
}

/// Returns a declared fact, or what the gap says when nobody declared it.
fn declared_or_gap(label: &str, value: Option<&str>, item: &Evidence) -> Result<Fact, String> {
    match value.filter(|value| !value.is_empty()) {
        Some(value) => Ok(declared(label, value, item)),
        None => Err(format!("{label}: nobody has declared it.")),
    }
}

/// Returns facts as one block, followed by the gaps among them.
fn facts_and_gaps(entries: Vec<Result<Fact, String>>) -> Vec<Block> {
    let (mut facts, mut gaps) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Ok(fact) => facts.push(fact),
            Err(gap) => gaps.push(Block::Gap(gap)),
        }
    }
    let mut blocks = if facts.is_empty() {
        Vec::new()
    } else {
        vec![Block::Facts(facts)]
    };
    blocks.extend(gaps);
    blocks
}

fn text_cell(text: impl Into<String>) -> Cell {
    Cell {
        text: text.into(),
        tone: Tone::Plain,
        numeric: false,
        records: Vec::new(),
    }
}

/// Returns a cell that names records and links to them.
fn records_cell(records: &[RecordRef]) -> Cell {
    let places: Vec<String> = records
        .iter()
        .map(|record| format!("#{}", record.idx))
        .collect();
    Cell {
        records: records.to_vec(),
        ..text_cell(places.join(" "))
    }
}

fn number_cell(text: impl Into<String>) -> Cell {
    Cell {
        text: text.into(),
        tone: Tone::Plain,
        numeric: true,
        records: Vec::new(),
    }
}

fn tone_cell(text: impl Into<String>, tone: Tone) -> Cell {
    Cell {
        text: text.into(),
        tone,
        numeric: false,
        records: Vec::new(),
    }
}

/// Returns a number with four significant digits, as tables show it.
pub fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-4 || value.abs() >= 1e9 {
        return format!("{value:.1e}");
    }
    // Minus zero reads like a mistake.
    let text = format!("{value:.4}");
    if text == "-0.0000" {
        "0.0000".to_owned()
    } else {
        text
    }
}

/// Returns `estimate (lower to upper)`, or that it is not defined.
pub fn with_interval(estimate: Option<&Estimate>) -> String {
    match estimate {
        Some(e) => format!(
            "{} ({} to {})",
            number(e.estimate),
            number(e.lower),
            number(e.upper)
        ),
        None => "not defined".to_owned(),
    }
}

/// Returns a whole number with thin groups, as `7,043`.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
