//! Writes answers as protobuf's JSON form has them: unset and empty lists left out, 64-bit numbers as numbers, what JSON cannot say as
//! words.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use veracta_store::tracking::{
    Dataset, DatasetInput, Experiment, KeyValue, LoggedModel, MetricValue, ModelLink, Point,
    RegisteredModel, RegisteredVersion, Run,
};
use veracta_tracking::runs::RunWithData;

use crate::error::ApiError;

/// The body of an answer.
pub(crate) type Answer = Result<Vec<u8>, ApiError>;

/// Returns an answer as JSON.
pub(crate) fn answer(body: &impl Serialize) -> Answer {
    serde_json::to_vec(body).map_err(|_| ApiError::Internal)
}

/// The answer to a request that asks for nothing back.
pub(crate) fn done() -> Answer {
    Ok(b"{}".to_vec())
}

/// Returns the token of the page that begins at `offset`.
pub(crate) fn page_token(offset: u64) -> String {
    STANDARD.encode(format!("{{\"offset\": {offset}}}"))
}

/// Returns where a page begins.
pub(crate) fn page_offset(token: &str) -> Result<u64, ApiError> {
    if token.is_empty() {
        return Ok(0);
    }
    let decoded = STANDARD
        .decode(token)
        .map_err(|_| ApiError::invalid("Invalid page token, could not base64-decode"))?;
    let value: serde_json::Value = serde_json::from_slice(&decoded).map_err(|_| {
        ApiError::invalid(format!(
            "Invalid page token, decoded value={}",
            String::from_utf8_lossy(&decoded)
        ))
    })?;
    value["offset"]
        .as_u64()
        .ok_or_else(|| ApiError::invalid(format!("Invalid page token, parsed value={value}")))
}

fn double<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_nan() {
        return serializer.serialize_str("NaN");
    }
    serializer.serialize_f64(*value)
}

#[derive(Serialize)]
pub(crate) struct KeyValueOut<'a> {
    key: &'a str,
    value: &'a str,
}

pub(crate) fn pairs(values: &[KeyValue]) -> Vec<KeyValueOut<'_>> {
    values
        .iter()
        .map(|(key, value)| KeyValueOut { key, value })
        .collect()
}

#[derive(Serialize)]
pub(crate) struct ExperimentOut<'a> {
    experiment_id: String,
    name: &'a str,
    artifact_location: &'a str,
    lifecycle_stage: &'static str,
    last_update_time: i64,
    creation_time: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValueOut<'a>>,
    workspace: &'static str,
}

impl<'a> From<&'a Experiment> for ExperimentOut<'a> {
    fn from(experiment: &'a Experiment) -> Self {
        Self {
            experiment_id: experiment.id.to_string(),
            name: &experiment.name,
            artifact_location: &experiment.artifact_location,
            lifecycle_stage: experiment.stage.word(),
            last_update_time: experiment.updated_ms,
            creation_time: experiment.created_ms,
            tags: pairs(&experiment.tags),
            workspace: "default",
        }
    }
}

#[derive(Serialize)]
pub(crate) struct RunInfoOut<'a> {
    run_uuid: &'a str,
    experiment_id: String,
    run_name: &'a str,
    user_id: &'a str,
    status: &'static str,
    start_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    artifact_uri: &'a str,
    lifecycle_stage: &'static str,
    run_id: &'a str,
}

impl<'a> From<&'a Run> for RunInfoOut<'a> {
    fn from(run: &'a Run) -> Self {
        Self {
            run_uuid: &run.id,
            experiment_id: run.experiment_id.to_string(),
            run_name: &run.name,
            user_id: &run.user_id,
            status: run.status.word(),
            start_time: run.start_ms,
            end_time: run.end_ms,
            artifact_uri: &run.artifact_uri,
            lifecycle_stage: run.stage.word(),
            run_id: &run.id,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct MetricOut<'a> {
    key: &'a str,
    #[serde(serialize_with = "double")]
    value: f64,
    timestamp: i64,
    step: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_digest: Option<&'a str>,
}

impl<'a> MetricOut<'a> {
    pub(crate) fn new(key: &'a str, point: Point) -> Self {
        let Point {
            timestamp_ms,
            step,
            value,
        } = point;
        Self {
            key,
            value,
            timestamp: timestamp_ms,
            step,
            run_id: None,
            model_id: None,
            dataset_name: None,
            dataset_digest: None,
        }
    }

    pub(crate) fn of_run(key: &'a str, point: Point, run_id: &'a str) -> Self {
        Self {
            run_id: Some(run_id),
            ..Self::new(key, point)
        }
    }
}

impl<'a> From<&'a MetricValue> for MetricOut<'a> {
    fn from(metric: &'a MetricValue) -> Self {
        Self::new(&metric.name, metric.point)
    }
}

#[derive(Serialize)]
pub(crate) struct RunOut<'a> {
    info: RunInfoOut<'a>,
    data: RunDataOut<'a>,
    inputs: InputsOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<OutputsOut<'a>>,
}

#[derive(Serialize)]
struct RunDataOut<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<KeyValueOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValueOut<'a>>,
}

#[derive(Serialize)]
struct InputsOut<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_inputs: Vec<DatasetInputOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_inputs: Vec<ModelLinkOut<'a>>,
}

#[derive(Serialize)]
struct OutputsOut<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_outputs: Vec<ModelLinkOut<'a>>,
}

#[derive(Serialize)]
struct ModelLinkOut<'a> {
    model_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<i64>,
}

