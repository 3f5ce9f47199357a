//! Proves that checkpoints, cosignatures and receipts hold, and that no altered or foreign one does.

use std::convert::Infallible;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;
use tlog_tiles::checkpoint::Checkpoint as OracleCheckpoint;
use veracta_ledger::checkpoint::{Checkpoint, CheckpointError, Cosignature, cosignatures};
use veracta_ledger::merkle::{CompactRange, Hash, ProofError, leaf_hash, prove_inclusion};
use veracta_ledger::note::{
    KeyType, NoteError, NoteSignature, SignedNote, VerifierKey, cosignature_message,
};
use veracta_ledger::proof::{PROOF_BYTES_LIMIT, TlogProof, TlogProofError};
use veracta_ledger::tile::subtree_root;

const ORIGIN: &str = "log.example/veracta";
/// The example of the tlog-checkpoint specification.
const PUBLISHED: &str =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const ENTRIES: [&[u8]; 5] = [b"zero", b"one", b"two", b"three", b"four"];

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn vkey(name: &str, key_type: KeyType, seed: u8) -> VerifierKey {
    VerifierKey::new(name, key_type, key(seed).verifying_key()).expect("a plain name")
}

fn log_key() -> VerifierKey {
    vkey(ORIGIN, KeyType::Ed25519, 1)
}

fn head() -> Checkpoint {
    let mut tree = CompactRange::default();
    ENTRIES
        .iter()
        .for_each(|entry| tree.append(leaf_hash(entry)));
    Checkpoint {
        origin: ORIGIN.to_owned(),
        size: tree.size(),
        root: tree.root(),
    }
}

fn signed_head() -> SignedNote {
    head().sign(&key(1)).expect("a plain origin")
}

#[test]
fn the_published_checkpoint_reads_back() {
    let checkpoint = Checkpoint::parse(PUBLISHED).expect("a published checkpoint");
    assert_eq!(
        (checkpoint.origin.as_str(), checkpoint.size),
        ("example.com/behind-the-sofa", 20_852_163)
    );
    assert!(
        checkpoint.root.to_string().starts_with("0ac5186a"),
        "{}",
        checkpoint.root
    );
    assert_eq!(checkpoint.to_text(), PUBLISHED);
}

#[test]
fn a_checkpoint_in_another_form_is_refused() {
    let forms = [
        ("nothing", String::new()),
        ("no newline at the end", PUBLISHED.trim_end().to_owned()),
        (
            "a line missing",
            "example.com/behind-the-sofa\n20852163\n".to_owned(),
        ),
        ("an extension line", format!("{PUBLISHED}extension\n")),
        ("a blank line", format!("{PUBLISHED}\n")),
        ("a blank line first", format!("\n{PUBLISHED}")),
        (
            "no origin",
            PUBLISHED.replace("example.com/behind-the-sofa", ""),
        ),
        ("a leading zero", PUBLISHED.replace("\n2", "\n02")),
        ("a plus", PUBLISHED.replace("\n2", "\n+2")),
        ("a negative size", PUBLISHED.replace("\n2", "\n-2")),
        ("a space before the size", PUBLISHED.replace("\n2", "\n 2")),
        ("a space after the size", PUBLISHED.replace("3\n", "3 \n")),
        ("a hexadecimal size", PUBLISHED.replace("\n2", "\n0x2")),
        ("no size", PUBLISHED.replace("20852163", "")),
        (
            "a size over 64 bits",
            PUBLISHED.replace("20852163", "18446744073709551616"),
        ),
        ("no padding", PUBLISHED.replace('=', "")),
        ("trailing bits", PUBLISHED.replace("q2I=", "q2J=")),
        ("a short root", PUBLISHED.replace("q2I=", "")),
        ("a long root", PUBLISHED.replace("q2I=", "q2IA")),
        ("a hexadecimal root", format!("log\n0\n{}\n", Hash::of(b""))),
        ("carriage returns", PUBLISHED.replace('\n', "\r\n")),
    ];
    for (form, text) in forms {
        let found = Checkpoint::parse(&text);
        assert!(
            matches!(found, Err(CheckpointError::Malformed { .. })),
            "{form}: {found:?}"
        );
    }
}

fn check_open(note: &SignedNote, key: &VerifierKey, expected: Result<Checkpoint, CheckpointError>) {
    let found =
        Checkpoint::open(note.to_string().as_bytes(), key).map(|(checkpoint, _)| checkpoint);
    assert_eq!(found, expected, "{note}");
}

