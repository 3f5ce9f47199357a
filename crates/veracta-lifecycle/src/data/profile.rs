//! Profiles that are stored and stand in for the rows later.

use std::path::{Path, PathBuf};

use veracta_data::table::Table;
use veracta_statistics::sketch::{SketchError, TableSketch};

use crate::LifecycleError;

/// Largest stored profile: a thousand numeric columns of a billion rows.
const PROFILE_BYTES_MAX: u64 = 1 << 30;

/// Reads a stored profile.
pub fn read_profile(path: &Path) -> Result<TableSketch, LifecycleError> {
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
