//! The model: trained here on the training part, or trained elsewhere and read from its file.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use veracta_governance::evidence::Evidence;
use veracta_governance::record::{ModelInput, ModelStatus, ModelVersion, NamedDigest, Record, Run};
use veracta_ledger::Hash;
use veracta_ledger::entry::{Artifact, Link};
use veracta_model::training::TrainingSpec;

use super::done::model_subject;
use super::tracked::{Tracked, tracked};
use super::{Context, Descriptor, Done, Step};
use crate::LifecycleError;
use crate::data::dataset::DatasetRequest;
use crate::pipeline::spec::PipelineSpec;
use crate::training::{Trained, bring, seed_of, train};

/// Needs the command that writes the model's file, if one does.
pub(super) const STEP: Descriptor = Descriptor {
    id: "train",
    version: 3,
    reads: &[Step::Data, Step::Split],
    follows: &[Step::Criteria],
};

#[derive(Serialize)]
pub(super) struct Request {
    dataset: DatasetRequest,
    assignment: Hash,
    training: TrainingSpec,
    origin: Origin,
    /// What is declared of the model, and stands in its record.
    declared: Declared,
}

/// Where the model's bytes come from.
#[derive(Serialize)]
enum Origin {
    /// From training by this program on the training part.
    Trained {
        /// Most categories of an input.
        categories_max: usize,
    },
    /// From a file in the pipeline's folder.
    File {
        /// Path of the file, relative to that folder.
        path: String,
        /// SHA-256 of the file: the recorded one when a command wrote it, else of what is on disk.
        digest: Hash,
    },
    /// From a version that a client of the tracking server registered.
    Tracked(Box<Tracked>),
}

#[derive(Serialize)]
struct Declared {
    model: String,
    purpose: String,
    owner: Option<String>,
    tier: Option<String>,
    out_of_scope: Vec<String>,
    purposes: Vec<String>,
    threshold: f64,
}

