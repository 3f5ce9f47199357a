//! Which columns may identify people, found by what their cells look like.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::Record;
use veracta_statistics::privacy::DETECTORS_VERSION;

use super::done::dataset_name;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::data::dataset::DatasetRequest;
use crate::pipeline::spec::PipelineSpec;

pub(super) const STEP: Descriptor = Descriptor {
    id: "scan",
    version: 3,
    reads: &[Step::Data],
    follows: &[],
};

#[derive(Serialize)]
pub(super) struct Request {
    dataset: DatasetRequest,
    name: String,
    detectors: &'static str,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    Ok(Request {
        dataset: done.rows(spec)?,
        name: dataset_name(&spec.data),
        detectors: DETECTORS_VERSION,
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let record = context.dataset(&self.dataset)?.phi_scan_record();
        let subject = format!("dataset:{}", self.name);
        Ok(vec![context.commit(
            Record::DatasetPhiScan(record),
            subject,
            Vec::new(),
        )?])
    }
}
