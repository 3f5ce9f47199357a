//! MLflow's file store: one folder an experiment, a run, a model and a version; one file a parameter, a tag and a metric.

mod files;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use veracta_store::mlflow::logged_model_status;
use veracta_store::tracking::{
    Dataset, DatasetInput, Experiment, ForeignRun, LoggedModel, MetricValue, ModelLink,
    ModelMetric, Point, RUN_STATUSES, RegisteredModel, RegisteredVersion, Run, RunStatus, Stage,
};

use self::files::{
    DatasetMeta, ExperimentMeta, InputMeta, LoggedModelMeta, META, RegisteredModelMeta, RunMeta,
    VersionMeta, described, described_or_noted, files_below, key_values, malformed, read_meta,
};
use super::ImportError;

/// Folders of an experiment that are no runs.
const NO_RUNS: [&str; 5] = ["tags", "models", "datasets", "traces", "assessments"];
/// Folders of a file store that are no experiments.
const NO_EXPERIMENTS: [&str; 3] = [TRASH, "models", "artifacts"];
/// Folder of what was deleted.
const TRASH: &str = ".trash";

/// A folder of MLflow's file store.
#[derive(Debug)]
pub(super) struct FileStore {
    root: PathBuf,
    /// Folder of each experiment, by the number of the experiment.
    folders: BTreeMap<i64, PathBuf>,
    /// What cannot be read, each with the reason.
    left_out: Mutex<Vec<String>>,
}

/// The largest finite number stands for infinity, as in a database of MLflow.
fn finite(value: f64) -> f64 {
    if value.is_infinite() {
        f64::MAX.copysign(value)
    } else {
        value
    }
}

/// A line of a file of a metric: time, value, step, and for logged models the run and the dataset.
struct Line<'l> {
    point: Point,
    rest: Vec<&'l str>,
}

fn parse_line(line: &str) -> Option<Line<'_>> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let timestamp_ms = words.next()?.parse().ok()?;
    let value = match words.next()?.to_ascii_lowercase().as_str() {
        "nan" => f64::NAN,
        "inf" | "infinity" => f64::INFINITY,
        "-inf" | "-infinity" => f64::NEG_INFINITY,
        word => word.parse().ok()?,
    };
    // The oldest files have no step.
    let step = words.next().map_or(Some(0), |word| word.parse().ok())?;
    Some(Line {
        point: Point {
            timestamp_ms,
            step,
            value: finite(value),
        },
        rest: words.collect(),
    })
}

