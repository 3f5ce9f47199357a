//! Metrics of runs: every value once, and of each metric the latest.
//!
//! NaN is stored as 0 with a mark, since neither database compares it; infinities as the largest finite number.

use std::collections::HashMap;

use super::search::Selection;
use super::values;
use crate::StoreError;
use crate::database::{Database, Row, Value};
use crate::tracking::{MetricValue, Point, Run};
use crate::work::{Draft, View};

/// Number of a key that was never logged; no value has it.
const NO_KEY: i64 = -1;

/// Returns a value as it is stored: finite, and whether it is not a number.
pub(super) fn stored(value: f64) -> (f64, i64) {
    // SQLite has no negative zero, and PostgreSQL shall have none either.
    if value.is_nan() {
        (0.0, 1)
    } else {
        (value.clamp(f64::MIN, f64::MAX) + 0.0, 0)
    }
}

pub(super) fn loaded(value: f64, is_nan: i64) -> f64 {
    if is_nan == 0 { value } else { f64::NAN }
}

/// Reads `timestamp_ms, step, value, is_nan` from `column` on.
fn read_point(row: &Row, column: usize) -> Result<Point, StoreError> {
    let value = loaded(row.real(column + 2)?, row.integer(column + 3)?);
    Ok(Point {
        timestamp_ms: row.integer(column)?,
        step: row.integer(column + 1)?,
        value,
    })
}

/// Returns the latest metrics of runs by number, by key.
pub(super) fn latest(
    db: &Database,
    numbers: &[Value<'_>],
) -> Result<HashMap<i64, Vec<MetricValue>>, StoreError> {
    let sql = "SELECT run_no, key_no, timestamp_ms, step, value, is_nan FROM latest_metrics WHERE run_no IN ({})";
    let (mut points, mut names) = (Vec::new(), HashMap::new());
    values::for_each_of(db, sql, numbers, &mut |row| {
        let key_no = row.integer(1)?;
        names.entry(key_no).or_insert_with(String::new);
        points.push((row.integer(0)?, key_no, read_point(&row, 2)?));
        Ok(())
    })?;
    // Many runs have the same few keys.
    let keys: Vec<Value<'_>> = names.keys().map(|key_no| (*key_no).into()).collect();
    values::for_each_of(
        db,
        "SELECT key_no, name FROM metric_keys WHERE key_no IN ({})",
        &keys,
        &mut |mut row| {
            names.insert(row.integer(0)?, row.text(1)?);
            Ok(())
        },
    )?;
    let mut found: HashMap<i64, Vec<MetricValue>> = HashMap::new();
    for (run_no, key_no, point) in points {
        found.entry(run_no).or_default().push(MetricValue {
            name: names[&key_no].clone(),
            point,
        });
    }
    found
        .values_mut()
        .for_each(|metrics| metrics.sort_unstable_by(|a, b| a.name.cmp(&b.name)));
    Ok(found)
}

fn key_of(db: &Database, name: &str) -> Result<Option<i64>, StoreError> {
    db.row(
        "SELECT key_no FROM metric_keys WHERE name = $1",
        &[name.into()],
    )?
    .map(|row| row.integer(0))
    .transpose()
}

fn key_made(db: &Database, name: &str) -> Result<i64, StoreError> {
    if let Some(known) = key_of(db, name)? {
        return Ok(known);
    }
    let last = db.row("SELECT MAX(key_no) FROM metric_keys", &[])?;
    let key_no = last
        .map(|row| row.integer_or_null(0))
        .transpose()?
        .flatten()
        .unwrap_or(0)
        + 1;
    db.execute(
        "INSERT INTO metric_keys (key_no, name) VALUES ($1, $2)",
        &[key_no.into(), name.into()],
    )?;
    Ok(key_no)
}

impl View<'_> {
    /// Returns values of a metric of a run, by time, step and value.
    pub fn metric_history(
        &self,
        run: &Run,
        name: &str,
        selection: Selection,
    ) -> Result<Vec<Point>, StoreError> {
        let key_no = key_of(self.db, name)?.unwrap_or(NO_KEY);
        let mut points = Vec::new();
        let sql = "SELECT timestamp_ms, step, value, is_nan FROM metrics WHERE run_no = $1 AND key_no = $2
                   ORDER BY timestamp_ms, step, value LIMIT $3 OFFSET $4";
        let limit = i64::try_from(selection.limit).unwrap_or(i64::MAX);
        let offset = i64::try_from(selection.offset).unwrap_or(i64::MAX);
        self.db.visit(
            sql,
            &[run.no.into(), key_no.into(), limit.into(), offset.into()],
            &mut |row| {
                points.push(read_point(&row, 0)?);
                Ok(())
            },
        )?;
        Ok(points)
    }

    /// Returns the keys of all metrics of a run, in order.
    pub fn metric_names(&self, run: &Run) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT k.name FROM latest_metrics m JOIN metric_keys k ON k.key_no = m.key_no WHERE m.run_no = $1 ORDER BY k.name";
        self.db
            .rows(sql, &[run.no.into()])?
            .iter_mut()
            .map(|row| row.text(0))
            .collect()
    }

    /// Returns the steps at which a run has values of a metric, in order.
    pub fn metric_steps(&self, run: &Run, name: &str) -> Result<Vec<i64>, StoreError> {
        let key_no = key_of(self.db, name)?.unwrap_or(NO_KEY);
        let sql =
            "SELECT DISTINCT step FROM metrics WHERE run_no = $1 AND key_no = $2 ORDER BY step";
        self.db
            .rows(sql, &[run.no.into(), key_no.into()])?
            .iter()
            .map(|row| row.integer(0))
            .collect()
    }
}

