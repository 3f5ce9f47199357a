//! Proves that a statement was recorded, unaltered, at a position in an append-only log, and checks such a proof offline.
//!
//! The log is a C2SP [tlog-tiles](https://c2sp.org/tlog-tiles) log: an RFC 6962 Merkle tree over small entries, cut into
//! tiles, whose head is a signed [checkpoint](https://c2sp.org/tlog-checkpoint). Everything here is a function of its
//! arguments: no disk, no network, no clock, and no knowledge of what a model is.
//!
//! ```
//! use veracta_ledger::merkle::{CompactRange, InclusionProof, leaf_hash, prove_inclusion};
//!
//! let leaves: Vec<_> = [b"a", b"b", b"c"].iter().map(|entry| leaf_hash(*entry)).collect();
//! let mut tree = CompactRange::default();
//! leaves.iter().for_each(|leaf| tree.append(*leaf));
//! let hashes = prove_inclusion(1, 3, &mut |level, idx| {
//!     assert_eq!((level, 3 > idx), (0, true));
//!     Ok::<_, std::convert::Infallible>(leaves[idx as usize])
//! });
//! let proof = InclusionProof { leaf_idx: 1, size: 3, hashes: hashes.unwrap() };
//! assert!(proof.verify(leaves[1], tree.root()).is_ok());
//! ```

pub mod archive;
pub mod bundle;
pub mod checkpoint;
pub mod entry;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod statement;
pub mod tile;
pub mod verify;

pub use merkle::Hash;
