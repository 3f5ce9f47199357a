//! One connection to the database: SQLite in the workspace, or PostgreSQL by URL.
//!
//! Statements are written once, with `$1…` placeholders and types that both have (BIGINT, DOUBLE PRECISION, TEXT, BYTEA). What the two say
//! differently is here and in `migrations`, nowhere else.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::BytesMut;
use postgres::types::{IsNull, ToSql, Type};
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::StoreError;
use crate::location::{Location, Remote};

/// Readers wait this long while another process recovers the database after a crash.
const BUSY_TIMEOUT: Duration = Duration::from_secs(120);
/// Prepared statements kept for one connection: those of the program, and recent searches.
const STATEMENTS_LIMIT: usize = 256;
/// Rows of one `INSERT` to PostgreSQL (500 of ten values stay far below its 65,535 parameters), and to SQLite.
const INSERT_ROWS: usize = 500;
const SQLITE_ROWS: usize = 32;
/// Name of the lock that the one writer of a PostgreSQL database holds: "veracta" in ASCII.
const WRITER_LOCK: i64 = 0x76_65_72_61_63_74_61;

/// Settings of a connection to PostgreSQL that reads; see [`Database::for_reading`].
const PLAN_FOR_VALUES: &str =
    "SET plan_cache_mode = force_custom_plan; SET max_parallel_workers_per_gather = 0";

fn connect_sqlite(path: &Path) -> Result<rusqlite::Connection, StoreError> {
    let connection = rusqlite::Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // FULL syncs the write-ahead log at each commit: an acknowledged record survives a crash of the machine.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Pages of 4 KiB: the write-ahead log is copied back every 64 MiB, and as much is kept in memory.
    connection.pragma_update(None, "wal_autocheckpoint", 16_384)?;
    connection.pragma_update(None, "cache_size", 16_384)?;
    // What a savepoint may undo: a batch would make a file of it, and remove it again.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "case_sensitive_like", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_LIMIT);
    Ok(connection)
}

/// A value of a row or of a parameter.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Value<'v> {
    /// SQL NULL: the row has no value here.
    #[default]
    Null,
    /// Whole number of 64 bits: BIGINT in PostgreSQL, INTEGER in SQLite.
    Integer(i64),
    /// Floating-point number of 64 bits: DOUBLE PRECISION in PostgreSQL, REAL in SQLite.
    Real(f64),
    /// Text in UTF-8: TEXT in both databases.
    Text(Cow<'v, str>),
    /// Bytes: BYTEA in PostgreSQL, BLOB in SQLite.
    Bytes(Cow<'v, [u8]>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(value: &'v str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(value: &'v String) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(value: &'v [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(value))
    }
}

impl<'v, T: Into<Value<'v>>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of the answer to a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row(Vec<Value<'static>>);

impl Row {
    fn malformed<T>(&self, column: usize) -> Result<T, StoreError> {
        Err(StoreError::MalformedRow { column })
    }

    /// Returns the values in the order of the selected columns.
    pub(crate) fn into_values(self) -> Vec<Value<'static>> {
        self.0
    }

    /// Returns the whole number in a column, counted from 0; NULL is an error.
    pub(crate) fn integer(&self, column: usize) -> Result<i64, StoreError> {
        self.integer_or_null(column)?
            .map_or_else(|| self.malformed(column), Ok)
    }

    /// Returns a whole number, if there is one.
    pub(crate) fn integer_or_null(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(column) {
            Some(Value::Integer(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            _ => self.malformed(column),
        }
    }

    /// Returns the floating-point number in a column, counted from 0; NULL is an error.
    pub(crate) fn real(&self, column: usize) -> Result<f64, StoreError> {
        match self.0.get(column) {
            Some(Value::Real(value)) => Ok(*value),
            _ => self.malformed(column),
        }
    }

    /// Takes the text out of a column, counted from 0; NULL is an error.
    pub(crate) fn text(&mut self, column: usize) -> Result<String, StoreError> {
        self.text_or_null(column)?
            .map_or_else(|| self.malformed(column), Ok)
    }

    /// Takes a text out of the row, if there is one.
    pub(crate) fn text_or_null(&mut self, column: usize) -> Result<Option<String>, StoreError> {
        match self.0.get_mut(column).map(std::mem::take) {
            Some(Value::Text(value)) => Ok(Some(value.into_owned())),
            Some(Value::Null) => Ok(None),
            _ => self.malformed(column),
        }
    }

    /// Takes bytes out of the row, if there are any.
    pub(crate) fn bytes_or_null(&mut self, column: usize) -> Result<Option<Vec<u8>>, StoreError> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.bytes(column).map(Some),
        }
    }

    /// Takes the bytes out of a column, counted from 0; NULL is an error.
    pub(crate) fn bytes(&mut self, column: usize) -> Result<Vec<u8>, StoreError> {
        match self.0.get_mut(column).map(std::mem::take) {
            Some(Value::Bytes(value)) => Ok(value.into_owned()),
            _ => self.malformed(column),
        }
    }
}

/// Why a connection must not be used again; it decides what those who wrote on it are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breakage {
    DiskFull,
    DiskUnknown,
    Other,
}

