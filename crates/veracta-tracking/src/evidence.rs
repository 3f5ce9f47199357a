//! What is recorded of runs, experiments and the registry: each record is the thing as it stands after the change.

use std::collections::BTreeMap;

use serde_json::json;
use veracta_governance::record::{
    self, NamedDigest, Record, RegistryModel, RegistryVersion, TrackedDataset, TrackedMetric,
    TrackedRun,
};
use veracta_ledger::Hash;
use veracta_ledger::entry::Link;
use veracta_store::tracking::{
    DatasetInput, Experiment, KeyValue, MetricValue, ModelLink, Point, RegisteredModel,
    RegisteredVersion, Run, RunData,
};
use veracta_store::{NewRecord, Selection, View};

use super::TrackingError;
use super::path_of;

/// What happened to something, and why, as somebody said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'e> {
    /// What happened, as one of the words that the record's field `event` may have.
    pub(crate) event: &'e str,
    /// The reason that the caller gave; `None` when none was given.
    pub(crate) reason: Option<&'e str>,
}

impl<'e> Event<'e> {
    /// Returns an event for which no reason was given.
    pub(crate) fn new(event: &'e str) -> Self {
        Self {
            event,
            reason: None,
        }
    }
}

/// Everything of a metric's history at once: a run is recorded once, when it ends.
const EVERYTHING: Selection = Selection {
    offset: 0,
    limit: u64::MAX,
};

pub(super) fn map_of(values: &[KeyValue]) -> BTreeMap<String, String> {
    values.iter().cloned().collect()
}

fn new_record(record: Record, subject: String, links: Vec<Link>) -> NewRecord {
    NewRecord {
        record,
        subject,
        key: None,
        links,
        artifacts: Vec::new(),
    }
}

/// Returns the record of an experiment.
pub(crate) fn of_experiment(experiment: &Experiment, n_runs: u64, event: Event<'_>) -> NewRecord {
    let body = record::Experiment {
        event: event.event.to_owned(),
        reason: event.reason.map(str::to_owned),
        experiment_id: experiment.id,
        name: experiment.name.clone(),
        artifact_location: experiment.artifact_location.clone(),
        stage: experiment.stage.word().to_owned(),
        tags: map_of(&experiment.tags),
        n_runs,
    };
    new_record(
        Record::Experiment(body),
        format!("experiment:{}", experiment.id),
        Vec::new(),
    )
}

/// Returns the record of a registered model.
pub(crate) fn of_registered_model(
    model: &RegisteredModel,
    previous_name: Option<&str>,
    event: Event<'_>,
) -> NewRecord {
    let body = RegistryModel {
        event: event.event.to_owned(),
        reason: event.reason.map(str::to_owned),
        name: model.name.clone(),
        previous_name: previous_name.map(str::to_owned),
        description: model.description.clone(),
        tags: map_of(&model.tags),
        aliases: model.aliases.iter().cloned().collect(),
    };
    new_record(
        Record::RegistryModel(body),
        format!("registry:{}", model.name),
        Vec::new(),
    )
}

/// Returns the record of a version, resting on the record of the run that made it.
pub(crate) fn of_model_version(
    view: View<'_>,
    version: &RegisteredVersion,
    event: Event<'_>,
) -> Result<NewRecord, TrackingError> {
    let artifacts = match path_of(&version.storage_location) {
        Some(folder) => named(view, &folder)?,
        None => Vec::new(),
    };
    let run = if version.run_id.is_empty() {
        None
    } else {
        view.run(&version.run_id)?
    };
    let links = match run.and_then(|run| run.record_idx) {
        Some(idx) => view.link_to(idx)?.into_iter().collect(),
        None => Vec::new(),
    };
    let body = RegistryVersion {
        event: event.event.to_owned(),
        reason: event.reason.map(str::to_owned),
        model: version.model.clone(),
        version: version.version,
        description: version.description.clone(),
        stage: version.stage.clone(),
        source: version.source.clone(),
        storage_location: version.storage_location.clone(),
        run_id: version.run_id.clone(),
        model_id: version.model_id.clone(),
        tags: map_of(&version.tags),
        artifacts,
    };
    Ok(new_record(
        Record::RegistryVersion(body),
        subject_of_version(&version.model, version.version),
        links,
    ))
}

/// Returns what the records of a version are about.
pub fn subject_of_version(model: &str, version: i64) -> String {
    format!("registry:{model}@{version}")
}

