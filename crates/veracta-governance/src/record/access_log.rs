//! `access.log`: a log-in, a grant of access, or a refusal of it.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// A log-in, a change of a user, token or webhook, or a refused request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// What was asked for: `user.created`, `user.changed`, `token.issued`, `token.revoked`, `login`, or a method with the pattern of a path.
    pub action: String,
    /// What it was about: the handle of a user or the id of a token, never a name.
    pub object: Option<String>,
    /// Whether the request was allowed; `false` for a refusal.
    pub allowed: bool,
    /// Why it was not, or what allowed it.
    pub reason: String,
    /// How the caller was known: `token`, `session`, `oidc`, `local` (the command line), or `none`.
    pub factor: String,
    /// What the object may do from now on, when that changed.
    pub grant: Option<AccessGrant>,
    /// Events like this one since the last that was recorded, this one included: a flood of refusals is few records.
    pub n_events: u64,
}

/// What a user or a token may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessGrant {
    /// Words of the roles; empty when access ended.
    pub roles: Vec<String>,
    /// When a token stops being valid, RFC 3339 in UTC; `None` for a user.
    pub expires: Option<String>,
    /// SHA-256 of the secret text of a token; `None` for a user.
    pub token: Option<Hash>,
    /// Handle of the user a token belongs to.
    pub user: Option<String>,
}
