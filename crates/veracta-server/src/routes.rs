//! Every route with the permission it needs, in one table.
//!
//! | route | content |
//! |---|---|
//! | `GET /checkpoint` | the signed head, cached for seconds only |
//! | `GET /tile/{*path}` | tiles and entry bundles, immutable |
//! | `GET /log.vkey` | the log's public key |
//! | `GET /healthz`, `GET /readyz` | whether the process answers, whether it can do its work |
//! | `GET /metrics` | counts and durations for Prometheus |
//! | `/auth/…` | log-in through an identity provider, see [`crate::oidc`] |
//! | `/api/v1/…` | Veracta's own API, see [`crate::api`] |
//! | `/api/2.0/mlflow/…`, `/ajax-api/…` | MLflow's API, see [`crate::mlflow`] |

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use veracta_governance::access::Permission;
use veracta_ledger::tile::TileId;

use crate::access::{AccessControl, CallerPlatform};
use crate::blocking::blocking;
use crate::endpoint::Endpoint;
use crate::error::ApiError;

/// Longest time in which database and object store must answer to count as there.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a server offers everything or only the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// The ledger, which anybody may read.
    LedgerOnly,
    /// The ledger, the tracking server, the registry and Veracta's own API.
    Everything,
}

/// Returns the table of routes.
pub(crate) fn endpoints(offer: Offer) -> Vec<Endpoint> {
    let mut endpoints = vec![
        Endpoint::new("GET", "/checkpoint", Permission::Public, checkpoint),
        Endpoint::new("GET", "/tile/{*path}", Permission::Public, tile),
        Endpoint::new("GET", "/log.vkey", Permission::Public, log_key),
        Endpoint::new("GET", "/healthz", Permission::Public, async || "ok\n"),
        Endpoint::new("GET", "/readyz", Permission::Public, ready),
    ];
    if offer == Offer::Everything {
        endpoints.push(Endpoint::new("GET", "/metrics", Permission::Read, metrics));
        endpoints.push(Endpoint::new(
            "GET",
            "/auth/login",
            Permission::Public,
            crate::oidc::login,
        ));
        endpoints.push(Endpoint::new(
            "GET",
            "/auth/callback",
            Permission::Public,
            crate::oidc::callback,
        ));
        endpoints.push(Endpoint::new(
            "POST",
            "/auth/logout",
            Permission::Public,
            crate::oidc::logout,
        ));
        endpoints.extend(crate::api::endpoints());
        endpoints.extend(crate::mlflow::endpoints());
    }
    endpoints
}

/// Returns method, path and permission of every route of a server that offers everything.
pub fn route_table() -> Vec<(&'static str, String, Permission)> {
    endpoints(Offer::Everything)
        .into_iter()
        .map(|endpoint| (endpoint.method, endpoint.path, endpoint.needs))
        .collect()
}

/// Puts the check of access before every route of the table; there are no others.
pub(crate) fn router(access: &Arc<AccessControl>, offer: Offer) -> Router {
    let mut router = Router::new();
    for Endpoint {
        method,
        path,
        needs,
        handler,
    } in endpoints(offer)
    {
        let (access, pattern): (_, Arc<str>) = (Arc::clone(access), path.as_str().into());
        let pass = move |request, next| {
            Arc::clone(&access).watch(needs, Arc::clone(&pattern), request, next)
        };
        let layer = axum::middleware::from_fn(pass);
        // To axum a route for every method is what answers when no method fits.
        let guarded = if method == "*" {
            handler.layer(layer)
        } else {
            handler.route_layer(layer)
        };
        router = router.route(&path, guarded);
    }
    router
        .fallback(async || ApiError::NoRoute)
        .layer(Extension(Arc::clone(access)))
}

async fn checkpoint(CallerPlatform(platform): CallerPlatform) -> Result<Response, ApiError> {
    // What was committed since the last time is published now.
    let note = blocking(move || Ok(platform.store.publish()?)).await?;
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CACHE_CONTROL, "max-age=5"),
    ];
    Ok((headers, note).into_response())
}

async fn tile(
    CallerPlatform(platform): CallerPlatform,
    Path(path): Path<String>,
) -> Result<Response, ApiError> {
    // Only the canonical name of a tile is looked up: there is no way to name another file.
    let id = TileId::parse(&format!("tile/{path}")).map_err(|_| ApiError::NotFound)?;
    let bytes = blocking(move || {
        platform
            .store
            .blobs()
            .log_file(&id.to_string())
            .map_err(|_| ApiError::Internal)
    })
    .await?;
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, bytes.ok_or(ApiError::NotFound)?).into_response())
}

async fn log_key(CallerPlatform(platform): CallerPlatform) -> String {
    format!("{}\n", platform.store.log_key())
}

async fn metrics(
    CallerPlatform(platform): CallerPlatform,
    Extension(access): Extension<Arc<AccessControl>>,
) -> Result<Response, ApiError> {
    let n_entries = blocking(move || Ok(platform.store.size()?)).await?;
    let text = access
        .metrics
        .text(n_entries)
        .map_err(|_| ApiError::Internal)?;
    Ok((
        [(
            CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
        .into_response())
}

/// Whether requests can be answered now: the database and the object store do.
async fn ready(CallerPlatform(platform): CallerPlatform) -> Result<&'static str, ApiError> {
    let asked = blocking(move || {
        platform.store.size()?;
        platform.store.published_checkpoint()?;
        Ok("ready\n")
    });
    tokio::time::timeout(READY_TIMEOUT, asked)
        .await
        .map_err(|_| ApiError::Unavailable)?
}
