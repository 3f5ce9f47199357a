//! A running tracking server: MLflow's, or another that speaks its API.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use veracta_store::tracking::{
    Dataset, DatasetInput, Experiment, ForeignRun, KeyValue, LoggedModel, MetricValue, ModelLink,
    ModelMetric, Point, RegisteredModel, RegisteredVersion, Run, RunStatus, Stage,
};

use super::ImportError;
use crate::path_of;
use crate::search::PROMPT_TAG;

/// Longest wait for a connection, and for each answer but a file.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Waits before a request is repeated that the server may answer later.
const WAITS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(16),
];
/// Experiments, runs or models that one request asks for.
const PAGE: u64 = 1_000;
/// Largest answer that is not a file, in bytes.
const ANSWER_BYTES_LIMIT: u64 = 1 << 30;
/// Characters that stand for themselves in the path of a URL.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A running tracking server of MLflow, read through its API.
#[derive(Debug)]
pub(super) struct TrackingServer {
    client: Client,
    base: Url,
    /// Name (empty with a bearer token) and secret.
    credentials: Option<(String, String)>,
}

/// Who to be there, by the variables that MLflow's own clients read.
fn credentials() -> Option<(String, String)> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let password = || {
        Some((
            variable("MLFLOW_TRACKING_USERNAME")?,
            variable("MLFLOW_TRACKING_PASSWORD")?,
        ))
    };
    variable("MLFLOW_TRACKING_TOKEN")
        .map(|token| (String::new(), token))
        .or_else(password)
}

