//! Erases a run for good, with a receipt: its values, its files and the records about it. What a release depends on stays.

use std::sync::Arc;

use veracta_governance::record::{ErasureReceipt, Record};
use veracta_ledger::Hash;
use veracta_store::tracking::Run;
use veracta_store::{NewRecord, View};

use super::path_of;
use super::{TrackingError, runs};
use veracta_store::Platform;

/// Longest reason for an erasure, in characters.
const REASON_CHARS: usize = 2_000;

/// What was erased, and where the receipt is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// Position in the ledger of the receipt of the erasure.
    pub receipt: u64,
    /// Number of records whose content was erased; their entries stay.
    pub n_records: usize,
    /// Number of files whose bytes were erased because nothing else refers to them.
    pub n_artifacts: usize,
}

/// What belongs to a run and goes with it.
struct Belongings {
    models: Vec<String>,
    folders: Vec<String>,
    digests: Vec<Hash>,
}

fn belongings(view: View<'_>, run: &Run) -> Result<Belongings, TrackingError> {
    let data = view
        .run_data(std::slice::from_ref(run))?
        .pop()
        .unwrap_or_default();
    let models: Vec<String> = data
        .model_outputs
        .iter()
        .map(|link| link.model_id.clone())
        .collect();
    let mut folders: Vec<String> = path_of(&run.artifact_uri).into_iter().collect();
    for model in &models {
        let model = view.logged_model(model)?;
        folders.extend(model.and_then(|model| path_of(&model.artifact_location)));
    }
    let mut digests: Vec<Hash> = Vec::new();
    for folder in &folders {
        digests.extend(view.artifacts_below(folder)?.iter().map(|file| file.digest));
    }
    digests.sort_unstable();
    digests.dedup();
    Ok(Belongings {
        models,
        folders,
        digests,
    })
}

/// Erases a run with everything of it, for `reason`. A run that a registered version was made by is not erased.
pub fn purge_run(platform: &Platform, id: String, reason: String) -> Result<Purged, TrackingError> {
    if reason.trim().is_empty() {
        return Err(TrackingError::invalid(
            "Missing value for required parameter 'reason'. An erasure is recorded with its reason.",
        ));
    }
    super::names::check_length("reason", &reason, REASON_CHARS)?;
    let (purged, candidates) = platform.begin().work(move |work| {
        let view = work.view();
        let run = runs::find(view, &id)?;
        let Belongings { models, folders, digests } = belongings(view, &run)?;
        if let Some(version) = view.versions_from(&id, &models)?.first() {
            return Err(TrackingError::forbidden(format!(
                "Run '{id}' cannot be erased: version {} of registered model '{}' was made by it. Delete that version first.",
                version.version, version.model
            )));
        }
        let draft = work.draft_of_none();
        for folder in &folders {
            draft.remove_artifacts(folder)?;
        }
        let candidates = work.unreferenced(&digests)?;
        let records = view.positions_about("run", &run.subject())?;
        let receipt = ErasureReceipt {
            subject_ref: run.subject(),
            reason,
            method: "rows_deleted".to_owned(),
            records: records.clone(),
            artifacts: candidates.clone(),
            models_affected: Vec::new(),
            remains: "the entries of the ledger with the digests they commit to".to_owned(),
        };
        let record = Record::ErasureReceipt(receipt);
        let recorded = work.commit(NewRecord { record, subject: run.subject(), key: None, links: Vec::new(), artifacts: Vec::new() })?;
        recorded.erase(&records)?;
        recorded.remove_run(&run)?;
        for model in &models {
            recorded.remove_logged_model(model)?;
        }
        let purged = Purged { receipt: recorded.idx, n_records: records.len(), n_artifacts: candidates.len() };
        Ok::<_, TrackingError>((purged, candidates))
    })?;
    remove_bytes(platform, candidates)?;
    Ok(purged)
}

/// Removes bytes that nothing refers to; what somebody stored again meanwhile stays. Nobody else writes while this looks.
fn remove_bytes(platform: &Platform, candidates: Vec<Hash>) -> Result<(), TrackingError> {
    let store = Arc::clone(&platform.store);
    platform.begin().work(move |work| {
        for digest in work.unreferenced(&candidates)? {
            store.blobs().remove(digest)?;
        }
        Ok(())
    })
}
