//! The arguments of the commands that measure files.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use veracta_data::reading::Notes;
use veracta_data::spelling::DateOrder;
use veracta_data::table::ColumnType;

/// How scores are measured.
#[derive(Debug, Clone, Args)]
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

/// Reads one ASCII character, or `\t` for a tab, which shells hardly let anybody type.
pub(crate) fn parse_delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [one] if one.is_ascii() => Ok(*one),
        _ => Err("a delimiter is one ASCII character, or `\\t` for a tab".to_owned()),
    }
}

/// Heading of the options that say how files are read.
const READING: &str = "How files are read";

fn parse_type(text: &str) -> Result<(String, ColumnType), String> {
    let parsed = text.rsplit_once('=').and_then(|(column, word)| {
        let column_type = match word {
            "numeric" => ColumnType::Numeric,
            "categorical" => ColumnType::Categorical,
            "text" => ColumnType::Text,
            _ => return None,
        };
        Some((column.to_owned(), column_type))
    });
    parsed.ok_or_else(|| {
        "a type is given as `column=numeric`, `column=categorical` or `column=text`".to_owned()
    })
}

fn parse_dates(text: &str) -> Result<DateOrder, String> {
    match text {
        "day-first" => Ok(DateOrder::DayFirst),
        "month-first" => Ok(DateOrder::MonthFirst),
        _ => Err("dates are `day-first` (31.01.2026) or `month-first` (01/31/2026)".to_owned()),
    }
}

fn parse_mark(text: &str) -> Result<(String, String), String> {
    let parsed = text.split_once('=');
    let parsed = parsed.map(|(column, mark)| (column.to_owned(), mark.to_owned()));
    parsed.ok_or_else(|| "a mark is given as `column=mark`, such as `income=-1`".to_owned())
}

/// How files are read.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReadingOptions {
    /// Character between cells of a CSV file, `\t` for a tab; a comma, or what a first line `sep=` says, when not given.
    #[arg(long, value_parser = parse_delimiter, help_heading = READING)]
    pub(crate) delimiter: Option<u8>,
    /// Types of columns that are not to be inferred, such as `zip=categorical,age=numeric`.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN=TYPE", value_parser = parse_type, help_heading = READING)]
    pub(crate) types: Vec<(String, ColumnType)>,
    /// Cells that mean missing in every column, such as `-999,unknown`; the empty cell always does, `NA`, `N/A`, `null`, `NaN` and `?` do in
    /// columns of numbers.
    #[arg(long, value_delimiter = ',', value_name = "MARK", allow_hyphen_values = true, help_heading = READING)]
    pub(crate) missing: Vec<String>,
    /// A cell that means missing in one column, such as `income=-1`; may be given again.
    #[arg(long, value_name = "COLUMN=MARK", value_parser = parse_mark, help_heading = READING)]
    pub(crate) missing_in: Vec<(String, String)>,
    /// Read columns as this model file reads them: its categories as words, its numbers as numbers, missing what was missing to it.
    #[arg(long, value_name = "MODEL", help_heading = READING)]
    pub(crate) read_as: Option<PathBuf>,
    /// Character before the decimals of a number in a CSV file.
    #[arg(long, default_value = ".", value_parser = parse_delimiter, help_heading = READING)]
    pub(crate) decimal: u8,
    /// Character between groups of three digits in a CSV file; none when not given.
    #[arg(long, value_parser = parse_delimiter, help_heading = READING)]
    pub(crate) thousands: Option<u8>,
    /// How dates are written whose year comes last, such as `31.01.2026` or `01/31/2026`; they are words when not given.
    #[arg(long, value_name = "ORDER", value_parser = parse_dates, help_heading = READING)]
    pub(crate) dates: Option<DateOrder>,
    /// Largest file, in bytes.
    #[arg(long, default_value_t = 1 << 30, help_heading = READING)]
    pub(crate) bytes_limit: u64,
    /// What is to be told of the files that were read.
    #[arg(skip)]
    pub(crate) notes: Notes,
}