impl TrackingServer {
    pub(super) fn open(uri: &str) -> Result<Self, ImportError> {
        let not_a_source = || ImportError::NotASource {
            uri: uri
                .rsplit_once('@')
                .map_or(uri, |(_, rest)| rest)
                .to_owned(),
        };
        let mut base = Url::parse(uri).map_err(|_| not_a_source())?;
        let mut credentials = credentials();
        if !base.username().is_empty() {
            credentials = Some((
                base.username().to_owned(),
                base.password().unwrap_or_default().to_owned(),
            ));
            base.set_username("")
                .and_then(|()| base.set_password(None))
                .map_err(|()| not_a_source())?;
        }
        base.set_query(None);
        // Another part of the program may have chosen the same already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(TIMEOUT)
            .timeout(None)
            .build();
        let client = client.map_err(|_| ImportError::Server {
            request: base.to_string(),
            reason: "requests cannot be made".to_owned(),
        })?;
        let server = Self {
            client,
            base,
            credentials,
        };
        server.post("experiments/search", &json!({ "max_results": 1 }))?;
        Ok(server)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base.as_str().trim_end_matches('/'))
    }

    /// Sends a request, again when the server may answer it later; `None` when there is nothing there.
    fn send(
        &self,
        what: &str,
        request: &dyn Fn() -> RequestBuilder,
    ) -> Result<Option<Response>, ImportError> {
        let failed = |reason: String| ImportError::Server {
            request: what.to_owned(),
            reason,
        };
        let mut waits = WAITS.iter();
        loop {
            let sent = match &self.credentials {
                Some((name, secret)) if name.is_empty() => request().bearer_auth(secret),
                Some((name, secret)) => request().basic_auth(name, Some(secret)),
                None => request(),
            };
            let reason = match sent.send() {
                Ok(response) if response.status().is_success() => return Ok(Some(response)),
                Ok(response) if response.status() == StatusCode::NOT_FOUND => return Ok(None),
                Ok(response)
                    if response.status().is_server_error()
                        || response.status() == StatusCode::TOO_MANY_REQUESTS =>
                {
                    format!("it answers {}", response.status())
                }
                Ok(response) => {
                    let status = response.status();
                    let told: Value = response.json().unwrap_or_default();
                    return Err(failed(format!(
                        "it answers {status}: {}",
                        told["message"].as_str().unwrap_or("no message")
                    )));
                }
                // The error's own text may repeat the URL; its kind is enough.
                Err(error) if error.is_connect() => "it cannot be reached".to_owned(),
                Err(error) if error.is_timeout() => "it does not answer".to_owned(),
                Err(_) => "its answer cannot be read".to_owned(),
            };
            match waits.next() {
                Some(wait) => std::thread::sleep(*wait),
                None => return Err(failed(reason)),
            }
        }
    }

    fn value(
        &self,
        what: &str,
        request: &dyn Fn() -> RequestBuilder,
    ) -> Result<Value, ImportError> {
        let failed = |reason: &str| ImportError::Server {
            request: what.to_owned(),
            reason: reason.to_owned(),
        };
        let Some(response) = self.send(what, request)? else {
            return Ok(Value::Null);
        };
        let mut bytes = Vec::new();
        response
            .take(ANSWER_BYTES_LIMIT)
            .read_to_end(&mut bytes)
            .map_err(|_| failed("its answer ended early"))?;
        serde_json::from_slice(&bytes).map_err(|_| failed("its answer is no JSON"))
    }

    /// Returns the answer to a request for what must be there: a server that does not have it is another one than was asked for.
    fn post(&self, path: &str, body: &Value) -> Result<Value, ImportError> {
        let url = self.url(&format!("api/2.0/mlflow/{path}"));
        self.there(
            path,
            self.value(path, &|| self.client.post(&url).timeout(TIMEOUT).json(body))?,
        )
    }

    fn there(&self, what: &str, value: Value) -> Result<Value, ImportError> {
        let gone = || ImportError::Server {
            request: what.to_owned(),
            reason: "it has no such thing".to_owned(),
        };
        if value.is_null() {
            Err(gone())
        } else {
            Ok(value)
        }
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ImportError> {
        let url = self.url(path);
        self.there(
            path,
            self.value(path, &|| {
                self.client.get(&url).timeout(TIMEOUT).query(query)
            })?,
        )
    }

    /// Returns everything of a search.
    fn search(&self, path: &str, body: &Value, list: &str) -> Result<Vec<Value>, ImportError> {
        let (mut found, mut body) = (Vec::new(), body.clone());
        loop {
            let mut page = self.post(path, &body)?;
            found.extend(items(&mut page, list));
            match page["next_page_token"]
                .as_str()
                .filter(|token| !token.is_empty())
            {
                Some(token) => body["page_token"] = Value::from(token),
                None => return Ok(found),
            }
        }
    }

    fn search_by_query(
        &self,
        path: &str,
        query: &[(&str, &str)],
        list: &str,
    ) -> Result<Vec<Value>, ImportError> {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let mut query = query.to_vec();
            if !token.is_empty() {
                query.push(("page_token", &token));
            }
            let mut page = self.get(&format!("api/2.0/mlflow/{path}"), &query)?;
            found.extend(items(&mut page, list));
            match page["next_page_token"]
                .as_str()
                .filter(|token| !token.is_empty())
            {
                Some(next) => token = next.to_owned(),
                None => return Ok(found),
            }
        }
    }

    pub(super) fn experiments(&self) -> Result<Vec<Experiment>, ImportError> {
        let found = self.search(
            "experiments/search",
            &json!({ "max_results": PAGE, "view_type": "ALL" }),
            "experiments",
        )?;
        let experiment = |value: &Value| Experiment {
            id: integer(&value["experiment_id"]),
            name: text(&value["name"]),
            artifact_location: text(&value["artifact_location"]),
            stage: Stage::of(&text(&value["lifecycle_stage"])),
            created_ms: integer(&value["creation_time"]),
            updated_ms: integer(&value["last_update_time"]),
            tags: pairs(&value["tags"]),
        };
        let mut found: Vec<Experiment> = found.iter().map(experiment).collect();
        found.sort_by_key(|experiment| experiment.id);
        Ok(found)
    }

    pub(super) fn runs_of(&self, experiment_id: i64) -> Result<Vec<Run>, ImportError> {
        let body = json!({
            "experiment_ids": [experiment_id.to_string()],
            "run_view_type": "ALL",
            "max_results": PAGE,
            "order_by": ["attributes.start_time ASC"],
        });
        self.search("runs/search", &body, "runs")?
            .iter()
            .map(|value| read_run(&value["info"], experiment_id))
            .collect()
    }

    pub(super) fn run(&self, run: Run) -> Result<ForeignRun, ImportError> {
        let found = self.get("api/2.0/mlflow/runs/get", &[("run_id", &run.id)])?;
        let (data, inputs) = (&found["run"]["data"], &found["run"]["inputs"]);
        let mut metrics = Vec::new();
        for name in data["metrics"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|metric| text(&metric["key"]))
        {
            let query = [("run_id", run.id.as_str()), ("metric_key", name.as_str())];
            let history = self.search_by_query("metrics/get-history", &query, "metrics")?;
            metrics.extend(history.iter().map(|value| MetricValue {
                name: name.clone(),
                point: point(value),
            }));
        }
        Ok(ForeignRun {
            params: pairs(&data["params"]),
            tags: pairs(&data["tags"]),
            metrics,
            inputs: inputs["dataset_inputs"]
                .as_array()
                .into_iter()
                .flatten()
                .map(dataset_input)
                .collect(),
            model_inputs: links(&inputs["model_inputs"]),
            model_outputs: links(&found["run"]["outputs"]["model_outputs"]),
            run,
        })
    }

    /// Returns the logged models that are there; a server does not show deleted ones, and an old one has none.
    pub(super) fn logged_models_of(
        &self,
        experiment_id: i64,
    ) -> Result<Vec<LoggedModel>, ImportError> {
        let body = json!({ "experiment_ids": [experiment_id.to_string()], "max_results": 50 });
        let url = self.url("api/2.0/mlflow/logged-models/search");
        if self
            .value("logged-models/search", &|| {
                self.client.post(&url).timeout(TIMEOUT).json(&body)
            })?
            .is_null()
        {
            return Ok(Vec::new());
        }
        let found = self.search("logged-models/search", &body, "models")?;
        Ok(found
            .iter()
            .map(|value| logged_model(value, experiment_id))
            .collect())
    }

    pub(super) fn registered_models(&self) -> Result<Vec<RegisteredModel>, ImportError> {
        let mut names = BTreeSet::new();
        let prompts = format!("tags.`{PROMPT_TAG}` = 'true'");
        // Prompts are hidden unless the filter names their tag.
        for filter in ["", &prompts] {
            let page = PAGE.to_string();
            let mut query = vec![("max_results", page.as_str())];
            query.extend((!filter.is_empty()).then_some(("filter", filter)));
            names.extend(
                self.search_by_query("registered-models/search", &query, "registered_models")?
                    .iter()
                    .map(|value| text(&value["name"])),
            );
        }
        names
            .into_iter()
            .map(|name| self.registered_model(&name))
            .collect()
    }

    fn registered_model(&self, name: &str) -> Result<RegisteredModel, ImportError> {
        let found = self.get("api/2.0/mlflow/registered-models/get", &[("name", name)])?;
        let value = &found["registered_model"];
        let alias = |value: &Value| (text(&value["alias"]), integer(&value["version"]));
        Ok(RegisteredModel {
            name: name.to_owned(),
            description: text(&value["description"]),
            created_ms: integer(&value["creation_timestamp"]),
            updated_ms: integer(&value["last_updated_timestamp"]),
            last_version: self
                .versions_of(name)?
                .iter()
                .map(|version| version.version)
                .max()
                .unwrap_or(0),
            tags: pairs(&value["tags"]),
            aliases: value["aliases"]
                .as_array()
                .into_iter()
                .flatten()
                .map(alias)
                .collect(),
        })
    }

    /// Returns the versions that are there; a server does not show deleted ones.
    pub(super) fn versions_of(&self, model: &str) -> Result<Vec<RegisteredVersion>, ImportError> {
        let quoted = if model.contains('\'') {
            format!("name = \"{model}\"")
        } else {
            format!("name = '{model}'")
        };
        let prompts = format!("{quoted} AND tags.`{PROMPT_TAG}` = 'true'");
        let mut found: Vec<RegisteredVersion> = Vec::new();
        for filter in [&quoted, &prompts] {
            let page = PAGE.to_string();
            for value in self.search_by_query(
                "model-versions/search",
                &[("filter", filter), ("max_results", &page)],
                "model_versions",
            )? {
                let version = self.version(model, &value)?;
                if found.iter().all(|known| known.version != version.version) {
                    found.push(version);
                }
            }
        }
        found.sort_by_key(|version| version.version);
        Ok(found)
    }

    fn version(&self, model: &str, value: &Value) -> Result<RegisteredVersion, ImportError> {
        let (number, source) = (text(&value["version"]), text(&value["source"]));
        let location = self.get(
            "api/2.0/mlflow/model-versions/get-download-uri",
            &[("name", model), ("version", &number)],
        )?;
        let location = text(&location["artifact_uri"]);
        // Only newer servers say it; in a source it is `models:/m-…`.
        let model_id = some(text(&value["model_id"])).or_else(|| {
            source
                .strip_prefix("models:/")
                .filter(|id| id.starts_with("m-"))
                .map(str::to_owned)
        });
        Ok(RegisteredVersion {
            model: model.to_owned(),
            version: number.parse().unwrap_or(0),
            description: text(&value["description"]),
            created_ms: integer(&value["creation_timestamp"]),
            updated_ms: integer(&value["last_updated_timestamp"]),
            user_id: text(&value["user_id"]),
            stage: some(text(&value["current_stage"])).unwrap_or_else(|| "None".to_owned()),
            storage_location: if location.is_empty() {
                source.clone()
            } else {
                location
            },
            source,
            run_id: text(&value["run_id"]),
            run_link: text(&value["run_link"]),
            model_id,
            tags: pairs(&value["tags"]),
            aliases: Vec::new(),
        })
    }

    /// Returns the names of the files at a location and the paths to ask for them; `None` when the server does not pass its files on.
    pub(super) fn files(&self, uri: &str) -> Result<Option<Vec<(String, String)>>, ImportError> {
        let Some(root) = path_of(uri) else {
            return Ok(None);
        };
        let (mut open, mut found) = (vec![String::new()], Vec::new());
        while let Some(folder) = open.pop() {
            let path = if folder.is_empty() {
                root.clone()
            } else {
                format!("{root}/{folder}")
            };
            let mut listed = self.get("api/2.0/mlflow-artifacts/artifacts", &[("path", &path)])?;
            for entry in items(&mut listed, "files") {
                let own = text(&entry["path"]);
                // A name, never a way: a server that lists more than one step is not asked for it.
                if own.is_empty() || own.contains('/') || own == ".." || own == "." {
                    continue;
                }
                let name = if folder.is_empty() {
                    own
                } else {
                    format!("{folder}/{own}")
                };
                match entry["is_dir"].as_bool().unwrap_or(false) {
                    true => open.push(name),
                    false => found.push((name.clone(), format!("{root}/{name}"))),
                }
            }
        }
        found.sort();
        Ok(Some(found))
    }

    /// Opens a file by its path below the server's artifacts, as a stream.
    pub(super) fn open_file(&self, path: &str) -> Result<impl Read + use<>, ImportError> {
        let url = self.url(&format!(
            "api/2.0/mlflow-artifacts/artifacts/{}",
            utf8_percent_encode(path, PATH)
        ));
        let gone = || ImportError::Server {
            request: format!("artifacts/{path}"),
            reason: "it is gone".to_owned(),
        };
        self.send(path, &|| self.client.get(&url))?.ok_or_else(gone)
    }
}

