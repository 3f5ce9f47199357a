//! Where changes of the registry are told to others.

/// An address that events of the registry are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Random UUID (RFC 9562, version 4).
    pub id: String,
    /// Name for people, as an administrator gave it.
    pub name: String,
    /// Description for people; `None` when there is none.
    pub description: Option<String>,
    /// Where events are sent. It may hold a secret and is told to administrators only.
    pub url: String,
    /// Events that are sent, as (entity, action), such as `MODEL_VERSION` and `CREATED`.
    pub events: Vec<(String, String)>,
    /// `ACTIVE`, or `DISABLED` when nothing is sent.
    pub status: String,
    /// Key of the signature of each delivery, encrypted by [`crate::Store::seal`]; `None` when none is signed.
    pub secret: Option<Vec<u8>>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Number of entries of the ledger whose events were sent or passed over.
    pub told_to: u64,
}
