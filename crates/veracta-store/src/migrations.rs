//! The database schema, by version; forward only. An older program refuses a newer schema.

use crate::StoreError;
use crate::database::Database;

/// One script a version; a script is never changed once released.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/1_records.sql"),
    include_str!("migrations/2_tracking.sql"),
    include_str!("migrations/3_access.sql"),
    include_str!("migrations/4_newest.sql"),
];

/// Brings the schema to the newest version.
pub(crate) fn migrate(db: &Database) -> Result<(), StoreError> {
    if !db.is_postgres() {
        return migrate_in(db, version_of_sqlite(db)?);
    }
    // Only one process at a time, whether the table is there or not.
    db.begin_writing()?;
    let result = db
        .batch("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        .and_then(|()| {
            let row = db.row("SELECT version FROM schema_version", &[])?;
            row.map_or(Ok(0), |row| row.integer(0))
        })
        .and_then(|found| migrate_in(db, found));
    match result {
        Ok(()) => db.commit(),
        Err(error) => {
            db.roll_back();
            Err(error)
        }
    }
}

fn version_of_sqlite(db: &Database) -> Result<i64, StoreError> {
    db.row("PRAGMA user_version", &[])?
        .map_or(Ok(0), |row| row.integer(0))
}

fn migrate_in(db: &Database, found: i64) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(StoreError::NewerSchema {
            found: found as u32,
            known: known as u32,
        });
    }
    for (position, script) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let version = position + 1;
        if db.is_postgres() {
            // Bytes in order, whatever the database's language: the same order as SQLite's.
            let script = script
                .replace(" TEXT", " TEXT COLLATE \"C\"")
                .replace(" WITHOUT ROWID", "");
            db.batch(&format!("{script}; DELETE FROM schema_version; INSERT INTO schema_version (version) VALUES ({version})"))?;
            continue;
        }
        // BIGINT PRIMARY KEY is an ordinary index to SQLite; INTEGER PRIMARY KEY is the row's own address.
        let script = script
            .replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY")
            .replace("BYTEA", "BLOB");
        db.begin_writing()?;
        // Another process may have done it while this one waited.
        if version_of_sqlite(db)? >= version as i64 {
            db.roll_back();
            continue;
        }
        if let Err(error) = db
            .batch(&format!("{script}; PRAGMA user_version = {version}"))
            .and_then(|()| db.commit())
        {
            db.roll_back();
            return Err(error);
        }
    }
    Ok(())
}
