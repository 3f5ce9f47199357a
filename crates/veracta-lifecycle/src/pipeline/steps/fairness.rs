//! How well the model does by group on the sealed test part, held against the plan.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::Record;
use veracta_statistics::fairness::DISPARITIES;

use super::done::model_subject;
use super::validate::{judged, test_request};
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::pipeline::spec::PipelineSpec;
use crate::validation::TestRequest;
use crate::validation::fairness::fairness_record;
use crate::validation::validate::Judged;

pub(super) const STEP: Descriptor = Descriptor {
    id: "fairness",
    version: 3,
    reads: &[Step::Data, Step::Split, Step::Train],
    follows: &[Step::Criteria],
};

#[derive(Serialize)]
pub(super) struct Request {
    model: String,
    test: TestRequest,
    judged: Judged,
    /// Every gap this program knows: a new one is measured of what was measured before.
    disparities: Vec<&'static str>,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    Ok(Request {
        model: spec.name.value.clone(),
        test: test_request(spec, done)?,
        judged: judged(spec, done)?,
        disparities: DISPARITIES.iter().map(|(_, name)| *name).collect(),
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let (dataset, test) = (
            context.dataset(&self.test.dataset)?,
            context.test(&self.test)?,
        );
        let record = fairness_record(&self.judged, &dataset, &test, self.test.model.digest)?;
        Ok(vec![context.commit(
            Record::FairnessReport(record),
            model_subject(&self.model),
            Vec::new(),
        )?])
    }
}
