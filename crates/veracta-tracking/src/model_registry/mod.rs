//! Registered models, their versions, aliases and stages: every change is a record.

mod stages;
mod version_source;

use veracta_store::tracking::{DELETED_VERSION, KeyValue, RegisteredModel, RegisteredVersion};
use veracta_store::{Platform, Query, Selection, View, Work};

pub use stages::{Transition, latest_versions, transition};
use version_source::locate;

use super::evidence::{Event, of_model_version, of_registered_model};
use super::{TrackingError, names, now_ms};

/// Most registered models of one answer.
const MODELS_LIMIT: u64 = 1_000;
/// Most versions of one answer.
pub const VERSIONS_LIMIT: u64 = 200_000;
/// Longest description: far above any that people write.
const DESCRIPTION_CHARS: usize = 100_000;

/// A registered model with its latest version in each stage.
pub type ModelWithLatest = (RegisteredModel, Vec<RegisteredVersion>);

pub(super) fn find(view: View<'_>, name: &str) -> Result<RegisteredModel, TrackingError> {
    view.registered_model(name)?.ok_or_else(|| {
        TrackingError::missing(format!("Registered Model with name={name} not found"))
    })
}

pub(super) fn find_version(
    view: View<'_>,
    model: &str,
    version: i64,
) -> Result<RegisteredVersion, TrackingError> {
    let found = view.model_version(model, version)?;
    found.ok_or_else(|| {
        TrackingError::missing(format!(
            "Model Version (name={model}, version={version}) not found"
        ))
    })
}

fn check_description(description: &str) -> Result<(), TrackingError> {
    names::check_length("description", description, DESCRIPTION_CHARS)
}

/// Returns of each model the latest version in each stage.
fn with_latest(
    view: View<'_>,
    models: Vec<RegisteredModel>,
) -> Result<Vec<ModelWithLatest>, TrackingError> {
    let names: Vec<String> = models.iter().map(|model| model.name.clone()).collect();
    let mut latest: std::collections::HashMap<String, Vec<RegisteredVersion>> =
        std::collections::HashMap::new();
    for version in view.versions_of(&names, false)? {
        let of_model = latest.entry(version.model.clone()).or_default();
        // Versions come in order: a later one takes the place of the one in its stage.
        of_model.retain(|known| known.stage != version.stage);
        of_model.push(version);
    }
    Ok(models
        .into_iter()
        .map(|model| (latest.remove(&model.name).unwrap_or_default(), model))
        .map(|(latest, model)| (model, latest))
        .collect())
}

/// Adds a registered model without versions.
pub fn create(
    platform: &Platform,
    name: String,
    description: String,
    tags: Vec<KeyValue>,
) -> Result<RegisteredModel, TrackingError> {
    names::check_model_name(&name, "name")?;
    names::check_registry_tags(&tags)?;
    check_description(&description)?;
    let now = now_ms(platform);
    platform.begin().work(move |work| {
        if work.view().registered_model(&name)?.is_some() {
            return Err(TrackingError::exists(format!(
                "Registered Model (name={name}) already exists."
            )));
        }
        let mut model = RegisteredModel {
            name,
            description,
            created_ms: now,
            updated_ms: now,
            last_version: 0,
            tags: Vec::new(),
            aliases: Vec::new(),
        };
        tags.into_iter().for_each(|tag| put(&mut model.tags, tag));
        work.commit(of_registered_model(&model, None, Event::new("created")))?
            .add_registered_model(&model)?;
        Ok(model)
    })
}

/// Puts a value under a key, in order.
fn put<V>(values: &mut Vec<(String, V)>, (name, value): (String, V)) {
    values.retain(|(known, _)| *known != name);
    values.push((name, value));
    values.sort_by(|(a, _), (b, _)| a.cmp(b));
}

/// Returns the registered model with that name and its latest version in each stage.
pub fn get(platform: &Platform, name: &str) -> Result<ModelWithLatest, TrackingError> {
    names::check_model_name(name, "name")?;
    let reading = platform.store.reading()?;
    let model = find(reading.view(), name)?;
    with_latest(reading.view(), vec![model])?
        .pop()
        .ok_or_else(|| {
            TrackingError::missing(format!("Registered Model with name={name} not found"))
        })
}

