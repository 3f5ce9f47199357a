//! Behaviour of readers, scans, splits, trainers and measurements, over hand-written and simulated tables.
//!
//! Arithmetic against established libraries is in `golden.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "behaviour/estimates.rs"]
mod estimates;
#[path = "behaviour/identifiers.rs"]
mod identifiers;
#[path = "behaviour/inference.rs"]
mod inference;
#[path = "behaviour/measures.rs"]
mod measures;
#[path = "behaviour/minimisation.rs"]
mod minimisation;
#[path = "behaviour/monitoring.rs"]
mod monitoring;
#[path = "behaviour/regressions.rs"]
mod regressions;
#[path = "../../veracta-model/tests/behaviour/samples.rs"]
mod samples;
#[path = "behaviour/splits.rs"]
mod splits;