#[derive(Serialize)]
struct DatasetInputOut<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValueOut<'a>>,
    dataset: DatasetOut<'a>,
}

#[derive(Serialize)]
struct DatasetOut<'a> {
    name: &'a str,
    digest: &'a str,
    source_type: &'a str,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'a str>,
}

fn input(input: &DatasetInput) -> DatasetInputOut<'_> {
    let Dataset {
        name,
        digest,
        source_type,
        source,
        schema,
        profile,
    } = &input.dataset;
    let dataset = DatasetOut {
        name,
        digest,
        source_type,
        source,
        schema: schema.as_deref(),
        profile: profile.as_deref(),
    };
    DatasetInputOut {
        tags: pairs(&input.tags),
        dataset,
    }
}

fn links(links: &[ModelLink], with_step: bool) -> Vec<ModelLinkOut<'_>> {
    links
        .iter()
        .map(|link| ModelLinkOut {
            model_id: &link.model_id,
            step: with_step.then_some(link.step),
        })
        .collect()
}

impl<'a> RunOut<'a> {
    /// A run just made is answered without outputs.
    pub(crate) fn new((run, data): &'a RunWithData, with_outputs: bool) -> Self {
        Self {
            info: run.into(),
            data: RunDataOut {
                metrics: data.metrics.iter().map(Into::into).collect(),
                params: pairs(&data.params),
                tags: pairs(&data.tags),
            },
            inputs: InputsOut {
                dataset_inputs: data.inputs.iter().map(input).collect(),
                model_inputs: links(&data.model_inputs, false),
            },
            outputs: with_outputs.then(|| OutputsOut {
                model_outputs: links(&data.model_outputs, true),
            }),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct LoggedModelOut<'a> {
    info: LoggedModelInfoOut<'a>,
    data: LoggedModelDataOut<'a>,
}

#[derive(Serialize)]
struct LoggedModelInfoOut<'a> {
    model_id: &'a str,
    experiment_id: String,
    name: &'a str,
    creation_timestamp_ms: i64,
    last_updated_timestamp_ms: i64,
    artifact_uri: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_run_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValueOut<'a>>,
}

#[derive(Serialize)]
struct LoggedModelDataOut<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<KeyValueOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricOut<'a>>,
}

impl<'a> From<&'a LoggedModel> for LoggedModelOut<'a> {
    fn from(model: &'a LoggedModel) -> Self {
        let some = |text: &'a str| (!text.is_empty()).then_some(text);
        let metric = |found: &'a veracta_store::tracking::ModelMetric| MetricOut {
            run_id: some(&found.run_id),
            model_id: Some(&model.id),
            dataset_name: some(&found.dataset_name),
            dataset_digest: some(&found.dataset_digest),
            ..MetricOut::from(&found.metric)
        };
        Self {
            info: LoggedModelInfoOut {
                model_id: &model.id,
                experiment_id: model.experiment_id.to_string(),
                name: &model.name,
                creation_timestamp_ms: model.created_ms,
                last_updated_timestamp_ms: model.updated_ms,
                artifact_uri: &model.artifact_location,
                status: &model.status,
                model_type: model.model_type.as_deref(),
                source_run_id: model.source_run_id.as_deref(),
                tags: pairs(&model.tags),
            },
            data: LoggedModelDataOut {
                params: pairs(&model.params),
                metrics: model.metrics.iter().map(metric).collect(),
            },
        }
    }
}

#[derive(Serialize)]
pub(crate) struct RegisteredModelOut<'a> {
    name: &'a str,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    latest_versions: Vec<ModelVersionOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValueOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<AliasOut<'a>>,
}

#[derive(Serialize)]
struct AliasOut<'a> {
    alias: &'a str,
    version: String,
}

impl<'a> RegisteredModelOut<'a> {
    pub(crate) fn new(model: &'a RegisteredModel, latest: &'a [RegisteredVersion]) -> Self {
        Self {
            name: &model.name,
            creation_timestamp: model.created_ms,
            last_updated_timestamp: model.updated_ms,
            description: &model.description,
            latest_versions: latest
                .iter()
                .map(ModelVersionOut::without_aliases)
                .collect(),
            tags: pairs(&model.tags),
            aliases: model
                .aliases
                .iter()
                .map(|(alias, version)| AliasOut {
                    alias,
                    version: version.to_string(),
                })
                .collect(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ModelVersionOut<'a> {
    name: &'a str,
    version: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    current_stage: &'a str,
    description: &'a str,
    source: &'a str,
    run_id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValueOut<'a>>,
    run_link: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    aliases: &'a [String],
}

impl<'a> From<&'a RegisteredVersion> for ModelVersionOut<'a> {
    fn from(version: &'a RegisteredVersion) -> Self {
        Self {
            name: &version.model,
            version: version.version.to_string(),
            creation_timestamp: version.created_ms,
            last_updated_timestamp: version.updated_ms,
            current_stage: &version.stage,
            description: &version.description,
            source: &version.source,
            run_id: &version.run_id,
            status: "READY",
            tags: pairs(&version.tags),
            run_link: &version.run_link,
            aliases: &version.aliases,
        }
    }
}

impl<'a> ModelVersionOut<'a> {
    /// Inside a registered model and in searches the aliases are the model's.
    pub(crate) fn without_aliases(version: &'a RegisteredVersion) -> Self {
        Self {
            aliases: &[],
            ..version.into()
        }
    }
}
