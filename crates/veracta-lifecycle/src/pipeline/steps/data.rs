//! Which rows there are: the version of the dataset, with its bytes.

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::{DataNature, Processing, Record};
use veracta_ledger::entry::Artifact;

use super::done::{dataset_name, dataset_request};
use super::{Context, Descriptor, Done};
use crate::LifecycleError;
use crate::data::dataset::DatasetRequest;
use crate::pipeline::spec::PipelineSpec;

/// Needs the command that writes the file, if one does.
pub(super) const STEP: Descriptor = Descriptor {
    id: "data",
    version: 3,
    reads: &[],
    follows: &[],
};

#[derive(Serialize)]
pub(super) struct Request {
    dataset: DatasetRequest,
    name: String,
    file_name: String,
    nature: DataNature,
    processing: Processing,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    let digest = match done.data_file {
        Some(path) => done.digest_of_file(path)?,
        None => done.digest_of(&spec.data.path.value)?,
    };
    let path = std::path::Path::new(&spec.data.path.value);
    let file_name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Ok(Request {
        dataset: dataset_request(&spec.data, digest),
        name: dataset_name(&spec.data),
        file_name: file_name.unwrap_or_default(),
        nature: spec.data.nature,
        processing: spec.processing(),
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        context.keep(self.dataset.digest)?;
        let dataset = context.dataset(&self.dataset)?;
        let record = dataset.version_record(
            &self.name,
            &self.file_name,
            self.nature,
            self.processing.clone(),
        );
        let artifact = Artifact {
            name: "dataset".to_owned(),
            digest: self.dataset.digest,
            bytes: dataset.n_bytes,
            personal: true,
        };
        let subject = format!("dataset:{}", self.name);
        Ok(vec![context.commit(
            Record::DatasetVersion(record),
            subject,
            vec![artifact],
        )?])
    }
}
