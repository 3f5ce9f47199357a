//! The closed list of record kinds, and the bytes of a record.
//!
//! A record's bytes are a promise: the JSON of `kind`, `schema_version` and the fields in their order, without white space. They are
//! hashed into the ledger once and never written again. Changing a field is a new `schema_version`; every version ever written
//! stays readable (see the corpus in `tests/corpus`).

mod access_log;
mod approval_signature;
mod attestation;
mod bias_report;
mod dataset_minimisation;
mod dataset_phi_scan;
mod dataset_profile;
mod dataset_split;
mod dataset_version;
mod document_export;
mod drift_report;
mod erasure_receipt;
mod experiment;
mod explain_report;
mod fairness_report;
mod ledger_checkpoint;
mod model_card;
mod model_version;
mod observed_run;
mod performance_report;
mod privacy_report;
mod registry_model;
mod registry_version;
mod reproduction_report;
mod robustness_report;
mod run;
mod tracked_run;
mod validation_report;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use veracta_ledger::Hash;

pub use access_log::{AccessGrant, AccessLog};
pub use approval_signature::ApprovalSignature;
pub use attestation::{Attestation, VALIDATION_PLAN};
pub use bias_report::{BiasReport, GroupShare, InputAssociation};
pub use dataset_minimisation::{DatasetMinimisation, DroppedInput};
pub use dataset_phi_scan::DatasetPhiScan;
pub use dataset_profile::DatasetProfile;
pub use dataset_split::{DatasetSplit, SplitMethod};
pub use dataset_version::{ColumnUse, DataNature, DatasetColumn, DatasetVersion, Processing};
pub use document_export::DocumentExport;
pub use drift_report::{DriftReport, DriftedColumn};
pub use erasure_receipt::ErasureReceipt;
pub use experiment::Experiment;
pub use explain_report::{ExplainReport, ExplainedCase, FeatureEffect};
pub use fairness_report::{
    AttributeFairness, DisparityResult, FairnessReport, GroupRow, RateResult,
};
pub use ledger_checkpoint::LedgerCheckpoint;
pub use model_card::ModelCard;
pub use model_version::{CategoryList, ModelInput, ModelStatus, ModelVersion};
pub use observed_run::{ObservedDataset, ObservedRun};
pub use performance_report::{PerformanceGroup, PerformanceGroups, PerformanceReport};
pub use privacy_report::PrivacyReport;
pub use registry_model::RegistryModel;
pub use registry_version::RegistryVersion;
pub use reproduction_report::{OutputComparison, ReproductionOutcome, ReproductionReport};
pub use robustness_report::RobustnessReport;
pub use run::{NamedDigest, Run, RunEnvironment};
pub use tracked_run::{TrackedDataset, TrackedMetric, TrackedRun};
pub use validation_report::{MetricResult, RocPoint, ValidationReport};

/// Largest record body, in bytes: a report on ten thousand groups stays below it.
pub const BODY_BYTES_LIMIT: usize = 16 << 20;

macro_rules! records {
    ($($variant:ident = $kind:literal v $version:literal $(since $first:literal)?),+ $(,)?) => {
        /// A fact. Closed: what is not listed here cannot be recorded.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(
            clippy::large_enum_variant,
            reason = "records are read one at a time, and most are of the larger kinds"
        )]
        pub enum Record {
            $(#[doc = concat!("`", $kind, "`, see [`", stringify!($variant), "`].")] $variant($variant),)+
        }

        /// Every kind of record with each version of its schema that this program can read.
        pub const KINDS: &[(&str, u32)] = &[$(($kind, $version)),+];

        impl Record {
            /// Returns the kind, a word of the evidence vocabulary.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind),+ }
            }

            /// Returns the version of the kind's schema.
            pub fn schema_version(&self) -> u32 {
                match self { $(Self::$variant(_) => $version),+ }
            }

            fn encode(&self) -> serde_json::Result<Vec<u8>> {
                match self { $(Self::$variant(body) => encode_body($kind, $version, body)),+ }
            }

            fn decode(kind: &str, version: u32, bytes: &[u8]) -> Result<Self, RecordError> {
                match (kind, version) {
                    $(($kind, $version $(| $first)?) => Ok(Self::$variant(serde_json::from_slice::<Body<$variant>>(bytes)?.body)),)+
                    _ => Err(RecordError::Unknown { kind: kind.to_owned(), version }),
                }
            }
        }
    };
}

