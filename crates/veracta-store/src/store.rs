//! The workspace: opening it, reading it, and the transaction that is the only way to change it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};

use ed25519_dalek::SigningKey;
use veracta_governance::evidence::{Evidence, EvidenceSet};
use veracta_governance::record::{LedgerCheckpoint, Record};
use veracta_ledger::Hash;
use veracta_ledger::merkle::empty_root;
use veracta_ledger::note::{KeyType, VerifierKey, is_name};

use crate::append::{Committed, NewRecord};
use crate::database::Database;
use crate::location::Location;
use crate::reader::Reader;
use crate::sequencer::{Pending, Sequencer};
use crate::tables::records::Filter;
use crate::tables::{actors, records};
use crate::work::Work;
use crate::{Blobs, StoreError, keys, migrations};

/// Folder of a workspace inside a project.
const FOLDER: &str = ".veracta";
/// Kind of the record that opens a log.
const OPENING: &str = "ledger.checkpoint";

/// An open workspace: the ledger, the tables, the files and the signing key.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    location: Location,
    readers: Mutex<Vec<Database>>,
    sequencer: Sequencer,
    blobs: Blobs,
    key: SigningKey,
    log_key: VerifierKey,
}

/// Where a workspace keeps what grows; the folder always keeps the signing key.
#[derive(Clone, Default)]
pub struct Backend {
    /// URL of a PostgreSQL database; SQLite in the folder when not given.
    pub database: Option<String>,
    /// PEM file of the certificates that vouch for the database's server, instead of the system's.
    pub database_roots: Option<PathBuf>,
    /// URL of an object store (`s3://`, `gs://`, `az://`, `file://`); the folder when not given.
    pub objects: Option<String>,
    /// Settings of the object store, by the names its own tools have in the environment, such as `AWS_ENDPOINT`.
    pub object_options: Vec<(String, String)>,
}

/// Settings of a new workspace.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// Name of the log; a random one when not given.
    pub origin: Option<String>,
    /// Name of the person or program that creates the workspace.
    pub actor: String,
    /// Time of creation, RFC 3339 in UTC with milliseconds.
    pub at: String,
    /// Name and version of the program that creates it.
    pub program: String,
}

/// While it is held, no other process does the task it was asked for; see [`Store::lead`].
pub struct Lead {
    _lock: Option<fs::File>,
    db: Option<Database>,
}

impl Drop for Lead {
    fn drop(&mut self) {
        // The client of PostgreSQL waits for its connection to close, which must not happen on a thread of an event loop.
        if let Some(db) = self.db.take() {
            std::thread::spawn(move || drop(db));
        }
    }
}

/// The way to change state: who changes it, and when.
#[derive(Debug)]
pub struct Transaction<'s> {
    store: &'s Store,
    actor: String,
    at: String,
}

impl Transaction<'_> {
    /// Commits a record and its ledger entry together, and returns once both are durable.
    pub fn commit(&self, new: NewRecord) -> Result<Committed, StoreError> {
        self.submit(new)?.wait()
    }

    /// Hands a record over without waiting, so that many are synced at once.
    pub fn submit(&self, new: NewRecord) -> Result<Pending, StoreError> {
        self.store
            .sequencer
            .submit(new, self.actor.clone(), self.at.clone())
    }

    /// Reads and changes in one step that nobody else can come between, and returns once what it changed is durable.
    ///
    /// What is returned as an error is undone as if it had never been tried.
    pub fn work<T, E>(
        &self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        let (actor, at) = (self.actor.clone(), self.at.clone());
        let task = move |inner: &mut Work<'_>| {
            inner.begin(actor, at);
            let result = work(inner).and_then(|value| inner.end().map(|()| value).map_err(E::from));
            let is_kept = result.is_ok();
            let conclude: Box<crate::sequencer::Conclude> = Box::new(move |durable| {
                // A producer that no longer waits has dropped its receiver.
                let _ = reply.send(durable.map_err(E::from).and(result));
            });
            (is_kept, conclude)
        };
        self.store.sequencer.submit_work(Box::new(task))?;
        answer.recv().map_err(|_| StoreError::GroupFailed)?
    }
}

impl Store {
    /// Begins a workspace in `project`, kept in its folder.
    pub fn init(project: &Path, options: InitOptions) -> Result<Self, StoreError> {
        Self::init_at(project, &Backend::default(), options)
    }

