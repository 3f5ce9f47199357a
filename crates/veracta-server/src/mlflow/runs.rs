//! `runs/…` and `metrics/…`

use serde_json::json;
use veracta_store::Platform;
use veracta_store::tracking::{
    Dataset, DatasetInput, MetricValue, ModelLink, Point, RUN_STATUSES, RunStatus, Stage,
};
use veracta_store::{Noun, Query, Selection};
use veracta_tracking::runs::{self, Batch, Interval, NewMetric, NewRun, RunUpdate};
use veracta_tracking::{experiment_number, search};

use super::experiments::{page, viewed};
use super::fields::Fields;
use super::wire::{Answer, MetricOut, RunInfoOut, RunOut, answer, done, page_offset, page_token};
use crate::error::ApiError;

/// Runs of one answer when the request does not say.
const SEARCH_RESULTS: i64 = 1_000;
/// Most values of one metric that are answered for several runs.
const BULK_RESULTS: u64 = 25_000;
/// Most runs of such a request.
const BULK_RUNS: usize = 100;

pub(super) fn create(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let experiment = fields
        .text_or_none("experiment_id")?
        .filter(|id| !id.is_empty())
        .unwrap_or_else(|| "0".to_owned());
    let new = NewRun {
        experiment_id: experiment_number(&experiment)?,
        name: fields.text("run_name")?,
        user_id: fields.text("user_id")?,
        start_ms: fields.integer("start_time")?.unwrap_or(0),
        tags: fields.key_values("tags")?,
    };
    let run = runs::create(platform, new)?;
    answer(&json!({ "run": RunOut::new(&run, false) }))
}

pub(super) fn get(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let run = runs::get(platform, &fields.run_id()?)?;
    answer(&json!({ "run": RunOut::new(&run, true) }))
}

pub(super) fn update(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let words = RUN_STATUSES.map(|(_, word)| word);
    let status = fields.word("status", &words, 1)?.and_then(RunStatus::of);
    let update = RunUpdate {
        status,
        end_ms: fields.integer("end_time")?,
        name: fields.text_or_none("run_name")?,
    };
    let run = runs::update(platform, fields.run_id()?, update)?;
    answer(&json!({ "run_info": RunInfoOut::from(&run) }))
}

pub(super) fn delete(platform: &Platform, fields: &Fields<'_>) -> Answer {
    runs::set_stage(
        platform,
        fields.run_id()?,
        Stage::Deleted,
        fields.text_or_none("reason")?,
    )?;
    done()
}

pub(super) fn restore(platform: &Platform, fields: &Fields<'_>) -> Answer {
    runs::set_stage(
        platform,
        fields.run_id()?,
        Stage::Active,
        fields.text_or_none("reason")?,
    )?;
    done()
}

fn new_metric(fields: &Fields<'_>) -> Result<NewMetric, ApiError> {
    let name = fields.required("key")?;
    let value = fields.double("value")?;
    let timestamp_ms = fields.integer("timestamp")?;
    let timestamp_ms = timestamp_ms.ok_or_else(|| {
        ApiError::invalid(
            "Missing value for required parameter 'timestamp'. See the API docs for more information about request parameters.",
        )
    })?;
    let point = Point {
        timestamp_ms,
        step: fields.integer("step")?.unwrap_or(0),
        value,
    };
    let some =
        |name: &str| Ok::<_, ApiError>(fields.text_or_none(name)?.filter(|text| !text.is_empty()));
    Ok(NewMetric {
        metric: MetricValue { name, point },
        model_id: some("model_id")?,
        dataset_name: some("dataset_name")?,
        dataset_digest: some("dataset_digest")?,
    })
}

pub(super) fn log_metric(platform: &Platform, fields: &Fields<'_>) -> Answer {
    runs::log_one(
        platform,
        fields.run_id()?,
        Batch {
            metrics: vec![new_metric(fields)?],
            ..Batch::default()
        },
    )?;
    done()
}

