//! Content keys: whether a step was done before, and what steps after it depend on.

use std::path::PathBuf;

use serde_json::json;
use veracta_governance::evidence::Evidence;
use veracta_governance::gate::RULES;
use veracta_governance::record::{DatasetVersion, Record};
use veracta_ledger::Hash;
use veracta_ml::fairness::DISPARITIES;
use veracta_ml::performance::METRICS;
use veracta_ml::privacy::DETECTORS_VERSION;

use super::{Execution, StepResult, lock};
use crate::LifecycleError;
use crate::data::{dataset_name, hash_file, identifier_names};
use crate::pipeline::PipelineFile;
use crate::pipeline::plan::{PlannedStep, content_key};

/// Version of what scenarios and attacks compute.
const SHADOW_TRAINING_VERSION: u32 = 1;

impl Execution<'_> {
    /// Returns a step's content key, and its result when it was done before and its bytes are still there.
    pub(super) fn look_up(
        &self,
        step: &PlannedStep,
    ) -> Result<(Hash, Option<StepResult>), LifecycleError> {
        let key = self.key(step)?;
        let evidence = self.platform.store.made_by(key)?;
        let is_complete = match step.id.as_str() {
            // A decision that another one followed is no longer what stands in the registry: it is made, and recorded, again.
            "gate" => {
                !evidence.is_empty()
                    && self.newest_decision()? == evidence.last().map(|item| item.idx)
            }
            "train" => evidence
                .iter()
                .any(|item| item.entry.kind == "model.version"),
            "criteria" => {
                evidence.len() > self.file.spec.statements.len() + self.file.spec.waivers.len()
            }
            "documents" => evidence.len() >= self.file.spec.documents.len(),
            _ => !evidence.is_empty(),
        };
        if !is_complete {
            return Ok((key, None));
        }
        for artifact in evidence.iter().flat_map(|item| &item.entry.artifacts) {
            if !self.platform.store.blobs().contains(artifact.digest)? {
                return Ok((key, None));
            }
        }
        let identity = self.identity(&step.id, &evidence);
        Ok((key, Some(StepResult { evidence, identity })))
    }

    /// Returns the position of the latest decision about this very model.
    fn newest_decision(&self) -> Result<Option<u64>, LifecycleError> {
        let (_, model) = self.result("train").model()?;
        let known = self.platform.store.about(
            "model.version",
            &format!("model:{}", self.file.spec.name.value),
        )?;
        let is_decision = |item: &&Evidence| matches!(&item.record, Record::ModelVersion(body) if body.gate.is_some() && body.digest == model.digest);
        Ok(known.iter().rev().find(is_decision).map(|item| item.idx))
    }

    /// Returns what steps after this one depend on: content, never positions or times.
    pub(super) fn identity(&self, step: &str, evidence: &[Evidence]) -> Hash {
        let last = evidence.last().expect("a step that was done has records");
        match (step, &last.record) {
            ("data", Record::DatasetVersion(body)) => self.data_identity(body),
            ("split", Record::DatasetSplit(body)) => body.assignment,
            ("train", Record::ModelVersion(body)) => body.digest,
            (_, Record::Run(run)) => content_key(
                step,
                &run.outputs
                    .iter()
                    .map(|output| output.digest)
                    .collect::<Vec<_>>(),
                &(),
            ),
            _ => content_key(
                step,
                &evidence
                    .iter()
                    .map(|item| item.entry.body)
                    .collect::<Vec<_>>(),
                &(),
            ),
        }
    }

    /// Returns the identity of the data as later steps see it: bytes, reading and what columns are for, not what was declared.
    fn data_identity(&self, version: &DatasetVersion) -> Hash {
        let data = &self.file.spec.data;
        let delimiter = data.delimiter.as_ref().map(|delimiter| &delimiter.value);
        content_key(
            "data identity",
            &[version.digest],
            &json!([
                version.columns,
                delimiter,
                data.missing,
                data.types,
                data.label.positive.value,
                identifier_names(data)
            ]),
        )
    }

    pub(super) fn data_path(&self) -> PathBuf {
        match &self.options.data_file {
            Some(path) => path.clone(),
            None => self.file.folder.join(&self.file.spec.data.path.value),
        }
    }

    /// Returns the digest of a file: the recorded one when a command that was not run again wrote it, else of what is on disk.
    fn digest_of(&self, name: &str) -> Result<Hash, LifecycleError> {
        let results = lock(&self.results);
        let runs = results
            .values()
            .flat_map(|result| &result.evidence)
            .filter_map(|item| match &item.record {
                Record::Run(run) => Some(run),
                _ => None,
            });
        let recorded = runs
            .filter(|run| run.log.is_some())
            .flat_map(|run| &run.outputs)
            .find(|output| output.name == name);
        match recorded {
            Some(output) => Ok(output.digest),
            None => Ok(hash_file(&self.file.folder.join(name))?.0),
        }
    }

    fn key(&self, step: &PlannedStep) -> Result<Hash, LifecycleError> {
        Ok(content_key(
            &step.id,
            &self.inputs(step)?,
            &self.settings(step),
        ))
    }

    /// Returns what a step reads: digests of files, identities of earlier steps, bodies of the records a gate judges.
    fn inputs(&self, step: &PlannedStep) -> Result<Vec<Hash>, LifecycleError> {
        if let Some(position) = step.command {
            return self.file.spec.steps[position]
                .inputs
                .iter()
                .map(|input| self.digest_of(&input.value))
                .collect();
        }
        let identities = |ids: &[&str]| {
            Ok::<Vec<Hash>, LifecycleError>(ids.iter().map(|id| self.result(id).identity).collect())
        };
        Ok(match step.id.as_str() {
            "data" => match &self.options.data_file {
                Some(path) => vec![hash_file(path)?.0],
                None => vec![self.digest_of(&self.file.spec.data.path.value)?],
            },
            "profile" | "scan" | "split" => identities(&["data"])?,
            "criteria" => vec![self.file.spec.validation_plan().digest()],
            "screen" | "minimise" => identities(&["data", "split"])?,
            "train" => {
                let mut read = identities(&["data", "split"])?;
                read.extend(self.tracked()?.map(|tracked| tracked.digest));
                read
            }
            "validate" | "fairness" | "explain" | "robustness" | "privacy" => {
                identities(&["data", "split", "train"])?
            }
            "monitor" => {
                let mut read = identities(&["data", "split", "train"])?;
                read.extend(
                    self.file
                        .spec
                        .monitoring
                        .iter()
                        .map(|asked| self.digest_of(&asked.current.value))
                        .collect::<Result<Vec<_>, _>>()?,
                );
                read
            }
            "gate" => {
                let mut judged: Vec<Hash> =
                    self.gate_evidence()?.iter().map(judged_content).collect();
                // A command done again stands at a later place with the same content.
                judged.sort_unstable();
                judged
            }
            _ => {
                // Everything the gate saw, not only what it said: a document also prints what people stated.
                let gate = PlannedStep {
                    id: "gate".to_owned(),
                    waits_for: Vec::new(),
                    command: None,
                };
                vec![self.key(&gate)?, self.result("gate").identity]
            }
        })
    }

    /// Returns the lines of the pipeline file, and the parts of the program, that change what a step records.
    fn settings(&self, step: &PlannedStep) -> serde_json::Value {
        let spec = &self.file.spec;
        if let Some(position) = step.command {
            let step = &spec.steps[position];
            let names: Vec<&String> = step
                .inputs
                .iter()
                .chain(&step.outputs)
                .map(|file| &file.value)
                .collect();
            return json!([step.run, names, step.env, step.secrets]);
        }
        let validation = &spec.validation;
        match step.id.as_str() {
            "data" => json!([
                data_settings(self.file),
                spec.processing(),
                dataset_name(&spec.data)
            ]),
            "profile" => json!(null),
            "scan" => json!([spec.data.drop.keys().collect::<Vec<_>>(), DETECTORS_VERSION]),
            "split" => {
                let time = spec.split.time.as_ref().map(|time| &time.value);
                json!([
                    spec.split.method,
                    spec.split.test,
                    spec.split.tune,
                    spec.split.seed,
                    time
                ])
            }
            "criteria" => json!([spec.name.value, spec.statements, waiver_settings(self.file)]),
            "screen" => {
                json!([
                    spec.processing().protected,
                    spec.screening,
                    validation.level,
                    validation.seed,
                    validation.group_rows_min
                ])
            }
            "minimise" => json!([
                spec.refit_spec(),
                spec.training.categories_max,
                spec.minimisation,
                validation.level,
                spec.processing().protected,
                spec.data.drop,
                self.leaking_inputs()
            ]),
            "train" => json!([
                spec.training_spec(),
                spec.training.categories_max,
                spec.name.value,
                spec.purpose,
                spec.owner,
                spec.tier,
                spec.out_of_scope,
                spec.data.purposes,
                validation.threshold
            ]),
            "validate" | "fairness" => {
                let metrics = METRICS
                    .iter()
                    .map(|metric| metric.name)
                    .chain(DISPARITIES.iter().map(|(_, name)| *name));
                json!([spec.validation_plan().digest(), metrics.collect::<Vec<_>>()])
            }
            "explain" => json!(spec.explanation),
            "robustness" | "privacy" => {
                json!([spec.validation_plan().digest(), SHADOW_TRAINING_VERSION])
            }
            "monitor" => json!([
                spec.monitoring,
                validation.level,
                validation.threshold,
                data_settings(self.file)
            ]),
            "gate" => {
                let today = self.platform.today();
                let waivers: Vec<bool> = spec
                    .waivers
                    .iter()
                    .map(|waiver| waiver.valid_until >= today)
                    .collect();
                json!([
                    waivers,
                    RULES.iter().map(|rule| rule.id).collect::<Vec<_>>()
                ])
            }
            _ => json!([
                spec.documents
                    .iter()
                    .map(|document| &document.value)
                    .collect::<Vec<_>>(),
                self.platform.program
            ]),
        }
    }
}

