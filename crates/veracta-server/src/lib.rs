//! Translates HTTP into lifecycle calls and results into HTTP.
//!
//! It publishes the ledger read-only, as any C2SP tlog-tiles log does, so that monitors and auditors follow it with tools of their own,
//! and speaks MLflow's API, so that training code logs and registers here unchanged. It knows no rule.

mod access;
mod api;
mod blocking;
mod endpoint;
mod error;
mod jobs;
mod metrics;
mod mlflow;
mod oidc;
mod openlineage;
mod routes;
mod telemetry;
mod tls;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};

pub use access::{Accounts, Limits};
pub use oidc::OidcOptions;
pub use openlineage::LineageBackend;
pub use routes::{Offer, route_table};
pub use tls::{TlsError, TlsFiles};
use veracta_store::Platform;
pub use webhooks::Receivers;

use crate::access::{AccessControl, Peer};
use crate::jobs::{Job, Jobs};
use crate::oidc::{Oidc, Provider};
use crate::telemetry::Traces;
use crate::tls::TlsListener;

/// Longest time that running requests are given when the server ends.
const ENDING_TIMEOUT: Duration = Duration::from_secs(30);

/// Settings with which a server is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address and port on which connections are accepted; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// Whether the server offers everything or only the ledger.
    pub offer: Offer,
    /// Whether requests need a token that identifies their caller.
    pub accounts: Accounts,
    /// Certificate and key; plain HTTP when not given.
    pub tls: Option<TlsFiles>,
    /// Identity provider to log in with; `None` offers no log-in.
    pub oidc: Option<OidcOptions>,
    /// Which addresses webhooks may send events to.
    pub receivers: Receivers,
    /// Limits on the number of requests of a caller or an address.
    pub limits: Limits,
    /// Whether clients are told to send large files to the object store themselves.
    pub direct_transfer: DirectTransfer,
    /// Backend of OpenLineage that each recorded run is sent to; `None` sends none.
    pub lineage: Option<LineageBackend>,
}

/// Whether clients send large files to the object store themselves, and fetch them there; those who ask for it may in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectTransfer {
    /// The server tells clients to transfer large files directly.
    Advertised,
    /// Files go through this server, unless a client asks for a direct transfer.
    OnRequest,
}

/// Why a server does not start or ends.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be used.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Address and port that cannot be used.
        address: SocketAddr,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Requests to an identity provider cannot be made.
    #[error("this system cannot make the requests that an identity provider needs")]
    Client,
    /// The server failed while it answered requests.
    #[error("the server failed")]
    Run(#[source] std::io::Error),
}

/// Serves until the process is told to end; `ready` is called with the address once it listens.
///
/// The caller keeps a reference: the store waits on a runtime of its own, which must not end inside this one.
pub async fn serve(
    platform: &Arc<Platform>,
    options: Options,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    // For what this server asks of others. Another part of the program may have chosen the same already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address = options.listen;
    let listen = |source| ServeError::Listen { address, source };
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .map_err(listen)?;
    let traces = tokio::task::spawn_blocking(Traces::from_environment)
        .await
        .map_err(|_| ServeError::Client)?;
    let access = Arc::new(AccessControl::new(
        Arc::clone(platform),
        options.accounts,
        options.limits,
        traces,
    ));
    let address = listener.local_addr().map_err(listen)?;
    let oidc = options
        .oidc
        .clone()
        .map(Oidc::new)
        .transpose()
        .map_err(|_| ServeError::Client)?
        .map(Arc::new);
    let jobs = start_jobs(platform, &access, &options);
    let served = listen_and_run(listener, &access, &options, oidc, || ready(address)).await;
    jobs.end().await;
    // What was counted is recorded before the process ends; a failure has been told to the operator.
    let _ = tokio::task::spawn_blocking(move || {
        // A failure has been told to the operator.
        let _ = access.flush_refusals(true);
        access.traces.finish();
    })
    .await;
    served
}

/// Starts what this server does beside answering.
fn start_jobs(platform: &Arc<Platform>, access: &Arc<AccessControl>, options: &Options) -> Jobs {
    let jobs = Jobs::default();
    jobs.start(Job::RecordRefusals(Arc::clone(access)));
    jobs.start(Job::SendWebhooks {
        platform: Arc::clone(platform),
        receivers: options.receivers,
    });
    jobs.start(Job::SweepUploads(Arc::clone(platform)));
    if let Some(backend) = options.lineage.clone() {
        jobs.start(Job::SendLineage {
            platform: Arc::clone(platform),
            backend,
        });
    }
    jobs
}

/// Answers over TLS when there is a certificate, and in plain HTTP when there is none.
async fn listen_and_run(
    listener: tokio::net::TcpListener,
    access: &Arc<AccessControl>,
    options: &Options,
    provider: Provider,
    ready: impl FnOnce(),
) -> Result<(), ServeError> {
    match &options.tls {
        Some(files) => {
            let listener = TlsListener::new(listener, files)?;
            ready();
            run(listener, access, options, provider).await
        }
        None => {
            ready();
            run(listener, access, options, provider).await
        }
    }
}

async fn run<L>(
    listener: L,
    access: &Arc<AccessControl>,
    options: &Options,
    provider: Provider,
) -> Result<(), ServeError>
where
    L: Listener,
    L::Addr: std::fmt::Debug,
    Peer: for<'a> Connected<IncomingStream<'a, L>>,
{
    let (told, ending) = tokio::sync::watch::channel(false);
    let router = routes::router(access, options.offer)
        .layer(axum::Extension(provider))
        .layer(axum::Extension(options.receivers))
        .layer(axum::Extension(options.direct_transfer))
        .into_make_service_with_connect_info::<Peer>();
    let ended = async move {
        told_to_end().await;
        // The receiver is kept below until the server has ended.
        let _ = told.send(true);
    };
    let server = axum::serve(listener, router)
        .with_graceful_shutdown(ended)
        .into_future();
    let give_up = async move {
        let mut ending = ending;
        // An error means that the server ended without being told to: the other branch says how.
        if ending.wait_for(|is_ending| *is_ending).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(ENDING_TIMEOUT).await;
    };
    tokio::select! {
        served = server => served.map_err(ServeError::Run),
        () = give_up => Ok(()),
    }
}

/// Waits for SIGINT or SIGTERM.
async fn told_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut interrupt)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) else {
            // Without a signal handler the system ends the process in its own way, which loses nothing that was answered.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    #[cfg(not(unix))]
    {
        let _ = tokio::signal::ctrl_c().await;
    }
}
