//! Statistics of a file and identifiers in it, and profiles that are stored and stand in for the rows later.

use std::path::{Path, PathBuf};

use serde::Serialize;
use veracta_data::reading::ReadOptions;
use veracta_data::source::ReadTable;
use veracta_data::table::{ReadReport, Table};
use veracta_ledger::Hash;
use veracta_statistics::privacy::{IdentifierScan, scan_identifiers};
use veracta_statistics::profile::{Profile, profile};
use veracta_statistics::sketch::{SketchError, TableSketch};

use super::{hash_file, read_table};
use crate::LifecycleError;

/// Largest stored profile: a thousand numeric columns of a billion rows.
const PROFILE_BYTES_MAX: u64 = 1 << 30;

/// A file with its statistics and the identifiers in it.
#[derive(Debug, Clone, Serialize)]
pub struct FileProfile {
    /// The file.
    pub file: PathBuf,
    /// SHA-256 of its bytes.
    pub digest: Hash,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its format, such as `csv`.
    pub format: &'static str,
    /// What a person should know of the cells, such as columns of numbers and words.
    pub read: ReadReport,
    /// Statistics of each column.
    pub profile: Profile,
    /// What may identify a person, by column.
    pub identifiers: IdentifierScan,
}

/// Profiles a file; returns its rows as well.
pub fn profile_file(
    file: &Path,
    csv: &ReadOptions,
) -> Result<(FileProfile, Table), LifecycleError> {
    let (digest, bytes) = hash_file(file)?;
    let ReadTable {
        format,
        table,
        report,
    } = read_table(file, csv)?;
    let found = FileProfile {
        file: file.to_owned(),
        digest,
        bytes,
        format: format.name(),
        read: report,
        profile: profile(&table, &[]),
        identifiers: scan_identifiers(&table),
    };
    Ok((found, table))
}

/// Reads a profile that `veracta profile --save` wrote; a file over 1 GiB is refused.
pub(crate) fn read_profile(path: &Path) -> Result<TableSketch, LifecycleError> {
    let metadata = std::fs::metadata(path).map_err(LifecycleError::file(path))?;
    if metadata.len() > PROFILE_BYTES_MAX {
        return Err(refuse_profile(path)(SketchError::TooLarge {
            n_bytes: metadata.len(),
            limit: PROFILE_BYTES_MAX,
        }));
    }
    let bytes = std::fs::read(path).map_err(LifecycleError::file(path))?;
    TableSketch::from_bytes(&bytes).map_err(refuse_profile(path))
}

/// Profiles the rows of a file together with those of profiles stored before, for a comparison without the rows.
pub fn profile_for_storage(
    table: &Table,
    stored: &[PathBuf],
) -> Result<TableSketch, LifecycleError> {
    let mut sketch = TableSketch::new(table);
    for path in stored {
        let merged = sketch.merge(&read_profile(path)?);
        merged.map_err(refuse_profile(path))?;
    }
    Ok(sketch)
}

pub(crate) fn refuse_profile(path: &Path) -> impl FnOnce(SketchError) -> LifecycleError {
    let file = path.display().to_string();
    move |source| LifecycleError::Profile { file, source }
}
