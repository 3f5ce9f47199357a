//! The steps of a pipeline, one file each: what a step needs, its request, and what it computes from that.
//!
//! A step computes from its request and from bytes by digest; it cannot see the specification. Its content key is the hash of the
//! request, which holds every setting and the digests of all inputs, with the step's version: a setting that a step uses and its
//! key does not hold cannot be written down. `tests.rs` here changes every setting of the specification and looks at the keys.

mod command;
mod context;
mod criteria;
mod data;
mod documents;
mod done;
mod explain;
mod fairness;
mod gate;
mod minimise;
mod monitor;
mod privacy;
mod profile;
mod robustness;
mod scan;
mod screen;
mod split;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod tracked;
mod train;
mod validate;

use serde::Serialize;
use veracta_governance::evidence::Evidence;
use veracta_ledger::Hash;

use super::spec::PipelineSpec;
use crate::LifecycleError;

pub(super) use command::restore_outputs;
pub(super) use context::{Context, Memory};
pub(super) use done::{Done, StepResult, dataset_request, lock};

/// A step of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A command, by its position among `steps:`.
    Command(usize),
    /// Which rows there are: their bytes, their columns, and what was declared of them.
    Data,
    /// What their columns hold: missing values, distributions and frequent values.
    Profile,
    /// Which columns may identify people.
    Scan,
    /// Which rows train, tune and test.
    Split,
    /// What must hold, fixed before any result exists.
    Criteria,
    /// What each input says alone of the label and of protected groups.
    Screen,
    /// Which inputs the model needs, tested on the rows outside the sealed test part.
    Minimise,
    /// The model, trained here or brought from elsewhere.
    Train,
    /// Its performance on the test part.
    Validate,
    /// Its performance by group on the test part, and the gaps between groups.
    Fairness,
    /// Which inputs drive its predictions of test rows.
    Explain,
    /// What becomes of it when inputs go wrong.
    Robustness,
    /// What it gives away of its training rows.
    Privacy,
    /// Whether it is registered or refused, by the rules of the gate.
    Gate,
    /// What people read of it.
    Documents,
    /// How newer rows differ from the training part.
    Monitor,
}

/// The built-in steps in an order that respects what they need.
pub(super) const BUILT_IN: [Step; 16] = [
    Step::Data,
    Step::Profile,
    Step::Scan,
    Step::Split,
    Step::Criteria,
    Step::Screen,
    Step::Minimise,
    Step::Train,
    Step::Validate,
    Step::Fairness,
    Step::Explain,
    Step::Robustness,
    Step::Privacy,
    Step::Gate,
    Step::Monitor,
    Step::Documents,
];

/// What is fixed about a step.
pub(super) struct Descriptor {
    /// Its name in messages, records and the plan that is printed.
    pub(super) id: &'static str,
    /// Version of what it computes: raised when the same request gives other records.
    pub(super) version: u32,
    /// Steps whose results its request is made of.
    pub(super) reads: &'static [Step],
    /// Steps that only must have ended.
    pub(super) follows: &'static [Step],
}

/// What a step does, made of the specification and of earlier results and independent of both from then on.
pub(super) trait Request: Serialize {
    /// Computes, commits and returns the records.
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError>;

    /// Returns whether these records, made under the key of this request, are all that it makes.
    fn is_complete(&self, known: &[Evidence], _: &Done<'_>) -> Result<bool, LifecycleError> {
        Ok(!known.is_empty())
    }
}

/// The part of a request that needs no type: what remains after its key was taken.
pub(super) trait Work {
    /// See [`Request::run`].
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError>;
    /// See [`Request::is_complete`].
    fn is_complete(&self, known: &[Evidence], done: &Done<'_>) -> Result<bool, LifecycleError>;
}

impl<R: Request> Work for R {
    fn run(&self, context: &Context<'_>) -> Result<Vec<Evidence>, LifecycleError> {
        Request::run(self, context)
    }

