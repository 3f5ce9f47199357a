//! Tells receivers of events what happened, in order and at least once; see [`veracta_tracking::webhooks`].
//!
//! One server of several does it at a time. A receiver that does not answer is tried again a few times and then passed over, so that it
//! does not keep the events of a day for itself. Nothing is sent to an address of an inner network unless the operator allows it: who may
//! name a receiver must not reach through this server what only this server can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::json;
use veracta_store::Platform;
use veracta_store::webhooks::Webhook;
use veracta_tracking::webhooks::{self, Event};

use crate::blocking::blocking;
use crate::error::{ApiError, log_error};

/// Wait between two looks at the ledger.
pub(crate) const LOOKED_EVERY: Duration = Duration::from_millis(250);
/// Longest wait for an answer of a receiver.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Waits between attempts to deliver an event.
const WAITS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(16),
];
/// Entries looked at before it is noted how far a receiver was told.
const NOTED_EVERY: u64 = 256;
/// Longest part of an answer that a test shows.
const SHOWN_BYTES: usize = 2_000;

/// Which addresses events may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receivers {
    /// To public addresses, over HTTPS.
    Public,
    /// Also to addresses of an inner network, and over HTTP.
    Any,
}

/// Why an event cannot be delivered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliveryError {
    /// Not a URL that events are sent to.
    #[error("Invalid webhook URL: {0}")]
    Url(&'static str),
    /// The host resolves to no public address.
    #[error("Invalid webhook URL: it resolves to an address that is not public")]
    NotPublic,
    /// The name of the host cannot be resolved.
    #[error("the name of the receiver cannot be resolved")]
    NoAddress,
    /// The receiver cannot be reached or does not answer in time.
    #[error("the receiver does not answer")]
    NoAnswer,
}

/// Status and beginning of the body that a receiver answered.
pub(crate) struct Delivered {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Checks that a URL is one that events may be sent to, as far as its text shows.
pub(crate) fn check_url(text: &str, receivers: Receivers) -> Result<reqwest::Url, DeliveryError> {
    let url = reqwest::Url::parse(text).map_err(|_| DeliveryError::Url("it is not a URL"))?;
    match (url.scheme(), receivers) {
        ("https", _) | ("http", Receivers::Any) => {}
        _ => return Err(DeliveryError::Url("it must begin with https://")),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(DeliveryError::Url("it names no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(DeliveryError::Url(
            "it must not hold a user name or password",
        ));
    }
    let literal = url.host_str().and_then(|host| {
        host.trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .ok()
    });
    if receivers == Receivers::Public && literal.is_some_and(|address| !is_public(address)) {
        return Err(DeliveryError::NotPublic);
    }
    Ok(url)
}

/// Whether an address is one that anybody can reach (the IANA registries of special-purpose addresses).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        // Shared by carriers, for protocols, for benchmarks, and the old relays of 6to4.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let segments = address.segments();
    // Only 2000::/3 is given out; of it, these lead elsewhere: Teredo and others (2001::/23), documentation, 6to4.
    let is_given_out = segments[0] & 0xe000 == 0x2000;
    let is_special = (segments[0] == 0x2001 && (segments[1] < 0x0200 || segments[1] == 0x0db8))
        || segments[0] == 0x2002
        || (segments[0] == 0x3fff && segments[1] < 0x1000);
    is_given_out && !is_special
}

/// Sends one event to one receiver, signed with its secret.
pub(crate) async fn deliver(
    webhook: &Webhook,
    secret: Option<&str>,
    event: &Event,
    receivers: Receivers,
) -> Result<Delivered, DeliveryError> {
    let url = check_url(&webhook.url, receivers)?;
    let host = url
        .host_str()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let found = tokio::net::lookup_host((host.as_str(), port))
        .await
        .map_err(|_| DeliveryError::NoAddress)?;
    let addresses: Vec<SocketAddr> = found
        .filter(|address| receivers == Receivers::Any || is_public(address.ip()))
        .collect();
    if addresses.is_empty() {
        return Err(DeliveryError::NotPublic);
    }
    let now = jiff::Timestamp::now();
    let (entity, action) = (event.entity.to_lowercase(), event.action.to_lowercase());
    let body = json!({ "entity": entity, "action": action, "timestamp": format!("{now:.6}"), "data": event.data }).to_string();
    let (id, seconds) = (
        webhooks::new_uuid().map_err(|_| DeliveryError::NoAnswer)?,
        now.as_second().to_string(),
    );
    // The addresses that were checked are the ones that are asked: a name may answer otherwise the next time.
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .resolve_to_addrs(&host, &addresses)
        .build()
        .map_err(|_| DeliveryError::NoAnswer)?;
    let mut request = client.post(url).header("Content-Type", "application/json");
    request = request
        .header("X-MLflow-Delivery-Id", &id)
        .header("X-MLflow-Timestamp", &seconds);
    if let Some(secret) = secret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
        request = request.header(
            "X-MLflow-Signature",
            format!("v1,{}", STANDARD.encode(signature)),
        );
    }
    let mut answer = request
        .body(body)
        .send()
        .await
        .map_err(|_| DeliveryError::NoAnswer)?;
    let (status, mut shown) = (answer.status().as_u16(), Vec::new());
    while shown.len() < SHOWN_BYTES
        && let Ok(Some(piece)) = answer.chunk().await
    {
        shown.extend_from_slice(&piece);
    }
    shown.truncate(SHOWN_BYTES);
    Ok(Delivered {
        status,
        body: String::from_utf8_lossy(&shown).into_owned(),
    })
}

