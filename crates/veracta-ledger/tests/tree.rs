//! Proves that roots and proofs are those of RFC 6962: against its recursive definition, against vectors of Certificate
//! Transparency, and hash by hash against `tlog_tiles`.

use std::convert::Infallible;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use sha2::{Digest, Sha256};
use tlog_tiles::tlog;
use veracta_ledger::merkle::{
    CompactRange, ConsistencyProof, Hash, InclusionProof, ProofError, empty_root, leaf_hash,
    prove_consistency, prove_inclusion, root_at,
};

/// Sizes around the width of one tile and of one tile of tiles.
const EDGE_SIZES: [u64; 6] = [255, 256, 257, 65_535, 65_536, 65_537];
/// Every leaf and every pair of sizes is tried up to here.
const EXHAUSTIVE_SIZE: u64 = 130;
/// Every size is compared with an oracle up to here.
const COMPARED_SIZE: u64 = 300;

/// One tree that all tests read; a smaller tree is a prefix of it.
static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::grow(65_537));

struct Tree {
    /// Hashes of the complete subtrees, by level.
    levels: Vec<Vec<Hash>>,
    /// Roots by size.
    roots: Vec<Hash>,
}

impl Tree {
    fn grow(size: u64) -> Self {
        let mut levels: Vec<Vec<Hash>> = vec![Vec::new(); 64];
        let mut range = CompactRange::default();
        let mut roots = vec![range.root()];
        for idx in 0..size {
            range.append_noting(leaf_hash(&entry(idx)), &mut |level, position, hash| {
                let level = &mut levels[usize::from(level)];
                assert_eq!(
                    level.len() as u64,
                    position,
                    "subtrees are noted in order and once"
                );
                level.push(hash);
            });
            roots.push(range.root());
        }
        assert_eq!(range.size(), size);
        Self { levels, roots }
    }
}

fn entry(idx: u64) -> Vec<u8> {
    format!("entry {idx}").into_bytes()
}

fn leaf_at(idx: u64) -> Hash {
    TREE.levels[0][idx as usize]
}

fn root_of(size: u64) -> Hash {
    TREE.roots[size as usize]
}

/// Reads the tree of `size` leaves; a node that this tree does not have fails the test.
fn reader(size: u64) -> impl FnMut(u8, u64) -> Result<Hash, Infallible> {
    move |level, position| {
        let end = (position + 1) << level;
        assert!(
            end <= size,
            "a tree of {size} leaves has no complete subtree {position} at level {level}"
        );
        Ok(TREE.levels[usize::from(level)][position as usize])
    }
}

fn inclusion(leaf_idx: u64, size: u64) -> InclusionProof {
    let Ok(hashes) = prove_inclusion(leaf_idx, size, &mut reader(size));
    InclusionProof {
        leaf_idx,
        size,
        hashes,
    }
}

fn consistency(old_size: u64, new_size: u64) -> ConsistencyProof {
    let Ok(hashes) = prove_consistency(old_size, new_size, &mut reader(new_size));
    ConsistencyProof {
        old_size,
        new_size,
        hashes,
    }
}

/// Returns `hashes` with each one dropped in turn, and with one more at each end.
fn wrong_lengths(hashes: &[Hash]) -> Vec<Vec<Hash>> {
    let more = leaf_hash(b"one hash too many");
    let mut altered = vec![
        [hashes, &[more][..]].concat(),
        [&[more][..], hashes].concat(),
    ];
    for dropped in 0..hashes.len() {
        altered.push([&hashes[..dropped], &hashes[dropped + 1..]].concat());
    }
    altered
}