    fn is_complete(&self, known: &[Evidence], done: &Done<'_>) -> Result<bool, LifecycleError> {
        Request::is_complete(self, known, done)
    }
}

/// A request with its content key.
pub(super) struct Requested {
    /// The hash of step, version and request.
    pub(super) key: Hash,
    /// What is to be done.
    pub(super) work: Box<dyn Work>,
    /// The request as it went into the key.
    #[cfg(test)]
    pub(super) json: serde_json::Value,
}

impl Requested {
    fn new(
        id: &str,
        version: u32,
        request: impl Request + 'static,
    ) -> Result<Self, LifecycleError> {
        let json = serde_json::to_value(&request)?;
        Ok(Self {
            key: content_key(id, version, &json),
            work: Box::new(request),
            #[cfg(test)]
            json,
        })
    }
}

/// Returns the content key of a step.
fn content_key(id: &str, version: u32, request: &serde_json::Value) -> Hash {
    Hash::of(format!("veracta step {id} version {version}\n{request}").as_bytes())
}

impl Step {
    /// Returns what is fixed about it.
    pub(super) fn descriptor(self) -> &'static Descriptor {
        match self {
            Self::Command(_) => &command::STEP,
            Self::Data => &data::STEP,
            Self::Profile => &profile::STEP,
            Self::Scan => &scan::STEP,
            Self::Split => &split::STEP,
            Self::Criteria => &criteria::STEP,
            Self::Screen => &screen::STEP,
            Self::Minimise => &minimise::STEP,
            Self::Train => &train::STEP,
            Self::Validate => &validate::STEP,
            Self::Fairness => &fairness::STEP,
            Self::Explain => &explain::STEP,
            Self::Robustness => &robustness::STEP,
            Self::Privacy => &privacy::STEP,
            Self::Gate => &gate::STEP,
            Self::Documents => &documents::STEP,
            Self::Monitor => &monitor::STEP,
        }
    }

    /// Returns its name: of a command the one that the file gives it.
    pub(super) fn id(self, spec: &PipelineSpec) -> &str {
        match self {
            Self::Command(position) => &spec.steps[position].id.value,
            built_in => built_in.descriptor().id,
        }
    }

    /// Returns whether it is part of this pipeline: some steps are only when they are asked for.
    pub(super) fn is_asked(self, spec: &PipelineSpec) -> bool {
        match self {
            Self::Robustness => spec.validation.robustness.is_some(),
            Self::Privacy => spec.validation.privacy.is_some(),
            Self::Monitor => spec.monitoring.is_some(),
            Self::Command(_)
            | Self::Data
            | Self::Profile
            | Self::Scan
            | Self::Split
            | Self::Criteria
            | Self::Screen
            | Self::Minimise
            | Self::Train
            | Self::Validate
            | Self::Fairness
            | Self::Explain
            | Self::Gate
            | Self::Documents => true,
        }
    }

    /// Returns what it is to do, from the specification and from the results of the steps it reads.
    pub(super) fn request(
        self,
        spec: &PipelineSpec,
        done: &Done<'_>,
    ) -> Result<Requested, LifecycleError> {
        let (id, version) = (self.id(spec), self.descriptor().version);
        match self {
            Self::Command(position) => {
                Requested::new(id, version, command::request(spec, position, done)?)
            }
            Self::Data => Requested::new(id, version, data::request(spec, done)?),
            Self::Profile => Requested::new(id, version, profile::request(spec, done)?),
            Self::Scan => Requested::new(id, version, scan::request(spec, done)?),
            Self::Split => Requested::new(id, version, split::request(spec, done)?),
            Self::Criteria => Requested::new(id, version, criteria::request(spec)),
            Self::Screen => Requested::new(id, version, screen::request(spec, done)?),
            Self::Minimise => Requested::new(id, version, minimise::request(spec, done)?),
            Self::Train => Requested::new(id, version, train::request(spec, done)?),
            Self::Validate => Requested::new(id, version, validate::request(spec, done)?),
            Self::Fairness => Requested::new(id, version, fairness::request(spec, done)?),
            Self::Explain => Requested::new(id, version, explain::request(spec, done)?),
            Self::Robustness => Requested::new(id, version, robustness::request(spec, done)?),
            Self::Privacy => Requested::new(id, version, privacy::request(spec, done)?),
            Self::Gate => Requested::new(id, version, gate::request(spec, done)?),
            Self::Documents => Requested::new(id, version, documents::request(spec, done)?),
            Self::Monitor => Requested::new(id, version, monitor::request(spec, done)?),
        }
    }
}
