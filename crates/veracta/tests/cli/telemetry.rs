//! Spans of requests, sent where OpenTelemetry's variables say.

use std::net::TcpListener;

use crate::project::{PIPELINE, Project, holds};
use crate::server::{Server, exchange, take_request};

#[test]
fn requests_are_spans_below_the_callers_own() {
    let project = Project::new(PIPELINE);
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let mut serve = project.program();
    serve
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .env("OTEL_BSP_SCHEDULE_DELAY", "200");
    let server = Server::of(&mut serve);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");
    let answer = exchange(
        &server.address,
        ("GET", "/api/2.0/mlflow/runs/get?run_id=Zebra"),
        &headers,
        b"",
    )
    .unwrap();
    assert_eq!(answer.status, 404);
    let (first, body) = take_request(&collector, "200 OK");
    assert!(first.starts_with("POST /v1/traces "), "{first}");
    let id: Vec<u8> = (0..16)
        .map(|byte| u8::from_str_radix(&trace[2 * byte..2 * byte + 2], 16).unwrap())
        .collect();
    assert!(
        body.windows(16).any(|window| window == id),
        "the span is below the caller's own"
    );
    assert!(
        holds(&body, "GET /api/2.0/mlflow/runs/get")
            && holds(&body, "http.response.status_code")
            && holds(&body, "veracta")
    );
    assert!(!holds(&body, "Zebra"), "what a path asks for is not told");
}
