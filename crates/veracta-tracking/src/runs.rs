//! Runs: their values while they run, and the record of all of them when they end.

use veracta_ledger::Hash;
use veracta_store::tracking::{
    DatasetInput, DatasetSummary, KeyValue, MetricValue, ModelLink, ModelMetric, Point, Run,
    RunData, RunStatus, Stage,
};
use veracta_store::{Draft, Query, Selection, View, Viewed, Work};

use super::evidence::{Event, of_run};
use super::{TrackingError, experiments, names, new_id, random};
use veracta_store::Platform;

/// Tag that holds the name of a run.
const NAME_TAG: &str = "mlflow.runName";
/// Most runs of one answer.
const RESULTS_LIMIT: u64 = 50_000;
/// Longest name of a dataset.
const DATASET_NAME_CHARS: usize = 500;
/// Longest digest of a dataset.
const DATASET_DIGEST_CHARS: usize = 36;
/// Longest source of a dataset: MLflow's column has 64 KiB less one.
const DATASET_SOURCE_CHARS: usize = 65_535;
/// Longest schema of a dataset: 1 MiB less one.
const DATASET_SCHEMA_CHARS: usize = 1_048_575;
/// Longest profile of a dataset: 16 MiB less one.
const DATASET_PROFILE_CHARS: usize = 16_777_215;
/// Longest key of an input's tag.
const INPUT_TAG_KEY_CHARS: usize = 255;
/// Longest value of an input's tag.
const INPUT_TAG_VALUE_CHARS: usize = 500;
/// Most datasets of one request.
const BATCH_DATASETS: usize = 1_000;

/// A run with its values.
pub type RunWithData = (Run, RunData);

/// A run that is to be created.
#[derive(Debug, Clone, Default)]
pub struct NewRun {
    /// Number of the experiment that the run belongs to, which must not be deleted.
    pub experiment_id: i64,
    /// Name for people; invented when empty.
    pub name: String,
    /// Name of the user who runs it, as the client says.
    pub user_id: String,
    /// When it began, in milliseconds since 1970, as the client says.
    pub start_ms: i64,
    /// Tags by key, as text.
    pub tags: Vec<KeyValue>,
}

/// Adds a run in status `RUNNING`, which is recorded once it has ended.
pub fn create(platform: &Platform, new: NewRun) -> Result<RunWithData, TrackingError> {
    let NewRun {
        experiment_id,
        mut name,
        user_id,
        start_ms,
        mut tags,
    } = new;
    let tagged = tags
        .iter()
        .find(|(key, _)| key == NAME_TAG)
        .map(|(_, value)| value.clone());
    if let Some(tagged) = &tagged
        && !name.is_empty()
        && *tagged != name
    {
        return Err(TrackingError::invalid(format!(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='{name}', \
             mlflow.runName='{tagged}')."
        )));
    }
    tags = names::checked_tags(tags, |position| format!("tags[{position}]."))?;
    let random = random()?;
    if name.is_empty() {
        name = tagged
            .filter(|tagged| !tagged.is_empty())
            .unwrap_or_else(|| {
                names::invented_name([random.0[0], random.0[1], random.0[2], random.0[3]])
            });
    }
    if !tags.iter().any(|(key, _)| key == NAME_TAG) {
        tags.push((NAME_TAG.to_owned(), name.clone()));
    }
    let id = new_id()?;
    platform.begin().work(move |work| {
        let experiment = experiments::find_active(work.view(), experiment_id)?;
        let artifact_uri = format!(
            "{}/{id}/artifacts",
            experiment.artifact_location.trim_end_matches('/')
        );
        let run = Run {
            no: 0,
            id,
            experiment_id,
            name,
            user_id,
            status: RunStatus::Running,
            start_ms,
            end_ms: None,
            stage: Stage::Active,
            artifact_uri,
            record_idx: None,
        };
        let draft = work.draft(&run);
        let run = draft.add_run(run)?;
        draft.set_tags(&run, &tags)?;
        tags.sort_unstable();
        Ok((
            run,
            RunData {
                tags,
                ..RunData::default()
            },
        ))
    })
}

