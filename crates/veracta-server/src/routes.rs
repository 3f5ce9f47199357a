//! Nothing but routes.
//!
//! | route | content |
//! |---|---|
//! | `GET /checkpoint` | the signed head, cached for seconds only |
//! | `GET /tile/{*path}` | tiles and entry bundles, immutable |
//! | `GET /log.vkey` | the log's public key |
//! | `GET /healthz` | whether the process answers |

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use veracta_ledger::tile::TileId;
use veracta_lifecycle::Platform;

use crate::error::ApiError;

pub(crate) fn router(platform: Arc<Platform>) -> Router {
    Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/log.vkey", get(log_key))
        .route("/healthz", get(async || "ok\n"))
        .with_state(platform)
}

/// Runs blocking work beside the event loop.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, ApiError> + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::Internal)?
}

async fn checkpoint(State(platform): State<Arc<Platform>>) -> Result<Response, ApiError> {
    let note = blocking(move || platform.store.published_checkpoint().map_err(|_| ApiError::Internal)).await?;
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "max-age=5")];
    Ok((headers, note.ok_or(ApiError::NotFound)?).into_response())
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
