//! MLflow's file store: one folder an experiment, a run, a model and a version; one file a parameter, a tag and a metric.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use veracta_store::mlflow::logged_model_status;
use veracta_store::tracking::{
    Dataset, DatasetInput, Experiment, ForeignRun, KeyValue, LoggedModel, MetricValue, ModelLink,
    ModelMetric, Point, RUN_STATUSES, RegisteredModel, RegisteredVersion, Run, RunStatus, Stage,
};

use super::ImportError;

/// Largest file of a parameter, a tag or of what describes a thing; files of metrics are read whatever their size.
const FILE_BYTES_LIMIT: u64 = 64 << 20;
/// Folder of what was deleted.
const TRASH: &str = ".trash";
/// File that describes a thing.
const META: &str = "meta.yaml";

/// A folder of MLflow's file store.
#[derive(Debug)]
pub(super) struct FileStore {
    root: PathBuf,
    /// Folder of each experiment, by the number of the experiment.
    folders: BTreeMap<i64, PathBuf>,
}

/// A value that is written as text or as a number.
fn text_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    })
}

#[derive(Deserialize)]
struct ExperimentMeta {
    #[serde(default, deserialize_with = "text_of")]
    experiment_id: String,
    #[serde(deserialize_with = "text_of")]
    name: String,
    #[serde(default, deserialize_with = "text_of")]
    artifact_location: String,
    #[serde(default, deserialize_with = "text_of")]
    lifecycle_stage: String,
    creation_time: Option<i64>,
    last_update_time: Option<i64>,
}

#[derive(Deserialize)]
struct RunMeta {
    #[serde(default, deserialize_with = "text_of")]
    run_id: String,
    #[serde(default, deserialize_with = "text_of")]
    run_uuid: String,
    #[serde(default, deserialize_with = "text_of")]
    run_name: String,
    #[serde(default, deserialize_with = "text_of")]
    name: String,
    #[serde(default, deserialize_with = "text_of")]
    user_id: String,
    status: Value,
    start_time: Option<i64>,
    end_time: Option<i64>,
    #[serde(default, deserialize_with = "text_of")]
    lifecycle_stage: String,
    #[serde(default, deserialize_with = "text_of")]
    artifact_uri: String,
}

