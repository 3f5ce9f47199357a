//! Nothing but routes.
//!
//! | route | content |
//! |---|---|
//! | `GET /checkpoint` | the signed head, cached for seconds only |
//! | `GET /tile/{*path}` | tiles and entry bundles, immutable |
//! | `GET /log.vkey` | the log's public key |
//! | `GET /healthz` | whether the process answers |
//! | `/api/2.0/mlflow/…`, `/ajax-api/…` | MLflow's API, see [`crate::mlflow`] |

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use veracta_ledger::tile::TileId;
use veracta_lifecycle::Platform;

use crate::error::ApiError;

/// What a server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// The ledger, which anybody may read.
    LedgerOnly,
    /// Tracking and the registry too. There are no accounts: only for those who can reach this machine's own address.
    Tracking,
}

pub(crate) fn router(platform: Arc<Platform>, offer: Offer) -> Router {
    let tracking = match offer {
        Offer::LedgerOnly => Router::new(),
        Offer::Tracking => crate::mlflow::router(),
    };
    Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/log.vkey", get(log_key))
        .route("/healthz", get(async || "ok\n"))
        .merge(tracking)
        .fallback(async || ApiError::NoRoute)
        .with_state(platform)
}

/// Runs blocking work beside the event loop.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, ApiError> + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::Internal)?
}

async fn checkpoint(State(platform): State<Arc<Platform>>) -> Result<Response, ApiError> {
    // What was committed since the last time is published now.
    let note = blocking(move || Ok(platform.store.publish()?)).await?;
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "max-age=5")];
    Ok((headers, note).into_response())
}

async fn tile(State(platform): State<Arc<Platform>>, Path(path): Path<String>) -> Result<Response, ApiError> {
    // Only the canonical name of a tile is looked up: there is no way to name another file.
    let id = TileId::parse(&format!("tile/{path}")).map_err(|_| ApiError::NotFound)?;
    let bytes = blocking(move || platform.store.blobs().log_file(&id.to_string()).map_err(|_| ApiError::Internal)).await?;
    let headers = [(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, bytes.ok_or(ApiError::NotFound)?).into_response())
}

async fn log_key(State(platform): State<Arc<Platform>>) -> String {
    format!("{}\n", platform.store.log_key())
}
