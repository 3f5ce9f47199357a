//! `veracta export`: writes what the workspace keeps in the form of another program.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use veracta_lifecycle::LifecycleError;
use veracta_store::Platform;
use veracta_tracking::export::{Exported, export_mlflow};
use veracta_tracking::import::Counts;
use veracta_tracking::openlineage::visit_events;

use crate::args::{Args, ExportTo, Format};
use crate::output::{Answer, print, print_json};

pub(super) fn execute(args: &Args, to: &ExportTo) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    match to {
        ExportTo::Mlflow { to } => mlflow(args, &platform, to),
        ExportTo::Openlineage { output } => openlineage(&platform, output.as_deref()),
    }
}

fn mlflow(args: &Args, platform: &Platform, folder: &Path) -> anyhow::Result<Answer> {
    let bar =
        ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg}")?);
    let progress = |counts: &Counts, name: &str| {
        bar.set_message(format!(
            "{} runs, {} values of metrics, {} files ({name})",
            counts.runs, counts.points, counts.files
        ));
        bar.tick();
    };
    let exported = export_mlflow(platform, folder, &progress)?;
    bar.finish_and_clear();
    if args.format == Format::Json {
        print_json(&exported)?;
        return Ok(Answer::Yes);
    }
    let Exported { written, left_out } = &exported;
    print(&format!(
        "Wrote {} experiments, {} runs with {} values of metrics, {} logged models, {} registered models with {} versions, and {} files \
         ({} bytes) to {}\n\
         MLflow reads it: mlflow server --backend-store-uri {} (3.17 and later ask for MLFLOW_ALLOW_FILE_STORE=true)\n",
        written.experiments,
        written.runs,
        written.points,
        written.logged_models,
        written.registered_models,
        written.versions,
        written.files,
        written.bytes,
        folder.display(),
        folder.display(),
    ))?;
    for line in left_out {
        print(&format!("left out: {line}\n"))?;
    }
    Ok(Answer::Yes)
}

fn openlineage(platform: &Platform, output: Option<&Path>) -> anyhow::Result<Answer> {
    let mut writer: Box<dyn Write> = match output {
        Some(path) => {
            Box::new(BufWriter::new(File::create(path).with_context(|| {
                format!("`{}` cannot be written", path.display())
            })?))
        }
        None => Box::new(std::io::stdout().lock()),
    };
    let (mut n_events, mut written) = (0, Ok(()));
    let visited = visit_events(&platform.store, 0, &mut |_, event| {
        if written.is_ok() {
            written = writeln!(writer, "{event}");
            n_events += 1;
        }
    });
    visited.map_err(LifecycleError::from)?;
    written
        .and_then(|()| writer.flush())
        .context("the events cannot be written")?;
    if let Some(path) = output {
        print(&format!("Wrote {n_events} events to {}\n", path.display()))?;
    }
    Ok(Answer::Yes)
}
