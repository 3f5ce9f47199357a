//! Traces for OpenTelemetry, one span a request, when its own variables say where to send them (`OTEL_EXPORTER_OTLP_ENDPOINT`,
//! `OTEL_SERVICE_NAME`, `OTEL_SDK_DISABLED` and the others of its specification).
//!
//! A span has the pattern of the path, never the path: names of people may be in that.

use axum::http::{HeaderMap, Method};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span, SpanKind, Status, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::error::log_error;

/// Name of the service when `OTEL_SERVICE_NAME` gives none.
const SERVICE: &str = "veracta";
/// Variables that say where traces go.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// Makes a span of each request; does nothing when no endpoint is configured.
pub(crate) struct Traces(Option<SdkTracerProvider>);

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}

/// A request that is being answered.
pub(crate) struct RequestSpan(Option<opentelemetry_sdk::trace::Span>);

impl Traces {
    /// Reads the variables. Made outside the event loop: the exporter waits on a thread of its own.
    pub(crate) fn from_environment() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_disabled = std::env::var("OTEL_SDK_DISABLED")
            .is_ok_and(|value| value.eq_ignore_ascii_case("true"));
        if is_disabled || !ENDPOINTS.iter().any(|name| is_set(name)) {
            return Self(None);
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(reqwest::blocking::Client::new())
            .build();
        let exporter = match exporter {
            Ok(exporter) => exporter,
            Err(error) => {
                log_error(&format!("no traces are sent: {error}"));
                return Self(None);
            }
        };
        let mut resource = Resource::builder();
        if !is_set("OTEL_SERVICE_NAME") {
            resource = resource.with_service_name(SERVICE);
        }
        Self(Some(
            SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_resource(resource.build())
                .build(),
        ))
    }

    /// Begins the span of a request, below the caller's own when its headers name one (W3C Trace Context).
    pub(crate) fn begin(&self, method: &Method, pattern: &str, headers: &HeaderMap) -> RequestSpan {
        RequestSpan(self.0.as_ref().map(|provider| {
            let parent = TraceContextPropagator::new()
                .extract_with_context(&Context::new(), &Headers(headers));
            let tracer = provider.tracer(SERVICE);
            let span = tracer
                .span_builder(format!("{method} {pattern}"))
                .with_kind(SpanKind::Server)
                .with_attributes([
                    KeyValue::new("http.request.method", method.to_string()),
                    KeyValue::new("http.route", pattern.to_owned()),
                ]);
            span.start_with_context(&tracer, &parent)
        }))
    }

    /// Sends the spans that were not sent yet, and ends the exporter.
    pub(crate) fn finish(&self) {
        if let Some(provider) = &self.0
            && let Err(error) = provider.shutdown()
        {
            log_error(&format!("the last traces were not sent: {error}"));
        }
    }
}

impl RequestSpan {
    /// Ends the span with the status of the answer.
    pub(crate) fn end(self, status: u16) {
        if let Some(mut span) = self.0 {
            span.set_attribute(KeyValue::new(
                "http.response.status_code",
                i64::from(status),
            ));
            if status >= 500 {
                span.set_status(Status::error("the request failed"));
            }
            span.end();
        }
    }
}
