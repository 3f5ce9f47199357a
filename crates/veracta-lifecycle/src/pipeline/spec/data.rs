//! The data stage in a pipeline file: the dataset, how rows are divided, how single inputs are screened, which are needed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use veracta_data::spelling::DateOrder;
use veracta_data::table::ColumnType;
use veracta_governance::record::{DataNature, Processing};
use veracta_statistics::minimisation::MinimisationPlan;

use super::{PipelineSpec, Rule, is_share};

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
    /// Character before the decimals of a number in a CSV file; a point by default.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub decimal: Option<Spanned<String>>,
    /// Character between groups of three digits in a CSV file; none by default.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub thousands: Option<Spanned<String>>,
    /// How dates are written whose year comes last: `day-first` (31.01.2026) or `month-first` (01/31/2026); they are words when not given.
    #[serde(default)]
    #[schemars(with = "Option<DateOrderName>")]
    pub dates: Option<DateOrder>,
    /// Cells that mean missing in every column, beside the empty one; in a column of numbers `NA`, `N/A`, `null`, `NaN` and `?` do so
    /// without being declared.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Cells that mean missing in one column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing_in: BTreeMap<String, Vec<String>>,
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
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
enum DateOrderName {
    DayFirst,
    MonthFirst,
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
    /// Kind of task; pipelines judge classifiers of two classes so far, `veracta evaluate --task` measures the others.
    #[serde(default)]
    #[schemars(with = "Option<TaskName>")]
    pub task: Option<Spanned<TaskName>>,
    /// Values that count as negative; needed when the column has more than two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub negative: Vec<String>,
}

/// A kind of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskName {
    /// Two classes.
    Binary,
    /// Several classes.
    Multiclass,
    /// A number.
    Regression,
    /// An order of rows.
    Ranking,
}

/// How rows are divided.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SplitSpec {
    /// `stratified`, `time` for the latest rows to test, or `column` for rows divided before.
    pub method: SplitMethodName,
    /// Column with the time, for `time`.
    #[schemars(with = "Option<String>")]
    pub time: Option<Spanned<String>>,
    /// Column that says `train`, `tune` or `test`, for `column`; a row with another word belongs to no part.
    #[schemars(with = "Option<String>")]
    pub column: Option<Spanned<String>>,
    /// Share of rows to test on.
    pub test: f64,
    /// Share of rows to tune on.
    pub tune: f64,
    /// Seed.
    pub seed: u64,
}

/// A way to divide rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitMethodName {
    /// At random, with the same label share in each part.
    Stratified,
    /// The latest rows test.
    Time,
    /// A column says it.
    Column,
}

impl Default for SplitSpec {
    fn default() -> Self {
        Self {
            method: SplitMethodName::Stratified,
            time: None,
            column: None,
            test: 0.2,
            tune: 0.0,
            seed: 7,
        }
    }
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

const fn undeclared() -> DataNature {
    DataNature::Undeclared
}

impl DataSpec {
    /// Returns the characters of a CSV file that cannot be, each with the reason.
    pub(in crate::pipeline) fn wrong_characters(&self) -> Vec<(&Spanned<String>, &'static str)> {
        let mut wrong = Vec::new();
        let given = [&self.delimiter, &self.decimal, &self.thousands];
        for character in given.into_iter().flatten() {
            if character.value.len() != 1 {
                wrong.push((character, "it is one ASCII character"));
            }
        }
        let value = |character: &Option<Spanned<String>>, default: &str| {
            let character = character.as_ref();
            character.map_or_else(|| default.to_owned(), |character| character.value.clone())
        };
        let decimal = value(&self.decimal, ".");
        let delimiter = value(&self.delimiter, "");
        let same = |character: &&Spanned<String>, others: &[&String]| {
            others.iter().any(|other| **other == character.value)
        };
        let reason = "`delimiter`, `decimal` and `thousands` are different characters";
        let thousands = self.thousands.as_ref();
        let thousands = thousands.filter(|own| same(own, &[&decimal, &delimiter]));
        let own = self.decimal.as_ref().filter(|own| same(own, &[&delimiter]));
        wrong.extend(thousands.into_iter().chain(own).map(|own| (own, reason)));
        wrong
    }
}

impl SplitSpec {
    /// Returns the limits of its numbers, each with whether it is kept.
    pub(in crate::pipeline) fn rules(&self) -> Vec<Rule> {
        vec![
            (is_share(self.test), "split.test must be between 0 and 1"),
            (
                (0.0..1.0).contains(&self.tune) && self.tune + self.test < 1.0,
                "split.tune and split.test must leave rows to train on",
            ),
        ]
    }
}

impl ScreeningSpec {
    /// Returns the limits of its numbers, each with whether it is kept.
    pub(in crate::pipeline) fn rules(self) -> Vec<Rule> {
        vec![
            (
                self.leakage_limit > 0.5 && self.leakage_limit <= 1.0,
                "screening.leakage_limit must be above 0.5 and at most 1",
            ),
            (
                self.proxy_limit > 0.5 && self.proxy_limit <= 1.0,
                "screening.proxy_limit must be above 0.5 and at most 1",
            ),
        ]
    }
}

impl MinimisationSpec {
    /// Returns the limits of its numbers, each with whether it is kept.
    pub(in crate::pipeline) fn rules(&self) -> Vec<Rule> {
        vec![
            (
                (2..=20).contains(&self.folds),
                "minimisation.folds must be between 2 and 20",
            ),
            (
                (1..=20).contains(&self.repeats),
                "minimisation.repeats must be between 1 and 20",
            ),
            (
                [self.tolerance, self.group_tolerance]
                    .iter()
                    .all(|tolerance| (0.0..=1.0).contains(tolerance)),
                "minimisation tolerances must be between 0 and 1",
            ),
        ]
    }
}

impl PipelineSpec {
    /// Returns how the need for inputs is tested.
    pub(crate) fn minimisation_plan(&self) -> MinimisationPlan {
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

    /// Returns the columns that are declared as protected attributes.
    pub fn protected(&self) -> Vec<String> {
        let attributes = self.data.protected.iter();
        attributes
            .map(|attribute| attribute.value.clone())
            .collect()
    }
}