/// A connection. After a failure that leaves its state unknown it is `broken` and not used again.
#[derive(Debug)]
pub(crate) struct Database {
    engine: Engine,
    breakage: Cell<Option<Breakage>>,
}

#[derive(Debug)]
enum Engine {
    Sqlite(rusqlite::Connection),
    Postgres(Box<Session>),
}

struct Session {
    client: RefCell<postgres::Client>,
    statements: RefCell<HashMap<String, postgres::Statement>>,
    /// Where a connection that only reads is made anew when it was lost; `None` of one that writes.
    remote: Option<Box<Remote>>,
    /// Whether a transaction was begun: what follows would mean something else on another connection.
    is_in_transaction: Cell<bool>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgreSQL")
    }
}

/// Calls `visit` with each row.
pub(crate) type VisitRow<'v> = dyn FnMut(Row) -> Result<(), StoreError> + 'v;

impl Database {
    /// Opens a file, which is made when it is not there.
    pub(crate) fn sqlite(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            engine: Engine::Sqlite(connect_sqlite(path)?),
            breakage: Cell::new(None),
        })
    }

    /// Wraps a connection to a server.
    pub(crate) fn postgres(client: postgres::Client) -> Self {
        let session = Session {
            client: RefCell::new(client),
            statements: RefCell::new(HashMap::new()),
            remote: None,
            is_in_transaction: Cell::new(false),
        };
        Self {
            engine: Engine::Postgres(Box::new(session)),
            breakage: Cell::new(None),
        }
    }

    /// Makes this a connection to read with: a statement whose connection was lost is tried once more on a new one.
    pub(crate) fn for_reading(mut self, location: &Location) -> Result<Self, StoreError> {
        if let (Engine::Postgres(session), Location::Postgres(remote)) =
            (&mut self.engine, location)
        {
            session.remote = Some(remote.clone());
        }
        self.plan_for_values()?;
        Ok(self)
    }

    /// Opens a connection to where the records are kept.
    pub(crate) fn connect(location: &Location) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) => Self::sqlite(path),
            Location::Postgres(remote) => Ok(Self::postgres(remote.connect()?)),
        }
    }

    /// Opens a database of another program, `sqlite:///file` or `postgresql://…`, to read it.
    pub(crate) fn read_only(url: &str) -> Result<Self, StoreError> {
        // SQLAlchemy names its driver in the scheme.
        let driver = url.split_once("://").and_then(|(scheme, rest)| {
            scheme
                .split_once('+')
                .map(|(scheme, _)| format!("{scheme}://{rest}"))
        });
        let url = driver.as_deref().unwrap_or(url);
        let Some(file) = url.strip_prefix("sqlite:///") else {
            let database = Self::connect(&Location::new(Some(url), None, PathBuf::new())?)?;
            database.batch("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")?;
            return Ok(database);
        };
        let flags =
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(Self {
            engine: Engine::Sqlite(connection),
            breakage: Cell::new(None),
        })
    }

    /// Returns whether this is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }

    /// Returns whether the connection must not be used again.
    pub(crate) fn is_broken(&self) -> bool {
        self.breakage.get().is_some()
    }

    /// Returns what whoever wrote on a broken connection is told.
    pub(crate) fn failure(&self) -> StoreError {
        match self.breakage.get() {
            Some(Breakage::DiskFull) => StoreError::DiskFull,
            Some(Breakage::DiskUnknown) => StoreError::Poisoned,
            Some(Breakage::Other) | None => StoreError::GroupFailed,
        }
    }

    fn noting<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result
            && error.breaks_connection()
        {
            let breakage = match error {
                StoreError::DiskFull => Breakage::DiskFull,
                error if error.leaves_disk_unknown() => Breakage::DiskUnknown,
                _ => Breakage::Other,
            };
            self.breakage.set(Some(breakage));
        }
        result
    }

    /// Has each statement planned for its own values, by which a rare one is found quickly, and carried out by one process.
    fn plan_for_values(&self) -> Result<(), StoreError> {
        if self.is_postgres() {
            self.batch(PLAN_FOR_VALUES)
        } else {
            Ok(())
        }
    }

    /// Runs statements that have no parameters.
    pub(crate) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.noting(match &self.engine {
            Engine::Sqlite(connection) => connection.execute_batch(sql).map_err(StoreError::from),
            Engine::Postgres(session) => session.batch(sql),
        })
    }

    /// Runs a statement and returns how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        self.noting(match &self.engine {
            Engine::Sqlite(connection) => execute_sqlite(connection, sql, values),
            Engine::Postgres(session) => session.execute(sql, values),
        })
    }

    /// Calls `visit` with each row of the answer.
    pub(crate) fn visit(
        &self,
        sql: &str,
        values: &[Value<'_>],
        visit: &mut VisitRow<'_>,
    ) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(connection) => self.noting(visit_sqlite(connection, sql, values, visit)),
            Engine::Postgres(session) => self
                .noting(session.rows(sql, values))?
                .into_iter()
                .try_for_each(visit),
        }
    }

    /// Calls `visit` with each row of an answer that memory may not hold; inside a transaction, once by each name.
    pub(crate) fn stream(
        &self,
        name: &str,
        sql: &str,
        n_rows: usize,
        visit: &mut VisitRow<'_>,
    ) -> Result<(), StoreError> {
        if !self.is_postgres() {
            return self.visit(sql, &[], visit);
        }
        self.batch(&format!("DECLARE stream_{name} NO SCROLL CURSOR FOR {sql}"))?;
        loop {
            let rows = self.rows(&format!("FETCH {n_rows} FROM stream_{name}"), &[])?;
            if rows.is_empty() {
                return self.batch(&format!("CLOSE stream_{name}"));
            }
            rows.into_iter().try_for_each(&mut *visit)?;
        }
    }

    /// Returns the rows of the answer.
    pub(crate) fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        self.visit(sql, values, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Returns the first row of the answer.
    pub(crate) fn row(&self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values)?.into_iter().next())
    }

    /// Adds rows: `head` is `INSERT INTO table (columns)`, `tail` what follows the values, such as `ON CONFLICT DO NOTHING`.
    pub(crate) fn insert(
        &self,
        head: &str,
        tail: &str,
        rows: &[Vec<Value<'_>>],
    ) -> Result<u64, StoreError> {
        let Some(n_columns) = rows.first().map(Vec::len) else {
            return Ok(0);
        };
        let row = |row_idx: usize| {
            let places: Vec<String> = (1..=n_columns)
                .map(|column| format!("${}", row_idx * n_columns + column))
                .collect();
            format!("({})", places.join(", "))
        };
        let statement = |n_rows: usize| {
            let places: Vec<String> = (0..n_rows).map(row).collect();
            format!("{head} VALUES {} {tail}", places.join(", "))
        };
        let run = |sql: &str, chunk: &[Vec<Value<'_>>]| {
            let values: Vec<Value<'_>> = chunk.iter().flatten().cloned().collect();
            self.execute(sql, &values)
        };
        let mut n_inserted = 0;
        if !self.is_postgres() {
            let (together, one) = (statement(SQLITE_ROWS), statement(1));
            let mut chunks = rows.chunks_exact(SQLITE_ROWS);
            for chunk in &mut chunks {
                n_inserted += run(&together, chunk)?;
            }
            for values in chunks.remainder() {
                n_inserted += self.execute(&one, values)?;
            }
            return Ok(n_inserted);
        }
        for chunk in rows.chunks(INSERT_ROWS) {
            n_inserted += run(&statement(chunk.len()), chunk)?;
        }
        Ok(n_inserted)
    }

    /// Begins a transaction; the one writer also takes its lock, which ends with the transaction.
    pub(crate) fn begin_writing(&self) -> Result<(), StoreError> {
        if !self.is_postgres() {
            return self.batch("BEGIN IMMEDIATE");
        }
        self.batch("BEGIN")?;
        self.rows("SELECT pg_advisory_xact_lock($1)", &[WRITER_LOCK.into()])
            .map(|_| ())
    }

    /// Ends the transaction; what it changed is durable when this returns.
    pub(crate) fn commit(&self) -> Result<(), StoreError> {
        self.batch("COMMIT")
    }

    /// Undoes what was done since the transaction began.
    pub(crate) fn roll_back(&self) {
        // A transaction that the database has undone already, or a lost connection, leaves nothing to undo.
        let _ = self.batch("ROLLBACK");
    }

    /// Returns the word for a case-sensitive match, after which no character but `%` and `_` is special.
    pub(crate) fn like(&self, column: &str, place: &str, ignore_case: bool) -> String {
        let escape = if self.is_postgres() { " ESCAPE ''" } else { "" };
        match ignore_case {
            true => format!("LOWER({column}) LIKE LOWER({place}){escape}"),
            false => format!("{column} LIKE {place}{escape}"),
        }
    }
}

