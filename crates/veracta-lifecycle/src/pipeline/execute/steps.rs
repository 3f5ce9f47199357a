//! The built-in steps and commands: load, compute, commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use veracta_governance::document::{DocumentKind, gather, html, markdown};
use veracta_governance::evidence::{Evidence, EvidenceSet};
use veracta_governance::gate::{Verdict, evaluate_gate};
use veracta_governance::plan::ValidationPlan;
use veracta_governance::record::{
    ApprovalSignature, Attestation, DatasetSplit, DocumentExport, ModelCard, ModelStatus,
    ModelVersion, NamedDigest, Record, Run, RunEnvironment, VALIDATION_PLAN,
};
use veracta_ledger::Hash;
use veracta_ledger::entry::{Artifact, Link};
use veracta_ml::model::Predictor;
use veracta_ml::split::Role;
use veracta_store::NewRecord;

use super::tracked::{code_of, config_of, time_of};
use super::{Execution, StepResult, StepState, lock};
use crate::LifecycleError;
use crate::data::{Dataset, dataset_name, decode_roles, encode_roles, hash_file, load};
use crate::pipeline::command;
use crate::pipeline::plan::plan;
use crate::pipeline::spec::CommandSpec;
use crate::training::{bring, seed_of, train};
use crate::validation::{
    TestScores, ValidationScope, explain_record, fairness_record, score_test, validation_record,
};

