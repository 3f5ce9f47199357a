//! Proves that no parser panics on any bytes, and that what a parser accepts is what would be written.

use std::sync::LazyLock;

use ed25519_dalek::SigningKey;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;
use veracta_ledger::Hash;
use veracta_ledger::archive::{Files, read_archive, write_archive};
use veracta_ledger::bundle::{CHECKPOINT_PATH, KEY_PATH, Manifest, ManifestLine, seal_bundle};
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::entry::{Artifact, ENTRY_VERSION, Entry, Link};
use veracta_ledger::merkle::{CompactRange, leaf_hash};
use veracta_ledger::note::{KeyType, SignedNote, VerifierKey};
use veracta_ledger::proof::TlogProof;
use veracta_ledger::statement::{
    Envelope, ResourceDescriptor, SLSA_PROVENANCE, STATEMENT_TYPE, Statement,
};
use veracta_ledger::tile::{
    TileId, decode_bundle, decode_tile, encode_bundle, encode_tile, tiles_added,
};
use veracta_ledger::verify::{Trust, verify_bundle};

const ORIGIN: &str = "log.example/veracta";

/// A parser, bytes it accepts, and how it is called. The call answers whether the bytes are accepted, and fails the test
/// when they are accepted and would not be written so.
struct Parser {
    name: &'static str,
    valid: Vec<u8>,
    accepts: fn(&[u8]) -> bool,
}

static PARSERS: LazyLock<Vec<Parser>> = LazyLock::new(|| {
    let proof = TlogProof {
        leaf_idx: 0,
        hashes: vec![Hash::of(b"sibling")],
        checkpoint: signed_head().to_string(),
    };
    vec![
        parser("note", signed_head().to_string().into_bytes(), accepts_note),
        parser(
            "checkpoint",
            signed_head().text.into_bytes(),
            accepts_checkpoint,
        ),
        parser(
            "signed checkpoint",
            signed_head().to_string().into_bytes(),
            accepts_signed_checkpoint,
        ),
        parser(
            "earlier checkpoint",
            signed_head().to_string().into_bytes(),
            accepts_earlier_checkpoint,
        ),
        parser(
            "verifier key",
            log_key().to_string().into_bytes(),
            accepts_verifier_key,
        ),
        parser(
            "digest",
            Hash::of(b"").to_string().into_bytes(),
            accepts_digest,
        ),
        parser("receipt", proof.to_string().into_bytes(), accepts_receipt),
        parser(
            "manifest",
            manifest().to_text().into_bytes(),
            accepts_manifest,
        ),
        parser("envelope", envelope(), accepts_envelope),
        parser(
            "tile path",
            b"tile/0/x001/x234/067.p/8".to_vec(),
            accepts_tile_path,
        ),
        parser(
            "tile",
            encode_tile(&[Hash::of(b"left"), Hash::of(b"right")]),
            accepts_tile,
        ),
        parser(
            "entry bundle",
            encode_bundle([b"one".as_slice(), b"", b"three"]).expect("it fits"),
            accepts_entry_bundle,
        ),
        parser(
            "entry",
            entry().to_bytes().expect("a small entry"),
            accepts_entry,
        ),
        parser("archive", BUNDLE.clone(), accepts_archive),
        parser("bundle", BUNDLE.clone(), accepts_bundle),
    ]
});

fn parser(name: &'static str, valid: Vec<u8>, accepts: fn(&[u8]) -> bool) -> Parser {
    Parser {
        name,
        valid,
        accepts,
    }
}

static BUNDLE: LazyLock<Vec<u8>> = LazyLock::new(|| bundle_of(&[opening()]));

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn log_key() -> VerifierKey {
    VerifierKey::new(ORIGIN, KeyType::Ed25519, key().verifying_key()).expect("a plain name")
}

fn head(entries: &[Vec<u8>]) -> SignedNote {
    let mut tree = CompactRange::default();
    entries
        .iter()
        .for_each(|entry| tree.append(leaf_hash(entry)));
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: tree.size(),
        root: tree.root(),
    };
    checkpoint.sign(&key()).expect("a plain origin")
}

fn signed_head() -> SignedNote {
    head(&[opening()])
}

/// Returns an entry with every field.
fn entry() -> Entry {
    Entry {
        v: ENTRY_VERSION,
        kind: "ledger.checkpoint".to_owned(),
        schema_version: 1,
        subject: log_key().to_string(),
        at: "2026-03-01T09:00:00.000Z".to_owned(),
        actor: "p-1".to_owned(),
        body: Hash::of(b"{}"),
        body_bytes: 2,
        key: Some(Hash::of(b"key")),
        previous: Some(0),
        links: vec![Link {
            idx: 0,
            body: Hash::of(b"{}"),
        }],
        artifacts: vec![Artifact {
            name: "model".to_owned(),
            digest: Hash::of(b"model"),
            bytes: 5,
            personal: true,
        }],
    }
}

