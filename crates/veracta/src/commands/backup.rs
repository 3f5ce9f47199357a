//! `veracta backup` and `veracta restore`.

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use veracta_lifecycle::LifecycleError;
use veracta_store::{InitOptions, Store};

use crate::args::{Args, Format};
use crate::output::{Answer, print, print_json};

fn bar() -> anyhow::Result<ProgressBar> {
    Ok(ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "{bar:30} {pos} of {len} files, {eta} left",
    )?))
}

fn show(bar: &ProgressBar, n_done: u64, n_all: u64) {
    bar.set_length(n_all);
    bar.set_position(n_done);
}

pub(super) fn back_up(args: &Args, folder: &Path) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    let bar = bar()?;
    let taken = platform.store.back_up(
        folder,
        &platform.now(),
        &platform.program,
        &mut |n_done, n_all| show(&bar, n_done, n_all),
    );
    let backup = taken.map_err(LifecycleError::from)?;
    bar.finish_and_clear();
    match args.format {
        Format::Json => print_json(&backup)?,
        Format::Human | Format::Html | Format::Md => print(&format!(
            "Backed up `{}` to {}\n  entries  {}\n  root     {}\n  files    {} ({} bytes)\n\
             The signing key ({}/ledger.key) is not in it: keep a copy of that elsewhere, or restore under a new one.\n\
             It holds what the database holds, users and personal data included: keep it where only those who may read that can.\n",
            backup.origin,
            folder.display(),
            backup.size,
            backup.root,
            backup.n_blobs,
            backup.blob_bytes,
            platform.store.folder().display(),
        ))?,
    }
    Ok(Answer::Yes)
}

pub(super) fn restore(
    args: &Args,
    folder: &Path,
    origin: Option<String>,
) -> anyhow::Result<Answer> {
    let at = veracta_store::now(jiff::Timestamp::now);
    let options = InitOptions {
        origin,
        actor: super::actor(args),
        at,
        program: super::PROGRAM.to_owned(),
    };
    let bar = bar()?;
    let mut progress = |n_done, n_all| show(&bar, n_done, n_all);
    let restored = Store::restore(
        folder,
        &args.workspace,
        &super::backend(args),
        options,
        &mut progress,
    );
    let (store, restored) = restored.map_err(LifecycleError::from)?;
    bar.finish_and_clear();
    if args.format == Format::Json {
        print_json(&restored)?;
        return Ok(Answer::Yes);
    }
    let backup = &restored.backup;
    print(&format!(
        "Restored what `{}` held at {} into {}\n\n\
         A NEW EPOCH of the log begins with entry {}: it is called `{}` from now on, and signs with the key\n  {}\n\
         Give the key to those who verify, and tell them why. Checkpoints and receipts of the old log hold for the first {} entries, under the old\n\
         key. What the old log recorded later is not here: erasures (veracta purge) after {} must be done again, users and tokens removed since too.\n",
        backup.origin,
        backup.at,
        store.folder().display(),
        backup.size,
        restored.origin,
        restored.key,
        backup.size,
        backup.at,
    ))?;
    if restored.webhooks_disabled > 0 {
        print(&format!(
            "{} webhooks are disabled until they get a secret again.\n",
            restored.webhooks_disabled
        ))?;
    }
    Ok(Answer::Yes)
}
