//! How newer rows differ from the training part, and how well the model does on them when they have labels.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::Record;
use veracta_ledger::Hash;

use super::done::{model_subject, reading};
use super::validate::test_request;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::data::dataset::Reading;
use crate::monitoring::compare::{CompareRequest, Compared, drift_and_performance};
use crate::pipeline::spec::PipelineSpec;
use crate::validation::TestRequest;

/// Needs the command that writes the newer rows, if one does.
pub(super) const STEP: Descriptor = Descriptor {
    id: "monitor",
    version: 4,
    reads: &[Step::Data, Step::Split, Step::Train],
    follows: &[Step::Gate],
};

#[derive(Serialize)]
pub(super) struct Request {
    model: String,
    /// The training part and the model.
    trained: TestRequest,
    /// SHA-256 of the newer rows.
    current: Hash,
    reading: Reading,
    compare: CompareRequest,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    let asked = spec.monitoring.as_ref();
    let asked = asked.expect("the step is part of the pipeline");
    let plan = spec.validation_plan();
    Ok(Request {
        model: spec.name.value.clone(),
        trained: test_request(spec, done)?,
        current: done.digest_of(&asked.current.value)?,
        reading: reading(&spec.data),
        compare: CompareRequest {
            tolerance: asked.tolerance,
            without: asked.without.clone(),
            threshold: plan.threshold,
            group_rows_min: plan.group_rows_min,
            precision: plan.precision(),
        },
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        context.keep(self.current)?;
        let source = context.source(self.current)?;
        let current = self.reading.read(&source)?.table;
        let (dataset, model) = (
            context.dataset(&self.trained.dataset)?,
            context.model(&self.trained.model)?,
        );
        let parts = context.parts(self.trained.assignment)?;
        let compared = Compared {
            source: &source,
            digest: self.current,
            current: &current,
            label: &self.trained.dataset.label,
        };
        let digest = self.trained.model.digest;
        let found =
            drift_and_performance(&self.compare, &compared, &dataset, (&model, digest), &parts)?;
        let drift = Record::DriftReport(found.0);
        let performance = found.1.map(Record::PerformanceReport);
        let records = [drift].into_iter().chain(performance);
        let records = records.map(|record| (record, Vec::new())).collect();
        context.commit_together(records, &model_subject(&self.model))
    }

    /// What was measured of other rows since is what people see: coming back to these rows, they are measured again.
    fn is_complete(&self, known: &[Evidence], done: &Done<'_>) -> Result<bool, LifecycleError> {
        let reports = done
            .store
            .about("drift.report", &model_subject(&self.model))?;
        let model = Some(self.trained.model.digest);
        // Those of the command line, which have no key, say nothing of what the pipeline watches.
        let mut newest_first = reports.iter().rev();
        let newest = newest_first
            .find(|item| item.entry.key.is_some() && item.record.reported_model() == model);
        Ok(newest.is_some_and(|newest| known.iter().any(|item| item.idx == newest.idx)))
    }
}
