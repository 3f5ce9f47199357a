//! A copy of a whole workspace that needs nothing but this program: a SQLite database, the bytes by digest, and a sheet that says what is in
//! it. It is taken while others write, of one moment, from either database; and it is restored into either.
//!
//! A restored workspace may lack entries that its log already signed. So it never goes on under the old key: it begins a new epoch, with a key
//! and a name of its own, whose opening commits to the entries restored.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use veracta_ledger::Hash;
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::entry::Entry;
use veracta_ledger::merkle::{CompactRange, leaf_hash};
use veracta_ledger::note::{KeyType, VerifierKey};

use crate::database::{Database, Row, Value};
use crate::location::Location;
use crate::store::{Beginning, begin_folder, location, own_origin};
use crate::tables::records;
use crate::{Backend, Blobs, InitOptions, Store, StoreError, migrations};

/// Name and version of the format of a backup.
const FORMAT: &str = "veracta.backup/1";
const DATABASE: &str = "veracta.db";
const SHEET: &str = "backup.json";
/// Rows that are copied in one statement.
const ROWS_TOGETHER: usize = 5_000;
/// Tables in the order they are copied. What the signer signed last is not among them: it belongs to the key, which stays where it is.
const TABLES: &[&str] = &[
    "entries",
    "records",
    "actors",
    "experiments",
    "experiment_tags",
    "runs",
    "params",
    "tags",
    "metric_keys",
    "metrics",
    "latest_metrics",
    "datasets",
    "run_inputs",
    "run_input_tags",
    "run_models",
    "logged_models",
    "logged_model_tags",
    "logged_model_params",
    "logged_model_metrics",
    "registered_models",
    "registered_model_tags",
    "registered_model_aliases",
    "model_versions",
    "model_version_tags",
    "artifacts",
    "users",
    "tokens",
    "webhooks",
];

/// The content of a backup's sheet: what was backed up, with the digests to check it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Name and version of the format, `veracta.backup/1`.
    pub format: String,
    /// Name and version of the program that took the backup.
    pub program: String,
    /// Time at which the backup was taken, RFC 3339 in UTC.
    pub at: String,
    /// Name of the log that was backed up.
    pub origin: String,
    /// Public key of the log, as a vkey.
    pub key: String,
    /// Number of entries in the log at that moment.
    pub size: u64,
    /// Root hash of the Merkle tree (RFC 6962) over these entries.
    pub root: Hash,
    /// The signed head published before it was taken.
    pub checkpoint: String,
    /// SHA-256 of the SQLite file in the backup.
    pub database: Hash,
    /// Number of files that are kept by the SHA-256 of their bytes.
    pub n_blobs: u64,
    /// Total length of these files in bytes.
    pub blob_bytes: u64,
}

/// The result of restoring a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The sheet of the backup that was restored.
    pub backup: Backup,
    /// Name of the new log, which continues the restored entries under a new key.
    pub origin: String,
    /// Public key of the new log, as a vkey.
    pub key: String,
    /// Webhooks that wait for a new secret: theirs was sealed with the old key.
    pub webhooks_disabled: u64,
}

/// Something to show while bytes are copied: files done, and files in all.
pub type Progress<'p> = dyn FnMut(u64, u64) + 'p;

fn hash_of_file(path: &Path) -> Result<Hash, StoreError> {
    let read = || {
        let (mut file, mut hasher, mut chunk) =
            (File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(Hash(hasher.finalize().into())),
                n_bytes => hasher.update(&chunk[..n_bytes]),
            }
        }
    };
    read().map_err(StoreError::file(path))
}

/// Returns the root over the entries of a database; a gap among them is refused.
fn root_of(db: &Database) -> Result<(u64, Hash), StoreError> {
    let (size, mut tree) = (records::size(db)?, CompactRange::default());
    records::visit_entries(db, 0, size, &mut |_, bytes| {
        tree.append(leaf_hash(bytes));
        Ok(())
    })?;
    match tree.size() == size {
        true => Ok((size, tree.root())),
        false => Err(StoreError::Backup {
            reason: format!("entry {} is missing", tree.size()),
        }),
    }
}

/// Returns every digest that an entry or a file refers to.
fn referenced(db: &Database) -> Result<BTreeSet<Hash>, StoreError> {
    let mut digests = BTreeSet::new();
    records::visit_entries(db, 0, records::size(db)?, &mut |_, bytes| {
        digests.extend(
            Entry::parse(bytes)?
                .artifacts
                .iter()
                .map(|artifact| artifact.digest),
        );
        Ok(())
    })?;
    db.visit("SELECT digest FROM artifacts", &[], &mut |mut row| {
        let digest: [u8; 32] = row
            .bytes(0)?
            .try_into()
            .map_err(|_| StoreError::MalformedRow { column: 0 })?;
        digests.insert(Hash(digest));
        Ok(())
    })?;
    Ok(digests)
}

