//! What the columns hold: counts, quantiles and frequent values, without those of identifiers.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::Record;

use super::done::dataset_name;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::data::dataset::DatasetRequest;
use crate::pipeline::spec::PipelineSpec;

pub(super) const STEP: Descriptor = Descriptor {
    id: "profile",
    version: 3,
    reads: &[Step::Data],
    follows: &[],
};

#[derive(Serialize)]
pub(super) struct Request {
    dataset: DatasetRequest,
    name: String,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    Ok(Request {
        dataset: done.rows(spec)?,
        name: dataset_name(&spec.data),
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let record = context.dataset(&self.dataset)?.profile_record();
        let subject = format!("dataset:{}", self.name);
        Ok(vec![context.commit(
            Record::DatasetProfile(record),
            subject,
            Vec::new(),
        )?])
    }
}