/// Returns the size of the ledger, and the webhooks that have not been sent its latest entries.
pub(crate) async fn behind(platform: &Arc<Platform>) -> Result<(u64, Vec<Webhook>), ApiError> {
    let reader = Arc::clone(platform);
    let (size, mut all) =
        blocking(move || Ok((reader.store.size()?, webhooks::list(&reader)?))).await?;
    all.retain(|webhook| webhook.told_to < size);
    Ok((size, all))
}

/// Sends a webhook the events of the entries that it was not sent, up to `size`; a failure ends it, and the next look starts it again.
pub(crate) async fn catch_up(
    platform: &Arc<Platform>,
    webhook: Webhook,
    size: u64,
    receivers: Receivers,
) {
    let mut told_to = webhook.told_to;
    while told_to < size {
        let end = size.min(told_to + NOTED_EVERY);
        let reader = Arc::clone(platform);
        let read = blocking(move || {
            let mut found = Vec::new();
            for idx in told_to..end {
                found.push(webhooks::events_at(&reader.store, idx)?);
            }
            Ok(found)
        });
        let Ok(found) = read.await else { return };
        let is_wanted = |event: &&Event| {
            webhook.status == "ACTIVE"
                && webhook
                    .events
                    .iter()
                    .any(|(entity, action)| entity == event.entity && action == event.action)
        };
        for event in found.iter().flatten().filter(is_wanted) {
            deliver_or_pass_over(platform, &webhook, event, receivers).await;
        }
        told_to = end;
        let (writer, id) = (Arc::clone(platform), webhook.id.clone());
        if blocking(move || Ok(webhooks::note_told(&writer, id, told_to)?))
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn deliver_or_pass_over(
    platform: &Arc<Platform>,
    webhook: &Webhook,
    event: &Event,
    receivers: Receivers,
) {
    let (reader, of) = (Arc::clone(platform), webhook.clone());
    let Ok(secret) = blocking(move || Ok(webhooks::secret_of(&reader.store, &of)?)).await else {
        return;
    };
    for wait in WAITS.iter().map(Some).chain([None]) {
        match deliver(webhook, secret.as_deref(), event, receivers).await {
            // What the receiver refuses for good will not be taken later.
            Ok(Delivered { status, .. }) if status < 500 && status != 429 => return,
            Err(DeliveryError::Url(_) | DeliveryError::NotPublic) => break,
            _ => {}
        }
        match wait {
            Some(wait) => tokio::time::sleep(*wait).await,
            None => break,
        }
    }
    log_error(&format!(
        "webhook {} was not told of {}.{}: it did not take it",
        webhook.id, event.entity, event.action
    ));
}

impl From<DeliveryError> for ApiError {
    fn from(error: DeliveryError) -> Self {
        Self::invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_told() {
        let check = |url: &str, is_taken: bool| {
            assert_eq!(check_url(url, Receivers::Public).is_ok(), is_taken, "{url}")
        };
        check("https://example.org/hook", true);
        check("https://93.184.215.14/hook", true);
        check("https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", true);
        for url in [
            "http://example.org/",
            "ftp://example.org/",
            "https://user:secret@example.org/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://10.1.2.3/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://[2002:7f00:1::]/",
            "file:///etc/passwd",
            "not a url",
        ] {
            check(url, false);
        }
        assert!(check_url("http://127.0.0.1:9/", Receivers::Any).is_ok());
    }
}
