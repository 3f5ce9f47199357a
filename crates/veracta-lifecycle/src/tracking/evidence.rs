//! What is recorded of runs, experiments and the registry: each record is the thing as it stands after the change.

use std::collections::BTreeMap;

use serde_json::json;
use veracta_governance::record::{
    self, AccessLog, NamedDigest, Record, RegistryModel, RegistryVersion, TrackedDataset,
    TrackedMetric, TrackedRun,
};
use veracta_ledger::Hash;
use veracta_ledger::entry::Link;
use veracta_store::tracking::{
    DELETED_VERSION, Experiment, KeyValue, ModelVersion, Point, RegisteredModel, Run, RunData,
    RunStatus, Stage,
};
use veracta_store::{NewRecord, Selection, Store, View};

use super::TrackingError;
use super::artifacts::path_of;
use crate::access;

/// What happened to something, and why, as somebody said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'e> {
    /// A word of the record's kind.
    pub(crate) event: &'e str,
    /// Why.
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
    version: &ModelVersion,
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

fn tracked_run(
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
    let mut metrics = Vec::with_capacity(latest.len());
    for metric in latest {
        let points = view.metric_history(run, &metric.name, EVERYTHING)?;
        metrics.push(TrackedMetric {
            name: metric.name,
            last: (!metric.point.value.is_nan()).then_some(metric.point.value),
            step: metric.point.step,
            n_points: points.len() as u64,
            points: digest_of(&points),
        });
    }
    let mut artifacts = match path_of(&run.artifact_uri) {
        Some(folder) => named(view, &folder)?,
        None => Vec::new(),
    };
    for link in &model_outputs {
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
    let datasets = inputs.into_iter().map(|input| {
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
    });
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
        metrics,
        datasets: datasets.collect(),
        model_inputs: model_inputs.into_iter().map(|link| link.model_id).collect(),
        model_outputs: model_outputs
            .into_iter()
            .map(|link| link.model_id)
            .collect(),
        artifacts,
    })
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

/// Something in the tables that is not what the ledger says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// What it is about.
    pub subject: String,
    /// What is wrong.
    pub message: String,
}

/// Compares the tables of the tracking server with the latest records about what is in them; returns how many things were
/// compared, and every discrepancy.
///
/// Runs that have not ended are not evidence yet and are not compared.
pub fn compare_with_ledger(store: &Store) -> Result<(u64, Vec<Discrepancy>), TrackingError> {
    let reading = store.reading()?;
    let view = reading.view();
    let mut comparison = Comparison {
        store,
        n_compared: 0,
        found: Vec::new(),
    };
    view.visit_recorded_runs(&mut |run| {
        comparison.n_compared += 1;
        if let Some(message) = discrepancy_of_run(store, view, &run) {
            comparison.found.push(Discrepancy {
                subject: run.subject(),
                message,
            });
        }
        Ok(())
    })?;
    comparison.each("run", &mut |record| match record {
        // The row says which record it stands for; what it holds was compared above.
        Record::TrackedRun(body) if is_ended(body) => {
            let run = view
                .run(&body.run_id)?
                .filter(|run| run.record_idx.is_some());
            Ok(Now::of(run.map(|_| record.clone())))
        }
        _ => Ok(Now::NotCompared),
    })?;
    comparison.each("experiment", &mut |record| {
        let Record::Experiment(body) = record else {
            return Ok(Now::NotCompared);
        };
        let now = view.experiment(body.experiment_id)?;
        Ok(Now::of(now.map(|now| {
            of_experiment(&now, body.n_runs, event_of(&body.event, &body.reason)).record
        })))
    })?;
    comparison.each("registry.model", &mut |record| match record {
        Record::RegistryModel(body) if !LEAVING.contains(&body.event.as_str()) => {
            let event = event_of(&body.event, &body.reason);
            let now = view.registered_model(&body.name)?;
            Ok(Now::of(now.map(|now| {
                of_registered_model(&now, body.previous_name.as_deref(), event).record
            })))
        }
        _ => Ok(Now::NotCompared),
    })?;
    comparison.each("registry.version", &mut |record| match record {
        Record::RegistryVersion(body)
            if !LEAVING.contains(&body.event.as_str()) && body.stage != DELETED_VERSION =>
        {
            let event = event_of(&body.event, &body.reason);
            let now = view.model_version(&body.model, body.version)?;
            Ok(Now::of(
                now.map(|now| of_model_version(view, &now, event))
                    .transpose()?
                    .map(|new| new.record),
            ))
        }
        _ => Ok(Now::NotCompared),
    })?;
    comparison.each("access.log", &mut |record| match record {
        Record::AccessLog(body) if body.grant.is_some() => {
            let now = access::grant_now(view, body)?;
            Ok(Now::of(now.map(|grant| {
                Record::AccessLog(AccessLog {
                    grant: Some(grant),
                    ..body.clone()
                })
            })))
        }
        _ => Ok(Now::NotCompared),
    })?;
    comparison.unrecorded(view)?;
    Ok((comparison.n_compared, comparison.found))
}

