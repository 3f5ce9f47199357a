//! Which inputs are needed, found by training without them on the rows outside the sealed test part.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::Record;
use veracta_ledger::Hash;

use super::done::dataset_name;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::data::dataset::DatasetRequest;
use crate::data::minimise::MinimiseRequest;
use crate::pipeline::spec::PipelineSpec;

pub(super) const STEP: Descriptor = Descriptor {
    id: "minimise",
    version: 3,
    reads: &[Step::Data, Step::Split, Step::Screen],
    follows: &[],
};

#[derive(Serialize)]
pub(super) struct Request {
    dataset: DatasetRequest,
    assignment: Hash,
    name: String,
    minimise: MinimiseRequest,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    let leaks = done.screening()?;
    Ok(Request {
        dataset: done.rows(spec)?,
        assignment: done.split()?.assignment,
        name: dataset_name(&spec.data),
        minimise: MinimiseRequest {
            training: spec.refit_spec(),
            categories_max: spec.training.categories_max,
            plan: spec.minimisation_plan(),
            correlation: spec.minimisation.correlation,
            protected: spec.protected(),
            set_aside: leaks.leaks().map(|leak| leak.input.clone()).collect(),
            dropped: spec.data.drop.clone(),
            exempted: spec.minimisation.keep.clone(),
        },
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let (dataset, parts) = (
            context.dataset(&self.dataset)?,
            context.parts(self.assignment)?,
        );
        let record = dataset.minimisation_record(&self.minimise, &parts, context.progress)?;
        let subject = format!("dataset:{}", self.name);
        Ok(vec![context.commit(
            Record::DatasetMinimisation(record),
            subject,
            Vec::new(),
        )?])
    }
}