fn columns_of(sqlite: &Database, table: &str) -> Result<Vec<String>, StoreError> {
    sqlite
        .rows(&format!("PRAGMA table_info({table})"), &[])?
        .iter_mut()
        .map(|row| row.text(1))
        .collect()
}

/// Copies every table; one of the two databases is SQLite. Both have the newest schema.
fn copy_tables(from: &Database, to: &Database) -> Result<(), StoreError> {
    let sqlite = if from.is_postgres() { to } else { from };
    for table in TABLES {
        let columns = columns_of(sqlite, table)?.join(", ");
        let head = format!("INSERT INTO {table} ({columns})");
        let mut rows: Vec<Vec<Value<'static>>> = Vec::with_capacity(ROWS_TOGETHER);
        from.stream(
            table,
            &format!("SELECT {columns} FROM {table}"),
            ROWS_TOGETHER,
            &mut |row: Row| {
                rows.push(row.into_values());
                if rows.len() < ROWS_TOGETHER {
                    return Ok(());
                }
                to.insert(&head, "", &std::mem::take(&mut rows)).map(|_| ())
            },
        )?;
        to.insert(&head, "", &rows)?;
    }
    Ok(())
}

fn sqlite_at(path: &Path) -> Result<Database, StoreError> {
    Database::connect(&Location::Sqlite(path.to_owned()))
}

impl Store {
    /// Copies the workspace into a folder while others go on writing. A second time only the bytes that are new are copied.
    pub fn back_up(
        &self,
        folder: &Path,
        at: &str,
        program: &str,
        progress: &mut Progress<'_>,
    ) -> Result<Backup, StoreError> {
        fs::create_dir_all(folder).map_err(StoreError::file(folder))?;
        let checkpoint = self.publish()?;
        let (part, database) = (folder.join("veracta.db.part"), folder.join(DATABASE));
        match fs::remove_file(&part) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::file(&part)(error));
            }
            _ => {}
        }
        self.copy_database(&part)?;
        let copy = sqlite_at(&part)?;
        let ((size, root), digests) = (root_of(&copy)?, referenced(&copy)?);
        drop(copy);
        let kept = Blobs::open(&Backend::default(), &objects_in(folder)?)?;
        let (n_blobs, mut blob_bytes) = (digests.len() as u64, 0);
        for (digest, n_done) in digests.iter().zip(1..) {
            blob_bytes += self.blobs().copy_to(&kept, *digest)?;
            progress(n_done, n_blobs);
        }
        let key = self.log_key();
        let backup = Backup {
            format: FORMAT.to_owned(),
            program: program.to_owned(),
            at: at.to_owned(),
            origin: key.name().to_owned(),
            key: key.to_string(),
            size,
            root,
            checkpoint,
            database: hash_of_file(&part)?,
            n_blobs,
            blob_bytes,
        };
        let sheet = folder.join(SHEET);
        let text = serde_json::to_vec_pretty(&backup).map_err(|source| StoreError::State {
            file: sheet.display().to_string(),
            source,
        })?;
        // The database first: with the old sheet it is refused, not taken for another one.
        fs::rename(&part, &database).map_err(StoreError::file(&database))?;
        let new = folder.join("backup.json.part");
        let write = || {
            fs::write(&new, &text)?;
            File::open(&new)?.sync_all()?;
            fs::rename(&new, &sheet)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(StoreError::file(&sheet))?;
        Ok(backup)
    }

    /// Writes a SQLite database with what this one holds at one moment.
    fn copy_database(&self, path: &Path) -> Result<(), StoreError> {
        let reader = self.reader()?;
        if !reader.is_postgres() {
            reader.execute("VACUUM INTO $1", &[path.display().to_string().into()])?;
            return File::open(path)
                .and_then(|file| file.sync_all())
                .map_err(StoreError::file(path));
        }
        let copy = sqlite_at(path)?;
        migrations::migrate(&copy)?;
        copy.begin_writing()?;
        reader.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let copied = copy_tables(&reader, &copy);
        reader.roll_back();
        copied?;
        copy.commit()
    }

    /// Begins a workspace in `project` with what a backup holds, as a new epoch of its log.
    ///
    /// The backup is checked before anything of it counts: its database against the sheet, its entries against the root and the signed head,
    /// every file against its digest.
    pub fn restore(
        folder: &Path,
        project: &Path,
        backend: &Backend,
        options: InitOptions,
        progress: &mut Progress<'_>,
    ) -> Result<(Self, Restored), StoreError> {
        let (backup, digests) = check(folder)?;
        let Beginning {
            folder: workspace,
            key,
            _lock,
        } = begin_folder(project, &options)?;
        let location = location(&workspace, backend)?;
        let target = Database::connect(&location)?;
        if !target.is_postgres() {
            target.rows("PRAGMA journal_mode = WAL", &[])?;
        }
        migrations::migrate(&target)?;
        if records::size(&target)? > 0 {
            return Err(StoreError::Backup {
                reason: "the database to restore into holds a log already".to_owned(),
            });
        }
        let blobs = Blobs::open(backend, &workspace.join("objects"))?;
        let kept = Blobs::open(&Backend::default(), &objects_in(folder)?)?;
        for (digest, n_done) in digests.iter().zip(1..) {
            kept.copy_to(&blobs, *digest)?;
            progress(n_done, digests.len() as u64);
        }
        // A copy, because an older backup is brought to the newest schema first, and a backup is never changed.
        let at_hand = workspace.join("restoring.db");
        fs::copy(folder.join(DATABASE), &at_hand).map_err(StoreError::file(&at_hand))?;
        let copy = sqlite_at(&at_hand)?;
        migrations::migrate(&copy)?;
        target.begin_writing()?;
        copy_tables(&copy, &target)?;
        // Sealed with the key of the old log, which is not here.
        let webhooks_disabled = target.execute(
            "UPDATE webhooks SET secret = NULL, status = 'DISABLED' WHERE secret IS NOT NULL",
            &[],
        )?;
        target.commit()?;
        drop((copy, target));
        fs::remove_file(&at_hand).map_err(StoreError::file(&at_hand))?;
        let origin = options.origin.clone().unwrap_or_else(|| own_origin(&key));
        if origin == backup.origin {
            return Err(StoreError::Backup {
                reason: format!("the new epoch needs another name than `{origin}`"),
            });
        }
        let log_key = VerifierKey::new(&origin, KeyType::Ed25519, key.verifying_key())?;
        let restored = Restored {
            origin,
            key: log_key.to_string(),
            webhooks_disabled,
            backup,
        };
        let store = Self::assemble(workspace, location, backend, key, log_key)?;
        store.begin_log(restored.backup.size, restored.backup.root, options)?;
        store.complete()?;
        Ok((store, restored))
    }
}

