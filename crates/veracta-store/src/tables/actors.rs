//! Who recorded something: a random handle stands in the ledger, the name only here, where it can be erased.

use rusqlite::{Connection, OptionalExtension};

use crate::StoreError;

/// Returns the handle of a name, made on first use.
pub(crate) fn handle_of(connection: &Connection, name: &str) -> Result<String, StoreError> {
    let known = connection.prepare_cached("SELECT handle FROM actors WHERE name = $1")?.query_row([name], |row| row.get(0)).optional()?;
    if let Some(handle) = known {
        return Ok(handle);
    }
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(StoreError::Random)?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let handle = format!("actor-{digits}");
    connection.prepare_cached("INSERT INTO actors (handle, name) VALUES ($1, $2)")?.execute([&handle, name])?;
    Ok(handle)
}

/// Returns the name behind a handle, unless it was erased.
pub(crate) fn name_of(connection: &Connection, handle: &str) -> Result<Option<String>, StoreError> {
    let name = connection.prepare_cached("SELECT name FROM actors WHERE handle = $1")?.query_row([handle], |row| row.get(0));
    Ok(name.optional()?)
}
