//! MLflow's REST API: which request goes where, and how a request is read.
//!
//! Requests are answered by blocking code beside the event loop; nothing here is a rule.

mod artifacts;
mod experiments;
mod fields;
mod logged_models;
mod model_registry;
mod runs;
mod transfer;
mod webhooks;
mod wire;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use veracta_governance::access::Permission::{
    self, Administer, Annotate, Promote, Public, Read, Register, Track,
};
use veracta_store::Platform;

use self::fields::Fields;
use self::wire::Answer;
use crate::DirectTransfer;
use crate::access::CallerPlatform;
use crate::blocking::blocking;
use crate::endpoint::Endpoint;
use crate::error::ApiError;

/// Largest body of a request that is no file: a dataset's profile may have 16 MiB of characters, which JSON may write as six each.
const BODY_BYTES_LIMIT: usize = 128 << 20;
/// The version of MLflow whose API this is; clients ask for it.
const MLFLOW_VERSION: &str = "3.17.2";

/// Reads the fields of a request, does what it asks for, and returns the body of the answer.
type Rpc = fn(&Platform, &Fields<'_>) -> Answer;

/// One request of the API: its method, its path below `/api/2.0/mlflow`, what a caller needs, and what answers it.
type Route = (&'static str, &'static str, Permission, Rpc);

/// Every request of the API but files.
const ROUTES: &[Route] = &[
    (
        "GET",
        "experiments/get-by-name",
        Read,
        experiments::get_by_name,
    ),
    ("POST", "experiments/create", Track, experiments::create),
    ("POST", "experiments/search", Read, experiments::search),
    ("GET", "experiments/search", Read, experiments::search),
    ("GET", "experiments/get", Read, experiments::get),
    ("POST", "experiments/delete", Track, experiments::delete),
    ("POST", "experiments/restore", Track, experiments::restore),
    ("POST", "experiments/update", Track, experiments::update),
    (
        "POST",
        "experiments/set-experiment-tag",
        Track,
        experiments::set_tag,
    ),
    (
        "POST",
        "experiments/delete-experiment-tag",
        Track,
        experiments::delete_tag,
    ),
    (
        "POST",
        "experiments/search-datasets",
        Read,
        experiments::search_datasets,
    ),
    ("POST", "runs/create", Track, runs::create),
    ("POST", "runs/update", Track, runs::update),
    ("POST", "runs/delete", Track, runs::delete),
    ("POST", "runs/restore", Track, runs::restore),
    ("POST", "runs/log-metric", Track, runs::log_metric),
    ("POST", "runs/log-parameter", Track, runs::log_parameter),
    ("POST", "runs/set-tag", Track, runs::set_tag),
    ("POST", "runs/delete-tag", Track, runs::delete_tag),
    ("GET", "runs/get", Read, runs::get),
    ("POST", "runs/search", Read, runs::search),
    ("POST", "runs/log-batch", Track, runs::log_batch),
    ("POST", "runs/log-model", Track, runs::log_model),
    ("POST", "runs/log-inputs", Track, runs::log_inputs),
    ("POST", "runs/outputs", Track, runs::log_outputs),
    ("GET", "artifacts/list", Read, artifacts::list_of_run),
    (
        "POST",
        "artifacts/presigned-upload-url",
        Track,
        transfer::presigned_upload,
    ),
    (
        "POST",
        "artifacts/presigned-download-url",
        Read,
        transfer::presigned_download,
    ),
    ("GET", "metrics/get-history", Read, runs::metric_history),
    (
        "GET",
        "metrics/get-history-bulk",
        Read,
        runs::metric_history_bulk,
    ),
    (
        "GET",
        "metrics/get-history-bulk-interval",
        Read,
        runs::metric_interval,
    ),
    ("POST", "logged-models", Track, logged_models::create),
    (
        "PATCH",
        "logged-models/{model_id}",
        Track,
        logged_models::finish,
    ),
    ("GET", "logged-models/{model_id}", Read, logged_models::get),
    (
        "DELETE",
        "logged-models/{model_id}",
        Track,
        logged_models::delete,
    ),
    ("POST", "logged-models/search", Read, logged_models::search),
    (
        "PATCH",
        "logged-models/{model_id}/tags",
        Track,
        logged_models::set_tags,
    ),
    (
        "DELETE",
        "logged-models/{model_id}/tags/{tag_key}",
        Track,
        logged_models::delete_tag,
    ),
    (
        "GET",
        "logged-models/{model_id}/artifacts/directories",
        Read,
        logged_models::list_artifacts,
    ),
    (
        "POST",
        "logged-models/{model_id}/params",
        Track,
        logged_models::log_params,
    ),
    (
        "POST",
        "registered-models/create",
        Register,
        model_registry::create,
    ),
    (
        "POST",
        "registered-models/rename",
        Register,
        model_registry::rename,
    ),
    (
        "PATCH",
        "registered-models/update",
        Annotate,
        model_registry::update,
    ),
    (
        "DELETE",
        "registered-models/delete",
        Register,
        model_registry::delete,
    ),
    ("GET", "registered-models/get", Read, model_registry::get),
    (
        "GET",
        "registered-models/search",
        Read,
        model_registry::search,
    ),
    (
        "POST",
        "registered-models/get-latest-versions",
        Read,
        model_registry::latest_versions,
    ),
    (
        "GET",
        "registered-models/get-latest-versions",
        Read,
        model_registry::latest_versions,
    ),
    (
        "POST",
        "registered-models/set-tag",
        Annotate,
        model_registry::set_tag,
    ),
    (
        "DELETE",
        "registered-models/delete-tag",
        Annotate,
        model_registry::delete_tag,
    ),
    (
        "POST",
        "registered-models/alias",
        Promote,
        model_registry::set_alias,
    ),
    (
        "DELETE",
        "registered-models/alias",
        Promote,
        model_registry::delete_alias,
    ),
    (
        "GET",
        "registered-models/alias",
        Read,
        model_registry::version_by_alias,
    ),
    (
        "POST",
        "model-versions/create",
        Register,
        model_registry::create_version,
    ),
    (
        "PATCH",
        "model-versions/update",
        Annotate,
        model_registry::update_version,
    ),
    (
        "POST",
        "model-versions/transition-stage",
        Promote,
        model_registry::transition,
    ),
    (
        "DELETE",
        "model-versions/delete",
        Register,
        model_registry::delete_version,
    ),
    (
        "GET",
        "model-versions/get",
        Read,
        model_registry::get_version,
    ),
    (
        "GET",
        "model-versions/search",
        Read,
        model_registry::search_versions,
    ),
    (
        "GET",
        "model-versions/get-download-uri",
        Read,
        model_registry::download_uri,
    ),
    (
        "POST",
        "model-versions/set-tag",
        Annotate,
        model_registry::set_version_tag,
    ),
    (
        "DELETE",
        "model-versions/delete-tag",
        Annotate,
        model_registry::delete_version_tag,
    ),
    ("GET", "webhooks", Administer, webhooks::list),
    ("GET", "webhooks/{webhook_id}", Administer, webhooks::get),
    (
        "DELETE",
        "webhooks/{webhook_id}",
        Administer,
        webhooks::delete,
    ),
];

/// Parts of the API that this server leaves out, by the first step of their paths.
const LEFT_OUT: [&str; 14] = [
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
    "workspaces",
    "genai",
    "users",
    "roles",
];

/// Returns everything of the API.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let of_logged_model = "/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files";
    let mut endpoints = vec![
        Endpoint::new("GET", "/health", Public, async || "OK"),
        Endpoint::new("GET", "/version", Public, async || MLFLOW_VERSION),
        Endpoint::new("GET", "/get-artifact", Read, artifacts::of_run),
        Endpoint::new(
            "GET",
            "/model-versions/get-artifact",
            Read,
            artifacts::of_version,
        ),
        Endpoint::new("GET", of_logged_model, Read, artifacts::of_logged_model),
    ];
    for prefix in ["/api", "/ajax-api"] {
        endpoints.push(Endpoint::new(
            "GET",
            format!("{prefix}/3.0/mlflow/server-info"),
            Read,
            server_info,
        ));
        for (method, path, needs, rpc) in ROUTES {
            let handler = move |platform, params, request| call(*rpc, platform, params, request);
            endpoints.push(Endpoint::new(
                method,
                format!("{prefix}/2.0/mlflow/{path}"),
                *needs,
                handler,
            ));
        }
        endpoints.extend(webhooks::endpoints(prefix));
        endpoints.extend(left_out_endpoints(prefix));
        endpoints.extend(artifacts::endpoints(prefix));
    }
    endpoints
}

