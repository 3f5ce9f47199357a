//! Where the files of a new version of a registered model are: what a client may name as its source.

use veracta_store::View;

use super::{NewModelVersion, find, find_version};
use crate::path_of;
use crate::search::PROMPT_TAG;
use crate::{TrackingError, logged_models, names};

/// What clients send as the source of a prompt.
const PROMPT_SOURCE: &str = "dummy-source";

/// What a client is told whose source is not the run's or the model's own.
const NOT_CONTAINED: &str =
    "The run_id request parameter must identify the resource that contains the source.";

/// Returns where the files of a new version are, and the logged model they belong to; the source must be the run's or the model's own.
pub(super) fn locate(
    view: View<'_>,
    new: &NewModelVersion,
) -> Result<(String, Option<String>), TrackingError> {
    let source = new.source.as_str();
    if source.is_empty() {
        return Err(TrackingError::invalid(
            "Missing value for required parameter 'source'.",
        ));
    }
    // A prompt has its text in a tag, and no files.
    if source == PROMPT_SOURCE && new.tags.iter().any(|(name, _)| name == PROMPT_TAG) {
        return Ok((source.to_owned(), None));
    }
    if let Some(rest) = source.strip_prefix("models:/") {
        return locate_model(view, rest.trim_matches('/'), new);
    }
    check_form(source)?;
    let location = source.trim_end_matches('/');
    if let Some(rest) = location.strip_prefix("runs:/") {
        return Ok((locate_in_run(view, rest, new)?, new.model_id.clone()));
    }
    // Of files that this server does not keep it cannot say whose they are.
    if path_of(source).is_none() || is_own(view, location, new)? {
        return Ok((location.to_owned(), new.model_id.clone()));
    }
    Err(invalid(source, NOT_CONTAINED))
}

fn invalid(source: &str, why: &str) -> TrackingError {
    TrackingError::invalid(format!("Invalid model version source: '{source}'. {why}"))
}

/// Refuses a source that could mean other files to another reader, or other files later.
fn check_form(source: &str) -> Result<(), TrackingError> {
    if source.contains(['?', '#', '\\']) || source.split('/').any(|step| step == "..") {
        return Err(invalid(
            source,
            "A source must not have a query, a fragment or `..`.",
        ));
    }
    if source.starts_with('/') || source.starts_with("file:") || !source.contains(":/") {
        return Err(invalid(
            source,
            "To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be \
             contained within the artifact directory of the run specified by the run_id.",
        ));
    }
    // Nobody knows what a web server will answer under the same address later.
    if let Some(scheme) = ["http", "https", "ftp"]
        .into_iter()
        .find(|scheme| source.starts_with(&format!("{scheme}:")))
    {
        return Err(TrackingError::invalid(format!(
            "'source' cannot use the '{scheme}' scheme: the '{scheme}' scheme addresses a host other than the tracking server's configured artifact \
             storage."
        )));
    }
    Ok(())
}

/// Resolves `runs:/…` now: the files of a version cannot change afterwards.
fn locate_in_run(
    view: View<'_>,
    reference: &str,
    new: &NewModelVersion,
) -> Result<String, TrackingError> {
    let (id, path) = reference.split_once('/').unwrap_or((reference, ""));
    let run = view.run(id)?.filter(|run| run.id == new.run_id);
    let run = run.ok_or_else(|| invalid(&new.source, NOT_CONTAINED))?;
    Ok(format!("{}/{path}", run.artifact_uri)
        .trim_end_matches('/')
        .to_owned())
}

/// Whether a location is in the folder of the logged model or of the run that the new version names, or of a model that the run made.
fn is_own(view: View<'_>, location: &str, new: &NewModelVersion) -> Result<bool, TrackingError> {
    let is_within =
        |folder: &str| location == folder || location.starts_with(&format!("{folder}/"));
    if let Some(model_id) = &new.model_id
        && view
            .logged_model(model_id)?
            .is_some_and(|model| is_within(&model.artifact_location))
    {
        return Ok(true);
    }
    if new.run_id.is_empty() {
        return Ok(false);
    }
    let run = crate::runs::find(view, &new.run_id)?;
    // Files of a model that the run made count as the run's.
    let mut folders = vec![run.artifact_uri.clone()];
    for link in view
        .run_data(std::slice::from_ref(&run))?
        .pop()
        .unwrap_or_default()
        .model_outputs
    {
        folders.extend(
            view.logged_model(&link.model_id)?
                .map(|model| model.artifact_location),
        );
    }
    Ok(folders.iter().any(|folder| is_within(folder)))
}

/// Follows `models:/…` to the files it stands for.
fn locate_model(
    view: View<'_>,
    reference: &str,
    new: &NewModelVersion,
) -> Result<(String, Option<String>), TrackingError> {
    if let Some((name, alias)) = reference.split_once('@') {
        let model = find(view, name)?;
        let version = model
            .aliases
            .iter()
            .find(|(known, _)| known == alias)
            .map(|(_, version)| *version);
        let version = version.ok_or_else(|| {
            TrackingError::invalid(format!("Registered model alias {alias} not found."))
        })?;
        let version = find_version(view, name, version)?;
        return Ok((version.storage_location, version.model_id));
    }
    if let Some((name, version)) = reference.split_once('/') {
        let version = find_version(view, name, names::version_number(version)?)?;
        return Ok((version.storage_location, version.model_id));
    }
    let model = logged_models::find(view, reference)?;
    if new
        .model_id
        .as_ref()
        .is_some_and(|model_id| *model_id != model.id)
    {
        return Err(TrackingError::invalid(format!(
            "Invalid model version source: '{}'. The model_id request parameter must identify the resource that contains the source.",
            new.source
        )));
    }
    Ok((model.artifact_location, Some(model.id)))
}
