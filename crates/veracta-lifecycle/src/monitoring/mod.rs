//! The monitoring stage: how newer rows differ, and how well a model does on them.

pub(crate) mod columns;
pub mod compare;
pub mod drift;
pub mod over_time;
pub mod watch;
pub mod windows;