fn items(page: &mut Value, list: &str) -> Vec<Value> {
    match page.get_mut(list).map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Reads a whole number, which some servers write as text.
fn integer(value: &Value) -> i64 {
    value
        .as_i64()
        .or_else(|| value.as_str()?.parse().ok())
        .unwrap_or(0)
}

fn pairs(value: &Value) -> Vec<KeyValue> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(|pair| (text(&pair["key"]), text(&pair["value"])))
        .collect()
}

fn point(value: &Value) -> Point {
    let number = match value["value"].as_str() {
        Some("Infinity") => f64::MAX,
        Some("-Infinity") => f64::MIN,
        Some(text) => text.parse().unwrap_or(f64::NAN),
        None => value["value"].as_f64().unwrap_or(f64::NAN),
    };
    Point {
        timestamp_ms: integer(&value["timestamp"]),
        step: integer(&value["step"]),
        value: number,
    }
}

fn read_run(info: &Value, experiment_id: i64) -> Result<Run, ImportError> {
    let id = some(text(&info["run_id"])).unwrap_or_else(|| text(&info["run_uuid"]));
    let status = RunStatus::of(&text(&info["status"]));
    let unknown = || ImportError::Server {
        request: format!("run {id}"),
        reason: "its status is none that MLflow knows".to_owned(),
    };
    Ok(Run {
        no: 0,
        status: status.ok_or_else(unknown)?,
        experiment_id,
        name: text(&info["run_name"]),
        user_id: text(&info["user_id"]),
        start_ms: integer(&info["start_time"]),
        end_ms: (!info["end_time"].is_null()).then(|| integer(&info["end_time"])),
        stage: Stage::of(&text(&info["lifecycle_stage"])),
        artifact_uri: text(&info["artifact_uri"]),
        record_idx: None,
        id,
    })
}