fn check_inclusion(leaf_idx: u64, size: u64) {
    let proof = inclusion(leaf_idx, size);
    let (leaf, root, other) = (leaf_at(leaf_idx), root_of(size), leaf_hash(b"never logged"));
    assert_eq!(
        proof.verify(leaf, root),
        Ok(()),
        "leaf {leaf_idx} of {size}"
    );
    assert_eq!(
        proof.verify(other, root),
        Err(ProofError::WrongRoot),
        "another leaf at {leaf_idx} of {size}"
    );
    assert_eq!(
        proof.verify(leaf, other),
        Err(ProofError::WrongRoot),
        "leaf {leaf_idx} of {size}, another root"
    );
    for hashes in wrong_lengths(&proof.hashes) {
        let expected = Err(ProofError::WrongLength {
            n_hashes: hashes.len(),
        });
        let altered = InclusionProof {
            leaf_idx,
            size,
            hashes,
        };
        assert_eq!(
            altered.verify(leaf, root),
            expected,
            "leaf {leaf_idx} of {size}, {} hashes",
            altered.hashes.len()
        );
    }
    for outside in [size, size + 1, u64::MAX] {
        let altered = InclusionProof {
            leaf_idx: outside,
            size,
            hashes: proof.hashes.clone(),
        };
        assert_eq!(
            altered.verify(leaf, root),
            Err(ProofError::OutsideTree {
                leaf_idx: outside,
                size
            })
        );
    }
    for elsewhere in [(leaf_idx + 1) % size, (leaf_idx + size - 1) % size] {
        let altered = InclusionProof {
            leaf_idx: elsewhere,
            size,
            hashes: proof.hashes.clone(),
        };
        assert_eq!(
            altered.verify(leaf, root).is_ok(),
            elsewhere == leaf_idx,
            "leaf {leaf_idx} of {size} at {elsewhere}"
        );
    }
}

fn check_consistency(old_size: u64, new_size: u64) {
    assert!(old_size > 0, "the empty tree has rules of its own");
    let proof = consistency(old_size, new_size);
    let (old_root, new_root, other) = (
        root_of(old_size),
        root_of(new_size),
        leaf_hash(b"never a root"),
    );
    assert_eq!(
        proof.verify(old_root, new_root),
        Ok(()),
        "{old_size} in {new_size}"
    );
    assert_eq!(
        proof.verify(other, new_root),
        Err(ProofError::WrongRoot),
        "{old_size} in {new_size}, old root"
    );
    assert_eq!(
        proof.verify(old_root, other),
        Err(ProofError::WrongRoot),
        "{old_size} in {new_size}, new root"
    );
    for hashes in wrong_lengths(&proof.hashes) {
        let expected = Err(ProofError::WrongLength {
            n_hashes: hashes.len(),
        });
        let altered = ConsistencyProof {
            old_size,
            new_size,
            hashes,
        };
        assert_eq!(
            altered.verify(old_root, new_root),
            expected,
            "{old_size} in {new_size}"
        );
    }
    let backwards = ConsistencyProof {
        old_size: new_size + 1,
        new_size,
        hashes: proof.hashes,
    };
    let shrunk = ProofError::Shrunk {
        old_size: new_size + 1,
        new_size,
    };
    assert_eq!(backwards.verify(old_root, new_root), Err(shrunk));
}

/// The definition of RFC 6962 section 2.1, with its own hashing.
fn defined_root(entries: &[Vec<u8>]) -> [u8; 32] {
    let sha256 = |parts: &[&[u8]]| -> [u8; 32] { Sha256::digest(parts.concat()).into() };
    match entries {
        [] => sha256(&[]),
        [only] => sha256(&[&[0], only]),
        _ => {
            let middle = entries.len().next_power_of_two() / 2;
            sha256(&[
                &[1],
                &defined_root(&entries[..middle]),
                &defined_root(&entries[middle..]),
            ])
        }
    }
}

#[test]
fn every_root_is_the_one_of_the_definition() {
    let entries: Vec<Vec<u8>> = (0..COMPARED_SIZE).map(entry).collect();
    for size in 0..=COMPARED_SIZE {
        let expected = Hash(defined_root(&entries[..size as usize]));
        assert_eq!(root_of(size), expected, "compact range of {size}");
        let Ok(read) = root_at(size, &mut reader(size));
        assert_eq!(read, expected, "root of {size} read from nodes");
    }
}

