//! `veracta run`: runs a pipeline.

use std::path::Path;

use veracta_governance::gate::Verdict;
use veracta_lifecycle::pipeline::{PipelineFile, RunOptions, RunOutcome, run_pipeline};

use super::gate::{findings_text, named};
use super::progress::Progress;
use crate::args::{Args, Format};
use crate::output::{Answer, Paint, print, print_json};

pub(super) fn execute(
    args: &Args,
    pipeline: &Path,
    data: Option<&Path>,
    dry_run: bool,
    documents: &Path,
) -> anyhow::Result<Answer> {
    let file = PipelineFile::read(pipeline)?;
    let platform = super::platform(args)?;
    let folder = if documents.is_absolute() {
        documents.to_owned()
    } else {
        args.workspace.join(documents)
    };
    let options = RunOptions {
        data_file: data.map(Path::to_owned),
        documents_folder: Some(folder),
        dry_run,
    };
    let progress = Progress::new(args.format == Format::Json);
    let outcome = run_pipeline(&platform, &file, &options, &|event| progress.show(&event))?;
    if args.format == Format::Json {
        print_json(&outcome)?;
    } else if !dry_run {
        print(&outcome_text(&outcome, Paint::stdout()))?;
    }
    Ok(outcome
        .gate
        .is_none_or(|gate| gate.verdict == Verdict::Pass)
        .into())
}

/// Returns the verdict, its findings and the documents.
pub(super) fn outcome_text(outcome: &RunOutcome, paint: Paint) -> String {
    let mut text: String = outcome
        .notices
        .iter()
        .map(|notice| format!("  {}  {notice}\n", paint.open("noticed")))
        .collect();
    if let (Some(gate), Some((model, version))) = (&outcome.gate, &outcome.model) {
        text += &format!(
            "\n{}\n",
            findings_text(
                gate,
                &named(&format!("{model}@{version}"), outcome.data_nature),
                paint
            )
        );
    }
    for path in outcome.documents.iter().filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "html")
    }) {
        text += &format!("  document  {}\n", path.display());
    }
    text
}
