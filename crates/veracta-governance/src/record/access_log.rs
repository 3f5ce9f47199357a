//! `access.log`: a log-in, a grant of access, or a refusal of it.

use serde::{Deserialize, Serialize};

/// An event of access to the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// What was asked for, such as `POST /api/2.0/mlflow/runs/create` or `user.created`.
    pub action: String,
    /// What it was about.
    pub object: Option<String>,
    /// Whether it was allowed.
    pub allowed: bool,
    /// Why it was not, or which role allowed it.
    pub reason: String,
    /// How the caller was known: `token`, `password`, `oidc`, or `none`.
    pub factor: String,
    /// Equal events since the one before, this one included: a flood of refusals is one record a minute.
    pub n_events: u64,
}
