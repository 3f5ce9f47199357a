//! What the tables of the tracking server and the registry hold, in the words of MLflow's API.
//!
//! Times are milliseconds since 1970 in UTC. Nothing here is a rule: what is allowed is `veracta-lifecycle`'s to say.

use veracta_ledger::Hash;

/// Whether something is there or was deleted and can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is there.
    Active,
    /// It was deleted.
    Deleted,
}

impl Stage {
    /// Returns the word of the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }

    /// Returns the stage of a word.
    pub fn of(word: &str) -> Self {
        if word == "deleted" {
            Self::Deleted
        } else {
            Self::Active
        }
    }
}

/// A key with a value: a parameter or a tag.
pub type KeyValue = (String, String);

/// An experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Counts from 0, which is `Default`.
    pub id: i64,
    /// Unique among all, deleted ones too.
    pub name: String,
    /// Where its artifacts are.
    pub artifact_location: String,
    /// Whether it was deleted.
    pub stage: Stage,
    /// When it was made.
    pub created_ms: i64,
    /// When it was changed.
    pub updated_ms: i64,
    /// By key.
    pub tags: Vec<KeyValue>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// It runs.
    Running,
    /// It will.
    Scheduled,
    /// It ended well.
    Finished,
    /// It failed.
    Failed,
    /// It was stopped.
    Killed,
}

/// Every status with its word, in the order of the API's numbers, from 1.
pub const RUN_STATUSES: [(RunStatus, &str); 5] = [
    (RunStatus::Running, "RUNNING"),
    (RunStatus::Scheduled, "SCHEDULED"),
    (RunStatus::Finished, "FINISHED"),
    (RunStatus::Failed, "FAILED"),
    (RunStatus::Killed, "KILLED"),
];

impl RunStatus {
    /// Returns the word of the API.
    pub fn word(self) -> &'static str {
        RUN_STATUSES[self as usize].1
    }

    /// Returns the status of a word.
    pub fn of(word: &str) -> Option<Self> {
        RUN_STATUSES
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(status, _)| *status)
    }

    /// Returns whether the run is over.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }
}

/// A run, without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Number in the database.
    pub no: i64,
    /// 32 hexadecimal digits, or what an import brought.
    pub id: String,
    /// Its experiment.
    pub experiment_id: i64,
    /// Its name.
    pub name: String,
    /// Who made it, as the client says.
    pub user_id: String,
    /// Where it stands.
    pub status: RunStatus,
    /// When it began.
    pub start_ms: i64,
    /// When it ended.
    pub end_ms: Option<i64>,
    /// Whether it was deleted.
    pub stage: Stage,
    /// Where its artifacts are.
    pub artifact_uri: String,
    /// Its latest record, once it has ended.
    pub record_idx: Option<u64>,
}

impl Run {
    /// Returns what its records are about.
    pub fn subject(&self) -> String {
        format!("run:{}", self.id)
    }
}

/// A run with all its values, as another server kept them.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignRun {
    /// The run; its number and record are nothing yet.
    pub run: Run,
    /// Its parameters.
    pub params: Vec<KeyValue>,
    /// Its tags.
    pub tags: Vec<KeyValue>,
    /// Every value of every metric.
    pub metrics: Vec<Metric>,
    /// Datasets it read.
    pub inputs: Vec<DatasetInput>,
    /// Models it read.
    pub model_inputs: Vec<ModelLink>,
    /// Models it made.
    pub model_outputs: Vec<ModelLink>,
}

/// One value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When it was measured.
    pub timestamp_ms: i64,
    /// At which step; may be negative.
    pub step: i64,
    /// The value; NaN is one, infinities are stored as the largest finite number.
    pub value: f64,
}

/// One value of a named metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its key.
    pub name: String,
    /// The value.
    pub point: Point,
}

