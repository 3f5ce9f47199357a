//! Workspaces on the embedded default and on PostgreSQL with S3: many writers, killed writers, killed servers.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod place;
#[path = "../records/mod.rs"]
mod records;

mod concurrency;
mod kill;
mod outages;
