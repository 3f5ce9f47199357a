//! The pipeline file: its fields, its JSON Schema, and its problems with line and column.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use veracta_governance::document::DOCUMENT_KINDS;
use veracta_governance::plan::{DisparityCriterion, Limit, MetricCriterion, ValidationPlan};
use veracta_governance::record::{DataNature, Processing};
use veracta_ml::fairness::Disparity;
use veracta_ml::interval::Bootstrap;
use veracta_ml::minimisation::MinimisationPlan;
use veracta_ml::performance::Metric;
use veracta_ml::table::ColumnType;
use veracta_ml::training::{BoostingParameters, LogisticParameters, TrainingSpec};

use super::measures::{
    CriterionSpec, FairnessSpec, MonitoringSpec, OneOrMany, PrivacySpec, RobustnessSpec,
    ValidationSpec,
};
use super::rows::SplitSpec;

/// Version of the format.
pub const PIPELINE_SCHEMA: &str = "veracta.pipeline/1";
/// Largest pipeline file, in bytes.
pub(super) const FILE_BYTES_LIMIT: u64 = 1 << 20;

/// A pipeline file: the text, what it means, and where it stands.
#[derive(Debug, Clone)]
pub struct PipelineFile {
    /// Path of the file, for messages.
    pub path: PathBuf,
    /// Folder that relative paths in it start from.
    pub folder: PathBuf,
    /// Its text.
    pub text: String,
    /// Its meaning.
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

/// The dataset and what was declared about it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Path of a CSV or Parquet file, relative to the pipeline file.
    #[schemars(with = "String")]
    pub path: Spanned<String>,
    /// Name of the dataset; the file's name by default.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether the data is real, simulated, synthetic or artificial; the word stands beside every result.
    #[serde(default = "undeclared")]
    #[schemars(with = "NatureName")]
    pub nature: DataNature,
    /// Character between cells of a CSV file.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub delimiter: Option<Spanned<String>>,
    /// Cells that mean missing, beside the empty one, `NA`, `N/A`, `null`, `NaN` and `?`.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Types of columns that are not to be inferred.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, TypeName>")]
    pub types: BTreeMap<String, ColumnType>,
    /// What is predicted.
    pub label: LabelSpec,
    /// Columns that tell rows apart; never inputs.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub identifiers: Vec<Spanned<String>>,
    /// Column whose rows belong to one person and stay in one part.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub subject: Option<Spanned<String>>,
    /// Columns left out, with the reason.
    #[serde(default)]
    pub drop: BTreeMap<String, String>,
    /// Protected attributes: results are shown by them and inputs screened for standing in for them.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub protected: Vec<Spanned<String>>,
    /// Columns that are personal data; all inputs by default.
    #[serde(default)]
    pub personal: Option<Vec<String>>,
    /// Columns of special categories (GDPR Art. 9).
    #[serde(default)]
    pub special_categories: Vec<String>,
    /// Exception that allows them.
    #[serde(default)]
    pub special_category_exception: Option<String>,
    /// Who decides on purposes and means.
    #[serde(default)]
    pub controller: Option<String>,
    /// Licence of the data.
    #[serde(default)]
    pub licence: Option<String>,
    /// Region it is held in.
    #[serde(default)]
    pub region: Option<String>,
    /// What it may be used for.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// Legal ground (GDPR Art. 6(1)).
    #[serde(default)]
    pub lawful_basis: Option<String>,
    /// First day of collection, ISO 8601.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub collected_from: Option<Spanned<String>>,
    /// Last day of collection.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub collected_to: Option<Spanned<String>>,
    /// Last day it may be kept.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub retention_until: Option<Spanned<String>>,
    /// Largest file, in bytes; 1 GiB by default.
    #[serde(default)]
    pub bytes_limit: Option<u64>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum NatureName {
    Real,
    Simulated,
    Synthetic,
    Artificial,
    Undeclared,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum TypeName {
    Numeric,
    Categorical,
    Text,
}

/// What is predicted.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelSpec {
    /// Column with the label.
    #[schemars(with = "String")]
    pub column: Spanned<String>,
    /// Value that counts as positive.
    #[schemars(with = "String")]
    pub positive: Spanned<String>,
    /// Values that count as negative; needed when the column has more than two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub negative: Vec<String>,
}

/// A command.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    /// Name of the step.
    #[schemars(with = "String")]
    pub id: Spanned<String>,
    /// Command, run by `sh -c` in the pipeline's folder.
    pub run: String,
    /// Files it reads, its scripts included: a change of any runs it again.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub inputs: Vec<Spanned<String>>,
    /// Files it writes.
    #[schemars(with = "Vec<String>")]
    pub outputs: Vec<Spanned<String>>,
    /// Variables it gets, beside `PATH` and `HOME`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variables taken from the environment and never shown or recorded.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Commands whose output states a version to record, such as `python3 --version`.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// Longest run, in seconds; an hour by default.
    #[serde(default = "an_hour")]
    pub seconds_max: u64,
}

