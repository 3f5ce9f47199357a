//! Behaviour of readers, scans, splits, trainers and measurements, over hand-written and simulated tables.
//!
//! Arithmetic against established libraries is in `golden.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "behaviour/explanation.rs"]
mod explanation;
#[path = "behaviour/formats.rs"]
mod formats;
#[path = "behaviour/onnx.rs"]
mod onnx;
#[path = "behaviour/samples.rs"]
mod samples;
#[path = "behaviour/training.rs"]
mod training;
