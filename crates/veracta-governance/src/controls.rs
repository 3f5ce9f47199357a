//! The controls catalogue, and what the evidence says about each control.
//!
//! A control with a check of its own is settled by it. For every other control the answer is *missing*: it names the kinds of record
//! that are not there, or says that a person must decide. Nothing passes because nobody looked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use veracta_statistics::minimisation::Need;

use crate::evidence::{Evidence, EvidenceSet};
use crate::gate::is_reproduced;
use crate::record::{ModelStatus, RecordRef};

/// The catalogue shipped with this version.
const CATALOGUE: &str = include_str!("../data/catalogue.yaml");

/// The controls catalogue: controls, the frameworks they are taken from, and the kinds of evidence.
#[derive(Debug, Clone, Deserialize)]
pub struct Catalogue {
    /// Name and version of the file format, such as `veracta.controls/1`.
    pub schema: String,
    /// Date on which the texts of the frameworks were last read, ISO 8601.
    pub as_of: String,
    /// Frameworks by the identifier that a pipeline declares and a control names.
    pub frameworks: BTreeMap<String, Framework>,
    /// Kinds of evidence by name, such as `dataset.version`; controls may name no others.
    pub evidence_kinds: BTreeMap<String, EvidenceKind>,
    /// The controls in the order of the file; their identifiers are unique.
    pub controls: Vec<Control>,
}

/// A law, standard or guideline from which controls are taken.
#[derive(Debug, Clone, Deserialize)]
pub struct Framework {
    /// Official title of the law, standard or guideline.
    pub title: String,
    /// Legal force of the text, in words, such as whether it is law in force or guidance.
    pub status: String,
    /// What a reader must check again later, such as a date of application; `None` when nothing is noted.
    #[serde(default)]
    pub note: Option<String>,
}

/// A kind of record that can be evidence.
#[derive(Debug, Clone, Deserialize)]
pub struct EvidenceKind {
    /// Stage of the lifecycle that produces it, one of the words of [`Control::stage`].
    pub stage: String,
    /// What a record of this kind states, in one sentence.
    pub meaning: String,
    /// Names of what such a record is expected to state.
    pub fields: Vec<String>,
}

/// A requirement of a framework, with the evidence that can show that it is met.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Control {
    /// Identifier that is never reused, such as `gdpr.art5.1c`.
    pub id: String,
    /// Key in [`Catalogue::frameworks`] of the text that the control is taken from.
    pub framework: String,
    /// Article, section or paragraph of the framework where the rule is found.
    pub citation: String,
    /// Stage of the lifecycle: `data`, `training`, `validation`, `deployment`, `monitoring` or `cross`.
    pub stage: String,
    /// Whether a program, a person or both decide whether the control is met.
    pub automation: Automation,
    /// The rule in the catalogue's own words; the binding text is the one that is cited.
    pub requirement: String,
    /// Kinds of record that are needed to show it; all of them unless `check` says otherwise.
    pub evidence: Vec<String>,
    /// What a program evaluates, in one line over the fields of the records in `evidence`.
    pub check: String,
    /// What a person states by signing, where a program cannot decide.
    pub manual: String,
}

/// Whether a program, a person or both decide whether a control is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Automation {
    /// A program decides it from the records, given that these are true.
    Automatic,
    /// The check narrows it and a person decides the rest.
    Assisted,
    /// A person states it; the program keeps the statement, its signer and its expiry.
    Attested,
}

/// The state of the evidence for one control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlState {
    /// The records show that the control is met.
    Pass,
    /// The records show that the control is not met.
    Fail,
    /// The evidence is not there, or a person has not decided.
    Missing,
    /// The control does not apply, such as because its framework is not declared.
    NotApplicable,
    /// It does not hold, and a named person accepted that until a stated day.
    Waived,
}

/// A control with the state of its evidence.
#[derive(Debug, Clone, Serialize)]
pub struct ControlResult {
    /// The control that was evaluated, as the catalogue defines it.
    #[serde(flatten)]
    pub control: Control,
    /// The state that the evidence of one subject gives the control.
    pub state: ControlState,
    /// Why, naming what was found or is missing.
    pub reason: String,
    /// The records that the state follows from; empty when there are none.
    pub records: Vec<RecordRef>,
}

/// Why a text is not a valid catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The text is not YAML with the fields of a catalogue.
    #[error("malformed controls catalogue: {0}")]
    Malformed(Box<serde_saphyr::Error>),
    /// Two controls have the same identifier.
    #[error("control `{id}` is there twice")]
    Duplicate {
        /// Identifier of the control that is defined again.
        id: String,
    },
    /// A control that names a kind outside the vocabulary, or a framework that is not there.
    #[error("control `{id}` names `{name}`, which the catalogue does not define")]
    Undefined {
        /// Identifier of the control with the undefined name.
        id: String,
        /// The kind of evidence, or else the framework, that the catalogue does not define.
        name: String,
    },
}

