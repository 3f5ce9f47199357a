//! `veracta serve`: the ledger read-only over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;

use veracta_server::Offer;

use crate::args::Args;
use crate::output::Answer;

pub(super) fn execute(args: &Args, listen: SocketAddr) -> anyhow::Result<Answer> {
    let platform = Arc::new(super::platform(args)?);
    platform.store.publish()?;
    veracta_lifecycle::tracking::experiments::begin(&platform)?;
    let name = platform.store.log_key().name();
    let ready = |address: SocketAddr, offer: Offer| {
        eprintln!("publishing log {name} read-only at http://{address}/checkpoint");
        match offer {
            Offer::Tracking => {
                eprintln!("tracking and registry for MLflow clients at http://{address} (MLFLOW_TRACKING_URI)");
                eprintln!("note: there are no accounts: every program on this machine can read and write here");
            }
            Offer::LedgerOnly => {
                eprintln!(
                    "note: tracking is not offered at this address: there are no accounts, and others could write here; use 127.0.0.1"
                );
            }
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(veracta_server::serve(&platform, listen, ready));
    // Requests still running hold the platform: they end before it does.
    drop(runtime);
    served.with_context(|| format!("cannot listen on {listen}"))?;
    Ok(Answer::Yes)
}
