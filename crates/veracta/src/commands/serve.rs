//! `veracta serve`: the ledger read-only over HTTP, and MLflow's API on a loopback address.

use std::io::Write;
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
        let tracking = match offer {
            Offer::Tracking => format!(
                "tracking and registry for MLflow clients at http://{address} (MLFLOW_TRACKING_URI)\n\
                 note: there are no accounts: every program on this machine can read and write here"
            ),
            Offer::LedgerOnly => {
                "note: tracking is not offered at this address: there are no accounts, and others could write; use 127.0.0.1".to_owned()
            }
        };
        // Nobody may be listening: a closed pipe does not end the server.
        let _ = writeln!(std::io::stderr(), "publishing log {name} read-only at http://{address}/checkpoint\n{tracking}");
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(veracta_server::serve(&platform, listen, ready));
    // Requests still running hold the platform: they end before it does.
    drop(runtime);
    served.with_context(|| format!("cannot listen on {listen}"))?;
    Ok(Answer::Yes)
}
