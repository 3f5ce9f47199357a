//! C2SP [`.tlog-proof`](https://c2sp.org/tlog-proof) files: the receipt that one entry stands in one log.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::merkle::{Hash, InclusionProof, ProofError, leaf_hash};
use crate::note::VerifierKey;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Longest receipt read, in bytes: 64 hash lines of 45 bytes and a checkpoint.
pub const PROOF_BYTES_LIMIT: usize = 1 << 20;

/// A receipt: where the entry stands, the path to the root, and the signed checkpoint with that root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Zero-based position of the entry.
    pub leaf_idx: u64,
    /// Sibling hashes, leaf to root.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, as published.
    pub checkpoint: String,
}

/// What is wrong with a receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Not a version 1 receipt.
    #[error("malformed tlog-proof: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The checkpoint inside does not hold.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the entry to the root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl TlogProof {
    /// Reads a receipt. An `extra` line is refused: it is not authenticated, and nothing here writes one.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        let refuse = |reason| TlogProofError::Malformed { reason };
        if bytes.len() > PROOF_BYTES_LIMIT {
            return Err(refuse("it is over the size limit"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| refuse("not UTF-8"))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(refuse("no blank line before the checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(refuse("the first line is not c2sp.org/tlog-proof@v1"));
        }
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .ok_or(refuse("no index line"))?;
        let leaf_idx: u64 = index
            .parse()
            .map_err(|_| refuse("the index is not a number"))?;
        if leaf_idx.to_string() != index {
            return Err(refuse("the index is not in canonical decimal form"));
        }
        let mut hashes = Vec::new();
        for line in lines {
            let hash = STANDARD
                .decode(line)
                .ok()
                .and_then(|bytes| bytes.try_into().ok());
            hashes.push(Hash(
                hash.ok_or(refuse("a line that is not a base64 hash"))?,
            ));
        }
        if hashes.len() > 64 {
            return Err(refuse("more than 64 hashes"));
        }
        Ok(Self {
            leaf_idx,
            hashes,
            checkpoint: checkpoint.to_owned(),
        })
    }

    /// Checks the receipt for `entry` against the log's key and returns the checkpoint it leads to.
    pub fn verify(
        &self,
        entry: &[u8],
        log_key: &VerifierKey,
    ) -> Result<Checkpoint, TlogProofError> {
        let (checkpoint, _) = Checkpoint::open(self.checkpoint.as_bytes(), log_key)?;
        let proof = InclusionProof {
            leaf_idx: self.leaf_idx,
            size: checkpoint.size,
            hashes: self.hashes.clone(),
        };
        proof.verify(leaf_hash(entry), checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl std::fmt::Display for TlogProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{HEADER}\nindex {}", self.leaf_idx)?;
        for hash in &self.hashes {
            writeln!(f, "{}", STANDARD.encode(hash.0))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