impl Execution<'_> {
    pub(super) fn run_built_in(&self, step: &str, key: Hash) -> Result<StepResult, LifecycleError> {
        match step {
            "data" => self.run_data(key),
            "profile" => self.commit_about_data(
                step,
                key,
                Record::DatasetProfile(self.dataset()?.profile_record(&self.file.spec)),
                &["data"],
            ),
            "scan" => self.commit_about_data(
                step,
                key,
                Record::DatasetPhiScan(self.dataset()?.phi_scan_record(&self.file.spec)),
                &["data"],
            ),
            "split" => self.run_split(key),
            "criteria" => self.run_criteria(key),
            "screen" => {
                let record = self.dataset()?.bias_record(&self.file.spec, self.roles()?);
                self.commit_about_data(step, key, Record::BiasReport(record), &["data", "split"])
            }
            "minimise" => {
                let progress = |done, total| {
                    self.emit(step, StepState::Progress { done, total }, Vec::new());
                };
                let set_aside = self.leaking_inputs();
                let record = self.dataset()?.minimisation_record(
                    &self.file.spec,
                    self.roles()?,
                    set_aside,
                    &progress,
                )?;
                self.commit_about_data(
                    step,
                    key,
                    Record::DatasetMinimisation(record),
                    &["data", "split", "screen"],
                )
            }
            "train" => self.run_train(key),
            "validate" | "fairness" | "explain" => self.run_validation(step, key),
            "robustness" => self.run_robustness(key),
            "privacy" => self.run_privacy(key),
            "monitor" => self.run_monitor(key),
            "gate" => self.run_gate(key),
            _ => self.run_documents(key),
        }
    }

    /// Commits a record and returns it with its place.
    pub(super) fn commit(&self, new: NewRecord) -> Result<Evidence, LifecycleError> {
        let record = new.record.clone();
        let committed = self.platform.commit(new)?;
        Ok(Evidence {
            idx: committed.idx,
            entry: committed.entry,
            record,
        })
    }

    pub(super) fn finish(&self, step: &str, evidence: Vec<Evidence>) -> StepResult {
        StepResult {
            identity: self.identity(step, &evidence),
            evidence,
        }
    }

    /// Returns links to the latest record of each of these steps.
    pub(super) fn links(&self, steps: &[&str]) -> Vec<Link> {
        let results: Vec<StepResult> = steps.iter().map(|step| self.result(step)).collect();
        results
            .iter()
            .flat_map(|result| &result.evidence)
            .map(|item| Link {
                idx: item.idx,
                body: item.entry.body,
            })
            .collect()
    }

    fn dataset_subject(&self) -> String {
        format!("dataset:{}", dataset_name(&self.file.spec.data))
    }

    pub(super) fn model_subject(&self) -> String {
        format!("model:{}", self.file.spec.name.value)
    }

    fn commit_about_data(
        &self,
        step: &str,
        key: Hash,
        record: Record,
        rests_on: &[&str],
    ) -> Result<StepResult, LifecycleError> {
        let new = NewRecord {
            record,
            subject: self.dataset_subject(),
            key: Some(key),
            links: self.links(rests_on),
            artifacts: Vec::new(),
        };
        Ok(self.finish(step, vec![self.commit(new)?]))
    }

    /// Returns the dataset, read on first use. One thread reads while the others wait.
    pub(super) fn dataset(&self) -> Result<&Dataset, LifecycleError> {
        let _making = lock(&self.making);
        if self.dataset.get().is_none() {
            let loaded = load(self.file, &self.data_path())?;
            // Nobody else sets it: the lock is held.
            let _ = self.dataset.set(loaded);
        }
        Ok(&self.dataset.get().expect("the dataset was just set").1)
    }

    pub(super) fn roles(&self) -> Result<&Vec<Role>, LifecycleError> {
        if let Some(roles) = self.roles.get() {
            return Ok(roles);
        }
        let result = self.result("split");
        let (_, split) = split_of(&result)?;
        let bytes = self.platform.store.blobs().get(split.assignment)?;
        let roles = decode_roles(&bytes).ok_or(LifecycleError::MissingEvidence {
            kind: "assignment of rows to parts",
        })?;
        Ok(self.roles.get_or_init(|| roles))
    }

    pub(super) fn predictor(&self) -> Result<&Predictor, LifecycleError> {
        if let Some(predictor) = self.predictor.get() {
            return Ok(predictor);
        }
        let (_, model) = self.result("train").model()?;
        let predictor = crate::training::predictor_of(&self.platform.store, &model)?;
        Ok(self.predictor.get_or_init(|| predictor))
    }

    pub(super) fn test(&self) -> Result<&TestScores, LifecycleError> {
        if let Some(test) = self.test.get() {
            return Ok(test);
        }
        let test = {
            let clusters = self
                .file
                .spec
                .validation
                .clusters
                .as_ref()
                .map(|column| column.value.as_str());
            score_test(self.dataset()?, self.predictor()?, self.roles()?, clusters)?
        };
        Ok(self.test.get_or_init(|| test))
    }

    fn run_data(&self, key: Hash) -> Result<StepResult, LifecycleError> {
        let path = self.data_path();
        self.dataset()?;
        let (format, dataset) = self.dataset.get().expect("the dataset was just read");
        let record = dataset.version_record(&self.file.spec, format.clone());
        let mut source = std::fs::File::open(&path).map_err(LifecycleError::file(&path))?;
        self.platform
            .store
            .blobs()
            .put_reader(dataset.digest, &mut source)?;
        let artifact = Artifact {
            name: "dataset".to_owned(),
            digest: dataset.digest,
            bytes: dataset.n_bytes,
            personal: true,
        };
        let writers = self.file.spec.steps.iter().filter(|step| {
            step.outputs
                .iter()
                .any(|output| output.value == self.file.spec.data.path.value)
        });
        let writers: Vec<&str> = writers.map(|step| step.id.value.as_str()).collect();
        let new = NewRecord {
            record: Record::DatasetVersion(record),
            subject: self.dataset_subject(),
            key: Some(key),
            links: self.links(&writers),
            artifacts: vec![artifact],
        };
        Ok(self.finish("data", vec![self.commit(new)?]))
    }

    fn run_split(&self, key: Hash) -> Result<StepResult, LifecycleError> {
        let (record, roles) = self.dataset()?.split(&self.file.spec)?;
        let bytes = encode_roles(&roles);
        let artifact = Artifact {
            name: "assignment".to_owned(),
            digest: record.assignment,
            bytes: bytes.len() as u64,
            personal: false,
        };
        self.platform.store.blobs().put(bytes)?;
        let new = NewRecord {
            record: Record::DatasetSplit(record),
            subject: self.dataset_subject(),
            key: Some(key),
            links: self.links(&["data"]),
            artifacts: vec![artifact],
        };
        Ok(self.finish("split", vec![self.commit(new)?]))
    }

    /// Records the plan, the statements and the waivers, before any result exists.
    fn run_criteria(&self, key: Hash) -> Result<StepResult, LifecycleError> {
        let spec = &self.file.spec;
        let plan = spec.validation_plan();
        // The same plan recorded before stays the one that counts: statements and waivers may be added to it.
        let known = self
            .platform
            .store
            .about("attestation", &self.model_subject())?;
        let same = known.into_iter().find(|item| matches!(&item.record, Record::Attestation(body) if body.plan.as_ref() == Some(&plan)));
        let mut records = Vec::new();
        records.push(Record::Attestation(Attestation {
            topic: VALIDATION_PLAN.to_owned(),
            statement: match &same {
                Some(item) => format!("the criteria recorded at #{} stand", item.idx),
                None => format!(
                    "criteria for {}, fixed before any result exists",
                    spec.name.value
                ),
            },
            signer: spec.owner.clone(),
            valid_until: None,
            file_digest: Some(plan.digest()),
            plan: same.is_none().then_some(plan),
        }));
        records.extend(spec.statements.iter().map(|statement| {
            Record::Attestation(Attestation {
                topic: statement.topic.clone(),
                statement: statement.statement.clone(),
                signer: statement.signer.clone(),
                valid_until: statement
                    .valid_until
                    .as_ref()
                    .map(|date| date.value.clone()),
                file_digest: None,
                plan: None,
            })
        }));
        records.extend(spec.waivers.iter().map(|waiver| {
            Record::ApprovalSignature(ApprovalSignature {
                signer: waiver.signer.clone(),
                role: waiver.role.clone(),
                meaning: "waive".to_owned(),
                subject: waiver.subject.value.clone(),
                reason: waiver.reason.clone(),
                valid_until: Some(waiver.valid_until.clone()),
                method: "declared in the pipeline file".to_owned(),
                second_factor: None,
            })
        }));
        let links: Vec<Link> = same
            .iter()
            .map(|item| Link {
                idx: item.idx,
                body: item.entry.body,
            })
            .collect();
        let mut evidence = Vec::new();
        for record in records {
            let new = NewRecord {
                record,
                subject: self.model_subject(),
                key: Some(key),
                links: links.clone(),
                artifacts: Vec::new(),
            };
            evidence.push(self.commit(new)?);
        }
        Ok(self.finish("criteria", evidence))
    }

    /// Returns the plan with the position of the record that fixed it first.
    fn plan(&self) -> Result<(u64, ValidationPlan), LifecycleError> {
        let plan = self.file.spec.validation_plan();
        let known = self
            .platform
            .store
            .about("attestation", &self.model_subject())?;
        let first = known.iter().find(|item| matches!(&item.record, Record::Attestation(body) if body.plan.as_ref() == Some(&plan)));
        let item = first.ok_or(LifecycleError::MissingEvidence {
            kind: "validation plan",
        })?;
        Ok((item.idx, plan))
    }

    fn environment(&self) -> RunEnvironment {
        RunEnvironment {
            program: self.platform.program.clone(),
            platform: self.platform.system(),
            variables: BTreeMap::new(),
            versions: BTreeMap::new(),
        }
    }

    fn run_train(&self, key: Hash) -> Result<StepResult, LifecycleError> {
        let spec = &self.file.spec;
        let started = self.platform.now();
        let dataset = self.dataset()?;
        let blobs = self.platform.store.blobs();
        let tracked = self.tracked()?;
        let trained = match &tracked {
            Some(tracked) => bring(
                dataset,
                spec,
                self.roles()?,
                blobs.get(tracked.digest)?.to_vec(),
            )?,
            None => train(dataset, spec, self.roles()?)?,
        };
        let digest = blobs.put(trained.bytes.clone())?;
        let pipeline = blobs.put(self.file.text.clone().into_bytes())?;
        let split_result = self.result("split");
        let (_, split) = split_of(&split_result)?;
        let training = spec.training_spec();
        let run = Run {
            pipeline: spec.name.value.clone(),
            step: "train".to_owned(),
            code: code_of(tracked.as_ref(), &trained.predictor),
            config: config_of(tracked.as_ref(), &training)?,
            purposes: spec.data.purposes.clone(),
            inputs: vec![
                NamedDigest {
                    name: "dataset".to_owned(),
                    digest: dataset.digest,
                },
                NamedDigest {
                    name: "assignment".to_owned(),
                    digest: split.assignment,
                },
                NamedDigest {
                    name: "pipeline".to_owned(),
                    digest: pipeline,
                },
            ],
            outputs: vec![NamedDigest {
                name: "model".to_owned(),
                digest,
            }],
            seed: seed_of(&training),
            environment: self.environment(),
            started: tracked
                .as_ref()
                .map_or(started, |tracked| time_of(tracked.body.start_ms)),
            ended: tracked
                .as_ref()
                .and_then(|tracked| tracked.body.end_ms)
                .map_or_else(|| self.platform.now(), time_of),
            exit_code: 0,
            log: None,
            metrics: trained.metrics,
        };
        let model_artifact = Artifact {
            name: "model".to_owned(),
            digest,
            bytes: trained.bytes.len() as u64,
            personal: false,
        };
        let pipeline_artifact = Artifact {
            name: "pipeline".to_owned(),
            digest: pipeline,
            bytes: self.file.text.len() as u64,
            personal: false,
        };
        let run_item = self.commit(NewRecord {
            record: Record::Run(run),
            subject: format!("run:{}/train", spec.name.value),
            key: Some(key),
            links: self.links_of_training(tracked.as_ref()),
            artifacts: vec![model_artifact.clone(), pipeline_artifact],
        })?;
        let model = ModelVersion {
            model: spec.name.value.clone(),
            version: self.version_of(digest)?,
            digest,
            status: ModelStatus::Candidate,
            run_idx: run_item.idx,
            datasets: vec![dataset.digest],
            architecture: trained.predictor.kind(),
            training,
            inputs: trained.predictor.inputs.clone(),
            label: trained.predictor.label.clone(),
            threshold: spec.validation.threshold,
            owner: spec.owner.clone(),
            tier: spec.tier.clone(),
            purpose: spec.purpose.clone(),
            out_of_scope: spec.out_of_scope.clone(),
            gate: None,
        };
        let links = vec![Link {
            idx: run_item.idx,
            body: run_item.entry.body,
        }];
        let artifacts = vec![model_artifact];
        let new = NewRecord {
            record: Record::ModelVersion(model),
            subject: self.model_subject(),
            key: Some(key),
            links,
            artifacts,
        };
        let model_item = self.commit(new)?;
        Ok(self.finish("train", vec![run_item, model_item]))
    }

    /// Returns the version of an artefact: its own when it is known, else the next number.
    fn version_of(&self, digest: Hash) -> Result<u32, LifecycleError> {
        let known = self
            .platform
            .store
            .about("model.version", &self.model_subject())?;
        let versions = known.iter().filter_map(|item| match &item.record {
            Record::ModelVersion(body) => Some((body.digest, body.version)),
            _ => None,
        });
        let versions: Vec<(Hash, u32)> = versions.collect();
        let own = versions
            .iter()
            .find(|(known, _)| *known == digest)
            .map(|(_, version)| *version);
        Ok(own.unwrap_or_else(|| {
            versions
                .iter()
                .map(|(_, version)| *version)
                .max()
                .unwrap_or(0)
                + 1
        }))
    }

    fn run_validation(&self, step: &str, key: Hash) -> Result<StepResult, LifecycleError> {
        let (_, model) = self.result("train").model()?;
        let (dataset, test) = (self.dataset()?, self.test()?);
        let (plan_idx, plan) = self.plan()?;
        let scope = ValidationScope {
            plan: &plan,
            plan_idx,
            model: model.digest,
            dataset: dataset.digest,
        };
        let record = match step {
            "validate" => {
                let split_result = self.result("split");
                let (_, split) = split_of(&split_result)?;
                let train_result = self.result("train");
                let training_auc = train_result.one(|record| match record {
                    Record::Run(run) => run.metrics.get("roc_auc").copied(),
                    _ => None,
                });
                Record::ValidationReport(validation_record(
                    scope,
                    test,
                    &split.proof,
                    training_auc.map(|(_, auc)| auc),
                )?)
            }
            "fairness" => Record::FairnessReport(fairness_record(scope, dataset, test)?),
            _ => Record::ExplainReport(explain_record(
                dataset,
                self.predictor()?,
                model.digest,
                test,
                self.file.spec.explanation.rows_max,
            )?),
        };
        let rests_on: &[&str] = if step == "explain" {
            &["data", "split", "train"]
        } else {
            &["data", "split", "criteria", "train"]
        };
        let new = NewRecord {
            record,
            subject: self.model_subject(),
            key: Some(key),
            links: self.links(rests_on),
            artifacts: Vec::new(),
        };
        Ok(self.finish(step, vec![self.commit(new)?]))
    }

    /// Returns everything the gate judges: the records of this run and what they rest on, and earlier results of this model.
    pub(super) fn gate_evidence(&self) -> Result<EvidenceSet, LifecycleError> {
        let steps: Vec<String> = plan(&self.file.spec)
            .into_iter()
            .map(|step| step.id)
            .filter(|id| !["gate", "documents", "monitor"].contains(&id.as_str()))
            .collect();
        let mut items: Vec<Evidence> = steps
            .iter()
            .flat_map(|step| self.result(step).evidence)
            .collect();
        let result = self.result("validate");
        let own = result.one(|record| match record {
            Record::ValidationReport(body) => {
                Some((body.model, body.dataset, body.test_part.clone()))
            }
            _ => None,
        });
        let (own_item, own) = own.ok_or(LifecycleError::MissingEvidence {
            kind: "validation.report",
        })?;
        // Results that were seen before this one, of the same model on the same rows: they tell whether the criteria came first.
        let earlier = self
            .platform
            .store
            .about("validation.report", &self.model_subject())?;
        items.extend(earlier.into_iter().filter(|item| match &item.record {
            Record::ValidationReport(body) => {
                item.idx < own_item.idx && (body.model, body.dataset, body.test_part.clone()) == own
            }
            _ => false,
        }));
        let (plan_idx, _) = self.plan()?;
        items.push(self.platform.store.evidence(plan_idx)?);
        items.extend(self.platform.store.openings()?);
        Ok(EvidenceSet::new(items))
    }

    fn run_gate(&self, key: Hash) -> Result<StepResult, LifecycleError> {
        let evidence = self.gate_evidence()?;
        let gate = evaluate_gate(&evidence, &self.platform.today());
        let (_, mut model) = self.result("train").model()?;
        model.status = if gate.verdict == Verdict::Pass {
            ModelStatus::Registered
        } else {
            ModelStatus::Refused
        };
        model.gate = Some(gate);
        let links = evidence
            .iter()
            .map(|item| Link {
                idx: item.idx,
                body: item.entry.body,
            })
            .collect();
        let bytes = self.platform.store.blobs().get(model.digest)?.len() as u64;
        // The text as it is now: a change that re-runs nothing but the gate is part of how this decision came about.
        let text = self.file.text.clone().into_bytes();
        let pipeline = Artifact {
            name: "pipeline".to_owned(),
            digest: self.file.digest(),
            bytes: text.len() as u64,
            personal: false,
        };
        self.platform.store.blobs().put(text)?;
        let artifacts = vec![
            Artifact {
                name: "model".to_owned(),
                digest: model.digest,
                bytes,
                personal: false,
            },
            pipeline,
        ];
        let new = NewRecord {
            record: Record::ModelVersion(model),
            subject: self.model_subject(),
            key: Some(key),
            links,
            artifacts,
        };
        Ok(self.finish("gate", vec![self.commit(new)?]))
    }

    fn run_documents(&self, key: Hash) -> Result<StepResult, LifecycleError> {
        let (item, model) = self.result("gate").model()?;
        let evidence = crate::registry::evidence_for(&self.platform.store, item.idx)?;
        let mut made = Vec::new();
        for name in &self.file.spec.documents {
            let kind = DocumentKind::named(&name.value)
                .expect("documents are checked when the file is read");
            let document = gather(kind, &evidence);
            let rendered = [
                ("html", html::render(&document).into_bytes()),
                ("md", markdown::render(&document).into_bytes()),
                ("json", serde_json::to_vec_pretty(&document)?),
            ];
            let (mut formats, mut artifacts) = (Vec::new(), Vec::new());
            for (format, bytes) in rendered {
                let n_bytes = bytes.len() as u64;
                let digest = self.platform.store.blobs().put(bytes)?;
                formats.push((format.to_owned(), digest));
                artifacts.push(Artifact {
                    name: format!("{}.{format}", kind.id()),
                    digest,
                    bytes: n_bytes,
                    personal: false,
                });
            }
            let template = kind.template_version().to_owned();
            let sources = document.sources.iter().map(|source| source.idx).collect();
            let (n_gaps, status, model) = (document.n_gaps, "draft".to_owned(), model.digest);
            let record = match kind {
                DocumentKind::ModelCard => Record::ModelCard(ModelCard {
                    template,
                    model,
                    formats,
                    sources,
                    n_gaps,
                    status,
                }),
                DocumentKind::ValidationReport => {
                    let document = kind.id().to_owned();
                    Record::DocumentExport(DocumentExport {
                        document,
                        template,
                        model,
                        formats,
                        sources,
                        n_gaps,
                        status,
                    })
                }
            };
            let new = NewRecord {
                record,
                subject: self.model_subject(),
                key: Some(key),
                links: self.links(&["gate"]),
                artifacts,
            };
            made.push(self.commit(new)?);
        }
        Ok(self.finish("documents", made))
    }

    /// Writes the documents beside the pipeline, where a file is missing or differs.
    pub(super) fn write_documents(
        &self,
        model: &ModelVersion,
    ) -> Result<Vec<PathBuf>, LifecycleError> {
        let Some(folder) = &self.options.documents_folder else {
            return Ok(Vec::new());
        };
        std::fs::create_dir_all(folder).map_err(LifecycleError::file(folder))?;
        let mut paths = Vec::new();
        for item in &self.result("documents").evidence {
            for artifact in &item.entry.artifacts {
                let path = folder.join(format!(
                    "{}-{}-{}",
                    model.model, model.version, artifact.name
                ));
                let is_there = hash_file(&path).is_ok_and(|(digest, _)| digest == artifact.digest);
                if !is_there {
                    write_file(&path, &self.platform.store.blobs().get(artifact.digest)?)?;
                }
                paths.push(path);
            }
        }
        Ok(paths)
    }

    pub(super) fn run_command(
        &self,
        step: &CommandSpec,
        key: Hash,
    ) -> Result<StepResult, LifecycleError> {
        let started = self.platform.now();
        let inputs = command::hash_inputs(step, &self.file.folder)?;
        let done = command::run(self.platform, step, &self.file.folder)?;
        let mut environment = self.environment();
        environment.variables = done.variables;
        environment.versions = done.versions;
        let run = Run {
            pipeline: self.file.spec.name.value.clone(),
            step: step.id.value.clone(),
            code: step.run.clone(),
            config: json!({ "seconds_max": step.seconds_max }),
            purposes: self.file.spec.data.purposes.clone(),
            inputs,
            outputs: done.outputs,
            seed: None,
            environment,
            started,
            ended: self.platform.now(),
            exit_code: 0,
            log: Some(done.log),
            metrics: BTreeMap::new(),
        };
        let waits_for = plan(&self.file.spec)
            .into_iter()
            .find(|planned| planned.id == step.id.value)
            .map(|planned| planned.waits_for);
        let waits_for = waits_for.unwrap_or_default();
        let new = NewRecord {
            record: Record::Run(run),
            subject: format!("run:{}/{}", self.file.spec.name.value, step.id.value),
            key: Some(key),
            links: self.links(&waits_for.iter().map(String::as_str).collect::<Vec<_>>()),
            artifacts: done.artifacts,
        };
        Ok(self.finish(&step.id.value, vec![self.commit(new)?]))
    }
}

fn split_of(result: &StepResult) -> Result<(&Evidence, DatasetSplit), LifecycleError> {
    let found = result.one(|record| match record {
        Record::DatasetSplit(body) => Some(body.clone()),
        _ => None,
    });
    found.ok_or(LifecycleError::MissingEvidence {
        kind: "dataset.split",
    })
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), LifecycleError> {
    std::fs::write(path, bytes).map_err(LifecycleError::file(path))
}