pub(super) fn find(view: View<'_>, id: &str) -> Result<Run, TrackingError> {
    view.run(id)?
        .ok_or_else(|| TrackingError::missing(format!("Run with id={id} not found")))
}

fn find_active(view: View<'_>, id: &str) -> Result<Run, TrackingError> {
    names::check_run_id(id)?;
    let run = find(view, id)?;
    if run.stage == Stage::Deleted {
        return Err(TrackingError::invalid(format!(
            "The run {id} must be in the 'active' state. Current state is deleted."
        )));
    }
    Ok(run)
}

/// Commits the record of a run as it stands now, in `stage`.
pub(crate) fn record(
    work: &mut Work<'_>,
    run: &Run,
    stage: Stage,
    salt: Hash,
    event: Event<'_>,
) -> Result<(), TrackingError> {
    let now = Run {
        stage,
        ..run.clone()
    };
    let new = of_run(work.view(), &now, salt, event)?;
    Ok(work.commit(new)?.set_run_record(run, stage)?)
}

/// Changes a run in one step; when it has ended already, records what it is afterwards.
fn change<T: Send + 'static>(
    platform: &Platform,
    id: String,
    change: impl FnOnce(View<'_>, Draft<'_>, &Run) -> Result<T, TrackingError> + Send + 'static,
) -> Result<T, TrackingError> {
    let salt = random()?;
    platform.begin().work(move |work| {
        let run = find_active(work.view(), &id)?;
        let draft = work.draft(&run);
        let value = change(work.view(), draft, &run)?;
        if run.record_idx.is_some() {
            record(work, &run, run.stage, salt, Event::new("changed"))?;
        }
        Ok(value)
    })
}

/// Returns a run with its values, deleted or not.
pub fn get(platform: &Platform, id: &str) -> Result<RunWithData, TrackingError> {
    names::check_run_id(id)?;
    let reading = platform.store.reading()?;
    let run = find(reading.view(), id)?;
    let data = reading
        .view()
        .run_data(std::slice::from_ref(&run))?
        .pop()
        .unwrap_or_default();
    Ok((run, data))
}

/// The fields of a run that an update may change.
#[derive(Debug, Clone, Default)]
pub struct RunUpdate {
    /// The new status; `None` leaves it.
    pub status: Option<RunStatus>,
    /// The new end, in milliseconds since 1970; `None` keeps the end of a run that has ended.
    pub end_ms: Option<i64>,
    /// The new name; `None` or an empty one leaves it.
    pub name: Option<String>,
}

/// Changes status, end or name of a run. Ending it commits its record.
pub fn update(platform: &Platform, id: String, update: RunUpdate) -> Result<Run, TrackingError> {
    let salt = random()?;
    platform.begin().work(move |work| {
        let before = find_active(work.view(), &id)?;
        let mut run = before.clone();
        run.status = update.status.unwrap_or(run.status);
        run.end_ms = update
            .end_ms
            .or(run.end_ms.filter(|_| run.status.is_ended()));
        if let Some(name) = update.name.filter(|name| !name.is_empty()) {
            run.name = name;
        }
        if run == before {
            return Ok(run);
        }
        let draft = work.draft(&before);
        draft.change_run(&run)?;
        if run.name != before.name {
            draft.set_tags(&run, &[(NAME_TAG.to_owned(), run.name.clone())])?;
        }
        let event = match (before.record_idx.is_some(), run.status.is_ended()) {
            (false, false) => return Ok(run),
            (_, true) if !before.status.is_ended() => "ended",
            (_, true) => "changed",
            (true, false) => "reopened",
        };
        record(work, &run, run.stage, salt, Event::new(event))?;
        Ok(run)
    })
}

/// Deletes a run, or restores it; both can be undone and are recorded.
pub fn set_stage(
    platform: &Platform,
    id: String,
    stage: Stage,
    reason: Option<String>,
) -> Result<(), TrackingError> {
    names::check_run_id(&id)?;
    let salt = random()?;
    platform.begin().work(move |work| {
        let run = find(work.view(), &id)?;
        if run.stage == stage {
            return Ok(());
        }
        let event = if stage == Stage::Deleted {
            "deleted"
        } else {
            "restored"
        };
        record(
            work,
            &run,
            stage,
            salt,
            Event {
                event,
                reason: reason.as_deref(),
            },
        )
    })
}

