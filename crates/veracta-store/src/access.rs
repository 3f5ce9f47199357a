//! Who may use the server: users by the handle that stands for them, and the tokens they show.

use veracta_governance::access::Roles;
use veracta_ledger::Hash;

/// A user. The name behind the handle is kept apart, where it can be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Stands for the user in the ledger.
    pub handle: String,
    /// What the user may do; nothing once access ended.
    pub roles: Roles,
    /// When access began, in milliseconds since 1970.
    pub created_ms: i64,
}

/// A token: whoever shows its text is taken for its user. Only the digest of the text is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Names it; no secret.
    pub id: String,
    /// Its user.
    pub handle: String,
    /// SHA-256 of its text, which is random and long enough not to be guessed.
    pub digest: Hash,
    /// What it is limited to: it permits what both these roles and those of its user do.
    pub roles: Roles,
    /// How it came about: `token` or `session`.
    pub factor: String,
    /// When it was issued.
    pub created_ms: i64,
    /// When it ends.
    pub expires_ms: i64,
    /// Whether it was revoked.
    pub is_revoked: bool,
}
