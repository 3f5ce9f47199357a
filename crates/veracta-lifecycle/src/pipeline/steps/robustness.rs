//! What becomes of the model when its inputs go wrong: the plan's scenarios on the sealed test part.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::plan::RobustnessCriterion;
use veracta_governance::record::Record;
use veracta_model::model::Encoded;
use veracta_statistics::interval::Precision;

use super::done::model_subject;
use super::validate::test_request;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::pipeline::spec::PipelineSpec;
use crate::validation::TestRequest;
use crate::validation::robustness::{ScenarioRequest, try_scenarios};

pub(super) const STEP: Descriptor = Descriptor {
    id: "robustness",
    version: 3,
    reads: &[Step::Data, Step::Split, Step::Train],
    follows: &[Step::Criteria],
};

#[derive(Serialize)]
pub(super) struct Request {
    model: String,
    test: TestRequest,
    criterion: RobustnessCriterion,
    threshold: f64,
    precision: Precision,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    let plan = spec.validation_plan();
    let precision = plan.precision();
    Ok(Request {
        model: spec.name.value.clone(),
        test: test_request(spec, done)?,
        criterion: plan.robustness.expect("the step is part of the pipeline"),
        threshold: plan.threshold,
        precision,
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let (dataset, model) = (
            context.dataset(&self.test.dataset)?,
            context.model(&self.test.model)?,
        );
        let test = context.test(&self.test)?;
        let Encoded { batch, unknown, .. } = dataset.rows_for(&model)?;
        let rows = batch.select_rows(&test.rows);
        let request = ScenarioRequest {
            metric: self.criterion.metric,
            threshold: self.threshold,
            precision: self.precision,
            scenarios: self.criterion.scenarios.clone(),
        };
        let measured = try_scenarios(&model, &rows, Some(&test.labels), &request)?;
        let digests = (self.test.model.digest, self.test.dataset.digest);
        let record = measured.record(digests.0, digests.1, unknown);
        Ok(vec![context.commit(
            Record::RobustnessReport(record),
            model_subject(&self.model),
            Vec::new(),
        )?])
    }
}
