//! `veracta import`: brings in what others kept.

use std::path::PathBuf;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use veracta_tracking::import::{Counts, Imported, Relocation, Source, import_mlflow};

use crate::args::{Args, Format, ImportFrom};
use crate::output::{Answer, print, print_json};

pub(super) fn execute(args: &Args, from: &ImportFrom) -> anyhow::Result<Answer> {
    let ImportFrom::Mlflow { from, artifacts } = from;
    let platform = super::platform(args)?;
    let source = Source::open(from)?;
    let relocations = artifacts
        .iter()
        .map(|text| relocation(text))
        .collect::<anyhow::Result<_>>()?;
    let bar =
        ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg}")?);
    let progress = |counts: &Counts, name: &str| {
        bar.set_message(format!(
            "{} runs, {} values of metrics, {} files ({name})",
            counts.runs, counts.points, counts.files
        ));
        bar.tick();
    };
    let imported = import_mlflow(&platform, &source, relocations, &progress)?;
    bar.finish_and_clear();
    match args.format {
        Format::Json => print_json(&imported)?,
        Format::Human | Format::Html | Format::Md => print(&text(&imported))?,
    }
    Ok((imported.differences.is_empty() && imported.left_out.is_empty()).into())
}

fn relocation(text: &str) -> anyhow::Result<Relocation> {
    let (prefix, folder) = text
        .rsplit_once('=')
        .with_context(|| format!("`{text}` does not say PREFIX=FOLDER"))?;
    Ok(Relocation {
        prefix: prefix.to_owned(),
        folder: PathBuf::from(folder),
    })
}

fn text(imported: &Imported) -> String {
    let Imported {
        found,
        added,
        differences,
        left_out,
        renamed,
    } = imported;
    let rows = [
        ("experiments", found.experiments, added.experiments),
        ("runs", found.runs, added.runs),
        ("parameters", found.params, added.params),
        ("tags", found.tags, added.tags),
        ("values of metrics", found.points, added.points),
        ("datasets read", found.inputs, added.inputs),
        ("logged models", found.logged_models, added.logged_models),
        (
            "registered models",
            found.registered_models,
            added.registered_models,
        ),
        ("versions", found.versions, added.versions),
        ("files", found.files, added.files),
        ("bytes", found.bytes, added.bytes),
    ];
    let mut text = format!("{:<18} {:>14} {:>14}\n", "", "in the source", "brought in");
    for (name, found, added) in rows {
        text += &format!("{name:<18} {found:>14} {added:>14}\n");
    }
    for line in renamed {
        text += &format!("renamed: {line}\n");
    }
    for line in left_out {
        text += &format!("left out: {line}\n");
    }
    for line in differences {
        text += &format!("DIFFERS: {line}\n");
    }
    let verdict = match (
        differences.is_empty(),
        left_out.len(),
        *added == Counts::default(),
    ) {
        (true, 0, true) => "Everything was here already.\n".to_owned(),
        (true, 0, false) => "Everything here is what the source has.\n".to_owned(),
        (true, n, _) => format!(
            "What is here is what the source has, but for {n} things left out; once they can be read, another import completes them.\n"
        ),
        (false, ..) => {
            "Not everything here is what the source has: it was changed on one side since.\n"
                .to_owned()
        }
    };
    text + &verdict
}