/// A dataset that runs read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Name.
    pub name: String,
    /// Digest, as the client computed it.
    pub digest: String,
    /// Kind of source.
    pub source_type: String,
    /// Source.
    pub source: String,
    /// Schema.
    pub schema: Option<String>,
    /// Profile.
    pub profile: Option<String>,
}

/// A dataset with the context in which runs of an experiment read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSummary {
    /// The experiment.
    pub experiment_id: i64,
    /// Name.
    pub name: String,
    /// Digest, as the client computed it.
    pub digest: String,
    /// Such as `training`.
    pub context: Option<String>,
}

/// A dataset as a run's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetInput {
    /// The dataset.
    pub dataset: Dataset,
    /// Tags of the use, such as its context.
    pub tags: Vec<KeyValue>,
}

/// A logged model as input or output of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelLink {
    /// The model.
    pub model_id: String,
    /// At which step (outputs).
    pub step: i64,
}

/// The values of a run: of each metric the one with the greatest step, time and value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunData {
    /// By key.
    pub params: Vec<KeyValue>,
    /// By key.
    pub tags: Vec<KeyValue>,
    /// By key.
    pub metrics: Vec<Metric>,
    /// Datasets it read.
    pub inputs: Vec<DatasetInput>,
    /// Models it read.
    pub model_inputs: Vec<ModelLink>,
    /// Models it made.
    pub model_outputs: Vec<ModelLink>,
}

/// A logged model.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedModel {
    /// `m-` and 32 hexadecimal digits.
    pub id: String,
    /// Its experiment.
    pub experiment_id: i64,
    /// Its name.
    pub name: String,
    /// Where its artifacts are.
    pub artifact_location: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it was changed.
    pub updated_ms: i64,
    /// Name of its status: `LOGGED_MODEL_PENDING`, `…_READY` or `…_UPLOAD_FAILED`.
    pub status: String,
    /// Its type.
    pub model_type: Option<String>,
    /// The run that made it.
    pub source_run_id: Option<String>,
    /// Whether it was deleted.
    pub stage: Stage,
    /// By key.
    pub tags: Vec<KeyValue>,
    /// By key.
    pub params: Vec<KeyValue>,
    /// Metrics measured of it.
    pub metrics: Vec<ModelMetric>,
}

/// A metric of a logged model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelMetric {
    /// The metric.
    pub metric: Metric,
    /// The run that measured it.
    pub run_id: String,
    /// On which dataset; empty when not said.
    pub dataset_name: String,
    /// Its digest.
    pub dataset_digest: String,
}

/// A registered model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredModel {
    /// Name.
    pub name: String,
    /// In words.
    pub description: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it was changed.
    pub updated_ms: i64,
    /// Highest version ever given.
    pub last_version: i64,
    /// By key.
    pub tags: Vec<KeyValue>,
    /// Alias and version, by alias.
    pub aliases: Vec<(String, i64)>,
}

/// Stage of a version that was deleted; its row stays, so that its number is never given again.
pub const DELETED_VERSION: &str = "Deleted_Internal";

/// A version of a registered model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelVersion {
    /// Name of the model.
    pub model: String,
    /// Counts from 1.
    pub version: i64,
    /// In words.
    pub description: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it was changed.
    pub updated_ms: i64,
    /// Who made it.
    pub user_id: String,
    /// `None`, `Staging`, `Production`, `Archived`, or [`DELETED_VERSION`].
    pub stage: String,
    /// Where it came from, as the client said.
    pub source: String,
    /// Where its files are.
    pub storage_location: String,
    /// The run that made it; empty when not said.
    pub run_id: String,
    /// A link to the run.
    pub run_link: String,
    /// The logged model it was made of.
    pub model_id: Option<String>,
    /// By key.
    pub tags: Vec<KeyValue>,
    /// By name.
    pub aliases: Vec<String>,
}

/// An uploaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Path below the root of all artifacts.
    pub path: String,
    /// SHA-256 of its bytes.
    pub digest: Hash,
    /// How many they are.
    pub bytes: u64,
}
