//! `veracta serve`: MLflow's API and the ledger over HTTP.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::bail;
use veracta_server::{
    Accounts, DirectTransfer, Limits, LineageBackend, Offer, OidcOptions, Options, Receivers,
    TlsFiles,
};

use crate::args::{Args, Serve};
use crate::output::Answer;

pub(super) fn execute(args: &Args, options: &Serve) -> anyhow::Result<Answer> {
    let platform = Arc::new(super::platform(args)?);
    let has_users = veracta_tracking::access::has_users(&platform.store)?;
    let is_private = options.listen.ip().is_loopback();
    if !has_users && !is_private && !options.ledger_only {
        bail!(
            "there are no users, and {} can be reached from elsewhere: anybody could write here. Add a user first (veracta user add NAME \
             --role administrator), listen on 127.0.0.1, or publish the ledger only (--ledger-only)",
            options.listen.ip()
        );
    }
    platform.store.publish()?;
    veracta_tracking::experiments::begin(&platform)?;
    let tls = options
        .tls_certificate
        .clone()
        .zip(options.tls_key.clone())
        .map(|(certificates, key)| TlsFiles { certificates, key });
    let scheme = if tls.is_some() { "https" } else { "http" };
    let offer = if options.ledger_only {
        Offer::LedgerOnly
    } else {
        Offer::Everything
    };
    let limits = Limits {
        requests_a_second: options.rate,
        refusals_a_minute: options.refusals,
    };
    let receivers = if options.webhooks_anywhere {
        Receivers::Any
    } else {
        Receivers::Public
    };
    let accounts = if has_users {
        Accounts::Required
    } else {
        Accounts::None
    };
    let name = platform.store.log_key().name();
    let ready = |address: SocketAddr| {
        let offered = match (offer, accounts) {
            (Offer::LedgerOnly, _) => String::new(),
            (Offer::Everything, Accounts::None) => format!(
                "tracking and registry for MLflow clients at {scheme}://{address} (MLFLOW_TRACKING_URI)\n\
                 note: there are no users: every program on this machine can read and write here (veracta user add)\n"
            ),
            (Offer::Everything, Accounts::Required) => {
                let warning = if scheme == "http" && !is_private {
                    "note: tokens travel unencrypted unless something in front of this server speaks TLS (--tls-certificate, --tls-key)\n"
                } else {
                    ""
                };
                format!(
                    "tracking and registry for MLflow clients at {scheme}://{address} (MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN)\n{warning}"
                )
            }
        };
        // Nobody may be listening: a closed pipe does not end the server.
        let _ = write!(
            std::io::stderr(),
            "publishing log {name} read-only at {scheme}://{address}/checkpoint\n{offered}"
        );
    };
    let api_key = std::env::var("OPENLINEAGE_API_KEY").ok();
    let lineage = options
        .openlineage
        .clone()
        .map(|url| LineageBackend { url, api_key });
    let direct_transfer = if options.direct_transfer {
        DirectTransfer::Advertised
    } else {
        DirectTransfer::OnRequest
    };
    let options = Options {
        listen: options.listen,
        offer,
        accounts,
        tls,
        oidc: oidc(options),
        receivers,
        limits,
        direct_transfer,
        lineage,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let served = runtime.block_on(veracta_server::serve(&platform, options, ready));
    // Requests still running hold the platform: they end before it does.
    drop(runtime);
    served?;
    Ok(Answer::Yes)
}

fn oidc(options: &Serve) -> Option<OidcOptions> {
    Some(OidcOptions {
        issuer: options.oidc_issuer.clone()?,
        client_id: options.oidc_client.clone()?,
        client_secret: std::env::var("VERACTA_OIDC_SECRET").ok(),
        public_url: options.public_url.clone()?,
        claim: options.oidc_claim.clone(),
    })
}
