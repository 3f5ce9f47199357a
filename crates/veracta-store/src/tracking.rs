//! What the tables of the tracking server and the registry hold, in the words of MLflow's API.
//!
//! Times are milliseconds since 1970 in UTC. Nothing here is a rule: what is allowed is `veracta-tracking`'s to say.

use veracta_ledger::Hash;

/// Whether something is there or was deleted and can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is in use: not deleted.
    Active,
    /// It is deleted and can still be restored.
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

/// An experiment: a named collection of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Number of the experiment, counted from 0, which is `Default`.
    pub id: i64,
    /// Name, unique among all experiments, deleted ones included.
    pub name: String,
    /// URI below which the artifacts of new runs are put.
    pub artifact_location: String,
    /// Whether it is deleted; what is deleted can be restored.
    pub stage: Stage,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Tags as key and value, sorted by key.
    pub tags: Vec<KeyValue>,
}

/// How far the execution of a run is, as its client reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// The run is being executed.
    Running,
    /// The run is to be executed later.
    Scheduled,
    /// The run ended without an error.
    Finished,
    /// The run ended with an error.
    Failed,
    /// The run was stopped before its end.
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

/// A run, without its parameters, tags, metrics and datasets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Number of the row in the database; it is not part of the API.
    pub no: i64,
    /// 32 hexadecimal digits, or what an import brought.
    pub id: String,
    /// Number of the experiment that the run belongs to.
    pub experiment_id: i64,
    /// Name for people; it need not be unique.
    pub name: String,
    /// Name of the user who made it, as the client says.
    pub user_id: String,
    /// How far its execution is, as the client reports it.
    pub status: RunStatus,
    /// When it began, in milliseconds since 1970.
    pub start_ms: i64,
    /// When it ended, in milliseconds since 1970; `None` while it has not.
    pub end_ms: Option<i64>,
    /// Whether it is deleted; what is deleted can be restored.
    pub stage: Stage,
    /// URI of the folder with its artifacts.
    pub artifact_uri: String,
    /// Position in the ledger of its latest record; `None` before it has ended for the first time.
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
    /// Parameters by key, as text.
    pub params: Vec<KeyValue>,
    /// Tags by key, as text.
    pub tags: Vec<KeyValue>,
    /// Every value in the history of every metric.
    pub metrics: Vec<MetricValue>,
    /// Datasets that the run read.
    pub inputs: Vec<DatasetInput>,
    /// Logged models that the run read.
    pub model_inputs: Vec<ModelLink>,
    /// Logged models that the run made.
    pub model_outputs: Vec<ModelLink>,
}

/// One value in the history of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When it was measured, in milliseconds since 1970, as the client reports it.
    pub timestamp_ms: i64,
    /// Step at which it was measured, as the client counts; may be negative.
    pub step: i64,
    /// The value; NaN is one, infinities are stored as the largest finite number.
    pub value: f64,
}

/// One value in the history of a metric, with the key of the metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricValue {
    /// Key of the metric, such as `val_loss`.
    pub name: String,
    /// The value with its time and step.
    pub point: Point,
}

/// A dataset that runs read, as clients described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Name of the dataset, as the client gave it.
    pub name: String,
    /// Digest of the dataset, as the client computed it.
    pub digest: String,
    /// Kind of the source, such as `local` or `delta_table`.
    pub source_type: String,
    /// Where the dataset comes from, as text in the form of its source type.
    pub source: String,
    /// Columns and types of the dataset, as the client wrote them; `None` when it gave none.
    pub schema: Option<String>,
    /// Summary statistics of the dataset, as the client wrote them; `None` when it gave none.
    pub profile: Option<String>,
}

/// A dataset with the context in which runs of an experiment read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSummary {
    /// Number of the experiment whose runs read the dataset.
    pub experiment_id: i64,
    /// Name of the dataset, as the client gave it.
    pub name: String,
    /// Digest of the dataset, as the client computed it.
    pub digest: String,
    /// What the dataset was used for, such as `training`; `None` when the client did not say.
    pub context: Option<String>,
}