/// Gives a registered model another name, with its versions, tags and aliases.
pub fn rename(
    platform: &Platform,
    name: String,
    new_name: String,
) -> Result<ModelWithLatest, TrackingError> {
    names::check_model_name(&new_name, "new_name")?;
    let now = now_ms(platform);
    platform.begin().work(move |work| {
        let mut model = find(work.view(), &name)?;
        if work.view().registered_model(&new_name)?.is_some() {
            return Err(TrackingError::exists(format!(
                "Registered Model (name={new_name}) already exists."
            )));
        }
        // Both names have their history: under the old one it ends, under the new one it begins.
        for version in work.view().versions_of(std::slice::from_ref(&name), true)? {
            work.commit(of_model_version(
                work.view(),
                &version,
                Event::new("renamed"),
            )?)?;
        }
        work.commit(of_registered_model(&model, None, Event::new("renamed")))?;
        (model.name, model.updated_ms) = (new_name.clone(), now);
        let recorded = work.commit(of_registered_model(
            &model,
            Some(&name),
            Event::new("named"),
        ))?;
        recorded.rename_registered_model(&name, &new_name)?;
        recorded.change_registered_model(&model)?;
        for version in work.view().versions_of(&[new_name], true)? {
            work.commit(of_model_version(
                work.view(),
                &version,
                Event::new("named"),
            )?)?;
        }
        Ok(with_latest(work.view(), vec![model])?.remove(0))
    })
}

/// Changes a registered model in one step, with its record.
fn change(
    platform: &Platform,
    name: String,
    event: &'static str,
    reason: Option<String>,
    change: impl FnOnce(&mut RegisteredModel) -> Result<bool, TrackingError> + Send + 'static,
) -> Result<ModelWithLatest, TrackingError> {
    platform.begin().work(move |work| {
        let mut model = find(work.view(), &name)?;
        if change(&mut model)? {
            write_model(work, &model, event, reason.as_deref())?;
        }
        Ok(with_latest(work.view(), vec![model])?.remove(0))
    })
}

/// Records a registered model as it is now, and makes the tables say the same.
fn write_model(
    work: &mut Work<'_>,
    model: &RegisteredModel,
    event: &str,
    reason: Option<&str>,
) -> Result<(), TrackingError> {
    let before = find(work.view(), &model.name)?;
    let recorded = work.commit(of_registered_model(model, None, Event { event, reason }))?;
    recorded.change_registered_model(model)?;
    recorded.set_registered_model_tags(&model.name, &model.tags)?;
    for (tag, _) in before
        .tags
        .iter()
        .filter(|(tag, _)| !model.tags.iter().any(|(known, _)| known == tag))
    {
        recorded.remove_registered_model_tag(&model.name, tag)?;
    }
    for (alias, version) in &model.aliases {
        recorded.set_alias(&model.name, alias, *version)?;
    }
    for (alias, _) in before
        .aliases
        .iter()
        .filter(|(alias, _)| !model.aliases.iter().any(|(known, _)| known == alias))
    {
        recorded.remove_alias(&model.name, alias)?;
    }
    Ok(())
}

/// Changes the description of a registered model.
pub fn update(
    platform: &Platform,
    name: String,
    description: String,
) -> Result<ModelWithLatest, TrackingError> {
    check_description(&description)?;
    let now = now_ms(platform);
    change(platform, name, "described", None, move |model| {
        (model.description, model.updated_ms) = (description, now);
        Ok(true)
    })
}

/// Deletes a registered model with its versions and aliases. Its name can be given again; the records stay.
pub fn delete(
    platform: &Platform,
    name: String,
    reason: Option<String>,
) -> Result<(), TrackingError> {
    platform.begin().work(move |work| {
        let model = find(work.view(), &name)?;
        for version in work
            .view()
            .versions_of(std::slice::from_ref(&name), false)?
        {
            let event = Event {
                event: "deleted",
                reason: reason.as_deref(),
            };
            work.commit(of_model_version(work.view(), &version, event)?)?;
        }
        let event = Event {
            event: "deleted",
            reason: reason.as_deref(),
        };
        Ok(work
            .commit(of_registered_model(&model, None, event))?
            .remove_registered_model(&name)?)
    })
}