    /// Begins a workspace in `project` with what grows kept elsewhere.
    pub fn init_at(
        project: &Path,
        backend: &Backend,
        options: InitOptions,
    ) -> Result<Self, StoreError> {
        let Beginning { folder, key, _lock } = begin_folder(project, &options)?;
        let location = location(&folder, backend)?;
        let db = Database::connect(&location)?;
        if !db.is_postgres() {
            db.rows("PRAGMA journal_mode = WAL", &[])?;
        }
        migrations::migrate(&db)?;
        // A crash after the first entry leaves a log that is bound to its key and name already.
        let begun = opening(&db)?;
        drop(db);
        if let Some(begun) = &begun
            && !is_of_key(begun, &key)
        {
            return Err(StoreError::OtherLog {
                origin: begun.origin.clone(),
            });
        }
        let origin = begun
            .map(|begun| begun.origin)
            .or_else(|| options.origin.clone())
            .unwrap_or_else(|| own_origin(&key));
        let log_key = VerifierKey::new(&origin, KeyType::Ed25519, key.verifying_key())?;
        let store = Self::assemble(folder, location, backend, key, log_key.clone())?;
        if store.size()? == 0 {
            store.begin_log(0, empty_root(), options)?;
        }
        store.complete()?;
        Ok(store)
    }

    /// Commits the entry that binds the log to its key, after `size` entries that give `root`.
    pub(crate) fn begin_log(
        &self,
        size: u64,
        root: Hash,
        options: InitOptions,
    ) -> Result<(), StoreError> {
        let key = self.log_key.to_string();
        let opening = LedgerCheckpoint {
            origin: self.log_key.name().to_owned(),
            key: key.clone(),
            size,
            root,
            program: options.program,
        };
        let record = Record::LedgerCheckpoint(opening);
        let new = NewRecord {
            record,
            subject: key,
            key: None,
            links: Vec::new(),
            artifacts: Vec::new(),
        };
        self.transaction(&options.actor, &options.at).commit(new)?;
        Ok(())
    }

    /// Writes the last file of a new workspace, whose presence says that it is complete, and publishes its log.
    pub(crate) fn complete(&self) -> Result<(), StoreError> {
        write_new(
            &self.folder.join("log.vkey"),
            &format!("{}\n", self.log_key),
        )?;
        self.publish()?;
        Ok(())
    }

    /// Opens the workspace of `project`, kept in its folder.
    pub fn open(project: &Path) -> Result<Self, StoreError> {
        Self::open_at(project, &Backend::default())
    }