/// How files are read and a report is written.
#[derive(Debug, Clone, Args)]
pub(crate) struct FileOptions {
    #[command(flatten)]
    pub(crate) reading: ReadingOptions,
    /// File to write the report to; the standard output when not given. Use `--format html|md|json`.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Where a result is recorded.
#[derive(Debug, Clone, Args)]
pub(crate) struct RecordOption {
    /// Record the result as evidence about this model of the workspace.
    #[arg(long, value_name = "MODEL")]
    pub(crate) record: Option<String>,
}

/// `veracta predict`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Predict {
    /// The model file; its format is told by its content.
    pub(crate) model: PathBuf,
    /// The rows.
    pub(crate) data: PathBuf,
    /// Use the rounds up to the best one of early stopping only, when the file says which it was.
    #[arg(long)]
    pub(crate) best: bool,
    /// Print untransformed scores, such as log-odds.
    #[arg(long)]
    pub(crate) margin: bool,
    /// How to read CSV, and where to write.
    #[command(flatten)]
    pub(crate) files: FileOptions,
}

/// `veracta explain`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Explain {
    /// The model file; its format is told by its content.
    pub(crate) model: PathBuf,
    /// The rows.
    pub(crate) data: PathBuf,
    /// Use the rounds up to the best one of early stopping only, when the file says which it was.
    #[arg(long)]
    pub(crate) best: bool,
    /// Explain the first rows only.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) rows: usize,
    /// Explain this row alone, counted from 1.
    #[arg(long, value_name = "ROW", conflicts_with = "rows")]
    pub(crate) row: Option<usize>,
    /// Take absent features from these rows (interventional), in place of the training rows of each branch (path-dependent).
    #[arg(long, value_name = "FILE")]
    pub(crate) background: Option<PathBuf>,
    /// Print the contributions of each row in place of a summary: inputs and base value of each output, as CSV or JSON.
    #[arg(long, group = "how")]
    pub(crate) by_row: bool,
    /// Print the matrix of interaction values of each row and output, as JSON.
    #[arg(long, group = "how", conflicts_with = "background")]
    pub(crate) interactions: bool,
    /// Say how predictions move with this input alone (partial dependence, with the spread over rows).
    #[arg(long, value_name = "INPUT", group = "how")]
    pub(crate) dependence: Option<String>,
    /// Say how much worse a metric gets when an input is shuffled; the data has this label.
    #[arg(long, value_name = "LABEL", group = "how")]
    pub(crate) permute: Option<String>,
    /// Metric of `--permute`.
    #[arg(long, default_value = "roc_auc")]
    pub(crate) metric: String,
    /// Shuffles of `--permute`.
    #[arg(long, default_value_t = 10)]
    pub(crate) repeats: u32,
    /// Seed of `--permute`.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Value of the label that counts as positive.
    #[arg(long, value_name = "VALUE")]
    pub(crate) positive: Option<String>,
    /// Give the reasons of an adverse decision for each row, by this file of codes (YAML: `adverse`, `codes` with `code`, `text`, `inputs`).
    #[arg(long, value_name = "FILE", group = "how")]
    pub(crate) reasons: Option<PathBuf>,
    /// Find the least change of `--row` that brings its prediction below `--target`: these inputs may change, `income+` only up, `debt-`
    /// only down. New values are those of the data.
    #[arg(
        long,
        value_name = "INPUT",
        value_delimiter = ',',
        group = "how",
        requires = "row"
    )]
    pub(crate) change: Vec<String>,
    /// Prediction to get below.
    #[arg(long, default_value_t = 0.5)]
    pub(crate) target: f64,
    /// How to read CSV, and where to write.
    #[command(flatten)]
    pub(crate) files: FileOptions,
}

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// One of two classes.
    Binary,
    /// One of several classes: one `--score` a class in the order of the labels, or one column of predicted labels.
    Multiclass,
    /// A number.
    Regression,
    /// An order within each `--query`.
    Ranking,
}