/// Entries and roots of the test data of github.com/google/certificate-transparency (`merkle_tree_test.cc`).
#[test]
fn roots_are_those_of_certificate_transparency() {
    let vectors: [(&[u8], &str); 8] = [
        (
            &[],
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        ),
        (
            &[0x00],
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        ),
        (
            &[0x10],
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        ),
        (
            &[0x20, 0x21],
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
        (
            &[0x30, 0x31],
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        ),
        (
            &[0x40, 0x41, 0x42, 0x43],
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        ),
        (
            b"PQRSTUVW",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        ),
        (
            b"`abcdefghijklmno",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ),
    ];
    let mut range = CompactRange::default();
    assert_eq!(
        range.root().to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (entry, expected) in vectors {
        range.append(leaf_hash(entry));
        assert_eq!(
            range.root().to_string(),
            expected,
            "{} leaves",
            range.size()
        );
    }
}

#[test]
fn every_inclusion_proof_holds_and_no_altered_one_does() {
    for size in 1..=EXHAUSTIVE_SIZE {
        (0..size).for_each(|leaf_idx| check_inclusion(leaf_idx, size));
    }
}

#[test]
fn every_consistency_proof_holds_and_no_altered_one_does() {
    for new_size in 1..=EXHAUSTIVE_SIZE {
        (1..=new_size).for_each(|old_size| check_consistency(old_size, new_size));
    }
}

#[test]
fn proofs_hold_at_the_edges_of_tiles() {
    for (position, size) in EDGE_SIZES.into_iter().enumerate() {
        [0, size / 2, size - 1]
            .into_iter()
            .for_each(|leaf_idx| check_inclusion(leaf_idx, size));
        EDGE_SIZES[..=position]
            .iter()
            .for_each(|old_size| check_consistency(*old_size, size));
    }
}

#[test]
fn an_empty_tree_is_a_prefix_of_every_tree() {
    for new_size in 0..=EXHAUSTIVE_SIZE {
        let proof = consistency(0, new_size);
        assert!(proof.hashes.is_empty(), "0 in {new_size}");
        assert_eq!(proof.verify(empty_root(), root_of(new_size)), Ok(()));
        assert_eq!(
            proof.verify(leaf_at(0), root_of(new_size)),
            Err(ProofError::WrongRoot)
        );
        let altered = ConsistencyProof {
            hashes: vec![leaf_at(0)],
            ..proof
        };
        let expected = Err(ProofError::WrongLength { n_hashes: 1 });
        assert_eq!(altered.verify(empty_root(), root_of(new_size)), expected);
    }
}

#[test]
fn a_tree_is_a_prefix_of_itself_without_hashes() {
    for size in 1..=EXHAUSTIVE_SIZE {
        let proof = consistency(size, size);
        assert!(proof.hashes.is_empty(), "{size} in {size}");
        assert_eq!(proof.verify(root_of(size), root_of(size)), Ok(()));
    }
}

#[test]
fn a_proof_of_nothing_holds_nothing() {
    let proof = InclusionProof {
        leaf_idx: 0,
        size: 0,
        hashes: Vec::new(),
    };
    assert_eq!(
        proof.verify(leaf_at(0), empty_root()),
        Err(ProofError::OutsideTree {
            leaf_idx: 0,
            size: 0
        })
    );
    // The largest sizes and positions stay inside 64 bits.
    let proof = InclusionProof {
        leaf_idx: u64::MAX - 1,
        size: u64::MAX,
        hashes: vec![leaf_at(0); 3],
    };
    assert_eq!(
        proof.verify(leaf_at(0), root_of(1)),
        Err(ProofError::WrongLength { n_hashes: 3 })
    );
}

/// Hashes in the storage order of `tlog_tiles`.
struct Oracle(Vec<tlog::Hash>);

impl tlog::HashReader for Oracle {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|idx| self.0[*idx as usize]).collect())
    }
}

impl Oracle {
    fn grow(size: u64) -> Self {
        let mut oracle = Self(Vec::new());
        for idx in 0..size {
            let hashes = tlog::stored_hashes(idx, &entry(idx), &oracle)
                .expect("the oracle has all earlier hashes");
            oracle.0.extend(hashes);
        }
        oracle
    }
}