impl Draft<'_> {
    /// Adds values; one that is there already is not added again.
    pub fn add_metrics(&self, run: &Run, metrics: &[MetricValue]) -> Result<(), StoreError> {
        let mut keys: HashMap<&str, i64> = HashMap::new();
        let mut latest: HashMap<i64, Point> = HashMap::new();
        let mut rows = Vec::with_capacity(metrics.len());
        for MetricValue { name, point } in metrics {
            let key_no = match keys.get(name.as_str()) {
                Some(key_no) => *key_no,
                None => {
                    let key_no = key_made(self.db, name)?;
                    keys.insert(name, key_no);
                    key_no
                }
            };
            rows.push(row_of(run, key_no, point));
            let last = latest.entry(key_no).or_insert(*point);
            if order_of(point) > order_of(last) {
                *last = *point;
            }
        }
        let columns = "(run_no, key_no, timestamp_ms, step, value, is_nan)";
        self.db.insert(
            &format!("INSERT INTO metrics {columns}"),
            "ON CONFLICT DO NOTHING",
            &rows,
        )?;
        let mut latest: Vec<(i64, Point)> = latest.into_iter().collect();
        latest.sort_unstable_by_key(|(key_no, _)| *key_no);
        let rows: Vec<_> = latest
            .iter()
            .map(|(key_no, point)| row_of(run, *key_no, point))
            .collect();
        let tail = "ON CONFLICT (run_no, key_no) DO UPDATE SET timestamp_ms = excluded.timestamp_ms, step = excluded.step,
                    value = excluded.value, is_nan = excluded.is_nan
                    WHERE (excluded.step, excluded.timestamp_ms, excluded.value)
                        > (latest_metrics.step, latest_metrics.timestamp_ms, latest_metrics.value)";
        self.db
            .insert(
                &format!("INSERT INTO latest_metrics {columns}"),
                tail,
                &rows,
            )
            .map(|_| ())
    }
}

/// What decides which of two values is the later one; NaN counts as 0, as it is stored.
fn order_of(point: &Point) -> (i64, i64, f64) {
    (point.step, point.timestamp_ms, stored(point.value).0)
}

fn row_of(run: &Run, key_no: i64, point: &Point) -> Vec<Value<'static>> {
    let (value, is_nan) = stored(point.value);
    vec![
        run.no.into(),
        key_no.into(),
        point.timestamp_ms.into(),
        point.step.into(),
        value.into(),
        is_nan.into(),
    ]
}
