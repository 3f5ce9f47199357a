//! `veracta serve`: the ledger read-only over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;

use crate::args::Args;
use crate::output::Answer;

pub(super) fn execute(args: &Args, listen: SocketAddr) -> anyhow::Result<Answer> {
    let platform = Arc::new(super::platform(args)?);
    platform.store.publish()?;
    let name = platform.store.log_key().name();
    let ready = |address: SocketAddr| eprintln!("publishing log {name} read-only at http://{address}/checkpoint");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(veracta_server::serve(&platform, listen, ready));
    // Requests still running hold the platform: they end before it does.
    drop(runtime);
    served.with_context(|| format!("cannot listen on {listen}"))?;
    Ok(Answer::Yes)
}