#[test]
fn a_checkpoint_opens_with_the_key_of_its_log_only() {
    check_open(&signed_head(), &log_key(), Ok(head()));
    let unknown = || Err(CheckpointError::Note(NoteError::NoKnownSignature));
    check_open(
        &signed_head(),
        &vkey(ORIGIN, KeyType::Ed25519, 2),
        unknown(),
    );
    check_open(
        &signed_head(),
        &vkey(ORIGIN, KeyType::Cosignature, 1),
        unknown(),
    );
    let other = CheckpointError::OtherLog {
        found: ORIGIN.to_owned(),
        expected: "log.example/other".to_owned(),
    };
    check_open(
        &signed_head(),
        &vkey("log.example/other", KeyType::Ed25519, 1),
        Err(other),
    );
    // The log's key has signed, but the text speaks for another log.
    let text = head().to_text().replace(ORIGIN, "log.example/other");
    let foreign = SignedNote::sign(text, ORIGIN, &key(1)).expect("a plain text");
    let other = CheckpointError::OtherLog {
        found: "log.example/other".to_owned(),
        expected: ORIGIN.to_owned(),
    };
    check_open(&foreign, &log_key(), Err(other));
    // The log's key has signed, but something else.
    let manifest = SignedNote::sign("veracta evidence bundle v1\n".to_owned(), ORIGIN, &key(1))
        .expect("a plain text");
    let found = Checkpoint::open(manifest.to_string().as_bytes(), &log_key());
    assert!(
        matches!(found, Err(CheckpointError::Malformed { .. })),
        "{found:?}"
    );
}

#[test]
fn one_flipped_bit_anywhere_refuses_a_checkpoint() {
    let note = signed_head().to_string().into_bytes();
    for bit in 0..note.len() * 8 {
        let mut altered = note.clone();
        altered[bit / 8] ^= 1u8 << (bit % 8);
        assert!(
            Checkpoint::open(&altered, &log_key()).is_err(),
            "byte {}, bit {}",
            bit / 8,
            bit % 8
        );
    }
}

/// Returns a cosignature as a witness makes it.
fn cosign(text: &str, witness: &str, seed: u8, seconds: u64) -> NoteSignature {
    let key_id = vkey(witness, KeyType::Cosignature, seed).key_id();
    let signature = key(seed).sign(cosignature_message(seconds, text).as_bytes());
    let bytes = [&seconds.to_be_bytes()[..], &signature.to_bytes()[..]].concat();
    NoteSignature {
        name: witness.to_owned(),
        key_id,
        bytes,
    }
}

fn check_cosigned(
    added: NoteSignature,
    witnesses: &[VerifierKey],
    expected: Result<&[Cosignature], NoteError>,
) {
    let mut note = signed_head();
    note.signatures.push(added);
    check_open(&note, &log_key(), Ok(head()));
    assert_eq!(
        cosignatures(&note, witnesses),
        expected.map(<[Cosignature]>::to_vec),
        "{note}"
    );
}

#[test]
fn a_witness_signs_the_time_and_the_whole_checkpoint() {
    let expected = format!("cosignature/v1\ntime 1679315147\n{PUBLISHED}");
    assert_eq!(cosignature_message(1_679_315_147, PUBLISHED), expected);
}

#[test]
fn a_cosignature_counts_when_its_witness_is_known() {
    let witness = vkey("witness.example", KeyType::Cosignature, 2);
    let stated = |seconds| Cosignature {
        witness: "witness.example".to_owned(),
        seconds,
    };
    let text = head().to_text();
    for seconds in [0, 1_679_315_147, u64::MAX] {
        let added = cosign(&text, "witness.example", 2, seconds);
        check_cosigned(
            added.clone(),
            std::slice::from_ref(&witness),
            Ok(&[stated(seconds)]),
        );
        check_cosigned(added, &[log_key(), witness.clone()], Ok(&[stated(seconds)]));
    }
    let added = cosign(&text, "witness.example", 2, 7);
    check_cosigned(added.clone(), &[], Ok(&[]));
    check_cosigned(
        added.clone(),
        &[vkey("witness.example", KeyType::Cosignature, 3)],
        Ok(&[]),
    );
    check_cosigned(
        added.clone(),
        &[vkey("other.example", KeyType::Cosignature, 2)],
        Ok(&[]),
    );
    // A key of another type is another key.
    check_cosigned(
        added,
        &[vkey("witness.example", KeyType::Ed25519, 2)],
        Ok(&[]),
    );
}

#[test]
fn a_wrong_cosignature_by_a_known_witness_is_refused() {
    let witness = vkey("witness.example", KeyType::Cosignature, 2);
    let wrong = || {
        Err(NoteError::WrongSignature {
            name: "witness.example".to_owned(),
        })
    };
    let good = cosign(&head().to_text(), "witness.example", 2, 7);
    for position in 0..good.bytes.len() {
        let mut altered = good.clone();
        altered.bytes[position] ^= 1;
        check_cosigned(altered, std::slice::from_ref(&witness), wrong());
    }
    // Over another checkpoint, over the text without time, and cut short.
    let plain = key(2).sign(head().to_text().as_bytes()).to_bytes();
    let forms = [
        cosign(PUBLISHED, "witness.example", 2, 7),
        NoteSignature {
            bytes: plain.to_vec(),
            ..good.clone()
        },
        NoteSignature {
            bytes: [&[0u8; 8][..], &plain[..]].concat(),
            ..good.clone()
        },
        NoteSignature {
            bytes: good.bytes[..71].to_vec(),
            ..good.clone()
        },
        NoteSignature {
            bytes: good.bytes[..7].to_vec(),
            ..good
        },
    ];
    for altered in forms {
        check_cosigned(altered, std::slice::from_ref(&witness), wrong());
    }
}

