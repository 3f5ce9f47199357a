//! What was signed last, where several servers share one database; a folder of its own keeps it in a file (see `keys`).

use veracta_ledger::Hash;

use crate::StoreError;
use crate::database::Database;
use crate::keys::SignerState;

/// Name of the lock that is held while a checkpoint is made: "publish" in ASCII.
const PUBLISH_LOCK: i64 = 0x70_75_62_6c_69_73_68;

/// Waits until nobody else publishes.
pub(crate) fn lock(db: &Database) -> Result<(), StoreError> {
    db.rows("SELECT pg_advisory_lock($1)", &[PUBLISH_LOCK.into()])
        .map(|_| ())
}

/// Gives the lock back, so that another process may publish.
pub(crate) fn unlock(db: &Database) {
    // A lost connection has given the lock back already.
    let _ = db.rows("SELECT pg_advisory_unlock($1)", &[PUBLISH_LOCK.into()]);
}

/// Reads what was signed last.
pub(crate) fn load(db: &Database) -> Result<Option<SignerState>, StoreError> {
    let Some(mut row) = db.row("SELECT size, root FROM signer", &[])? else {
        return Ok(None);
    };
    let root = row
        .bytes(1)?
        .try_into()
        .map_err(|_| StoreError::MalformedRow { column: 1 })?;
    Ok(Some(SignerState {
        size: row.integer(0)? as u64,
        root: Hash(root),
    }))
}

/// Keeps what is about to be signed, durably.
pub(crate) fn store(db: &Database, state: SignerState) -> Result<(), StoreError> {
    let sql = "INSERT INTO signer (only_row, size, root) VALUES (1, $1, $2)
               ON CONFLICT (only_row) DO UPDATE SET size = excluded.size, root = excluded.root";
    db.execute(
        sql,
        &[(state.size as i64).into(), state.root.0.as_slice().into()],
    )
    .map(|_| ())
}