/// What is trained.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingSection {
    /// Algorithm.
    pub algorithm: AlgorithmName,
    /// Registered model and version that a client of the tracking server trained, such as `churn@3` (tracked).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub version: Option<Spanned<String>>,
    /// File of the model among the version's; needed when there are several that could be it (tracked).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub file: Option<Spanned<String>>,
    /// Trees (gradient boosting).
    #[serde(default)]
    pub rounds: Option<u32>,
    /// Shrinkage of each tree (gradient boosting).
    #[serde(default)]
    pub learning_rate: Option<f64>,
    /// Depth of a tree (gradient boosting).
    #[serde(default)]
    pub max_depth: Option<u32>,
    /// Least sum of hessians in a leaf (gradient boosting).
    #[serde(default)]
    pub min_child_weight: Option<f64>,
    /// Share of rows drawn for each tree (gradient boosting).
    #[serde(default)]
    pub subsample: Option<f64>,
    /// Share of inputs drawn for each tree (gradient boosting).
    #[serde(default)]
    pub colsample_bytree: Option<f64>,
    /// L2 penalty on leaves (gradient boosting).
    #[serde(default)]
    pub lambda: Option<f64>,
    /// Seed of the draws (gradient boosting).
    #[serde(default)]
    pub seed: Option<u64>,
    /// L2 penalty on coefficients (logistic regression).
    #[serde(default)]
    pub l2: Option<f64>,
    /// Most categories of an input; rarer ones are treated as missing.
    #[serde(default = "two_hundred_fifty")]
    pub categories_max: usize,
}

/// Algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlgorithmName {
    /// Gradient-boosted decision trees.
    GradientBoosting,
    /// Logistic regression.
    LogisticRegression,
    /// Trained elsewhere, logged and registered with a tracking client: XGBoost or LightGBM trees.
    Tracked,
}

/// How single inputs are screened.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScreeningSpec {
    /// Lower bound of an input's own ROC AUC for the label from which it counts as leaking it.
    pub leakage_limit: f64,
    /// Lower bound of an input's own ROC AUC for a protected group from which it counts as a proxy.
    pub proxy_limit: f64,
}

impl Default for ScreeningSpec {
    fn default() -> Self {
        Self {
            leakage_limit: 0.95,
            proxy_limit: 0.8,
        }
    }
}

/// How the need for inputs is tested.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MinimisationSpec {
    /// Folds.
    pub folds: usize,
    /// Times the rows are divided anew.
    pub repeats: usize,
    /// Largest loss of ROC AUC overall that counts as none.
    pub tolerance: f64,
    /// Largest loss of ROC AUC in the worst group that counts as none.
    pub group_tolerance: f64,
    /// Association (Cramér's V) from which inputs are tested together.
    pub correlation: f64,
    /// Fewest rows of each label a group needs in every fold to be judged.
    pub group_class_rows_min: usize,
    /// Seed of the folds.
    pub seed: u64,
    /// Inputs kept although not shown to be needed, with the reason.
    pub keep: BTreeMap<String, String>,
}

impl Default for MinimisationSpec {
    fn default() -> Self {
        Self {
            folds: 5,
            repeats: 1,
            tolerance: 0.005,
            group_tolerance: 0.015,
            correlation: 0.85,
            group_class_rows_min: 20,
            seed: 7,
            keep: BTreeMap::new(),
        }
    }
}

/// How the model is explained.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExplanationSpec {
    /// Most test rows explained.
    pub rows_max: usize,
}

impl Default for ExplanationSpec {
    fn default() -> Self {
        Self { rows_max: 1000 }
    }
}

/// A statement by a person.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementSpec {
    /// What it is about: `balancing_test`, or a section as `model_card/Summary`.
    pub topic: String,
    /// The statement.
    pub statement: String,
    /// Who makes it.
    #[serde(default)]
    pub signer: Option<String>,
    /// Last day it holds, ISO 8601.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub valid_until: Option<Spanned<String>>,
}

/// A waiver.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaiverSpec {
    /// What is waived: `rule:<id>` or `control:<id>`.
    #[schemars(with = "String")]
    pub subject: Spanned<String>,
    /// Who waives it.
    pub signer: String,
    /// In which role.
    pub role: String,
    /// Why.
    pub reason: String,
    /// Last day it holds, ISO 8601.
    pub valid_until: String,
}

fn all_documents() -> Vec<Spanned<String>> {
    let nowhere = serde_saphyr::Location::UNKNOWN;
    DOCUMENT_KINDS
        .iter()
        .map(|kind| Spanned::new(kind.id().to_owned(), nowhere, nowhere))
        .collect()
}

const fn undeclared() -> DataNature {
    DataNature::Undeclared
}

const fn an_hour() -> u64 {
    3600
}

const fn two_hundred_fifty() -> usize {
    250
}

