//! Records and their entries.

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use veracta_governance::evidence::Evidence;
use veracta_governance::record::Record;
use veracta_ledger::Hash;
use veracta_ledger::entry::Entry;

use crate::StoreError;

/// Returns the number of entries.
pub(crate) fn size(connection: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> = connection.prepare_cached("SELECT MAX(idx) FROM entries")?.query_row([], |row| row.get(0))?;
    Ok(last.map_or(0, |last| last as u64 + 1))
}

/// Adds entries with their records; the statements are looked up once for a whole group.
pub(crate) struct Inserter<'c> {
    entry: CachedStatement<'c>,
    record: CachedStatement<'c>,
}

impl<'c> Inserter<'c> {
    /// Prepares both statements.
    pub(crate) fn new(connection: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            entry: connection.prepare_cached("INSERT INTO entries (idx, entry) VALUES ($1, $2)")?,
            record: connection.prepare_cached("INSERT INTO records (idx, kind, subject, step_key, body) VALUES ($1, $2, $3, $4, $5)")?,
        })
    }

    /// Adds one entry with its record.
    pub(crate) fn insert(&mut self, idx: u64, entry: &Entry, entry_bytes: &[u8], body: &[u8]) -> Result<(), StoreError> {
        let (idx, key) = (idx as i64, entry.key.as_ref().map(|key| key.0.as_slice()));
        self.entry.execute(params![idx, entry_bytes])?;
        self.record.execute(params![idx, entry.kind, entry.subject, key, body])?;
        Ok(())
    }
}

/// Returns the bytes of an entry.
pub(crate) fn entry_bytes(connection: &Connection, idx: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let bytes = connection.prepare_cached("SELECT entry FROM entries WHERE idx = $1")?.query_row([idx as i64], |row| row.get(0));
    Ok(bytes.optional()?)
}

/// Takes a position and the bytes of the entry there.
pub(crate) type VisitEntry<'v> = dyn FnMut(u64, &[u8]) -> Result<(), StoreError> + 'v;

/// Calls `visit` with the entries `from..to` in order; stops at the first gap and returns how many there were.
pub(crate) fn visit_entries(connection: &Connection, from: u64, to: u64, visit: &mut VisitEntry<'_>) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT idx, entry FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx")?;
    let mut rows = statement.query([from as i64, to as i64])?;
    let mut n_visited = 0;
    while let Some(row) = rows.next()? {
        let idx = row.get::<_, i64>(0)? as u64;
        if idx != from + n_visited {
            break;
        }
        visit(idx, row.get_ref(1)?.as_blob().map_err(|error| StoreError::Database(error.into()))?)?;
        n_visited += 1;
    }
    Ok(n_visited)
}

/// Returns the body of a record.
pub(crate) fn body(connection: &Connection, idx: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let bytes = connection.prepare_cached("SELECT body FROM records WHERE idx = $1")?.query_row([idx as i64], |row| row.get(0));
    Ok(bytes.optional()?)
}

/// Returns the latest position of a kind and subject.
pub(crate) fn latest(connection: &Connection, kind: &str, subject: &str) -> Result<Option<u64>, StoreError> {
    let idx: Option<i64> = connection
        .prepare_cached("SELECT MAX(idx) FROM records WHERE kind = $1 AND subject = $2")?
        .query_row([kind, subject], |row| row.get(0))?;
    Ok(idx.map(|idx| idx as u64))
}

/// Which records to list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Filter<'f> {
    /// All.
    All,
    /// Of one kind.
    Kind(&'f str),
    /// Of one kind about one subject.
    Subject(&'f str, &'f str),
    /// Made by a step with this content key.
    Key(Hash),
}

/// Returns positions in order.
pub(crate) fn positions(connection: &Connection, filter: Filter<'_>) -> Result<Vec<u64>, StoreError> {
    let collect = |sql: &str, parameters: &[&dyn rusqlite::ToSql]| -> Result<Vec<u64>, StoreError> {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(parameters, |row| Ok(row.get::<_, i64>(0)? as u64))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    match filter {
        Filter::All => collect("SELECT idx FROM records ORDER BY idx", &[]),
        Filter::Kind(kind) => collect("SELECT idx FROM records WHERE kind = $1 ORDER BY idx", &[&kind]),
        Filter::Subject(kind, subject) => {
            collect("SELECT idx FROM records WHERE kind = $1 AND subject = $2 ORDER BY idx", &[&kind, &subject])
        }
        Filter::Key(key) => collect("SELECT idx FROM records WHERE step_key = $1 ORDER BY idx", &[&key.0.as_slice()]),
    }
}

/// Returns a record with its entry; `None` when there is none.
pub(crate) fn evidence(connection: &Connection, idx: u64) -> Result<Option<Evidence>, StoreError> {
    let (Some(entry), Some(body)) = (entry_bytes(connection, idx)?, body(connection, idx)?) else { return Ok(None) };
    Ok(Some(Evidence { idx, entry: Entry::parse(&entry)?, record: Record::parse(&body)? }))
}
