//! What tracking clients ask for: experiments, runs, logged models, the registry and their files, under MLflow's rules.
//!
//! Values of a run that has not ended are a draft. Ending it commits one record of all of them; any later change of the run commits
//! another. Changes of experiments and of the registry are records at once. HTTP is not known here, SQL neither.

pub mod access;
pub mod artifacts;
mod error;
pub(crate) mod evidence;
pub mod experiments;
pub mod export;
pub mod import;
mod ledger_comparison;
pub mod logged_models;
pub mod model_registry;
mod names;
pub mod openlineage;
pub mod purge;
pub mod runs;
pub mod search;
pub mod webhooks;

use veracta_ledger::Hash;

pub use error::{Refusal, TrackingError};
pub use evidence::subject_of_version;
pub use ledger_comparison::{Discrepancy, compare_with_ledger};
pub use names::{experiment_number, version_number};

use veracta_store::Platform;

/// Artifacts of these places go through this server.
pub(crate) const PROXY_SCHEME: &str = "mlflow-artifacts:";

/// Returns the path that an artifact URI of this server stands for.
pub fn path_of(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix(PROXY_SCHEME)?;
    // With a host the path begins after it.
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
        None => rest,
    };
    Some(path.trim_matches('/').to_owned())
}

/// Returns the time, in milliseconds since 1970 in UTC.
fn now_ms(platform: &Platform) -> i64 {
    (platform.clock)().as_millisecond()
}

pub(crate) fn random() -> Result<Hash, TrackingError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(veracta_store::StoreError::Random)?;
    Ok(Hash(bytes))
}

/// Returns a new id: 32 hexadecimal digits.
fn new_id() -> Result<String, TrackingError> {
    Ok(random()?.to_string()[..32].to_owned())
}