/// Returns the bytes of an entry that opens a log.
fn opening() -> Vec<u8> {
    let opening = Entry {
        key: None,
        previous: None,
        links: Vec::new(),
        artifacts: Vec::new(),
        ..entry()
    };
    opening.to_bytes().expect("a small entry")
}

fn manifest() -> Manifest {
    let line = |path: &str| ManifestLine {
        digest: Hash::of(path.as_bytes()),
        n_bytes: 12,
        path: path.to_owned(),
    };
    Manifest {
        origin: ORIGIN.to_owned(),
        subject: "a subject".to_owned(),
        files: vec![line("a"), line("b/c d")],
    }
}

fn envelope() -> Vec<u8> {
    let statement = Statement {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject: vec![ResourceDescriptor::sha256("model", Hash::of(b"model"))],
        predicate_type: SLSA_PROVENANCE.to_owned(),
        predicate: json!({ "seed": 7 }),
    };
    let envelope = Envelope::sign(&statement, &key(), "hint").expect("a plain statement");
    serde_json::to_vec(&envelope).expect("a plain envelope")
}

/// Returns a sealed bundle of a log of up to 255 entries, which may be anything.
fn bundle_of(entries: &[Vec<u8>]) -> Vec<u8> {
    let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let mut files = Files::new();
    files.insert(KEY_PATH.to_owned(), format!("{}\n", log_key()).into_bytes());
    files.insert(
        CHECKPOINT_PATH.to_owned(),
        head(entries).to_string().into_bytes(),
    );
    for id in tiles_added(0, entries.len() as u64) {
        let bytes = match id.level {
            Some(_) => encode_tile(&leaves),
            None => encode_bundle(entries.iter().map(Vec::as_slice)).expect("small entries fit"),
        };
        files.insert(id.to_string(), bytes);
    }
    seal_bundle(files, ORIGIN, "a subject", &key()).expect("a small bundle")
}

