//! What a step may touch while it computes: bytes by digest, the transaction, the clock, and what is shared with other steps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use veracta_data::source::Source;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::{Record, RunEnvironment};
use veracta_ledger::Hash;
use veracta_ledger::entry::{Artifact, Link};
use veracta_model::model::Model;
use veracta_statistics::split::Part;
use veracta_store::{Blobs, NewRecord, Platform, StoreError};

use super::done::lock;
use crate::LifecycleError;
use crate::data::dataset::{Dataset, DatasetRequest};
use crate::data::parts::read_parts;
use crate::training::ModelRequest;
use crate::validation::{TestRequest, TestScores};

/// Heavy things that several steps of one run use, made on first use and never when nothing changed.
#[derive(Default)]
pub(in crate::pipeline) struct Memory {
    datasets: Cache<Dataset>,
    parts: Cache<Vec<Part>>,
    models: Cache<Model>,
    tests: Cache<TestScores>,
}

/// Values by the digest of what they were made from. One thread makes a value while the others wait.
struct Cache<T>(Mutex<BTreeMap<Hash, Arc<T>>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Cache<T> {
    fn get_or_make(
        &self,
        request: &impl serde::Serialize,
        make: impl FnOnce() -> Result<T, LifecycleError>,
    ) -> Result<Arc<T>, LifecycleError> {
        let key = Hash::of(&serde_json::to_vec(request)?);
        let mut known = lock(&self.0);
        if let Some(value) = known.get(&key) {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make()?);
        known.insert(key, Arc::clone(&value));
        Ok(value)
    }
}

/// Checks the columns of the data against the names in the specification.
pub(in crate::pipeline) type CheckColumns<'r> =
    dyn Fn(&[String]) -> Result<(), LifecycleError> + Sync + 'r;

/// The surroundings of one step.
pub(in crate::pipeline) struct Context<'r> {
    /// The workspace, who asks, and the clock.
    pub(in crate::pipeline) platform: &'r Platform,
    /// The pipeline's folder, where commands run.
    pub(in crate::pipeline) folder: &'r Path,
    /// The text of the pipeline file: how a result came about, never what it is.
    pub(in crate::pipeline) text: &'r str,
    /// What is shared with other steps of the run.
    pub(in crate::pipeline) memory: &'r Memory,
    /// Where bytes by digest lie on this machine.
    pub(in crate::pipeline) files: &'r Mutex<BTreeMap<Hash, PathBuf>>,
    /// May refuse the data, and change nothing else.
    pub(in crate::pipeline) check_columns: &'r CheckColumns<'r>,
    /// Told (parts done, parts in all).
    pub(in crate::pipeline) progress: &'r (dyn Fn(usize, usize) + Sync),
    /// The content key of the step.
    pub(in crate::pipeline) key: Hash,
    /// The records of the steps it needed.
    pub(in crate::pipeline) rests_on: Vec<Link>,
}

impl Context<'_> {
    /// Commits a record that rests on the steps this one needed.
    pub(super) fn commit(
        &self,
        record: Record,
        subject: String,
        artifacts: Vec<Artifact>,
    ) -> Result<Evidence, LifecycleError> {
        self.commit_resting(record, subject, artifacts, self.rests_on.clone())
    }

    /// Commits records that are one result: all of them or none.
    pub(super) fn commit_together(
        &self,
        records: Vec<(Record, Vec<Artifact>)>,
        subject: &str,
    ) -> Result<Vec<Evidence>, LifecycleError> {
        let new = records.into_iter().map(|(record, artifacts)| NewRecord {
            record,
            subject: subject.to_owned(),
            key: Some(self.key),
            links: self.rests_on.clone(),
            artifacts,
        });
        let new: Vec<NewRecord> = new.collect();
        let committed = self.platform.begin().work(move |work| {
            let committed = new.into_iter().map(|new| Ok(work.commit(new)?.idx));
            committed.collect::<Result<Vec<u64>, StoreError>>()
        })?;
        let evidence = committed
            .into_iter()
            .map(|idx| self.platform.store.evidence(idx));
        Ok(evidence.collect::<Result<_, _>>()?)
    }

    /// Commits a record that rests on others.
    pub(super) fn commit_resting(
        &self,
        record: Record,
        subject: String,
        artifacts: Vec<Artifact>,
        links: Vec<Link>,
    ) -> Result<Evidence, LifecycleError> {
        let committed = self.platform.commit(NewRecord {
            record: record.clone(),
            subject,
            key: Some(self.key),
            links,
            artifacts,
        })?;
        Ok(Evidence {
            idx: committed.idx,
            entry: committed.entry,
            record,
        })
    }

    pub(super) fn blobs(&self) -> &Blobs {
        self.platform.store.blobs()
    }

    /// Returns where bytes came from, for messages; their digest when they came from nowhere on this machine.
    fn name_of(&self, digest: Hash) -> PathBuf {
        let known = lock(self.files).get(&digest).cloned();
        known.unwrap_or_else(|| PathBuf::from(digest.short()))
    }

    /// Stores a file under the digest that its request names, unless it was changed since.
    pub(super) fn keep(&self, digest: Hash) -> Result<(), LifecycleError> {
        let path = self.name_of(digest);
        let mut file = std::fs::File::open(&path).map_err(LifecycleError::file(&path))?;
        self.blobs().put_reader(digest, &mut file)?;
        Ok(())
    }

    /// Returns stored bytes as a source of data.
    pub(super) fn source(&self, digest: Hash) -> Result<Source, LifecycleError> {
        Ok(Source::bytes(
            self.name_of(digest),
            self.blobs().get(digest)?,
        ))
    }

    /// Returns the rows that are meant, as their bytes in the store have them.
    pub(super) fn dataset(&self, request: &DatasetRequest) -> Result<Arc<Dataset>, LifecycleError> {
        self.memory.datasets.get_or_make(request, || {
            request.load(&self.source(request.digest)?, self.check_columns)
        })
    }

    /// Returns the part of each row.
    pub(super) fn parts(&self, assignment: Hash) -> Result<Arc<Vec<Part>>, LifecycleError> {
        self.memory
            .parts
            .get_or_make(&assignment, || read_parts(self.blobs(), assignment))
    }

    /// Returns the model that is meant, read from the store once in a run.
    pub(super) fn model(&self, request: &ModelRequest) -> Result<Arc<Model>, LifecycleError> {
        self.memory
            .models
            .get_or_make(request, || request.read(self.blobs()))
    }

    /// Returns the sealed test part with the scores of a model.
    pub(super) fn test(&self, request: &TestRequest) -> Result<Arc<TestScores>, LifecycleError> {
        self.memory.tests.get_or_make(request, || {
            let (dataset, model) = (self.dataset(&request.dataset)?, self.model(&request.model)?);
            TestScores::new(&dataset, &model, &self.parts(request.assignment)?)
        })
    }

    /// Returns what ran, without the variables of a command.
    pub(super) fn environment(&self) -> RunEnvironment {
        RunEnvironment {
            program: self.platform.program.clone(),
            platform: self.platform.system(),
            variables: BTreeMap::new(),
            versions: BTreeMap::new(),
        }
    }

    /// Stores the text of the pipeline file as it is now, and returns it as an artefact.
    pub(super) fn keep_text(&self) -> Result<Artifact, LifecycleError> {
        let text = self.text.as_bytes().to_vec();
        let bytes = text.len() as u64;
        Ok(Artifact {
            name: "pipeline".to_owned(),
            digest: self.blobs().put(text)?,
            bytes,
            personal: false,
        })
    }
}
