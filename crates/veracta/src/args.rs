//! The arguments, from which `--help`, completions and the reference are made.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Carry a machine-learning model from its data to its decisions, keep proof of every step, and refuse what the rules do not allow.
#[derive(Debug, Parser)]
#[command(name = "veracta", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 yes, 1 no (a gate refused, something does not verify), 2 error.\n\nStart with: veracta demo churn")]
pub(crate) struct Args {
    /// Folder of the project; its workspace is `.veracta` inside it.
    #[arg(long, global = true, default_value = ".", value_name = "FOLDER", env = "VERACTA_WORKSPACE")]
    pub(crate) workspace: PathBuf,
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
    /// A page (documents).
    Html,
    /// Markdown (documents).
    Md,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin a workspace: a database, a signing key and an empty ledger in `.veracta`.
    Init {
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
        /// `name`, `name@2`, `#12`, `dataset:name`, or the start of a digest.
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
        /// Character between cells of a CSV file.
        #[arg(long, default_value = ",")]
        delimiter: char,
        /// Largest file, in bytes.
        #[arg(long, default_value_t = 1 << 30)]
        bytes_limit: u64,
        /// Store a profile here, for `veracta drift --profile`. It is as personal as the data: quantiles are values of rows.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
        /// Put the rows of these stored profiles into the one that is stored.
        #[arg(long, value_name = "FILE", requires = "save")]
        merge: Vec<PathBuf>,
    },
    /// Apply a model (XGBoost, LightGBM or our own) to a CSV or Parquet file and print one line a row. Needs no workspace.
    Predict {
        /// The model file; its format is told by its content.
        model: PathBuf,
        /// The rows.
        data: PathBuf,
        /// Use the rounds up to the best one of early stopping only, when the file says which it was.
        #[arg(long)]
        best: bool,
        /// Print untransformed scores, such as log-odds.
        #[arg(long)]
        margin: bool,
        /// How to read CSV, and where to write.
        #[command(flatten)]
        files: FileOptions,
    },
    /// Say what drives a model's predictions on a CSV or Parquet file: exact Shapley values. Needs no workspace.
    Explain {
        /// The model file; its format is told by its content.
        model: PathBuf,
        /// The rows.
        data: PathBuf,
        /// Use the rounds up to the best one of early stopping only, when the file says which it was.
        #[arg(long)]
        best: bool,
        /// Explain the first rows only.
        #[arg(long, value_name = "N", default_value_t = 10_000)]
        rows: usize,
        /// Explain this row alone, counted from 1.
        #[arg(long, value_name = "ROW", conflicts_with = "rows")]
        row: Option<usize>,
        /// Take absent features from these rows (interventional), in place of the training rows of each branch (path-dependent).
        #[arg(long, value_name = "FILE")]
        background: Option<PathBuf>,
        /// How to read CSV, and where to write.
        #[command(flatten)]
        files: FileOptions,
    },
    /// Measure scores against labels: performance with intervals, calibration, fairness by group. Needs no workspace.
    Evaluate {
        /// The rows.
        data: PathBuf,
        /// Column of the label.
        #[arg(long, value_name = "COLUMN")]
        label: String,
        /// Column of the score.
        #[arg(long, value_name = "COLUMN")]
        score: String,
        /// Value of the label that counts as positive.
        #[arg(long, value_name = "VALUE")]
        positive: Option<String>,
        /// Columns whose groups are compared; several are also crossed.
        #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
        group: Vec<String>,
        /// Compare groups within each level of this column.
        #[arg(long, value_name = "COLUMN")]
        control: Option<String>,
        /// Rows with the same value in this column are not independent (subject, night, patient): intervals resample whole clusters.
        #[arg(long, value_name = "COLUMN")]
        cluster: Option<String>,
        /// Find intervals of metrics by bias-corrected and accelerated resamples in place of formulas.
        #[arg(long)]
        bca: bool,
        /// Try isotonic and Platt recalibration, each on folds it was not fitted on.
        #[arg(long)]
        recalibrate: bool,
        /// Metrics to measure, such as `roc_auc,f1`; all when not given.
        #[arg(long, value_name = "METRIC", value_delimiter = ',')]
        metric: Vec<String>,
        /// How it is measured.
        #[command(flatten)]
        measure: MeasureOptions,
        /// How to read CSV, and where to write.
        #[command(flatten)]
        files: FileOptions,
    },
    /// Compare two scores of the same rows. Exits with 1 unless the second is shown not to be worse by more than the margin. Needs no
    /// workspace.
    Compare {
        /// The rows.
        data: PathBuf,
        /// Column of the label.
        #[arg(long, value_name = "COLUMN")]
        label: String,
        /// Columns of the two scores, the old one first.
        #[arg(long, value_name = "COLUMN", num_args = 1, required = true)]
        score: Vec<String>,
        /// Value of the label that counts as positive.
        #[arg(long, value_name = "VALUE")]
        positive: Option<String>,
        /// Points of ROC AUC by which the second may be worse.
        #[arg(long, default_value_t = 0.01)]
        margin: f64,
        /// How it is measured.
        #[command(flatten)]
        measure: MeasureOptions,
        /// How to read CSV, and where to write.
        #[command(flatten)]
        files: FileOptions,
    },
    /// Say how well rows hide among each other: k-anonymity, l-diversity, t-closeness. Exits with 1 when a row is alone. Needs no workspace.
    Anonymity {
        /// The rows.
        data: PathBuf,
        /// Columns that someone may know of a person.
        #[arg(long, value_name = "COLUMN", value_delimiter = ',', required = true)]
        quasi: Vec<String>,
        /// Columns that nobody should learn.
        #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
        sensitive: Vec<String>,
        /// How to read CSV, and where to write.
        #[command(flatten)]
        files: FileOptions,
    },
    /// Say how many rows a study needs. Needs no workspace.
    Plan {
        /// Show that a paired share is not worse by more than this.
        #[arg(long, value_name = "SHARE", required_unless_present = "half_width")]
        margin: Option<f64>,
        /// Share of rows on which the two models differ.
        #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
        discordant: f64,
        /// Probability of showing it when both are equally good.
        #[arg(long, value_name = "SHARE", default_value_t = 0.8)]
        power: f64,
        /// Measure one share to within this on each side.
        #[arg(long, value_name = "SHARE", conflicts_with = "margin")]
        half_width: Option<f64>,
        /// The share expected there.
        #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
        share: f64,
        /// Confidence level.
        #[arg(long, default_value_t = 0.95)]
        level: f64,
    },
    /// Say which columns changed between two CSV or Parquet files, and by how much. Exits with 1 when one has drifted. Needs no workspace.
    Drift {
        /// The file to compare with, then the newer file; the newer one alone with `--profile`.
        #[arg(num_args = 1..=2, required = true, value_names = ["REFERENCE", "CURRENT"])]
        data: Vec<PathBuf>,
        /// Compare with this stored profile in place of a file of rows.
        #[arg(long, value_name = "FILE")]
        profile: Option<PathBuf>,
        /// Columns to leave out, such as identifiers.
        #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
        without: Vec<String>,
        /// Share of rows by which a distribution may differ.
        #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
        tolerance: f64,
        /// Tests to add; `all` for every one.
        #[arg(long, value_name = "TEST", value_delimiter = ',')]
        test: Vec<String>,
        /// How to read CSV, and where to write.
        #[command(flatten)]
        files: FileOptions,
    },
    /// Publish the ledger read-only over HTTP, for monitors and auditors (C2SP tlog-tiles).
    Serve {
        /// Address to listen on.
        #[arg(long, default_value = "127.0.0.1:7979")]
        listen: std::net::SocketAddr,
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

/// How scores are measured.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct MeasureOptions {
    /// Scores from here on are predicted positive.
    #[arg(long, default_value_t = 0.5)]
    pub(crate) threshold: f64,
    /// Confidence level of intervals.
    #[arg(long, default_value_t = 0.95)]
    pub(crate) level: f64,
    /// Resamples of metrics without a formula.
    #[arg(long, default_value_t = 1000)]
    pub(crate) resamples: u32,
    /// Seed of the resamples.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Groups with fewer rows are shown and not compared.
    #[arg(long, default_value_t = 30)]
    pub(crate) group_rows_min: usize,
}

/// How files are read and a report is written.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct FileOptions {
    /// Character between cells of a CSV file.
    #[arg(long, default_value = ",")]
    pub(crate) delimiter: char,
    /// Largest file, in bytes.
    #[arg(long, default_value_t = 1 << 30)]
    pub(crate) bytes_limit: u64,
    /// File to write the report to; the standard output when not given. Use `--format html|md|json`.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
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
