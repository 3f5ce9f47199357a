//! What drives the model, on rows of the sealed test part.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::Record;

use super::done::model_subject;
use super::validate::test_request;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::pipeline::spec::PipelineSpec;
use crate::validation::TestRequest;
use crate::validation::explain::explain_record;

pub(super) const STEP: Descriptor = Descriptor {
    id: "explain",
    version: 3,
    reads: &[Step::Data, Step::Split, Step::Train],
    follows: &[],
};

#[derive(Serialize)]
pub(super) struct Request {
    model: String,
    test: TestRequest,
    rows_max: usize,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    Ok(Request {
        model: spec.name.value.clone(),
        test: test_request(spec, done)?,
        rows_max: spec.explanation.rows_max,
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let (dataset, model) = (
            context.dataset(&self.test.dataset)?,
            context.model(&self.test.model)?,
        );
        let (parts, test) = (
            context.parts(self.test.assignment)?,
            context.test(&self.test)?,
        );
        let digest = self.test.model.digest;
        let record = explain_record(&dataset, (&model, digest), &parts, &test, self.rows_max)?;
        Ok(vec![context.commit(
            Record::ExplainReport(record),
            model_subject(&self.model),
            Vec::new(),
        )?])
    }
}
