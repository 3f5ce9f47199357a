//! `veracta purge`: erases a tracked run for good.

use veracta_tracking::purge::purge_run;

use crate::args::{Args, Format};
use crate::output::{Answer, print, print_json};

pub(super) fn execute(args: &Args, run: &str, reason: &str) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    let purged = purge_run(
        &platform,
        run.trim_start_matches("run:").to_owned(),
        reason.to_owned(),
    )?;
    match args.format {
        Format::Json => print_json(&serde_json::json!({
            "receipt": purged.receipt,
            "records": purged.n_records,
            "files": purged.n_artifacts,
        }))?,
        Format::Human | Format::Html | Format::Md => print(&format!(
            "Erased: {} records and {} files. The receipt is #{}; the ledger keeps the entries, which hold no value of the run.\n",
            purged.n_records, purged.n_artifacts, purged.receipt
        ))?,
    }
    Ok(Answer::Yes)
}
