//! C2SP [signed notes](https://c2sp.org/signed-note): a text and the signatures under it.
//!
//! Signs and verifies Ed25519 (type 0x01) and verifies timestamped Ed25519 cosignatures (type 0x04, `cosignature/v1`).
//! Signatures by keys the verifier does not know are ignored, as the specification asks; a signature by a *known* key
//! that fails refuses the whole note.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// Longest note read, in bytes: a checkpoint with 64 signatures of 5 KiB stays far below.
pub const NOTE_BYTES_LIMIT: usize = 1 << 20;
/// Most signatures read from one note; the specification asks for at least 16.
pub const SIGNATURES_LIMIT: usize = 128;
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// How a key signs, with the type byte of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KeyType {
    /// Ed25519 over the note text.
    Ed25519 = 0x01,
    /// Timestamped Ed25519 cosignature of a checkpoint (`cosignature/v1`).
    Cosignature = 0x04,
}

/// A public key with its name, written as a `vkey`: `name+keyid+base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key_type: KeyType,
    key: VerifyingKey,
}

/// What is wrong with a note or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is larger than [`NOTE_BYTES_LIMIT`].
    #[error("a note of {n_bytes} bytes is over the limit of {NOTE_BYTES_LIMIT}")]
    TooLarge {
        /// Length of the note in bytes.
        n_bytes: usize,
    },
    /// No text, blank line and signature lines, or a forbidden character.
    #[error("malformed note: {reason}")]
    Malformed {
        /// What is missing or forbidden.
        reason: &'static str,
    },
    /// Not a `vkey` of a supported type.
    #[error("malformed verifier key: {reason}")]
    Key {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A signature by a known key is wrong.
    #[error("the signature by `{name}` is wrong")]
    WrongSignature {
        /// Name of the known key.
        name: String,
    },
    /// None of the known keys has signed.
    #[error("no signature by a known key")]
    NoKnownSignature,
}

/// Returns whether a text can name a key or a log: no white space, no `+`, no control character.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && c != '+')
}

impl VerifierKey {
    /// Names a public key. The name is the log's origin or the witness's name.
    pub fn new(name: &str, key_type: KeyType, key: VerifyingKey) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Key {
                reason: "the name is empty or has a space, `+` or control character",
            });
        }
        Ok(Self {
            name: name.to_owned(),
            key_type,
            key,
        })
    }

    /// Returns the name: the log's origin or the witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how this key signs.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// Returns the Ed25519 public key.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Returns the first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key).
    pub fn key_id(&self) -> u32 {
        let digest = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.key_type as u8])
            .chain_update(self.key.as_bytes())
            .finalize();
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![self.key_type as u8];
        typed.extend(self.key.as_bytes());
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            self.key_id(),
            STANDARD.encode(typed)
        )
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason| NoteError::Key { reason };
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(refuse("it is not `name+keyid+base64`"));
        };
        let typed = STANDARD
            .decode(encoded)
            .map_err(|_| refuse("the key is not base64"))?;
        let (key_type, key) = typed.split_first().ok_or(refuse("the key is empty"))?;
        let key_type = match key_type {
            0x01 => KeyType::Ed25519,
            0x04 => KeyType::Cosignature,
            _ => return Err(refuse("the key type is not Ed25519 or cosignature/v1")),
        };
        let key: [u8; 32] = key
            .try_into()
            .map_err(|_| refuse("an Ed25519 key has 32 bytes"))?;
        let key = VerifyingKey::from_bytes(&key)
            .map_err(|_| refuse("the bytes are not an Ed25519 point"))?;
        let vkey = Self::new(name, key_type, key)?;
        if id != format!("{:08x}", vkey.key_id()) {
            return Err(refuse("the key id does not belong to the key"));
        }
        Ok(vkey)
    }
}

/// One signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the signing key.
    pub name: String,
    /// Identifier of the signing key.
    pub key_id: u32,
    /// Signature bytes after the key id; their form depends on the key's type.
    pub bytes: Vec<u8>,
}

