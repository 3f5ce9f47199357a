//! Tells a backend of OpenLineage (Marquez, a catalogue) of each recorded run, in order and at least once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use veracta_lifecycle::Platform;
use veracta_lifecycle::openlineage::{note_told, told_to, visit_events};

use crate::error::{ApiError, complain};
use crate::routes::blocking;

/// How often the ledger is looked at.
const LOOKED_EVERY: Duration = Duration::from_secs(1);
/// Wait after the backend did not take an event.
const RETRIED_AFTER: Duration = Duration::from_secs(30);
/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where events are sent, as the operator says.
#[derive(Debug, Clone)]
pub struct LineageBackend {
    /// Address that takes events, such as `https://marquez.example.org/api/v1/lineage`.
    pub url: String,
    /// Sent as a bearer token.
    pub api_key: Option<String>,
}

/// Tells the backend of everything, until the server ends.
pub(crate) async fn tell(platform: Arc<Platform>, backend: LineageBackend) {
    let Ok(client) = reqwest::Client::builder().timeout(TIMEOUT).build() else {
        complain(&"lineage is not sent: this system cannot make the requests it needs");
        return;
    };
    let mut leading = None;
    loop {
        tokio::time::sleep(LOOKED_EVERY).await;
        if leading.is_none() {
            let store = Arc::clone(&platform.store);
            leading = blocking(move || Ok(store.lead("openlineage")?))
                .await
                .ok()
                .flatten();
            if leading.is_none() {
                continue;
            }
        }
        // A failure has been told to the operator; it is tried again.
        if catch_up(&platform, &client, &backend).await.is_err() {
            leading = None;
            tokio::time::sleep(RETRIED_AFTER).await;
        }
    }
}

async fn catch_up(
    platform: &Arc<Platform>,
    client: &reqwest::Client,
    backend: &LineageBackend,
) -> Result<(), ApiError> {
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
        send(client, backend, &event).await?;
        note(platform, idx + 1).await?;
    }
    if size > from {
        note(platform, size).await
    } else {
        Ok(())
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
            complain(&format!(
                "the lineage backend refused the event of run {run}: {}",
                answer.status()
            ));
            Ok(())
        }
        _ => {
            complain(&format!(
                "the lineage backend does not take the event of run {run} now; it is tried again"
            ));
            Err(ApiError::Unavailable)
        }
    }
}
