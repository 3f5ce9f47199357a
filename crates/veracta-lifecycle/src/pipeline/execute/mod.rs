//! Doing what the plan says: each step is looked up by its content key and done only when it was not done before.
//!
//! A step ends with a commit, so a killed run goes on where it stopped. Steps that do not wait for each other run side by side.

mod keys;
mod measures;
mod notices;
mod steps;
mod tracked;

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use serde::Serialize;
use serde_saphyr::Spanned;
use veracta_governance::evidence::Evidence;
use veracta_governance::gate::GateResult;
use veracta_governance::record::{DataNature, ModelVersion, Record};
use veracta_ledger::Hash;
use veracta_ml::model::Predictor;
use veracta_ml::split::Role;

use super::command;
use super::plan::{PlannedStep, plan};
use super::spec::PipelineFile;
use crate::data::Dataset;
use crate::validation::TestScores;
use crate::{LifecycleError, Platform, Problem};

/// How a pipeline is run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Reads this file in place of the one the pipeline names.
    pub data_file: Option<PathBuf>,
    /// Writes documents here; nowhere when not given.
    pub documents_folder: Option<PathBuf>,
    /// Only says what would be done.
    pub dry_run: bool,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StepState {
    /// It began.
    Started,
    /// It is under way.
    Progress {
        /// Parts done.
        done: usize,
        /// Parts in all.
        total: usize,
    },
    /// It was done before with the same content.
    Unchanged,
    /// It was done now.
    Done {
        /// How long it took.
        seconds: f64,
    },
    /// It would be done (dry run).
    WouldRun,
}

/// Something to show while a pipeline runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepEvent {
    /// The step.
    pub step: String,
    /// What became of it.
    #[serde(flatten)]
    pub state: StepState,
    /// Ledger positions of its records.
    pub records: Vec<u64>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunOutcome {
    /// Steps in the order they ended.
    pub steps: Vec<StepEvent>,
    /// What was noticed in the data, whatever the gate decides.
    pub notices: Vec<String>,
    /// The gate's decision; `None` for a dry run.
    pub gate: Option<GateResult>,
    /// Position of the model's record.
    pub model_idx: Option<u64>,
    /// Name and version of the model.
    pub model: Option<(String, u32)>,
    /// Whether the data is real; `None` for a dry run.
    pub data_nature: Option<DataNature>,
    /// Documents written.
    pub documents: Vec<PathBuf>,
}

/// The records of a step, and what steps after it depend on.
#[derive(Debug, Clone)]
struct StepResult {
    evidence: Vec<Evidence>,
    identity: Hash,
}

/// Everything the steps of one run share. Heavy parts are made on first use and never when nothing changed.
struct Execution<'r> {
    platform: &'r Platform,
    file: &'r PipelineFile,
    options: &'r RunOptions,
    results: Mutex<BTreeMap<String, StepResult>>,
    dataset: OnceLock<(String, Dataset)>,
    roles: OnceLock<Vec<Role>>,
    predictor: OnceLock<Predictor>,
    test: OnceLock<TestScores>,
    making: Mutex<()>,
    events: &'r (dyn Fn(StepEvent) + Sync),
}

/// Runs a pipeline; `events` is called as steps begin and end.
pub fn run_pipeline(
    platform: &Platform,
    file: &PipelineFile,
    options: &RunOptions,
    events: &(dyn Fn(StepEvent) + Sync),
) -> Result<RunOutcome, LifecycleError> {
    let execution = Execution {
        platform,
        file,
        options,
        results: Mutex::default(),
        dataset: OnceLock::new(),
        roles: OnceLock::new(),
        predictor: OnceLock::new(),
        test: OnceLock::new(),
        making: Mutex::default(),
        events,
    };
    let steps = plan(&file.spec);
    refuse_missing_files(file, options)?;
    if options.dry_run {
        return execution.dry_run(&steps);
    }
    // Two runs at once would do everything twice: the second waits and finds it done.
    let lock_path = platform.store.folder().join("run.lock");
    let lock = File::options()
        .create(true)
        .append(true)
        .open(&lock_path)
        .map_err(LifecycleError::file(&lock_path))?;
    lock.lock().map_err(LifecycleError::file(&lock_path))?;
    let events = execution.run_all(&steps)?;
    let (item, model) = execution.result("gate").model()?;
    let documents = execution.write_documents(&model)?;
    platform.store.publish()?;
    let mut notices = execution.notices();
    // Going back to earlier settings finds their model: the name goes on standing for the one that was decided last.
    if let Record::ModelVersion(latest) =
        crate::registry::resolve(&platform.store, &format!("model:{}", model.model))?.record
        && latest.version != model.version
    {
        let (name, own, other) = (&model.model, model.version, latest.version);
        notices.push(format!(
            "this run is about `{name}@{own}`; the name `{name}` alone stands for `{name}@{other}`, which was decided later"
        ));
    }
    Ok(RunOutcome {
        steps: events,
        notices,
        gate: model.gate,
        model_idx: Some(item.idx),
        model: Some((model.model, model.version)),
        data_nature: Some(file.spec.data.nature),
        documents,
    })
}

