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
    /// There is no workspace.
    #[error("there is no workspace in `{folder}`")]
    NoWorkspace {
        /// Folder looked in.
        folder: String,
    },
    /// There is one already.
    #[error("there is a workspace in `{folder}` already")]
    WorkspaceExists {
        /// Folder looked in.
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
        /// Why.
        reason: String,
    },
    /// The database is gone.
    #[error("the workspace has no database: `{file}` is not there")]
    NoDatabase {
        /// Where it should be.
        file: String,
    },
    /// Not a database of MLflow.
    #[error("this is no database of MLflow: it has no table `{table}`")]
    NotMlflow {
        /// The table looked for.
        table: &'static str,
    },
    /// Not a name for a log.
    #[error("`{origin}` cannot name a log: it must not be empty or have white space or `+`")]
    Origin {
        /// The refused name.
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
        /// Schema found.
        found: u32,
        /// Newest schema known.
        known: u32,
    },
    /// The disk is full.
    #[error("the disk is full; what was being written was not committed")]
    DiskFull,
    /// A write failed in a way that leaves the state of the disk unknown.
    #[error(
        "an earlier write failed and the state of the disk is unknown; start the program again"
    )]
    Poisoned,
    /// The writer is gone.
    #[error("the store is shutting down")]
    Closed,
    /// A link to a record that is not there, or is another one.
    #[error("record #{idx} does not exist or is another record than the one linked to")]
    BadLink {
        /// Position linked to.
        idx: u64,
    },
    /// A secret cannot be opened with this workspace's key.
    #[error(
        "a secret in the database cannot be opened: it was sealed with another key, or changed"
    )]
    Sealed,
    /// No record at a position.
    #[error("there is no record #{idx}; the ledger has {size} entries")]
    NoRecord {
        /// Position asked for.
        idx: u64,
        /// Entries there are.
        size: u64,
    },
    /// Bytes that are not in the store.
    #[error("the bytes with SHA-256 {digest} are not in the workspace")]
    NoBlob {
        /// Their digest.
        digest: Hash,
    },
    /// Bytes that are not the ones their name says.
    #[error(
        "the bytes stored as {digest} have another digest: they were changed behind the program's back"
    )]
    CorruptBlob {
        /// Digest in the name.
        digest: Hash,
    },
    /// A source that gave other bytes than the ones whose digest was taken.
    #[error(
        "the source no longer has SHA-256 {digest}: it changed while it was read; run the command again"
    )]
    ChangedWhileRead {
        /// Digest taken first.
        digest: Hash,
    },
    /// The log is not the continuation of what was signed.
    #[error(
        "the log no longer extends the checkpoint signed at {size} entries: {reason}; signing would contradict it"
    )]
    Fork {
        /// Size signed.
        size: u64,
        /// What does not fit.
        reason: &'static str,
    },
    /// The key file is not a key.
    #[error("`{file}` is not a key file")]
    Key {
        /// Path of the file.
        file: String,
    },
    /// A backup that cannot be restored.
    #[error("the backup cannot be restored: {reason}")]
    Backup {
        /// Why.
        reason: String,
    },
    /// No randomness from the system.
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
    /// The database fails.
    #[error("the database fails")]
    Database(#[source] rusqlite::Error),
    /// PostgreSQL refuses a statement.
    #[error("the database fails")]
    Postgres(#[source] postgres::Error),
    /// PostgreSQL does not answer, for now.
    #[error(
        "the database does not answer; nothing of what was being written is certain to be there, and repeating it does no harm"
    )]
    DatabaseUnavailable(#[source] postgres::Error),
    /// A database URL that cannot be used; the URL may hold a password and is not repeated.
    #[error("the database URL cannot be used: {reason}")]
    DatabaseUrl {
        /// Why.
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
        /// The run.
        run: String,
    },
    /// What was being stored ended early.
    #[error("what was being stored ended early; nothing of it was kept")]
    Source(#[source] std::io::Error),
    /// The object store fails.
    #[error("the object store fails")]
    Objects(#[source] object_store::Error),
    /// A file cannot be read or written.
    #[error("`{file}` cannot be read or written")]
    File {
        /// Path of the file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A derived state file is malformed.
    #[error("`{file}` is malformed")]
    State {
        /// Path of the file.
        file: String,
        /// Why.
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
