//! Keeps records, bytes and log entries, and commits a record and its log entry together or not at all.
//!
//! [`Store::transaction`] and [`Transaction::commit`] are the only way to change state. Tiles and signed checkpoints are derived from
//! the committed entries afterwards ([`Store::publish`]) and can be rebuilt from them ([`Store::rebuild`]). Nothing here decides
//! anything.

pub mod access;
mod append;
mod backup;
mod blob;
mod database;
mod error;
mod keys;
mod location;
mod migrations;
pub mod mlflow;
mod platform;
mod reader;
mod sequencer;
mod store;
mod tables;
pub mod tracking;
mod transfer;
mod tree;
mod verify;
pub mod webhooks;
mod work;

pub use append::{Committed, NewRecord};
pub use backup::{Backup, Progress, Restored};
pub use blob::Blobs;
pub use error::StoreError;
pub use platform::{Platform, now};
pub use sequencer::Pending;
pub use store::{Backend, InitOptions, Lead, Store, Transaction};
pub use tables::{
    Attribute, Comparison, Direction, Field, Noun, Operand, Operator, Order, Query, Selection,
    Viewed,
};
pub use transfer::{PartProblem, SignedRequest};
pub use work::{Draft, Reading, Recorded, View, Work};
