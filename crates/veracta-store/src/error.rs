//! Why the store refuses or fails.

use postgres::error::SqlState;
use veracta_governance::record::RecordError;
use veracta_ledger::Hash;
use veracta_ledger::entry::EntryError;
use veracta_ledger::note::NoteError;
use veracta_ledger::tile::TileError;

/// Why the store refuses or fails. Nothing is half-written when one of these is returned.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder holds no workspace.
    #[error("there is no workspace in `{folder}`")]
    NoWorkspace {
        /// Path of the folder that was searched.
        folder: String,
    },
    /// The folder already holds a workspace, so none is made there.
    #[error("there is a workspace in `{folder}` already")]
    WorkspaceExists {
        /// Path of the folder that was to hold the new workspace.
        folder: String,
    },
    /// The database holds a log that another key signs.
    #[error(
        "the database holds the log `{origin}` of another key; give the workspace the `ledger.key` and `log.vkey` of that log, or another database"
    )]
    OtherLog {
        /// Name of the log found.
        origin: String,
    },
    /// The URL of the object store cannot be used; it may hold a secret and is not repeated.
    #[error("the URL of the object store cannot be used: {reason}")]
    ObjectsUrl {
        /// What is wrong with it, in words that do not repeat it.
        reason: String,
    },
    /// The workspace has its key, and its SQLite file is not there.
    #[error("the workspace has no database: `{file}` is not there")]
    NoDatabase {
        /// Path where the SQLite file is expected.
        file: String,
    },
    /// The database lacks a table that every database of MLflow has.
    #[error("this is no database of MLflow: it has no table `{table}`")]
    NotMlflow {
        /// Name of a table that every database of MLflow has.
        table: &'static str,
    },
    /// The text cannot be the name of a log.
    #[error("`{origin}` cannot name a log: it must not be empty or have white space or `+`")]
    Origin {
        /// The name that was refused.
        origin: String,
    },
    /// The group of records it was committed with failed.
    #[error(
        "another record of the same group could not be written; nothing of the group was committed"
    )]
    GroupFailed,
    /// The workspace was written by a newer program.
    #[error(
        "the workspace has schema {found}; this program knows {known}: use the newer program that wrote it"
    )]
    NewerSchema {
        /// Version of the schema that the database has.
        found: u32,
        /// Newest version of the schema that this program can read.
        known: u32,
    },
    /// The disk of the database or of the object store is full.
    #[error("the disk is full; what was being written was not committed")]
    DiskFull,
    /// A write failed in a way that leaves the state of the disk unknown.
    #[error(
        "an earlier write failed and the state of the disk is unknown; start the program again"
    )]
    Poisoned,
    /// The writer thread has ended, because the store is being closed or the thread failed.
    #[error("the store is shutting down")]
    Closed,
    /// A link to a record that is not there, or is another one.
    #[error("record #{idx} does not exist or is another record than the one linked to")]
    BadLink {
        /// Position in the ledger that the link names.
        idx: u64,
    },
    /// A secret cannot be opened with this workspace's key.
    #[error(
        "a secret in the database cannot be opened: it was sealed with another key, or changed"
    )]
    Sealed,
    /// The ledger has no record at this position, or it was erased.
    #[error("there is no record #{idx}; the ledger has {size} entries")]
    NoRecord {
        /// Position that was asked for, counted from 0.
        idx: u64,
        /// Number of entries in the ledger.
        size: u64,
    },
    /// A file that records refer to is not in the workspace.
    #[error("the bytes with SHA-256 {digest} are not in the workspace")]
    NoBlob {
        /// SHA-256 of the missing bytes.
        digest: Hash,
    },
    /// Bytes that are not the ones their name says.
    #[error(
        "the bytes stored as {digest} have another digest: they were changed behind the program's back"
    )]
    CorruptBlob {
        /// SHA-256 that the bytes should have, by which they are stored.
        digest: Hash,
    },
    /// A source that gave other bytes than the ones whose digest was taken.
    #[error(
        "the source no longer has SHA-256 {digest}: it changed while it was read; run the command again"
    )]
    ChangedWhileRead {
        /// SHA-256 of the source when it was read the first time.
        digest: Hash,
    },
    /// The log is not the continuation of what was signed.
    #[error(
        "the log no longer extends the checkpoint signed at {size} entries: {reason}; signing would contradict it"
    )]
    Fork {
        /// Number of entries that the signed checkpoint commits to.
        size: u64,
        /// In which respect the log contradicts the signed checkpoint.
        reason: &'static str,
    },
    /// The content of the key file is not a signing key.
    #[error("`{file}` is not a key file")]
    Key {
        /// Path of the file that should hold the key.
        file: String,
    },
    /// The backup is incomplete or contradicts itself.
    #[error("the backup cannot be restored: {reason}")]
    Backup {
        /// What is missing from the backup or contradicts its sheet.
        reason: String,
    },
    /// The system gives no random bytes, without which no key, id or salt can be made.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// The record cannot be encoded or read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The entry cannot be encoded or read.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The checkpoint cannot be signed or read.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A tile cannot be encoded or read.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// SQLite cannot carry out a statement.
    #[error("the database fails")]
    Database(#[source] rusqlite::Error),
    /// PostgreSQL refuses a statement, and repeating it will not help.
    #[error("the database fails")]
    Postgres(#[source] postgres::Error),
    /// PostgreSQL does not answer for now; repeating the request may help.
    #[error(
        "the database does not answer; nothing of what was being written is certain to be there, and repeating it does no harm"
    )]
    DatabaseUnavailable(#[source] postgres::Error),
    /// A database URL that cannot be used; the URL may hold a password and is not repeated.
    #[error("the database URL cannot be used: {reason}")]
    DatabaseUrl {
        /// What is wrong with it, in words that do not repeat it.
        reason: String,
    },
    /// A row of another form than this program writes.
    #[error(
        "a row of the database has another form than this program writes (column {column}): it was changed behind the program's back"
    )]
    MalformedRow {
        /// Column of the answer, from 0.
        column: usize,
    },
    /// A change of a finished run without a record of it.
    #[error("run `{run}` has ended, and its change was not recorded")]
    Unrecorded {
        /// Subject of the changed run, such as `run:…`.
        run: String,
    },
    /// The reader with the bytes to be stored failed before its end.
    #[error("what was being stored ended early; nothing of it was kept")]
    Source(#[source] std::io::Error),
    /// A request to the object store failed; repeating it may help.
    #[error("the object store fails")]
    Objects(#[source] object_store::Error),
    /// A file cannot be read or written.
    #[error("`{file}` cannot be read or written")]
    File {
        /// Path of the file that cannot be used.
        file: String,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// A state file of the workspace is malformed.
    #[error("`{file}` is malformed")]
    State {
        /// Path of the malformed file.
        file: String,
        /// Where and how the file differs from the expected JSON.
        #[source]
        source: serde_json::Error,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            // The shared-memory file beside the database could not grow.
            Some(rusqlite::ErrorCode::SystemIoFailure) if matches!(error.sqlite_error(), Some(inner) if inner.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => {
                Self::DiskFull
            }
            _ => Self::Database(error),
        }
    }
}

impl From<postgres::Error> for StoreError {
    fn from(error: postgres::Error) -> Self {
        postgres_failure(error)
    }
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(inner) = cause {
            if let Some(io) = inner.downcast_ref::<std::io::Error>()
                && io.kind() == std::io::ErrorKind::StorageFull
            {
                return Self::DiskFull;
            }
            cause = inner.source();
        }
        Self::Objects(error)
    }
}

impl StoreError {
    /// Whether the connection it came from must not be used again.
    pub(crate) fn breaks_connection(&self) -> bool {
        match self {
            Self::DiskFull | Self::DatabaseUnavailable(_) => true,
            Self::Database(cause) => {
                cause.sqlite_error_code() != Some(rusqlite::ErrorCode::ConstraintViolation)
            }
            _ => false,
        }
    }

    /// Whether a failed write leaves the state of the disk unknown.
    pub(crate) fn leaves_disk_unknown(&self) -> bool {
        match self {
            Self::Poisoned => true,
            Self::Database(cause) => {
                cause.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure)
            }
            _ => false,
        }
    }

    /// Returns what the others of a group are told when this failed.
    pub(crate) fn for_the_group(&self) -> Self {
        match self {
            Self::DiskFull => Self::DiskFull,
            error if error.leaves_disk_unknown() => Self::Poisoned,
            _ => Self::GroupFailed,
        }
    }

    /// Whether repeating the request later may succeed.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::DiskFull | Self::DatabaseUnavailable(_) | Self::Objects(_) | Self::GroupFailed
        )
    }

    /// Returns the error of a file operation.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let file = path.display().to_string();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull => Self::DiskFull,
            _ => Self::File { file, source },
        }
    }
}

/// Returns what a failure of PostgreSQL means.
fn postgres_failure(error: postgres::Error) -> StoreError {
    match error.code() {
        Some(&SqlState::DISK_FULL) => StoreError::DiskFull,
        Some(code) if !is_passing(code) => StoreError::Postgres(error),
        // Without a code it is the connection that failed, not the statement, unless a value could not be converted.
        None if !error.is_closed()
            && std::error::Error::source(&error)
                .is_some_and(|cause| !cause.is::<std::io::Error>()) =>
        {
            StoreError::Postgres(error)
        }
        _ => StoreError::DatabaseUnavailable(error),
    }
}

/// Whether a failure goes away by itself: a lost or refused connection, a shutdown, a deadlock.
fn is_passing(code: &SqlState) -> bool {
    ["08", "53", "57"]
        .iter()
        .any(|class| code.code().starts_with(class))
        || [
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
        ]
        .contains(code)
}