fn named(view: View<'_>, folder: &str) -> Result<Vec<NamedDigest>, TrackingError> {
    let files = view.artifacts_below(folder)?;
    let name = |path: &str| {
        path.strip_prefix(folder)
            .map_or(path, |rest| rest.trim_start_matches('/'))
            .to_owned()
    };
    Ok(files
        .into_iter()
        .map(|file| NamedDigest {
            name: name(&file.path),
            digest: file.digest,
        })
        .collect())
}

/// Returns the record of a run as it stands in the tables.
///
/// `salt` hides the values from whoever only has the digest.
pub(super) fn of_run(
    view: View<'_>,
    run: &Run,
    salt: Hash,
    event: Event<'_>,
) -> Result<NewRecord, TrackingError> {
    let body = tracked_run(view, run, salt, event)?;
    Ok(new_record(
        Record::TrackedRun(body),
        run.subject(),
        Vec::new(),
    ))
}

pub(super) fn tracked_run(
    view: View<'_>,
    run: &Run,
    salt: Hash,
    event: Event<'_>,
) -> Result<TrackedRun, TrackingError> {
    let data = view
        .run_data(std::slice::from_ref(run))?
        .pop()
        .unwrap_or_default();
    let RunData {
        params,
        tags,
        inputs,
        model_inputs,
        model_outputs,
        metrics: latest,
    } = data;
    let artifacts = artifacts_of_run(view, run, &model_outputs)?;
    Ok(TrackedRun {
        event: event.event.to_owned(),
        reason: event.reason.map(str::to_owned),
        salt,
        run_id: run.id.clone(),
        experiment_id: run.experiment_id,
        name: run.name.clone(),
        user_id: run.user_id.clone(),
        status: run.status.word().to_owned(),
        stage: run.stage.word().to_owned(),
        start_ms: run.start_ms,
        end_ms: run.end_ms,
        params: map_of(&params),
        tags: map_of(&tags),
        metrics: tracked_metrics(view, run, latest)?,
        datasets: inputs.iter().map(tracked_dataset).collect(),
        model_inputs: model_inputs.into_iter().map(|link| link.model_id).collect(),
        model_outputs: model_outputs
            .into_iter()
            .map(|link| link.model_id)
            .collect(),
        artifacts,
    })
}

fn tracked_metrics(
    view: View<'_>,
    run: &Run,
    latest: Vec<MetricValue>,
) -> Result<Vec<TrackedMetric>, TrackingError> {
    let mut metrics = Vec::with_capacity(latest.len());
    for metric in latest {
        let points = view.metric_history(run, &metric.name, EVERYTHING)?;
        metrics.push(TrackedMetric {
            name: metric.name,
            // JSON cannot write NaN; the digest of all values covers it.
            last: (!metric.point.value.is_nan()).then_some(metric.point.value),
            step: metric.point.step,
            n_points: points.len() as u64,
            points: digest_of(&points),
        });
    }
    Ok(metrics)
}

/// Returns the files of a run and those of the models it made, whose names begin with the model's id and a colon.
fn artifacts_of_run(
    view: View<'_>,
    run: &Run,
    model_outputs: &[ModelLink],
) -> Result<Vec<NamedDigest>, TrackingError> {
    let mut artifacts = match path_of(&run.artifact_uri) {
        Some(folder) => named(view, &folder)?,
        None => Vec::new(),
    };
    for link in model_outputs {
        let Some(model) = view.logged_model(&link.model_id)? else {
            continue;
        };
        let Some(folder) = path_of(&model.artifact_location) else {
            continue;
        };
        let files = named(view, &folder)?;
        artifacts.extend(files.into_iter().map(|file| NamedDigest {
            name: format!("{}:{}", model.id, file.name),
            ..file
        }));
    }
    Ok(artifacts)
}

fn tracked_dataset(input: &DatasetInput) -> TrackedDataset {
    let context = input
        .tags
        .iter()
        .find(|(name, _)| name == "mlflow.data.context")
        .map(|(_, value)| value.clone());
    let dataset = &input.dataset;
    let description = json!([
        dataset.source_type,
        dataset.source,
        dataset.schema,
        dataset.profile,
        map_of(&input.tags)
    ])
    .to_string();
    TrackedDataset {
        name: dataset.name.clone(),
        digest: dataset.digest.clone(),
        context,
        description: Hash::of(description.as_bytes()),
    }
}

fn digest_of(points: &[Point]) -> Hash {
    let mut bytes = Vec::with_capacity(points.len() * 24);
    for Point {
        timestamp_ms,
        step,
        value,
    } in points
    {
        bytes.extend_from_slice(&timestamp_ms.to_be_bytes());
        bytes.extend_from_slice(&step.to_be_bytes());
        bytes.extend_from_slice(&value.to_bits().to_be_bytes());
    }
    Hash::of(&bytes)
}
