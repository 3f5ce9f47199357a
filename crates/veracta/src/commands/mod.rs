//! One file a verb; this list says which.

mod anonymity;
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
mod gate;
mod init;
mod ledger;
mod lineage;
mod log;
mod plan;
mod predict;
mod profile;
mod progress;
mod reproduce;
mod run;
mod schema;
mod serve;
mod show;
mod status;
mod verify;

use std::path::Path;

use veracta_lifecycle::Platform;
use veracta_lifecycle::evaluation::{GroupColumns, ScoredColumns};
use veracta_lifecycle::prediction::Rounds;
use veracta_store::Store;

use crate::args::{Args, Command};
use crate::output::Answer;

/// Program with its version, as records name it.
const PROGRAM: &str = concat!("veracta ", env!("CARGO_PKG_VERSION"));

/// Does what the arguments say.
pub(crate) fn execute(args: &Args) -> anyhow::Result<Answer> {
    match &args.command {
        Command::Init { origin } => init::execute(args, origin.clone()),
        Command::Run { pipeline, data, dry_run, documents } => run::execute(args, pipeline, data.as_deref(), *dry_run, documents),
        Command::Demo { story: _, data, folder } => demo::execute(args, data.as_deref(), folder),
        Command::Status => status::execute(args),
        Command::Show { reference } => show::execute(args, reference),
        Command::Log { kind, limit } => log::execute(args, kind.as_deref(), *limit),
        Command::Gate { reference } => gate::execute(args, reference),
        Command::Controls { reference, framework } => controls::execute(args, reference, framework),
        Command::Document { reference, kind, output } => document::execute(args, reference, kind, output.as_deref()),
        Command::Lineage { reference, svg } => lineage::execute(args, reference, svg.as_deref()),
        Command::Reproduce { reference } => reproduce::execute(args, reference),
        Command::Diff { before, after } => diff::execute(args, before, after),
        Command::Evidence { action } => evidence::execute(args, action),
        Command::Verify { bundle, key, against, witness } => {
            verify::execute(args, bundle.as_deref(), key.as_deref(), against.as_deref(), witness)
        }
        Command::Ledger { action } => ledger::execute(args, action),
        Command::Profile { file, delimiter, bytes_limit, save, merge } => {
            profile::execute(args, file, (*delimiter, *bytes_limit), save.as_deref(), merge)
        }
        Command::Evaluate { data, label, score, positive, group, control, cluster, bca, recalibrate, metric, measure, files } => {
            let columns = ScoredColumns { label: label.clone(), positive: positive.clone(), scores: vec![score.clone()] };
            let groups = GroupColumns { groups: group.clone(), control: control.clone(), cluster: cluster.clone() };
            let scope = evaluate::Scope { columns: &columns, groups: &groups, metrics: metric, bca: *bca, recalibrate: *recalibrate };
            evaluate::execute(args, data, &scope, measure, files)
        }
        Command::Compare { data, label, score, positive, margin, measure, files } => {
            let columns = ScoredColumns { label: label.clone(), positive: positive.clone(), scores: score.clone() };
            compare::execute(args, data, &columns, *margin, measure, files)
        }
        Command::Anonymity { data, quasi, sensitive, files } => anonymity::execute(args, data, quasi, sensitive, files),
        Command::Plan { margin, discordant, power, half_width, share, level } => {
            let study = match (margin, half_width) {
                (_, Some(half_width)) => plan::Study::Share { share: *share, half_width: *half_width },
                (margin, None) => {
                    plan::Study::NonInferiority { margin: margin.unwrap_or(f64::NAN), discordant: *discordant, power: *power }
                }
            };
            plan::execute(args, study, *level)
        }
        Command::Predict { model, data, best, margin, files } => predict::execute(args, (model, rounds(*best)), data, *margin, files),
        Command::Explain { model, data, best, rows: n_rows, row, background, files } => explain::execute(
            args,
            [model, data],
            explain::Scope { n_rows: *n_rows, only: *row, rounds: rounds(*best) },
            background.as_deref(),
            files,
        ),
        Command::Drift { data, profile, without, tolerance, test, files } => {
            drift::execute(args, (data, profile.as_deref()), without, *tolerance, test, files)
        }
        Command::Serve { listen } => serve::execute(args, *listen),
        Command::Schema { what } => schema::execute(*what),
        Command::Completions { shell } => completions::execute(*shell),
    }
}

fn rounds(best: bool) -> Rounds {
    if best { Rounds::Best } else { Rounds::All }
}

fn actor(args: &Args) -> String {
    let from_system = || std::env::var("USER").or_else(|_| std::env::var("USERNAME")).ok();
    args.actor.clone().or_else(from_system).unwrap_or_else(|| "operator".to_owned())
}

fn platform(args: &Args) -> anyhow::Result<Platform> {
    open(args, &args.workspace)
}

fn open(args: &Args, folder: &Path) -> anyhow::Result<Platform> {
    let store = Store::open(folder).map_err(veracta_lifecycle::LifecycleError::from)?;
    Ok(Platform { store, actor: actor(args), clock: jiff::Timestamp::now, program: PROGRAM.to_owned() })
}
