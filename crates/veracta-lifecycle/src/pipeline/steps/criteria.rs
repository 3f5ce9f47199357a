//! What must hold: the validation plan, statements and waivers, recorded before any result exists.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::plan::ValidationPlan;
use veracta_governance::record::{ApprovalSignature, Attestation, Record, VALIDATION_PLAN};
use veracta_ledger::entry::Link;

use super::done::model_subject;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::pipeline::spec::PipelineSpec;

/// Follows the data, so that a file that cannot be read leaves no plan behind.
pub(super) const STEP: Descriptor = Descriptor {
    id: "criteria",
    version: 2,
    reads: &[],
    follows: &[Step::Data],
};

#[derive(Serialize)]
pub(super) struct Request {
    model: String,
    owner: Option<String>,
    plan: ValidationPlan,
    statements: Vec<Attestation>,
    waivers: Vec<ApprovalSignature>,
}

pub(super) fn request(spec: &PipelineSpec) -> Request {
    let statements = spec.statements.iter().map(|statement| Attestation {
        topic: statement.topic.clone(),
        statement: statement.statement.clone(),
        signer: statement.signer.clone(),
        valid_until: statement
            .valid_until
            .as_ref()
            .map(|date| date.value.clone()),
        file_digest: None,
        plan: None,
    });
    let waivers = spec.waivers.iter().map(|waiver| ApprovalSignature {
        signer: waiver.signer.clone(),
        role: waiver.role.clone(),
        meaning: "waive".to_owned(),
        subject: waiver.subject.value.clone(),
        reason: waiver.reason.clone(),
        valid_until: Some(waiver.valid_until.clone()),
        method: "declared in the pipeline file".to_owned(),
        second_factor: None,
    });
    Request {
        model: spec.name.value.clone(),
        owner: spec.owner.clone(),
        plan: spec.validation_plan(),
        statements: statements.collect(),
        waivers: waivers.collect(),
    }
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let subject = model_subject(&self.model);
        // The same plan recorded before stays the one that counts: statements and waivers may be added to it.
        let known = context.platform.store.about("attestation", &subject)?;
        let same = known.into_iter().find(|item| {
            matches!(&item.record, Record::Attestation(body) if body.plan.as_ref() == Some(&self.plan))
        });
        let plan = Attestation {
            topic: VALIDATION_PLAN.to_owned(),
            statement: match &same {
                Some(item) => format!("the criteria recorded at #{} stand", item.idx),
                None => format!(
                    "criteria for {}, fixed before any result exists",
                    self.model
                ),
            },
            signer: self.owner.clone(),
            valid_until: None,
            file_digest: Some(self.plan.digest()),
            plan: same.is_none().then(|| self.plan.clone()),
        };
        let links = same.iter().map(|item| Link {
            idx: item.idx,
            body: item.entry.body,
        });
        let links: Vec<Link> = links.collect();
        let statements = self.statements.iter().cloned();
        let waivers = self.waivers.iter().cloned();
        [Record::Attestation(plan)]
            .into_iter()
            .chain(statements.map(Record::Attestation))
            .chain(waivers.map(Record::ApprovalSignature))
            .map(|record| {
                context.commit_resting(record, subject.clone(), Vec::new(), links.clone())
            })
            .collect()
    }

    fn is_complete(&self, known: &[Evidence], _: &Done<'_>) -> Result<bool, LifecycleError> {
        Ok(known.len() > self.statements.len() + self.waivers.len())
    }
}
