//! The pipeline file: its fields, one file a stage, and its JSON Schema.
//!
//! These types are what a person writes. A step that runs never sees them: its `request` translates what it needs with the methods
//! that stand beside the fields, every default written out.

mod command;
mod data;
mod monitoring;
mod people;
mod training;
mod validation;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;
use veracta_documents::DOCUMENT_KINDS;

pub use command::CommandSpec;
pub use data::{
    DataSpec, LabelSpec, MinimisationSpec, ScreeningSpec, SplitMethodName, SplitSpec, TaskName,
};
pub use monitoring::MonitoringSpec;
pub use people::{StatementSpec, WaiverSpec};
pub use training::{AlgorithmName, TrainingSection};
pub use validation::{
    CriterionSpec, ExplanationSpec, FairnessSpec, OneOrMany, PrivacySpec, RobustnessSpec,
    ValidationSpec,
};

/// Version of the format: what `schema` says in a pipeline file.
pub(crate) const PIPELINE_SCHEMA: &str = "veracta.pipeline/1";
/// Largest pipeline file, in bytes.
pub(in crate::pipeline) const FILE_BYTES_LIMIT: u64 = 1 << 20;

/// A pipeline file: the text, what it means, and where it stands.
#[derive(Debug, Clone)]
pub struct PipelineFile {
    /// Path of the file, for messages.
    pub path: PathBuf,
    /// Folder that relative paths in it start from.
    pub folder: PathBuf,
    /// Text of the file as it was read; runs keep it with their records.
    pub text: String,
    /// Specification that the text was parsed into; it has passed every check that needs no data.
    pub spec: PipelineSpec,
}

/// A pipeline from data to documents.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineSpec {
    /// Version of this format: `veracta.pipeline/1`.
    #[schemars(with = "String")]
    pub schema: Spanned<String>,
    /// Name of the model; letters, digits, `-`, `_` and `.`.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// What the model is for, in a sentence.
    pub purpose: String,
    /// Who answers for the model.
    #[serde(default)]
    pub owner: Option<String>,
    /// Risk tier.
    #[serde(default)]
    pub tier: Option<String>,
    /// What the model must not be used for.
    #[serde(default)]
    pub out_of_scope: Vec<String>,
    /// Frameworks whose controls apply, such as `gdpr`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub frameworks: Vec<Spanned<String>>,
    /// The dataset.
    pub data: DataSpec,
    /// Commands that run before or beside the built-in steps.
    #[serde(default)]
    pub steps: Vec<CommandSpec>,
    /// How rows are divided.
    #[serde(default)]
    pub split: SplitSpec,
    /// What is trained.
    pub training: TrainingSection,
    /// What must hold.
    pub validation: ValidationSpec,
    /// What newer data is held against.
    #[serde(default)]
    pub monitoring: Option<MonitoringSpec>,
    /// How single inputs are screened.
    #[serde(default)]
    pub screening: ScreeningSpec,
    /// How the need for inputs is tested.
    #[serde(default)]
    pub minimisation: MinimisationSpec,
    /// How the model is explained.
    #[serde(default)]
    pub explanation: ExplanationSpec,
    /// Documents to write; all kinds by default.
    #[serde(default = "all_documents")]
    #[schemars(with = "Vec<String>")]
    pub documents: Vec<Spanned<String>>,
    /// Statements by people, such as text for a section of a document.
    #[serde(default)]
    pub statements: Vec<StatementSpec>,
    /// Rules or controls that a named person waives until a day.
    #[serde(default)]
    pub waivers: Vec<WaiverSpec>,
}

/// Whether a number of the file is within its limit, and what is said when it is not: the key, then the limit.
pub(in crate::pipeline) type Rule = (bool, &'static str);

fn is_share(share: f64) -> bool {
    share > 0.0 && share < 1.0
}

impl PipelineSpec {
    /// Returns every file that the pipeline names, whether it is read or written.
    pub(in crate::pipeline) fn files(&self) -> impl Iterator<Item = &Spanned<String>> {
        let monitored = self.monitoring.iter().map(|monitoring| &monitoring.current);
        let steps = self.steps.iter();
        let steps = steps.flat_map(|step| step.inputs.iter().chain(&step.outputs));
        let own = [&self.data.path].into_iter().chain(&self.training.path);
        own.chain(monitored).chain(steps)
    }

    /// Returns the frameworks whose controls apply.
    pub(crate) fn framework_names(&self) -> Vec<String> {
        self.frameworks
            .iter()
            .map(|framework| framework.value.clone())
            .collect()
    }
}

fn all_documents() -> Vec<Spanned<String>> {
    let nowhere = serde_saphyr::Location::UNKNOWN;
    DOCUMENT_KINDS
        .iter()
        .map(|kind| Spanned::new(kind.id().to_owned(), nowhere, nowhere))
        .collect()
}

/// Returns the JSON Schema of a pipeline file.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(PipelineSpec).to_value()
}
