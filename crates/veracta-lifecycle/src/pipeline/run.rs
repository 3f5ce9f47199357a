//! Running a pipeline: each step is looked up by its content key and done only when it was not done before.
//!
//! A step ends with a commit, so a killed run goes on where it stopped. Steps that do not wait for each other run side by side.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Instant;

use serde::Serialize;
use serde_saphyr::Spanned;
use veracta_data::source::Source;
use veracta_governance::evidence::Evidence;
use veracta_governance::gate::GateResult;
use veracta_governance::record::{DataNature, ModelVersion, Record};
use veracta_ledger::entry::Link;
use veracta_store::Platform;

use super::columns::check_columns;
use super::notices::notices;
use super::schedule::{ScheduledStep, files_of, schedule};
use super::spec::PipelineFile;
use super::steps::{
    BUILT_IN, Context, Done, Memory, Requested, Step, StepResult, dataset_request, lock,
    restore_outputs,
};
use crate::data::dataset::Dataset;
use crate::data::hash_file;
use crate::{LifecycleError, Problem};

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
    /// It began to compute, because no earlier result was found.
    Started,
    /// Some of its parts are done; only steps that count parts report this.
    Progress {
        /// Parts done so far, of `total`.
        done: usize,
        /// Parts that the step consists of.
        total: usize,
    },
    /// It was done before with the same content.
    Unchanged,
    /// It was done now, and its records are committed.
    Done {
        /// Wall-clock time it took, in seconds.
        seconds: f64,
    },
    /// It would be done (dry run).
    WouldRun,
}

/// Something to show while a pipeline runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepEvent {
    /// Name of the step, such as `train`; of a command the one that the pipeline file gives it.
    pub step: String,
    /// What became of the step; its fields are fields of the event's own JSON object.
    #[serde(flatten)]
    pub state: StepState,
    /// Ledger positions of its records.
    pub records: Vec<u64>,
}

/// How a run, or a dry run, ended.
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
    /// Paths of the run's documents, those that were there already included; empty without a folder for them.
    pub documents: Vec<PathBuf>,
}

/// Everything the steps of one run share.
struct Execution<'r> {
    platform: &'r Platform,
    file: &'r PipelineFile,
    options: &'r RunOptions,
    done: Done<'r>,
    memory: Memory,
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
        done: Done {
            path: &file.path,
            folder: &file.folder,
            data_file: options.data_file.as_deref(),
            store: &platform.store,
            today: platform.today(),
            program: &platform.program,
            results: Mutex::default(),
            files: Mutex::default(),
        },
        memory: Memory::default(),
        events,
    };
    let steps = schedule(&file.spec);
    refuse_missing_files(file, options)?;
    refuse_own_files(file, platform.store.folder())?;
    if options.dry_run {
        return execution.dry_run(&steps);
    }
    // Two runs at once would do everything twice: the second waits and finds it done.
    let lock_path = platform.store.folder().join("run.lock");
    let run_lock = File::options().create(true).append(true).open(&lock_path);
    let run_lock = run_lock.map_err(LifecycleError::file(&lock_path))?;
    run_lock.lock().map_err(LifecycleError::file(&lock_path))?;
    let events = execution.run_all(&steps)?;
    execution.conclude(events)
}

/// Refuses files that are neither there nor written by a step, each with its place, before anything is done.
fn refuse_missing_files(file: &PipelineFile, options: &RunOptions) -> Result<(), LifecycleError> {
    let spec = &file.spec;
    let outputs = || spec.steps.iter().flat_map(|step| &step.outputs);
    let is_written = |name: &str| outputs().any(|output| output.value == name);
    let data = Some(&spec.data.path).filter(|_| options.data_file.is_none());
    let monitoring = spec.monitoring.as_ref();
    let current = monitoring.map(|monitoring| &monitoring.current);
    let inputs = spec.steps.iter().flat_map(|step| &step.inputs);
    let named = inputs.chain(data).chain(current).chain(&spec.training.path);
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
        return Ok(());
    }
    Err(LifecycleError::Spec(problems))
}