/// Returns the registered models that a search finds, and whether there are more.
pub fn search(
    platform: &Platform,
    query: &Query,
    selection: Selection,
) -> Result<(Vec<ModelWithLatest>, bool), TrackingError> {
    if selection.limit == 0 || selection.limit > MODELS_LIMIT {
        return Err(TrackingError::invalid(format!(
            "Invalid value for request parameter max_results. It must be at most {MODELS_LIMIT}, but got value {}",
            selection.limit
        )));
    }
    let reading = platform.store.reading()?;
    let one_more = Selection {
        limit: selection.limit + 1,
        ..selection
    };
    let mut models = reading.view().search_registered_models(query, one_more)?;
    let has_more = models.len() as u64 > selection.limit;
    models.truncate(selection.limit as usize);
    Ok((with_latest(reading.view(), models)?, has_more))
}

/// Sets a tag of a registered model.
pub fn set_tag(platform: &Platform, name: String, tag: KeyValue) -> Result<(), TrackingError> {
    names::check_registry_tags(std::slice::from_ref(&tag))?;
    change(platform, name, "tagged", None, move |model| {
        let is_new = !model.tags.contains(&tag);
        put(&mut model.tags, tag);
        Ok(is_new)
    })
    .map(|_| ())
}

/// Removes a tag of a registered model; one that is not there is no error.
pub fn delete_tag(platform: &Platform, name: String, tag: String) -> Result<(), TrackingError> {
    change(platform, name, "tagged", None, move |model| {
        let n_tags = model.tags.len();
        model.tags.retain(|(known, _)| *known != tag);
        Ok(model.tags.len() < n_tags)
    })
    .map(|_| ())
}

/// Points an alias at a version.
pub fn set_alias(
    platform: &Platform,
    name: String,
    alias: String,
    version: i64,
    reason: Option<String>,
) -> Result<(), TrackingError> {
    names::check_alias(&alias)?;
    names::check_alias_is_free(&alias)?;
    platform.begin().work(move |work| {
        let mut model = find(work.view(), &name)?;
        find_version(work.view(), &name, version)?;
        if model.aliases.contains(&(alias.clone(), version)) {
            return Ok(());
        }
        put(&mut model.aliases, (alias, version));
        write_model(work, &model, "alias_set", reason.as_deref())
    })
}

/// Removes an alias; one that is not there is no error.
pub fn delete_alias(platform: &Platform, name: String, alias: String) -> Result<(), TrackingError> {
    names::check_alias(&alias)?;
    change(platform, name, "alias_removed", None, move |model| {
        let n_aliases = model.aliases.len();
        model.aliases.retain(|(known, _)| *known != alias);
        Ok(model.aliases.len() < n_aliases)
    })
    .map(|_| ())
}

/// Returns the version that an alias stands for; `latest` is the highest.
pub fn version_by_alias(
    platform: &Platform,
    name: &str,
    alias: &str,
) -> Result<RegisteredVersion, TrackingError> {
    names::check_alias(alias)?;
    let reading = platform.store.reading()?;
    let model = find(reading.view(), name)?;
    if alias.eq_ignore_ascii_case("latest") {
        let found = reading.view().versions_of(&[name.to_owned()], false)?.pop();
        return found.ok_or_else(|| {
            TrackingError::missing(format!("Latest version not found for model {name}."))
        });
    }
    match model.aliases.iter().find(|(known, _)| known == alias) {
        Some((_, version)) => find_version(reading.view(), name, *version),
        None => Err(TrackingError::invalid(format!(
            "Registered model alias {alias} not found."
        ))),
    }
}

