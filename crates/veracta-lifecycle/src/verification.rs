//! Checking a workspace against itself, and against what somebody kept outside it.

use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::merkle::{CompactRange, leaf_hash};
use veracta_ledger::verify::{Trust, VerificationReport};
use veracta_store::Store;
use veracta_tracking::compare_with_ledger;

use crate::LifecycleError;

/// Checks every entry, record and file of a workspace, what tracking clients see of it, and that it extends what `trust` holds.
pub fn verify_workspace(
    store: &Store,
    trust: &Trust,
) -> Result<VerificationReport, LifecycleError> {
    let mut report = store.verify()?;
    check_tracking(store, &mut report)?;
    match &trust.log_key {
        Some(key) if key == store.log_key() => {
            report.hold("the log's key is the one that was passed");
        }
        Some(_) => report.fail(
            Some("log.vkey"),
            "the workspace has another key than the one that was passed",
        ),
        None => {}
    }
    if let Some(earlier) = &trust.earlier_checkpoint {
        check_history(store, earlier, &mut report)?;
    }
    Ok(report)
}

/// Compares what tracking clients see with what the ledger says.
fn check_tracking(store: &Store, report: &mut VerificationReport) -> Result<(), LifecycleError> {
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

/// Checks that the log begins with the entries that an earlier signed checkpoint is over.
fn check_history(
    store: &Store,
    earlier: &[u8],
    report: &mut VerificationReport,
) -> Result<(), LifecycleError> {
    let earlier = match Checkpoint::open(earlier, store.log_key()) {
        Ok((earlier, _)) => earlier,
        Err(error) => {
            report.fail(None, format!("the earlier checkpoint: {error}"));
            return Ok(());
        }
    };
    let mut tree = CompactRange::default();
    store.visit_entries(earlier.size, &mut |entry| tree.append(leaf_hash(entry)))?;
    let (before, now) = (earlier.size, tree.size());
    if now < before {
        let finding = format!("the log was rolled back: it had {before} entries and has {now}");
        report.fail(None, finding);
    } else if tree.root() == earlier.root {
        report.hold(format!(
            "history: the log extends the earlier checkpoint of {before} entries"
        ));
    } else {
        report.fail(
            None,
            "the log was rewritten: its start is not the one seen earlier",
        );
    }
    Ok(())
}