/// Returns an answer, that it is not part of this server, for each part of the API in [`LEFT_OUT`].
fn left_out_endpoints(prefix: &str) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for name in LEFT_OUT {
        for version in ["2.0", "3.0"] {
            let path = format!("{prefix}/{version}/mlflow/{name}");
            let left_out = move || async move { ApiError::NotImplemented(name) };
            endpoints.push(Endpoint::new("*", path.clone(), Read, left_out));
            endpoints.push(Endpoint::new(
                "*",
                format!("{path}/{{*rest}}"),
                Read,
                left_out,
            ));
        }
    }
    endpoints
}

async fn server_info(
    CallerPlatform(platform): CallerPlatform,
    Extension(direct): Extension<DirectTransfer>,
) -> Response {
    let is_direct = direct == DirectTransfer::Advertised && platform.store.blobs().can_sign();
    let body = serde_json::json!({
        "store_type": "SqlStore",
        "workspaces_enabled": false,
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": is_direct,
        "multipart_downloads_enabled": is_direct,
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
async fn call(
    rpc: Rpc,
    CallerPlatform(platform): CallerPlatform,
    params: RawPathParams,
    request: Request,
) -> Result<Response, ApiError> {
    let fields = fields_of(&params, request).await?;
    Ok(json_response(
        blocking(move || rpc(&platform, &fields)).await?,
    ))
}

/// Reads a request with the parameters in its path.
async fn fields_of(params: &RawPathParams, request: Request) -> Result<Fields<'static>, ApiError> {
    let (parts, body) = request.into_parts();
    let mut fields = read_fields(
        &parts.method,
        parts.uri.query().unwrap_or_default(),
        &parts.headers,
        body,
    )
    .await?;
    for (name, value) in params {
        fields = fields.with(name, value.to_owned());
    }
    Ok(fields)
}

async fn read_fields(
    method: &Method,
    query: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Fields<'static>, ApiError> {
    let body = axum::body::to_bytes(body, BODY_BYTES_LIMIT)
        .await
        .map_err(|_| ApiError::TooLarge {
            limit: BODY_BYTES_LIMIT,
        })?;
    // Only what changes nothing may be asked for by an address alone: a page in a browser can make one open any.
    if *method == Method::GET && (body.is_empty() || !query.is_empty()) {
        return Fields::of_query(query);
    }
    if body.is_empty() {
        return Ok(Fields::default());
    }
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if *method != Method::GET && !kind.to_ascii_lowercase().starts_with("application/json") {
        return Err(ApiError::invalid(format!(
            "Bad Request. Content-Type must be application/json. Received: '{kind}'"
        )));
    }
    Fields::of_body(&body)
}

/// Finds the file at a path below an artifact URI.
fn find_below(
    platform: &Platform,
    root_uri: &str,
    path: &str,
) -> Result<veracta_store::tracking::ArtifactFile, ApiError> {
    let path = veracta_tracking::artifacts::checked_path(path)?;
    let root = veracta_tracking::path_of(root_uri);
    let root = root.ok_or_else(|| {
        ApiError::invalid(format!(
            "Artifacts at '{root_uri}' do not go through this server."
        ))
    })?;
    Ok(veracta_tracking::artifacts::find(
        platform,
        &format!("{root}/{path}"),
    )?)
}
