//! Printing: for people, for programs, and errors with a hint.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::Context;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
    SourceOffset,
};
use serde::Serialize;
use veracta_data::reading::ReadOptions;
use veracta_data::spelling::NumberStyle;
use veracta_data::table::ReadLimits;
use veracta_documents::report;
use veracta_lifecycle::deployment::predict::{Applied, load_model};
use veracta_lifecycle::{LifecycleError, Problem};
use veracta_statistics::interval::{Bootstrap, Precision};

use crate::args::{Format, MeasureOptions, ReadingOptions};

/// The answer, which becomes the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Exit code 0: what was asked holds, or the command decides nothing.
    Yes,
    /// Exit code 1: what was asked does not hold, such as a model that the gate refuses.
    No,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Prints text; a reader that has gone away ends the program quietly.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => Ok(result?),
    }
}

/// Writes a line to the error stream. That nobody reads it, or that it is full, is no reason to stop: what is told there is told beside
/// the answer.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints a value as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Prints a report, or writes it to a file, in the form asked for; `value` is what programs get.
pub(crate) fn print_report(
    format: Format,
    file: Option<&Path>,
    report: &report::Report,
    value: &impl Serialize,
) -> anyhow::Result<()> {
    let text = match format {
        Format::Human => report::plain(report),
        Format::Json => serde_json::to_string_pretty(value)? + "\n",
        Format::Html => report::html(report),
        Format::Md => report::markdown(report),
    };
    match file {
        Some(file) => std::fs::write(file, text)
            .with_context(|| format!("`{}` cannot be written", file.display())),
        None => print(&text),
    }
}

/// Says on the error stream how rows were read for a model, and that it goes on past the round that early stopping found best.
pub(crate) fn note_applied(applied: &Applied, reading: &ReadingOptions) {
    if let Some((best, n_rounds)) = applied.rounds_past_best {
        tell(&format!(
            "note: early stopping found round {best} best; all {n_rounds} are used (`--best` stops there)"
        ));
    }
    tell_notes(reading);
}

/// Most resamples: a hundred thousand settle the third digit of a bound.
const RESAMPLES_MAX: u32 = 100_000;

/// Refuses settings of a measurement that mean nothing.
pub(crate) fn check_measure(measure: &MeasureOptions) -> anyhow::Result<()> {
    check_level(measure.level)?;
    if !measure.threshold.is_finite() {
        anyhow::bail!("`--threshold` is a finite number");
    }
    if !(2..=RESAMPLES_MAX).contains(&measure.resamples) {
        anyhow::bail!("`--resamples` is between 2 and {RESAMPLES_MAX}");
    }
    Ok(())
}

/// Returns how intervals are made.
pub(crate) fn precision(measure: &MeasureOptions) -> Precision {
    Precision {
        level: measure.level,
        bootstrap: Bootstrap {
            n_resamples: measure.resamples,
            seed: measure.seed,
        },
    }
}

/// Refuses what is not a confidence level.
pub(crate) fn check_level(level: f64) -> anyhow::Result<()> {
    if !(level > 0.0 && level < 1.0) {
        anyhow::bail!("a confidence level lies between 0 and 1, such as 0.95");
    }
    Ok(())
}

