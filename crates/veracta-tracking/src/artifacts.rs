//! Files of runs and models: put, read, listed and removed by path; the bytes are kept by digest.
//!
//! The files of a registered version cannot change, and those of a finished run change with a record.

use std::io::Read;

use percent_encoding::percent_decode_str;
use veracta_store::tracking::{ArtifactFile, RegisteredVersion, Run};
use veracta_store::{PartProblem, SignedRequest, View};

use super::evidence::Event;
use super::{PROXY_SCHEME, TrackingError, now_ms, random, runs};
use veracta_store::Platform;

/// Longest path, in bytes: what file systems allow.
const PATH_BYTES: usize = 4_096;
/// Most parts of an upload: what S3 allows.
const PARTS_LIMIT: u32 = 10_000;
/// How often a path may be encoded.
const DECODINGS: usize = 8;

fn uri_of(path: &str) -> String {
    format!("{PROXY_SCHEME}/{path}")
}

/// Checks a path that a client sent and returns it in its one form. It is checked as it is and as it would be decoded, again and again: names with
/// `%` are names, and no number of decodings by whoever reads them later leads out of their folder.
pub fn checked_path(path: &str) -> Result<String, TrackingError> {
    let invalid = || TrackingError::invalid("Invalid path");
    if path.chars().any(char::is_control) || path.len() > PATH_BYTES {
        return Err(invalid());
    }
    let mut decoded = path.to_owned();
    for round in 0.. {
        if is_leading_out(&decoded) || round > DECODINGS {
            return Err(invalid());
        }
        match percent_decode_str(&decoded).decode_utf8() {
            Ok(next) if next != decoded => decoded = next.into_owned(),
            _ => break,
        }
    }
    let steps: Vec<&str> = path
        .split('/')
        .filter(|step| !step.is_empty() && *step != ".")
        .collect();
    Ok(steps.join("/"))
}

/// Whether a path begins elsewhere, or has a step that leads up or ends it.
fn is_leading_out(path: &str) -> bool {
    let is_drive =
        path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic();
    let leads_up = path.split('/').any(|step| step == "..");
    path.starts_with('/')
        || is_drive
        || leads_up
        || path.contains(['\\', '#', '\0'])
        || path.starts_with("file:")
}

/// Returns the run or the logged model's run that a path belongs to.
fn owner(view: View<'_>, path: &str) -> Result<Option<Run>, TrackingError> {
    let steps: Vec<&str> = path.split('/').collect();
    for (position, _) in steps
        .iter()
        .enumerate()
        .filter(|(_, step)| **step == "artifacts")
        .filter(|(position, _)| *position > 0)
    {
        let id = steps[position - 1];
        let folder = uri_of(&steps[..=position].join("/"));
        if let Some(run) = view.run(id)?.filter(|run| run.artifact_uri == folder) {
            return Ok(Some(run));
        }
        if let Some(model) = view
            .logged_model(id)?
            .filter(|model| model.artifact_location == folder)
        {
            return Ok(match model.source_run_id {
                Some(run_id) => view.run(&run_id)?,
                None => None,
            });
        }
    }
    Ok(None)
}

fn frozen(path: &str, version: &RegisteredVersion) -> TrackingError {
    TrackingError::forbidden(format!(
        "'{path}' belongs to version {} of registered model '{}', whose files cannot change. Log the model again and register it as a new version.",
        version.version, version.model
    ))
}

/// Stores a file at a checked path; memory stays bounded.
pub fn upload(
    platform: &Platform,
    path: String,
    bytes: &mut dyn Read,
) -> Result<(), TrackingError> {
    if path.is_empty() {
        return Err(TrackingError::invalid("Invalid path"));
    }
    let (digest, n_bytes) = platform.store.blobs().upload(bytes)?;
    place(
        platform,
        ArtifactFile {
            path,
            digest,
            bytes: n_bytes,
        },
    )
}

/// Puts a file whose bytes are stored already at its path.
fn place(platform: &Platform, file: ArtifactFile) -> Result<(), TrackingError> {
    let (now, salt, digest) = (now_ms(platform), random()?, file.digest);
    platform.begin().work(move |work| {
        let view = work.view();
        // The same bytes again are no change.
        if view.artifact(&file.path)?.as_ref() == Some(&file) {
            return Ok(());
        }
        if let Some(version) = view.version_at(&uri_of(&file.path))? {
            return Err(frozen(&file.path, &version));
        }
        if !view.artifacts_below(&file.path)?.is_empty() {
            return Err(TrackingError::invalid(format!(
                "'{}' is a folder",
                file.path
            )));
        }
        for (end, _) in file.path.match_indices('/') {
            if view.artifact(&file.path[..end])?.is_some() {
                return Err(TrackingError::invalid(format!(
                    "'{}' is a file",
                    &file.path[..end]
                )));
            }
        }
        let Some(run) = owner(view, &file.path)? else {
            return Ok(work.draft_of_none().put_artifact(&file, now)?);
        };
        work.draft(&run).put_artifact(&file, now)?;
        if run.record_idx.is_some() {
            runs::record(work, &run, run.stage, salt, Event::new("changed"))?;
        }
        Ok(())
    })?;
    // Another request may have purged the last file with these bytes meanwhile; the client sends them again.
    if !platform.store.blobs().contains(digest)? {
        return Err(veracta_store::StoreError::NoBlob { digest }.into());
    }
    Ok(())
}