/// A value of a metric, and the logged model and dataset it was measured of.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMetric {
    /// Key and value of the metric, with time and step.
    pub metric: MetricValue,
    /// Id of the logged model that the value was measured of; `None` when it is the run's alone.
    pub model_id: Option<String>,
    /// Name of the dataset it was measured on; `None` when the client did not say.
    pub dataset_name: Option<String>,
    /// Digest of that dataset, as the client computed it; `None` when it did not say.
    pub dataset_digest: Option<String>,
}

/// Values of one run that are logged together, all or none.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Values of metrics to be added to their histories.
    pub metrics: Vec<NewMetric>,
    /// Parameters by key; a parameter cannot be changed once it is logged.
    pub params: Vec<KeyValue>,
    /// Tags by key; a tag that exists already gets the new value.
    pub tags: Vec<KeyValue>,
}

/// Logs values of a run, all or none of them.
pub fn log_batch(platform: &Platform, id: String, batch: Batch) -> Result<(), TrackingError> {
    names::check_batch(batch.metrics.len(), &batch.params, batch.tags.len())?;
    log(platform, id, batch, |list, position| {
        format!("{list}[{position}].")
    })
}

/// Logs one metric, parameter or tag of a run.
pub fn log_one(platform: &Platform, id: String, batch: Batch) -> Result<(), TrackingError> {
    log(platform, id, batch, |_, _| String::new())
}

fn log(
    platform: &Platform,
    id: String,
    batch: Batch,
    path: fn(&str, usize) -> String,
) -> Result<(), TrackingError> {
    let of_models: Vec<NewMetric> = batch
        .metrics
        .iter()
        .filter(|new| new.model_id.is_some())
        .cloned()
        .collect();
    let metrics: Vec<MetricValue> = batch.metrics.into_iter().map(|new| new.metric).collect();
    names::check_metrics(&metrics, |position| path("metrics", position))?;
    let params = names::checked_params(batch.params, |position| path("params", position))?;
    let tags = names::checked_tags(batch.tags, |position| path("tags", position))?;
    change(platform, id, move |view, draft, run| {
        let new_params = params_to_add(view, run, params)?;
        draft.add_params(run, &new_params)?;
        draft.add_metrics(run, &metrics)?;
        for NewMetric {
            metric,
            model_id,
            dataset_name,
            dataset_digest,
        } in of_models
        {
            let metric = ModelMetric {
                metric,
                run_id: run.id.clone(),
                dataset_name: dataset_name.unwrap_or_default(),
                dataset_digest: dataset_digest.unwrap_or_default(),
            };
            draft.add_model_metrics(&model_id.unwrap_or_default(), &[metric])?;
        }
        if let Some((_, name)) = tags
            .iter()
            .find(|(name, value)| name == NAME_TAG && *value != run.name)
        {
            draft.change_run(&Run {
                name: name.clone(),
                ..run.clone()
            })?;
        }
        Ok(draft.set_tags(run, &tags)?)
    })
}

/// Returns the parameters that are not there; one that is there with another value refuses all.
fn params_to_add(
    view: View<'_>,
    run: &Run,
    params: Vec<KeyValue>,
) -> Result<Vec<KeyValue>, TrackingError> {
    if params.is_empty() {
        return Ok(params);
    }
    let known = match params.as_slice() {
        [(name, _)] => view
            .param(run, name)?
            .map(|value| (name.clone(), value))
            .into_iter()
            .collect(),
        _ => view.params_of(run)?,
    };
    let others: Vec<(&KeyValue, &String)> = params
        .iter()
        .filter_map(|param| {
            known
                .get(&param.0)
                .filter(|old| **old != param.1)
                .map(|old| (param, old))
        })
        .collect();
    match others.as_slice() {
        [] => {}
        [((key, new), old)] if params.len() == 1 => {
            return Err(TrackingError::invalid(format!(
                "Changing param values is not allowed. Param with key='{key}' was already logged with value='{old}' for run ID='{}'. \
                 Attempted logging new value '{new}'.",
                run.id
            )));
        }
        others => {
            let listed: Vec<String> = others
                .iter()
                .map(|((key, new), old)| {
                    format!("{{'key': '{key}', 'old_value': '{old}', 'new_value': '{new}'}}")
                })
                .collect();
            return Err(TrackingError::invalid(format!(
                "Changing param values is not allowed. Params were already logged='[{}]' for run ID='{}'.",
                listed.join(", "),
                run.id
            )));
        }
    }
    Ok(params
        .into_iter()
        .filter(|(key, _)| !known.contains_key(key))
        .collect())
}

