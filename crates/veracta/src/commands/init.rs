//! `veracta init`: begins a workspace.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use veracta_lifecycle::LifecycleError;
use veracta_store::{InitOptions, Platform, Store};

use crate::args::{Args, Format};
use crate::output::{Answer, print, print_json};

pub(super) fn execute(
    args: &Args,
    folder: Option<&Path>,
    origin: Option<String>,
) -> anyhow::Result<Answer> {
    let folder = folder.unwrap_or(&args.workspace);
    std::fs::create_dir_all(folder)
        .with_context(|| format!("`{}` cannot be created", folder.display()))?;
    let platform = begin(args, folder, origin)?;
    let (folder, key) = (
        platform.store.folder().display().to_string(),
        platform.store.log_key().to_string(),
    );
    if args.format == Format::Json {
        print_json(
            &serde_json::json!({ "workspace": folder, "log": platform.store.log_key().name(), "key": key }),
        )?;
    } else {
        print(&format!(
            "Created a workspace in {folder}\n  log  {}\n  key  {key}\nGive the key to those who will verify; keep {folder}/ledger.key to yourself.\n",
            platform.store.log_key().name()
        ))?;
    }
    Ok(Answer::Yes)
}

/// Begins a workspace in a folder.
pub(super) fn begin(
    args: &Args,
    folder: &Path,
    origin: Option<String>,
) -> anyhow::Result<Platform> {
    let at = veracta_store::now(jiff::Timestamp::now);
    let options = InitOptions {
        origin,
        actor: super::actor(args),
        at,
        program: super::PROGRAM.to_owned(),
    };
    let store =
        Store::init_at(folder, &super::backend(args), options).map_err(LifecycleError::from)?;
    Ok(Platform {
        store: Arc::new(store),
        actor: super::actor(args),
        clock: jiff::Timestamp::now,
        program: super::PROGRAM.to_owned(),
    })
}
