//! Recording what was measured outside a pipeline as evidence about a model of the workspace.

use veracta_governance::record::Record;
use veracta_ledger::Hash;
use veracta_ledger::entry::Link;
use veracta_store::NewRecord;

use crate::registry::resolve;
use crate::{LifecycleError, Platform};

/// Commits the record that `make` gives for the digest of the model, linked to the model's version, and returns its place.
pub fn record_measurement(platform: &Platform, reference: &str, make: impl FnOnce(Hash) -> Record) -> Result<u64, LifecycleError> {
    let item = resolve(&platform.store, reference)?;
    let Record::ModelVersion(model) = &item.record else {
        let found = item.entry.kind.clone();
        return Err(LifecycleError::WrongKind { reference: reference.to_owned(), found, needed: "model.version" });
    };
    let new = NewRecord {
        record: make(model.digest),
        subject: format!("model:{}", model.model),
        key: None,
        links: vec![Link { idx: item.idx, body: item.entry.body }],
        artifacts: Vec::new(),
    };
    Ok(platform.commit(new)?.idx)
}
