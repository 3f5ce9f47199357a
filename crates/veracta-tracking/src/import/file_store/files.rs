//! The files of a file store: what each kind of `meta.yaml` holds, one file a key, and folders that describe something.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use veracta_store::tracking::KeyValue;

use super::super::ImportError;

/// Largest file of a parameter, a tag or of what describes a thing; files of metrics are read whatever their size.
const FILE_BYTES_LIMIT: u64 = 64 << 20;
/// File that describes a thing.
pub(super) const META: &str = "meta.yaml";

/// A value that is written as text or as a number.
fn text_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    })
}

#[derive(Deserialize)]
pub(super) struct ExperimentMeta {
    #[serde(default, deserialize_with = "text_of")]
    pub(super) experiment_id: String,
    #[serde(deserialize_with = "text_of")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) artifact_location: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) lifecycle_stage: String,
    pub(super) creation_time: Option<i64>,
    pub(super) last_update_time: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct RunMeta {
    #[serde(default, deserialize_with = "text_of")]
    pub(super) run_id: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) run_uuid: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) run_name: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) user_id: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) experiment_id: String,
    pub(super) status: Value,
    pub(super) start_time: Option<i64>,
    pub(super) end_time: Option<i64>,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) lifecycle_stage: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) artifact_uri: String,
}

#[derive(Deserialize)]
pub(super) struct InputMeta {
    #[serde(default, deserialize_with = "text_of")]
    pub(super) source_id: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) source_type: String,
    pub(super) step: Option<i64>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
pub(super) struct DatasetMeta {
    #[serde(deserialize_with = "text_of")]
    pub(super) name: String,
    #[serde(deserialize_with = "text_of")]
    pub(super) digest: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) source_type: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) source: String,
    pub(super) schema: Option<String>,
    pub(super) profile: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LoggedModelMeta {
    #[serde(deserialize_with = "text_of")]
    pub(super) model_id: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) artifact_location: String,
    pub(super) creation_timestamp: Option<i64>,
    pub(super) last_updated_timestamp: Option<i64>,
    pub(super) status: Option<i64>,
    pub(super) model_type: Option<String>,
    pub(super) source_run_id: Option<String>,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) lifecycle_stage: String,
}

#[derive(Deserialize)]
pub(super) struct RegisteredModelMeta {
    #[serde(deserialize_with = "text_of")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) description: String,
    pub(super) creation_timestamp: Option<i64>,
    pub(super) last_updated_timestamp: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct VersionMeta {
    pub(super) version: Value,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) description: String,
    pub(super) creation_timestamp: Option<i64>,
    pub(super) last_updated_timestamp: Option<i64>,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) user_id: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) current_stage: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) source: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) storage_location: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) run_id: String,
    #[serde(default, deserialize_with = "text_of")]
    pub(super) run_link: String,
    pub(super) model_id: Option<String>,
}

pub(super) fn read_text(path: &Path) -> Result<String, ImportError> {
    let failed = |source| ImportError::File {
        file: path.display().to_string(),
        source,
    };
    if fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_LIMIT {
        return Err(malformed(
            path,
            0,
            format!("it is larger than {FILE_BYTES_LIMIT} bytes"),
        ));
    }
    String::from_utf8(fs::read(path).map_err(failed)?)
        .map_err(|_| malformed(path, 0, "it is not UTF-8"))
}

pub(super) fn malformed(path: &Path, line: usize, reason: impl Into<String>) -> ImportError {
    ImportError::Malformed {
        file: path.display().to_string(),
        line,
        reason: reason.into(),
    }
}

pub(super) fn read_meta<T: DeserializeOwned>(folder: &Path) -> Result<T, ImportError> {
    let path = folder.join(META);
    serde_saphyr::from_str(&read_text(&path)?).map_err(|error| {
        let line = error
            .location()
            .map_or(0, |location| location.line() as usize);
        malformed(
            &path,
            line,
            error.to_string().lines().next().unwrap_or_default(),
        )
    })
}

/// Returns the folders in a folder that describe something, by name.
pub(super) fn described(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let mut found = folders_in(folder)?;
    found.retain(|folder| folder.join(META).is_file());
    Ok(found)
}

/// Returns the folders in a folder that describe something, and notes the others but those of these names and empty ones.
pub(super) fn described_or_noted(
    folder: &Path,
    others: &[&str],
    left_out: &mut Vec<String>,
) -> Result<Vec<PathBuf>, ImportError> {
    let mut found = Vec::new();
    for folder in folders_in(folder)? {
        let name = folder.file_name().unwrap_or_default();
        if folder.join(META).is_file() {
            found.push(folder);
        } else if !others.iter().any(|other| name == *other) && !is_empty(&folder) {
            left_out.push(format!(
                "{}: it has no `{META}`, which says what it is",
                folder.display()
            ));
        }
    }
    Ok(found)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Returns whether a file was put there by a file manager and not by MLflow.
fn is_of_a_file_manager(name: &str) -> bool {
    matches!(name, ".DS_Store" | "Thumbs.db" | "desktop.ini") || name.starts_with("._")
}

fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let failed = |source| ImportError::File {
        file: folder.display().to_string(),
        source,
    };
    let mut found = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the files below a folder with their names relative to it: a key may have slashes.
pub(super) fn files_below(folder: &Path) -> Result<Vec<(String, PathBuf)>, ImportError> {
    let (mut open, mut found) = (vec![(folder.to_owned(), String::new())], Vec::new());
    while let Some((folder, prefix)) = open.pop() {
        let failed = |source| ImportError::File {
            file: folder.display().to_string(),
            source,
        };
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry
                .file_name()
                .into_string()
                .map_err(|_| malformed(&entry.path(), 0, "its name is not UTF-8"))?;
            if is_of_a_file_manager(&name) {
                continue;
            }
            match entry.file_type().map_err(failed)?.is_dir() {
                true => open.push((entry.path(), format!("{prefix}{name}/"))),
                false => found.push((format!("{prefix}{name}"), entry.path())),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads one file a key.
pub(super) fn key_values(folder: &Path) -> Result<Vec<KeyValue>, ImportError> {
    files_below(folder)?
        .into_iter()
        .map(|(name, path)| Ok((name, read_text(&path)?)))
        .collect()
}
