//! What each input says alone of the label and of protected groups, on the rows outside the sealed test part.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::Record;
use veracta_ledger::Hash;

use super::done::dataset_name;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::data::dataset::DatasetRequest;
use crate::data::screen::ScreenRequest;
use crate::pipeline::spec::PipelineSpec;

pub(super) const STEP: Descriptor = Descriptor {
    id: "screen",
    version: 3,
    reads: &[Step::Data, Step::Split],
    follows: &[],
};

#[derive(Serialize)]
pub(super) struct Request {
    dataset: DatasetRequest,
    assignment: Hash,
    name: String,
    screen: ScreenRequest,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    Ok(Request {
        dataset: done.rows(spec)?,
        assignment: done.split()?.assignment,
        name: dataset_name(&spec.data),
        screen: ScreenRequest {
            protected: spec.protected(),
            leakage_limit: spec.screening.leakage_limit,
            proxy_limit: spec.screening.proxy_limit,
            level: spec.validation.level,
            seed: spec.validation.seed,
            group_rows_min: spec.validation.group_rows_min,
        },
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let (dataset, parts) = (
            context.dataset(&self.dataset)?,
            context.parts(self.assignment)?,
        );
        let record = dataset.bias_record(&self.screen, &parts)?;
        let subject = format!("dataset:{}", self.name);
        Ok(vec![context.commit(
            Record::BiasReport(record),
            subject,
            Vec::new(),
        )?])
    }
}