// `since 1`: what version 1 holds is read into the struct of the newest, which has a value for what came later; it is written as the newest.
//
// Three facts share the word `run`, told apart by their versions. Whichever of the last two changes next takes a kind of its own with
// version 1, `tracked_run` or `observed_run`; the versions here stay readable.
records! {
    AccessLog = "access.log" v 1,
    ApprovalSignature = "approval.signature" v 1,
    Attestation = "attestation" v 1,
    BiasReport = "bias.report" v 1,
    DatasetMinimisation = "dataset.minimisation" v 1,
    DatasetPhiScan = "dataset.phi_scan" v 1,
    DatasetProfile = "dataset.profile" v 1,
    DatasetSplit = "dataset.split" v 1,
    DatasetVersion = "dataset.version" v 1,
    DocumentExport = "document.export" v 1,
    DriftReport = "drift.report" v 1,
    ErasureReceipt = "erasure.receipt" v 1,
    Experiment = "experiment" v 1,
    ExplainReport = "explain.report" v 1,
    FairnessReport = "fairness.report" v 1,
    LedgerCheckpoint = "ledger.checkpoint" v 1,
    ModelCard = "model.card" v 1,
    ModelVersion = "model.version" v 2 since 1,
    PerformanceReport = "performance.report" v 2 since 1,
    PrivacyReport = "privacy.report" v 2 since 1,
    RegistryModel = "registry.model" v 1,
    RegistryVersion = "registry.version" v 1,
    ReproductionReport = "reproduction.report" v 1,
    RobustnessReport = "robustness.report" v 2 since 1,
    Run = "run" v 1,
    TrackedRun = "run" v 2,
    ObservedRun = "run" v 3,
    ValidationReport = "validation.report" v 2 since 1,
}

#[derive(Serialize, Deserialize)]
struct Body<T> {
    kind: String,
    schema_version: u32,
    body: T,
}

#[derive(Deserialize)]
struct Head<'b> {
    kind: String,
    schema_version: u32,
    #[serde(borrow)]
    #[expect(dead_code, reason = "its presence is part of the form")]
    body: &'b RawValue,
}

/// What is wrong with the bytes of a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The bytes are not JSON with the fields of that kind.
    #[error("malformed record")]
    Malformed(#[from] serde_json::Error),
    /// A kind or version this program does not know.
    #[error(
        "record kind `{kind}` version {version} is not known to this program; a newer one may read it"
    )]
    Unknown {
        /// Value of the field `kind` in the bytes.
        kind: String,
        /// Value of the field `schema_version` in the bytes.
        version: u32,
    },
    /// The bytes are more than [`BODY_BYTES_LIMIT`] allows.
    #[error("a record of {n_bytes} bytes is over the limit of {BODY_BYTES_LIMIT}")]
    TooLarge {
        /// Length of the record in bytes.
        n_bytes: usize,
    },
}

fn encode_body<T: Serialize>(
    kind: &str,
    schema_version: u32,
    body: &T,
) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Body {
        kind: kind.to_owned(),
        schema_version,
        body,
    })
}

impl Record {
    /// Returns the bytes that are hashed and kept.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        let bytes = self.encode()?;
        if bytes.len() > BODY_BYTES_LIMIT {
            return Err(RecordError::TooLarge {
                n_bytes: bytes.len(),
            });
        }
        Ok(bytes)
    }

    /// Reads a record of any version ever written.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > BODY_BYTES_LIMIT {
            return Err(RecordError::TooLarge {
                n_bytes: bytes.len(),
            });
        }
        let head: Head<'_> = serde_json::from_slice(bytes)?;
        Self::decode(&head.kind, head.schema_version, bytes)
    }
}

/// Kinds of reports on a model file that may be made at any time, so that the record of the model need not rest on them: what
/// was said of a model is what it rests on, and these.
pub const REPORTS_ON_MODELS: [&str; 7] = [
    "reproduction.report",
    "model.card",
    "document.export",
    "drift.report",
    "performance.report",
    "robustness.report",
    "privacy.report",
];

impl Record {
    /// Returns the digest of the model file that a report of [`REPORTS_ON_MODELS`] is about; `None` of every other record, those
    /// that a model rests on among them.
    pub fn reported_model(&self) -> Option<Hash> {
        match self {
            Self::ReproductionReport(body) => Some(body.model),
            Self::ModelCard(body) => Some(body.model),
            Self::DocumentExport(body) => Some(body.model),
            Self::DriftReport(body) => Some(body.model),
            Self::PerformanceReport(body) => Some(body.model),
            Self::RobustnessReport(body) => Some(body.model),
            Self::PrivacyReport(body) => Some(body.model),
            Self::AccessLog(_)
            | Self::ApprovalSignature(_)
            | Self::Attestation(_)
            | Self::BiasReport(_)
            | Self::DatasetMinimisation(_)
            | Self::DatasetPhiScan(_)
            | Self::DatasetProfile(_)
            | Self::DatasetSplit(_)
            | Self::DatasetVersion(_)
            | Self::ErasureReceipt(_)
            | Self::Experiment(_)
            | Self::ExplainReport(_)
            | Self::FairnessReport(_)
            | Self::LedgerCheckpoint(_)
            | Self::ModelVersion(_)
            | Self::RegistryModel(_)
            | Self::RegistryVersion(_)
            | Self::Run(_)
            | Self::TrackedRun(_)
            | Self::ObservedRun(_)
            | Self::ValidationReport(_) => None,
        }
    }
}

/// A place in the ledger: what a value, a finding or a document points to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordRef {
    /// Position of the entry in the ledger, counted from 0.
    pub idx: u64,
    /// Kind of the record, such as `dataset.version`.
    pub kind: String,
    /// SHA-256 of the bytes of the record, as the entry commits to it.
    pub digest: Hash,
}