/// A parsed note; nothing in it is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// The signed text, with its final newline.
    pub text: String,
    /// The signatures in the order of their lines, those by unknown keys included.
    pub signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// Signs `text` with a log key under `name`.
    pub fn sign(text: String, name: &str, key: &SigningKey) -> Result<Self, NoteError> {
        let vkey = VerifierKey::new(name, KeyType::Ed25519, key.verifying_key())?;
        let bytes = key.sign(text.as_bytes()).to_bytes().to_vec();
        let note = Self {
            text,
            signatures: vec![NoteSignature {
                name: name.to_owned(),
                key_id: vkey.key_id(),
                bytes,
            }],
        };
        // What would be read back as another note must not be signed.
        if Self::parse(note.to_string().as_bytes())? != note {
            return Err(NoteError::Malformed {
                reason: "a text that ends like a signature",
            });
        }
        Ok(note)
    }

    /// Reads a note: text, blank line, signature lines.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let refuse = |reason| NoteError::Malformed { reason };
        if bytes.len() > NOTE_BYTES_LIMIT {
            return Err(NoteError::TooLarge {
                n_bytes: bytes.len(),
            });
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| refuse("not UTF-8"))?;
        if whole.chars().any(|c| c < ' ' && c != '\n') {
            return Err(refuse("a control character"));
        }
        let split = whole
            .rfind("\n\n")
            .ok_or(refuse("no blank line before the signatures"))?;
        let (text, lines) = (&whole[..=split], &whole[split + 2..]);
        let lines = lines
            .strip_suffix('\n')
            .ok_or(refuse("no newline at the end"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            let (name, encoded) = line
                .strip_prefix(SIGNATURE_PREFIX)
                .and_then(|line| line.split_once(' '))
                .ok_or(refuse("a line that is not a signature"))?;
            let decoded = STANDARD
                .decode(encoded)
                .map_err(|_| refuse("a signature that is not base64"))?;
            let (id, rest) = decoded
                .split_first_chunk::<4>()
                .ok_or(refuse("a signature without key id"))?;
            if !is_name(name) || rest.is_empty() || signatures.len() == SIGNATURES_LIMIT {
                return Err(refuse(
                    "a bad key name, an empty signature or too many of them",
                ));
            }
            let (key_id, bytes) = (u32::from_be_bytes(*id), rest.to_vec());
            signatures.push(NoteSignature {
                name: name.to_owned(),
                key_id,
                bytes,
            });
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// Checks the note against the keys the verifier knows and returns those that signed it.
    pub fn verify<'k>(&self, known: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signers: Vec<&VerifierKey> = Vec::new();
        for signature in &self.signatures {
            let Some(key) = known
                .iter()
                .find(|key| key.name == signature.name && key.key_id() == signature.key_id)
            else {
                continue;
            };
            let verified = match key.key_type {
                KeyType::Ed25519 => {
                    verify_ed25519(&key.key, self.text.as_bytes(), &signature.bytes)
                }
                KeyType::Cosignature => {
                    verify_cosignature(&key.key, &self.text, &signature.bytes).is_some()
                }
            };
            if !verified {
                return Err(NoteError::WrongSignature {
                    name: key.name.clone(),
                });
            }
            if !signers.contains(&key) {
                signers.push(key);
            }
        }
        if signers.is_empty() {
            return Err(NoteError::NoKnownSignature);
        }
        Ok(signers)
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            let mut bytes = signature.key_id.to_be_bytes().to_vec();
            bytes.extend(&signature.bytes);
            writeln!(
                f,
                "{SIGNATURE_PREFIX}{} {}",
                signature.name,
                STANDARD.encode(bytes)
            )?;
        }
        Ok(())
    }
}

/// Checks an Ed25519 signature strictly: small-order keys and non-canonical encodings are refused.
pub(crate) fn verify_ed25519(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    Signature::from_slice(signature)
        .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
}

/// Returns the message a witness signs: `cosignature/v1`, the time in seconds since 1970, and the whole checkpoint body.
pub fn cosignature_message(seconds: u64, checkpoint_text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{checkpoint_text}")
}

/// Returns the time a witness states, in seconds since 1970, when its cosignature (8-byte time, 64-byte signature) holds.
pub(crate) fn verify_cosignature(
    key: &VerifyingKey,
    checkpoint_text: &str,
    bytes: &[u8],
) -> Option<u64> {
    let (time, signature) = bytes.split_first_chunk::<8>()?;
    let seconds = u64::from_be_bytes(*time);
    let message = cosignature_message(seconds, checkpoint_text);
    verify_ed25519(key, message.as_bytes(), signature).then_some(seconds)
}
