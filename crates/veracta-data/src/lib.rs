//! Reads what is there, exactly: typed columns from CSV and Parquet.
//!
//! Nothing is guessed in silence: what is not rectangular, not of its declared type or over a limit is an error with its place,
//! and what was coerced is counted in a [`table::ReadReport`]. No statistics are computed here.

pub mod csv;
pub mod parquet;
pub mod reading;
pub mod report;
pub mod source;
pub mod spelling;
pub mod table;
mod words;
