//! The Merkle tree of RFC 6962 section 2.1 (same hashing in RFC 9162): leaf and node hashes, proofs and their checks.
//!
//! Proof *construction* is the recursive definition; proof *verification* is the iterative algorithm of RFC 9162
//! sections 2.1.3.2 and 2.1.4.2. They share no code, so each is a test of the other. Storage is the caller's: a tree is
//! read through a function from (level, position) to the hash of that complete subtree.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A SHA-256 digest; printed and parsed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Hash(pub [u8; 32]);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a SHA-256 digest of 64 lower-case hexadecimal digits")]
pub struct ParseHashError {
    /// The refused text, cut after 80 characters.
    pub text: String,
}

impl Hash {
    /// Returns SHA-256 of `bytes` alone, without the prefix of a leaf.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the first twelve hexadecimal digits, enough for a person to tell digests apart.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every entry holds digests: one table look-up a digit instead of the formatting machinery.
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseHashError {
            text: text.chars().take(80).collect(),
        };
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(refuse());
        }
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let (high, low) = nibble(pair[0]).zip(nibble(pair[1])).ok_or_else(refuse)?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Returns the hash of a leaf: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(
        Sha256::new()
            .chain_update([0])
            .chain_update(entry)
            .finalize()
            .into(),
    )
}

/// Returns the hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub(crate) fn node_hash(left: Hash, right: Hash) -> Hash {
    let mut block = [1; 65];
    block[1..33].copy_from_slice(&left.0);
    block[33..].copy_from_slice(&right.0);
    Hash::of(&block)
}

/// Returns the root of the tree without leaves: SHA-256 of the empty string.
pub fn empty_root() -> Hash {
    Hash::of(b"")
}

/// The right edge of a tree: the roots of its complete subtrees, widest first. At most 64 hashes whatever the size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    edge: Vec<Hash>,
}

impl CompactRange {
    /// Returns the number of leaves appended.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf hash; amortised one node hash a leaf.
    pub fn append(&mut self, leaf: Hash) {
        self.append_noting(leaf, &mut |_, _, _| {});
    }

    /// Appends one leaf hash and calls `note(level, position, hash)` for every complete subtree this closes, the leaf first.
    pub fn append_noting(&mut self, leaf: Hash, note: &mut dyn FnMut(u8, u64, Hash)) {
        let (mut hash, mut level, mut position) = (leaf, 0u8, self.size);
        note(level, position, hash);
        while position & 1 == 1 {
            let left = self
                .edge
                .pop()
                .expect("an odd position has a complete left sibling");
            hash = node_hash(left, hash);
            level += 1;
            position >>= 1;
            note(level, position, hash);
        }
        self.edge.push(hash);
        self.size += 1;
    }

    /// Returns the root of the tree so far.
    pub fn root(&self) -> Hash {
        let mut hashes = self.edge.iter().rev().copied();
        let Some(last) = hashes.next() else {
            return empty_root();
        };
        hashes.fold(last, |right, left| node_hash(left, right))
    }
}

/// Returns the largest power of two strictly smaller than `n_leaves`, which is at least 2.
fn split_point(n_leaves: u64) -> u64 {
    debug_assert!(n_leaves >= 2);
    1 << (63 - (n_leaves - 1).leading_zeros())
}

/// Reads the hash of the complete subtree of 2^level leaves at a position of that level.
pub(crate) type ReadNode<'a, E> = dyn FnMut(u8, u64) -> Result<Hash, E> + 'a;

/// Returns the root of the first `size` leaves of a tree read through `read`.
pub fn root_at<E>(size: u64, read: &mut ReadNode<'_, E>) -> Result<Hash, E> {
    if size == 0 {
        return Ok(empty_root());
    }
    range_root(0, size, read)
}

/// Returns the root over leaves `start..end`; `start` is a multiple of the smallest power of two that covers the range.
fn range_root<E>(start: u64, end: u64, read: &mut ReadNode<'_, E>) -> Result<Hash, E> {
    let n_leaves = end - start;
    if n_leaves.is_power_of_two() {
        let level = n_leaves.trailing_zeros();
        return read(level as u8, start >> level);
    }
    let middle = start + split_point(n_leaves);
    let left = range_root(start, middle, read)?;
    Ok(node_hash(left, range_root(middle, end, read)?))
}

