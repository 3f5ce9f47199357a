//! Whether the model is registered: the rules of the gate over everything that was recorded about it.

use serde::Serialize;
use veracta_governance::evidence::{Evidence, EvidenceSet};
use veracta_governance::gate::{RULES, Verdict, evaluate_gate};
use veracta_governance::record::{ModelStatus, ModelVersion, Record};
use veracta_ledger::Hash;
use veracta_ledger::entry::{Artifact, Link};

use super::done::model_subject;
use super::{BUILT_IN, Context, Descriptor, Done, Step, content_key};
use crate::LifecycleError;
use crate::pipeline::spec::PipelineSpec;

/// Follows every command as well.
pub(super) const STEP: Descriptor = Descriptor {
    id: "gate",
    version: 2,
    reads: &[
        Step::Data,
        Step::Profile,
        Step::Scan,
        Step::Split,
        Step::Criteria,
        Step::Screen,
        Step::Minimise,
        Step::Train,
        Step::Validate,
        Step::Fairness,
        Step::Explain,
        Step::Robustness,
        Step::Privacy,
    ],
    follows: &[],
};

#[derive(Serialize)]
pub(super) struct Request {
    /// Contents of the records that are judged, in no order: a command done again stands at a later place with the same content.
    judged: Vec<Hash>,
    /// Which waivers hold on this day.
    is_waiver_valid: Vec<bool>,
    rules: Vec<&'static str>,
    /// What the controls of the model are chosen by: the text that is kept with the decision says it.
    frameworks: Vec<String>,
    model: String,
    digest: Hash,
    #[serde(skip)]
    evidence: EvidenceSet,
    #[serde(skip)]
    candidate: ModelVersion,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    let evidence = evidence(spec, done)?;
    let mut judged: Vec<Hash> = evidence.iter().map(judged_content).collect();
    judged.sort_unstable();
    let waivers = spec.waivers.iter();
    let (_, candidate) = done.model(Step::Train)?;
    Ok(Request {
        judged,
        is_waiver_valid: waivers
            .map(|waiver| waiver.valid_until >= done.today)
            .collect(),
        rules: RULES.iter().map(|rule| rule.id).collect(),
        frameworks: spec.framework_names(),
        model: spec.name.value.clone(),
        digest: candidate.digest,
        evidence,
        candidate,
    })
}

/// Returns everything the gate judges: the records of this run and what they rest on, and earlier results of this model.
fn evidence(spec: &PipelineSpec, done: &Done<'_>) -> Result<EvidenceSet, LifecycleError> {
    let commands = (0..spec.steps.len()).map(Step::Command);
    let judged = BUILT_IN
        .into_iter()
        .filter(|step| STEP.reads.contains(step) && step.is_asked(spec));
    let results = commands.chain(judged).map(|step| done.result(step));
    let mut items: Vec<Evidence> = results.flat_map(|result| result.evidence).collect();
    let validated = done.result(Step::Validate);
    let own = validated.one(|record| match record {
        Record::ValidationReport(body) => Some(body),
        _ => None,
    });
    let (own_item, own) = own.ok_or(LifecycleError::MissingEvidence {
        kind: "validation.report",
    })?;
    // Results that were seen before this one, of the same model on the same rows: they tell whether the criteria came first.
    let subject = model_subject(&spec.name.value);
    let earlier = done.store.about("validation.report", &subject)?;
    items.extend(earlier.into_iter().filter(|item| match &item.record {
        Record::ValidationReport(body) => {
            item.idx < own_item.idx
                && (body.model, body.dataset, &body.test_part)
                    == (own.model, own.dataset, &own.test_part)
        }
        _ => false,
    }));
    let (plan_idx, _) = done.plan(spec)?;
    items.push(done.store.evidence(plan_idx)?);
    items.extend(done.store.openings()?);
    Ok(EvidenceSet::new(items))
}

/// Returns what a record says to the gate: of a command what it wrote, not when and by which lines; else the whole body.
fn judged_content(item: &Evidence) -> Hash {
    match &item.record {
        Record::Run(run) if run.log.is_some() => {
            let outputs: Vec<Hash> = run.outputs.iter().map(|output| output.digest).collect();
            content_key("outputs", 1, &serde_json::json!([run.step, outputs]))
        }
        _ => item.entry.body,
    }
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let gate = evaluate_gate(&self.evidence, &context.platform.today());
        let mut model = self.candidate.clone();
        model.status = match gate.verdict {
            Verdict::Pass => ModelStatus::Registered,
            Verdict::Refuse | Verdict::Incomplete => ModelStatus::Refused,
        };
        model.gate = Some(gate);
        let links = self.evidence.iter().map(|item| Link {
            idx: item.idx,
            body: item.entry.body,
        });
        let artifact = Artifact {
            name: "model".to_owned(),
            digest: model.digest,
            bytes: context.blobs().get(model.digest)?.len() as u64,
            personal: false,
        };
        // The text as it is now: a change that re-runs nothing but the gate is part of how this decision came about.
        let artifacts = vec![artifact, context.keep_text()?];
        Ok(vec![context.commit_resting(
            Record::ModelVersion(model),
            model_subject(&self.model),
            artifacts,
            links.collect(),
        )?])
    }

    /// A decision that another one about the same model followed is no longer what stands in the registry: it is made, and
    /// recorded, again.
    fn is_complete(&self, known: &[Evidence], done: &Done<'_>) -> Result<bool, LifecycleError> {
        let subject = model_subject(&self.model);
        let decisions = done.store.about("model.version", &subject)?;
        let newest = decisions.iter().rev().find(|item| {
            matches!(&item.record, Record::ModelVersion(body) if body.gate.is_some() && body.digest == self.digest)
        });
        Ok(!known.is_empty() && newest.map(|item| item.idx) == known.last().map(|item| item.idx))
    }
}