fn dataset_input(value: &Value) -> DatasetInput {
    let dataset = &value["dataset"];
    DatasetInput {
        dataset: Dataset {
            name: text(&dataset["name"]),
            digest: text(&dataset["digest"]),
            source_type: text(&dataset["source_type"]),
            source: text(&dataset["source"]),
            schema: dataset["schema"].as_str().map(str::to_owned),
            profile: dataset["profile"].as_str().map(str::to_owned),
        },
        tags: pairs(&value["tags"]),
    }
}

fn links(value: &Value) -> Vec<ModelLink> {
    let link = |value: &Value| ModelLink {
        model_id: text(&value["model_id"]),
        step: integer(&value["step"]),
    };
    value.as_array().into_iter().flatten().map(link).collect()
}

fn logged_model(value: &Value, experiment_id: i64) -> LoggedModel {
    let (info, data) = (&value["info"], &value["data"]);
    let metric = |value: &Value| ModelMetric {
        metric: MetricValue {
            name: text(&value["key"]),
            point: point(value),
        },
        run_id: text(&value["run_id"]),
        dataset_name: text(&value["dataset_name"]),
        dataset_digest: text(&value["dataset_digest"]),
    };
    LoggedModel {
        id: text(&info["model_id"]),
        experiment_id,
        name: text(&info["name"]),
        artifact_location: text(&info["artifact_uri"]),
        created_ms: integer(&info["creation_timestamp_ms"]),
        updated_ms: integer(&info["last_updated_timestamp_ms"]),
        status: text(&info["status"]),
        model_type: some(text(&info["model_type"])),
        source_run_id: some(text(&info["source_run_id"])),
        stage: Stage::Active,
        tags: pairs(&info["tags"]),
        params: pairs(&data["params"]),
        metrics: data["metrics"]
            .as_array()
            .into_iter()
            .flatten()
            .map(metric)
            .collect(),
    }
}
