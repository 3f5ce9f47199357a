//! The pipeline: what a person writes, what will be done, and doing it.

mod check;
mod command;
pub mod execute;
pub mod measures;
pub mod plan;
mod reading;
pub mod rows;
pub mod spec;

pub(crate) use check::did_you_mean;
pub use execute::{RunOptions, RunOutcome, StepEvent, StepState, run_pipeline};
pub use spec::{PipelineFile, PipelineSpec};