    /// Opens the workspace of `project` with what grows kept elsewhere.
    pub fn open_at(project: &Path, backend: &Backend) -> Result<Self, StoreError> {
        let folder = project.join(FOLDER);
        let vkey_path = folder.join("log.vkey");
        let text = match fs::read_to_string(&vkey_path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::NoWorkspace {
                    folder: folder.display().to_string(),
                });
            }
            Err(error) => return Err(StoreError::file(&vkey_path)(error)),
        };
        let log_key: VerifierKey = text.trim_end().parse()?;
        let key = keys::load_key(&folder.join("ledger.key"))?;
        if key.verifying_key() != *log_key.key() {
            return Err(StoreError::Key {
                file: folder.join("ledger.key").display().to_string(),
            });
        }
        let location = location(&folder, backend)?;
        if let Location::Sqlite(file) = &location
            && !file.exists()
        {
            return Err(StoreError::NoDatabase {
                file: file.display().to_string(),
            });
        }
        let db = Database::connect(&location)?;
        migrations::migrate(&db)?;
        if let Some(begun) = opening(&db)?
            && begun.key != log_key.to_string()
        {
            return Err(StoreError::OtherLog {
                origin: begun.origin,
            });
        }
        drop(db);
        Self::assemble(folder, location, backend, key, log_key)
    }

    pub(crate) fn assemble(
        folder: PathBuf,
        location: Location,
        backend: &Backend,
        key: SigningKey,
        log_key: VerifierKey,
    ) -> Result<Self, StoreError> {
        let root = folder.join("objects");
        let blobs = Blobs::open(backend, &root)?;
        let sequencer = Sequencer::start(location.clone(), folder.join("write.lock"))?;
        Ok(Self {
            folder,
            location,
            readers: Mutex::new(Vec::new()),
            sequencer,
            blobs,
            key,
            log_key,
        })
    }

    /// Begins a change by `actor` at `at` (RFC 3339, UTC).
    pub fn transaction(&self, actor: &str, at: &str) -> Transaction<'_> {
        Transaction {
            store: self,
            actor: actor.to_owned(),
            at: at.to_owned(),
        }
    }

    /// Returns the folder of the workspace, which holds at least the signing key.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the files that are kept by the SHA-256 of their bytes.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Returns the log's public key.
    pub fn log_key(&self) -> &VerifierKey {
        &self.log_key
    }

    /// Returns the signing key, for statements and bundles.
    pub fn signing_key(&self) -> &SigningKey {
        &self.key
    }

    /// Encrypts a secret that has to lie in the database; `about` says what it belongs to.
    pub fn seal(&self, about: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
        keys::seal(&self.key, about, secret)
    }

    /// Decrypts what [`Store::seal`] encrypted; fails when `about` or the key is another one.
    pub fn unseal(
        &self,
        about: &str,
        sealed: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, StoreError> {
        keys::unseal(&self.key, about, sealed)
    }

    /// Becomes the one of all processes on this workspace that does a task; `None` while another is. It ends with what is returned.
    pub fn lead(&self, task: &str) -> Result<Option<Lead>, StoreError> {
        let db = match &self.location {
            Location::Postgres(_) => Database::connect(&self.location)?,
            Location::Sqlite(_) => {
                let path = self.folder.join(format!("{task}.lock"));
                let lock = fs::File::options()
                    .create(true)
                    .append(true)
                    .open(&path)
                    .map_err(StoreError::file(&path))?;
                return match lock.try_lock() {
                    Ok(()) => Ok(Some(Lead {
                        _lock: Some(lock),
                        db: None,
                    })),
                    Err(fs::TryLockError::WouldBlock) => Ok(None),
                    Err(fs::TryLockError::Error(error)) => Err(StoreError::file(&path)(error)),
                };
            }
        };
        let digest = Hash::of(task.as_bytes()).0;
        let key = i64::from_be_bytes(digest[..8].try_into().expect("eight of them"));
        let row = db.row("SELECT pg_try_advisory_lock($1)", &[key.into()])?;
        let is_leading = row.map_or(Ok(0), |row| row.integer(0))? != 0;
        Ok(is_leading.then_some(Lead {
            _lock: None,
            db: Some(db),
        }))
    }

    pub(crate) fn reader(&self) -> Result<Reader<'_>, StoreError> {
        // A panic while reading leaves connections that can still read.
        let idle = self
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let db = match idle {
            Some(db) => db,
            None => Database::connect(&self.location)?.for_reading(&self.location)?,
        };
        Ok(Reader::new(db, &self.readers))
    }

    /// Returns the number of entries.
    pub fn size(&self) -> Result<u64, StoreError> {
        records::size(&*self.reader()?)
    }

    /// Returns one record with its entry.
    pub fn evidence(&self, idx: u64) -> Result<Evidence, StoreError> {
        let reader = self.reader()?;
        match records::evidence(&reader, idx)? {
            Some(evidence) => Ok(evidence),
            None => Err(StoreError::NoRecord {
                idx,
                size: records::size(&reader)?,
            }),
        }
    }

    /// Returns a record's stored bytes.
    pub fn body_bytes(&self, idx: u64) -> Result<Vec<u8>, StoreError> {
        let reader = self.reader()?;
        match records::body(&reader, idx)? {
            Some(body) => Ok(body),
            None => Err(StoreError::NoRecord {
                idx,
                size: records::size(&reader)?,
            }),
        }
    }

    fn collect(&self, filter: Filter<'_>) -> Result<Vec<Evidence>, StoreError> {
        let reader = self.reader()?;
        let found = records::positions(&reader, filter)?
            .into_iter()
            .map(|idx| records::evidence(&reader, idx));
        found.filter_map(Result::transpose).collect()
    }

    /// Returns every record in order.
    pub fn all(&self) -> Result<Vec<Evidence>, StoreError> {
        self.collect(Filter::All)
    }

    /// Returns every record of a kind in order.
    pub fn of_kind(&self, kind: &str) -> Result<Vec<Evidence>, StoreError> {
        self.collect(Filter::Kind(kind))
    }

    /// Returns every record of a kind about a subject in order.
    pub fn about(&self, kind: &str, subject: &str) -> Result<Vec<Evidence>, StoreError> {
        self.collect(Filter::Subject(kind, subject))
    }

    /// Returns the records that a step with this content key made.
    pub fn made_by(&self, key: Hash) -> Result<Vec<Evidence>, StoreError> {
        self.collect(Filter::Key(key))
    }

    /// Returns the openings of the log in order: the first, and one for each time it was restored from a backup.
    pub fn openings(&self) -> Result<Vec<Evidence>, StoreError> {
        self.of_kind(OPENING)
    }

    /// Returns a record and everything it rests on, directly or through others, with the openings of the log.
    pub fn lineage(&self, idx: u64) -> Result<EvidenceSet, StoreError> {
        let reader = self.reader()?;
        let (mut seen, mut found) = (std::collections::BTreeSet::new(), Vec::new());
        let mut open = records::positions(&reader, Filter::Kind(OPENING))?;
        open.push(idx);
        while let Some(idx) = open.pop() {
            if !seen.insert(idx) {
                continue;
            }
            let evidence = records::evidence(&reader, idx)?;
            let evidence = evidence.ok_or(StoreError::NoRecord {
                idx,
                size: records::size(&reader)?,
            })?;
            open.extend(evidence.entry.links.iter().map(|link| link.idx));
            found.push(evidence);
        }
        Ok(EvidenceSet::new(found))
    }

    /// Returns the name behind an actor's handle, unless it was erased.
    pub fn actor_name(&self, handle: &str) -> Result<Option<String>, StoreError> {
        actors::name_of(&*self.reader()?, handle)
    }
}