/// Refuses files of the workspace itself: a command that writes there would take its key or its records away, and one that reads there
/// would store the key beside the data.
fn refuse_own_files(file: &PipelineFile, workspace: &Path) -> Result<(), LifecycleError> {
    let Ok(workspace) = workspace.canonicalize() else {
        return Ok(());
    };
    // What is not there yet is judged by the folder it would be in.
    let real = |path: &Path| {
        let there = path.ancestors().find_map(|part| part.canonicalize().ok());
        there.unwrap_or_else(|| path.to_owned())
    };
    let is_own =
        |name: &&Spanned<String>| real(&file.folder.join(&name.value)).starts_with(&workspace);
    let problem = |name: &Spanned<String>| Problem {
        file: file.path.display().to_string(),
        line: name.referenced.line() as usize,
        column: name.referenced.column() as usize,
        message: format!(
            "`{}` is in the workspace, which keeps its own files there",
            name.value
        ),
        hint: Some("name a file beside it".to_owned()),
    };
    let problems: Vec<Problem> = file.spec.files().filter(is_own).map(problem).collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(LifecycleError::Spec(problems))
}

impl Execution<'_> {
    fn emit(&self, step: Step, state: StepState, records: Vec<u64>) -> StepEvent {
        let event = StepEvent {
            step: step.id(&self.file.spec).to_owned(),
            state,
            records,
        };
        (self.events)(event.clone());
        event
    }

    /// Returns what a step is to do, and its result when it was done before and its bytes are still there.
    fn look_up(&self, step: Step) -> Result<(Requested, Option<StepResult>), LifecycleError> {
        let requested = step.request(&self.file.spec, &self.done)?;
        let store = &self.platform.store;
        let evidence = store.made_by(requested.key)?;
        if !requested.work.is_complete(&evidence, &self.done)? {
            return Ok((requested, None));
        }
        for artifact in evidence.iter().flat_map(|item| &item.entry.artifacts) {
            if !store.blobs().contains(artifact.digest)? {
                return Ok((requested, None));
            }
        }
        Ok((requested, Some(StepResult { evidence })))
    }

    /// Looks steps up in order; the first one that would run makes those that read its results run as well.
    fn dry_run(&self, steps: &[ScheduledStep]) -> Result<RunOutcome, LifecycleError> {
        let mut events = Vec::new();
        for scheduled in steps {
            let step = scheduled.step;
            let is_known = |needed: &Step| lock(&self.done.results).contains_key(needed);
            let known = match scheduled.reads.iter().all(is_known) {
                true => self.look_up(step)?.1,
                false => None,
            };
            let state = match known {
                Some(known) => {
                    lock(&self.done.results).insert(step, known);
                    StepState::Unchanged
                }
                None => StepState::WouldRun,
            };
            events.push(self.emit(step, state, Vec::new()));
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
    fn run_all(&self, steps: &[ScheduledStep]) -> Result<Vec<StepEvent>, LifecycleError> {
        let (sender, ended) = channel();
        let mut waiting: Vec<&ScheduledStep> = steps.iter().collect();
        let (mut n_running, mut finished, mut failure) = (0, Vec::new(), None);
        std::thread::scope(|scope| {
            loop {
                let has_ended = |step: Step| lock(&self.done.results).contains_key(&step);
                let is_ready = |scheduled: &ScheduledStep| scheduled.waits_for().all(has_ended);
                let (ready, rest): (Vec<_>, Vec<_>) = waiting
                    .into_iter()
                    .partition(|scheduled| failure.is_none() && is_ready(scheduled));
                waiting = rest;
                for scheduled in ready {
                    n_running += 1;
                    let sender = sender.clone();
                    scope.spawn(move || {
                        // A step that panics must end the run, not leave it waiting.
                        let result = catch_unwind(AssertUnwindSafe(|| self.run_step(scheduled)));
                        let ended = sender.send((scheduled.step, result));
                        ended.expect("the receiver outlives the steps");
                    });
                }
                if n_running == 0 {
                    break;
                }
                let (step, result) = ended.recv().expect("a running step holds a sender");
                let result = result.unwrap_or_else(|panic| resume_unwind(panic));
                n_running -= 1;
                match result {
                    Ok((event, result)) => {
                        lock(&self.done.results).insert(step, result);
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

    fn run_step(
        &self,
        scheduled: &ScheduledStep,
    ) -> Result<(StepEvent, StepResult), LifecycleError> {
        let step = scheduled.step;
        let (requested, known) = self.look_up(step)?;
        let check = |names: &[String]| check_columns(self.file, names);
        if let Some(known) = known {
            if matches!(step, Step::Command(_)) {
                restore_outputs(&known, &self.done)?;
            }
            if step == Step::Data {
                check_known_columns(&known, &check)?;
            }
            let records = known.evidence.iter().map(|item| item.idx).collect();
            return Ok((self.emit(step, StepState::Unchanged, records), known));
        }
        self.emit(step, StepState::Started, Vec::new());
        let begun = Instant::now();
        let context = Context {
            platform: self.platform,
            folder: &self.file.folder,
            text: &self.file.text,
            memory: &self.memory,
            files: &self.done.files,
            check_columns: &check,
            progress: &|done, total| {
                self.emit(step, StepState::Progress { done, total }, Vec::new());
            },
            key: requested.key,
            rests_on: self.links(scheduled),
        };
        let evidence = requested.work.run(&context)?;
        let records = evidence.iter().map(|item| item.idx).collect();
        let seconds = begun.elapsed().as_secs_f64();
        let event = self.emit(step, StepState::Done { seconds }, records);
        Ok((event, StepResult { evidence }))
    }

    /// Returns links to the records of the steps that a step waited for.
    fn links(&self, scheduled: &ScheduledStep) -> Vec<Link> {
        let results = scheduled.waits_for().map(|needed| self.done.result(needed));
        let evidence = results.flat_map(|result| result.evidence);
        let link = |item: Evidence| Link {
            idx: item.idx,
            body: item.entry.body,
        };
        evidence.map(link).collect()
    }

    fn conclude(&self, steps: Vec<StepEvent>) -> Result<RunOutcome, LifecycleError> {
        let (item, model) = self.done.model(Step::Gate)?;
        let documents = self.write_documents(&model)?;
        let store = &self.platform.store;
        store.publish()?;
        let mut notices = notices(&self.file.spec, &self.done);
        // Going back to earlier settings finds their model: the name goes on standing for the one that was decided last.
        let latest = crate::registry::resolve(store, &format!("model:{}", model.model))?;
        if let Record::ModelVersion(latest) = latest.record
            && latest.version != model.version
        {
            let (name, own, other) = (&model.model, model.version, latest.version);
            notices.push(format!(
                "this run is about `{name}@{own}`; the name `{name}` alone stands for `{name}@{other}`, which was decided later"
            ));
        }
        Ok(RunOutcome {
            steps,
            notices,
            gate: model.gate,
            model_idx: Some(item.idx),
            model: Some((model.model, model.version)),
            data_nature: Some(self.file.spec.data.nature),
            documents,
        })
    }

    /// Writes the documents beside the pipeline, where a file is missing or differs.
    fn write_documents(&self, model: &ModelVersion) -> Result<Vec<PathBuf>, LifecycleError> {
        let Some(folder) = &self.options.documents_folder else {
            return Ok(Vec::new());
        };
        std::fs::create_dir_all(folder).map_err(LifecycleError::file(folder))?;
        let mut paths = Vec::new();
        for item in &self.done.result(Step::Documents).evidence {
            for artifact in &item.entry.artifacts {
                let path = folder.join(format!(
                    "{}-{}-{}",
                    model.model, model.version, artifact.name
                ));
                let is_there = hash_file(&path).is_ok_and(|(digest, _)| digest == artifact.digest);
                if !is_there {
                    let bytes = self.platform.store.blobs().get(artifact.digest)?;
                    std::fs::write(&path, &bytes).map_err(LifecycleError::file(&path))?;
                }
                paths.push(path);
            }
        }
        Ok(paths)
    }
}

/// Checks the names in the file against the columns of data that was read before.
fn check_known_columns(
    known: &StepResult,
    check: &dyn Fn(&[String]) -> Result<(), LifecycleError>,
) -> Result<(), LifecycleError> {
    let columns = known.one(|record| match record {
        Record::DatasetVersion(body) => Some(&body.columns),
        _ => None,
    });
    let Some((_, columns)) = columns else {
        return Ok(());
    };
    let names = columns.iter().map(|column| column.name.clone());
    check(&names.collect::<Vec<String>>())
}

/// Reads the rows of a pipeline from a file, outside a run.
pub(crate) fn load_rows(file: &PipelineFile, path: &Path) -> Result<Dataset, LifecycleError> {
    let (digest, _) = hash_file(path)?;
    let check = |names: &[String]| check_columns(file, names);
    dataset_request(&file.spec.data, digest).load(&Source::file(path), &check)
}

/// Returns the files of a pipeline's folder that its built-in steps read.
pub(crate) fn files_read(file: &PipelineFile) -> Vec<String> {
    let steps = BUILT_IN
        .into_iter()
        .filter(|step| step.is_asked(&file.spec));
    steps.flat_map(|step| files_of(step, &file.spec)).collect()
}
