//! The program as people use it: run in a folder of its own, judged by its exit code, what it prints and what it leaves behind.
//!
//! Arithmetic and encodings are tested in the crates below. Here every verb is run at least once, and refused at least once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod project;
mod server;

mod access;
mod backup;
mod bad_data;
mod bad_pipeline;
mod brought_model;
mod caching;
mod commands;
mod demo;
mod evidence;
mod export;
mod faithful;
mod golden;
mod import;
mod measure;
mod monitoring;
mod openlineage;
mod purge;
mod reading;
mod regressions;
mod services;
mod sign_in;
mod spellings;
mod telemetry;
mod tls;
mod tracked_training;
mod tracking;
mod transfer;
mod webhooks;
