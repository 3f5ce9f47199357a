//! Carries out one request: load, compute, commit. One module a stage of the lifecycle.
//!
//! Nothing here does arithmetic or SQL, or serves HTTP (an import asks another's server): measurements are `veracta-ml`'s, judgements `veracta-governance`'s, and the only way to
//! change anything is the store's transaction.

pub mod access;
pub mod data;
pub mod demo;
pub mod documents;
mod error;
pub mod evaluation;
pub mod evidence;
pub mod explanation;
pub mod export;
pub mod import;
pub mod lineage;
pub mod monitoring;
pub mod openlineage;
pub mod pipeline;
mod platform;
pub mod prediction;
mod recording;
pub mod registry;
pub mod reproduction;
pub mod robustness;
pub mod tracking;
pub mod training;
pub mod validation;
pub mod webhooks;
pub mod windows;

pub use error::{LifecycleError, Problem};
pub use platform::{Platform, now};
pub use recording::{Measured, record_measurement};