/// A version of a registered model that is to be created.
#[derive(Debug, Clone, Default)]
pub struct NewModelVersion {
    /// Name of the registered model, which must exist.
    pub model: String,
    /// URI of its files, as the client names it: `runs:/…`, `models:/…`, or a location.
    pub source: String,
    /// Id of the run that made it; empty when not said.
    pub run_id: String,
    /// URL of a page about the run, as the client gave it; may be empty.
    pub run_link: String,
    /// Id of the logged model that it is made of; `None` when not said.
    pub model_id: Option<String>,
    /// Description for people; may be empty.
    pub description: String,
    /// Tags by key, as text.
    pub tags: Vec<KeyValue>,
}

/// Makes a version of a registered model; from then on its files cannot change.
pub fn create_version(
    platform: &Platform,
    new: NewModelVersion,
) -> Result<RegisteredVersion, TrackingError> {
    names::check_model_name(&new.model, "name")?;
    names::check_registry_tags(&new.tags)?;
    check_description(&new.description)?;
    let (now, user_id) = (now_ms(platform), platform.actor.clone());
    platform.begin().work(move |work| {
        let mut model = find(work.view(), &new.model)?;
        let (storage_location, model_id) = locate(work.view(), &new)?;
        let run_id = match &model_id {
            Some(id) if new.run_id.is_empty() => work
                .view()
                .logged_model(id)?
                .and_then(|model| model.source_run_id)
                .unwrap_or_default(),
            None if new.run_id.is_empty() => run_of_version(work.view(), &new.source)?,
            _ => new.run_id,
        };
        let version = work
            .view()
            .versions_of(std::slice::from_ref(&new.model), true)?
            .last()
            .map_or(0, |last| last.version)
            .max(model.last_version)
            + 1;
        let mut tags = Vec::new();
        new.tags.into_iter().for_each(|tag| put(&mut tags, tag));
        let version = RegisteredVersion {
            model: new.model,
            version,
            description: new.description,
            created_ms: now,
            updated_ms: now,
            user_id,
            stage: stages::STAGES[0].to_owned(),
            source: new.source,
            storage_location,
            run_id,
            run_link: new.run_link,
            model_id,
            tags,
            aliases: Vec::new(),
        };
        let recorded = work.commit(of_model_version(
            work.view(),
            &version,
            Event::new("created"),
        )?)?;
        recorded.add_model_version(&version)?;
        (model.last_version, model.updated_ms) = (version.version, now);
        recorded.change_registered_model(&model)?;
        Ok(version)
    })
}

/// Returns the run of the version that a source names, so that a copy of it has the same.
fn run_of_version(view: View<'_>, source: &str) -> Result<String, TrackingError> {
    let Some((name, version)) = source
        .strip_prefix("models:/")
        .and_then(|rest| rest.split_once('/'))
    else {
        return Ok(String::new());
    };
    let version = version
        .parse()
        .map_or(Ok(None), |version| view.model_version(name, version))?;
    Ok(version.map(|version| version.run_id).unwrap_or_default())
}

/// Returns one version of a registered model; a deleted one counts as missing.
pub fn get_version(
    platform: &Platform,
    model: &str,
    version: i64,
) -> Result<RegisteredVersion, TrackingError> {
    names::check_model_name(model, "name")?;
    find_version(platform.store.reading()?.view(), model, version)
}

/// Changes a version in one step, with its record.
fn change_version(
    platform: &Platform,
    (model, version): (String, i64),
    event: &'static str,
    change: impl FnOnce(&mut RegisteredVersion) -> Result<bool, TrackingError> + Send + 'static,
) -> Result<RegisteredVersion, TrackingError> {
    platform.begin().work(move |work| {
        let before = find_version(work.view(), &model, version)?;
        let mut version = before.clone();
        if change(&mut version)? {
            write_version(work, &before, &version, Event::new(event))?;
        }
        Ok(version)
    })
}