/// SQLite numbers its places with `?`: `$2` would be a name there.
fn numbered(sql: &str) -> Cow<'_, str> {
    if sql.contains('$') {
        Cow::Owned(sql.replace('$', "?"))
    } else {
        Cow::Borrowed(sql)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

fn execute_sqlite(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[Value<'_>],
) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(&numbered(sql))?;
    Ok(statement.execute(rusqlite::params_from_iter(values))? as u64)
}

fn visit_sqlite(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[Value<'_>],
    visit: &mut VisitRow<'_>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(&numbered(sql))?;
    let n_columns = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let cells = (0..n_columns).map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => Value::Integer(value),
                ValueRef::Real(value) => Value::Real(value),
                ValueRef::Text(value) => {
                    Value::Text(Cow::Owned(String::from_utf8_lossy(value).into_owned()))
                }
                ValueRef::Blob(value) => Value::Bytes(Cow::Owned(value.to_vec())),
            })
        });
        visit(Row(cells.collect::<rusqlite::Result<_>>()?))?;
    }
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(value) => value.to_sql(ty, out),
            Self::Real(value) => value.to_sql(ty, out),
            Self::Text(value) => value.to_sql(ty, out),
            Self::Bytes(value) => value.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(value) => value.to_sql_checked(ty, out),
            Self::Real(value) => value.to_sql_checked(ty, out),
            Self::Text(value) => value.to_sql_checked(ty, out),
            Self::Bytes(value) => value.to_sql_checked(ty, out),
        }
    }
}

