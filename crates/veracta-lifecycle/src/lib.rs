//! Carries out one request: load, compute, commit. One module a stage of the lifecycle.
//!
//! Nothing here does arithmetic, SQL or HTTP: measurements are `veracta-statistics`'s, judgements `veracta-governance`'s, and the
//! only way to change anything is the store's transaction.

pub mod controls;
pub mod data;
pub mod demo;
pub mod deployment;
pub mod documents;
mod error;
pub mod evidence;
pub mod lineage;
pub mod monitoring;
mod outcome;
pub mod pipeline;
pub mod registry;
pub mod reproduction;
pub mod status;
pub mod training;
pub mod validation;
pub mod verification;

pub use error::{LifecycleError, Problem};
pub use outcome::{Outcome, Recordable};
