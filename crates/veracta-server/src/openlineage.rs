//! Tells a backend of OpenLineage (Marquez, a catalogue) of each recorded run, in order and at least once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use veracta_store::Platform;
use veracta_tracking::openlineage::{note_told, told_to, visit_events};

use crate::blocking::blocking;
use crate::error::{ApiError, log_error};

/// Wait between two looks at the ledger.
pub(crate) const LOOKED_EVERY: Duration = Duration::from_secs(1);
/// Wait after the backend did not take an event.
pub(crate) const RETRIED_AFTER: Duration = Duration::from_secs(30);
/// Longest wait for an answer of the backend.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the operator is told when no client for requests can be made.
pub(crate) const NO_CLIENT: &str =
    "lineage is not sent: this system cannot make the requests it needs";

/// Where events are sent, as the operator says.
#[derive(Debug, Clone)]
pub struct LineageBackend {
    /// Address that takes events, such as `https://marquez.example.org/api/v1/lineage`.
    pub url: String,
    /// Sent as a bearer token; `None` sends no credentials.
    pub api_key: Option<String>,
}

/// Sends recorded runs to a backend.
pub(crate) struct LineageSender {
    client: reqwest::Client,
    backend: LineageBackend,
}

impl LineageSender {
    pub(crate) fn new(backend: LineageBackend) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Self { client, backend })
    }

    /// Sends the events of the entries that the backend was not sent, in order.
    pub(crate) async fn look(&self, platform: &Arc<Platform>) -> Result<(), ApiError> {
        let reader = Arc::clone(platform);
        let (events, from, size) = blocking(move || {
            let (from, mut events) = (told_to(&reader.store)?, Vec::new());
            let size = visit_events(&reader.store, from, &mut |idx, event| {
                events.push((idx, event))
            })?;
            Ok((events, from, size))
        })
        .await?;
        for (idx, event) in events {
            send(&self.client, &self.backend, &event).await?;
            note(platform, idx + 1).await?;
        }
        if size > from {
            note(platform, size).await
        } else {
            Ok(())
        }
    }
}

async fn note(platform: &Arc<Platform>, size: u64) -> Result<(), ApiError> {
    let writer = Arc::clone(platform);
    blocking(move || Ok(note_told(&writer.store, size)?)).await
}

/// Sends one event; one that the backend refuses for good is passed over.
async fn send(
    client: &reqwest::Client,
    backend: &LineageBackend,
    event: &Value,
) -> Result<(), ApiError> {
    let mut request = client
        .post(&backend.url)
        .header("Content-Type", "application/json")
        .body(event.to_string());
    if let Some(key) = &backend.api_key {
        request = request.bearer_auth(key);
    }
    let run = event["run"]["runId"].as_str().unwrap_or_default();
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) if answer.status().is_client_error() && answer.status().as_u16() != 429 => {
            log_error(&format!(
                "the lineage backend refused the event of run {run}: {}",
                answer.status()
            ));
            Ok(())
        }
        _ => {
            log_error(&format!(
                "the lineage backend does not take the event of run {run} now; it is tried again"
            ));
            Err(ApiError::Unavailable)
        }
    }
}