fn each_line(path: &Path, name: &str, visit: &mut dyn FnMut(Line<'_>)) -> Result<(), ImportError> {
    let text = fs::read_to_string(path).map_err(|source| ImportError::File {
        file: path.display().to_string(),
        source,
    })?;
    for (position, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let wrong = || {
            malformed(
                path,
                position + 1,
                format!(
                    "it is no value of metric `{name}`: a time, a number and a step are expected"
                ),
            )
        };
        visit(parse_line(line).ok_or_else(wrong)?);
    }
    Ok(())
}

impl FileStore {
    pub(super) fn open(root: &Path) -> Result<Self, ImportError> {
        let (mut folders, mut left_out) = (BTreeMap::new(), Vec::new());
        let mut described = described_or_noted(root, &NO_EXPERIMENTS, &mut left_out)?;
        described.extend(described_or_noted(&root.join(TRASH), &[], &mut left_out)?);
        for folder in described {
            // The number of an experiment is the name of its folder.
            let id = folder
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.parse::<i64>().ok());
            if let Some(id) = id {
                folders.insert(id, folder);
            }
        }
        if folders.is_empty() {
            return Err(ImportError::NotASource {
                uri: root.display().to_string(),
            });
        }
        Ok(Self {
            root: root.to_owned(),
            folders,
            left_out: Mutex::new(left_out),
        })
    }

    fn note(&self, what: String) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if !left_out.contains(&what) {
            left_out.push(what);
        }
    }

    /// Returns what was not readable so far, each with the reason.
    pub(super) fn left_out(&self) -> Vec<String> {
        let left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.clone()
    }

    /// Notes what one thing lacks to be read, so that the others are read all the same.
    fn kept<T>(&self, read: Result<T, ImportError>) -> Result<Option<T>, ImportError> {
        match read {
            Ok(thing) => Ok(Some(thing)),
            Err(error) => match error.of_one_thing() {
                Some(reason) => {
                    self.note(reason);
                    Ok(None)
                }
                None => Err(error),
            },
        }
    }

    pub(super) fn experiments(&self) -> Result<Vec<Experiment>, ImportError> {
        let mut found = Vec::new();
        for (id, folder) in &self.folders {
            found.extend(self.kept(experiment(*id, folder))?);
        }
        Ok(found)
    }

    fn folder_of(&self, experiment_id: i64) -> PathBuf {
        self.folders
            .get(&experiment_id)
            .cloned()
            .unwrap_or_else(|| self.root.join(experiment_id.to_string()))
    }

    pub(super) fn runs_of(&self, experiment_id: i64) -> Result<Vec<Run>, ImportError> {
        let mut left_out = Vec::new();
        let folder = self.folder_of(experiment_id);
        let folders = self.kept(described_or_noted(&folder, &NO_RUNS, &mut left_out))?;
        let folders = folders.unwrap_or_default();
        left_out.into_iter().for_each(|what| self.note(what));
        let mut found = Vec::new();
        for folder in folders {
            found.extend(self.kept(run(experiment_id, &folder))?);
        }
        Ok(found)
    }

    pub(super) fn folder_of_run(&self, run: &Run) -> Option<PathBuf> {
        Some(
            self.folder_of(run.experiment_id)
                .join(&run.id)
                .join("artifacts"),
        )
    }

    pub(super) fn folder_of_model(&self, model: &LoggedModel) -> Option<PathBuf> {
        Some(
            self.folder_of(model.experiment_id)
                .join("models")
                .join(&model.id)
                .join("artifacts"),
        )
    }

    pub(super) fn run(&self, run: Run) -> Result<ForeignRun, ImportError> {
        let folder = self.folder_of(run.experiment_id).join(&run.id);
        let mut metrics = Vec::new();
        for (name, path) in files_below(&folder.join("metrics"))? {
            each_line(&path, &name, &mut |line| {
                metrics.push(MetricValue {
                    name: name.clone(),
                    point: line.point,
                })
            })?;
        }
        let mut inputs = Vec::new();
        let mut model_inputs = Vec::new();
        for folder in described(&folder.join("inputs"))? {
            let meta: InputMeta = read_meta(&folder)?;
            if meta.source_type == "DATASET" {
                inputs.push(self.input(run.experiment_id, meta)?);
            } else {
                model_inputs.push(ModelLink {
                    model_id: meta.source_id,
                    step: meta.step.unwrap_or(0),
                });
            }
        }
        let mut model_outputs = Vec::new();
        for folder in described(&folder.join("outputs"))? {
            let meta: InputMeta = read_meta(&folder)?;
            // The folder is named after the model.
            let model_id = folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            model_outputs.push(ModelLink {
                model_id,
                step: meta.step.unwrap_or(0),
            });
        }
        let (params, tags) = (
            key_values(&folder.join("params"))?,
            key_values(&folder.join("tags"))?,
        );
        Ok(ForeignRun {
            run,
            params,
            tags,
            metrics,
            inputs,
            model_inputs,
            model_outputs,
        })
    }

    fn input(&self, experiment_id: i64, meta: InputMeta) -> Result<DatasetInput, ImportError> {
        let dataset: DatasetMeta = read_meta(
            &self
                .folder_of(experiment_id)
                .join("datasets")
                .join(&meta.source_id),
        )?;
        let text = |value: Value| {
            if let Value::String(text) = value {
                text
            } else {
                value.to_string()
            }
        };
        let DatasetMeta {
            name,
            digest,
            source_type,
            source,
            schema,
            profile,
        } = dataset;
        Ok(DatasetInput {
            dataset: Dataset {
                name,
                digest,
                source_type,
                source,
                schema,
                profile,
            },
            tags: meta
                .tags
                .into_iter()
                .map(|(name, value)| (name, text(value)))
                .collect(),
        })
    }

    pub(super) fn logged_models_of(
        &self,
        experiment_id: i64,
    ) -> Result<Vec<LoggedModel>, ImportError> {
        let mut found = Vec::new();
        for folder in described(&self.folder_of(experiment_id).join("models"))? {
            found.extend(self.kept(logged_model(experiment_id, &folder))?);
        }
        Ok(found)
    }

    pub(super) fn registered_models(&self) -> Result<Vec<RegisteredModel>, ImportError> {
        let mut found = Vec::new();
        for folder in described(&self.root.join("models"))? {
            found.extend(self.kept(self.registered_model(&folder))?);
        }
        Ok(found)
    }

    fn registered_model(&self, folder: &Path) -> Result<RegisteredModel, ImportError> {
        let meta: RegisteredModelMeta = read_meta(folder)?;
        let versions = self.versions_of(&meta.name)?;
        let mut aliases = Vec::new();
        for (alias, version) in key_values(&folder.join("aliases"))? {
            let wrong = |_| {
                malformed(
                    &folder.join("aliases").join(&alias),
                    1,
                    "it is no number of a version",
                )
            };
            aliases.push((alias.clone(), version.trim().parse().map_err(wrong)?));
        }
        Ok(RegisteredModel {
            name: meta.name,
            description: meta.description,
            created_ms: meta.creation_timestamp.unwrap_or(0),
            updated_ms: meta.last_updated_timestamp.unwrap_or(0),
            last_version: versions
                .iter()
                .map(|version| version.version)
                .max()
                .unwrap_or(0),
            tags: key_values(&folder.join("tags"))?,
            aliases,
        })
    }

    pub(super) fn versions_of(&self, model: &str) -> Result<Vec<RegisteredVersion>, ImportError> {
        let mut found = Vec::new();
        for folder in described(&self.root.join("models").join(model))? {
            let meta: VersionMeta = read_meta(&folder)?;
            let number = match &meta.version {
                Value::Number(number) => number.as_i64(),
                Value::String(text) => text.parse().ok(),
                _ => None,
            };
            let location = if meta.storage_location.is_empty() {
                meta.source.clone()
            } else {
                meta.storage_location
            };
            found.push(RegisteredVersion {
                model: model.to_owned(),
                version: number
                    .ok_or_else(|| malformed(&folder.join(META), 0, "its version is no number"))?,
                description: meta.description,
                created_ms: meta.creation_timestamp.unwrap_or(0),
                updated_ms: meta.last_updated_timestamp.unwrap_or(0),
                user_id: meta.user_id,
                stage: if meta.current_stage.is_empty() {
                    "None".to_owned()
                } else {
                    meta.current_stage
                },
                source: meta.source,
                storage_location: location,
                run_id: meta.run_id,
                run_link: meta.run_link,
                model_id: meta.model_id,
                tags: key_values(&folder.join("tags"))?,
                aliases: Vec::new(),
            });
        }
        found.sort_by_key(|version| version.version);
        Ok(found)
    }
}