impl PipelineSpec {
    /// Returns what is trained, with every default spelt out.
    pub fn training_spec(&self) -> TrainingSpec {
        let section = &self.training;
        match section.algorithm {
            AlgorithmName::GradientBoosting => {
                let default = BoostingParameters::default();
                TrainingSpec::GradientBoosting(BoostingParameters {
                    rounds: section.rounds.unwrap_or(default.rounds),
                    learning_rate: section.learning_rate.unwrap_or(default.learning_rate),
                    max_depth: section.max_depth.unwrap_or(default.max_depth),
                    min_child_weight: section.min_child_weight.unwrap_or(default.min_child_weight),
                    subsample: section.subsample.unwrap_or(default.subsample),
                    colsample_bytree: section.colsample_bytree.unwrap_or(default.colsample_bytree),
                    lambda: section.lambda.unwrap_or(default.lambda),
                    seed: section.seed.unwrap_or(default.seed),
                })
            }
            AlgorithmName::LogisticRegression => {
                let default = LogisticParameters::default();
                TrainingSpec::LogisticRegression(LogisticParameters {
                    l2: section.l2.unwrap_or(default.l2),
                })
            }
            AlgorithmName::Tracked => {
                let text = |value: &Option<Spanned<String>>| {
                    value
                        .as_ref()
                        .map(|value| value.value.clone())
                        .unwrap_or_default()
                };
                TrainingSpec::Tracked {
                    version: text(&section.version),
                    file: text(&section.file),
                }
            }
        }
    }

    /// Returns what is trained again and again to measure something: of a model that was trained elsewhere boosted trees stand in.
    pub fn refit_spec(&self) -> TrainingSpec {
        match self.training_spec() {
            TrainingSpec::Tracked { .. } => {
                TrainingSpec::GradientBoosting(BoostingParameters::default())
            }
            own => own,
        }
    }

    /// Returns the validation plan.
    pub fn validation_plan(&self) -> ValidationPlan {
        let section = &self.validation;
        let limit = |at_least: Option<f64>, at_most: Option<f64>| match at_least {
            Some(limit) => Limit::AtLeast(limit),
            None => {
                Limit::AtMost(at_most.expect("one limit is given: checked when the file was read"))
            }
        };
        let metric = |spec: &CriterionSpec| MetricCriterion {
            metric: Metric::named(&spec.metric.value)
                .expect("the metric is known: checked when the file was read"),
            limit: limit(spec.at_least, spec.at_most),
        };
        let disparity = |spec: &FairnessSpec| DisparityCriterion {
            by: spec.by.names(),
            disparity: Disparity::named(&spec.metric.value)
                .expect("the gap is known: checked when the file was read"),
            limit: limit(spec.at_least, spec.at_most),
        };
        let fairness: Vec<DisparityCriterion> = section.fairness.iter().map(disparity).collect();
        let mut groups: Vec<Vec<String>> = section.groups.iter().map(OneOrMany::names).collect();
        if groups.is_empty() {
            groups = self
                .data
                .protected
                .iter()
                .map(|attribute| vec![attribute.value.clone()])
                .collect();
        }
        for criterion in &fairness {
            if !groups.contains(&criterion.by) {
                groups.push(criterion.by.clone());
            }
        }
        ValidationPlan {
            level: section.level,
            threshold: section.threshold,
            bootstrap: Bootstrap {
                n_resamples: section.resamples,
                seed: section.seed,
            },
            criteria: section.criteria.iter().map(metric).collect(),
            groups,
            group_rows_min: section.group_rows_min,
            fairness,
            clusters: section.clusters.as_ref().map(|column| column.value.clone()),
            robustness: section.robustness.as_ref().map(RobustnessSpec::criterion),
            privacy: section.privacy.as_ref().map(PrivacySpec::criterion),
        }
    }

    /// Returns how the need for inputs is tested.
    pub fn minimisation_plan(&self) -> MinimisationPlan {
        let section = &self.minimisation;
        MinimisationPlan {
            folds: section.folds,
            repeats: section.repeats,
            tolerance: section.tolerance,
            group_tolerance: section.group_tolerance,
            level: self.validation.level,
            group_class_rows_min: section.group_class_rows_min,
            seed: section.seed,
        }
    }

    /// Returns what was declared about the processing of personal data.
    pub fn processing(&self) -> Processing {
        let data = self.data.clone();
        Processing {
            controller: data.controller,
            licence: data.licence,
            region: data.region,
            purposes: data.purposes,
            lawful_basis: data.lawful_basis,
            special_categories: data.special_categories,
            special_category_exception: data.special_category_exception,
            protected: data
                .protected
                .into_iter()
                .map(|attribute| attribute.value)
                .collect(),
            personal: data.personal,
            collected_from: data.collected_from.map(|date| date.value),
            collected_to: data.collected_to.map(|date| date.value),
            retention_until: data.retention_until.map(|date| date.value),
        }
    }

    /// Returns the frameworks whose controls apply.
    pub fn framework_names(&self) -> Vec<String> {
        self.frameworks
            .iter()
            .map(|framework| framework.value.clone())
            .collect()
    }
}

/// Returns the JSON Schema of a pipeline file.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(PipelineSpec).to_value()
}
