//! What is in a workspace.

use std::collections::BTreeMap;

use serde::Serialize;
use veracta_governance::record::Record;
use veracta_ledger::checkpoint::Checkpoint;
use veracta_store::Store;

use crate::LifecycleError;

/// What is in a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkspaceStatus {
    /// Name of the log, which is the origin of its checkpoints.
    pub log: String,
    /// Verifier key of the log.
    pub key: String,
    /// Entries of the log, those whose record was erased among them.
    pub entries: u64,
    /// Entries under the latest signed checkpoint; 0 before there is one.
    pub signed: u64,
    /// Root of the tree under that checkpoint, hexadecimal; empty before there is one.
    pub root: String,
    /// Number of records by kind; erased ones are not counted.
    pub records: BTreeMap<String, usize>,
    /// Versions of models by name and version, as they stand now.
    pub models: Vec<ModelState>,
}

/// A version of a model as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelState {
    /// Name of the model without its version.
    pub model: String,
    /// Its version, counted from 1.
    pub version: u32,
    /// Where it stands, such as `registered`.
    pub status: &'static str,
    /// First digits of the digest of its file.
    pub digest: String,
    /// Position of its latest record.
    pub idx: u64,
}

/// Returns what is in a workspace.
pub fn workspace_status(store: &Store) -> Result<WorkspaceStatus, LifecycleError> {
    let (mut records, mut models) = (BTreeMap::new(), BTreeMap::new());
    for item in store.all()? {
        *records.entry(item.entry.kind.clone()).or_default() += 1;
        if let Record::ModelVersion(body) = item.record {
            let state = ModelState {
                model: body.model.clone(),
                version: body.version,
                status: body.status.word(),
                digest: body.digest.short(),
                idx: item.idx,
            };
            models.insert((body.model, body.version), state);
        }
    }
    let note = store.published_checkpoint()?;
    let head = note.and_then(|note| Checkpoint::open(note.as_bytes(), store.log_key()).ok());
    let (signed, root) = head.map_or((0, String::new()), |(head, _)| {
        (head.size, head.root.to_string())
    });
    Ok(WorkspaceStatus {
        log: store.log_key().name().to_owned(),
        key: store.log_key().to_string(),
        entries: store.size()?,
        signed,
        root,
        records,
        models: models.into_values().collect(),
    })
}
