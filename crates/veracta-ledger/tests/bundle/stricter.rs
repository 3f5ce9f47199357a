//! What the ledger accepts today and should not; add `mod stricter;` to `main.rs` with the corrections.

use ed25519_dalek::Signer;
use veracta_ledger::bundle::{MANIFEST_PATH, seal_bundle};
use veracta_ledger::checkpoint::cosignatures;
use veracta_ledger::merkle::{ConsistencyProof, ProofError, empty_root, leaf_hash};
use veracta_ledger::note::{KeyType, NoteSignature, SignedNote, VerifierKey, cosignature_message};
use veracta_ledger::verify::Trust;

use crate::sample::{
    Log, MODELS, ORIGIN, artifact_path, check_fails, honest, key, statement, verify,
};

#[test]
fn a_receipt_of_a_forked_log_is_refused() {
    let log = Log::new(key(1));
    let (bodies, mut entries) = honest(&key(1));
    entries[4].actor = "p-2".to_owned();
    let fork = Log::of(key(1), bodies, &entries);
    let path = "proofs/3.tlog-proof";
    let mut files = log.files();
    files.insert(path.to_owned(), fork.receipt(3, 5));
    check_fails(
        "fork",
        &verify(&log.seal(files), &Trust::default()),
        Some(path),
        "",
    );
}

#[test]
fn an_artefact_is_as_long_as_its_entry_says() {
    let (bodies, mut entries) = honest(&key(1));
    entries[3].artifacts[0].bytes += 1;
    let log = Log::of(key(1), bodies, &entries);
    let report = verify(&log.bundle(), &Trust::default());
    check_fails("length", &report, Some(&artifact_path(MODELS[1])), "");
}

#[test]
fn a_statement_is_about_something() {
    let (log, path) = (Log::new(key(1)), "statements/model.dsse.json");
    let mut files = log.files();
    files.insert(path.to_owned(), statement(&key(1), &[]));
    check_fails(
        "no subject",
        &verify(&log.seal(files), &Trust::default()),
        Some(path),
        "",
    );
}

#[test]
fn a_manifest_is_of_the_log_that_signed_it() {
    let mut files = Log::new(key(1)).bundle();
    let note = SignedNote::parse(&files[MANIFEST_PATH]).expect("a sealed bundle has a manifest");
    let text = note.text.replacen(ORIGIN, "log.example/other", 1);
    let note = SignedNote::sign(text, ORIGIN, &key(1)).expect("a plain text");
    files.insert(MANIFEST_PATH.to_owned(), note.to_string().into_bytes());
    check_fails(
        "another origin",
        &verify(&files, &Trust::default()),
        Some(MANIFEST_PATH),
        "",
    );
}

#[test]
fn a_subject_cannot_add_lines_to_the_manifest() {
    let files = Log::new(key(1)).files();
    let subject = format!(
        "model:churn@2\n{} 2 records/0.json",
        veracta_ledger::Hash::of(b"{}")
    );
    assert!(seal_bundle(files, ORIGIN, &subject, &key(1)).is_err());
}

#[test]
fn a_witness_counts_once() {
    let witness = VerifierKey::new(
        "witness.example",
        KeyType::Cosignature,
        key(3).verifying_key(),
    )
    .expect("a plain name");
    let head = Log::new(key(1)).head(5);
    let mut note = head.sign(&key(1)).expect("a plain origin");
    for seconds in [7u64, 7, 8] {
        let signature = key(3)
            .sign(cosignature_message(seconds, &note.text).as_bytes())
            .to_bytes();
        let bytes = [&seconds.to_be_bytes()[..], &signature[..]].concat();
        note.signatures.push(NoteSignature {
            name: witness.name().to_owned(),
            key_id: witness.key_id(),
            bytes,
        });
    }
    let found = cosignatures(&note, std::slice::from_ref(&witness)).expect("each one holds");
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn an_empty_tree_has_the_empty_root() {
    let proof = ConsistencyProof {
        old_size: 0,
        new_size: 0,
        hashes: Vec::new(),
    };
    assert_eq!(proof.verify(empty_root(), empty_root()), Ok(()));
    assert_eq!(
        proof.verify(empty_root(), leaf_hash(b"no entry")),
        Err(ProofError::WrongRoot)
    );
}

#[test]
fn what_reads_back_as_another_text_is_not_signed() {
    let signed = SignedNote::sign("a text\n".to_owned(), "log", &key(1))
        .expect("a plain text")
        .to_string();
    let unfinished = signed.trim_end().to_owned();
    assert!(SignedNote::sign(unfinished, "log", &key(1)).is_err());
}