impl Catalogue {
    /// Reads a catalogue from YAML, and checks that identifiers are unique and names are defined.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let catalogue: Self = serde_saphyr::from_str(text)
            .map_err(|error| CatalogueError::Malformed(Box::new(error)))?;
        let mut seen = BTreeSet::new();
        for control in &catalogue.controls {
            if !seen.insert(&control.id) {
                return Err(CatalogueError::Duplicate {
                    id: control.id.clone(),
                });
            }
            let undefined = control
                .evidence
                .iter()
                .find(|kind| !catalogue.evidence_kinds.contains_key(*kind));
            let unknown = (!catalogue.frameworks.contains_key(&control.framework))
                .then_some(&control.framework);
            if let Some(name) = undefined.or(unknown) {
                return Err(CatalogueError::Undefined {
                    id: control.id.clone(),
                    name: name.clone(),
                });
            }
        }
        Ok(catalogue)
    }

    /// Returns the catalogue shipped with this version.
    pub fn shipped() -> &'static Self {
        static SHIPPED: OnceLock<Catalogue> = OnceLock::new();
        SHIPPED.get_or_init(|| {
            Self::parse(CATALOGUE).expect("the shipped catalogue is checked by a test")
        })
    }
}

/// What an answer depends on beside the evidence.
#[derive(Debug, Clone, Copy)]
pub struct ControlScope<'s> {
    /// Frameworks the pipeline declares; the others do not apply.
    pub frameworks: &'s [String],
    /// Date of the evaluation, ISO 8601; waivers, attestations and retention periods are compared with it.
    pub today: &'s str,
}

/// The result of a check: the state, the reason for it in words, and the records it follows from.
struct Found {
    state: ControlState,
    reason: String,
    records: Vec<RecordRef>,
}