/// Events after which a registered model or version is not there under its name.
const LEAVING: [&str; 2] = ["deleted", "renamed"];

fn is_ended(body: &TrackedRun) -> bool {
    RunStatus::of(&body.status).is_some_and(RunStatus::is_ended)
}

/// What the tables say of the thing a record is about.
enum Now {
    /// The record says nothing that the tables should.
    NotCompared,
    /// The thing is not there.
    Gone,
    /// It would be recorded like this.
    There(Box<Record>),
}

impl Now {
    fn of(record: Option<Record>) -> Self {
        record.map_or(Self::Gone, |record| Self::There(Box::new(record)))
    }
}

/// Says what the tables say of the thing a record is about.
type Look<'l> = dyn FnMut(&Record) -> Result<Now, TrackingError> + 'l;

/// A comparison of tables with records.
struct Comparison<'s> {
    store: &'s Store,
    n_compared: u64,
    found: Vec<Discrepancy>,
}

impl Comparison<'_> {
    /// Reports what is in the tables and no record tells of.
    fn unrecorded(&mut self, view: View<'_>) -> Result<(), TrackingError> {
        let mut subjects = Vec::new();
        let users = view
            .users()?
            .into_iter()
            .map(|(user, _)| ("access.log", format!("user:{}", user.handle)));
        subjects.extend(users);
        subjects.extend(
            view.tokens()?
                .into_iter()
                .map(|token| ("access.log", format!("token:{}", token.id))),
        );
        subjects.extend(
            view.experiment_ids()?
                .into_iter()
                .map(|id| ("experiment", format!("experiment:{id}"))),
        );
        for (name, versions) in view.registered_names()? {
            subjects.extend(
                versions
                    .into_iter()
                    .map(|version| ("registry.version", subject_of_version(&name, version))),
            );
            subjects.push(("registry.model", format!("registry:{name}")));
        }
        let mut found = view.ended_without_record()?;
        for (kind, subject) in subjects {
            if view.positions_about(kind, &subject)?.is_empty() {
                found.push(subject);
            }
        }
        let message =
            "it is there, and no record says so: it was put there behind the program's back";
        self.found
            .extend(found.into_iter().map(|subject| Discrepancy {
                subject,
                message: message.to_owned(),
            }));
        Ok(())
    }

    /// Compares the latest record of each subject of a kind with the tables.
    fn each(&mut self, kind: &str, look: &mut Look<'_>) -> Result<(), TrackingError> {
        let mut latest = Vec::new();
        self.store
            .reading()?
            .view()
            .visit_latest(kind, &mut |subject, idx| {
                latest.push((subject, idx));
                Ok(())
            })?;
        for (subject, idx) in latest {
            // What is wrong with the record itself is told by the check of the ledger.
            let Ok(evidence) = self.store.evidence(idx) else {
                continue;
            };
            let message = match look(&evidence.record)? {
                Now::NotCompared => continue,
                Now::There(now) if *now == evidence.record => None,
                Now::There(_) => Some(format!(
                    "it is not what record #{idx} says: it was changed behind the program's back"
                )),
                Now::Gone => Some(format!(
                    "it is gone, and record #{idx} says that it is there"
                )),
            };
            // Finished runs were counted by their rows.
            self.n_compared += u64::from(kind != "run");
            self.found
                .extend(message.map(|message| Discrepancy { subject, message }));
        }
        Ok(())
    }
}

fn event_of<'e>(event: &'e str, reason: &'e Option<String>) -> Event<'e> {
    Event {
        event,
        reason: reason.as_deref(),
    }
}

fn discrepancy_of_run(store: &Store, view: View<'_>, run: &Run) -> Option<String> {
    let idx = run.record_idx?;
    let Ok(evidence) = store.evidence(idx) else {
        return Some(format!("its record #{idx} is gone"));
    };
    let Record::TrackedRun(body) = &evidence.record else {
        return Some(format!("record #{idx} is not about a run"));
    };
    if body.run_id != run.id {
        return Some(format!("record #{idx} is about another run"));
    }
    // Deleting an experiment deletes its runs without a record of each.
    let stage = if body.stage == "deleted" {
        Stage::Deleted
    } else {
        Stage::Active
    };
    let as_recorded = Run {
        stage,
        ..run.clone()
    };
    match tracked_run(
        view,
        &as_recorded,
        body.salt,
        event_of(&body.event, &body.reason),
    ) {
        Ok(now) if now == *body => None,
        Ok(_) => Some(format!(
            "its values are not what record #{idx} says: they were changed behind the program's back"
        )),
        Err(error) => Some(format!("its values cannot be read: {error}")),
    }
}
