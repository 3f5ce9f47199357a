//! Which rows train, tune and test, with the proof that no row and no subject is in two parts.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::{Record, SplitMethod};
use veracta_ledger::entry::Artifact;
use veracta_statistics::split::SplitShares;

use super::done::dataset_name;
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::data::dataset::DatasetRequest;
use crate::data::parts::{SplitRequest, encode_parts};
use crate::pipeline::spec::{PipelineSpec, SplitMethodName};

pub(super) const STEP: Descriptor = Descriptor {
    id: "split",
    version: 4,
    reads: &[Step::Data],
    follows: &[],
};

#[derive(Serialize)]
pub(super) struct Request {
    dataset: DatasetRequest,
    name: String,
    split: SplitRequest,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    let split = &spec.split;
    let named = "a split that needs a column names it: checked when the file was read";
    let method = match split.method {
        SplitMethodName::Stratified => SplitMethod::Stratified,
        SplitMethodName::Time => SplitMethod::Time {
            column: split.time.as_ref().expect(named).value.clone(),
        },
        SplitMethodName::Column => SplitMethod::Given {
            column: split.column.as_ref().expect(named).value.clone(),
        },
    };
    Ok(Request {
        dataset: done.rows(spec)?,
        name: dataset_name(&spec.data),
        split: SplitRequest {
            method,
            shares: SplitShares {
                tune: split.tune,
                test: split.test,
                seed: split.seed,
            },
            subject: spec
                .data
                .subject
                .as_ref()
                .map(|subject| subject.value.clone()),
        },
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let (record, parts) = context.dataset(&self.dataset)?.split(&self.split)?;
        let bytes = encode_parts(&parts);
        let artifact = Artifact {
            name: "assignment".to_owned(),
            digest: record.assignment,
            bytes: bytes.len() as u64,
            personal: false,
        };
        context.blobs().put(bytes)?;
        let subject = format!("dataset:{}", self.name);
        Ok(vec![context.commit(
            Record::DatasetSplit(record),
            subject,
            vec![artifact],
        )?])
    }
}