pub(super) fn request(spec: &PipelineSpec, done: &Done<'_>) -> Result<Request, LifecycleError> {
    let training = spec.training_spec();
    let origin = match &training {
        TrainingSpec::GradientBoosting(_) | TrainingSpec::LogisticRegression(_) => {
            Origin::Trained {
                categories_max: spec.training.categories_max,
            }
        }
        TrainingSpec::File { path } => Origin::File {
            path: path.clone(),
            digest: done.digest_of(path)?,
        },
        TrainingSpec::Tracked { version, .. } => {
            Origin::Tracked(Box::new(tracked(spec, version, done)?))
        }
    };
    Ok(Request {
        dataset: done.rows(spec)?,
        assignment: done.split()?.assignment,
        training,
        origin,
        declared: Declared {
            model: spec.name.value.clone(),
            purpose: spec.purpose.clone(),
            owner: spec.owner.clone(),
            tier: spec.tier.clone(),
            out_of_scope: spec.out_of_scope.clone(),
            purposes: spec.data.purposes.clone(),
            threshold: spec.validation.threshold,
        },
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let started = context.platform.now();
        let trained = self.obtain(context)?;
        let digest = context.blobs().put(trained.bytes.clone())?;
        let artifact = Artifact {
            name: "model".to_owned(),
            digest,
            bytes: trained.bytes.len() as u64,
            personal: false,
        };
        let text = context.keep_text()?;
        let run = self.run_record(context, &trained, digest, text.digest, started)?;
        let mut links = context.rests_on.clone();
        links.extend(self.origin.links());
        let run = context.commit_resting(
            Record::Run(run),
            format!("run:{}/train", self.declared.model),
            vec![artifact.clone(), text],
            links,
        )?;
        let model = self.model_record(context, &trained, digest, run.idx)?;
        let links = vec![Link {
            idx: run.idx,
            body: run.entry.body,
        }];
        let subject = model_subject(&self.declared.model);
        let record = Record::ModelVersion(model);
        let model = context.commit_resting(record, subject, vec![artifact], links)?;
        Ok(vec![run, model])
    }

    fn is_complete(&self, known: &[Evidence], _: &Done<'_>) -> Result<bool, LifecycleError> {
        Ok(known.iter().any(|item| item.entry.kind == "model.version"))
    }
}

impl Request {
    fn obtain(&self, context: &Context<'_>) -> Result<Trained, LifecycleError> {
        let (dataset, parts) = (
            context.dataset(&self.dataset)?,
            context.parts(self.assignment)?,
        );
        let label = self.dataset.label.label();
        let digest = match &self.origin {
            Origin::Trained { categories_max } => {
                return train(&dataset, &label, &self.training, *categories_max, &parts);
            }
            Origin::File { digest, .. } => {
                context.keep(*digest)?;
                *digest
            }
            Origin::Tracked(tracked) => tracked.digest,
        };
        bring(
            &dataset,
            &label,
            context.blobs().get(digest)?.to_vec(),
            &parts,
        )
    }

    fn run_record(
        &self,
        context: &Context<'_>,
        trained: &Trained,
        digest: Hash,
        text: Hash,
        started: String,
    ) -> Result<Run, LifecycleError> {
        let named = |name: &str, digest: Hash| NamedDigest {
            name: name.to_owned(),
            digest,
        };
        let mut inputs = vec![
            named("dataset", self.dataset.digest),
            named("assignment", self.assignment),
            named("pipeline", text),
        ];
        if let Origin::File { path, digest } = &self.origin {
            inputs.push(named(path, *digest));
        }
        let times = self.origin.times();
        Ok(Run {
            pipeline: self.declared.model.clone(),
            step: STEP.id.to_owned(),
            code: self.origin.code(&trained.model.kind()),
            config: self.config()?,
            purposes: self.declared.purposes.clone(),
            inputs,
            outputs: vec![named("model", digest)],
            seed: seed_of(&self.training),
            environment: context.environment(),
            started: times.0.unwrap_or(started),
            ended: times.1.unwrap_or_else(|| context.platform.now()),
            exit_code: 0,
            log: None,
            metrics: trained.metrics.clone(),
        })
    }

    /// Returns what the model was trained with: of one trained elsewhere the parameters that its run logged.
    fn config(&self) -> Result<Value, LifecycleError> {
        Ok(match &self.origin {
            Origin::Trained { .. } | Origin::File { .. } => serde_json::to_value(&self.training)?,
            Origin::Tracked(tracked) => json!({
                "tracked": self.training,
                "file": tracked.file,
                "params": tracked.params,
                "experiment": tracked.experiment_id,
                "name": tracked.name,
            }),
        })
    }

    fn model_record(
        &self,
        context: &Context<'_>,
        trained: &Trained,
        digest: Hash,
        run_idx: u64,
    ) -> Result<ModelVersion, LifecycleError> {
        let declared = &self.declared;
        Ok(ModelVersion {
            model: declared.model.clone(),
            version: self.version_of(context, digest)?,
            digest,
            status: ModelStatus::Candidate,
            run_idx,
            datasets: vec![self.dataset.digest],
            architecture: trained.model.kind(),
            training: self.training.clone(),
            inputs: trained
                .model
                .signature
                .inputs
                .iter()
                .map(ModelInput::from)
                .collect(),
            label: self.dataset.label.label(),
            threshold: declared.threshold,
            owner: declared.owner.clone(),
            tier: declared.tier.clone(),
            purpose: declared.purpose.clone(),
            out_of_scope: declared.out_of_scope.clone(),
            gate: None,
        })
    }

    /// Returns the version of an artefact: its own when it is known, else the next number.
    fn version_of(&self, context: &Context<'_>, digest: Hash) -> Result<u32, LifecycleError> {
        let subject = model_subject(&self.declared.model);
        let known = context.platform.store.about("model.version", &subject)?;
        let versions: BTreeMap<Hash, u32> = known
            .iter()
            .filter_map(|item| match &item.record {
                Record::ModelVersion(body) => Some((body.digest, body.version)),
                _ => None,
            })
            .collect();
        let newest = versions.values().max().copied().unwrap_or(0);
        Ok(versions.get(&digest).copied().unwrap_or(newest + 1))
    }
}

impl Origin {
    /// A model that was registered with the tracking server also rests on the run that made it, and on its registration.
    fn links(&self) -> Vec<Link> {
        match self {
            Self::Trained { .. } | Self::File { .. } => Vec::new(),
            Self::Tracked(tracked) => tracked.links.clone(),
        }
    }

    fn code(&self, kind: &str) -> String {
        match self {
            Self::Trained { .. } => format!("built-in {kind}"),
            Self::File { path, .. } => format!("read from `{path}`"),
            Self::Tracked(tracked) => format!("run {} of the tracking server", tracked.run_id),
        }
    }

    /// Returns when training began and ended, where that is known.
    fn times(&self) -> (Option<String>, Option<String>) {
        match self {
            Self::Trained { .. } | Self::File { .. } => (None, None),
            Self::Tracked(tracked) => {
                (Some(time_of(tracked.start_ms)), tracked.end_ms.map(time_of))
            }
        }
    }
}

fn time_of(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map(|time| format!("{time:.3}"))
        .unwrap_or_default()
}