fn text_of(bytes: &[u8]) -> &str {
    // A parser of text never sees other bytes; the empty text stands for them.
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn accepts_note(bytes: &[u8]) -> bool {
    let Ok(note) = SignedNote::parse(bytes) else {
        return false;
    };
    assert_eq!(note.to_string().as_bytes(), bytes);
    note.verify(&[log_key()]).is_ok()
}

fn accepts_checkpoint(bytes: &[u8]) -> bool {
    let Ok(checkpoint) = Checkpoint::parse(text_of(bytes)) else {
        return false;
    };
    assert_eq!(checkpoint.to_text().as_bytes(), bytes);
    true
}

fn accepts_signed_checkpoint(bytes: &[u8]) -> bool {
    Checkpoint::open(bytes, &log_key()).is_ok()
}

fn accepts_earlier_checkpoint(bytes: &[u8]) -> bool {
    verify_bundle(
        &BUNDLE,
        &Trust {
            earlier_checkpoint: Some(bytes.to_vec()),
            ..Trust::default()
        },
    )
    .holds()
}

fn accepts_verifier_key(bytes: &[u8]) -> bool {
    let Ok(key) = text_of(bytes).parse::<VerifierKey>() else {
        return false;
    };
    assert_eq!(key.to_string().as_bytes(), bytes);
    true
}

fn accepts_digest(bytes: &[u8]) -> bool {
    let Ok(digest) = text_of(bytes).parse::<Hash>() else {
        return false;
    };
    assert_eq!(digest.to_string().as_bytes(), bytes);
    true
}

fn accepts_receipt(bytes: &[u8]) -> bool {
    let Ok(proof) = TlogProof::parse(bytes) else {
        return false;
    };
    assert_eq!(proof.to_string().as_bytes(), bytes);
    assert!(
        proof.verify(b"never logged", &log_key()).is_err(),
        "{proof}"
    );
    true
}

fn accepts_manifest(bytes: &[u8]) -> bool {
    let Some(manifest) = Manifest::parse(text_of(bytes)) else {
        return false;
    };
    assert_eq!(manifest.to_text().as_bytes(), bytes);
    true
}

fn accepts_envelope(bytes: &[u8]) -> bool {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(bytes) else {
        return false;
    };
    envelope.verify(&[*log_key().key()], 1).is_ok()
}

fn accepts_tile_path(bytes: &[u8]) -> bool {
    let Ok(id) = TileId::parse(text_of(bytes)) else {
        return false;
    };
    assert_eq!(id.to_string().as_bytes(), bytes);
    true
}

fn accepts_tile(bytes: &[u8]) -> bool {
    let Ok(hashes) = decode_tile(bytes, 2) else {
        return false;
    };
    assert_eq!(encode_tile(&hashes), bytes);
    true
}

fn accepts_entry_bundle(bytes: &[u8]) -> bool {
    let Ok(entries) = decode_bundle(bytes, 3) else {
        return false;
    };
    assert_eq!(encode_bundle(entries).as_deref(), Ok(bytes));
    true
}

fn accepts_entry(bytes: &[u8]) -> bool {
    let Ok(entry) = Entry::parse(bytes) else {
        return false;
    };
    assert_eq!(
        entry
            .to_bytes()
            .expect("a parsed entry is within the limit"),
        bytes
    );
    true
}

fn accepts_archive(bytes: &[u8]) -> bool {
    let Ok(files) = read_archive(bytes) else {
        return false;
    };
    assert_eq!(write_archive(&files).as_deref(), Ok(bytes));
    true
}

fn accepts_bundle(bytes: &[u8]) -> bool {
    let holds = verify_bundle(bytes, &Trust::default()).holds();
    assert!(!holds || bytes == BUNDLE.as_slice(), "another bundle holds");
    holds
}

fn try_all(bytes: &[u8]) {
    for parser in PARSERS.iter() {
        (parser.accepts)(bytes);
    }
}

/// Changes `bytes` in one of the ways files are damaged: a byte changed or added, a run lost or repeated, the end lost.
fn damage(bytes: &mut Vec<u8>, way: u8, at: Index, value: u8) {
    if bytes.is_empty() {
        return bytes.push(value);
    }
    let start = at.index(bytes.len());
    let end = (start + usize::from(value)).min(bytes.len());
    match way {
        0 => bytes[start] ^= value,
        1 => bytes.insert(start, value),
        2 => drop(bytes.drain(start..end)),
        3 => {
            let rest = bytes.split_off(start);
            bytes.extend_from_slice(&rest[..end - start]);
            bytes.extend_from_slice(&rest);
        }
        _ => bytes.truncate(start),
    }
}

#[test]
fn valid_bytes_are_accepted() {
    for parser in PARSERS.iter() {
        assert!((parser.accepts)(&parser.valid), "{}", parser.name);
    }
}

#[test]
fn valid_bytes_for_one_parser_are_harmless_to_all() {
    PARSERS.iter().for_each(|parser| try_all(&parser.valid));
}

#[test]
fn every_length_of_valid_bytes_is_harmless() {
    for parser in PARSERS.iter() {
        for end in 0..parser.valid.len() {
            (parser.accepts)(&parser.valid[..end]);
        }
    }
}

/// Pieces of the formats, so that random text comes further than the first line.
const WORDS: &[&str] = &[
    "\n",
    "\n\n",
    " ",
    "\u{2014} ",
    "c2sp.org/tlog-proof@v1\n",
    "index 0\n",
    "veracta evidence bundle v1\n",
    "origin ",
    "subject ",
    "log.example/veracta",
    "+",
    "tile/",
    "entries",
    "0",
    "000",
    "x001",
    ".p/",
    "/",
    "{",
    "}",
    "\"v\":1",
    ",",
    "18446744073709551616",
    "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "PK\u{3}\u{4}",
    "PK\u{5}\u{6}",
    "\0",
    "\u{ff}",
];

proptest! {
    #[test]
    fn any_bytes_are_harmless(bytes in vec(any::<u8>(), 0..400)) {
        try_all(&bytes);
    }

    #[test]
    fn any_text_is_harmless(text in "(\\PC|\n){0,100}") {
        try_all(text.as_bytes());
    }

    #[test]
    fn any_words_of_the_formats_are_harmless(words in vec(select(WORDS), 0..40)) {
        try_all(words.concat().as_bytes());
    }

    #[test]
    fn damaged_bytes_are_harmless(damages in vec((0..5u8, any::<Index>(), any::<u8>()), 1..4)) {
        for parser in PARSERS.iter() {
            let mut bytes = parser.valid.clone();
            damages.iter().for_each(|(way, at, value)| damage(&mut bytes, *way, *at, *value));
            (parser.accepts)(&bytes);
        }
    }

    #[test]
    fn an_archive_of_any_files_reads_back_and_is_no_bundle(
        files in btree_map(
            select(vec![
                "log.vkey", "manifest", "checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1", "tile/x", "records/0.json",
                "proofs/0.tlog-proof", "statements/x.dsse.json", "artifacts/0", "anything else", "\u{e9}/\u{2014}",
            ]),
            vec(any::<u8>(), 0..100),
            0..8,
        ),
        valid in any::<bool>(),
    ) {
        let mut files: Files = files.into_iter().map(|(path, bytes)| (path.to_owned(), bytes)).collect();
        if valid {
            files.insert(KEY_PATH.to_owned(), format!("{}\n", log_key()).into_bytes());
            files.insert(CHECKPOINT_PATH.to_owned(), signed_head().to_string().into_bytes());
        }
        let archive = write_archive(&files).expect("a small bundle");
        prop_assert_eq!(read_archive(&archive), Ok(files));
        prop_assert!(!verify_bundle(&archive, &Trust::default()).holds());
    }

    #[test]
    fn a_sealed_log_of_any_entries_is_harmless(entries in vec(vec(any::<u8>(), 0..60), 0..6), opened in any::<bool>()) {
        let mut log = if opened { vec![opening()] } else { Vec::new() };
        log.extend(entries);
        let holds = verify_bundle(&bundle_of(&log), &Trust::default()).holds();
        // Nothing random is an entry.
        prop_assert_eq!(holds, opened && log.len() == 1);
    }
}
