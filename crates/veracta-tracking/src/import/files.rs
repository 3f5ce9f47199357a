//! Where the files of a source are, and where they are from now on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::ImportError;
use super::source::Place;
use crate::PROXY_SCHEME;

/// Most files of one run or model.
const FILES_LIMIT: usize = 1_000_000;

/// Says that what a location begins with lies in a folder now, such as `mlflow-artifacts:/` or a path of another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation {
    /// Text at the beginning of the locations that moved.
    pub prefix: String,
    /// Folder that now has the files below that location.
    pub folder: PathBuf,
}

/// The files at a location.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Name below the location, and where to read.
    pub(super) files: Vec<(String, Place)>,
    /// Files that are not read, each with the reason.
    pub(super) left_out: Vec<String>,
}

/// Where files of the source are, and which new location stands for each old one.
pub(crate) struct Locations {
    folder: PathBuf,
    relocations: Vec<Relocation>,
    /// New location by the old one in its plain form.
    known: BTreeMap<String, String>,
}

/// Returns a location without the scheme of a file.
fn plain(uri: &str) -> String {
    let rest = match uri.strip_prefix("file:") {
        Some(rest) => {
            let rest = rest
                .strip_prefix("//")
                .map_or(rest, |rest| rest.find('/').map_or(rest, |at| &rest[at..]));
            percent_decode_str(rest).decode_utf8_lossy().into_owned()
        }
        None => uri.to_owned(),
    };
    rest.trim_end_matches('/').to_owned()
}

fn is_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| {
        scheme.len() > 1
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

impl Locations {
    pub(crate) fn new(folder: &Path, relocations: Vec<Relocation>) -> Self {
        let plain_prefix = |relocation: Relocation| Relocation {
            prefix: plain(&relocation.prefix),
            ..relocation
        };
        Self {
            folder: folder.to_owned(),
            relocations: relocations.into_iter().map(plain_prefix).collect(),
            known: BTreeMap::new(),
        }
    }

    /// Returns the folder that a location stands for, whether it is there or not; `None` for a store that is not read.
    fn folder_of(&self, uri: &str) -> Option<PathBuf> {
        let text = plain(uri);
        for Relocation { prefix, folder } in &self.relocations {
            if let Some(rest) = text.strip_prefix(prefix.as_str()) {
                return Some(folder.join(rest.trim_start_matches('/')));
            }
        }
        if is_scheme(&text) {
            return None;
        }
        // A relative path begins beside the source.
        Some(self.folder.join(text))
    }

    /// Whether files at a location are brought in; others stay where they are.
    pub(super) fn is_reachable(&self, uri: &str) -> bool {
        uri.is_empty() || uri.starts_with(PROXY_SCHEME) || self.folder_of(uri).is_some()
    }

    /// Notes that what was at one location is at another from now on.
    pub(crate) fn note(&mut self, old: &str, new: &str) {
        self.known.insert(plain(old), new.to_owned());
    }

    /// Returns the new location of what was at, or below, an old one.
    pub(crate) fn new_of(&self, old: &str) -> String {
        let text = plain(old);
        let ends = text
            .char_indices()
            .filter(|(_, character)| *character == '/')
            .map(|(end, _)| end);
        for end in ends
            .chain([text.len()])
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            if let Some(new) = self.known.get(&text[..end]) {
                return format!("{new}{}", &text[end..]);
            }
        }
        old.to_owned()
    }

    /// The same for what a client said a version came from: names of other things stay as they are.
    pub(crate) fn new_of_source(&self, old: &str) -> String {
        if old.starts_with("runs:") || old.starts_with("models:") {
            old.to_owned()
        } else {
            self.new_of(old)
        }
    }

    /// Returns the files at a location or, when it is not there, in the folder where the source would have them.
    pub(super) fn files(&self, uri: &str, fallback: Option<&Path>) -> Result<Found, ImportError> {
        let mut found = Found::default();
        let named = self.folder_of(uri);
        // Where somebody said the files are, a folder that is not there is one of a run without files.
        let text = plain(uri);
        let is_told = text.is_empty()
            || self.relocations.iter().any(|relocation| {
                text.starts_with(relocation.prefix.as_str()) && relocation.folder.is_dir()
            });
        let is_there = |folder: &&Path| folder.is_dir();
        let folder = named.as_deref().filter(is_there);
        match (folder.or(fallback.filter(is_there)), &named) {
            (Some(folder), _) => {
                walk(folder, "", &mut found)?;
                let is_elsewhere = named.as_deref().is_some_and(|named| {
                    !named.is_dir() && !has_neighbours(named) && tail(named) != tail(folder)
                });
                if found.files.is_empty() && is_elsewhere && !is_told {
                    found.left_out.push(nothing_there(uri));
                }
            }
            // Folders of runs without files are not made: what says that files may lie elsewhere is that nothing of the experiment is
            // there.
            (None, Some(folder)) if !has_neighbours(folder) && !is_told => {
                found.left_out.push(nothing_there(uri));
            }
            (None, None) if uri.starts_with(PROXY_SCHEME) => found.left_out.push(format!(
                "{uri}: say where its files lie with --artifacts {PROXY_SCHEME}/=FOLDER"
            )),
            (None, None) => found
                .left_out
                .push(format!("{uri}: files in this store stay where they are")),
            (None, Some(_)) => {}
        }
        found.files.sort();
        Ok(found)
    }
}