/// The use of a dataset as the input of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetInput {
    /// The dataset that was read.
    pub dataset: Dataset,
    /// Tags of the use, such as its context.
    pub tags: Vec<KeyValue>,
}

/// A logged model as input or output of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelLink {
    /// Id of the logged model.
    pub model_id: String,
    /// Step of the run at which an output was logged.
    pub step: i64,
}

/// The values of a run: of each metric the one with the greatest step, time and value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunData {
    /// Parameters as key and value, sorted by key.
    pub params: Vec<KeyValue>,
    /// Tags as key and value, sorted by key.
    pub tags: Vec<KeyValue>,
    /// The latest value of each metric, sorted by key.
    pub metrics: Vec<MetricValue>,
    /// Datasets that the run read.
    pub inputs: Vec<DatasetInput>,
    /// Logged models that the run read.
    pub model_inputs: Vec<ModelLink>,
    /// Logged models that the run made.
    pub model_outputs: Vec<ModelLink>,
}

/// A model that a run or a client logged; it need not be registered.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedModel {
    /// Id: `m-` and 32 hexadecimal digits.
    pub id: String,
    /// Number of the experiment that it belongs to.
    pub experiment_id: i64,
    /// Name for people; it need not be unique.
    pub name: String,
    /// URI of the folder with its artifacts.
    pub artifact_location: String,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Name of its status: `LOGGED_MODEL_PENDING`, `…_READY` or `…_UPLOAD_FAILED`.
    pub status: String,
    /// Type of the model, as the client says; `None` when it does not.
    pub model_type: Option<String>,
    /// Id of the run that made it; `None` when no run did.
    pub source_run_id: Option<String>,
    /// Whether it is deleted; what is deleted can be restored.
    pub stage: Stage,
    /// Tags as key and value, sorted by key.
    pub tags: Vec<KeyValue>,
    /// Parameters as key and value, sorted by key.
    pub params: Vec<KeyValue>,
    /// Values that runs measured of this model.
    pub metrics: Vec<ModelMetric>,
}

/// A value of a metric that a run measured of a logged model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelMetric {
    /// Key and value of the metric.
    pub metric: MetricValue,
    /// Id of the run that measured it.
    pub run_id: String,
    /// Name of the dataset it was measured on; empty when not said.
    pub dataset_name: String,
    /// Digest of that dataset, as the client computed it; empty when not said.
    pub dataset_digest: String,
}

/// A model of the registry, under which versions are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredModel {
    /// Name of the model, unique in the registry.
    pub name: String,
    /// Description for people; may be empty.
    pub description: String,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Highest number that a version ever had, deleted ones included; 0 before the first.
    pub last_version: i64,
    /// Tags as key and value, sorted by key.
    pub tags: Vec<KeyValue>,
    /// Alias and version, by alias.
    pub aliases: Vec<(String, i64)>,
}

/// Stage of a version that was deleted; its row stays, so that its number is never given again.
pub const DELETED_VERSION: &str = "Deleted_Internal";

/// A version of a registered model, with where its files are and come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredVersion {
    /// Name of the registered model that it belongs to.
    pub model: String,
    /// Number within its model, counted from 1 and never given again.
    pub version: i64,
    /// Description for people; may be empty.
    pub description: String,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Name of the user who created it, as the server or the import knew it.
    pub user_id: String,
    /// Stage: `None`, `Staging`, `Production`, `Archived`, or [`DELETED_VERSION`].
    pub stage: String,
    /// Where it came from, as the client said.
    pub source: String,
    /// URI of the folder with its files.
    pub storage_location: String,
    /// The run that made it; empty when not said.
    pub run_id: String,
    /// URL of a page about the run, as the client gave it; may be empty.
    pub run_link: String,
    /// Id of the logged model that it was made of; `None` when not said.
    pub model_id: Option<String>,
    /// Tags as key and value, sorted by key.
    pub tags: Vec<KeyValue>,
    /// Aliases that refer to this version, sorted by name.
    pub aliases: Vec<String>,
}

/// A file that a client uploaded, by path and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Path below the root of all artifacts.
    pub path: String,
    /// SHA-256 of the bytes of the file.
    pub digest: Hash,
    /// Length of the file in bytes.
    pub bytes: u64,
}
