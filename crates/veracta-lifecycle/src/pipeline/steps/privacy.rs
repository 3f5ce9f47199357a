//! What the model gives away of its training rows: membership inference against rows of the test part.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::{PrivacyReport, Record};
use veracta_model::model::Encoded;
use veracta_model::training::TrainingSpec;
use veracta_statistics::split::Part;

use super::done::model_subject;
use super::validate::test_request;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::data::parts::rows_of;
use crate::pipeline::spec::PipelineSpec;
use crate::validation::TestRequest;
use crate::validation::membership::{Side, attack_model};

pub(super) const STEP: Descriptor = Descriptor {
    id: "privacy",
    version: 3,
    reads: &[Step::Data, Step::Split, Step::Train],
    follows: &[Step::Criteria],
};

#[derive(Serialize)]
pub(super) struct Request {
    model: String,
    test: TestRequest,
    /// How shadow models are trained.
    shadow_training: TrainingSpec,
    n_shadows: usize,
    seed: u64,
    level: f64,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    let plan = spec.validation_plan();
    let criterion = plan.privacy.expect("the step is part of the pipeline");
    Ok(Request {
        model: spec.name.value.clone(),
        test: test_request(spec, done)?,
        shadow_training: spec.refit_spec(),
        n_shadows: criterion.n_shadows,
        seed: plan.bootstrap.seed,
        level: plan.level,
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let (dataset, model) = (
            context.dataset(&self.test.dataset)?,
            context.model(&self.test.model)?,
        );
        let parts = context.parts(self.test.assignment)?;
        let Encoded {
            batch: rows,
            unknown,
            ..
        } = dataset.rows_for(&model)?;
        let labels = dataset.target.binary()?;
        let side = |part: Part| {
            let own = rows_of(&parts, part);
            Side {
                labels: own.iter().map(|row| labels[*row]).collect(),
                rows: rows.select_rows(&own),
            }
        };
        let sides = [side(Part::Train), side(Part::Test)];
        let shadows = (self.n_shadows, self.seed);
        let attacks = attack_model(&model, sides, &self.shadow_training, shadows, self.level)?;
        let record = PrivacyReport {
            model: self.test.model.digest,
            data: [self.test.dataset.digest; 2],
            attacks,
            n_shadows: self.n_shadows,
            unknown,
        };
        Ok(vec![context.commit(
            Record::PrivacyReport(record),
            model_subject(&self.model),
            Vec::new(),
        )?])
    }
}
