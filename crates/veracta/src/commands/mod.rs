//! One file a verb; this list says which.

mod anonymity;
mod backup;
mod compare;
mod completions;
mod controls;
mod demo;
mod diff;
mod document;
mod drift;
mod evaluate;
mod evidence;
mod explain;
mod export;
mod gate;
mod import;
mod init;
mod ledger;
mod lineage;
mod log;
mod membership;
mod neighbours;
mod plan;
mod predict;
mod profile;
mod progress;
mod purge;
mod reproduce;
mod robustness;
mod run;
mod schema;
mod serve;
mod show;
mod status;
mod token;
mod user;
mod verify;
mod watch;

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use veracta_documents::report::{ReportBlock, ReportSection};
use veracta_lifecycle::Outcome;
use veracta_lifecycle::deployment::predict::Rounds;
use veracta_statistics::performance::{METRICS, Metric};
use veracta_store::{Backend, Platform, Store};

use crate::args::{Args, Command, FileOptions, Format, RecordOption};
use crate::output::{Answer, print_report, tell, tell_notes};

/// Program with its version, as records name it.
const PROGRAM: &str = concat!("veracta ", env!("CARGO_PKG_VERSION"));

/// Does what the arguments say.
pub(crate) fn execute(args: &Args) -> anyhow::Result<Answer> {
    match &args.command {
        Command::Init { folder, origin } => init::execute(args, folder.as_deref(), origin.clone()),
        Command::Run {
            pipeline,
            data,
            dry_run,
            documents,
        } => run::execute(args, pipeline, data.as_deref(), *dry_run, documents),
        Command::Demo {
            story: _,
            data,
            folder,
        } => demo::execute(args, data.as_deref(), folder),
        Command::Status => status::execute(args),
        Command::Show { reference } => show::execute(args, reference),
        Command::Log { kind, limit } => log::execute(args, kind.as_deref(), *limit),
        Command::Gate { reference } => gate::execute(args, reference),
        Command::Controls {
            reference,
            framework,
        } => controls::execute(args, reference, framework),
        Command::Document {
            reference,
            kind,
            output,
        } => document::execute(args, reference, kind, output.as_deref()),
        Command::Lineage { reference, svg } => lineage::execute(args, reference, svg.as_deref()),
        Command::Reproduce { reference } => reproduce::execute(args, reference),
        Command::Diff { before, after } => diff::execute(args, before, after),
        Command::Evidence { action } => evidence::execute(args, action),
        Command::Verify {
            bundle,
            key,
            against,
            witness,
        } => verify::execute(
            args,
            bundle.as_deref(),
            key.as_deref(),
            against.as_deref(),
            witness,
        ),
        Command::Purge { run, reason } => purge::execute(args, run, reason),
        Command::Backup { folder } => backup::back_up(args, folder),
        Command::Restore { folder, origin } => backup::restore(args, folder, origin.clone()),
        Command::Ledger { action } => ledger::execute(args, action),
        Command::Profile {
            file,
            reading,
            save,
            merge,
        } => profile::execute(args, file, reading, save.as_deref(), merge),
        Command::Evaluate(options) => evaluate::execute(args, options),
        Command::Compare(options) => compare::execute(args, options),
        Command::Anonymity(options) => anonymity::execute(args, options),
        Command::Neighbours(options) => neighbours::execute(args, options),
        Command::Plan(options) => plan::execute(args, options),
        Command::Predict(options) => predict::execute(args, options),
        Command::Explain(options) => explain::execute(args, options),
        Command::Drift(options) => drift::execute(args, options),
        Command::Watch(options) => watch::execute(args, options),
        Command::Robustness(options) => robustness::execute(args, options),
        Command::Membership(options) => membership::execute(args, options),
        Command::Serve(options) => serve::execute(args, options),
        Command::Import { from } => import::execute(args, from),
        Command::Export { to } => export::execute(args, to),
        Command::User { action } => user::execute(args, action),
        Command::Token { action } => token::execute(args, action),
        Command::Schema { what } => schema::execute(*what),
        Command::Completions { shell } => completions::execute(*shell),
    }
}

fn rounds(best: bool) -> Rounds {
    if best { Rounds::Best } else { Rounds::All }
}

/// Records what was measured when that was asked for and says where, prints the report, and returns the figures.
fn answer<T: Serialize>(
    args: &Args,
    files: &FileOptions,
    option: Option<&RecordOption>,
    outcome: Outcome<T>,
) -> anyhow::Result<T> {
    let Outcome {
        measurement,
        mut report,
        record,
    } = outcome;
    let model = option.and_then(|option| option.record.as_ref());
    if let (Some(model), Some(record)) = (model, record) {
        let word = match record.is_on_trust() {
            true => "; that the scores are its own is your word",
            false => "",
        };
        let idx = record.commit(&platform(args)?, model)?;
        tell(&format!(
            "note: recorded as evidence about `{model}` (#{idx}){word}"
        ));
    }
    let notes = files.reading.notes.all();
    // On the terminal the report itself says so.
    if files.output.is_some() || args.format != Format::Human {
        tell_notes(&files.reading);
    }
    if !notes.is_empty() {
        let sentences = notes.iter().cloned().map(ReportBlock::Text);
        report.sections.push(ReportSection {
            heading: "How the files were read".to_owned(),
            blocks: sentences.collect(),
        });
    }
    let output = files.output.as_deref();
    match notes.is_empty() {
        true => print_report(args.format, output, &report, &measurement)?,
        false => {
            let mut figures = serde_json::to_value(&measurement)?;
            if let Some(fields) = figures.as_object_mut() {
                fields.insert("notes".to_owned(), notes.into());
            }
            print_report(args.format, output, &report, &figures)?;
        }
    }
    Ok(measurement)
}

fn metric_named(name: &str) -> anyhow::Result<Metric> {
    let known = || {
        METRICS
            .iter()
            .map(|entry| entry.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    Metric::named(name).with_context(|| format!("unknown metric `{name}`; there are {}", known()))
}

fn actor(args: &Args) -> String {
    let from_system = || {
        std::env::var("USER")
            .or_else(|_| std::env::var("USERNAME"))
            .ok()
    };
    args.actor
        .clone()
        .or_else(from_system)
        .unwrap_or_else(|| "operator".to_owned())
}

/// Returns where the workspace keeps what grows.
fn backend(args: &Args) -> Backend {
    let is_setting = |name: &str| {
        ["AWS_", "GOOGLE_", "AZURE_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Backend {
        database: args.store.clone(),
        // As libpq has it.
        database_roots: std::env::var_os("PGSSLROOTCERT").map(std::path::PathBuf::from),
        objects: args.objects.clone(),
        object_options: variables.filter(|(name, _)| is_setting(name)).collect(),
    }
}

fn platform(args: &Args) -> anyhow::Result<Platform> {
    open(args, &args.workspace)
}

fn open(args: &Args, folder: &Path) -> anyhow::Result<Platform> {
    let store =
        Store::open_at(folder, &backend(args)).map_err(veracta_lifecycle::LifecycleError::from)?;
    Ok(Platform {
        store: std::sync::Arc::new(store),
        actor: actor(args),
        clock: jiff::Timestamp::now,
        program: PROGRAM.to_owned(),
    })
}
