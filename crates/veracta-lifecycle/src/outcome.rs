//! What a measurement outside a pipeline gives, and how it becomes evidence about a model of the workspace.

use veracta_documents::report::Report;
use veracta_governance::record::{ModelVersion, Record};
use veracta_ledger::Hash;
use veracta_ledger::entry::Link;
use veracta_store::{NewRecord, Platform};

use crate::LifecycleError;
use crate::registry::resolve_model;

/// What a measurement outside a pipeline gives.
pub struct Outcome<T> {
    /// The figures, which programs get as JSON.
    pub measurement: T,
    /// The same figures as a page for people.
    pub report: Report,
    /// The evidence it makes when somebody asks for that; `None` of what says nothing of a model of the workspace.
    pub record: Option<Recordable>,
}

/// A measurement that can become evidence about a model.
pub struct Recordable {
    measured: MeasuredOf,
    make: Box<dyn FnOnce(Hash) -> Record>,
}

/// What a measurement says of the model it is about, to be held against the model of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MeasuredOf {
    /// The file of the model that was measured.
    Model(Hash),
    /// The columns of the data that were measured: the model's inputs must be among them.
    Columns(Vec<String>),
    /// Scores, which say nothing of where they come from.
    Scores,
}

impl Recordable {
    /// Takes what the measurement says of its model, and how the record is made from the digest of the model.
    pub(crate) fn new(measured: MeasuredOf, make: impl FnOnce(Hash) -> Record + 'static) -> Self {
        Self {
            measured,
            make: Box::new(make),
        }
    }

    /// Returns whether nothing but the word of whoever asks ties the measurement to the model.
    pub fn is_on_trust(&self) -> bool {
        self.measured == MeasuredOf::Scores
    }

    /// Commits the measurement as evidence about the model that `reference` names, linked to the model's version, and returns its
    /// place. What was measured of another model is refused.
    pub fn commit(self, platform: &Platform, reference: &str) -> Result<u64, LifecycleError> {
        let (item, model) = resolve_model(&platform.store, reference)?;
        self.measured.check(reference, &model)?;
        let new = NewRecord {
            record: (self.make)(model.digest),
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
}

impl MeasuredOf {
    fn check(&self, reference: &str, model: &ModelVersion) -> Result<(), LifecycleError> {
        let refuse = |reason: String| {
            Err(LifecycleError::OtherModel {
                reference: reference.to_owned(),
                reason,
            })
        };
        match self {
            Self::Model(digest) if *digest != model.digest => refuse(format!(
                "the file has digest {}, the recorded model {}",
                digest.short(),
                model.digest.short()
            )),
            Self::Columns(columns) => match model
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
            Self::Model(_) | Self::Scores => Ok(()),
        }
    }
}
