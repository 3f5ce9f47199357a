//! MLflow's REST API: which request goes where, and how a request is read.
//!
//! Requests are answered by blocking code beside the event loop; nothing here is a rule.

mod artifacts;
mod experiments;
mod fields;
mod logged_models;
mod model_registry;
mod runs;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on};
use veracta_lifecycle::Platform;

use self::fields::Fields;
use self::wire::Answer;
use crate::error::ApiError;
use crate::routes::blocking;

/// Largest body of a request that is no file: a dataset's profile may have 16 MiB of characters, which JSON may write as six each.
const BODY_BYTES_LIMIT: usize = 128 << 20;
/// The version of MLflow whose API this is; clients ask for it.
const MLFLOW_VERSION: &str = "3.17.2";

/// Answers one request.
type Rpc = fn(&Platform, &Fields) -> Answer;

/// One request of the API: its method, its path below `/api/2.0/mlflow`, and what answers it.
type Route = (MethodFilter, &'static str, Rpc);

/// Every request of the API but files.
const ROUTES: &[Route] = &[
    (MethodFilter::GET, "experiments/get-by-name", experiments::get_by_name),
    (MethodFilter::POST, "experiments/create", experiments::create),
    (MethodFilter::POST, "experiments/search", experiments::search),
    (MethodFilter::GET, "experiments/search", experiments::search),
    (MethodFilter::GET, "experiments/get", experiments::get),
    (MethodFilter::POST, "experiments/delete", experiments::delete),
    (MethodFilter::POST, "experiments/restore", experiments::restore),
    (MethodFilter::POST, "experiments/update", experiments::update),
    (MethodFilter::POST, "experiments/set-experiment-tag", experiments::set_tag),
    (MethodFilter::POST, "experiments/delete-experiment-tag", experiments::delete_tag),
    (MethodFilter::POST, "experiments/search-datasets", experiments::search_datasets),
    (MethodFilter::POST, "runs/create", runs::create),
    (MethodFilter::POST, "runs/update", runs::update),
    (MethodFilter::POST, "runs/delete", runs::delete),
    (MethodFilter::POST, "runs/restore", runs::restore),
    (MethodFilter::POST, "runs/log-metric", runs::log_metric),
    (MethodFilter::POST, "runs/log-parameter", runs::log_parameter),
    (MethodFilter::POST, "runs/set-tag", runs::set_tag),
    (MethodFilter::POST, "runs/delete-tag", runs::delete_tag),
    (MethodFilter::GET, "runs/get", runs::get),
    (MethodFilter::POST, "runs/search", runs::search),
    (MethodFilter::POST, "runs/log-batch", runs::log_batch),
    (MethodFilter::POST, "runs/log-model", runs::log_model),
    (MethodFilter::POST, "runs/log-inputs", runs::log_inputs),
    (MethodFilter::POST, "runs/outputs", runs::log_outputs),
    (MethodFilter::GET, "artifacts/list", artifacts::list_of_run),
    (MethodFilter::GET, "metrics/get-history", runs::metric_history),
    (MethodFilter::GET, "metrics/get-history-bulk", runs::metric_history_bulk),
    (MethodFilter::GET, "metrics/get-history-bulk-interval", runs::metric_interval),
    (MethodFilter::POST, "logged-models", logged_models::create),
    (MethodFilter::PATCH, "logged-models/{model_id}", logged_models::finish),
    (MethodFilter::GET, "logged-models/{model_id}", logged_models::get),
    (MethodFilter::DELETE, "logged-models/{model_id}", logged_models::delete),
    (MethodFilter::POST, "logged-models/search", logged_models::search),
    (MethodFilter::PATCH, "logged-models/{model_id}/tags", logged_models::set_tags),
    (MethodFilter::DELETE, "logged-models/{model_id}/tags/{tag_key}", logged_models::delete_tag),
    (MethodFilter::GET, "logged-models/{model_id}/artifacts/directories", logged_models::list_artifacts),
    (MethodFilter::POST, "logged-models/{model_id}/params", logged_models::log_params),
    (MethodFilter::POST, "registered-models/create", model_registry::create),
    (MethodFilter::POST, "registered-models/rename", model_registry::rename),
    (MethodFilter::PATCH, "registered-models/update", model_registry::update),
    (MethodFilter::DELETE, "registered-models/delete", model_registry::delete),
    (MethodFilter::GET, "registered-models/get", model_registry::get),
    (MethodFilter::GET, "registered-models/search", model_registry::search),
    (MethodFilter::POST, "registered-models/get-latest-versions", model_registry::latest_versions),
    (MethodFilter::GET, "registered-models/get-latest-versions", model_registry::latest_versions),
    (MethodFilter::POST, "registered-models/set-tag", model_registry::set_tag),
    (MethodFilter::DELETE, "registered-models/delete-tag", model_registry::delete_tag),
    (MethodFilter::POST, "registered-models/alias", model_registry::set_alias),
    (MethodFilter::DELETE, "registered-models/alias", model_registry::delete_alias),
    (MethodFilter::GET, "registered-models/alias", model_registry::version_by_alias),
    (MethodFilter::POST, "model-versions/create", model_registry::create_version),
    (MethodFilter::PATCH, "model-versions/update", model_registry::update_version),
    (MethodFilter::POST, "model-versions/transition-stage", model_registry::transition),
    (MethodFilter::DELETE, "model-versions/delete", model_registry::delete_version),
    (MethodFilter::GET, "model-versions/get", model_registry::get_version),
    (MethodFilter::GET, "model-versions/search", model_registry::search_versions),
    (MethodFilter::GET, "model-versions/get-download-uri", model_registry::download_uri),
    (MethodFilter::POST, "model-versions/set-tag", model_registry::set_version_tag),
    (MethodFilter::DELETE, "model-versions/delete-tag", model_registry::delete_version_tag),
];

/// Parts of the API that this server leaves out, by the first step of their paths.
const LEFT_OUT: [&str; 16] = [
    "traces",
    "unified-traces",
    "get-online-trace-details",
    "issues",
    "label-schemas",
    "datasets",
    "scorers",
    "gateway",
    "prompt-optimization",
    "review-queues",
    "webhooks",
    "workspaces",
    "genai",
    "users",
    "roles",
    "artifacts/presigned-upload-url",
];

/// Returns everything of the API.
pub(crate) fn router() -> Router<Arc<Platform>> {
    let mut router = Router::new()
        .route("/health", get(async || "OK"))
        .route("/version", get(async || MLFLOW_VERSION))
        .route("/get-artifact", get(artifacts::of_run))
        .route("/model-versions/get-artifact", get(artifacts::of_version))
        .route("/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files", get(artifacts::of_logged_model));
    for prefix in ["/api", "/ajax-api"] {
        router = router.route(&format!("{prefix}/3.0/mlflow/server-info"), get(server_info));
        for (method, path, rpc) in ROUTES {
            let handler = move |platform, params, request| call(*rpc, platform, params, request);
            router = router.route(&format!("{prefix}/2.0/mlflow/{path}"), on(*method, handler));
        }
        for name in LEFT_OUT {
            for version in ["2.0", "3.0"] {
                let path = format!("{prefix}/{version}/mlflow/{name}");
                let left_out = move || async move { ApiError::NotImplemented(name) };
                router =
                    router.route(&path, axum::routing::any(left_out)).route(&format!("{path}/{{*rest}}"), axum::routing::any(left_out));
            }
        }
        let artifacts = format!("{prefix}/2.0/mlflow-artifacts/artifacts");
        router = router
            .route(&artifacts, get(artifacts::list))
            .route(&format!("{artifacts}/{{*path}}"), get(artifacts::download).put(artifacts::upload).delete(artifacts::delete));
    }
    router
}

async fn server_info() -> Response {
    let body = serde_json::json!({
        "store_type": "SqlStore",
        "workspaces_enabled": false,
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": false,
        "multipart_downloads_enabled": false,
        "presigned_upload_run_id_supported": false,
        "presigned_upload_model_id_supported": false,
        "features_enabled": { "gateway": false },
    });
    json_response(body.to_string().into_bytes())
}

fn json_response(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Reads a request, has it answered beside the event loop, and writes the answer.
async fn call(rpc: Rpc, platform: State<Arc<Platform>>, params: RawPathParams, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let mut fields = read_fields(&parts.method, parts.uri.query().unwrap_or_default(), &parts.headers, body).await?;
    for (name, value) in &params {
        fields = fields.with(name, value.to_owned());
    }
    let State(platform) = platform;
    Ok(json_response(blocking(move || rpc(&platform, &fields)).await?))
}

async fn read_fields(method: &Method, query: &str, headers: &HeaderMap, body: Body) -> Result<Fields, ApiError> {
    let body = axum::body::to_bytes(body, BODY_BYTES_LIMIT).await.map_err(|_| ApiError::TooLarge { limit: BODY_BYTES_LIMIT })?;
    // Only what changes nothing may be asked for by an address alone: a page in a browser can make one open any.
    if *method == Method::GET && (body.is_empty() || !query.is_empty()) {
        return Fields::of_query(query);
    }
    if body.is_empty() {
        return Ok(Fields::default());
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if *method != Method::GET && !kind.to_ascii_lowercase().starts_with("application/json") {
        return Err(ApiError::invalid(format!("Bad Request. Content-Type must be application/json. Received: '{kind}'")));
    }
    Fields::of_body(&body)
}