type Check = fn(&EvidenceSet, ControlScope<'_>) -> Option<Found>;

/// Controls settled or narrowed by a check in this version; `None` from a check means its evidence is missing.
const CHECKS: &[(&str, Check)] = &[
    ("gdpr.art5.1b", purposes_match),
    ("gdpr.art5.1c", inputs_needed),
    ("gdpr.art5.1e", within_retention),
    ("gdpr.art6.1", ground_stated),
    ("gdpr.art9.2", special_categories_allowed),
    ("gdpr.art22.4", no_strong_proxy),
    ("hipaa.312c", digests_recompute),
    ("aidsf.model", described_and_reproduced),
    ("aidsf.validation", tested_is_released),
    ("gmlp.3-4", parts_independent),
    ("mrm.development", development_documented),
    ("mrm.inventory", registered_with_owner),
    ("rmf.govern.1.6", registered_with_owner),
    ("rmf.measure.2.9", explained_and_carded),
    ("rmf.measure.2.11", groups_measured),
];

/// Returns the state of every control.
pub fn evaluate_controls(
    catalogue: &Catalogue,
    evidence: &EvidenceSet,
    scope: ControlScope<'_>,
) -> Vec<ControlResult> {
    catalogue
        .controls
        .iter()
        .map(|control| evaluate(control, evidence, scope))
        .collect()
}

fn evaluate(control: &Control, evidence: &EvidenceSet, scope: ControlScope<'_>) -> ControlResult {
    let result = |state, reason: String, records| ControlResult {
        control: control.clone(),
        state,
        reason,
        records,
    };
    if !scope.frameworks.contains(&control.framework) {
        let reason = format!(
            "the pipeline does not declare framework `{}`",
            control.framework
        );
        return result(ControlState::NotApplicable, reason, Vec::new());
    }
    let check = CHECKS
        .iter()
        .find(|(id, _)| *id == control.id)
        .map(|(_, check)| check);
    let found = check
        .and_then(|check| check(evidence, scope))
        .unwrap_or_else(|| unsettled(control, evidence, check.is_some()));
    let waiver = evidence.waiver(&format!("control:{}", control.id), scope.today);
    match (found.state, waiver) {
        (ControlState::Fail | ControlState::Missing, Some((item, waiver))) => {
            let until = waiver.valid_until.as_deref().unwrap_or("no day");
            let reason = format!(
                "{}; waived by {} until {until}: {}",
                found.reason, waiver.signer, waiver.reason
            );
            result(
                ControlState::Waived,
                reason,
                [found.records, vec![item.reference()]].concat(),
            )
        }
        _ => result(found.state, found.reason, found.records),
    }
}

/// Says what is missing: kinds of record, or a person's decision.
fn unsettled(control: &Control, evidence: &EvidenceSet, has_check: bool) -> Found {
    let absent: Vec<&str> = control
        .evidence
        .iter()
        .map(String::as_str)
        .filter(|kind| !evidence.has_kind(kind))
        .collect();
    let present = control
        .evidence
        .iter()
        .flat_map(|kind| evidence.of_kind(kind));
    let records = present.map(Evidence::reference).collect();
    let reason = if !absent.is_empty() {
        format!("no {}", absent.join(", no "))
    } else if has_check {
        "the records do not say what the check asks for".to_owned()
    } else {
        format!(
            "the records are there; a person has not decided: {}",
            control.manual
        )
    };
    Found {
        state: ControlState::Missing,
        reason,
        records,
    }
}

fn found(holds: bool, reason: impl Into<String>, items: &[&Evidence]) -> Option<Found> {
    let state = if holds {
        ControlState::Pass
    } else {
        ControlState::Fail
    };
    Some(Found {
        state,
        reason: reason.into(),
        records: items.iter().map(|item| item.reference()).collect(),
    })
}

fn not_applicable(reason: &str, items: &[&Evidence]) -> Option<Found> {
    let records = items.iter().map(|item| item.reference()).collect();
    Some(Found {
        state: ControlState::NotApplicable,
        reason: reason.to_owned(),
        records,
    })
}

fn purposes_match(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (data_item, data) = evidence.dataset_version()?;
    let (run_item, run) = evidence.training_run()?;
    if run.purposes.is_empty() || data.processing.purposes.is_empty() {
        return None;
    }
    let foreign: Vec<&String> = run
        .purposes
        .iter()
        .filter(|purpose| !data.processing.purposes.contains(purpose))
        .collect();
    let reason = match foreign[..] {
        [] => format!(
            "the run's purposes ({}) are among the dataset's",
            run.purposes.join(", ")
        ),
        _ => format!("purposes of the run that the dataset does not have: {foreign:?}"),
    };
    found(foreign.is_empty(), reason, &[data_item, run_item])
}

fn inputs_needed(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (item, report) = evidence.dataset_minimisation()?;
    let (model_item, model) = evidence.model_version()?;
    let (_, data) = evidence.dataset_version()?;
    let is_personal = |input: &str| {
        data.processing
            .personal
            .as_ref()
            .is_none_or(|personal| personal.iter().any(|column| column == input))
    };
    let is_shown = |input: &str| {
        let is_needed = report.results.iter().any(|result| {
            result.need == Need::Needed && result.inputs.iter().any(|name| name == input)
        });
        is_needed
            || report
                .exempted
                .iter()
                .any(|exempted| exempted.column == input)
    };
    let open: Vec<&str> = model
        .inputs
        .iter()
        .map(|input| input.name.as_str())
        .filter(|input| is_personal(input) && !is_shown(input))
        .collect();
    let reason = match open[..] {
        [] => format!(
            "each personal input of {} is shown to be needed or has a recorded exemption",
            model.inputs.len()
        ),
        _ => format!(
            "not shown to be needed, and without a recorded exemption: {}",
            open.join(", ")
        ),
    };
    found(open.is_empty(), reason, &[item, model_item])
}

fn within_retention(evidence: &EvidenceSet, scope: ControlScope<'_>) -> Option<Found> {
    let (item, data) = evidence.dataset_version()?;
    let until = data.processing.retention_until.as_deref()?;
    found(
        until >= scope.today,
        format!("the dataset may be kept until {until}"),
        &[item],
    )
}

fn ground_stated(evidence: &EvidenceSet, scope: ControlScope<'_>) -> Option<Found> {
    let (item, data) = evidence.dataset_version()?;
    let ground = data.processing.lawful_basis.as_deref()?;
    if ground != "legitimate_interest" {
        return found(true, format!("the stated ground is {ground}"), &[item]);
    }
    let balancing = evidence.attestations("balancing_test").last();
    let Some((test_item, test)) = balancing else {
        return found(
            false,
            "a legitimate interest without a balancing test",
            &[item],
        );
    };
    let is_current = test
        .valid_until
        .as_deref()
        .is_none_or(|until| until >= scope.today);
    found(
        is_current,
        "a legitimate interest with an attested balancing test",
        &[item, test_item],
    )
}

fn special_categories_allowed(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (item, data) = evidence.dataset_version()?;
    let (scan_item, _) = evidence.dataset_phi_scan()?;
    if data.processing.special_categories.is_empty() {
        return not_applicable(
            "no column of a special category is declared",
            &[item, scan_item],
        );
    }
    let exception = data.processing.special_category_exception.as_deref();
    let reason = match exception {
        Some(exception) => format!("declared columns rest on {exception}"),
        None => format!(
            "no exception is stated for {}",
            data.processing.special_categories.join(", ")
        ),
    };
    found(exception.is_some(), reason, &[item, scan_item])
}

fn no_strong_proxy(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (bias_item, bias) = evidence.bias_report()?;
    let (explain_item, explain) = evidence.explain_report()?;
    let (_, data) = evidence.dataset_version()?;
    let special = &data.processing.special_categories;
    let is_used = |input: &str| {
        explain
            .features
            .iter()
            .any(|feature| feature.input == input && feature.share > 0.01)
    };
    let used: Vec<&str> = bias
        .strong_proxies()
        .map(|proxy| proxy.input.as_str())
        .chain(special.iter().map(String::as_str))
        .filter(|input| is_used(input))
        .collect();
    let reason = match used[..] {
        [] => "no special-category input or strong proxy has more than 1 % of the explained effect"
            .to_owned(),
        _ => format!(
            "with more than 1 % of the explained effect: {}",
            used.join(", ")
        ),
    };
    found(used.is_empty(), reason, &[bias_item, explain_item])
}

fn digests_recompute(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (log_item, _) = evidence.ledger_checkpoint()?;
    let (data_item, data) = evidence.dataset_version()?;
    let is_committed = data_item
        .entry
        .artifacts
        .iter()
        .any(|artifact| artifact.digest == data.digest);
    found(
        is_committed,
        "the dataset's digest is committed to; `veracta verify` recomputes it",
        &[log_item, data_item],
    )
}

fn described_and_reproduced(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (run_item, _) = evidence.training_run()?;
    let (model_item, _) = evidence.model_version()?;
    let (report_item, report) = evidence.reproduction_report()?;
    let reason = format!(
        "algorithm, inputs and settings are recorded; reproduction: {:?}",
        report.outcome
    );
    found(
        is_reproduced(report.outcome),
        reason,
        &[run_item, model_item, report_item],
    )
}

fn tested_is_released(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (report_item, report) = evidence.validation_report()?;
    let (fair_item, fair) = evidence.fairness_report()?;
    let (model_item, model) = evidence.model_version()?;
    let is_same = report.model == model.digest && fair.model == model.digest;
    let has_groups = fair
        .attributes
        .iter()
        .any(|attribute| attribute.groups.len() > 1);
    let reason = format!(
        "tested digest {} released digest; group tables {}",
        if is_same { "equals" } else { "is not the" },
        if has_groups { "present" } else { "absent" }
    );
    found(
        is_same && has_groups,
        reason,
        &[report_item, fair_item, model_item],
    )
}

fn parts_independent(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (bias_item, _) = evidence.bias_report()?;
    let (split_item, split) = evidence.dataset_split()?;
    let shared = split.proof.n_rows_shared + split.proof.n_subjects_shared.unwrap_or(0);
    found(
        shared == 0,
        format!("{shared} rows or subjects in more than one part"),
        &[bias_item, split_item],
    )
}

fn development_documented(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (run_item, _) = evidence.training_run()?;
    let (profile_item, _) = evidence.dataset_profile()?;
    let (explain_item, _) = evidence.explain_report()?;
    let (card_item, card) = evidence.model_card()?;
    let reason = format!(
        "run, profile, explanation and model card are recorded; the card has {} gaps",
        card.n_gaps
    );
    found(
        card.n_gaps == 0,
        reason,
        &[run_item, profile_item, explain_item, card_item],
    )
}

fn registered_with_owner(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (item, model) = evidence.model_version()?;
    let owner = model.owner.as_deref()?;
    let holds = model.status == ModelStatus::Registered && !model.purpose.is_empty();
    found(
        holds,
        format!(
            "{} with owner {owner} and a stated purpose",
            model.status.word()
        ),
        &[item],
    )
}

fn explained_and_carded(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (explain_item, explain) = evidence.explain_report()?;
    let (card_item, card) = evidence.model_card()?;
    let (_, model) = evidence.model_version()?;
    let stability = explain.stability?;
    let holds = stability >= 0.8 && card.model == model.digest;
    found(
        holds,
        format!("stability {stability:.2} between halves; the card is of this version"),
        &[explain_item, card_item],
    )
}

fn groups_measured(evidence: &EvidenceSet, _: ControlScope<'_>) -> Option<Found> {
    let (bias_item, _) = evidence.bias_report()?;
    let (fair_item, fair) = evidence.fairness_report()?;
    let with_interval = fair
        .attributes
        .iter()
        .flat_map(|attribute| &attribute.groups)
        .any(|group| group.rates.iter().any(|rate| rate.estimate.is_some()));
    let limited: Vec<_> = fair
        .attributes
        .iter()
        .flat_map(|attribute| &attribute.disparities)
        .filter_map(|gap| gap.criterion)
        .collect();
    if limited.is_empty() {
        return None;
    }
    let is_met = limited.iter().all(|criterion| criterion.met == Some(true));
    found(
        with_interval && is_met,
        format!("{} limits on gaps between groups", limited.len()),
        &[bias_item, fair_item],
    )
}
