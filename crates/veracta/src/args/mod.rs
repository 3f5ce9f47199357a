//! The arguments, from which `--help`, completions and the reference are made.

mod groups;
mod measure;
mod server;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use groups::command;
pub(crate) use measure::{
    Anonymity, Compare, Drift, Evaluate, Explain, FileOptions, MeasureOptions, Membership,
    Neighbours, Plan, Predict, ReadingOptions, RecordOption, Robustness, Task, Watch,
};
pub(crate) use server::{ExportTo, ImportFrom, Serve, TokenAction, UserAction};

/// Carry a machine-learning model from its data to its decisions, keep proof of every step, and refuse what the rules do not allow.
#[derive(Debug, Parser)]
#[command(
    name = "veracta",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit codes: 0 yes, 1 no (a gate refused, something does not verify), 2 error.\n\nStart with: veracta demo churn"
)]
pub(crate) struct Args {
    /// Folder of the project; its workspace is `.veracta` inside it.
    #[arg(
        long,
        global = true,
        default_value = ".",
        value_name = "FOLDER",
        env = "VERACTA_WORKSPACE"
    )]
    pub(crate) workspace: PathBuf,
    /// PostgreSQL database to keep records in, `postgres://user@host/database`; SQLite in the workspace when not given.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "VERACTA_STORE",
        hide_env_values = true
    )]
    pub(crate) store: Option<String>,
    /// Object store to keep files and the published log in, `s3://bucket/folder`, `gs://…`, `az://…` or `file:///…`; the workspace when not
    /// given. Access is set by the variables its own tools read, such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "VERACTA_OBJECTS",
        hide_env_values = true
    )]
    pub(crate) objects: Option<String>,
    /// How to print.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Name under which changes are recorded; the ledger holds a pseudonym of it.
    #[arg(long, global = true, value_name = "NAME", env = "VERACTA_ACTOR")]
    pub(crate) actor: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
    /// A page (documents and reports).
    Html,
    /// Markdown (documents and reports).
    Md,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a workspace: a database, a signing key and an empty ledger in `.veracta`.
    Init {
        /// Folder of the project, created when it is not there; `--workspace` or the current folder by default.
        folder: Option<PathBuf>,
        /// Name of the log, such as `example.org/models`; a random one when not given.
        #[arg(long)]
        origin: Option<String>,
    },
    /// Run a pipeline: read, check, train, validate, judge, document. Only what changed is done again.
    Run {
        /// The pipeline file.
        pipeline: PathBuf,
        /// Read this dataset in place of the one the pipeline names.
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
        /// Write documents here.
        #[arg(long, value_name = "FOLDER", default_value = "documents")]
        documents: PathBuf,
    },
    /// Tell a story from data to a registered model, in a folder of its own.
    Demo {
        /// Which story.
        #[arg(value_enum)]
        story: Story,
        /// The public Telco churn file, in place of simulated customers.
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
        /// Folder to do it in; must be empty or a demo of before.
        #[arg(long, value_name = "FOLDER", default_value = "churn-demo")]
        folder: PathBuf,
    },
    /// Say what is in the workspace.
    Status,
    /// Show one record.
    Show {
        /// `name`, `name@2`, `#12`, `dataset:name`, `run:id`, `experiment:1`, `registry:name`, `registry:name@2`, or the start of a digest.
        reference: String,
    },
    /// List the ledger, latest first.
    Log {
        /// Only this kind of record, such as `model.version`.
        #[arg(long)]
        kind: Option<String>,
        /// Most entries to list.
        #[arg(long, short = 'n', default_value_t = 30)]
        limit: usize,
    },
    /// Say what the gate decided about a model, and why. Exits with 1 when it refused.
    Gate {
        /// The model.
        reference: String,
    },
    /// Say what the evidence shows for each control. Exits with 1 when a control fails.
    Controls {
        /// The model.
        reference: String,
        /// Frameworks, such as `gdpr`; those the pipeline declares by default.
        #[arg(long, value_delimiter = ',')]
        framework: Vec<String>,
    },
    /// Write a document about a model from the evidence as it stands. Use `--format html|md|json`.
    Document {
        /// The model.
        reference: String,
        /// `model_card` or `validation_report`.
        #[arg(long)]
        kind: String,
        /// File to write; the standard output when not given.
        #[arg(long, short = 'o', value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show what a record rests on.
    Lineage {
        /// The record.
        reference: String,
        /// Draw it to this SVG file.
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// Run the recorded pipeline of a model again elsewhere, compare, and record how it ended. Exits with 1 when it differs.
    Reproduce {
        /// The model.
        reference: String,
    },
    /// Show the differences between two records of one kind. Exits with 1 when there are any.
    Diff {
        /// The first.
        before: String,
        /// The second.
        after: String,
    },
    /// Hand evidence to someone else.
    Evidence {
        /// What to do with it.
        #[command(subcommand)]
        action: EvidenceAction,
    },
    /// Check a bundle, or the workspace when none is given. Exits with 1 when it does not hold.
    Verify {
        /// An evidence bundle.
        bundle: Option<PathBuf>,
        /// The log's public key, obtained from elsewhere.
        #[arg(long, value_name = "VKEY")]
        key: Option<String>,
        /// A checkpoint seen earlier, which the log must extend.
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
        /// Public keys of witnesses whose cosignatures count.
        #[arg(long, value_name = "VKEY")]
        witness: Vec<String>,
    },
    /// Erase a tracked run for good, its values, files and records, and leave a receipt. A run that a registered version was made by stays.
    Purge {
        /// The run's id, `run:…` or without that word.
        run: String,
        /// Why; the receipt says so.
        #[arg(long)]
        reason: String,
    },
    /// Write what the workspace keeps in the form of another program.
    Export {
        /// In which form.
        #[command(subcommand)]
        to: ExportTo,
    },
    /// Copy the workspace into a folder while others go on: records, runs, registry and files, but never the signing key. Again into the same
    /// folder, only new files are copied.
    Backup {
        /// The folder.
        folder: PathBuf,
    },
    /// Begin a workspace with what a backup holds. Its log goes on as a new epoch, under a key and a name of its own: entries that the old log
    /// signed after the backup are not in it.
    Restore {
        /// The folder of the backup.
        folder: PathBuf,
        /// Name of the log from now on; a random one when not given.
        #[arg(long)]
        origin: Option<String>,
    },
    /// Look at the ledger itself.
    Ledger {
        /// What to do.
        #[command(subcommand)]
        action: LedgerAction,
    },
    /// Profile a CSV or Parquet file and look for identifiers in it. Needs no workspace.
    Profile {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        reading: ReadingOptions,
        /// Store a profile here, for `veracta drift --profile`. It is as personal as the data: quantiles are values of rows.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
        /// Put the rows of these stored profiles into the one that is stored.
        #[arg(long, value_name = "FILE", requires = "save")]
        merge: Vec<PathBuf>,
    },
    /// Apply a model (XGBoost, LightGBM, ONNX or our own) to a CSV or Parquet file and print one line a row. Needs no workspace.
    Predict(Predict),
    /// Say what drives a model's predictions on a CSV or Parquet file: exact Shapley values, dependence, reasons, counterfactuals. Needs
    /// no workspace.
    Explain(Explain),
    /// Measure scores against labels: performance with intervals, calibration, fairness by group. Needs no workspace.
    Evaluate(Evaluate),
    /// Compare two scores of the same rows. Exits with 1 unless the second is shown not to be worse by more than the margin. Needs no
    /// workspace.
    Compare(Compare),
    /// Say how well rows hide among each other: k-anonymity, l-diversity, t-closeness. Exits with 1 when a row is alone. Needs no workspace.
    Anonymity(Anonymity),
    /// Say whether synthetic rows are nearer to the rows they were made from than to rows never seen. Exits with 1 when they are. Needs no
    /// workspace.
    Neighbours(Neighbours),
    /// Say how many rows a study needs. Needs no workspace.
    Plan(Plan),
    /// Say which columns changed between two CSV or Parquet files, and by how much. Exits with 1 when one has drifted. Needs no workspace.
    Drift(Drift),
    /// Say at which rows a stream of numbers changes. Exits with 1 when it does. Needs no workspace.
    Watch(Watch),
    /// Say what predictions do when inputs are noisy, missing, shifted or at their limits. Needs no workspace.
    Robustness(Robustness),
    /// Say whether a model gives away which rows it was trained on. Exits with 1 when it does. Needs no workspace.
    Membership(Membership),
    /// Answer MLflow's tracking, registry and artifact API, and publish the ledger read-only over HTTP, for monitors and auditors (C2SP
    /// tlog-tiles). On a loopback address it needs no account until there is a user; on any other it does not start without one.
    Serve(Serve),
    /// Bring in what an MLflow server or its clients kept: ids, histories, files and the registry. Again, it brings in what is new; when it
    /// was interrupted, it goes on. Exits with 1 when something here is not what the source has.
    Import {
        /// From what.
        #[command(subcommand)]
        from: ImportFrom,
    },
    /// Say who may use the server, and with which roles. Without a user, `serve` asks nobody who they are, and answers on this machine only.
    User {
        /// What to do.
        #[command(subcommand)]
        action: UserAction,
    },
    /// Issue and revoke the tokens that clients show: as bearer (MLFLOW_TRACKING_TOKEN) or as password (MLFLOW_TRACKING_PASSWORD).
    Token {
        /// What to do.
        #[command(subcommand)]
        action: TokenAction,
    },
    /// Print the JSON Schema of a file format.
    Schema {
        /// Which.
        #[arg(value_enum)]
        what: SchemaName,
    },
    /// Print a completion script.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// A story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Story {
    /// Telecom churn under GDPR.
    Churn,
}

/// What to do with evidence.
#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceAction {
    /// Write a bundle that `veracta verify` checks on a machine without this workspace.
    Export {
        /// The model or record.
        reference: String,
        /// File to write.
        #[arg(long, short = 'o', value_name = "FILE")]
        output: PathBuf,
        /// Put in bytes that may hold personal data, such as the dataset.
        #[arg(long)]
        with_personal: bool,
    },
}

/// What to do with the ledger.
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerAction {
    /// Print the signed head.
    Checkpoint,
    /// Print the receipt of an entry (C2SP tlog-proof).
    Proof {
        /// Position of the entry.
        idx: u64,
    },
    /// Rebuild all tiles and the checkpoint from the committed entries.
    Rebuild,
}

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaName {
    /// The pipeline file.
    Pipeline,
}