fn theirs(hashes: &[Hash]) -> Vec<tlog::Hash> {
    hashes.iter().map(|hash| tlog::Hash(hash.0)).collect()
}

fn compare_inclusion(oracle: &Oracle, leaf_idx: u64, size: u64) {
    let ours = theirs(&inclusion(leaf_idx, size).hashes);
    let expected = tlog::prove_record(size, leaf_idx, oracle).expect("the leaf is in the tree");
    assert_eq!(ours, expected, "inclusion of {leaf_idx} in {size}");
    let (root, leaf) = (tlog::Hash(root_of(size).0), tlog::Hash(leaf_at(leaf_idx).0));
    assert!(
        tlog::check_record(&ours, size, root, leaf_idx, leaf).is_ok(),
        "inclusion of {leaf_idx} in {size}"
    );
}

fn compare_consistency(oracle: &Oracle, old_size: u64, new_size: u64) {
    let ours = theirs(&consistency(old_size, new_size).hashes);
    let expected = tlog::prove_tree(new_size, old_size, oracle)
        .expect("the old tree is not empty and not larger");
    assert_eq!(ours, expected, "{old_size} in {new_size}");
    let (old_root, new_root) = (
        tlog::Hash(root_of(old_size).0),
        tlog::Hash(root_of(new_size).0),
    );
    assert!(
        tlog::check_tree(&ours, new_size, new_root, old_size, old_root).is_ok(),
        "{old_size} in {new_size}"
    );
}

#[test]
fn roots_and_proofs_are_those_of_tlog_tiles_at_every_small_size() {
    let oracle = Oracle::grow(COMPARED_SIZE);
    for size in 1..=COMPARED_SIZE {
        let expected = tlog::tree_hash(size, &oracle).expect("the oracle has the tree");
        assert_eq!(root_of(size).0, expected.0, "root of {size}");
        (0..size).for_each(|leaf_idx| compare_inclusion(&oracle, leaf_idx, size));
        (1..=size).for_each(|old_size| compare_consistency(&oracle, old_size, size));
    }
}

#[test]
fn roots_and_proofs_are_those_of_tlog_tiles_at_the_edges_of_tiles() {
    let oracle = Oracle::grow(65_537);
    for (position, size) in EDGE_SIZES.into_iter().enumerate() {
        let expected = tlog::tree_hash(size, &oracle).expect("the oracle has the tree");
        assert_eq!(root_of(size).0, expected.0, "root of {size}");
        [0, 254, size / 2, size - 1]
            .into_iter()
            .for_each(|leaf_idx| compare_inclusion(&oracle, leaf_idx, size));
        EDGE_SIZES[..=position]
            .iter()
            .for_each(|old_size| compare_consistency(&oracle, *old_size, size));
    }
}

/// Flips bit `bit` of a list of hashes, counted from the first bit of the first.
fn flip(hashes: &mut [Hash], bit: usize) {
    hashes[bit / 256].0[bit % 256 / 8] ^= 1u8 << (bit % 8);
}

proptest! {
    #[test]
    fn one_flipped_bit_refuses_an_inclusion_proof(size in 2u64..=1_000, leaf in any::<Index>(), bit in any::<Index>()) {
        let leaf_idx = leaf.index(size as usize) as u64;
        let mut proof = inclusion(leaf_idx, size);
        let n_bits = proof.hashes.len() * 256;
        flip(&mut proof.hashes, bit.index(n_bits));
        prop_assert_eq!(proof.verify(leaf_at(leaf_idx), root_of(size)), Err(ProofError::WrongRoot));
    }

    #[test]
    fn one_flipped_bit_refuses_a_consistency_proof(size in 2u64..=1_000, old in any::<Index>(), bit in any::<Index>()) {
        let old_size = 1 + old.index(size as usize - 1) as u64;
        let mut proof = consistency(old_size, size);
        let n_bits = proof.hashes.len() * 256;
        flip(&mut proof.hashes, bit.index(n_bits));
        prop_assert_eq!(proof.verify(root_of(old_size), root_of(size)), Err(ProofError::WrongRoot));
    }
}
