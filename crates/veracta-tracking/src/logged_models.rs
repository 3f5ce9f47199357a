//! Logged models: what a client uploads as one thing, before anything is registered.

use veracta_store::tracking::{KeyValue, LoggedModel, Stage};
use veracta_store::{Field, Query, Selection, View, Viewed};

use super::{TrackingError, experiments, names, new_id, now_ms};
use veracta_store::Platform;

/// Every status with the number clients may send for it.
pub const STATUSES: [(&str, i64); 4] = [
    ("LOGGED_MODEL_STATUS_UNSPECIFIED", 0),
    ("LOGGED_MODEL_PENDING", 1),
    ("LOGGED_MODEL_READY", 2),
    ("LOGGED_MODEL_UPLOAD_FAILED", 3),
];
/// Most logged models of one answer.
const RESULTS_LIMIT: u64 = 50_000;
/// Longest key of a parameter or tag: MLflow's own server sets none.
const KEY_CHARS: usize = 5_000;
/// Longest value of a parameter.
const PARAM_CHARS: usize = 1_000_000;
/// Longest value of a tag.
const TAG_CHARS: usize = 1_000_000;

/// A logged model that is to be created.
#[derive(Debug, Clone, Default)]
pub struct NewLoggedModel {
    /// Number of the experiment that it belongs to.
    pub experiment_id: i64,
    /// Name for people; invented when not given.
    pub name: Option<String>,
    /// Type of the model, as the client says; `None` when it does not.
    pub model_type: Option<String>,
    /// Id of the run that makes it; `None` when no run does.
    pub source_run_id: Option<String>,
    /// Parameters by key, as text.
    pub params: Vec<KeyValue>,
    /// Tags by key, as text.
    pub tags: Vec<KeyValue>,
}

/// Makes a logged model, whose files are uploaded next.
pub fn create(platform: &Platform, new: NewLoggedModel) -> Result<LoggedModel, TrackingError> {
    let NewLoggedModel {
        experiment_id,
        name,
        model_type,
        source_run_id,
        params,
        tags,
    } = new;
    if let Some(name) = &name {
        names::check_logged_model_name(name)?;
    }
    check_values(&params, PARAM_CHARS)?;
    check_values(&tags, TAG_CHARS)?;
    let (id, now) = (new_id()?, now_ms(platform));
    let random = super::random()?.0;
    let name =
        name.unwrap_or_else(|| names::invented_name([random[0], random[1], random[2], random[3]]));
    platform.begin().work(move |work| {
        let experiment = experiments::find_active(work.view(), experiment_id)?;
        let id = format!("m-{id}");
        let model = LoggedModel {
            artifact_location: format!(
                "{}/models/{id}/artifacts",
                experiment.artifact_location.trim_end_matches('/')
            ),
            id,
            experiment_id,
            name,
            created_ms: now,
            updated_ms: now,
            status: "LOGGED_MODEL_PENDING".to_owned(),
            model_type,
            source_run_id,
            stage: Stage::Active,
            tags,
            params,
            metrics: Vec::new(),
        };
        work.draft_of_none().add_logged_model(&model)?;
        Ok(model)
    })
}

fn check_values(values: &[KeyValue], limit: usize) -> Result<(), TrackingError> {
    for (name, value) in values {
        names::check_length("key", name, KEY_CHARS)?;
        names::check_length("value", value, limit)?;
    }
    Ok(())
}

pub(super) fn find(view: View<'_>, id: &str) -> Result<LoggedModel, TrackingError> {
    let found = view
        .logged_model(id)?
        .filter(|model| model.stage == Stage::Active);
    found.ok_or_else(|| TrackingError::missing(format!("Logged model with ID '{id}' not found.")))
}

/// Returns the logged model with that id; a deleted one counts as missing.
pub fn get(platform: &Platform, id: &str) -> Result<LoggedModel, TrackingError> {
    find(platform.store.reading()?.view(), id)
}