fn receipt(leaf_idx: u64) -> TlogProof {
    let leaves: Vec<Hash> = ENTRIES.iter().map(|entry| leaf_hash(entry)).collect();
    let Ok(hashes) = prove_inclusion(leaf_idx, leaves.len() as u64, &mut |level, position| {
        let (start, end) = (position << level, (position + 1) << level);
        Ok::<_, Infallible>(subtree_root(&leaves[start as usize..end as usize]))
    });
    TlogProof {
        leaf_idx,
        hashes,
        checkpoint: signed_head().to_string(),
    }
}

#[test]
fn a_receipt_holds_for_its_entry_only() {
    for (leaf_idx, entry) in ENTRIES.into_iter().enumerate() {
        let receipt = receipt(leaf_idx as u64);
        assert_eq!(
            TlogProof::parse(receipt.to_string().as_bytes()),
            Ok(receipt.clone())
        );
        assert_eq!(receipt.verify(entry, &log_key()), Ok(head()));
        for other in ENTRIES.into_iter().filter(|other| *other != entry) {
            assert_eq!(
                receipt.verify(other, &log_key()),
                Err(TlogProofError::Proof(ProofError::WrongRoot)),
                "entry {leaf_idx}"
            );
        }
        let stranger = receipt.verify(entry, &vkey(ORIGIN, KeyType::Ed25519, 2));
        let unknown = CheckpointError::Note(NoteError::NoKnownSignature);
        assert_eq!(stranger, Err(TlogProofError::Checkpoint(unknown)));
    }
}

#[test]
fn one_flipped_bit_anywhere_refuses_a_receipt() {
    let receipt = receipt(3).to_string().into_bytes();
    for bit in 0..receipt.len() * 8 {
        let mut altered = receipt.clone();
        altered[bit / 8] ^= 1u8 << (bit % 8);
        let found =
            TlogProof::parse(&altered).and_then(|receipt| receipt.verify(b"three", &log_key()));
        assert!(found.is_err(), "byte {}, bit {}", bit / 8, bit % 8);
    }
}

#[test]
fn a_receipt_in_another_form_is_refused() {
    let good = receipt(3).to_string();
    let hash_line = format!("{}\n", STANDARD.encode(receipt(3).hashes[0].0));
    assert!(good.contains(&hash_line), "{good}");
    let forms = [
        ("nothing", String::new()),
        ("another version", good.replacen("@v1", "@v2", 1)),
        ("a line before the header", format!("\n{good}")),
        (
            "an extra line",
            good.replacen("index", "extra AAAA\nindex", 1),
        ),
        ("no index", good.replacen("index 3\n", "", 1)),
        (
            "an index with a zero",
            good.replacen("index 3", "index 03", 1),
        ),
        (
            "an index with a plus",
            good.replacen("index 3", "index +3", 1),
        ),
        (
            "an index over 64 bits",
            good.replacen("index 3", "index 18446744073709551616", 1),
        ),
        ("two spaces", good.replacen("index 3", "index  3", 1)),
        ("a hash without padding", good.replacen("=\n", "\n", 1)),
        (
            "a hash in hexadecimal",
            good.replacen(&hash_line, &format!("{}\n", receipt(3).hashes[0]), 1),
        ),
        ("half a hash", good.replacen(&hash_line, "AAAA\n", 1)),
        ("carriage returns", good.replace('\n', "\r\n")),
        ("no blank line", good.replace("\n\n", "\n")),
        (
            "65 hashes",
            good.replacen(&hash_line, &hash_line.repeat(63), 1),
        ),
        ("too many bytes", good + &"\n".repeat(PROOF_BYTES_LIMIT)),
    ];
    for (form, text) in forms {
        let found = TlogProof::parse(text.as_bytes());
        assert!(
            matches!(found, Err(TlogProofError::Malformed { .. })),
            "{form}: {found:?}"
        );
    }
}

proptest! {
    #[test]
    fn a_checkpoint_is_that_of_tlog_tiles(origin in "[!-~]{1,40}", size in any::<u64>(), root in any::<[u8; 32]>()) {
        let checkpoint = Checkpoint { origin: origin.clone(), size, root: Hash(root) };
        let text = checkpoint.to_text();
        let oracle = OracleCheckpoint::new(&origin, size, tlog_tiles::tlog::Hash(root), "").expect("no extension lines");
        prop_assert_eq!(text.as_bytes(), oracle.to_bytes());
        prop_assert_eq!(OracleCheckpoint::from_bytes(text.as_bytes()).expect("our text is the oracle's"), oracle);
        prop_assert_eq!(Checkpoint::parse(&text), Ok(checkpoint));
    }
}
