//! Keys with values: parameters and tags of runs, experiments, models and versions all look alike.

use std::collections::HashMap;

use crate::StoreError;
use crate::database::{Database, Row, Value};
use crate::tracking::KeyValue;

/// Sizes of lists in a statement: few, so that each is prepared once. A shorter list is filled up with its last value.
const LIST_SIZES: [usize; 4] = [1, 10, 100, 500];

/// Calls `visit` with the rows of `sql` for all of `values`, some at a time; `{}` in it stands for their places.
///
/// `sql` must not depend on how often a value stands in the list.
pub(crate) fn for_each_of(
    db: &Database,
    sql: &str,
    values: &[Value<'_>],
    visit: &mut dyn FnMut(Row) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for chunk in values.chunks(LIST_SIZES[LIST_SIZES.len() - 1]) {
        let n_places = LIST_SIZES
            .into_iter()
            .find(|size| *size >= chunk.len())
            .unwrap_or(chunk.len());
        let places: Vec<String> = (1..=n_places).map(|place| format!("${place}")).collect();
        let mut list = chunk.to_vec();
        list.resize(n_places, chunk[chunk.len() - 1].clone());
        db.visit(&sql.replace("{}", &places.join(", ")), &list, visit)?;
    }
    Ok(())
}

/// Returns the keys and values in `table` of each owner (`column`), by key.
pub(crate) fn by_owner(
    db: &Database,
    table: &str,
    column: &str,
    owners: &[Value<'_>],
) -> Result<HashMap<Owner, Vec<KeyValue>>, StoreError> {
    let sql = format!(
        "SELECT {column}, name, value FROM {table} WHERE {column} IN ({{}}) ORDER BY {column}, name"
    );
    let mut found: HashMap<Owner, Vec<KeyValue>> = HashMap::new();
    for_each_of(db, &sql, owners, &mut |mut row| {
        let owner = Owner::of(&mut row)?;
        found
            .entry(owner)
            .or_default()
            .push((row.text(1)?, row.text(2)?));
        Ok(())
    })?;
    Ok(found)
}

/// The key of the thing whose parameters or tags are read, such as a run or a registered model.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// Number of a run or an experiment.
    Number(i64),
    /// Name of a registered model, or id of a logged model.
    Name(String),
}

impl Owner {
    /// Takes the first column of a row.
    pub(crate) fn of(row: &mut Row) -> Result<Self, StoreError> {
        match row.integer_or_null(0) {
            Ok(Some(number)) => Ok(Self::Number(number)),
            _ => Ok(Self::Name(row.text(0)?)),
        }
    }
}

/// Sets keys to values in `table`, which belong to `owner` (one value a column of `columns`).
pub(crate) fn set(
    db: &Database,
    table: &str,
    columns: &str,
    owner: &[Value<'_>],
    values: &[KeyValue],
) -> Result<(), StoreError> {
    // The last of equal keys stands, and no statement sets one twice.
    let mut latest: HashMap<&str, &str> = HashMap::new();
    latest.extend(
        values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let mut latest: Vec<_> = latest.into_iter().collect();
    latest.sort_unstable();
    let rows: Vec<Vec<Value<'_>>> = latest
        .into_iter()
        .map(|(name, value)| {
            owner
                .iter()
                .cloned()
                .chain([name.into(), value.into()])
                .collect()
        })
        .collect();
    let head = format!("INSERT INTO {table} ({columns}, name, value)");
    let tail = format!("ON CONFLICT ({columns}, name) DO UPDATE SET value = excluded.value");
    db.insert(&head, &tail, &rows).map(|_| ())
}

/// Removes a key from `table`; returns whether it was there. `condition` names the owner in `$1…` and the key last.
pub(crate) fn remove(
    db: &Database,
    table: &str,
    condition: &str,
    values: &[Value<'_>],
) -> Result<bool, StoreError> {
    Ok(db.execute(&format!("DELETE FROM {table} WHERE {condition}"), values)? > 0)
}