#[derive(Deserialize)]
struct InputMeta {
    #[serde(default, deserialize_with = "text_of")]
    source_id: String,
    #[serde(default, deserialize_with = "text_of")]
    source_type: String,
    step: Option<i64>,
    #[serde(default)]
    tags: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct DatasetMeta {
    #[serde(deserialize_with = "text_of")]
    name: String,
    #[serde(deserialize_with = "text_of")]
    digest: String,
    #[serde(default, deserialize_with = "text_of")]
    source_type: String,
    #[serde(default, deserialize_with = "text_of")]
    source: String,
    schema: Option<String>,
    profile: Option<String>,
}

#[derive(Deserialize)]
struct LoggedModelMeta {
    #[serde(deserialize_with = "text_of")]
    model_id: String,
    #[serde(default, deserialize_with = "text_of")]
    name: String,
    #[serde(default, deserialize_with = "text_of")]
    artifact_location: String,
    creation_timestamp: Option<i64>,
    last_updated_timestamp: Option<i64>,
    status: Option<i64>,
    model_type: Option<String>,
    source_run_id: Option<String>,
    #[serde(default, deserialize_with = "text_of")]
    lifecycle_stage: String,
}

#[derive(Deserialize)]
struct RegisteredModelMeta {
    #[serde(deserialize_with = "text_of")]
    name: String,
    #[serde(default, deserialize_with = "text_of")]
    description: String,
    creation_timestamp: Option<i64>,
    last_updated_timestamp: Option<i64>,
}

#[derive(Deserialize)]
struct VersionMeta {
    version: Value,
    #[serde(default, deserialize_with = "text_of")]
    description: String,
    creation_timestamp: Option<i64>,
    last_updated_timestamp: Option<i64>,
    #[serde(default, deserialize_with = "text_of")]
    user_id: String,
    #[serde(default, deserialize_with = "text_of")]
    current_stage: String,
    #[serde(default, deserialize_with = "text_of")]
    source: String,
    #[serde(default, deserialize_with = "text_of")]
    storage_location: String,
    #[serde(default, deserialize_with = "text_of")]
    run_id: String,
    #[serde(default, deserialize_with = "text_of")]
    run_link: String,
    model_id: Option<String>,
}

fn read_text(path: &Path) -> Result<String, ImportError> {
    let failed = |source| ImportError::File {
        file: path.display().to_string(),
        source,
    };
    if fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_LIMIT {
        return Err(malformed(
            path,
            0,
            format!("it is larger than {FILE_BYTES_LIMIT} bytes"),
        ));
    }
    String::from_utf8(fs::read(path).map_err(failed)?)
        .map_err(|_| malformed(path, 0, "it is not UTF-8"))
}

fn malformed(path: &Path, line: usize, reason: impl Into<String>) -> ImportError {
    ImportError::Malformed {
        file: path.display().to_string(),
        line,
        reason: reason.into(),
    }
}

fn read_meta<T: DeserializeOwned>(folder: &Path) -> Result<T, ImportError> {
    let path = folder.join(META);
    serde_saphyr::from_str(&read_text(&path)?).map_err(|error| {
        let line = error
            .location()
            .map_or(0, |location| location.line() as usize);
        malformed(
            &path,
            line,
            error.to_string().lines().next().unwrap_or_default(),
        )
    })
}

/// Returns the folders in a folder that describe something, by name.
fn described(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let mut found = folders_in(folder)?;
    found.retain(|folder| folder.join(META).is_file());
    Ok(found)
}

fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let failed = |source| ImportError::File {
        file: folder.display().to_string(),
        source,
    };
    let mut found = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the files below a folder with their names relative to it: a key may have slashes.
fn files_below(folder: &Path) -> Result<Vec<(String, PathBuf)>, ImportError> {
    let (mut open, mut found) = (vec![(folder.to_owned(), String::new())], Vec::new());
    while let Some((folder, prefix)) = open.pop() {
        let failed = |source| ImportError::File {
            file: folder.display().to_string(),
            source,
        };
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry
                .file_name()
                .into_string()
                .map_err(|_| malformed(&entry.path(), 0, "its name is not UTF-8"))?;
            match entry.file_type().map_err(failed)?.is_dir() {
                true => open.push((entry.path(), format!("{prefix}{name}/"))),
                false => found.push((format!("{prefix}{name}"), entry.path())),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads one file a key.
fn key_values(folder: &Path) -> Result<Vec<KeyValue>, ImportError> {
    files_below(folder)?
        .into_iter()
        .map(|(name, path)| Ok((name, read_text(&path)?)))
        .collect()
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
        let mut folders = BTreeMap::new();
        for folder in described(root)?
            .into_iter()
            .chain(described(&root.join(TRASH))?)
        {
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
        })
    }

    pub(super) fn experiments(&self) -> Result<Vec<Experiment>, ImportError> {
        let mut found = Vec::new();
        for (id, folder) in &self.folders {
            let meta: ExperimentMeta = read_meta(folder)?;
            if !meta.experiment_id.is_empty() && meta.experiment_id != id.to_string() {
                return Err(malformed(
                    &folder.join(META),
                    0,
                    format!("it is of experiment {}", meta.experiment_id),
                ));
            }
            found.push(Experiment {
                id: *id,
                name: meta.name,
                artifact_location: meta.artifact_location,
                stage: Stage::of(&meta.lifecycle_stage),
                created_ms: meta.creation_time.unwrap_or(0),
                updated_ms: meta.last_update_time.or(meta.creation_time).unwrap_or(0),
                tags: key_values(&folder.join("tags"))?,
            });
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
        let mut found = Vec::new();
        for folder in described(&self.folder_of(experiment_id))? {
            let meta: RunMeta = read_meta(&folder)?;
            let id = if meta.run_id.is_empty() {
                meta.run_uuid
            } else {
                meta.run_id
            };
            if id.is_empty() {
                return Err(malformed(&folder.join(META), 0, "it names no run"));
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
            found.push(Run {
                no: 0,
                id,
                experiment_id,
                name: if meta.run_name.is_empty() {
                    meta.name
                } else {
                    meta.run_name
                },
                user_id: meta.user_id,
                status: status.ok_or_else(|| {
                    malformed(
                        &folder.join(META),
                        0,
                        "its status is none that MLflow knows",
                    )
                })?,
                start_ms: meta.start_time.unwrap_or(0),
                end_ms: meta.end_time,
                stage: Stage::of(&meta.lifecycle_stage),
                artifact_uri: meta.artifact_uri,
                record_idx: None,
            });
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
            let meta: LoggedModelMeta = read_meta(&folder)?;
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
            found.push(LoggedModel {
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
            });
        }
        Ok(found)
    }

    pub(super) fn registered_models(&self) -> Result<Vec<RegisteredModel>, ImportError> {
        let mut found = Vec::new();
        for folder in described(&self.root.join("models"))? {
            let meta: RegisteredModelMeta = read_meta(&folder)?;
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
            found.push(RegisteredModel {
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
            });
        }
        Ok(found)
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