impl Session {
    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        if sql.starts_with("BEGIN") {
            self.is_in_transaction.set(true);
        } else if sql == "COMMIT" || sql == "ROLLBACK" {
            self.is_in_transaction.set(false);
        }
        Ok(self.client.borrow_mut().batch_execute(sql)?)
    }

    /// Connects anew when this connection only reads, outside a transaction; returns whether it did.
    fn reconnect(&self) -> Result<bool, StoreError> {
        let Some(remote) = self
            .remote
            .as_ref()
            .filter(|_| !self.is_in_transaction.get())
        else {
            return Ok(false);
        };
        let mut client = remote.connect()?;
        client.batch_execute(PLAN_FOR_VALUES)?;
        self.statements.borrow_mut().clear();
        *self.client.borrow_mut() = client;
        Ok(true)
    }

    fn statement(&self, sql: &str) -> Result<postgres::Statement, StoreError> {
        if let Some(known) = self.statements.borrow().get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.borrow_mut().prepare(sql)?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS_LIMIT {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let statement = self.statement(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        Ok(self.client.borrow_mut().execute(&statement, &values)?)
    }

    fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        match self.rows_once(sql, values) {
            // A server that was restarted closed the connections that were kept.
            Err(StoreError::DatabaseUnavailable(_)) if self.reconnect()? => {
                self.rows_once(sql, values)
            }
            result => result,
        }
    }

    fn rows_once(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        let rows = self.client.borrow_mut().query(&statement, &values)?;
        rows.iter().map(row_of_postgres).collect()
    }
}

fn row_of_postgres(row: &postgres::Row) -> Result<Row, StoreError> {
    let cell = |column: usize| -> Result<Value<'static>, StoreError> {
        let ty = row.columns()[column].type_();
        Ok(match *ty {
            Type::INT8 => row.try_get::<_, Option<i64>>(column)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(column)?.map(i64::from).into(),
            Type::BOOL => row
                .try_get::<_, Option<bool>>(column)?
                .map(i64::from)
                .into(),
            Type::FLOAT8 => row.try_get::<_, Option<f64>>(column)?.into(),
            Type::TEXT | Type::VARCHAR => row.try_get::<_, Option<String>>(column)?.into(),
            Type::BYTEA => row
                .try_get::<_, Option<Vec<u8>>>(column)?
                .map_or(Value::Null, |bytes| Value::Bytes(Cow::Owned(bytes))),
            // Of a function that returns nothing.
            Type::VOID => Value::Null,
            _ => return Err(StoreError::MalformedRow { column }),
        })
    };
    Ok(Row((0..row.len()).map(cell).collect::<Result<_, _>>()?))
}