/// Refuses files that are neither there nor written by a step, each with its place, before anything is done.
fn refuse_missing_files(file: &PipelineFile, options: &RunOptions) -> Result<(), LifecycleError> {
    let spec = &file.spec;
    let is_written = |name: &str| {
        spec.steps
            .iter()
            .flat_map(|step| &step.outputs)
            .any(|output| output.value == name)
    };
    let data = Some(&spec.data.path).filter(|_| options.data_file.is_none());
    let current = spec
        .monitoring
        .as_ref()
        .map(|monitoring| &monitoring.current);
    let named = spec
        .steps
        .iter()
        .flat_map(|step| &step.inputs)
        .chain(data)
        .chain(current);
    let missing =
        named.filter(|name| !is_written(&name.value) && !file.folder.join(&name.value).exists());
    let problem = |name: &Spanned<String>| Problem {
        file: file.path.display().to_string(),
        line: name.referenced.line() as usize,
        column: name.referenced.column() as usize,
        message: format!("`{}` is not there, and no step writes it", name.value),
        hint: Some(format!("paths are relative to `{}`", file.folder.display())),
    };
    let problems: Vec<Problem> = missing.map(problem).collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(LifecycleError::Spec(problems))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A step that panics ends the run; what it left behind is not read again.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StepResult {
    fn one<T>(&self, pick: impl Fn(&Record) -> Option<T>) -> Option<(&Evidence, T)> {
        self.evidence
            .iter()
            .rev()
            .find_map(|item| pick(&item.record).map(|body| (item, body)))
    }

    fn model(&self) -> Result<(Evidence, ModelVersion), LifecycleError> {
        let found = self.one(|record| match record {
            Record::ModelVersion(body) => Some(body.clone()),
            _ => None,
        });
        found
            .map(|(item, body)| (item.clone(), body))
            .ok_or(LifecycleError::MissingEvidence {
                kind: "model.version",
            })
    }
}

impl Execution<'_> {
    fn result(&self, step: &str) -> StepResult {
        lock(&self.results)
            .get(step)
            .cloned()
            .expect("a step begins only after those it waits for have ended")
    }

    fn emit(&self, step: &str, state: StepState, records: Vec<u64>) -> StepEvent {
        let event = StepEvent {
            step: step.to_owned(),
            state,
            records,
        };
        (self.events)(event.clone());
        event
    }

    /// Looks steps up in order; the first one that would run makes those that wait for it run as well.
    fn dry_run(&self, steps: &[PlannedStep]) -> Result<RunOutcome, LifecycleError> {
        let mut events = Vec::new();
        for step in steps {
            // Training and validation wait for the criteria to be recorded, but what they compute depends on the criteria's text only.
            let is_order_only = |id: &String| id == "criteria" && step.id != "gate";
            let is_ready = step
                .waits_for
                .iter()
                .all(|id| is_order_only(id) || lock(&self.results).contains_key(id));
            let known = if is_ready {
                self.look_up(step)?.1
            } else {
                None
            };
            let state = if known.is_some() {
                StepState::Unchanged
            } else {
                StepState::WouldRun
            };
            if let Some(known) = known {
                lock(&self.results).insert(step.id.clone(), known);
            }
            events.push(self.emit(&step.id, state, Vec::new()));
        }
        Ok(RunOutcome {
            steps: events,
            notices: Vec::new(),
            gate: None,
            model_idx: None,
            model: None,
            data_nature: None,
            documents: Vec::new(),
        })
    }

    /// Runs every step as soon as those it waits for have ended; the first failure lets running steps end and starts no more.
    fn run_all(&self, steps: &[PlannedStep]) -> Result<Vec<StepEvent>, LifecycleError> {
        let (sender, ended) = channel();
        let (mut waiting, mut n_running, mut finished, mut failure) =
            (steps.iter().collect::<Vec<_>>(), 0, Vec::new(), None);
        std::thread::scope(|scope| {
            loop {
                let is_ready = |step: &PlannedStep| {
                    step.waits_for
                        .iter()
                        .all(|id| lock(&self.results).contains_key(id))
                };
                let (ready, rest): (Vec<_>, Vec<_>) = waiting
                    .into_iter()
                    .partition(|step| failure.is_none() && is_ready(step));
                waiting = rest;
                for step in ready {
                    n_running += 1;
                    let sender = sender.clone();
                    scope.spawn(move || {
                        // A step that panics must end the run, not leave it waiting.
                        let result = catch_unwind(AssertUnwindSafe(|| self.run_step(step)));
                        sender
                            .send((step.id.clone(), result))
                            .expect("the receiver outlives the steps");
                    });
                }
                if n_running == 0 {
                    break;
                }
                let (id, result) = ended.recv().expect("a running step holds a sender");
                let result = result.unwrap_or_else(|panic| resume_unwind(panic));
                n_running -= 1;
                match result {
                    Ok((event, result)) => {
                        lock(&self.results).insert(id, result);
                        finished.push(event);
                    }
                    Err(error) => {
                        failure.get_or_insert(error);
                    }
                }
            }
        });
        failure.map_or(Ok(finished), Err)
    }

    fn run_step(&self, step: &PlannedStep) -> Result<(StepEvent, StepResult), LifecycleError> {
        let (key, known) = self.look_up(step)?;
        if let Some(known) = known {
            if step.command.is_some() {
                self.restore(&known)?;
            }
            let records = known.evidence.iter().map(|item| item.idx).collect();
            return Ok((self.emit(&step.id, StepState::Unchanged, records), known));
        }
        self.emit(&step.id, StepState::Started, Vec::new());
        let begun = Instant::now();
        let result = match step.command {
            Some(position) => self.run_command(&self.file.spec.steps[position], key)?,
            None => self.run_built_in(&step.id, key)?,
        };
        let records = result.evidence.iter().map(|item| item.idx).collect();
        let state = StepState::Done {
            seconds: begun.elapsed().as_secs_f64(),
        };
        Ok((self.emit(&step.id, state, records), result))
    }

    fn restore(&self, known: &StepResult) -> Result<(), LifecycleError> {
        let outputs = known.one(|record| match record {
            Record::Run(run) => Some(run.outputs.clone()),
            _ => None,
        });
        outputs.map_or(Ok(()), |(_, outputs)| {
            command::restore_outputs(self.platform, &self.file.folder, &outputs)
        })
    }
}
