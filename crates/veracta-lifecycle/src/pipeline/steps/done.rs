//! What requests are made of beside the specification: results of earlier steps, files by digest, the store and the day.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_saphyr::Spanned;
use veracta_governance::evidence::Evidence;
use veracta_governance::plan::ValidationPlan;
use veracta_governance::record::{
    BiasReport, DatasetSplit, DatasetVersion, ModelVersion, Record, Run,
};
use veracta_ledger::Hash;
use veracta_store::Store;

use super::Step;
use crate::data::dataset::{DatasetRequest, LabelRequest, Reading};
use crate::data::hash_file;
use crate::pipeline::spec::{DataSpec, PipelineSpec};
use crate::training::ModelRequest;
use crate::{LifecycleError, Problem};

/// The records of a step that was done.
#[derive(Debug, Clone)]
pub(in crate::pipeline) struct StepResult {
    /// Its records in the order they were made.
    pub(in crate::pipeline) evidence: Vec<Evidence>,
}

impl StepResult {
    /// Returns the latest record that `pick` takes, with its place.
    pub(in crate::pipeline) fn one<'r, T>(
        &'r self,
        pick: impl Fn(&'r Record) -> Option<T>,
    ) -> Option<(&'r Evidence, T)> {
        self.evidence
            .iter()
            .rev()
            .find_map(|item| pick(&item.record).map(|body| (item, body)))
    }
}

/// What is done so far.
pub(in crate::pipeline) struct Done<'r> {
    /// The pipeline file, for messages.
    pub(in crate::pipeline) path: &'r Path,
    /// Its folder, which relative paths start from.
    pub(in crate::pipeline) folder: &'r Path,
    /// A file that is read in place of the one the specification names.
    pub(in crate::pipeline) data_file: Option<&'r Path>,
    /// The store of the workspace, where earlier records are looked up.
    pub(in crate::pipeline) store: &'r Store,
    /// Day on which the run began, in UTC, such as `2026-01-31`; a waiver that ended before it does not count.
    pub(in crate::pipeline) today: String,
    /// Name and version of this program, as records state it.
    pub(in crate::pipeline) program: &'r str,
    /// Results of the steps that have ended in this run, or whose earlier records count.
    pub(in crate::pipeline) results: Mutex<BTreeMap<Step, StepResult>>,
    /// Where bytes by digest lie on this machine.
    pub(in crate::pipeline) files: Mutex<BTreeMap<Hash, PathBuf>>,
}

