//! Says which facts exist, which transitions are lawful, what a gate decides and what a document states.
//!
//! Everything here is a function of records: no I/O, no clock, no statistics. A [`record::Record`] is a fact, [`controls`] are
//! questions asked of facts, a [`gate`] is the set of them that must hold before a model is registered, and a [`document`] is a
//! view of them in which every value names its record.

pub mod access;
pub mod controls;
pub mod evidence;
pub mod gate;
pub mod plan;
pub mod provenance;
pub mod record;
