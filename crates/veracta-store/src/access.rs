//! Who may use the server: users by the handle that stands for them, and the tokens they show.

use veracta_governance::access::Roles;
use veracta_ledger::Hash;

/// A user. The name behind the handle is kept apart, where it can be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Random name under which the ledger refers to the user.
    pub handle: String,
    /// What the user may do; nothing once access ended.
    pub roles: Roles,
    /// When access began, in milliseconds since 1970.
    pub created_ms: i64,
}

/// A token: whoever shows its text is taken for its user. Only the digest of the text is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Id by which the token is listed, revoked and recorded; it is not secret.
    pub id: String,
    /// Handle of the user that the token belongs to.
    pub handle: String,
    /// SHA-256 of its text, which is random and long enough not to be guessed.
    pub digest: Hash,
    /// What it is limited to: it permits what both these roles and those of its user do.
    pub roles: Roles,
    /// How it was issued: `token` by an administrator, or `session` by a log-in.
    pub factor: String,
    /// When it was issued, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it stops being valid, in milliseconds since 1970.
    pub expires_ms: i64,
    /// Whether it was revoked; a revoked token stays listed and is never valid again.
    pub is_revoked: bool,
}
