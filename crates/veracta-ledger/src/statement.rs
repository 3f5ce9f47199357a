//! Statements about artefacts: [in-toto Statement v1](https://in-toto.io/Statement/v1) in a
//! [DSSE](https://github.com/secure-systems-lab/dsse) envelope.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Hash;
use crate::note::verify_ed25519;

/// Type that every statement states; another one is refused.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Payload type of an envelope around a statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Predicate type for how an artefact was made.
pub const SLSA_PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// A claim about artefacts, which are named by digest alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Always [`STATEMENT_TYPE`] once verified.
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What the claim is about.
    pub subject: Vec<ResourceDescriptor>,
    /// What kind of claim it is.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The claim, in the form that its predicate type defines.
    pub predicate: Value,
}

/// An artefact: a name for people and digests for matching.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceDescriptor {
    /// Name, not used for matching.
    pub name: String,
    /// Algorithm to lower-case hexadecimal digest.
    pub digest: BTreeMap<String, String>,
}

impl ResourceDescriptor {
    /// Names an artefact by its SHA-256.
    pub fn sha256(name: impl Into<String>, digest: Hash) -> Self {
        Self {
            name: name.into(),
            digest: BTreeMap::from([("sha256".to_owned(), digest.to_string())]),
        }
    }
}

/// A payload with signatures over its type and its bytes (DSSE).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The JSON bytes of the statement, in standard or URL-safe base64.
    pub payload: String,
    /// Type of the payload, [`PAYLOAD_TYPE`]; it is signed too.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// Signatures over the pre-authentication encoding.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeSignature {
    /// A hint only: it never selects trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyid: Option<String>,
    /// The Ed25519 signature, in standard or URL-safe base64.
    pub sig: String,
}

/// What is wrong with an envelope or its statement.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Not JSON of the expected form.
    #[error("malformed envelope or statement")]
    Malformed(#[from] serde_json::Error),
    /// Payload or signature is not base64.
    #[error("the {part} is not base64")]
    Base64 {
        /// Which part: `payload` or `signature`.
        part: &'static str,
    },
    /// Another payload or statement type.
    #[error("type `{found}` is not an in-toto statement")]
    OtherType {
        /// Type that the envelope or the statement states.
        found: String,
    },
    /// Fewer distinct trusted keys signed than asked for.
    #[error("{found} of {needed} needed keys have signed")]
    TooFewSigners {
        /// Distinct trusted keys with a good signature.
        found: usize,
        /// Distinct trusted keys asked for.
        needed: usize,
    },
}

/// Returns the DSSE pre-authentication encoding.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    bytes.extend(payload);
    bytes
}

fn decode_base64(text: &str, part: &'static str) -> Result<Vec<u8>, StatementError> {
    STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .map_err(|_| StatementError::Base64 { part })
}

impl Envelope {
    /// Signs a statement's JSON with one key; `key_hint` becomes the `keyid`.
    pub fn sign(
        statement: &Statement,
        key: &SigningKey,
        key_hint: &str,
    ) -> Result<Self, StatementError> {
        let payload = serde_json::to_vec(statement)?;
        let signature = key.sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload));
        Ok(Self {
            payload: STANDARD.encode(&payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![EnvelopeSignature {
                keyid: Some(key_hint.to_owned()),
                sig: STANDARD.encode(signature.to_bytes()),
            }],
        })
    }

    /// Returns the statement when at least `needed` distinct trusted keys signed the very bytes that are then parsed.
    pub fn verify(
        &self,
        trusted: &[VerifyingKey],
        needed: usize,
    ) -> Result<Statement, StatementError> {
        if self.payload_type != PAYLOAD_TYPE {
            return Err(StatementError::OtherType {
                found: self.payload_type.clone(),
            });
        }
        let payload = decode_base64(&self.payload, "payload")?;
        let message = pre_authentication_encoding(&self.payload_type, &payload);
        let mut signers = BTreeSet::new();
        for signature in &self.signatures {
            let bytes = decode_base64(&signature.sig, "signature")?;
            let signer = trusted
                .iter()
                .find(|key| verify_ed25519(key, &message, &bytes));
            signers.extend(signer.map(|key| key.to_bytes()));
        }
        if needed == 0 || signers.len() < needed {
            return Err(StatementError::TooFewSigners {
                found: signers.len(),
                needed,
            });
        }
        let statement: Statement = serde_json::from_slice(&payload)?;
        if statement.statement_type != STATEMENT_TYPE {
            return Err(StatementError::OtherType {
                found: statement.statement_type,
            });
        }
        Ok(statement)
    }
}
