//! `veracta ledger`: the signed head, receipts, and rebuilding what is derived.

use crate::args::{Args, Format, LedgerAction};
use crate::output::{Answer, print, print_json};

pub(super) fn execute(args: &Args, action: &LedgerAction) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    let (name, text) = match action {
        LedgerAction::Checkpoint => ("checkpoint", platform.store.publish()?),
        LedgerAction::Proof { idx } => ("proof", platform.store.receipt(*idx)?.to_string()),
        LedgerAction::Rebuild => ("checkpoint", platform.store.rebuild()?),
    };
    match args.format {
        // The text is the format of C2SP, whole: a program that wants its parts reads them from there.
        Format::Json => print_json(
            &serde_json::json!({ name: text, "key": platform.store.log_key().to_string() }),
        )?,
        Format::Human | Format::Html | Format::Md => print(&text)?,
    }
    Ok(Answer::Yes)
}
