//! Why a request cannot be carried out.

use std::fmt;

use veracta_data::table::{TableError, named_columns};
use veracta_governance::record::RecordError;
use veracta_ledger::bundle::SealError;
use veracta_ledger::statement::StatementError;
use veracta_model::explanation::ExplanationError;
use veracta_model::model::ModelError;
use veracta_model::training::TrainingError;
use veracta_statistics::performance::PerformanceError;
use veracta_statistics::sketch::SketchError;
use veracta_statistics::split::SplitError;
use veracta_statistics::target::TargetError;
use veracta_store::StoreError;
use veracta_tracking::TrackingError;

/// A problem in a file that a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the file that has the problem.
    pub file: String,
    /// One-based line; 0 when it is about the whole file.
    pub line: usize,
    /// One-based column; 0 when it is about the whole line.
    pub column: usize,
    /// What is wrong at that place, without the place itself.
    pub message: String,
    /// What a person can do about it; `None` when there is no advice.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            _ => write!(
                f,
                "{}:{}:{}: {}",
                self.file, self.line, self.column, self.message
            ),
        }
    }
}

/// Why a request cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// The pipeline file has problems; all of them are listed.
    #[error("{}", .0.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
    Spec(Vec<Problem>),
    /// The data cannot be read.
    #[error("`{file}` cannot be used")]
    Data {
        /// Path of the data file.
        file: String,
        /// Why no table can be read from it.
        #[source]
        source: TableError,
    },
    /// A file cannot be read or written.
    #[error("`{file}` cannot be read or written")]
    File {
        /// Path of the file or folder; of a command that does not start, its text.
        file: String,
        /// Error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The label is not usable.
    #[error("label column `{column}` of `{file}`: {reason}")]
    Label {
        /// Path of the data file.
        file: String,
        /// Name of the label's column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No framework of this name is in the catalogue.
    #[error("unknown framework `{framework}`; there are {}", .known.join(", "))]
    UnknownFramework {
        /// Name that was asked for.
        framework: String,
        /// Names of the frameworks of the catalogue.
        known: Vec<String>,
    },
    /// No streaming detector has this name.
    #[error("unknown detector `{detector}`; there are {}", .known.join(", "))]
    UnknownDetector {
        /// Name that was asked for.
        detector: String,
        /// Names of all there are.
        known: &'static [&'static str],
    },
    /// Controls were asked for, and neither the caller nor the pipeline says of which framework.
    #[error("the pipeline declares no framework")]
    NoFramework,
    /// What asks for one kind of task was given another.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A file that a command reads was changed while it ran.
    #[error("step `{step}`: `{input}` was changed while it ran; run again when nothing writes it")]
    InputChanged {
        /// Name that the pipeline file gives the command.
        step: String,
        /// Path of the file, as the pipeline file names it.
        input: String,
    },
    /// What was trained elsewhere cannot be done again here.
    #[error(
        "`{version}` was trained elsewhere: run its training there again, register what comes out, and judge that; its run's record says how it was trained"
    )]
    TrainedElsewhere {
        /// Registered model and version, such as `churn@3`.
        version: String,
    },
    /// A file that is not a usable model.
    #[error("`{file}` cannot be used as a model")]
    ModelFile {
        /// Path of the model file.
        file: String,
        /// Why no model can be read from it.
        #[source]
        source: ModelError,
    },
    /// A file that is not a usable stored profile.
    #[error("`{file}` cannot be used as a stored profile")]
    Profile {
        /// Path of the stored profile.
        file: String,
        /// Why it cannot be read, merged or compared.
        #[source]
        source: SketchError,
    },
    /// Too many rows against too many background rows.
    #[error(
        "{n_rows} rows against {n_background} background rows are too many pairs; at most {} are explained",
        crate::validation::attribute::PAIRS_MAX
    )]
    TooManyPairs {
        /// Rows whose predictions are to be explained.
        n_rows: usize,
        /// Background rows, each of which makes a pair with every explained row.
        n_background: usize,
    },
    /// Rows that cannot be cut into windows.
    #[error("`{file}` cannot be cut into windows: {reason}")]
    Windows {
        /// Path of the data file.
        file: String,
        /// What is wrong with the size of the windows or with the column of times.
        reason: String,
    },
    /// A model of several outputs where one is asked for.
    #[error("{what} is about one number a row, and the model gives {n}")]
    OneOutput {
        /// What was asked for, such as `permutation importance`.
        what: &'static str,
        /// Outputs that the model gives for a row.
        n: usize,
    },
    /// A category where a number is changed.
    #[error("input `{input}` holds categories, and a change has a size only for numbers")]
    CategoryChange {
        /// Name of the input that was to be changed.
        input: String,
    },
    /// Too few clusters for an interval.
    #[error(
        "column `{column}` has {n} clusters; intervals need at least {}",
        veracta_statistics::resampling::CLUSTERS_MIN
    )]
    FewClusters {
        /// Name of the column of clusters.
        column: String,
        /// Distinct clusters among the measured rows.
        n: usize,
    },
    /// A measurement of another model than the one it is to be evidence about.
    #[error("`{reference}` is not what was measured: {reason}")]
    OtherModel {
        /// The model of the workspace.
        reference: String,
        /// What differs: the digest of the model file, or an input that is no column of the data.
        reason: String,
    },
    /// A metric that the rows do not define.
    #[error("{what} is not defined on these rows")]
    NotDefined {
        /// Title of the metric, or what was attempted and what it needs.
        what: &'static str,
    },
    /// A background for a model without trees.
    #[error(
        "this is for models of trees; other models have other explanations (see `veracta explain --help`)"
    )]
    NeedsTrees,
    /// The prediction has no exact explanation.
    #[error(transparent)]
    Explanation(#[from] ExplanationError),
    /// Data that a model cannot be applied to.
    #[error("the model cannot be applied to `{file}`")]
    ModelData {
        /// Path of the data file.
        file: String,
        /// Why its rows cannot be encoded for the model.
        #[source]
        source: ModelError,
    },
    /// A column that is not there.
    #[error("column `{column}` is not in the data; {}", named_columns(.columns))]
    UnknownColumn {
        /// Name that was asked for and is not there.
        column: String,
        /// Names that could have been asked for.
        columns: Vec<String>,
    },
    /// A column that is in the file and cannot be read.
    #[error(transparent)]
    Column(TableError),
    /// A score that cannot be used.
    #[error("column `{column}` of `{file}`: {reason}")]
    ScoreColumn {
        /// Path of the data file.
        file: String,
        /// Name of the column that cannot be used.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Scores that cannot be compared.
    #[error(
        "the two scores cannot be compared: there are fewer than two rows of a label, or they rank all rows alike"
    )]
    NotComparable,
    /// Two tables without a column in common.
    #[error("the two files have no column in common")]
    NothingShared,
    /// No column of the data can be an input of a model.
    #[error("no input is left: every column is the label, an identifier, dropped or free text")]
    NoInputs,
    /// A command of the pipeline failed.
    #[error("step `{step}` failed with exit code {exit_code}; the end of its log:\n{log_end}")]
    Command {
        /// Name that the pipeline file gives the command.
        step: String,
        /// Its exit code; -1 when it was killed.
        exit_code: i32,
        /// The last lines of its log, secrets masked.
        log_end: String,
    },
    /// A command did not write what it declares.
    #[error("step `{step}` ended well but did not write `{output}`")]
    MissingOutput {
        /// Name that the pipeline file gives the command.
        step: String,
        /// Path of the missing file, as the pipeline file names it.
        output: String,
    },
    /// A secret is not set.
    #[error("step `{step}` needs the environment variable `{variable}`, which is not set")]
    MissingSecret {
        /// Name that the pipeline file gives the command.
        step: String,
        /// Name of the environment variable, listed under `secrets` of the step.
        variable: String,
    },
    /// A reference that names no record of the workspace.
    #[error("`{reference}` names nothing in this workspace{}", .known.as_ref().map(|known| format!("; there is {known}")).unwrap_or_default())]
    UnknownReference {
        /// The reference as it was given.
        reference: String,
        /// Model versions of the workspace in backticks, whatever was asked for; `None` when there are none.
        known: Option<String>,
    },
    /// A record is not of the kind that is needed.
    #[error("`{reference}` is a {found}; this needs a {needed}")]
    WrongKind {
        /// The reference as it was given.
        reference: String,
        /// Kind of the record that it names, such as `dataset.version`.
        found: String,
        /// Kind of record that is needed, such as `model.version`.
        needed: &'static str,
    },
    /// Evidence that should be in the ledger is not.
    #[error("there is no {kind} to do this with")]
    MissingEvidence {
        /// Kind of the record that is missing, or what is missing in words.
        kind: &'static str,
    },
    /// The store refuses or fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rows cannot be divided.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The model cannot be trained.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The model cannot be read or applied.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Labels and scores cannot be measured.
    #[error(transparent)]
    Performance(#[from] PerformanceError),
    /// A record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A statement cannot be signed.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The tables of the tracking server cannot be read.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// A bundle cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Something that should be JSON is not.
    #[error("malformed JSON")]
    Json(#[from] serde_json::Error),
}

impl LifecycleError {
    /// Returns the error of a file operation.
    pub fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let file = path.display().to_string();
        move |source| Self::File { file, source }
    }

    /// Returns what a person can do about it, when that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Spec(problems) => {
                return problems.iter().find_map(|problem| problem.hint.clone());
            }
            Self::Data {
                source: TableError::WrongDelimiter { separator, .. },
                ..
            } => {
                return Some(format!(
                    "the delimiter is `{}`: `delimiter` under `data:` in a pipeline, `--delimiter` of a command",
                    if *separator == '\t' {
                        "\\t".to_owned()
                    } else {
                        separator.to_string()
                    }
                ));
            }
            Self::Data {
                source: TableError::Ragged { .. },
                ..
            } => "look for an unquoted delimiter or a line break inside a cell",
            Self::Data {
                source: TableError::OverLimit { .. },
                ..
            } => {
                "raise `bytes_limit` under `data:` in a pipeline, `--bytes-limit` of a command, if the machine has the memory"
            }
            Self::Data {
                source: TableError::NotNumeric { .. },
                ..
            } => "add the text to `missing` under `data:`, or declare the column categorical",
            Self::TooManyPairs { .. } => {
                "explain fewer rows with `--rows`, or give a background of some hundred rows"
            }
            Self::Profile {
                source: SketchError::Json(_),
                ..
            } => "`veracta profile DATA --save FILE` writes one",
            Self::Store(StoreError::NoWorkspace { .. }) => {
                "`veracta init` begins a workspace here; `--workspace` names another folder"
            }
            Self::Store(StoreError::DiskFull) => {
                "free some space and run the command again: every record committed before is whole, and a run goes on after the last one"
            }
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                "free some space and run the command again: what was committed is not done again"
            }
            Self::Store(StoreError::NoRecord { .. }) => "`veracta log` lists what there is",
            Self::Store(StoreError::WorkspaceExists { .. }) => {
                "`veracta status` says what is in it"
            }
            Self::Store(StoreError::NoDatabase { .. }) => {
                "restore the whole workspace folder from a backup"
            }
            Self::NoInputs => {
                "declare text columns as `categorical` under `data.types` to use them as inputs"
            }
            Self::NoFramework => "name one, such as `--framework gdpr`",
            Self::UnknownReference { .. } => {
                "a reference is a name, `name@version`, a ledger position such as `#12`, or the start of a digest; see `veracta log`"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