/// The folder of a workspace that begins, with its key; nobody else begins one there while it is held.
pub(crate) struct Beginning {
    pub(crate) folder: PathBuf,
    pub(crate) key: SigningKey,
    pub(crate) _lock: fs::File,
}

/// Makes the folder of a new workspace.
pub(crate) fn begin_folder(project: &Path, options: &InitOptions) -> Result<Beginning, StoreError> {
    let folder = project.join(FOLDER);
    let exists = || StoreError::WorkspaceExists {
        folder: folder.display().to_string(),
    };
    if folder.join("log.vkey").exists() {
        return Err(exists());
    }
    if let Some(origin) = &options.origin
        && !is_name(origin)
    {
        return Err(StoreError::Origin {
            origin: origin.clone(),
        });
    }
    fs::create_dir_all(folder.join("objects")).map_err(StoreError::file(&folder))?;
    let lock_path = folder.join("init.lock");
    let lock = fs::File::options()
        .create(true)
        .append(true)
        .open(&lock_path)
        .map_err(StoreError::file(&lock_path))?;
    lock.lock().map_err(StoreError::file(&lock_path))?;
    if folder.join("log.vkey").exists() {
        return Err(exists());
    }
    write_new(&folder.join(".gitignore"), "*\n")?;
    let key_path = folder.join("ledger.key");
    // A crash between here and the first entry leaves a key without a log: beginning again continues with it.
    let key = if key_path.exists() {
        keys::load_key(&key_path)?
    } else {
        keys::create_key(&key_path)?
    };
    Ok(Beginning {
        folder,
        key,
        _lock: lock,
    })
}

/// Returns the name of a log that was given none.
pub(crate) fn own_origin(key: &SigningKey) -> String {
    format!(
        "veracta.invalid/{}",
        Hash::of(key.verifying_key().as_bytes()).short()
    )
}

fn write_new(path: &Path, text: &str) -> Result<(), StoreError> {
    let write = || {
        let mut file = fs::File::create(path)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(StoreError::file(path))
}

pub(crate) fn location(folder: &Path, backend: &Backend) -> Result<Location, StoreError> {
    Location::new(
        backend.database.as_deref(),
        backend.database_roots.as_deref(),
        folder.join("veracta.db"),
    )
}

/// Returns how the log begins, or begins anew after it was restored; what is there instead is told by `verify`.
fn opening(db: &Database) -> Result<Option<LedgerCheckpoint>, StoreError> {
    let Some(idx) = records::positions(db, Filter::Kind(OPENING))?.pop() else {
        return Ok(None);
    };
    Ok(records::evidence(db, idx)
        .ok()
        .flatten()
        .and_then(|opening| match opening.record {
            Record::LedgerCheckpoint(body) => Some(body),
            _ => None,
        }))
}

fn is_of_key(begun: &LedgerCheckpoint, key: &SigningKey) -> bool {
    begun
        .key
        .parse::<VerifierKey>()
        .is_ok_and(|begun| *begun.key() == key.verifying_key())
}