/// An upload in parts that a client sends to the object store itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartedUpload {
    /// Id of the upload, with which it is completed or given up.
    pub id: String,
    /// Where each part is sent, from part 1.
    pub parts: Vec<SignedRequest>,
}

/// Begins an upload in parts to a checked path; `None` when the object store signs no addresses.
pub fn begin_parts(
    platform: &Platform,
    path: &str,
    n_parts: i64,
) -> Result<Option<PartedUpload>, TrackingError> {
    if path.is_empty() {
        return Err(TrackingError::invalid("Invalid path"));
    }
    let n_parts = u32::try_from(n_parts)
        .ok()
        .filter(|n_parts| (1..=PARTS_LIMIT).contains(n_parts));
    let n_parts = n_parts.ok_or_else(|| {
        TrackingError::invalid(format!("num_parts must be between 1 and {PARTS_LIMIT}."))
    })?;
    let begun = platform.store.blobs().begin_parts(path, n_parts)?;
    Ok(begun.map(|(id, parts)| PartedUpload { id, parts }))
}

/// Joins the parts of an upload at its path; each is a number with the ETag that the client was told, if it was.
pub fn complete_parts(
    platform: &Platform,
    path: String,
    id: &str,
    mut parts: Vec<(u32, Option<String>)>,
) -> Result<(), TrackingError> {
    parts.sort_unstable();
    if parts.is_empty()
        || parts
            .iter()
            .zip(1..)
            .any(|((number, _), expected)| *number != expected)
    {
        return Err(TrackingError::invalid(
            "The parts must be numbered from 1, each once, without a gap.",
        ));
    }
    let blobs = platform.store.blobs();
    let mut reader = blobs
        .join_parts(id, &path, &parts)?
        .map_err(|problem| match problem {
            PartProblem::NoUpload => {
                TrackingError::missing(format!("No upload '{id}' is under way for '{path}'."))
            }
            PartProblem::Missing(number) => {
                TrackingError::invalid(format!("Part {number} has not been sent."))
            }
            PartProblem::Changed(number) => TrackingError::invalid(format!(
                "Part {number} is not the one whose ETag was given."
            )),
        })?;
    let (digest, bytes) = blobs.upload(&mut reader)?;
    place(
        platform,
        ArtifactFile {
            path: path.clone(),
            digest,
            bytes,
        },
    )?;
    Ok(blobs.drop_parts(id, &path)?)
}

/// Gives an upload in parts up; one that is not there is no error.
pub fn abort_parts(platform: &Platform, path: &str, id: &str) -> Result<(), TrackingError> {
    Ok(platform.store.blobs().drop_parts(id, path)?)
}

/// Returns the file at a checked path.
pub fn find(platform: &Platform, path: &str) -> Result<ArtifactFile, TrackingError> {
    let found = platform.store.reading()?.view().artifact(path)?;
    found.ok_or_else(|| TrackingError::missing(format!("No such artifact: '{path}'")))
}

/// A file or folder in a listed folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Name within the listed folder, without a `/`.
    pub name: String,
    /// Length of the file in bytes; `None` for a folder.
    pub bytes: Option<u64>,
}

/// Returns what is in a folder, by name; nothing when there is no such folder.
pub fn list(platform: &Platform, folder: &str) -> Result<Vec<Listed>, TrackingError> {
    let files = if folder.is_empty() {
        platform.store.reading()?.view().all_artifacts()?
    } else {
        platform.store.reading()?.view().artifacts_below(folder)?
    };
    let mut found: Vec<Listed> = Vec::new();
    for file in files {
        let rest = if folder.is_empty() {
            file.path.as_str()
        } else {
            &file.path[folder.len() + 1..]
        };
        let entry = match rest.split_once('/') {
            Some((name, _)) => Listed {
                name: name.to_owned(),
                bytes: None,
            },
            None => Listed {
                name: rest.to_owned(),
                bytes: Some(file.bytes),
            },
        };
        if found.last() != Some(&entry) {
            found.push(entry);
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup();
    Ok(found)
}

/// Removes a file or folder at a checked path; one that is not there is no error.
pub fn delete(platform: &Platform, path: String) -> Result<(), TrackingError> {
    if path.is_empty() {
        return Err(TrackingError::invalid("Invalid path"));
    }
    let salt = random()?;
    platform.begin().work(move |work| {
        if let Some(version) = work.view().version_at(&uri_of(&path))? {
            return Err(frozen(&path, &version));
        }
        if work.view().artifact(&path)?.is_none() && work.view().artifacts_below(&path)?.is_empty()
        {
            return Ok(());
        }
        let Some(run) = owner(work.view(), &path)? else {
            work.draft_of_none().remove_artifacts(&path)?;
            return Ok(());
        };
        work.draft(&run).remove_artifacts(&path)?;
        if run.record_idx.is_some() {
            runs::record(work, &run, run.stage, salt, Event::new("changed"))?;
        }
        Ok(())
    })
}
