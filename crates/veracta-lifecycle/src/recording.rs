//! Recording what was measured outside a pipeline as evidence about a model of the workspace.

use veracta_governance::record::{ModelVersion, Record};
use veracta_ledger::Hash;
use veracta_ledger::entry::Link;
use veracta_store::NewRecord;

use crate::registry::resolve_model;
use veracta_store::Platform;

use crate::LifecycleError;

/// What a measurement says of the model it is about, to be held against the model of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeasuredOf {
    /// The file of the model that was measured.
    Model(Hash),
    /// The columns of the data that were measured: the model's inputs must be among them.
    Columns(Vec<String>),
    /// Scores, which say nothing of where they come from.
    Scores,
}

/// Commits the record that `make` gives for the digest of the model, linked to the model's version, and returns its place. What was
/// measured of another model is refused.
pub fn record_measurement(
    platform: &Platform,
    reference: &str,
    measured: &MeasuredOf,
    make: impl FnOnce(Hash) -> Record,
) -> Result<u64, LifecycleError> {
    let (item, model) = resolve_model(&platform.store, reference)?;
    check(reference, &model, measured)?;
    let new = NewRecord {
        record: make(model.digest),
        subject: format!("model:{}", model.model),
        key: None,
        links: vec![Link {
            idx: item.idx,
            body: item.entry.body,
        }],
        artifacts: Vec::new(),
    };
    Ok(platform.commit(new)?.idx)
}

fn check(
    reference: &str,
    model: &ModelVersion,
    measured: &MeasuredOf,
) -> Result<(), LifecycleError> {
    let refuse = |reason: String| {
        Err(LifecycleError::OtherModel {
            reference: reference.to_owned(),
            reason,
        })
    };
    match measured {
        MeasuredOf::Model(digest) if *digest != model.digest => refuse(format!(
            "the file has digest {}, the recorded model {}",
            digest.short(),
            model.digest.short()
        )),
        MeasuredOf::Columns(columns) => match model
            .inputs
            .iter()
            .find(|input| !columns.contains(&input.name))
        {
            Some(input) => refuse(format!(
                "its input `{}` is not among the columns",
                input.name
            )),
            None => Ok(()),
        },
        MeasuredOf::Model(_) | MeasuredOf::Scores => Ok(()),
    }
}