/// Returns what a record says to the gate: of a command what it wrote, not when and by which lines; else the whole body.
fn judged_content(item: &Evidence) -> Hash {
    match &item.record {
        Record::Run(run) if run.log.is_some() => content_key(
            "outputs",
            &run.outputs
                .iter()
                .map(|output| output.digest)
                .collect::<Vec<_>>(),
            &run.step,
        ),
        _ => item.entry.body,
    }
}

/// Settings that change how the data is read and what its columns are for.
fn data_settings(file: &PipelineFile) -> serde_json::Value {
    let data = &file.spec.data;
    let delimiter = data.delimiter.as_ref().map(|delimiter| &delimiter.value);
    json!([
        delimiter,
        data.missing,
        data.types,
        data.label.column.value,
        data.label.positive.value,
        data.label.negative,
        identifier_names(data),
        data.drop.keys().collect::<Vec<_>>(),
        data.nature,
        data.bytes_limit
    ])
}

fn waiver_settings(file: &PipelineFile) -> Vec<[&str; 5]> {
    let waivers = file.spec.waivers.iter();
    waivers
        .map(|waiver| {
            [
                waiver.subject.value.as_str(),
                &waiver.signer,
                &waiver.role,
                &waiver.reason,
                &waiver.valid_until,
            ]
        })
        .collect()
}