/// Removes a tag of a run.
pub fn delete_tag(platform: &Platform, id: String, name: String) -> Result<(), TrackingError> {
    change(platform, id, move |_, draft, run| {
        match draft.remove_tag(run, &name)? {
            true => Ok(()),
            false => Err(TrackingError::missing(format!(
                "No tag with name: {name} in run with id {}",
                run.id
            ))),
        }
    })
}

/// Logs datasets and models that a run read.
pub fn log_inputs(
    platform: &Platform,
    id: String,
    datasets: Vec<DatasetInput>,
    models: Vec<ModelLink>,
) -> Result<(), TrackingError> {
    if datasets.len() > BATCH_DATASETS {
        let n = datasets.len();
        return Err(TrackingError::invalid(format!(
            "A batch logging request can contain at most {BATCH_DATASETS} datasets. Got {n} datasets."
        )));
    }
    datasets.iter().try_for_each(check_input)?;
    change(platform, id, move |_, draft, run| {
        draft.add_inputs(run, &datasets)?;
        Ok(draft.add_models(run, &models, &[])?)
    })
}

fn check_input(input: &DatasetInput) -> Result<(), TrackingError> {
    let dataset = &input.dataset;
    for (what, text) in [
        ("name", &dataset.name),
        ("digest", &dataset.digest),
        ("source", &dataset.source),
    ] {
        if text.is_empty() {
            return Err(TrackingError::invalid(format!(
                "Dataset {what} cannot be empty"
            )));
        }
    }
    names::check_length("name", &dataset.name, DATASET_NAME_CHARS)?;
    names::check_length("digest", &dataset.digest, DATASET_DIGEST_CHARS)?;
    names::check_length("source", &dataset.source, DATASET_SOURCE_CHARS)?;
    names::check_length(
        "schema",
        dataset.schema.as_deref().unwrap_or_default(),
        DATASET_SCHEMA_CHARS,
    )?;
    names::check_length(
        "profile",
        dataset.profile.as_deref().unwrap_or_default(),
        DATASET_PROFILE_CHARS,
    )?;
    for (key, value) in &input.tags {
        names::check_length("tag key", key, INPUT_TAG_KEY_CHARS)?;
        names::check_length("tag value", value, INPUT_TAG_VALUE_CHARS)?;
    }
    Ok(())
}

/// Logs models that a run made.
pub fn log_outputs(
    platform: &Platform,
    id: String,
    models: Vec<ModelLink>,
) -> Result<(), TrackingError> {
    change(platform, id, move |_, draft, run| {
        Ok(draft.add_models(run, &[], &models)?)
    })
}

/// Returns the runs that a search finds with their values; one more than asked for says that there are more.
pub fn search(
    platform: &Platform,
    experiment_ids: &[i64],
    query: &Query,
    viewed: Viewed,
    selection: Selection,
) -> Result<(Vec<RunWithData>, bool), TrackingError> {
    if selection.limit == 0 || selection.limit > RESULTS_LIMIT {
        let n = selection.limit;
        return Err(TrackingError::invalid(format!(
            "Invalid value for request parameter max_results. It must be at most {RESULTS_LIMIT}, but got value {n}"
        )));
    }
    if experiment_ids.is_empty() {
        return Ok((Vec::new(), false));
    }
    let reading = platform.store.reading()?;
    let one_more = Selection {
        limit: selection.limit + 1,
        ..selection
    };
    let mut runs = reading
        .view()
        .search_runs(experiment_ids, viewed, query, one_more)?;
    let has_more = runs.len() as u64 > selection.limit;
    runs.truncate(selection.limit as usize);
    let data = reading.view().run_data(&runs)?;
    Ok((runs.into_iter().zip(data).collect(), has_more))
}