pub(super) fn log_parameter(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let param = (fields.required("key")?, fields.text("value")?);
    runs::log_one(
        platform,
        fields.run_id()?,
        Batch {
            params: vec![param],
            ..Batch::default()
        },
    )?;
    done()
}

pub(super) fn set_tag(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let tag = (fields.required("key")?, fields.text("value")?);
    runs::log_one(
        platform,
        fields.run_id()?,
        Batch {
            tags: vec![tag],
            ..Batch::default()
        },
    )?;
    done()
}

pub(super) fn delete_tag(platform: &Platform, fields: &Fields<'_>) -> Answer {
    runs::delete_tag(platform, fields.run_id()?, fields.required("key")?)?;
    done()
}

pub(super) fn log_batch(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let metrics = fields
        .objects("metrics")?
        .iter()
        .map(new_metric)
        .collect::<Result<_, _>>()?;
    let batch = Batch {
        metrics,
        params: fields.key_values("params")?,
        tags: fields.key_values("tags")?,
    };
    runs::log_batch(platform, fields.run_id()?, batch)?;
    done()
}

pub(super) fn log_model(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let text = fields.required("model_json")?;
    let model: serde_json::Value = serde_json::from_str(&text).map_err(|_| {
        ApiError::invalid(format!(
            "Malformed model info. \n {text} \n is not a valid JSON."
        ))
    })?;
    let missing: Vec<&str> = ["artifact_path", "flavors", "run_id", "utc_time_created"]
        .into_iter()
        .filter(|name| model.get(name).is_none())
        .collect();
    if !missing.is_empty() {
        return Err(ApiError::invalid(format!(
            "Model json is missing mandatory fields: {missing:?}"
        )));
    }
    runs::log_model_json(platform, fields.run_id()?, model)?;
    done()
}

fn links(list: &[Fields]) -> Result<Vec<ModelLink>, ApiError> {
    let link = |fields: &Fields<'_>| {
        Ok(ModelLink {
            model_id: fields.required("model_id")?,
            step: fields.integer("step")?.unwrap_or(0),
        })
    };
    list.iter().map(link).collect()
}

pub(super) fn log_inputs(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let input = |input: &Fields<'_>| {
        let dataset = input.object("dataset")?.ok_or_else(|| {
            ApiError::invalid("Dataset input must have a dataset associated with it.")
        })?;
        Ok(DatasetInput {
            tags: input.key_values("tags")?,
            dataset: Dataset {
                name: dataset.required("name")?,
                digest: dataset.required("digest")?,
                source_type: dataset.required("source_type")?,
                source: dataset.required("source")?,
                schema: dataset.text_or_none("schema")?,
                profile: dataset.text_or_none("profile")?,
            },
        })
    };
    let datasets = fields
        .objects("datasets")?
        .iter()
        .map(input)
        .collect::<Result<_, ApiError>>()?;
    runs::log_inputs(
        platform,
        fields.run_id()?,
        datasets,
        links(&fields.objects("models")?)?,
    )?;
    done()
}

pub(super) fn log_outputs(platform: &Platform, fields: &Fields<'_>) -> Answer {
    runs::log_outputs(
        platform,
        fields.run_id()?,
        links(&fields.objects("models")?)?,
    )?;
    done()
}

pub(super) fn search(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let ids = fields.texts("experiment_ids")?;
    let ids = ids
        .iter()
        .map(|id| experiment_number(id))
        .collect::<Result<Vec<_>, _>>()?;
    let query = Query {
        comparisons: search::parse_filter(Noun::Runs, &fields.text("filter")?)?,
        order: search::parse_order(Noun::Runs, &fields.texts("order_by")?)?,
    };
    let limit = fields.integer("max_results")?.unwrap_or(SEARCH_RESULTS);
    let selection = Selection {
        offset: page_offset(&fields.text("page_token")?)?,
        limit: u64::try_from(limit).unwrap_or(0),
    };
    let (found, has_more) = runs::search(
        platform,
        &ids,
        &query,
        viewed(fields, "run_view_type")?,
        selection,
    )?;
    let list: Vec<RunOut<'_>> = found.iter().map(|run| RunOut::new(run, true)).collect();
    page(
        "runs",
        &list,
        has_more.then(|| page_token(selection.offset + selection.limit)),
    )
}

