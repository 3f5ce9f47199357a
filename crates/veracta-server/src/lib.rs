//! Translates HTTP into lifecycle calls and results into HTTP.
//!
//! In this version it publishes the ledger read-only, as any C2SP tlog-tiles log does, so that monitors and auditors follow it with
//! tools of their own. It writes nothing and knows no rule.

mod error;
mod routes;

use std::net::SocketAddr;
use std::sync::Arc;

use veracta_lifecycle::Platform;

/// Serves the ledger until the process is told to end; `ready` is called with the address once it listens.
///
/// The caller keeps a reference: the store waits on a runtime of its own, which must not end inside this one.
pub async fn serve(platform: &Arc<Platform>, listen: SocketAddr, ready: impl FnOnce(SocketAddr)) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    ready(listener.local_addr()?);
    let router = routes::router(Arc::clone(platform));
    let ended = async {
        // Without a signal handler the system ends the process in its own way, which loses nothing: nothing is written.
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, router).with_graceful_shutdown(ended).await
}
