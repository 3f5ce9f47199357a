//! What the server did, for Prometheus (OpenMetrics 1.0 text).

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

/// Which requests: the pattern of a path, never the path itself, which a caller chooses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Requests {
    method: String,
    route: String,
    status: u16,
}

/// Counts and durations of requests.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Requests, Counter>,
    seconds: Histogram,
    entries: Gauge<u64, AtomicU64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("veracta");
        let (requests, entries) = (Family::default(), Gauge::default());
        let seconds = Histogram::new(SECONDS);
        registry.register(
            "requests",
            "Requests answered, by method, route and status",
            Family::clone(&requests),
        );
        registry.register_with_unit(
            "request_duration",
            "Time from a request to its answer",
            Unit::Seconds,
            seconds.clone(),
        );
        registry.register("ledger_entries", "Entries of the ledger", entries.clone());
        Self {
            registry,
            requests,
            seconds,
            entries,
        }
    }

    /// Counts an answered request and its duration.
    pub(crate) fn note(
        &self,
        method: &axum::http::Method,
        route: &str,
        status: u16,
        took: Duration,
    ) {
        let labels = Requests {
            method: method.to_string(),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Returns all counts and durations in the text format of OpenMetrics, with the present number of ledger entries.
    pub(crate) fn text(&self, n_entries: u64) -> Result<String, std::fmt::Error> {
        self.entries.set(n_entries);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
