//! The database schema, by version; forward only. An older program refuses a newer schema.

use rusqlite::Connection;

use crate::StoreError;

/// One script a version; a script is never changed once released.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE entries (
        idx   BIGINT PRIMARY KEY,
        entry BYTEA NOT NULL
    );
    CREATE TABLE records (
        idx      BIGINT PRIMARY KEY,
        kind     TEXT NOT NULL,
        subject  TEXT NOT NULL,
        step_key BYTEA,
        body     BYTEA NOT NULL
    );
    CREATE INDEX records_by_kind ON records (kind, subject, idx);
    CREATE INDEX records_by_step ON records (step_key) WHERE step_key IS NOT NULL;
    CREATE TABLE actors (
        handle TEXT PRIMARY KEY,
        name   TEXT NOT NULL UNIQUE
    );
"];

/// Brings the schema to the newest version.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for (position, script) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        // BIGINT PRIMARY KEY is an ordinary index to SQLite; INTEGER PRIMARY KEY is the row's own address.
        let script = script.replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY").replace("BYTEA", "BLOB");
        let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        tx.execute_batch(&script)?;
        tx.pragma_update(None, "user_version", position as u32 + 1)?;
        tx.commit()?;
    }
    Ok(())
}