/// Takes a lock. A step that panics ends the run; what it left behind is not read again.
pub(in crate::pipeline) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Done<'_> {
    /// Returns the result of a step.
    pub(in crate::pipeline) fn result(&self, step: Step) -> StepResult {
        lock(&self.results)
            .get(&step)
            .cloned()
            .expect("a request is made only after the steps it reads have ended")
    }

    fn of<T>(
        &self,
        step: Step,
        kind: &'static str,
        pick: impl Fn(&Record) -> Option<T>,
    ) -> Result<(Evidence, T), LifecycleError> {
        let result = self.result(step);
        let found = result.one(pick).map(|(item, body)| (item.clone(), body));
        found.ok_or(LifecycleError::MissingEvidence { kind })
    }

    /// Returns the version of the dataset.
    pub(super) fn dataset(&self) -> Result<DatasetVersion, LifecycleError> {
        let found = self.of(Step::Data, "dataset.version", |record| match record {
            Record::DatasetVersion(body) => Some(body.clone()),
            _ => None,
        });
        Ok(found?.1)
    }

    /// Returns the division of the rows.
    pub(super) fn split(&self) -> Result<DatasetSplit, LifecycleError> {
        let found = self.of(Step::Split, "dataset.split", |record| match record {
            Record::DatasetSplit(body) => Some(body.clone()),
            _ => None,
        });
        Ok(found?.1)
    }

    /// Returns the screening of single inputs.
    pub(super) fn screening(&self) -> Result<BiasReport, LifecycleError> {
        let found = self.of(Step::Screen, "bias.report", |record| match record {
            Record::BiasReport(body) => Some(body.clone()),
            _ => None,
        });
        Ok(found?.1)
    }

    /// Returns the run that made the model.
    pub(super) fn training_run(&self) -> Result<Run, LifecycleError> {
        let found = self.of(Step::Train, "run", |record| match record {
            Record::Run(body) => Some(body.clone()),
            _ => None,
        });
        Ok(found?.1)
    }

    /// Returns the model as a step left it: the candidate of `train`, or what `gate` decided.
    pub(in crate::pipeline) fn model(
        &self,
        step: Step,
    ) -> Result<(Evidence, ModelVersion), LifecycleError> {
        self.of(step, "model.version", |record| match record {
            Record::ModelVersion(body) => Some(body.clone()),
            _ => None,
        })
    }

    /// Returns which rows are meant, how they are read and what their columns are for.
    pub(super) fn rows(&self, spec: &PipelineSpec) -> Result<DatasetRequest, LifecycleError> {
        Ok(dataset_request(&spec.data, self.dataset()?.digest))
    }

    /// Returns which model is meant.
    pub(super) fn model_request(&self) -> Result<ModelRequest, LifecycleError> {
        Ok(ModelRequest::of(&self.model(Step::Train)?.1))
    }

    /// Returns the plan with the position of the record that fixed it first.
    pub(super) fn plan(
        &self,
        spec: &PipelineSpec,
    ) -> Result<(u64, ValidationPlan), LifecycleError> {
        let plan = spec.validation_plan();
        let first = self.recorded_plan(&spec.name.value, &plan)?;
        let idx = first.ok_or(LifecycleError::MissingEvidence {
            kind: "validation plan",
        })?;
        Ok((idx, plan))
    }

    /// Returns the position of the record that fixed a plan first; none before the plan was recorded.
    pub(super) fn recorded_plan(
        &self,
        model: &str,
        plan: &ValidationPlan,
    ) -> Result<Option<u64>, LifecycleError> {
        let known = self.store.about("attestation", &model_subject(model))?;
        Ok(known
            .into_iter()
            .find(|item| matches!(&item.record, Record::Attestation(body) if body.plan.as_ref() == Some(plan)))
            .map(|item| item.idx))
    }

    /// Returns the digest of a file in the pipeline's folder: the recorded one when a command wrote it, else of what is on disk.
    pub(super) fn digest_of(&self, name: &str) -> Result<Hash, LifecycleError> {
        let path = self.folder.join(name);
        let recorded = {
            let results = lock(&self.results);
            let runs = results
                .iter()
                .filter(|(step, _)| matches!(step, Step::Command(_)))
                .flat_map(|(_, result)| &result.evidence);
            let mut outputs = runs.filter_map(|item| match &item.record {
                Record::Run(run) => Some(&run.outputs),
                _ => None,
            });
            outputs.find_map(|outputs| outputs.iter().find(|output| output.name == name).cloned())
        };
        match recorded {
            Some(output) => {
                lock(&self.files).insert(output.digest, path);
                Ok(output.digest)
            }
            None => self.digest_of_file(&path),
        }
    }

    /// Returns the digest of a file, and remembers where it lies.
    pub(super) fn digest_of_file(&self, path: &Path) -> Result<Hash, LifecycleError> {
        let (digest, _) = hash_file(path)?;
        lock(&self.files).insert(digest, path.to_owned());
        Ok(digest)
    }

    /// Returns a problem of the pipeline file at a place of it.
    pub(super) fn refused(
        &self,
        place: &Spanned<String>,
        message: String,
        hint: &str,
    ) -> LifecycleError {
        LifecycleError::Spec(vec![Problem {
            file: self.path.display().to_string(),
            line: place.referenced.line() as usize,
            column: place.referenced.column() as usize,
            message,
            hint: Some(hint.to_owned()),
        }])
    }
}

/// Returns which rows are meant, how they are read and what their columns are for.
pub(in crate::pipeline) fn dataset_request(data: &DataSpec, digest: Hash) -> DatasetRequest {
    DatasetRequest {
        digest,
        reading: reading(data),
        label: LabelRequest {
            column: data.label.column.value.clone(),
            positive: data.label.positive.value.clone(),
            negative: data.label.negative.clone(),
        },
        identifiers: identifier_names(data),
        dropped: data.drop.keys().cloned().collect(),
    }
}

/// Returns how files of the pipeline are read.
pub(super) fn reading(data: &DataSpec) -> Reading {
    let byte = |character: &Option<Spanned<String>>| {
        let character = character.as_ref();
        character.and_then(|character| character.value.bytes().next())
    };
    Reading {
        delimiter: byte(&data.delimiter),
        decimal: byte(&data.decimal),
        thousands: byte(&data.thousands),
        dates: data.dates,
        missing: data.missing.clone(),
        missing_in: data.missing_in.clone(),
        types: data.types.clone(),
        bytes_limit: data.bytes_limit,
    }
}

/// Returns the columns that tell rows or people apart.
fn identifier_names(data: &DataSpec) -> Vec<String> {
    let names = data.identifiers.iter().chain(&data.subject);
    let mut names: Vec<String> = names.map(|name| name.value.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Returns the name of the dataset: the given one, or the file's.
pub(super) fn dataset_name(data: &DataSpec) -> String {
    let stem = || {
        let path = Path::new(&data.path.value);
        path.file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    };
    data.name
        .clone()
        .or_else(stem)
        .unwrap_or_else(|| "dataset".to_owned())
}

/// Returns what records about a model are about.
pub(super) fn model_subject(model: &str) -> String {
    format!("model:{model}")
}
