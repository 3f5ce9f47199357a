//! `veracta profile`: statistics of a file and identifiers in it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use veracta_data::table::ColumnType;
use veracta_lifecycle::data::profile::{FileProfile, profile_file, profile_for_storage};
use veracta_statistics::profile::ColumnProfile;

use crate::args::{Args, Format, ReadingOptions};
use crate::output::{Answer, Paint, csv_options, print, print_json, tell};

pub(super) fn execute(
    args: &Args,
    file: &Path,
    reading: &ReadingOptions,
    save: Option<&Path>,
    merge: &[PathBuf],
) -> anyhow::Result<Answer> {
    if matches!(args.format, Format::Html | Format::Md) {
        anyhow::bail!("a profile is printed with `--format human` or `--format json`");
    }
    let (found, table) = profile_file(file, &csv_options(reading)?)?;
    if let Some(target) = save {
        let stored = profile_for_storage(&table, merge)?;
        std::fs::write(target, stored.to_bytes())
            .with_context(|| format!("`{}` cannot be written", target.display()))?;
        tell(&format!(
            "note: a profile of {} rows is in `{}`; it is as personal as the data",
            stored.n_rows,
            target.display()
        ));
    }
    match args.format {
        Format::Json => print_json(&found)?,
        Format::Human | Format::Html | Format::Md => print(&text_of(&found, Paint::stdout()))?,
    }
    Ok(Answer::Yes)
}

fn text_of(found: &FileProfile, paint: Paint) -> String {
    let FileProfile {
        file,
        digest,
        bytes,
        format,
        read,
        profile,
        identifiers,
    } = found;
    let mut text = format!(
        "{}\n{} rows, {} columns, {bytes} bytes of {format}, SHA-256 {digest}\n{} rows repeat an earlier one\n\n",
        paint.strong(&file.display().to_string()),
        profile.n_rows,
        profile.columns.len(),
        profile.n_duplicate_rows
    );
    text += &paint.soft(&format!(
        "{:<28} {:<12} {:>9} {:>9}  values\n",
        "column", "type", "missing", "distinct"
    ));
    profile
        .columns
        .iter()
        .for_each(|column| text += &column_line(column));
    for notice in read.notices() {
        text += &paint.open(&format!("\n{notice}"));
    }
    for found in &identifiers.findings {
        let place = if found.hidden { "hidden in" } else { "in" };
        text += &paint.bad(&format!(
            "\n{} {place} `{}`: {} of {} values ({})",
            found.class_name, found.column, found.n_hits, found.n_present, found.detector
        ));
    }
    text.push('\n');
    text
}

fn column_line(column: &ColumnProfile) -> String {
    let kind = match column.column_type {
        ColumnType::Numeric => "numeric",
        ColumnType::Categorical => "categorical",
        ColumnType::Text => "text",
    };
    let values = match &column.numeric {
        Some(numbers) => format!(
            "{:.4} to {:.4}, median {:.4}",
            numbers.min, numbers.max, numbers.quantiles[3]
        ),
        None => column
            .frequent
            .iter()
            .take(4)
            .map(|value| format!("{} ({})", value.value, value.n_rows))
            .collect::<Vec<_>>()
            .join(", "),
    };
    let name: String = column.name.chars().take(28).collect();
    format!(
        "{name:<28} {kind:<12} {:>9} {:>9}  {values}\n",
        column.n_missing, column.n_distinct
    )
}
