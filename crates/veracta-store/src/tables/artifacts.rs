//! Uploaded files: a path, and the digest of its bytes, which are in the object store.

use veracta_ledger::Hash;

use crate::StoreError;
use crate::database::{Database, Row};
use crate::tracking::ArtifactFile;
use crate::work::{Draft, View};

fn read(row: &mut Row) -> Result<ArtifactFile, StoreError> {
    let digest = row
        .bytes(1)?
        .try_into()
        .map_err(|_| StoreError::MalformedRow { column: 1 })?;
    Ok(ArtifactFile {
        path: row.text(0)?,
        digest: Hash(digest),
        bytes: row.integer(2)? as u64,
    })
}

/// Returns the first text after all that begin with `folder/`.
fn end_of(folder: &str) -> String {
    // The character after `/` in the order of bytes.
    format!("{folder}0")
}

fn below(db: &Database, folder: &str) -> Result<Vec<ArtifactFile>, StoreError> {
    let sql =
        "SELECT path, digest, bytes FROM artifacts WHERE path >= $1 AND path < $2 ORDER BY path";
    db.rows(sql, &[format!("{folder}/").into(), end_of(folder).into()])?
        .iter_mut()
        .map(read)
        .collect()
}

impl View<'_> {
    /// Returns the file at a path.
    pub fn artifact(&self, path: &str) -> Result<Option<ArtifactFile>, StoreError> {
        let row = self.db.row(
            "SELECT path, digest, bytes FROM artifacts WHERE path = $1",
            &[path.into()],
        )?;
        row.map(|mut row| read(&mut row)).transpose()
    }

    /// Returns every file there is, by path.
    pub fn all_artifacts(&self) -> Result<Vec<ArtifactFile>, StoreError> {
        self.db
            .rows(
                "SELECT path, digest, bytes FROM artifacts ORDER BY path",
                &[],
            )?
            .iter_mut()
            .map(read)
            .collect()
    }

    /// Returns which of these bytes no file has.
    pub(crate) fn without_file(&self, digests: &[Hash]) -> Result<Vec<Hash>, StoreError> {
        let mut found = Vec::new();
        for digest in digests {
            let row = self.db.row(
                "SELECT path FROM artifacts WHERE digest = $1 LIMIT 1",
                &[digest.0.as_slice().into()],
            )?;
            if row.is_none() {
                found.push(*digest);
            }
        }
        Ok(found)
    }

    /// Returns every file below a folder, by path.
    pub fn artifacts_below(&self, folder: &str) -> Result<Vec<ArtifactFile>, StoreError> {
        below(self.db, folder)
    }
}

impl Draft<'_> {
    /// Puts a file at a path.
    pub fn put_artifact(&self, file: &ArtifactFile, now_ms: i64) -> Result<(), StoreError> {
        let row = vec![
            (&file.path).into(),
            file.digest.0.as_slice().into(),
            (file.bytes as i64).into(),
            now_ms.into(),
        ];
        let tail = "ON CONFLICT (path) DO UPDATE SET digest = excluded.digest, bytes = excluded.bytes, updated_ms = excluded.updated_ms";
        self.db
            .insert(
                "INSERT INTO artifacts (path, digest, bytes, updated_ms)",
                tail,
                &[row],
            )
            .map(|_| ())
    }

    /// Removes a file, or a folder with all that is below it; returns how many files that were.
    pub fn remove_artifacts(&self, path: &str) -> Result<u64, StoreError> {
        let sql = "DELETE FROM artifacts WHERE path = $1 OR (path >= $2 AND path < $3)";
        self.db.execute(
            sql,
            &[path.into(), format!("{path}/").into(), end_of(path).into()],
        )
    }
}