/// Returns whether the folder of the experiment is there: `…/<experiment>/<run>/artifacts`.
fn has_neighbours(folder: &Path) -> bool {
    folder.ancestors().nth(2).is_some_and(Path::is_dir)
}

fn nothing_there(uri: &str) -> String {
    format!(
        "{uri}: nothing is there; if it has files, say where they lie with --artifacts {}=FOLDER",
        experiment_of(uri)
    )
}

/// Returns the last steps of a path: experiment, run and the folder of files, which stay the same when a store is moved.
fn tail(path: &Path) -> Vec<&std::ffi::OsStr> {
    path.iter().rev().take(3).collect()
}

/// Returns a location without the names of the run and of the folder of its files.
fn experiment_of(uri: &str) -> &str {
    let parts = uri.trim_end_matches('/').rsplitn(3, '/');
    parts.last().unwrap_or(uri)
}

/// Lists the files below a folder. Links are not followed: they could lead anywhere.
fn walk(folder: &Path, name: &str, found: &mut Found) -> Result<(), ImportError> {
    let failed = |source| ImportError::File {
        file: folder.display().to_string(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let Ok(own) = entry.file_name().into_string() else {
            found
                .left_out
                .push(format!("{}: its name is not UTF-8", path.display()));
            continue;
        };
        let name = if name.is_empty() {
            own
        } else {
            format!("{name}/{own}")
        };
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            walk(&path, &name, found)?;
        } else if kind.is_file() {
            if found.files.len() >= FILES_LIMIT {
                return Err(ImportError::TooMany {
                    folder: folder.display().to_string(),
                    limit: FILES_LIMIT,
                });
            }
            found.files.push((name, Place::Local(path)));
        } else {
            found.left_out.push(format!(
                "{}: it is a link or no ordinary file",
                path.display()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_told_apart_from_paths() {
        let relocations = vec![Relocation {
            prefix: "file:///old/place".to_owned(),
            folder: PathBuf::from("/new"),
        }];
        let mut locations = Locations::new(Path::new("/source"), relocations);
        assert_eq!(
            locations.folder_of("/old/place/0/a"),
            Some(PathBuf::from("/new/0/a"))
        );
        assert_eq!(
            locations.folder_of("file:///else/%C3%A9"),
            Some(PathBuf::from("/else/é"))
        );
        assert_eq!(
            locations.folder_of("./mlruns/0"),
            Some(PathBuf::from("/source/./mlruns/0"))
        );
        assert_eq!(locations.folder_of("s3://bucket/x"), None);
        locations.note(
            "file:///old/place/0/r/artifacts",
            "mlflow-artifacts:/0/r/artifacts",
        );
        assert_eq!(
            locations.new_of("/old/place/0/r/artifacts/model/a"),
            "mlflow-artifacts:/0/r/artifacts/model/a"
        );
        assert_eq!(locations.new_of("s3://bucket/x"), "s3://bucket/x");
        assert_eq!(locations.new_of_source("runs:/r/model"), "runs:/r/model");
    }
}
