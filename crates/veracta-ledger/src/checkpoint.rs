//! C2SP [checkpoints](https://c2sp.org/tlog-checkpoint): the signed head of a log.
//!
//! Whether a checkpoint may be *released* (it must never contradict an earlier one) is decided where the last one is kept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;

use crate::merkle::Hash;
use crate::note::{KeyType, NoteError, SignedNote, VerifierKey, verify_cosignature};

/// The size and root of a log at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Unique name of the log; also the name of its key.
    pub origin: String,
    /// Number of entries; 0 of a new log.
    pub size: u64,
    /// Root hash of the tree of that size.
    pub root: Hash,
}

/// A witness's statement that it saw a checkpoint, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Name of the witness's key.
    pub witness: String,
    /// Seconds since 1970 the witness states.
    pub seconds: u64,
}

/// What is wrong with a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is malformed or not signed by a known key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is not origin, size and root.
    #[error("malformed checkpoint: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It belongs to another log.
    #[error("the checkpoint is of log `{found}`, not `{expected}`")]
    OtherLog {
        /// Origin that the checkpoint states.
        found: String,
        /// Origin of the trusted key.
        expected: String,
    },
}

impl Checkpoint {
    /// Returns the note text: origin, decimal size, base64 root.
    pub fn to_text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root.0)
        )
    }

    /// Reads a note text. Extension lines are refused: nothing here writes them, and monitors cannot audit them.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let refuse = |reason| CheckpointError::Malformed { reason };
        let lines: Vec<&str> = text
            .strip_suffix('\n')
            .ok_or(refuse("no newline at the end"))?
            .split('\n')
            .collect();
        let [origin, size_text, root_text] = lines[..] else {
            return Err(refuse("it is not the three lines origin, size and root"));
        };
        if origin.is_empty() {
            return Err(refuse("the origin is empty"));
        }
        let size: u64 = size_text
            .parse()
            .map_err(|_| refuse("the size is not a number"))?;
        if size.to_string() != size_text {
            return Err(refuse("the size is not in canonical decimal form"));
        }
        let root = STANDARD
            .decode(root_text)
            .map_err(|_| refuse("the root is not base64"))?;
        let root = Hash(
            root.try_into()
                .map_err(|_| refuse("the root has not 32 bytes"))?,
        );
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
        })
    }

    /// Signs the checkpoint with the log's key, whose name is the origin.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedNote, NoteError> {
        SignedNote::sign(self.to_text(), &self.origin, key)
    }

    /// Opens a signed checkpoint of the log that `log_key` names.
    pub fn open(note: &[u8], log_key: &VerifierKey) -> Result<(Self, SignedNote), CheckpointError> {
        let note = SignedNote::parse(note)?;
        let checkpoint = Self::parse(&note.text)?;
        if checkpoint.origin != log_key.name() {
            return Err(CheckpointError::OtherLog {
                found: checkpoint.origin,
                expected: log_key.name().to_owned(),
            });
        }
        note.verify(std::slice::from_ref(log_key))?;
        Ok((checkpoint, note))
    }
}

/// Returns the cosignatures under `note` by the given witnesses; a wrong one by a known witness is an error.
pub fn cosignatures(
    note: &SignedNote,
    witnesses: &[VerifierKey],
) -> Result<Vec<Cosignature>, NoteError> {
    let mut found = Vec::new();
    for signature in &note.signatures {
        let Some(key) = witnesses.iter().find(|key| {
            key.key_type() == KeyType::Cosignature
                && key.name() == signature.name
                && key.key_id() == signature.key_id
        }) else {
            continue;
        };
        let seconds =
            verify_cosignature(key.key(), &note.text, &signature.bytes).ok_or_else(|| {
                NoteError::WrongSignature {
                    name: key.name().to_owned(),
                }
            })?;
        // One witness counts once, however many lines it signed.
        if found
            .iter()
            .all(|known: &Cosignature| known.witness != key.name())
        {
            found.push(Cosignature {
                witness: key.name().to_owned(),
                seconds,
            });
        }
    }
    Ok(found)
}
