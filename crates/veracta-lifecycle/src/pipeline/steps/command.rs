//! A command that prepares or checks something: what it reads, what it writes, and the record of its run.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::{NamedDigest, Record, Run};

use super::{Context, Descriptor, Done, StepResult};
use crate::LifecycleError;
use crate::pipeline::command::{self, Command};
use crate::pipeline::spec::PipelineSpec;

pub(super) use crate::pipeline::command::restore_outputs as restore_files;

/// Needs the commands that write its inputs. Its name is the one that the pipeline file gives it.
pub(super) const STEP: Descriptor = Descriptor {
    id: "command",
    version: 2,
    reads: &[],
    follows: &[],
};

#[derive(Serialize)]
pub(super) struct Request {
    pipeline: String,
    purposes: Vec<String>,
    inputs: Vec<NamedDigest>,
    command: Command,
}

pub(super) fn request(
    spec: &PipelineSpec,
    position: usize,
    done: &Done<'_>,
) -> Result<Request, LifecycleError> {
    let step = &spec.steps[position];
    let inputs = step.inputs.iter().map(|input| {
        Ok(NamedDigest {
            name: input.value.clone(),
            digest: done.digest_of(&input.value)?,
        })
    });
    Ok(Request {
        pipeline: spec.name.value.clone(),
        purposes: spec.data.purposes.clone(),
        inputs: inputs.collect::<Result<_, LifecycleError>>()?,
        command: Command {
            id: step.id.value.clone(),
            run: step.run.clone(),
            inputs: step
                .inputs
                .iter()
                .map(|input| input.value.clone())
                .collect(),
            outputs: step
                .outputs
                .iter()
                .map(|output| output.value.clone())
                .collect(),
            env: step.env.clone(),
            secrets: step.secrets.clone(),
            versions: step.versions.clone(),
            seconds_max: step.seconds_max,
        },
    })
}

impl super::Request for Request {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        let started = context.platform.now();
        let done = command::run(context.platform, &self.command, context.folder)?;
        for input in &self.inputs {
            let stored = done
                .artifacts
                .iter()
                .find(|artifact| artifact.name == input.name);
            if stored.is_some_and(|artifact| artifact.digest != input.digest) {
                return Err(LifecycleError::InputChanged {
                    step: self.command.id.clone(),
                    input: input.name.clone(),
                });
            }
        }
        let mut environment = context.environment();
        environment.variables = done.variables;
        environment.versions = done.versions;
        let run = Run {
            pipeline: self.pipeline.clone(),
            step: self.command.id.clone(),
            code: self.command.run.clone(),
            config: json!({ "seconds_max": self.command.seconds_max }),
            purposes: self.purposes.clone(),
            inputs: self.inputs.clone(),
            outputs: done.outputs,
            seed: None,
            environment,
            started,
            ended: context.platform.now(),
            exit_code: 0,
            log: Some(done.log),
            metrics: BTreeMap::new(),
        };
        let subject = format!("run:{}/{}", self.pipeline, self.command.id);
        Ok(vec![context.commit(
            Record::Run(run),
            subject,
            done.artifacts,
        )?])
    }
}

/// Puts the recorded outputs of a command that is not run again back where a file is missing or differs.
pub(in crate::pipeline) fn restore_outputs(
    known: &StepResult,
    done: &Done<'_>,
) -> Result<(), LifecycleError> {
    let outputs = known.one(|record| match record {
        Record::Run(run) => Some(&run.outputs),
        _ => None,
    });
    let Some((_, outputs)) = outputs else {
        return Ok(());
    };
    restore_files(done.store, done.folder, outputs)
}
