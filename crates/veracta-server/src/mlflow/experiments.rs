//! `experiments/…`

use serde_json::json;
use veracta_store::Platform;
use veracta_store::tracking::{DatasetSummary, Stage};
use veracta_store::{Noun, Query, Selection, Viewed};
use veracta_tracking::{experiment_number, experiments, runs, search};

use super::fields::Fields;
use super::wire::{Answer, ExperimentOut, answer, done, page_offset, page_token};
use crate::error::ApiError;

/// Most datasets of one answer.
const DATASETS_LIMIT: u64 = 1_000;

pub(super) fn viewed(fields: &Fields<'_>, name: &str) -> Result<Viewed, ApiError> {
    Ok(
        match fields.word(name, &["ACTIVE_ONLY", "DELETED_ONLY", "ALL"], 1)? {
            Some("DELETED_ONLY") => Viewed::Deleted,
            Some("ALL") => Viewed::All,
            _ => Viewed::Active,
        },
    )
}

fn number(fields: &Fields<'_>) -> Result<i64, ApiError> {
    Ok(experiment_number(&fields.required("experiment_id")?)?)
}

pub(super) fn get_by_name(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let experiment = experiments::get_by_name(platform, &fields.required("experiment_name")?)?;
    answer(&json!({ "experiment": ExperimentOut::from(&experiment) }))
}

pub(super) fn get(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let experiment = experiments::get(platform, number(fields)?)?;
    answer(&json!({ "experiment": ExperimentOut::from(&experiment) }))
}

pub(super) fn create(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let location = fields.text_or_none("artifact_location")?;
    let id = experiments::create(
        platform,
        fields.required("name")?,
        location,
        fields.key_values("tags")?,
    )?;
    answer(&json!({ "experiment_id": id.to_string() }))
}

pub(super) fn search(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let query = Query {
        comparisons: search::parse_filter(Noun::Experiments, &fields.text("filter")?)?,
        order: search::parse_order(Noun::Experiments, &fields.texts("order_by")?)?,
    };
    let limit = fields.integer("max_results")?;
    let limit = limit.ok_or_else(|| {
        ApiError::invalid(
            "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer",
        )
    })?;
    let selection = Selection {
        offset: page_offset(&fields.text("page_token")?)?,
        limit: u64::try_from(limit).unwrap_or(0),
    };
    let mut found = experiments::search(platform, &query, viewed(fields, "view_type")?, selection)?;
    let has_more = found.len() as u64 > selection.limit;
    found.truncate(selection.limit as usize);
    let list: Vec<ExperimentOut<'_>> = found.iter().map(Into::into).collect();
    page(
        "experiments",
        &list,
        has_more.then(|| page_token(selection.offset + selection.limit)),
    )
}

/// Writes a page of a list; an empty one is left out.
pub(super) fn page(name: &str, list: &[impl serde::Serialize], token: Option<String>) -> Answer {
    let mut body = b"{".to_vec();
    if !list.is_empty() {
        body.extend_from_slice(format!("\"{name}\":").as_bytes());
        serde_json::to_writer(&mut body, list).map_err(|_| ApiError::Internal)?;
    }
    if let Some(token) = token {
        let comma = if list.is_empty() { "" } else { "," };
        body.extend_from_slice(format!("{comma}\"next_page_token\":\"{token}\"").as_bytes());
    }
    body.push(b'}');
    Ok(body)
}

pub(super) fn delete(platform: &Platform, fields: &Fields<'_>) -> Answer {
    experiments::set_stage(
        platform,
        number(fields)?,
        Stage::Deleted,
        fields.text_or_none("reason")?,
    )?;
    done()
}

pub(super) fn restore(platform: &Platform, fields: &Fields<'_>) -> Answer {
    experiments::set_stage(
        platform,
        number(fields)?,
        Stage::Active,
        fields.text_or_none("reason")?,
    )?;
    done()
}

pub(super) fn update(platform: &Platform, fields: &Fields<'_>) -> Answer {
    experiments::rename(platform, number(fields)?, fields.required("new_name")?)?;
    done()
}

pub(super) fn set_tag(platform: &Platform, fields: &Fields<'_>) -> Answer {
    experiments::set_tag(
        platform,
        number(fields)?,
        (fields.required("key")?, fields.text("value")?),
    )?;
    done()
}

pub(super) fn delete_tag(platform: &Platform, fields: &Fields<'_>) -> Answer {
    experiments::delete_tag(platform, number(fields)?, fields.required("key")?)?;
    done()
}

pub(super) fn search_datasets(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let ids = fields.texts("experiment_ids")?;
    if ids.is_empty() {
        return Err(ApiError::invalid(
            "SearchDatasets request must specify at least one experiment_id.",
        ));
    }
    let ids = ids
        .iter()
        .map(|id| experiment_number(id))
        .collect::<Result<Vec<_>, _>>()?;
    let found = runs::datasets(platform, &ids, DATASETS_LIMIT)?;
    let summary = |DatasetSummary {
                       experiment_id: id,
                       name,
                       digest,
                       context,
                   }: &DatasetSummary| match context {
        Some(context) => {
            json!({ "experiment_id": id.to_string(), "name": name, "digest": digest, "context": context })
        }
        None => json!({ "experiment_id": id.to_string(), "name": name, "digest": digest }),
    };
    page(
        "dataset_summaries",
        &found.iter().map(summary).collect::<Vec<_>>(),
        None,
    )
}