fn experiment(id: i64, folder: &Path) -> Result<Experiment, ImportError> {
    let meta: ExperimentMeta = read_meta(folder)?;
    if !meta.experiment_id.is_empty() && meta.experiment_id != id.to_string() {
        let reason = format!("it is of experiment {}", meta.experiment_id);
        return Err(malformed(&folder.join(META), 0, reason));
    }
    Ok(Experiment {
        id,
        name: meta.name,
        artifact_location: meta.artifact_location,
        stage: Stage::of(&meta.lifecycle_stage),
        created_ms: meta.creation_time.unwrap_or(0),
        updated_ms: meta.last_update_time.or(meta.creation_time).unwrap_or(0),
        tags: key_values(&folder.join("tags"))?,
    })
}

fn run(experiment_id: i64, folder: &Path) -> Result<Run, ImportError> {
    let meta: RunMeta = read_meta(folder)?;
    let refuse = |reason: &str| malformed(&folder.join(META), 0, reason);
    let id = if meta.run_id.is_empty() {
        meta.run_uuid
    } else {
        meta.run_id
    };
    if id.is_empty() {
        return Err(refuse("it names no run"));
    }
    if folder.file_name().is_none_or(|name| name != id.as_str()) {
        return Err(refuse(&format!("it is of run {id}")));
    }
    if !meta.experiment_id.is_empty() && meta.experiment_id != experiment_id.to_string() {
        let reason = format!("it is of experiment {}", meta.experiment_id);
        return Err(refuse(&reason));
    }
    let status = match &meta.status {
        Value::Number(number) => {
            let position = number.as_u64().and_then(|number| number.checked_sub(1));
            position
                .and_then(|position| RUN_STATUSES.get(position as usize))
                .map(|(status, _)| *status)
        }
        Value::String(word) => RunStatus::of(word),
        _ => None,
    };
    Ok(Run {
        no: 0,
        id,
        experiment_id,
        name: if meta.run_name.is_empty() {
            meta.name
        } else {
            meta.run_name
        },
        user_id: meta.user_id,
        status: status.ok_or_else(|| refuse("its status is none that MLflow knows"))?,
        start_ms: meta.start_time.unwrap_or(0),
        end_ms: meta.end_time,
        stage: Stage::of(&meta.lifecycle_stage),
        artifact_uri: meta.artifact_uri,
        record_idx: None,
    })
}

fn logged_model(experiment_id: i64, folder: &Path) -> Result<LoggedModel, ImportError> {
    let meta: LoggedModelMeta = read_meta(folder)?;
    let mut metrics = Vec::new();
    for (name, path) in files_below(&folder.join("metrics"))? {
        each_line(&path, &name, &mut |line| {
            // The name of a dataset may have spaces; its digest is the last word.
            let (run_id, dataset) = line.rest.split_first().unwrap_or((&"", &[]));
            let (digest, dataset_name) = dataset.split_last().unwrap_or((&"", &[]));
            metrics.push(ModelMetric {
                metric: MetricValue {
                    name: name.clone(),
                    point: line.point,
                },
                run_id: (*run_id).to_owned(),
                dataset_name: dataset_name.join(" "),
                dataset_digest: (*digest).to_owned(),
            });
        })?;
    }
    Ok(LoggedModel {
        id: meta.model_id,
        experiment_id,
        name: meta.name,
        artifact_location: meta.artifact_location,
        created_ms: meta.creation_timestamp.unwrap_or(0),
        updated_ms: meta.last_updated_timestamp.unwrap_or(0),
        status: logged_model_status(meta.status.unwrap_or(0)).to_owned(),
        model_type: meta.model_type,
        source_run_id: meta.source_run_id,
        stage: Stage::of(&meta.lifecycle_stage),
        tags: key_values(&folder.join("tags"))?,
        params: key_values(&folder.join("params"))?,
        metrics,
    })
}
