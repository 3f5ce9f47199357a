//! The deployment stage: a model applied to rows.

pub mod predict;
