//! `veracta explain`: what drives a model's predictions.

use std::path::{Path, PathBuf};

use anyhow::bail;
use veracta_governance::document::report::explanation::report;
use veracta_lifecycle::prediction::{Rounds, apply, explain_rows};

use crate::args::{Args, FileOptions};
use crate::output::{Answer, csv_options, file_name, note_rounds, print_report};

/// Which rows are explained.
pub(super) struct Scope {
    /// The first rows.
    pub(super) n_rows: usize,
    /// One row alone, counted from 1.
    pub(super) only: Option<usize>,
    /// Which boosting rounds.
    pub(super) rounds: Rounds,
}

pub(super) fn execute(
    args: &Args,
    [model, data]: [&PathBuf; 2],
    scope: Scope,
    background: Option<&Path>,
    files: &FileOptions,
) -> anyhow::Result<Answer> {
    let csv = csv_options(files)?;
    let applied = apply(model, scope.rounds, data, &csv)?;
    note_rounds(applied.rounds_past_best);
    let n = applied.rows.n_rows;
    let rows: Vec<usize> = match scope.only {
        Some(row) if (1..=n).contains(&row) => vec![row - 1],
        Some(row) => bail!("there is no row {row}; `{}` has {n}", data.display()),
        None if scope.n_rows == 0 => bail!("`--rows` is at least 1"),
        None => (0..n.min(scope.n_rows)).collect(),
    };
    let explained = explain_rows(&applied, &rows, background, &csv)?;
    let page = report(&format!("{} on {}", file_name(model), file_name(data)), &explained);
    print_report(args.format, files.output.as_deref(), &page, &explained)?;
    Ok(Answer::Yes)
}
