//! Translates HTTP into lifecycle calls and results into HTTP.
//!
//! It publishes the ledger read-only, as any C2SP tlog-tiles log does, so that monitors and auditors follow it with tools of their own,
//! and speaks MLflow's API, so that training code logs and registers here unchanged. It knows no rule.

mod error;
mod mlflow;
mod routes;

use std::net::SocketAddr;
use std::sync::Arc;

pub use routes::Offer;
use veracta_lifecycle::Platform;

/// Serves until the process is told to end; `ready` is called with the address and what is offered there once it listens.
///
/// Tracking is offered on a loopback address only: there are no accounts yet, and any other address could be reached by anybody.
///
/// The caller keeps a reference: the store waits on a runtime of its own, which must not end inside this one.
pub async fn serve(platform: &Arc<Platform>, listen: SocketAddr, ready: impl FnOnce(SocketAddr, Offer)) -> std::io::Result<()> {
    let offer = if listen.ip().is_loopback() { Offer::Tracking } else { Offer::LedgerOnly };
    let listener = tokio::net::TcpListener::bind(listen).await?;
    ready(listener.local_addr()?, offer);
    let router = routes::router(Arc::clone(platform), offer);
    let ended = async {
        // Without a signal handler the system ends the process in its own way, which loses nothing that was answered.
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, router).with_graceful_shutdown(ended).await
}
