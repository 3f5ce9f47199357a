//! `veracta verify`: checks a bundle from its bytes alone, or the workspace against itself.

use std::path::Path;

use anyhow::Context;
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::merkle::{CompactRange, leaf_hash};
use veracta_ledger::note::VerifierKey;
use veracta_ledger::verify::{Outcome, Trust, VerificationReport, verify_bundle};
use veracta_store::Store;
use veracta_tracking::compare_with_ledger;

use crate::args::{Args, Format};
use crate::output::{Answer, Paint, print, print_json};

pub(super) fn execute(
    args: &Args,
    bundle: Option<&Path>,
    key: Option<&str>,
    against: Option<&Path>,
    witnesses: &[String],
) -> anyhow::Result<Answer> {
    let parse = |text: &str| {
        text.trim()
            .parse::<VerifierKey>()
            .with_context(|| format!("`{text}` is not a verifier key"))
    };
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("`{}` cannot be read", path.display()))
    };
    let trust = Trust {
        log_key: key.map(parse).transpose()?,
        earlier_checkpoint: against.map(read).transpose()?,
        witnesses: witnesses
            .iter()
            .map(|text| parse(text))
            .collect::<Result<_, _>>()?,
    };
    let report = match bundle {
        Some(path) => verify_bundle(&read(path)?, &trust),
        None => verify_workspace(args, &trust)?,
    };
    match args.format {
        Format::Json => print_json(&report)?,
        Format::Human | Format::Html | Format::Md => print(&report_text(&report, Paint::stdout()))?,
    }
    Ok(report.holds().into())
}

/// Compares what tracking clients see with what the ledger says.
fn verify_tracking(store: &Store, report: &mut VerificationReport) -> anyhow::Result<()> {
    let (n_compared, found) = compare_with_ledger(store)?;
    for discrepancy in &found {
        report.fail(Some(&discrepancy.subject), discrepancy.message.clone());
    }
    if n_compared > 0 && found.is_empty() {
        report.hold(format!(
            "tracking: {n_compared} experiments, finished runs, registered models and versions, users and tokens are what their records say"
        ));
    }
    Ok(())
}

fn verify_workspace(args: &Args, trust: &Trust) -> anyhow::Result<VerificationReport> {
    let platform = super::platform(args)?;
    let store = &platform.store;
    let mut report = store.verify()?;
    verify_tracking(store, &mut report)?;
    match &trust.log_key {
        Some(key) if key == store.log_key() => {
            report.hold("the log's key is the one that was passed")
        }
        Some(_) => report.fail(
            Some("log.vkey"),
            "the workspace has another key than the one that was passed",
        ),
        None => {}
    }
    if let Some(bytes) = &trust.earlier_checkpoint {
        match Checkpoint::open(bytes, store.log_key()) {
            Err(error) => report.fail(None, format!("the earlier checkpoint: {error}")),
            Ok((earlier, _)) => {
                let mut tree = CompactRange::default();
                store.visit_entries(earlier.size, &mut |entry| tree.append(leaf_hash(entry)))?;
                if tree.size() < earlier.size {
                    report.fail(
                        None,
                        format!(
                            "the log was rolled back: it had {} entries and has {}",
                            earlier.size,
                            tree.size()
                        ),
                    );
                } else if tree.root() == earlier.root {
                    report.hold(format!(
                        "history: the log extends the earlier checkpoint of {} entries",
                        earlier.size
                    ));
                } else {
                    report.fail(
                        None,
                        "the log was rewritten: its start is not the one seen earlier",
                    );
                }
            }
        }
    }
    Ok(report)
}

/// Returns a report with a line a check.
pub(super) fn report_text(report: &VerificationReport, paint: Paint) -> String {
    let mut text = String::new();
    for check in &report.checks {
        let mark = match check.outcome {
            Outcome::Holds => paint.good("holds      "),
            Outcome::Fails => paint.bad("FAILS      "),
            Outcome::NotChecked => paint.soft("not checked"),
        };
        let file = check
            .file
            .as_ref()
            .map(|file| format!("{file}: "))
            .unwrap_or_default();
        text += &format!("  {mark}  {file}{}\n", check.finding);
    }
    let verdict = if report.holds() {
        paint.good("INTACT")
    } else {
        paint.bad("DOES NOT VERIFY")
    };
    let about = report
        .subject
        .as_ref()
        .map(|subject| format!("  {subject}"))
        .unwrap_or_default();
    let log = report
        .origin
        .as_ref()
        .map(|origin| format!("  log {origin}"))
        .unwrap_or_default();
    text + &format!("{verdict}{about}{log}\n")
}
