//! The pipeline: what a person writes, what its steps compute from it, and running them.

mod check;
mod columns;
mod command;
mod notices;
mod reading;
mod run;
mod schedule;
pub mod spec;
mod steps;

pub(crate) use check::did_you_mean;
pub use run::{RunOptions, RunOutcome, StepEvent, StepState, run_pipeline};
pub(crate) use run::{files_read, load_rows};
pub use spec::{PipelineFile, PipelineSpec};
