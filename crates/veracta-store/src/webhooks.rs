//! Where changes of the registry are told to others.

/// A receiver of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// In words.
    pub description: Option<String>,
    /// Where events are sent. It may hold a secret and is told to administrators only.
    pub url: String,
    /// Which events, as (entity, action).
    pub events: Vec<(String, String)>,
    /// `ACTIVE` or `DISABLED`.
    pub status: String,
    /// What deliveries are signed with, sealed; see [`crate::Store::seal`].
    pub secret: Option<Vec<u8>>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was changed.
    pub updated_ms: i64,
    /// Entries of the ledger it was told of.
    pub told_to: u64,
}
