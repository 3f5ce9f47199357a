//! Bundles that the log's own operator seals: the signatures and the root are right, the entries and files are anything.

#![no_main]

use ed25519_dalek::SigningKey;
use libfuzzer_sys::fuzz_target;
use veracta_ledger::Hash;
use veracta_ledger::archive::Files;
use veracta_ledger::bundle::{CHECKPOINT_PATH, KEY_PATH, seal_bundle};
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::merkle::{CompactRange, leaf_hash};
use veracta_ledger::note::{KeyType, VerifierKey};
use veracta_ledger::tile::{encode_bundle, encode_tile, tiles_added};
use veracta_ledger::verify::{Trust, verify_bundle};

const ORIGIN: &str = "log.example/fuzz";

fuzz_target!(|input: (Vec<Vec<u8>>, Vec<Vec<u8>>)| {
    let (entries, bodies) = input;
    if entries.len() < 256 && entries.iter().all(|entry| entry.len() < 1 << 16) {
        let key = SigningKey::from_bytes(&[7; 32]);
        let bundle = seal_bundle(files_of(&entries, bodies, &key), ORIGIN, "fuzz", &key).expect("a small bundle");
        verify_bundle(&bundle, &Trust::default());
    }
});

/// Returns the files of a log of up to 255 entries, with `bodies` as records, receipts, statements and artefacts.
fn files_of(entries: &[Vec<u8>], bodies: Vec<Vec<u8>>, key: &SigningKey) -> Files {
    let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let mut tree = CompactRange::default();
    leaves.iter().for_each(|leaf| tree.append(*leaf));
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: tree.size(), root: tree.root() };
    let vkey = VerifierKey::new(ORIGIN, KeyType::Ed25519, key.verifying_key()).expect("a plain name");
    let mut files = Files::new();
    files.insert(KEY_PATH.to_owned(), format!("{vkey}\n").into_bytes());
    let note = checkpoint.sign(key).expect("a plain origin");
    files.insert(CHECKPOINT_PATH.to_owned(), note.to_string().into_bytes());
    for id in tiles_added(0, tree.size()) {
        let bytes = match id.level {
            Some(_) => encode_tile(&leaves),
            None => encode_bundle(entries.iter().map(Vec::as_slice)).expect("small entries fit"),
        };
        files.insert(id.to_string(), bytes);
    }
    for (idx, body) in bodies.into_iter().enumerate() {
        let path = match idx % 4 {
            0 => format!("records/{}.json", idx / 4),
            1 => format!("proofs/{}.tlog-proof", idx / 4),
            2 => format!("statements/{}.dsse.json", idx / 4),
            _ => format!("artifacts/{}", Hash::of(&body)),
        };
        files.insert(path, body);
    }
    files
}
