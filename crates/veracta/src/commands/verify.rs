//! `veracta verify`: checks a bundle from its bytes alone, or the workspace against itself.

use std::path::Path;

use anyhow::Context;
use veracta_ledger::note::VerifierKey;
use veracta_ledger::verify::{Outcome, Trust, VerificationReport, verify_bundle};
use veracta_lifecycle::verification::verify_workspace;

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
        None => verify_workspace(&super::platform(args)?.store, &trust)?,
    };
    match args.format {
        Format::Json => print_json(&report)?,
        Format::Human | Format::Html | Format::Md => print(&report_text(&report, Paint::stdout()))?,
    }
    Ok(report.holds().into())
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
