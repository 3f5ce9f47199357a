//! The evidence bundle: everything an auditor needs to check a model without us.

use veracta_governance::evidence::EvidenceSet;
use veracta_governance::provenance::model_provenance;
use veracta_ledger::archive::Files;
use veracta_ledger::bundle::{CHECKPOINT_PATH, KEY_PATH, seal_bundle};
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::statement::Envelope;
use veracta_ledger::tile::tiles_added;
use veracta_store::{Store, StoreError};

use crate::LifecycleError;
use crate::registry::{evidence_for, resolve};

const READ_ME: &str = include_str!("bundle_read_me.txt");

/// What a bundle is about, how much is in it, and what was left out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BundleSummary {
    /// Subject in the signed manifest: `model:name@version`, or the record's own where there is no model.
    pub subject: String,
    /// Files of the archive, the manifest included.
    pub n_files: usize,
    /// Records in the archive: the exported one, those it rests on, and for a model those about the same artefact since.
    pub n_records: usize,
    /// Length of the archive in bytes.
    pub n_bytes: usize,
    /// Artefacts left out because they may hold personal data.
    pub left_out: Vec<String>,
}

/// Returns the bundle of a record. Artefacts that may hold personal data go in only when `with_personal` is set.
pub fn export(
    store: &Store,
    reference: &str,
    with_personal: bool,
) -> Result<(Vec<u8>, BundleSummary), LifecycleError> {
    let item = resolve(store, reference)?;
    let evidence = evidence_for(store, item.idx)?;
    let note = store.publish()?;
    let (checkpoint, _) =
        Checkpoint::open(note.as_bytes(), store.log_key()).map_err(|_| StoreError::Fork {
            size: 0,
            reason: "the published checkpoint does not verify",
        })?;
    let mut files = Files::new();
    files.insert(
        KEY_PATH.to_owned(),
        format!("{}\n", store.log_key()).into_bytes(),
    );
    files.insert("READ-ME.txt".to_owned(), READ_ME.as_bytes().to_vec());
    for id in tiles_added(0, checkpoint.size) {
        let path = id.to_string();
        let bytes = store.blobs().log_file(&path)?;
        let bytes = bytes.ok_or(StoreError::Fork {
            size: checkpoint.size,
            reason: "a tile is missing; `veracta ledger rebuild` rebuilds it",
        })?;
        files.insert(path, bytes.to_vec());
    }
    files.insert(CHECKPOINT_PATH.to_owned(), note.into_bytes());
    let n_records = evidence.iter().count();
    let left_out = add_records(store, &evidence, with_personal, &mut files)?;
    let model = evidence.model_version();
    if let (Some((_, model)), Some((_, run))) = (model, evidence.training_run()) {
        let statement = model_provenance(model, run, store.log_key().name());
        let envelope = Envelope::sign(&statement, store.signing_key(), store.log_key().name())?;
        files.insert(
            "statements/provenance.dsse.json".to_owned(),
            serde_json::to_vec_pretty(&envelope)?,
        );
    }
    let subject = match model {
        Some((_, model)) => format!("model:{}@{}", model.model, model.version),
        None => item.entry.subject.clone(),
    };
    let n_files = files.len() + 1;
    let bytes = seal_bundle(files, store.log_key().name(), &subject, store.signing_key())?;
    let n_bytes = bytes.len();
    Ok((
        bytes,
        BundleSummary {
            subject,
            n_files,
            n_records,
            n_bytes,
            left_out,
        },
    ))
}

/// Adds records with their proofs and files; returns the names of files that were left out because they hold personal data.
fn add_records(
    store: &Store,
    evidence: &EvidenceSet,
    with_personal: bool,
    files: &mut Files,
) -> Result<Vec<String>, LifecycleError> {
    let mut left_out = Vec::new();
    for item in evidence.iter() {
        let (record, proof) = (store.body_bytes(item.idx)?, store.receipt(item.idx)?);
        files.insert(format!("records/{}.json", item.idx), record);
        files.insert(
            format!("proofs/{}.tlog-proof", item.idx),
            proof.to_string().into_bytes(),
        );
        for artifact in &item.entry.artifacts {
            if artifact.personal && !with_personal {
                left_out.push(artifact.name.clone());
                continue;
            }
            let bytes = store.blobs().get(artifact.digest)?.to_vec();
            files.insert(format!("artifacts/{}", artifact.digest), bytes);
        }
    }
    left_out.sort();
    left_out.dedup();
    Ok(left_out)
}