/// Says how the upload of a logged model ended.
pub fn finish(
    platform: &Platform,
    id: String,
    status: &'static str,
) -> Result<LoggedModel, TrackingError> {
    let now = now_ms(platform);
    platform.begin().work(move |work| {
        let mut model = find(work.view(), &id)?;
        if model.status != status {
            (model.status, model.updated_ms) = (status.to_owned(), now);
            work.draft_of_none().change_logged_model(&model)?;
        }
        Ok(model)
    })
}

/// Deletes a logged model; its files stay until it is purged. One that a registered version is made of stays.
pub fn delete(platform: &Platform, id: String) -> Result<(), TrackingError> {
    let now = now_ms(platform);
    platform.begin().work(move |work| {
        let mut model = find(work.view(), &id)?;
        if let Some(version) = work.view().version_at(&model.artifact_location)? {
            return Err(TrackingError::forbidden(format!(
                "Logged model '{id}' cannot be deleted: version {} of registered model '{}' is made of it.",
                version.version, version.model
            )));
        }
        (model.stage, model.updated_ms) = (Stage::Deleted, now);
        Ok(work.draft_of_none().change_logged_model(&model)?)
    })
}

/// Sets tags of a logged model.
pub fn set_tags(platform: &Platform, id: String, tags: Vec<KeyValue>) -> Result<(), TrackingError> {
    check_values(&tags, TAG_CHARS)?;
    platform.begin().work(move |work| {
        let model = find(work.view(), &id)?;
        Ok(work
            .draft_of_none()
            .set_logged_model_tags(&model.id, &tags)?)
    })
}

/// Removes a tag of a logged model.
pub fn delete_tag(platform: &Platform, id: String, name: String) -> Result<(), TrackingError> {
    platform.begin().work(move |work| {
        let model = find(work.view(), &id)?;
        match work
            .draft_of_none()
            .remove_logged_model_tag(&model.id, &name)?
        {
            true => Ok(()),
            false => Err(TrackingError::missing(format!(
                "No tag with key '{name}' found for model with ID '{id}'."
            ))),
        }
    })
}

/// Logs parameters of a logged model; the same value again is fine, another is not.
pub fn log_params(
    platform: &Platform,
    id: String,
    params: Vec<KeyValue>,
) -> Result<(), TrackingError> {
    check_values(&params, PARAM_CHARS)?;
    platform.begin().work(move |work| {
        let model = find(work.view(), &id)?;
        for (name, value) in &params {
            if let Some((_, old)) = model.params.iter().find(|(known, old)| known == name && old != value) {
                return Err(TrackingError::invalid(format!(
                    "Changing param values is not allowed. Param with key='{name}' was already logged with value='{old}' for model ID='{id}'. \
                     Attempted logging new value '{value}'."
                )));
            }
        }
        Ok(work.draft_of_none().set_logged_model_params(&model.id, &params)?)
    })
}

/// Returns the logged models that a search finds; one more than asked for says that there are more.
pub fn search(
    platform: &Platform,
    experiment_ids: &[i64],
    mut query: Query,
    datasets: &[(String, Option<String>)],
    selection: Selection,
) -> Result<Vec<LoggedModel>, TrackingError> {
    if selection.limit == 0 || selection.limit > RESULTS_LIMIT {
        return Err(TrackingError::invalid(format!(
            "max_results must be between 1 and {RESULTS_LIMIT}."
        )));
    }
    if experiment_ids.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(dataset) = datasets.first() {
        for comparison in &mut query.comparisons {
            if let Field::Metric(_, on) = &mut comparison.field {
                on.get_or_insert_with(|| dataset.clone());
            }
        }
    }
    let one_more = Selection {
        limit: selection.limit + 1,
        ..selection
    };
    Ok(platform.store.reading()?.view().search_logged_models(
        experiment_ids,
        Viewed::Active,
        &query,
        one_more,
    )?)
}
