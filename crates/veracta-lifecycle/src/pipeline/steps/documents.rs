//! What people read of the model: each kind of document, gathered from everything the gate saw.

use serde::Serialize;
use veracta_documents::{DocumentKind, gather, html, markdown};
use veracta_governance::evidence::Evidence;
use veracta_governance::record::{DocumentExport, ModelCard, Record};
use veracta_ledger::Hash;
use veracta_ledger::entry::Artifact;

use super::done::model_subject;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::pipeline::spec::PipelineSpec;
use crate::registry::evidence_for;

pub(super) const STEP: Descriptor = Descriptor {
    id: "documents",
    version: 2,
    reads: &[Step::Gate],
    // What it measures is printed, when it was asked for.
    follows: &[Step::Monitor],
};

#[derive(Serialize)]
pub(super) struct Request {
    model: String,
    digest: Hash,
    /// What the gate decided, and all that it saw: a document also prints what people stated.
    decision: Hash,
    seen: Hash,
    /// What was measured of the model beside its pipeline, which documents print as well.
    reports: Vec<Hash>,
    kinds: Vec<(DocumentKind, &'static str)>,
    program: String,
    #[serde(skip)]
    decision_idx: u64,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    let (decision, model) = done.model(Step::Gate)?;
    let kinds = spec.documents.iter().map(|name| {
        let kind = DocumentKind::named(&name.value);
        let kind = kind.expect("documents are checked when the file is read");
        (kind, kind.template_version())
    });
    let is_document = |item: &&Evidence| {
        matches!(
            item.record,
            Record::ModelCard(_) | Record::DocumentExport(_)
        )
    };
    let evidence = evidence_for(done.store, decision.idx)?;
    let reports = evidence
        .iter()
        .filter(|item| item.record.reported_model().is_some() && !is_document(item));
    Ok(Request {
        model: spec.name.value.clone(),
        digest: model.digest,
        reports: reports.map(|item| item.entry.body).collect(),
        decision: decision.entry.body,
        seen: decision.entry.key.unwrap_or(decision.entry.body),
        kinds: kinds.collect(),
        program: done.program.to_owned(),
        decision_idx: decision.idx,
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let evidence = evidence_for(&context.platform.store, self.decision_idx)?;
        let mut made = Vec::with_capacity(self.kinds.len());
        for (kind, template) in &self.kinds {
            let document = gather(*kind, &evidence);
            let rendered = [
                ("html", html::render(&document).into_bytes()),
                ("md", markdown::render(&document).into_bytes()),
                ("json", serde_json::to_vec_pretty(&document)?),
            ];
            let (mut formats, mut artifacts) = (Vec::new(), Vec::new());
            for (format, bytes) in rendered {
                let n_bytes = bytes.len() as u64;
                let digest = context.blobs().put(bytes)?;
                formats.push((format.to_owned(), digest));
                artifacts.push(Artifact {
                    name: format!("{}.{format}", kind.id()),
                    digest,
                    bytes: n_bytes,
                    personal: false,
                });
            }
            let (template, model) = ((*template).to_owned(), self.digest);
            let sources = document.sources.iter().map(|source| source.idx).collect();
            let (n_gaps, status) = (document.n_gaps, "draft".to_owned());
            let record = match kind {
                DocumentKind::ModelCard => Record::ModelCard(ModelCard {
                    template,
                    model,
                    formats,
                    sources,
                    n_gaps,
                    status,
                }),
                DocumentKind::ValidationReport => Record::DocumentExport(DocumentExport {
                    document: kind.id().to_owned(),
                    template,
                    model,
                    formats,
                    sources,
                    n_gaps,
                    status,
                }),
            };
            made.push((record, artifacts));
        }
        context.commit_together(made, &model_subject(&self.model))
    }

    /// Each kind of document is there, and none of the model was written since: coming back to earlier settings, the documents that
    /// stand last are those of the settings.
    fn is_complete(&self, known: &[Evidence], done: &Done<'_>) -> Result<bool, LifecycleError> {
        let subject = model_subject(&self.model);
        for (kind, _) in &self.kinds {
            let record_kind = match kind {
                DocumentKind::ModelCard => "model.card",
                DocumentKind::ValidationReport => "document.export",
            };
            let is_of_kind = |item: &&Evidence| {
                let is_document = match &item.record {
                    Record::DocumentExport(body) => body.document == kind.id(),
                    _ => *kind == DocumentKind::ModelCard,
                };
                is_document && item.record.reported_model() == Some(self.digest)
            };
            let written = done.store.about(record_kind, &subject)?;
            let newest = written.iter().rev().find(is_of_kind);
            if !newest.is_some_and(|newest| known.iter().any(|item| item.idx == newest.idx)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
