//! Who recorded something: a random handle stands in the ledger, the name only here, where it can be erased.

use crate::StoreError;
use crate::database::Database;

/// Returns the handle of a name, made on first use.
pub(crate) fn handle_of(db: &Database, name: &str) -> Result<String, StoreError> {
    let known = db.row("SELECT handle FROM actors WHERE name = $1", &[name.into()])?;
    if let Some(mut row) = known {
        return row.text(0);
    }
    let handle = format!("actor-{}", random_digits()?);
    db.execute(
        "INSERT INTO actors (handle, name) VALUES ($1, $2)",
        &[(&handle).into(), name.into()],
    )?;
    Ok(handle)
}

/// Returns 32 random hexadecimal digits.
pub(crate) fn random_digits() -> Result<String, StoreError> {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(StoreError::Random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns the name behind a handle, unless it was erased.
pub(crate) fn name_of(db: &Database, handle: &str) -> Result<Option<String>, StoreError> {
    db.row(
        "SELECT name FROM actors WHERE handle = $1",
        &[handle.into()],
    )?
    .map(|mut row| row.text(0))
    .transpose()
}
