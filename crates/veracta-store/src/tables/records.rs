//! Records and their entries.

use veracta_governance::evidence::Evidence;
use veracta_governance::record::Record;
use veracta_ledger::Hash;
use veracta_ledger::entry::Entry;

use crate::StoreError;
use crate::database::{Database, Value};

/// Entries read at once while many are visited: a few megabytes.
const VISITED_TOGETHER: u64 = 8192;

/// Returns the number of entries.
pub(crate) fn size(db: &Database) -> Result<u64, StoreError> {
    let last = db
        .row("SELECT MAX(idx) FROM entries", &[])?
        .map(|row| row.integer_or_null(0))
        .transpose()?
        .flatten();
    Ok(last.map_or(0, |last| last as u64 + 1))
}

/// One entry with its record, to be added.
pub(crate) struct NewRow {
    /// Position in the ledger, counted from 0.
    pub(crate) idx: u64,
    /// The entry, which commits to the record by its digest.
    pub(crate) entry: Entry,
    /// The encoded entry, as it is hashed into the ledger.
    pub(crate) entry_bytes: Vec<u8>,
    /// The encoded record, whose SHA-256 the entry names.
    pub(crate) body: Vec<u8>,
}

/// Adds entries with their records.
pub(crate) fn insert(db: &Database, rows: &[NewRow]) -> Result<(), StoreError> {
    let entries: Vec<_> = rows
        .iter()
        .map(|row| vec![(row.idx as i64).into(), row.entry_bytes.as_slice().into()])
        .collect();
    db.insert("INSERT INTO entries (idx, entry)", "", &entries)?;
    let records: Vec<Vec<Value<'_>>> = rows
        .iter()
        .map(|row| {
            let key = row.entry.key.as_ref().map(|key| key.0.as_slice());
            vec![
                (row.idx as i64).into(),
                (&row.entry.kind).into(),
                (&row.entry.subject).into(),
                key.into(),
                row.body.as_slice().into(),
            ]
        })
        .collect();
    db.insert(
        "INSERT INTO records (idx, kind, subject, step_key, body)",
        "",
        &records,
    )?;
    Ok(())
}

/// Returns the bytes of an entry.
pub(crate) fn entry_bytes(db: &Database, idx: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let row = db.row(
        "SELECT entry FROM entries WHERE idx = $1",
        &[(idx as i64).into()],
    )?;
    row.map(|mut row| row.bytes(0)).transpose()
}

/// Takes a position and the bytes of the entry there.
pub(crate) type VisitEntry<'v> = dyn FnMut(u64, &[u8]) -> Result<(), StoreError> + 'v;

/// Calls `visit` with the entries `from..to` in order; stops at the first gap and returns how many there were.
pub(crate) fn visit_entries(
    db: &Database,
    from: u64,
    to: u64,
    visit: &mut VisitEntry<'_>,
) -> Result<u64, StoreError> {
    let mut next = from;
    while next < to {
        let begun = next;
        let end = to.min(begun + VISITED_TOGETHER);
        let sql = "SELECT idx, entry FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx";
        let mut is_whole = true;
        db.visit(
            sql,
            &[(begun as i64).into(), (end as i64).into()],
            &mut |mut row| {
                is_whole &= row.integer(0)? as u64 == next;
                if is_whole {
                    visit(next, &row.bytes(1)?)?;
                    next += 1;
                }
                Ok(())
            },
        )?;
        if next < end {
            break;
        }
    }
    Ok(next - from)
}

/// Returns the body of a record.
pub(crate) fn body(db: &Database, idx: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let row = db.row(
        "SELECT body FROM records WHERE idx = $1",
        &[(idx as i64).into()],
    )?;
    row.map(|mut row| row.bytes(0)).transpose()
}

/// Returns the latest position of a kind and subject.
pub(crate) fn latest(db: &Database, kind: &str, subject: &str) -> Result<Option<u64>, StoreError> {
    let row = db.row(
        "SELECT MAX(idx) FROM records WHERE kind = $1 AND subject = $2",
        &[kind.into(), subject.into()],
    )?;
    Ok(row
        .map(|row| row.integer_or_null(0))
        .transpose()?
        .flatten()
        .map(|idx| idx as u64))
}

/// Selects the records whose positions are listed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Filter<'f> {
    /// Every record that was not erased.
    All,
    /// Records of one kind, such as `run`.
    Kind(&'f str),
    /// Records of one kind about one subject.
    Subject(&'f str, &'f str),
    /// Records that a step with this content key made.
    Key(Hash),
}

/// Returns the positions of the selected records, in ascending order.
pub(crate) fn positions(db: &Database, filter: Filter<'_>) -> Result<Vec<u64>, StoreError> {
    let rows = match filter {
        Filter::All => db.rows("SELECT idx FROM records ORDER BY idx", &[]),
        Filter::Kind(kind) => db.rows(
            "SELECT idx FROM records WHERE kind = $1 ORDER BY idx",
            &[kind.into()],
        ),
        Filter::Subject(kind, subject) => db.rows(
            "SELECT idx FROM records WHERE kind = $1 AND subject = $2 ORDER BY idx",
            &[kind.into(), subject.into()],
        ),
        Filter::Key(key) => db.rows(
            "SELECT idx FROM records WHERE step_key = $1 ORDER BY idx",
            &[key.0.as_slice().into()],
        ),
    }?;
    rows.iter().map(|row| Ok(row.integer(0)? as u64)).collect()
}

/// Returns a record with its entry; `None` when there is none.
pub(crate) fn evidence(db: &Database, idx: u64) -> Result<Option<Evidence>, StoreError> {
    let (Some(entry), Some(body)) = (entry_bytes(db, idx)?, body(db, idx)?) else {
        return Ok(None);
    };
    Ok(Some(Evidence {
        idx,
        entry: Entry::parse(&entry)?,
        record: Record::parse(&body)?,
    }))
}