pub(super) fn metric_history(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let (id, name) = (fields.run_id()?, fields.required("metric_key")?);
    let limit = fields.integer("max_results")?;
    if let Some(limit) = limit.filter(|limit| *limit <= 0) {
        return Err(ApiError::invalid(format!(
            "Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer."
        )));
    }
    let offset = page_offset(&fields.text("page_token")?)?;
    let wanted = limit.map_or(u64::MAX - 1, |limit| limit as u64);
    let mut points = runs::metric_history(
        platform,
        &id,
        &name,
        Selection {
            offset,
            limit: wanted + 1,
        },
    )?;
    let has_more = points.len() as u64 > wanted;
    points.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    let list: Vec<MetricOut<'_>> = points
        .iter()
        .map(|point| MetricOut::new(&name, *point))
        .collect();
    page(
        "metrics",
        &list,
        has_more.then(|| page_token(offset + wanted)),
    )
}

pub(super) fn metric_history_bulk(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let ids = fields.texts("run_id")?;
    if ids.is_empty() {
        return Err(ApiError::invalid(
            "GetMetricHistoryBulk request must specify at least one run_id.",
        ));
    }
    if ids.len() > BULK_RUNS {
        return Err(ApiError::invalid(format!(
            "GetMetricHistoryBulk request cannot specify more than {BULK_RUNS} run_ids. Received {} run_ids.",
            ids.len()
        )));
    }
    let name = fields.text("metric_key")?;
    if name.is_empty() {
        return Err(ApiError::invalid(
            "GetMetricHistoryBulk request must specify a metric_key.",
        ));
    }
    let limit = fields
        .integer("max_results")?
        .map_or(BULK_RESULTS, |limit| {
            u64::try_from(limit).unwrap_or(0).min(BULK_RESULTS)
        });
    let mut ids = ids;
    ids.sort_unstable();
    let mut found: Vec<(String, Point)> = Vec::new();
    for id in ids {
        let left = limit - found.len() as u64;
        let points = runs::metric_history(
            platform,
            &id,
            &name,
            Selection {
                offset: 0,
                limit: left,
            },
        )?;
        found.extend(points.into_iter().map(|point| (id.clone(), point)));
    }
    let list: Vec<MetricOut<'_>> = found
        .iter()
        .map(|(id, point)| MetricOut::of_run(&name, *point, id))
        .collect();
    answer(&json!({ "metrics": list }))
}

pub(super) fn metric_interval(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let ids = fields.texts("run_ids")?;
    if ids.is_empty() || ids.len() > BULK_RUNS {
        return Err(ApiError::invalid(format!(
            "GetMetricHistoryBulkInterval request must specify 1 to {BULK_RUNS} run_ids. Received {}.",
            ids.len()
        )));
    }
    let name = fields.required("metric_key")?;
    let steps = match (fields.integer("start_step")?, fields.integer("end_step")?) {
        (None, None) => None,
        (Some(first), Some(last)) if first <= last => Some((first, last)),
        (Some(first), Some(last)) => {
            return Err(ApiError::invalid(format!(
                "end_step must be greater than start_step. Found start_step={first} and end_step={last}."
            )));
        }
        _ => {
            return Err(ApiError::invalid(
                "If either start step or end step are specified, both must be specified.",
            ));
        }
    };
    let n_results = fields.integer("max_results")?.unwrap_or(320);
    if n_results <= 0 {
        return Err(ApiError::invalid(format!(
            "max_results must be a positive integer, got {n_results}"
        )));
    }
    let interval = Interval {
        steps,
        n_results: n_results as u64,
    };
    let found = runs::metric_interval(platform, &ids, &name, interval)?;
    let list: Vec<MetricOut<'_>> = found
        .iter()
        .map(|(id, point)| MetricOut::of_run(&name, *point, id))
        .collect();
    page("metrics", &list, None)
}
