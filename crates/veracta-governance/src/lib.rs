//! Says which facts exist, which transitions are lawful, and what a gate or a plan decides.
//!
//! Everything here is a function of records: no I/O, no clock, no statistics. A [`record::Record`] is a fact, [`controls`] are
//! questions asked of facts, and a [`gate`] is the set of them that must hold before a model is registered.

pub mod access;
pub mod controls;
pub mod evidence;
pub mod gate;
pub mod plan;
pub mod provenance;
pub mod record;
