//! SQL, one file a noun. Placeholders are `$1…`, so that SQLite and PostgreSQL run the same statements.

mod access;
pub(crate) mod actors;
mod artifacts;
mod evidence;
mod experiments;
mod logged_models;
mod metrics;
mod model_versions;
pub(crate) mod records;
mod registered_models;
mod runs;
mod search;
pub(crate) mod signer;
mod values;
mod webhooks;

pub use search::{
    Attribute, Comparison, Direction, Field, Noun, Operand, Operator, Order, Query, Selection,
    Viewed,
};
