//! Writes what the tracking server keeps as MLflow's file store (`mlruns`), which MLflow reads, serves and migrates to its databases.
//!
//! Ids, times, histories and files stay. What only Veracta has (records, users, proofs) is not MLflow's and stays in the ledger.

use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use veracta_ledger::Hash;
use veracta_store::tracking::{
    DatasetInput, Experiment, KeyValue, LoggedModel, MetricValue, ModelLink, Point,
    RegisteredModel, RegisteredVersion, Run, RunData, Stage,
};
use veracta_store::{Query, Selection, StoreError, View, Viewed};

use crate::TrackingError;
use crate::import::{Counts, Locations};
use crate::path_of;
use veracta_store::Platform;

/// Experiments, runs or models that are read in one query.
const PAGE: u64 = 1_000;
const EVERYTHING: Selection = Selection {
    offset: 0,
    limit: u64::MAX,
};
/// Characters that stand for themselves in a `file:` URI.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Why an export stops; nothing is left where it would have been.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder to be written exists already.
    #[error("`{folder}` is there already; give a folder that is not")]
    Exists {
        /// Path of the folder that exists.
        folder: String,
    },
    /// A file cannot be written.
    #[error("`{file}` cannot be written")]
    File {
        /// Path of the file or folder that cannot be written.
        file: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// What is to be written cannot be read.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Tracking(error.into())
    }
}

/// The result of an export: what was written, and what was not.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Exported {
    /// Number of things that were written, by kind.
    pub written: Counts,
    /// Things that were not written, each with the reason.
    pub left_out: Vec<String>,
}

/// Called after each run with the counts so far and the name of the run.
pub type Progress<'p> = dyn Fn(&Counts, &str) + 'p;

struct Export<'e> {
    platform: &'e Platform,
    /// Where it is written, and where it will be.
    part: PathBuf,
    target: PathBuf,
    locations: Locations,
    result: Exported,
}

/// Writes everything into a new folder, which must not exist.
pub fn export_mlflow(
    platform: &Platform,
    folder: &Path,
    progress: &Progress<'_>,
) -> Result<Exported, ExportError> {
    if folder.exists() {
        return Err(ExportError::Exists {
            folder: folder.display().to_string(),
        });
    }
    let target = std::path::absolute(folder).map_err(failed(folder))?;
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = target.with_file_name(name);
    if part.exists() {
        fs::remove_dir_all(&part).map_err(failed(&part))?;
    }
    let locations = Locations::new(Path::new(""), Vec::new());
    let mut export = Export {
        platform,
        part,
        target,
        locations,
        result: Exported::default(),
    };
    let reading = platform.store.reading()?;
    for experiment in experiments(reading.view())? {
        export.experiment(reading.view(), &experiment, progress)?;
    }
    for (name, _) in reading.view().registered_names()? {
        if let Some(model) = reading.view().registered_model(&name)? {
            export.registered_model(reading.view(), &model)?;
        }
    }
    fs::rename(&export.part, &export.target).map_err(failed(&export.target))?;
    Ok(export.result)
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> ExportError + use<'_> {
    move |source| ExportError::File {
        file: path.display().to_string(),
        source,
    }
}

fn experiments(view: View<'_>) -> Result<Vec<Experiment>, ExportError> {
    view.experiment_ids()?
        .into_iter()
        .filter_map(|id| view.experiment(id).transpose())
        .map(|found| Ok(found?))
        .collect()
}

/// A description in YAML: each value is JSON, which YAML contains.
struct Meta(String);

impl Meta {
    fn new() -> Self {
        Self(String::new())
    }

    fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.0 += &format!("{name}: {}\n", value.into());
        self
    }
}

/// A value as Python writes it.
fn number(value: f64) -> String {
    if value.is_nan() {
        "nan".to_owned()
    } else {
        format!("{value:?}")
    }
}

fn line(point: &Point) -> String {
    format!(
        "{} {} {}",
        point.timestamp_ms,
        number(point.value),
        point.step
    )
}

/// Whether a name stays below the folder it is written in: what an import once brought may be named anyhow.
fn is_inside(relative: &str) -> bool {
    Path::new(relative)
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
}

fn id_of(parts: &[&str]) -> String {
    Hash(Sha256::digest(parts.concat().as_bytes()).into()).to_string()[..32].to_owned()
}