/// `veracta evaluate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Evaluate {
    /// The rows.
    pub(crate) data: PathBuf,
    /// Column of the label.
    #[arg(
        long,
        value_name = "COLUMN",
        required_unless_present = "without_labels"
    )]
    pub(crate) label: Option<String>,
    /// Column of the score; several of a multi-class model.
    #[arg(long, value_name = "COLUMN", required = true, value_delimiter = ',')]
    pub(crate) score: Vec<String>,
    /// What is predicted.
    #[arg(long, value_enum, default_value_t = Task::Binary)]
    pub(crate) task: Task,
    /// Column that names the query of a ranking.
    #[arg(long, value_name = "COLUMN", required_if_eq("task", "ranking"))]
    pub(crate) query: Option<String>,
    /// Relevance from which a row of a ranking counts for the mean average precision.
    #[arg(long, value_name = "RELEVANCE", default_value_t = 1.0)]
    pub(crate) relevant_from: f64,
    /// Estimate performance from calibrated probabilities alone (CBPE), with the band in which it would be seen.
    #[arg(long, conflicts_with = "label")]
    pub(crate) without_labels: bool,
    /// Estimate the error of a regression whose labels have not come, from this file with labels (direct loss estimation).
    #[arg(long, value_name = "FILE", conflicts_with = "without_labels")]
    pub(crate) reference: Option<PathBuf>,
    /// Value of the label that counts as positive.
    #[arg(long, value_name = "VALUE")]
    pub(crate) positive: Option<String>,
    /// Columns whose groups are compared; several are also crossed.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) group: Vec<String>,
    /// Compare groups within each level of this column.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) control: Option<String>,
    /// Rows with the same value in this column are not independent (subject, night, patient): intervals resample whole clusters.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) cluster: Option<String>,
    /// Find intervals of metrics by bias-corrected and accelerated resamples in place of formulas.
    #[arg(long)]
    pub(crate) bca: bool,
    /// Try isotonic and Platt recalibration, each on folds it was not fitted on.
    #[arg(long)]
    pub(crate) recalibrate: bool,
    /// Metrics to measure, such as `roc_auc,f1`; all when not given.
    #[arg(long, value_name = "METRIC", value_delimiter = ',')]
    pub(crate) metric: Vec<String>,
    /// Measure the first metric in windows: so many rows each (`1000`), or by `--time` so many units, days or weeks (`7d`). Labels that
    /// have not come yet are missing.
    #[arg(long, value_name = "SIZE")]
    pub(crate) every: Option<String>,
    /// Column of times that orders the windows: numbers, or dates such as 2026-01-31.
    #[arg(long, value_name = "COLUMN", requires = "every")]
    pub(crate) time: Option<String>,
    /// Share of a window's rows that must have their label before its metric is given.
    #[arg(long, value_name = "SHARE", default_value_t = 0.9)]
    pub(crate) labelled: f64,
    /// How it is measured.
    #[command(flatten)]
    pub(crate) measure: MeasureOptions,
    /// Where the result is recorded.
    #[command(flatten)]
    pub(crate) record: RecordOption,
    /// How to read CSV, and where to write.
    #[command(flatten)]
    pub(crate) files: FileOptions,
}

/// `veracta compare`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Compare {
    /// The rows.
    pub(crate) data: PathBuf,
    /// Column of the label.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: String,
    /// Columns of the two scores, the old one first.
    #[arg(long, value_name = "COLUMN", num_args = 1, required = true)]
    pub(crate) score: Vec<String>,
    /// Value of the label that counts as positive.
    #[arg(long, value_name = "VALUE")]
    pub(crate) positive: Option<String>,
    /// Points of ROC AUC by which the second may be worse.
    #[arg(long, default_value_t = 0.01)]
    pub(crate) margin: f64,
    /// How it is measured.
    #[command(flatten)]
    pub(crate) measure: MeasureOptions,
    /// How to read CSV, and where to write.
    #[command(flatten)]
    pub(crate) files: FileOptions,
}

/// `veracta anonymity`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Anonymity {
    /// The rows.
    pub(crate) data: PathBuf,
    /// Columns that someone may know of a person.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', required = true)]
    pub(crate) quasi: Vec<String>,
    /// Columns that nobody should learn.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) sensitive: Vec<String>,
    /// How to read CSV, and where to write.
    #[command(flatten)]
    pub(crate) files: FileOptions,
}

/// `veracta neighbours`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Neighbours {
    /// The synthetic rows.
    pub(crate) synthetic: PathBuf,
    /// The rows that they were made from.
    pub(crate) training: PathBuf,
    /// Rows that their maker has never seen.
    pub(crate) held_out: PathBuf,
    /// Columns to leave out.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Confidence level of intervals.
    #[arg(long, default_value_t = 0.95)]
    pub(crate) level: f64,
    /// Seed of the sample that is compared.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// How to read CSV, and where to write.
    #[command(flatten)]
    pub(crate) files: FileOptions,
}