/// Returns values of a metric of a run, by time, step and value.
pub fn metric_history(
    platform: &Platform,
    id: &str,
    name: &str,
    selection: Selection,
) -> Result<Vec<Point>, TrackingError> {
    let reading = platform.store.reading()?;
    // The history of a run that is not there is empty, as clients expect.
    let Some(run) = reading.view().run(id)? else {
        return Ok(Vec::new());
    };
    Ok(reading.view().metric_history(&run, name, selection)?)
}

/// The part of a metric's history that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Interval {
    /// First and last step; all when not given.
    pub steps: Option<(i64, i64)>,
    /// Approximate number of values to return for each run.
    pub n_results: u64,
}

/// Returns values of a metric at about equally spaced steps, the first and the last of each run among them; runs in the order given.
pub fn metric_interval(
    platform: &Platform,
    ids: &[String],
    name: &str,
    interval: Interval,
) -> Result<Vec<(String, Point)>, TrackingError> {
    let reading = platform.store.reading()?;
    let view = reading.view();
    let mut runs = Vec::with_capacity(ids.len());
    for id in ids {
        runs.push(find(view, id)?);
    }
    let within = |step: &i64| {
        interval
            .steps
            .is_none_or(|(first, last)| (first..=last).contains(step))
    };
    let mut all_steps = Vec::new();
    let mut ends: std::collections::BTreeSet<i64> = std::collections::BTreeSet::new();
    for run in &runs {
        let steps: Vec<i64> = view
            .metric_steps(run, name)?
            .into_iter()
            .filter(within)
            .collect();
        ends.extend(steps.first().into_iter().chain(steps.last()));
        all_steps.extend(steps);
    }
    all_steps.sort_unstable();
    all_steps.dedup();
    let every = (all_steps.len() as u64)
        .div_ceil(interval.n_results.max(1))
        .max(1) as usize;
    let mut chosen: std::collections::BTreeSet<i64> =
        all_steps.iter().copied().step_by(every).collect();
    chosen.extend(ends);
    let mut found = Vec::new();
    for run in &runs {
        let points = view.metric_history(
            run,
            name,
            Selection {
                offset: 0,
                limit: u64::MAX,
            },
        )?;
        found.extend(
            points
                .into_iter()
                .filter(|point| chosen.contains(&point.step))
                .map(|point| (run.id.clone(), point)),
        );
    }
    Ok(found)
}

/// Returns datasets that runs of these experiments read.
pub fn datasets(
    platform: &Platform,
    experiment_ids: &[i64],
    limit: u64,
) -> Result<Vec<DatasetSummary>, TrackingError> {
    Ok(platform
        .store
        .reading()?
        .view()
        .dataset_summaries(experiment_ids, limit)?)
}

/// Logs a model of an old client: kept in a tag, as a list of all of them.
pub fn log_model_json(
    platform: &Platform,
    id: String,
    model: serde_json::Value,
) -> Result<(), TrackingError> {
    const HISTORY_TAG: &str = "mlflow.log-model.history";
    change(platform, id, move |view, draft, run| {
        let data = view
            .run_data(std::slice::from_ref(run))?
            .pop()
            .unwrap_or_default();
        let known = data
            .tags
            .iter()
            .find(|(name, _)| name == HISTORY_TAG)
            .map(|(_, value)| value.as_str());
        let mut history: Vec<serde_json::Value> = known
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        if !history.contains(&model) {
            history.push(model);
        }
        let tag = (
            HISTORY_TAG.to_owned(),
            serde_json::Value::from(history).to_string(),
        );
        Ok(draft.set_tags(run, &[tag])?)
    })
}