impl Export<'_> {
    fn uri(&self, relative: &str) -> String {
        let path = self.target.join(relative).display().to_string();
        format!("file://{}", utf8_percent_encode(&path, PATH))
    }

    fn write(&mut self, relative: &str, bytes: &[u8]) -> Result<(), ExportError> {
        if !is_inside(relative) {
            self.result
                .left_out
                .push(format!("{relative}: its name leads out of the folder"));
            return Ok(());
        }
        let path = self.part.join(relative);
        let folder = path.parent().unwrap_or(&self.part).to_owned();
        // A key that is also the beginning of another one cannot be a file and a folder.
        if fs::create_dir_all(&folder).is_err() || path.is_dir() {
            self.result.left_out.push(format!(
                "{relative}: another key begins with it, which a folder cannot hold"
            ));
            return Ok(());
        }
        fs::write(&path, bytes).map_err(failed(&path))
    }

    fn meta(&mut self, folder: &str, meta: Meta) -> Result<(), ExportError> {
        self.write(&format!("{folder}/meta.yaml"), meta.0.as_bytes())
    }

    fn folders(&self, folder: &str, names: &[&str]) -> Result<(), ExportError> {
        names
            .iter()
            .filter(|_| is_inside(folder))
            .try_for_each(|name| {
                let path = self.part.join(folder).join(name);
                fs::create_dir_all(&path).map_err(failed(&path))
            })
    }

    fn values(&mut self, folder: &str, values: &[KeyValue]) -> Result<(), ExportError> {
        values
            .iter()
            .try_for_each(|(name, value)| self.write(&format!("{folder}/{name}"), value.as_bytes()))
    }

    /// Writes the files below a URI, and notes where they are from now on.
    fn files(&mut self, view: View<'_>, uri: &str, relative: &str) -> Result<String, ExportError> {
        let Some(root) = path_of(uri) else {
            return Ok(uri.to_owned());
        };
        let new = self.uri(relative);
        self.locations.note(uri, &new);
        for file in view.artifacts_below(&root)? {
            let name = file
                .path
                .strip_prefix(&root)
                .unwrap_or(&file.path)
                .trim_start_matches('/')
                .to_owned();
            if !is_inside(&format!("{relative}/{name}")) {
                self.result.left_out.push(format!(
                    "{relative}/{name}: its name leads out of the folder"
                ));
                continue;
            }
            let path = self.part.join(relative).join(&name);
            let folder = path.parent().unwrap_or(&self.part).to_owned();
            fs::create_dir_all(&folder).map_err(failed(&folder))?;
            let mut reader = self
                .platform
                .store
                .blobs()
                .reader(file.digest, 0..file.bytes);
            let mut written = fs::File::create(&path).map_err(failed(&path))?;
            copy(&mut reader, &mut written).map_err(failed(&path))?;
            self.result.written.files += 1;
            self.result.written.bytes += file.bytes;
        }
        Ok(new)
    }

    fn experiment(
        &mut self,
        view: View<'_>,
        experiment: &Experiment,
        progress: &Progress<'_>,
    ) -> Result<(), ExportError> {
        // What was deleted lies in the trash and names the place it comes back to.
        let plain = experiment.id.to_string();
        let folder = if experiment.stage == Stage::Deleted {
            format!(".trash/{plain}")
        } else {
            plain.clone()
        };
        let location = match path_of(&experiment.artifact_location) {
            Some(_) => self.uri(&plain),
            None => experiment.artifact_location.clone(),
        };
        let meta = Meta::new()
            .with("artifact_location", location)
            .with("creation_time", experiment.created_ms)
            .with("experiment_id", plain.as_str())
            .with("last_update_time", experiment.updated_ms)
            .with("lifecycle_stage", experiment.stage.word())
            .with("name", experiment.name.as_str());
        self.meta(&folder, meta)?;
        self.values(&format!("{folder}/tags"), &experiment.tags)?;
        self.result.written.experiments += 1;
        for offset in (0..).step_by(PAGE as usize) {
            let selection = Selection {
                offset,
                limit: PAGE,
            };
            let models = view.search_logged_models(
                &[experiment.id],
                Viewed::All,
                &Query::default(),
                selection,
            )?;
            models
                .iter()
                .try_for_each(|model| self.logged_model(view, &folder, model))?;
            if (models.len() as u64) < PAGE {
                break;
            }
        }
        for offset in (0..).step_by(PAGE as usize) {
            let selection = Selection {
                offset,
                limit: PAGE,
            };
            let runs =
                view.search_runs(&[experiment.id], Viewed::All, &Query::default(), selection)?;
            for (run, data) in runs.iter().zip(view.run_data(&runs)?) {
                self.run(view, &folder, run, &data)?;
                progress(&self.result.written, &run.id);
            }
            if (runs.len() as u64) < PAGE {
                return Ok(());
            }
        }
        Ok(())
    }

    fn run(
        &mut self,
        view: View<'_>,
        experiment: &str,
        run: &Run,
        data: &RunData,
    ) -> Result<(), ExportError> {
        let folder = format!("{experiment}/{}", run.id);
        self.folders(&folder, &["artifacts", "metrics", "params", "tags"])?;
        let place = format!("{}/{}/artifacts", experiment, run.id);
        let uri = self.files(view, &run.artifact_uri, &place)?;
        let meta = Meta::new()
            .with("artifact_uri", uri)
            .with("end_time", run.end_ms)
            .with("entry_point_name", "")
            .with("experiment_id", run.experiment_id.to_string())
            .with("lifecycle_stage", run.stage.word())
            .with("run_id", run.id.as_str())
            .with("run_name", run.name.as_str())
            .with("run_uuid", run.id.as_str())
            .with("source_name", "")
            .with("source_type", 4)
            .with("source_version", "")
            .with("start_time", run.start_ms)
            .with("status", run.status as i64 + 1)
            .with("tags", serde_json::json!([]))
            .with("user_id", run.user_id.as_str());
        self.meta(&folder, meta)?;
        self.values(&format!("{folder}/params"), &data.params)?;
        self.values(&format!("{folder}/tags"), &data.tags)?;
        for MetricValue { name, .. } in &data.metrics {
            let points = view.metric_history(run, name, EVERYTHING)?;
            let text: String = points.iter().map(|point| line(point) + "\n").collect();
            self.write(&format!("{folder}/metrics/{name}"), text.as_bytes())?;
            self.result.written.points += points.len() as u64;
        }
        data.inputs
            .iter()
            .try_for_each(|input| self.input(experiment, &folder, &run.id, input))?;
        for ModelLink { model_id, .. } in &data.model_inputs {
            let meta = Meta::new()
                .with("destination_id", run.id.as_str())
                .with("destination_type", "RUN")
                .with("source_id", model_id.as_str())
                .with("source_type", "MODEL")
                .with("tags", serde_json::json!({}));
            self.meta(
                &format!("{folder}/inputs/{}", id_of(&[model_id, &run.id])),
                meta,
            )?;
        }
        for ModelLink { model_id, step } in &data.model_outputs {
            let meta = Meta::new()
                .with("destination_id", model_id.as_str())
                .with("destination_type", "MODEL_OUTPUT")
                .with("source_id", model_id.as_str())
                .with("source_type", "RUN_OUTPUT")
                .with("step", *step)
                .with("tags", serde_json::json!({}));
            self.meta(&format!("{folder}/outputs/{model_id}"), meta)?;
        }
        let written = &mut self.result.written;
        written.runs += 1;
        written.params += data.params.len() as u64;
        written.tags += data.tags.len() as u64;
        written.inputs += data.inputs.len() as u64;
        Ok(())
    }

    fn input(
        &mut self,
        experiment: &str,
        run: &str,
        run_id: &str,
        input: &DatasetInput,
    ) -> Result<(), ExportError> {
        let dataset = &input.dataset;
        let id = id_of(&[&dataset.name, &dataset.digest]);
        let meta = Meta::new()
            .with("digest", dataset.digest.as_str())
            .with("name", dataset.name.as_str())
            .with("profile", dataset.profile.as_deref())
            .with("schema", dataset.schema.as_deref())
            .with("source", dataset.source.as_str())
            .with("source_type", dataset.source_type.as_str());
        self.meta(&format!("{experiment}/datasets/{id}"), meta)?;
        let tags: serde_json::Map<String, serde_json::Value> = input
            .tags
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        let meta = Meta::new()
            .with("destination_id", run_id)
            .with("destination_type", "RUN")
            .with("source_id", id.as_str())
            .with("source_type", "DATASET")
            .with("tags", tags);
        self.meta(&format!("{run}/inputs/{}", id_of(&[&id, run_id])), meta)
    }

    fn logged_model(
        &mut self,
        view: View<'_>,
        experiment: &str,
        model: &LoggedModel,
    ) -> Result<(), ExportError> {
        let folder = format!("{experiment}/models/{}", model.id);
        self.folders(&folder, &["artifacts", "metrics", "params", "tags"])?;
        let uri = self.files(
            view,
            &model.artifact_location,
            &format!("{folder}/artifacts"),
        )?;
        let status = ["LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY"]
            .iter()
            .position(|word| *word == model.status);
        let meta = Meta::new()
            .with("artifact_location", uri)
            .with("creation_timestamp", model.created_ms)
            .with("experiment_id", model.experiment_id.to_string())
            .with("last_updated_timestamp", model.updated_ms)
            .with("lifecycle_stage", model.stage.word())
            .with("model_id", model.id.as_str())
            .with("model_type", model.model_type.as_deref())
            .with("name", model.name.as_str())
            .with("source_run_id", model.source_run_id.as_deref())
            .with("status", status.map_or(3, |position| position as i64 + 1))
            .with("status_message", serde_json::Value::Null);
        self.meta(&folder, meta)?;
        self.values(&format!("{folder}/tags"), &model.tags)?;
        self.values(&format!("{folder}/params"), &model.params)?;
        let mut lines: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
        for metric in &model.metrics {
            let dataset = match metric.dataset_name.is_empty() {
                true => String::new(),
                false => format!(" {} {}", metric.dataset_name, metric.dataset_digest),
            };
            *lines.entry(&metric.metric.name).or_default() += &format!(
                "{} {}{dataset}\n",
                line(&metric.metric.point),
                metric.run_id
            );
        }
        for (name, text) in lines {
            self.write(&format!("{folder}/metrics/{name}"), text.as_bytes())?;
        }
        self.result.written.logged_models += 1;
        Ok(())
    }

    fn registered_model(
        &mut self,
        view: View<'_>,
        model: &RegisteredModel,
    ) -> Result<(), ExportError> {
        let folder = format!("models/{}", model.name);
        let meta = Meta::new()
            .with("creation_timestamp", model.created_ms)
            .with("description", model.description.as_str())
            .with("last_updated_timestamp", model.updated_ms)
            .with("name", model.name.as_str());
        self.meta(&folder, meta)?;
        self.values(&format!("{folder}/tags"), &model.tags)?;
        for (alias, version) in &model.aliases {
            self.write(
                &format!("{folder}/aliases/{alias}"),
                version.to_string().as_bytes(),
            )?;
        }
        for version in view.versions_of(std::slice::from_ref(&model.name), true)? {
            self.version(&folder, &version)?;
        }
        self.result.written.registered_models += 1;
        Ok(())
    }

    fn version(&mut self, model: &str, version: &RegisteredVersion) -> Result<(), ExportError> {
        let folder = format!("{model}/version-{}", version.version);
        let storage = self.locations.new_of(&version.storage_location);
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let meta = Meta::new()
            .with("creation_timestamp", version.created_ms)
            .with("current_stage", version.stage.as_str())
            .with("description", version.description.as_str())
            .with("last_updated_timestamp", version.updated_ms)
            .with("model_id", version.model_id.as_deref())
            .with("name", version.model.as_str())
            .with("run_id", some(&version.run_id))
            .with("run_link", some(&version.run_link))
            .with("source", self.locations.new_of_source(&version.source))
            .with("status", "READY")
            .with("status_message", serde_json::Value::Null)
            .with("storage_location", storage)
            .with("user_id", some(&version.user_id))
            .with("version", version.version);
        self.meta(&folder, meta)?;
        self.values(&format!("{folder}/tags"), &version.tags)?;
        self.result.written.versions += 1;
        Ok(())
    }
}

fn copy(reader: &mut dyn Read, file: &mut fs::File) -> std::io::Result<()> {
    std::io::copy(reader, file)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_of_the_folder_are_told() {
        let check = |name: &str, is_kept: bool| assert_eq!(is_inside(name), is_kept, "{name}");
        check("1/run/params/a", true);
        check("1/run/params/a b/c", true);
        check("1/run/params/../../../x", false);
        check("/etc/passwd", false);
        check("../x", false);
    }
}
