//! `veracta demo`: a story from data to a registered model, in a folder of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use veracta_governance::gate::Verdict;
use veracta_lifecycle::demo::{
    N_CUSTOMERS, PIPELINE_AS_GIVEN, PIPELINE_CORRECTED, PIPELINE_TELCO, SEED, simulate_customers,
};
use veracta_lifecycle::pipeline::{PipelineFile, RunOptions, RunOutcome, run_pipeline};
use veracta_store::Platform;

use super::progress::Progress;
use super::run::outcome_text;
use super::verify::report_text;
use crate::args::{Args, Format};
use crate::output::{Answer, Paint, print, print_json};

pub(super) fn execute(args: &Args, data: Option<&Path>, folder: &Path) -> anyhow::Result<Answer> {
    let platform = open_folder(args, folder)?;
    let paint = Paint::stdout();
    let say = |text: &str| {
        if args.format == Format::Json {
            Ok(())
        } else {
            print(text)
        }
    };
    let (outcomes, as_told) = match data {
        Some(data) => {
            let data = data
                .canonicalize()
                .with_context(|| format!("`{}` cannot be read", data.display()))?;
            say(&format!(
                "{}\nThe public Telco churn file.\n",
                paint.strong("Churn under GDPR")
            ))?;
            let outcome = act(
                args,
                &platform,
                folder,
                ("churn_telco.yaml", PIPELINE_TELCO),
                Some(data),
            )?;
            say(&outcome_text(&outcome, paint))?;
            (vec![outcome], true)
        }
        None => {
            write(
                &folder.join("customers.csv"),
                simulate_customers(N_CUSTOMERS, SEED).as_bytes(),
            )?;
            say(&format!(
                "{}\nA fictional operator with {N_CUSTOMERS} simulated customers (seed {SEED}): nobody here is real.\n\n{}\n",
                paint.strong("Churn under GDPR"),
                paint.strong("Act one: the pipeline as it was handed in")
            ))?;
            let given = act(
                args,
                &platform,
                folder,
                ("churn_as_given.yaml", PIPELINE_AS_GIVEN),
                None,
            )?;
            say(&outcome_text(&given, paint))?;
            say(&format!(
                "\n{}\n",
                paint.strong("Act two: the pipeline corrected by what the gate found")
            ))?;
            let corrected = act(
                args,
                &platform,
                folder,
                ("churn_corrected.yaml", PIPELINE_CORRECTED),
                None,
            )?;
            say(&outcome_text(&corrected, paint))?;
            let verdict = |outcome: &RunOutcome| outcome.gate.as_ref().map(|gate| gate.verdict);
            let as_told = verdict(&given) == Some(Verdict::Refuse)
                && verdict(&corrected) == Some(Verdict::Pass);
            (vec![given, corrected], as_told)
        }
    };
    let report = platform.store.verify()?;
    if args.format == Format::Json {
        print_json(&serde_json::json!({ "acts": outcomes, "ledger": report }))?;
    }
    say(&format!(
        "\n{}\n{}",
        paint.strong("The ledger"),
        report_text(&report, paint)
    ))?;
    let model = outcomes
        .last()
        .and_then(|outcome| outcome.model.clone())
        .map_or_else(String::new, |(model, version)| format!("{model}@{version}"));
    let here = folder.display();
    say(&format!(
        "\nGo on with\n  veracta --workspace {here} controls {model}\n  veracta --workspace {here} lineage {model}\n  \
         veracta --workspace {here} reproduce {model}\n  veracta --workspace {here} evidence export {model} -o {here}/evidence.zip\n  veracta verify {here}/evidence.zip --key \"$(cat {here}/.veracta/log.vkey)\"\n"
    ))?;
    Ok((as_told && report.holds()).into())
}

fn open_folder(args: &Args, folder: &Path) -> anyhow::Result<Platform> {
    if folder.join(".veracta").exists() {
        return super::open(args, folder);
    }
    let is_empty = std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty {
        bail!(
            "`{}` is not empty and not a demo of before; name another folder with `--folder`",
            folder.display()
        );
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("`{}` cannot be made", folder.display()))?;
    super::init::begin(args, folder, None)
}

/// Writes the pipeline into the folder and runs it.
fn act(
    args: &Args,
    platform: &Platform,
    folder: &Path,
    pipeline: (&str, &str),
    data_file: Option<PathBuf>,
) -> anyhow::Result<RunOutcome> {
    let path = folder.join(pipeline.0);
    write(&path, pipeline.1.as_bytes())?;
    let file = PipelineFile::read(&path)?;
    let options = RunOptions {
        data_file,
        documents_folder: Some(folder.join("documents")),
        dry_run: false,
    };
    let progress = Progress::new(args.format == Format::Json);
    Ok(run_pipeline(platform, &file, &options, &|event| {
        progress.show(&event)
    })?)
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("`{}` cannot be written", path.display()))
}