/// Returns how CSV files are read.
pub(crate) fn csv_options(files: &ReadingOptions) -> anyhow::Result<ReadOptions> {
    let limits = ReadLimits {
        bytes_max: files.bytes_limit,
        ..ReadLimits::default()
    };
    let mut options = ReadOptions {
        delimiter: files.delimiter,
        numbers: NumberStyle {
            decimal: files.decimal,
            thousands: files.thousands,
        },
        dates: files.dates,
        missing: files.missing.clone(),
        types: files.types.iter().cloned().collect(),
        limits,
        notes: files.notes.clone(),
        ..ReadOptions::default()
    };
    if options.types.len() < files.types.len() {
        anyhow::bail!("`--types` names a column twice");
    }
    let characters = [
        files.delimiter.or(Some(b',')),
        Some(files.decimal),
        files.thousands,
    ];
    let given: Vec<u8> = characters.into_iter().flatten().collect();
    let is_twice = |at: &usize| given[..*at].contains(&given[*at]);
    // Numbers with a decimal comma stand in quotes where commas part cells.
    let is_comma =
        files.delimiter.is_none() && files.decimal == b',' && files.thousands != Some(b',');
    if (0..given.len()).any(|at| is_twice(&at)) && !is_comma {
        anyhow::bail!("`--delimiter`, `--decimal` and `--thousands` are different characters");
    }
    for (column, mark) in &files.missing_in {
        let marks = options.missing_in.entry(column.clone()).or_default();
        marks.push(mark.clone());
    }
    if let Some(model) = &files.read_as {
        options.of_model = load_model(model)?.column_readings(&options);
        if options.of_model.is_empty() {
            anyhow::bail!(
                "`{}` does not say how its inputs are read: it names neither categories nor columns",
                model.display()
            );
        }
    }
    Ok(options)
}

/// Says on the error stream what a person should know of the files that were read.
pub(crate) fn tell_notes(files: &ReadingOptions) {
    for note in files.notes.all() {
        tell(&format!("note: {note}"));
    }
}

/// Colours, when the terminal shows them and nobody asked not to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    /// Decides for the standard output.
    pub(crate) fn stdout() -> Self {
        Self(std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Colours text green: something that holds.
    pub(crate) fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// Colours text red: something that does not hold.
    pub(crate) fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// Colours text yellow: something open, such as a control without evidence.
    pub(crate) fn open(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// Dims text of less weight, such as places in the ledger.
    pub(crate) fn soft(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// Prints text bold, for headings.
    pub(crate) fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }
}

/// Prints an error with its causes and, when something can be done about it, a hint.
pub(crate) fn print_error(error: &anyhow::Error, format: Format) {
    let lifecycle = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<LifecycleError>());
    let hint = lifecycle.and_then(LifecycleError::hint);
    if format == Format::Json {
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        tell(&format!(
            "{}",
            serde_json::json!({ "error": causes, "hint": hint })
        ));
        return;
    }
    if let Some(LifecycleError::Spec(problems)) = lifecycle {
        problems.iter().for_each(print_problem);
        return;
    }
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.dedup();
    tell(&format!("error: {}", causes.join(": ")));
    if let Some(hint) = hint {
        tell(&format!("hint: {hint}"));
    }
}

/// Whether a file is one that a person wrote as settings: of any other, such as a table given in its place, no line is shown.
fn is_yaml(file: &str) -> bool {
    let extension = Path::new(file).extension();
    extension.is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Prints a problem in a file with the line it is about.
fn print_problem(problem: &Problem) {
    let source = std::fs::read_to_string(&problem.file)
        .ok()
        .filter(|_| problem.line > 0 && is_yaml(&problem.file));
    let Some(source) = source else {
        tell(&format!("error: {problem}"));
        if let Some(hint) = &problem.hint {
            tell(&format!("hint: {hint}"));
        }
        return;
    };
    let offset = SourceOffset::from_location(&source, problem.line, problem.column.max(1)).offset();
    let word = source[offset.min(source.len())..]
        .find(|c: char| c.is_whitespace() || ",:]}".contains(c))
        .unwrap_or(1)
        .max(1);
    let mut diagnostic = MietteDiagnostic::new(problem.to_string());
    diagnostic.help = problem.hint.clone();
    diagnostic.labels = Some(vec![LabeledSpan::new(None, offset, word)]);
    let report = Report::new(diagnostic).with_source_code(NamedSource::new(&problem.file, source));
    let is_terminal = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let theme = if is_terminal {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let mut text = String::new();
    if GraphicalReportHandler::new_themed(theme)
        .render_report(&mut text, report.as_ref())
        .is_ok()
    {
        tell(&format!("error:{text}"));
    } else {
        tell(&format!("error: {problem}"));
    }
}