/// `veracta plan`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// Show that a paired share is not worse by more than this.
    #[arg(long, value_name = "SHARE", required_unless_present = "half_width")]
    pub(crate) margin: Option<f64>,
    /// Share of rows on which the two models differ.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) discordant: f64,
    /// Probability of showing it when both are equally good.
    #[arg(long, value_name = "SHARE", default_value_t = 0.8)]
    pub(crate) power: f64,
    /// Measure one share to within this on each side.
    #[arg(long, value_name = "SHARE", conflicts_with = "margin")]
    pub(crate) half_width: Option<f64>,
    /// The share expected there.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub(crate) share: f64,
    /// Confidence level.
    #[arg(long, default_value_t = 0.95)]
    pub(crate) level: f64,
}

/// `veracta drift`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Drift {
    /// The file to compare with, then the newer file; the newer one alone with `--profile`.
    #[arg(num_args = 1..=2, required = true, value_names = ["REFERENCE", "CURRENT"])]
    pub(crate) data: Vec<PathBuf>,
    /// Compare with this stored profile in place of a file of rows.
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
    /// Columns to leave out, such as identifiers.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Share of rows by which a distribution may differ.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) tolerance: f64,
    /// Tests to add; `all` for every one.
    #[arg(long, value_name = "TEST", value_delimiter = ',')]
    pub(crate) test: Vec<String>,
    /// Look at all numeric columns together too: domain classifier, principal components, maximum mean discrepancy.
    #[arg(long, conflicts_with = "profile")]
    pub(crate) together: bool,
    /// Measure the newer file in windows: so many rows each (`1000`), or by `--time` so many units, days or weeks (`7d`).
    #[arg(long, value_name = "SIZE")]
    pub(crate) every: Option<String>,
    /// Column of times that orders the windows: numbers, or dates such as 2026-01-31.
    #[arg(long, value_name = "COLUMN", requires = "every")]
    pub(crate) time: Option<String>,
    /// Say too whether this model leans on the same inputs in both files.
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    pub(crate) model: Option<PathBuf>,
    /// Where the result is recorded.
    #[command(flatten)]
    pub(crate) record: RecordOption,
    /// How to read CSV, and where to write.
    #[command(flatten)]
    pub(crate) files: FileOptions,
}

/// `veracta watch`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Watch {
    /// The rows, in order.
    pub(crate) data: PathBuf,
    /// Column of numbers; of errors (0 right, 1 wrong) for `ddm`, `eddm` and `hddm_a`.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) column: String,
    /// Detectors: `adwin`, `page_hinkley`, `ddm`, `eddm`, `hddm_a`.
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "adwin,page_hinkley"
    )]
    pub(crate) detector: Vec<String>,
    /// How to read CSV, and where to write.
    #[command(flatten)]
    pub(crate) files: FileOptions,
}

/// `veracta robustness`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Robustness {
    /// The model file; its format is told by its content.
    pub(crate) model: PathBuf,
    /// The rows.
    pub(crate) data: PathBuf,
    /// Column of the label, to see what becomes of a metric.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,
    /// Value of the label that counts as positive.
    #[arg(long, value_name = "VALUE")]
    pub(crate) positive: Option<String>,
    /// Metric that is looked at.
    #[arg(long, default_value = "roc_auc")]
    pub(crate) metric: String,
    /// How it is measured.
    #[command(flatten)]
    pub(crate) measure: MeasureOptions,
    /// Where the result is recorded.
    #[command(flatten)]
    pub(crate) record: RecordOption,
    /// How to read CSV, and where to write.
    #[command(flatten)]
    pub(crate) files: FileOptions,
}

/// `veracta membership`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Membership {
    /// The model file; its format is told by its content.
    pub(crate) model: PathBuf,
    /// Rows that it was trained on.
    #[arg(long, value_name = "FILE")]
    pub(crate) members: PathBuf,
    /// Rows that it has never seen.
    #[arg(long, value_name = "FILE")]
    pub(crate) others: PathBuf,
    /// Column of the label.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: String,
    /// Value of the label that counts as positive.
    #[arg(long, value_name = "VALUE")]
    pub(crate) positive: Option<String>,
    /// Train so many shadow models (an even number) on random halves of all rows and attack by likelihood ratios too (gradient boosting as in pipelines).
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) shadows: usize,
    /// Confidence level of intervals.
    #[arg(long, default_value_t = 0.95)]
    pub(crate) level: f64,
    /// Seed of the halves.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Where the result is recorded.
    #[command(flatten)]
    pub(crate) record: RecordOption,
    /// How to read CSV, and where to write.
    #[command(flatten)]
    pub(crate) files: FileOptions,
}
