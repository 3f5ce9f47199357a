//! Veracta's own API: what MLflow's has no word for.

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde_json::{Value, json};
use veracta_governance::access::Permission;
use veracta_tracking::access::Caller;
use veracta_tracking::openlineage;
use veracta_tracking::purge::purge_run;

use crate::access::{CallerPlatform, roles_of};
use crate::blocking::blocking;
use crate::endpoint::Endpoint;
use crate::error::ApiError;

/// Description of Veracta's own API, as JSON of OpenAPI 3.1.
const DESCRIPTION: &str = include_str!("openapi.json");
/// Largest body of a request, in bytes: 1 MiB.
const BODY_BYTES_LIMIT: usize = 1 << 20;
/// Largest event: plans of large jobs are in some.
const EVENT_BYTES_LIMIT: usize = 8 << 20;

/// Returns the routes of the API.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("GET", "/api/v1/me", Permission::Read, me),
        Endpoint::new("GET", "/api/v1/openapi.json", Permission::Read, description),
        Endpoint::new("POST", "/api/v1/lineage", Permission::Track, lineage),
        Endpoint::new(
            "POST",
            "/api/v1/runs/{run_id}/purge",
            Permission::Erase,
            purge,
        ),
    ]
}

/// Answers with the description of this API.
async fn description() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DESCRIPTION)
}

/// Answers with the name, the roles and the factor of the caller.
async fn me(
    CallerPlatform(platform): CallerPlatform,
    caller: Option<Extension<Caller>>,
) -> Json<Value> {
    let caller = caller.map(|Extension(caller)| caller);
    let roles = roles_of(caller.as_ref());
    let factor = caller
        .as_ref()
        .map_or("local", |caller| caller.factor.as_str());
    let limited_to = caller
        .as_ref()
        .map_or_else(|| roles.words(), |caller| caller.limited_to.words());
    Json(
        json!({ "name": platform.actor, "roles": roles.words(), "limited_to": limited_to, "factor": factor }),
    )
}

/// Reads a body of JSON; a page elsewhere cannot send one without asking first.
async fn read_json(headers: &HeaderMap, body: Body, limit: usize) -> Result<Value, ApiError> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        return Err(ApiError::invalid(
            "the body must be JSON, with Content-Type: application/json",
        ));
    }
    let bytes = axum::body::to_bytes(body, limit)
        .await
        .map_err(|_| ApiError::TooLarge { limit })?;
    serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::invalid(format!("the body is not JSON: {error}")))
}

/// Erases a run for good. The body says why: `{"reason": "…"}`.
async fn purge(
    CallerPlatform(platform): CallerPlatform,
    Path(run_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let body = read_json(&headers, body, BODY_BYTES_LIMIT).await?;
    let reason = body
        .get("reason")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let purged = blocking(move || Ok(purge_run(&platform, run_id, reason)?)).await?;
    Ok(Json(
        json!({ "receipt": purged.receipt, "records": purged.n_records, "files": purged.n_artifacts }),
    ))
}

/// Takes an event of OpenLineage 2-0-2 and says where it is recorded.
async fn lineage(
    CallerPlatform(platform): CallerPlatform,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, ApiError> {
    let event = read_json(&headers, body, EVENT_BYTES_LIMIT).await?;
    let is_without_offset = openlineage::is_without_offset(&event);
    let idx = blocking(move || Ok(openlineage::accept(&platform, event)?)).await?;
    let mut told = json!({ "record": idx });
    if is_without_offset {
        told["note"] = "`eventTime` has no offset and is read as UTC".into();
    }
    Ok((StatusCode::CREATED, Json(told)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_description_has_every_route_and_no_other() {
        let described: Value = serde_json::from_str(DESCRIPTION).expect("it is JSON");
        let mut found = BTreeSet::new();
        for (path, methods) in described["paths"].as_object().expect("it has paths") {
            found.extend(
                methods
                    .as_object()
                    .expect("a path has methods")
                    .keys()
                    .map(|method| (method.to_uppercase(), path.clone())),
            );
        }
        // MLflow's API and log-in by a browser are described elsewhere.
        let is_own = |path: &str| {
            !path.contains("mlflow")
                && !path.starts_with("/auth/")
                && !["/health", "/version", "/get-artifact"].contains(&path)
        };
        let own = crate::routes::route_table()
            .into_iter()
            .filter(|(_, path, _)| is_own(path) && !path.starts_with("/model-versions/"));
        let own: BTreeSet<_> = own
            .map(|(method, path, _)| (method.to_owned(), path.replace("{*path}", "{path}")))
            .collect();
        assert_eq!(found, own);
    }
}
