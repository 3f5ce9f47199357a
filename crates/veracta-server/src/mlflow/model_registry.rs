//! `registered-models/…` and `model-versions/…`

use serde_json::json;
use veracta_store::Platform;
use veracta_store::tracking::RegisteredVersion;
use veracta_store::{Noun, Query, Selection};
use veracta_tracking::model_registry::{
    self as registry, ModelWithLatest, NewModelVersion, Transition, VERSIONS_LIMIT,
};
use veracta_tracking::{search, version_number};

use super::experiments::page;
use super::fields::Fields;
use super::wire::{
    Answer, ModelVersionOut, RegisteredModelOut, answer, done, page_offset, page_token,
};
use crate::error::ApiError;

/// Registered models of one answer when the request does not say.
const SEARCH_RESULTS: i64 = 100;

fn one_model((model, latest): &ModelWithLatest) -> Answer {
    answer(&json!({ "registered_model": RegisteredModelOut::new(model, latest) }))
}

fn one_version(version: &RegisteredVersion) -> Answer {
    answer(&json!({ "model_version": ModelVersionOut::from(version) }))
}

/// Name and version of a request.
fn version_of(fields: &Fields<'_>) -> Result<(String, i64), ApiError> {
    let version = match fields.text_or_none("version") {
        Ok(Some(text)) if !text.is_empty() => text,
        Ok(_) => fields.required("version")?,
        Err(error) => fields
            .integer("version")
            .ok()
            .flatten()
            .ok_or(error)?
            .to_string(),
    };
    Ok((fields.required("name")?, version_number(&version)?))
}

fn selection(fields: &Fields<'_>, limit: i64) -> Result<Selection, ApiError> {
    let limit = fields.integer("max_results")?.unwrap_or(limit);
    Ok(Selection {
        offset: page_offset(&fields.text("page_token")?)?,
        limit: u64::try_from(limit).unwrap_or(0),
    })
}

fn query(noun: Noun, fields: &Fields<'_>) -> Result<Query, ApiError> {
    let comparisons = search::without_prompts(search::parse_filter(noun, &fields.text("filter")?)?);
    Ok(Query {
        comparisons,
        order: search::parse_order(noun, &fields.texts("order_by")?)?,
    })
}

pub(super) fn create(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let model = registry::create(
        platform,
        fields.required("name")?,
        fields.text("description")?,
        fields.key_values("tags")?,
    )?;
    answer(&json!({ "registered_model": RegisteredModelOut::new(&model, &[]) }))
}

pub(super) fn get(platform: &Platform, fields: &Fields<'_>) -> Answer {
    one_model(&registry::get(platform, &fields.required("name")?)?)
}

pub(super) fn rename(platform: &Platform, fields: &Fields<'_>) -> Answer {
    one_model(&registry::rename(
        platform,
        fields.required("name")?,
        fields.required("new_name")?,
    )?)
}

pub(super) fn update(platform: &Platform, fields: &Fields<'_>) -> Answer {
    one_model(&registry::update(
        platform,
        fields.required("name")?,
        fields.text("description")?,
    )?)
}

pub(super) fn delete(platform: &Platform, fields: &Fields<'_>) -> Answer {
    registry::delete(
        platform,
        fields.required("name")?,
        fields.text_or_none("reason")?,
    )?;
    done()
}

pub(super) fn search(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let selection = selection(fields, SEARCH_RESULTS)?;
    let (found, has_more) =
        registry::search(platform, &query(Noun::RegisteredModels, fields)?, selection)?;
    let list: Vec<_> = found
        .iter()
        .map(|(model, latest)| RegisteredModelOut::new(model, latest))
        .collect();
    page(
        "registered_models",
        &list,
        has_more.then(|| page_token(selection.offset + selection.limit)),
    )
}

pub(super) fn latest_versions(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let found = registry::latest_versions(
        platform,
        &fields.required("name")?,
        &fields.texts("stages")?,
    )?;
    let list: Vec<ModelVersionOut<'_>> = found.iter().map(Into::into).collect();
    page("model_versions", &list, None)
}

pub(super) fn set_tag(platform: &Platform, fields: &Fields<'_>) -> Answer {
    registry::set_tag(
        platform,
        fields.required("name")?,
        (fields.required("key")?, fields.text("value")?),
    )?;
    done()
}

pub(super) fn delete_tag(platform: &Platform, fields: &Fields<'_>) -> Answer {
    registry::delete_tag(platform, fields.required("name")?, fields.required("key")?)?;
    done()
}

pub(super) fn set_alias(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let (name, version) = version_of(fields)?;
    registry::set_alias(
        platform,
        name,
        fields.required("alias")?,
        version,
        fields.text_or_none("reason")?,
    )?;
    done()
}

pub(super) fn delete_alias(platform: &Platform, fields: &Fields<'_>) -> Answer {
    registry::delete_alias(
        platform,
        fields.required("name")?,
        fields.required("alias")?,
    )?;
    done()
}

pub(super) fn version_by_alias(platform: &Platform, fields: &Fields<'_>) -> Answer {
    one_version(&registry::version_by_alias(
        platform,
        &fields.required("name")?,
        &fields.required("alias")?,
    )?)
}

pub(super) fn create_version(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let new = NewModelVersion {
        model: fields.required("name")?,
        source: fields.required("source")?,
        run_id: fields.text("run_id")?,
        run_link: fields.text("run_link")?,
        model_id: fields.text_or_none("model_id")?.filter(|id| !id.is_empty()),
        description: fields.text("description")?,
        tags: fields.key_values("tags")?,
    };
    one_version(&registry::create_version(platform, new)?)
}

pub(super) fn get_version(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let (name, version) = version_of(fields)?;
    one_version(&registry::get_version(platform, &name, version)?)
}

pub(super) fn update_version(platform: &Platform, fields: &Fields<'_>) -> Answer {
    one_version(&registry::update_version(
        platform,
        version_of(fields)?,
        fields.text("description")?,
    )?)
}

pub(super) fn transition(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let transition = Transition {
        stage: fields.required("stage")?,
        archive_existing: fields.boolean("archive_existing_versions")?,
        reason: fields.text_or_none("reason")?,
    };
    one_version(&registry::transition(
        platform,
        version_of(fields)?,
        transition,
    )?)
}

pub(super) fn delete_version(platform: &Platform, fields: &Fields<'_>) -> Answer {
    registry::delete_version(
        platform,
        version_of(fields)?,
        fields.text_or_none("reason")?,
    )?;
    done()
}

pub(super) fn search_versions(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let selection = selection(fields, VERSIONS_LIMIT as i64)?;
    let (found, has_more) =
        registry::search_versions(platform, &query(Noun::ModelVersions, fields)?, selection)?;
    let list: Vec<_> = found.iter().map(ModelVersionOut::without_aliases).collect();
    page(
        "model_versions",
        &list,
        has_more.then(|| page_token(selection.offset + selection.limit)),
    )
}

pub(super) fn download_uri(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let (name, version) = version_of(fields)?;
    answer(&json!({ "artifact_uri": registry::download_uri(platform, &name, version)? }))
}

pub(super) fn set_version_tag(platform: &Platform, fields: &Fields<'_>) -> Answer {
    registry::set_version_tag(
        platform,
        version_of(fields)?,
        (fields.required("key")?, fields.text("value")?),
    )?;
    done()
}

pub(super) fn delete_version_tag(platform: &Platform, fields: &Fields<'_>) -> Answer {
    registry::delete_version_tag(platform, version_of(fields)?, fields.required("key")?)?;
    done()
}