/// Records a version as it is now, and makes the tables say the same.
fn write_version(
    work: &mut Work<'_>,
    before: &RegisteredVersion,
    now: &RegisteredVersion,
    event: Event<'_>,
) -> Result<(), TrackingError> {
    let recorded = work.commit(of_model_version(work.view(), now, event)?)?;
    recorded.change_model_version(now)?;
    recorded.set_model_version_tags(&now.model, now.version, &now.tags)?;
    for (tag, _) in before
        .tags
        .iter()
        .filter(|(tag, _)| !now.tags.iter().any(|(known, _)| known == tag))
    {
        recorded.remove_model_version_tag(&now.model, now.version, tag)?;
    }
    if now.updated_ms != before.updated_ms {
        let model = find(work.view(), &now.model)?;
        recorded.change_registered_model(&RegisteredModel {
            updated_ms: now.updated_ms,
            ..model
        })?;
    }
    Ok(())
}

/// Changes the description of a version.
pub fn update_version(
    platform: &Platform,
    id: (String, i64),
    description: String,
) -> Result<RegisteredVersion, TrackingError> {
    check_description(&description)?;
    let now = now_ms(platform);
    change_version(platform, id, "described", move |version| {
        (version.description, version.updated_ms) = (description, now);
        Ok(true)
    })
}

/// Deletes a version: its number is never given again, its aliases go, its files may change again.
pub fn delete_version(
    platform: &Platform,
    (model, version): (String, i64),
    reason: Option<String>,
) -> Result<(), TrackingError> {
    let now = now_ms(platform);
    platform.begin().work(move |work| {
        let version = find_version(work.view(), &model, version)?;
        let mut owner = find(work.view(), &model)?;
        if !version.aliases.is_empty() {
            owner.aliases.retain(|(_, of)| *of != version.version);
            write_model(work, &owner, "alias_removed", reason.as_deref())?;
        }
        let event = Event {
            event: "deleted",
            reason: reason.as_deref(),
        };
        let recorded = work.commit(of_model_version(work.view(), &version, event)?)?;
        recorded.clear_model_version(&version)?;
        let redacted = || "REDACTED".to_owned();
        recorded.change_model_version(&RegisteredVersion {
            stage: DELETED_VERSION.to_owned(),
            updated_ms: now,
            description: String::new(),
            user_id: String::new(),
            source: redacted(),
            storage_location: redacted(),
            run_id: redacted(),
            run_link: String::new(),
            model_id: None,
            ..version
        })?;
        Ok(recorded.change_registered_model(&RegisteredModel {
            updated_ms: now,
            ..owner
        })?)
    })
}

/// Returns where the files of a version are.
pub fn download_uri(
    platform: &Platform,
    model: &str,
    version: i64,
) -> Result<String, TrackingError> {
    Ok(get_version(platform, model, version)?.storage_location)
}

/// Sets a tag of a version.
pub fn set_version_tag(
    platform: &Platform,
    id: (String, i64),
    tag: KeyValue,
) -> Result<(), TrackingError> {
    names::check_registry_tags(std::slice::from_ref(&tag))?;
    change_version(platform, id, "tagged", move |version| {
        let is_new = !version.tags.contains(&tag);
        put(&mut version.tags, tag);
        Ok(is_new)
    })
    .map(|_| ())
}

/// Removes a tag of a version; one that is not there is no error.
pub fn delete_version_tag(
    platform: &Platform,
    id: (String, i64),
    tag: String,
) -> Result<(), TrackingError> {
    change_version(platform, id, "tagged", move |version| {
        let n_tags = version.tags.len();
        version.tags.retain(|(known, _)| *known != tag);
        Ok(version.tags.len() < n_tags)
    })
    .map(|_| ())
}

/// Returns the versions that a search finds, and whether there are more.
pub fn search_versions(
    platform: &Platform,
    query: &Query,
    selection: Selection,
) -> Result<(Vec<RegisteredVersion>, bool), TrackingError> {
    if selection.limit == 0 || selection.limit > VERSIONS_LIMIT {
        return Err(TrackingError::invalid(format!(
            "Invalid value for request parameter max_results. It must be at most {VERSIONS_LIMIT}, but got value {}",
            selection.limit
        )));
    }
    let reading = platform.store.reading()?;
    let one_more = Selection {
        limit: selection.limit + 1,
        ..selection
    };
    let mut versions = reading.view().search_model_versions(query, one_more)?;
    let has_more = versions.len() as u64 > selection.limit;
    versions.truncate(selection.limit as usize);
    Ok((versions, has_more))
}
