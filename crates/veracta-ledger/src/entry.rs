//! The entry of the log: a small header and commitments, never a payload.
//!
//! The header says what kind of record was committed, about what, when and by whom (a pseudonym), and commits to the
//! record's body, to the records it rests on and to the artefacts it names. A personal value has no place in it.

use serde::{Deserialize, Serialize};

use crate::Hash;
use crate::tile::ENTRY_BYTES_LIMIT;

/// Version of the header written today.
pub const ENTRY_VERSION: u32 = 1;

/// One entry of the log. Its bytes are the JSON of these fields in this order, without white space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version of this header, [`ENTRY_VERSION`]; another one is refused.
    pub v: u32,
    /// Kind of record, from the evidence vocabulary, such as `dataset.version`.
    pub kind: String,
    /// Version of the body's schema.
    pub schema_version: u32,
    /// What the record is about, such as `model:churn`.
    pub subject: String,
    /// When it was recorded, RFC 3339 in UTC, milliseconds. Never earlier than the entry before it.
    pub at: String,
    /// Pseudonym of who recorded it.
    pub actor: String,
    /// SHA-256 of the body, which is kept outside the log.
    pub body: Hash,
    /// Length of the body in bytes.
    pub body_bytes: u64,
    /// Content key of the step that made it: equal inputs, code and settings give an equal key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Hash>,
    /// The record of the same kind about the same subject before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
    /// Records this one rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Content-addressed bytes this record commits to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
}

/// A reference to an earlier record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Position of the record's entry.
    pub idx: u64,
    /// SHA-256 of the record's body.
    pub body: Hash,
}

/// Bytes kept outside the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// What they are, such as `model` or `dataset`.
    pub name: String,
    /// SHA-256 of the bytes, under which they are stored.
    pub digest: Hash,
    /// Length of the bytes.
    pub bytes: u64,
    /// Whether they may hold personal data, and so stay out of an evidence bundle unless asked for.
    pub personal: bool,
}

/// What is wrong with the bytes of an entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Not JSON of the expected fields.
    #[error("the entry is not a header of this format")]
    Malformed(#[source] serde_json::Error),
    /// JSON of the right fields in another form than the one that is written.
    #[error("the entry is not in canonical form")]
    NotCanonical,
    /// A header of a later version.
    #[error("the entry has header version {found}; this program reads {ENTRY_VERSION}")]
    Version {
        /// Version that the header states.
        found: u32,
    },
    /// A time in another form, which could not be compared as text.
    #[error("the entry's time is not of the form 2026-01-31T23:59:59.000Z")]
    Time,
    /// Larger than a bundle can hold.
    #[error(
        "an entry of {n_bytes} bytes is over the limit of {ENTRY_BYTES_LIMIT}; it has too many links or artefacts"
    )]
    TooLarge {
        /// Length of the entry in bytes.
        n_bytes: usize,
    },
}

/// Returns whether a time has the one form that sorts as text: `2026-01-31T23:59:59.000Z`.
pub fn is_time(at: &str) -> bool {
    let form = b"dddd-dd-ddTdd:dd:dd.dddZ";
    let fits = |(byte, wanted): (&u8, &u8)| {
        if *wanted == b'd' {
            byte.is_ascii_digit()
        } else {
            byte == wanted
        }
    };
    at.len() == form.len() && at.as_bytes().iter().zip(form).all(fits)
}

impl Entry {
    /// Returns the bytes that are hashed and logged.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        if !is_time(&self.at) {
            return Err(EntryError::Time);
        }
        let bytes = serde_json::to_vec(self).map_err(EntryError::Malformed)?;
        if bytes.len() > ENTRY_BYTES_LIMIT {
            return Err(EntryError::TooLarge {
                n_bytes: bytes.len(),
            });
        }
        Ok(bytes)
    }

    /// Reads an entry; only the exact bytes `to_bytes` writes are accepted.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let entry: Self = serde_json::from_slice(bytes).map_err(EntryError::Malformed)?;
        if entry.v != ENTRY_VERSION {
            return Err(EntryError::Version { found: entry.v });
        }
        if entry.to_bytes()? != bytes {
            return Err(EntryError::NotCanonical);
        }
        Ok(entry)
    }
}
