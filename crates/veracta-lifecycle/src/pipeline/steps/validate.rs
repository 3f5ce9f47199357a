//! How well the model does on the sealed test part, held against the plan.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::Record;

use super::done::model_subject;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::pipeline::spec::PipelineSpec;
use crate::validation::TestRequest;
use crate::validation::validate::{Judged, ValidateRequest};
use veracta_statistics::performance::METRICS;

pub(super) const STEP: Descriptor = Descriptor {
    id: "validate",
    version: 3,
    reads: &[Step::Data, Step::Split, Step::Train],
    follows: &[Step::Criteria],
};

#[derive(Serialize)]
pub(super) struct Request {
    model: String,
    test: TestRequest,
    validate: ValidateRequest,
    /// Every metric this program knows: a new one is measured of what was measured before.
    metrics: Vec<&'static str>,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    let run = done.training_run()?;
    Ok(Request {
        model: spec.name.value.clone(),
        test: test_request(spec, done)?,
        validate: ValidateRequest {
            judged: judged(spec, done)?,
            test_part: done.split()?.proof.test_part(),
            training_roc_auc: run.metrics.get("roc_auc").copied(),
        },
        metrics: METRICS.iter().map(|metric| metric.name).collect(),
    })
}

/// Returns which rows and which model are tested.
pub(super) fn test_request(
    spec: &PipelineSpec,
    done: &Done<'_>,
) -> Result<TestRequest, LifecycleError> {
    Ok(TestRequest {
        dataset: done.rows(spec)?,
        assignment: done.split()?.assignment,
        model: done.model_request()?,
    })
}

/// Returns the plan that results are held against, with its place in the ledger once it has been recorded.
pub(super) fn judged(spec: &PipelineSpec, done: &Done<'_>) -> Result<Judged, LifecycleError> {
    let plan = spec.validation_plan();
    Ok(Judged {
        plan_idx: done.recorded_plan(&spec.name.value, &plan)?,
        plan_digest: plan.digest(),
        plan,
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let (dataset, test) = (
            context.dataset(&self.test.dataset)?,
            context.test(&self.test)?,
        );
        let record = self
            .validate
            .record(&dataset, &test, self.test.model.digest)?;
        Ok(vec![context.commit(
            Record::ValidationReport(record),
            model_subject(&self.model),
            Vec::new(),
        )?])
    }
}
