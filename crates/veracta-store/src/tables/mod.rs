//! SQL, one file a noun. Placeholders are `$1…`, so that PostgreSQL runs the same statements.

pub(crate) mod actors;
pub(crate) mod records;
