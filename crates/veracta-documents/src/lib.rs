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
mod row_plot;
mod validation_report;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use veracta_statistics::interval::Estimate;

use veracta_governance::evidence::{Evidence, EvidenceSet};
use veracta_governance::record::RecordRef;

const TEMPLATES: &str = include_str!("../data/documents.yaml");

/// The plan of a document: its sections, and the kinds of record that fill each of them.
#[derive(Debug, Clone, Deserialize)]
pub struct Template {
    /// Identifier of the kind of document, such as `model_card`.
    pub id: String,
    /// Title of the document, for people.
    pub title: String,
    /// Event or interval at which the document is made, in words.
    pub when: String,
    /// Readers that the document is written for, in words.
    pub audience: String,
    /// Identifiers of the controls that the document helps to show.
    pub controls: Vec<String>,
    /// Sections in the order in which they are printed.
    pub sections: Vec<SectionTemplate>,
}

/// A section of a template, with the records that fill it.
#[derive(Debug, Clone, Deserialize)]
pub struct SectionTemplate {
    /// Heading of the section, by which its content is chosen.
    pub heading: String,
    /// Kinds of record that its content is taken from.
    pub fills: Vec<String>,
    /// Which values are taken from these records, in words.
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

/// A kind of document that this version can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// What a model is, what it was trained on, how well it works, for whom.
    ModelCard,
    /// What was tested, against what, and how it ended.
    ValidationReport,
}

/// Every kind of document; a pipeline writes all of them unless it lists some.
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

    /// Returns the shipped template of this kind.
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

/// A document with its content, ready to be rendered in any format.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// Kind of the document, from which its template follows.
    pub kind: DocumentKind,
    /// Title of the document, as its template has it.
    pub title: String,
    /// The model that the document is about, in one line.
    pub subject: String,
    /// The word that stands beside every result: real, simulated …
    pub data_nature: String,
    /// The verdict of the gate, printed at the top.
    pub verdict: Headline,
    /// Version of the templates that the document was made with.
    pub template: String,
    /// Sections in the order of the template.
    pub sections: Vec<Section>,
    /// Number of missing values or statements in all sections.
    pub n_gaps: usize,
    /// Name of the log that the cited records are in.
    pub origin: String,
    /// Records that the document cites, in the order of the ledger.
    pub sources: Vec<RecordRef>,
}

/// The result at the top of a document or report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Headline {
    /// The result in one sentence.
    pub text: String,
    /// Whether the result is shown as good, bad, open or neither.
    pub tone: Tone,
}

/// Whether a text is shown as good, bad, open or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// The condition that is judged is met.
    Good,
    /// The condition that is judged is not met.
    Bad,
    /// It cannot be decided yet, such as for want of evidence or of rows.
    Open,
    /// The text makes no judgement.
    Plain,
}

/// One section of a document, with its content.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Heading of the section, as the template has it.
    pub heading: String,
    /// Parts of the content, in the order in which they are printed.
    pub blocks: Vec<Block>,
}

/// A part of the content of a section.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A list of values, each with its label and its origin.
    Facts(Vec<Fact>),
    /// A table whose rows name their records.
    Table(Grid),
    /// A plot as SVG, with its content in words.
    Plot(Figure),
    /// A paragraph with the state of what it says.
    Text(Fact),
    /// A value or statement that is missing, in words.
    Gap(String),
}

/// A value with its label, its origin and its record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// What the value is of, in a few words.
    pub label: String,
    /// The value as it is printed, with its unit.
    pub value: String,
    /// Whether it was computed, stated by a person, or taken from elsewhere.
    pub state: ValueState,
    /// The record that the values are taken from.
    pub source: Option<RecordRef>,
}

/// The origin of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueState {
    /// A program computed it from data.
    Measured,
    /// A person stated it; nothing was computed.
    Declared,
    /// It is copied from another record, which states its origin.
    Inherited,
}

/// A table of which all values come from one record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grid {
    /// Title of the table, in one line.
    pub caption: String,
    /// Headings of the columns, one for each cell of a row.
    pub columns: Vec<String>,
    /// Rows from top to bottom, with one cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// The record that the values are taken from.
    pub source: RecordRef,
}

/// A cell of a table, with the records that it links to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// Text of the cell as it is printed.
    pub text: String,
    /// Whether the text is shown as good, bad, open or neither.
    pub tone: Tone,
    /// Whether it is a number, set to the right.
    pub numeric: bool,
    /// Records it names, each opened by a link.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordRef>,
}

/// A plot of which all numbers come from one record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Title of the plot, in one line.
    pub caption: String,
    /// The same in words, for those who do not see it.
    pub description: String,
    /// The plot as an SVG element.
    #[serde(skip)]
    pub svg: String,
    /// The record that the numbers are taken from.
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
    use veracta_governance::gate::Verdict;
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
