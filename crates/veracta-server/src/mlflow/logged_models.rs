//! `logged-models/…`

use serde_json::json;
use veracta_store::Platform;
use veracta_store::{Direction, Field, Noun, Order, Query, Selection};
use veracta_tracking::logged_models::{self, NewLoggedModel, STATUSES};
use veracta_tracking::{experiment_number, search};

use super::artifacts;
use super::experiments::page;
use super::fields::Fields;
use super::wire::{Answer, LoggedModelOut, answer, done, page_offset, page_token};
use crate::error::ApiError;

/// Models of one answer when the request does not say.
const SEARCH_RESULTS: i64 = 50;

pub(super) fn create(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let some =
        |name: &str| Ok::<_, ApiError>(fields.text_or_none(name)?.filter(|text| !text.is_empty()));
    let new = NewLoggedModel {
        experiment_id: experiment_number(&fields.required("experiment_id")?)?,
        name: some("name")?,
        model_type: some("model_type")?,
        source_run_id: some("source_run_id")?,
        params: fields.key_values("params")?,
        tags: fields.key_values("tags")?,
    };
    let model = logged_models::create(platform, new)?;
    answer(&json!({ "model": LoggedModelOut::from(&model) }))
}

pub(super) fn get(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let model = logged_models::get(platform, &fields.required("model_id")?)?;
    answer(&json!({ "model": LoggedModelOut::from(&model) }))
}

pub(super) fn finish(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let words = STATUSES.map(|(word, _)| word);
    let status = fields.word("status", &words, 0)?;
    let status = status.ok_or_else(|| {
        ApiError::invalid("Missing value for required parameter 'status'. See the API docs for more information about request parameters.")
    })?;
    let model = logged_models::finish(platform, fields.required("model_id")?, status)?;
    answer(&json!({ "model": LoggedModelOut::from(&model) }))
}

pub(super) fn delete(platform: &Platform, fields: &Fields<'_>) -> Answer {
    logged_models::delete(platform, fields.required("model_id")?)?;
    done()
}

pub(super) fn set_tags(platform: &Platform, fields: &Fields<'_>) -> Answer {
    logged_models::set_tags(
        platform,
        fields.required("model_id")?,
        fields.key_values("tags")?,
    )?;
    done()
}

pub(super) fn delete_tag(platform: &Platform, fields: &Fields<'_>) -> Answer {
    logged_models::delete_tag(
        platform,
        fields.required("model_id")?,
        fields.required("tag_key")?,
    )?;
    done()
}

pub(super) fn log_params(platform: &Platform, fields: &Fields<'_>) -> Answer {
    logged_models::log_params(
        platform,
        fields.required("model_id")?,
        fields.key_values("params")?,
    )?;
    done()
}

pub(super) fn list_artifacts(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let model = logged_models::get(platform, &fields.required("model_id")?)?;
    artifacts::list_below(
        platform,
        &model.artifact_location,
        &fields.text("artifact_directory_path")?,
    )
}

/// Reads one field to sort by: an object, as the API has it here.
fn order(fields: &Fields<'_>) -> Result<Order, ApiError> {
    let name = fields.required("field_name")?;
    let is_ascending = fields
        .text_or_none("ascending")
        .is_ok_and(|text| text.is_none())
        || fields.boolean("ascending")?;
    let mut parsed = search::parse_order(Noun::LoggedModels, &[name])?;
    let mut order = parsed.pop().ok_or(ApiError::Internal)?;
    order.direction = if is_ascending {
        Direction::Ascending
    } else {
        Direction::Descending
    };
    if let (Field::Metric(_, dataset), Some(name)) =
        (&mut order.field, fields.text_or_none("dataset_name")?)
    {
        *dataset = Some((name, fields.text_or_none("dataset_digest")?));
    }
    Ok(order)
}

pub(super) fn search(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let ids = fields.texts("experiment_ids")?;
    let ids = ids
        .iter()
        .map(|id| experiment_number(id))
        .collect::<Result<Vec<_>, _>>()?;
    let query = Query {
        comparisons: search::parse_filter(Noun::LoggedModels, &fields.text("filter")?)?,
        order: fields
            .objects("order_by")?
            .iter()
            .map(order)
            .collect::<Result<_, _>>()?,
    };
    let dataset = |dataset: &Fields<'_>| {
        Ok((
            dataset.required("dataset_name")?,
            dataset.text_or_none("dataset_digest")?,
        ))
    };
    let datasets = fields
        .objects("datasets")?
        .iter()
        .map(dataset)
        .collect::<Result<Vec<_>, ApiError>>()?;
    let limit = fields.integer("max_results")?.unwrap_or(SEARCH_RESULTS);
    let selection = Selection {
        offset: page_offset(&fields.text("page_token")?)?,
        limit: u64::try_from(limit).unwrap_or(0),
    };
    let mut found = logged_models::search(platform, &ids, query, &datasets, selection)?;
    let has_more = found.len() as u64 > selection.limit;
    found.truncate(selection.limit as usize);
    let list: Vec<LoggedModelOut<'_>> = found.iter().map(Into::into).collect();
    page(
        "models",
        &list,
        has_more.then(|| page_token(selection.offset + selection.limit)),
    )
}