fn objects_in(folder: &Path) -> Result<std::path::PathBuf, StoreError> {
    let objects = folder.join("objects");
    fs::create_dir_all(&objects).map_err(StoreError::file(&objects))?;
    Ok(objects)
}

/// Checks a backup against itself and returns its sheet and the digests of its files.
fn check(folder: &Path) -> Result<(Backup, BTreeSet<Hash>), StoreError> {
    let refused = |reason: &str| StoreError::Backup {
        reason: reason.to_owned(),
    };
    let (sheet, database) = (folder.join(SHEET), folder.join(DATABASE));
    let text = fs::read(&sheet).map_err(StoreError::file(&sheet))?;
    let backup: Backup = serde_json::from_slice(&text).map_err(|source| StoreError::State {
        file: sheet.display().to_string(),
        source,
    })?;
    if backup.format != FORMAT {
        return Err(StoreError::Backup {
            reason: format!(
                "it has the form `{}`; this program knows `{FORMAT}`",
                backup.format
            ),
        });
    }
    if hash_of_file(&database)? != backup.database {
        return Err(refused(
            "its database is not the one its sheet names: it was changed, or the backup ended early",
        ));
    }
    let copy = sqlite_at(&database)?;
    if root_of(&copy)? != (backup.size, backup.root) {
        return Err(refused("its entries do not give the root on its sheet"));
    }
    let key: VerifierKey = backup.key.parse()?;
    let (head, _) = Checkpoint::open(backup.checkpoint.as_bytes(), &key)
        .map_err(|_| refused("its signed head does not verify"))?;
    let mut tree = CompactRange::default();
    records::visit_entries(&copy, 0, head.size, &mut |_, bytes| {
        tree.append(leaf_hash(bytes));
        Ok(())
    })?;
    if (tree.size(), tree.root()) != (head.size, head.root) {
        return Err(refused(
            "its entries do not give the root that its log signed",
        ));
    }
    let digests = referenced(&copy)?;
    Ok((backup, digests))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_copied() -> Result<(), StoreError> {
        let folder =
            tempfile::tempdir().map_err(StoreError::file(Path::new("a folder for the test")))?;
        let db = sqlite_at(&folder.path().join("a.db"))?;
        migrations::migrate(&db)?;
        let mut rows = db.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'signer' ORDER BY name", &[])?;
        let tables = rows
            .iter_mut()
            .map(|row| row.text(0))
            .collect::<Result<Vec<String>, _>>()?;
        let mut copied: Vec<&str> = TABLES.to_vec();
        copied.sort_unstable();
        assert_eq!(copied, tables);
        Ok(())
    }
}