/// Returns the sibling hashes from leaf to root (RFC 6962 section 2.1.1) of leaf `leaf_idx` in the tree of `size` leaves.
///
/// # Panics
/// When `leaf_idx` is not below `size`.
pub fn prove_inclusion<E>(
    leaf_idx: u64,
    size: u64,
    read: &mut ReadNode<'_, E>,
) -> Result<Vec<Hash>, E> {
    assert!(
        leaf_idx < size,
        "leaf {leaf_idx} is outside a tree of {size} leaves"
    );
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split_point(end - start);
        if leaf_idx < middle {
            path.push(range_root(middle, end, read)?);
            end = middle;
        } else {
            path.push(range_root(start, middle, read)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Returns the proof (RFC 6962 section 2.1.2) that the tree of `old_size` leaves is a prefix of the tree of `new_size`.
///
/// Empty when the sizes are equal or the old tree is empty.
///
/// # Panics
/// When `old_size` exceeds `new_size`.
pub fn prove_consistency<E>(
    old_size: u64,
    new_size: u64,
    read: &mut ReadNode<'_, E>,
) -> Result<Vec<Hash>, E> {
    assert!(
        old_size <= new_size,
        "a tree of {new_size} leaves has no prefix of {old_size}"
    );
    if old_size == 0 || old_size == new_size {
        return Ok(Vec::new());
    }
    let (mut start, mut end, mut path) = (0, new_size, Vec::new());
    let mut is_whole_old_tree = true;
    while old_size != end {
        let middle = start + split_point(end - start);
        if old_size <= middle {
            path.push(range_root(middle, end, read)?);
            end = middle;
        } else {
            path.push(range_root(start, middle, read)?);
            start = middle;
            is_whole_old_tree = false;
        }
    }
    if !is_whole_old_tree {
        path.push(range_root(start, end, read)?);
    }
    path.reverse();
    Ok(path)
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The position is not inside the tree.
    #[error("leaf {leaf_idx} is outside a tree of {size} leaves")]
    OutsideTree {
        /// Position of the leaf that was asked for, counted from 0.
        leaf_idx: u64,
        /// Number of leaves in the tree.
        size: u64,
    },
    /// The old tree is larger than the new one.
    #[error("a tree of {new_size} leaves cannot extend one of {old_size}")]
    Shrunk {
        /// Leaves in the older tree.
        old_size: u64,
        /// Leaves in the newer tree.
        new_size: u64,
    },
    /// Too few or too many hashes for the sizes.
    #[error("the proof has {n_hashes} hashes, which does not fit the sizes")]
    WrongLength {
        /// Number of hashes in the proof.
        n_hashes: usize,
    },
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    WrongRoot,
}

/// A claim that a leaf stands at a position of a tree (RFC 6962 section 2.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Zero-based position of the leaf.
    pub leaf_idx: u64,
    /// Number of leaves in the tree that the proof is of.
    pub size: u64,
    /// Sibling hashes, leaf to root.
    pub hashes: Vec<Hash>,
}

impl InclusionProof {
    /// Checks the claim against a leaf hash and a root (RFC 9162 section 2.1.3.2).
    pub fn verify(&self, leaf: Hash, root: Hash) -> Result<(), ProofError> {
        if self.leaf_idx >= self.size {
            return Err(ProofError::OutsideTree {
                leaf_idx: self.leaf_idx,
                size: self.size,
            });
        }
        let wrong_length = ProofError::WrongLength {
            n_hashes: self.hashes.len(),
        };
        let (mut position, mut last, mut hash) = (self.leaf_idx, self.size - 1, leaf);
        for sibling in &self.hashes {
            if last == 0 {
                return Err(wrong_length);
            }
            if position & 1 == 1 || position == last {
                hash = node_hash(*sibling, hash);
                while position & 1 == 0 && position != 0 {
                    position >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node_hash(hash, *sibling);
            }
            position >>= 1;
            last >>= 1;
        }
        if last != 0 {
            return Err(wrong_length);
        }
        if hash == root {
            Ok(())
        } else {
            Err(ProofError::WrongRoot)
        }
    }
}

/// A claim that one tree is a prefix of another (RFC 6962 section 2.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Leaves in the older tree.
    pub old_size: u64,
    /// Leaves in the newer tree.
    pub new_size: u64,
    /// Hashes in the order of RFC 6962.
    pub hashes: Vec<Hash>,
}

impl ConsistencyProof {
    /// Checks the claim against the two roots (RFC 9162 section 2.1.4.2).
    pub fn verify(&self, old_root: Hash, new_root: Hash) -> Result<(), ProofError> {
        let Self {
            old_size,
            new_size,
            ref hashes,
        } = *self;
        let wrong_length = ProofError::WrongLength {
            n_hashes: hashes.len(),
        };
        if old_size > new_size {
            return Err(ProofError::Shrunk { old_size, new_size });
        }
        if old_size == 0 || old_size == new_size {
            if !hashes.is_empty() {
                return Err(wrong_length);
            }
            let is_empty = |size: u64, root: Hash| size != 0 || root == empty_root();
            let roots_agree = (old_size != new_size || old_root == new_root)
                && is_empty(old_size, old_root)
                && is_empty(new_size, new_root);
            return if roots_agree {
                Ok(())
            } else {
                Err(ProofError::WrongRoot)
            };
        }
        // A complete old tree is itself the first node of the path.
        let mut path = hashes.iter().copied();
        let first = if old_size.is_power_of_two() {
            Some(old_root)
        } else {
            path.next()
        };
        let Some(first) = first else {
            return Err(wrong_length);
        };
        let (mut position, mut last) = (old_size - 1, new_size - 1);
        while position & 1 == 1 {
            position >>= 1;
            last >>= 1;
        }
        let (mut old, mut new) = (first, first);
        for hash in path {
            if last == 0 {
                return Err(wrong_length);
            }
            if position & 1 == 1 || position == last {
                old = node_hash(hash, old);
                new = node_hash(hash, new);
                while position & 1 == 0 && position != 0 {
                    position >>= 1;
                    last >>= 1;
                }
            } else {
                new = node_hash(new, hash);
            }
            position >>= 1;
            last >>= 1;
        }
        if last != 0 {
            return Err(wrong_length);
        }
        if old == old_root && new == new_root {
            Ok(())
        } else {
            Err(ProofError::WrongRoot)
        }
    }
}
