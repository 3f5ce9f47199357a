//! `access.log`: a log-in, a grant of access, or a refusal of it.

use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;

/// An event of access to the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// What was asked for: `user.created`, `user.changed`, `token.issued`, `token.revoked`, `login`, or a method with the pattern of a path.
    pub action: String,
    /// What it was about: the handle of a user or the id of a token, never a name.
    pub object: Option<String>,
    /// Whether it was allowed.
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
    /// Roles; none at all when access ended.
    pub roles: Vec<String>,
    /// When it ends by itself, RFC 3339.
    pub expires: Option<String>,
    /// SHA-256 of a token's random text.
    pub token: Option<Hash>,
    /// Handle of the user a token belongs to.
    pub user: Option<String>,
}
