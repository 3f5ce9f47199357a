//! What the person who verifies brings along: the log's key, a checkpoint seen earlier, witnesses. And what a bundle leaves
//! open without them.

use ed25519_dalek::Signer;
use veracta_ledger::bundle::{CHECKPOINT_PATH, KEY_PATH};
use veracta_ledger::note::{KeyType, NoteSignature, SignedNote, VerifierKey, cosignature_message};
use veracta_ledger::verify::{Outcome, Trust, VerificationReport};

use crate::sample::{
    Log, MODELS, ORIGIN, SUBJECT, artifact_path, check_fails, check_holds, entry, honest, key,
    log_key, verify,
};

fn log() -> Log {
    Log::new(key(1))
}

/// Returns the honest log with one entry recorded by someone else.
fn forked(idx: usize) -> Log {
    let (bodies, mut entries) = honest(&key(1));
    entries[idx].actor = "p-2".to_owned();
    Log::of(key(1), bodies, &entries)
}

/// Returns the honest log with `n_more` entries after its five.
fn longer(n_more: u32) -> Log {
    let (bodies, mut entries) = honest(&key(1));
    entries.extend((0..n_more).map(|more| {
        entry(
            "report.version",
            &format!("report:{more}"),
            10 + more,
            b"{}",
        )
    }));
    Log::of(key(1), bodies, &entries)
}

#[test]
fn a_report_says_what_was_verified_and_what_was_not() {
    let report = verify(&log().bundle(), &Trust::default());
    let head = log().head(5);
    assert_eq!(report.origin.as_deref(), Some(ORIGIN));
    assert_eq!(report.subject.as_deref(), Some(SUBJECT));
    assert_eq!((report.size, report.root), (Some(5), Some(head.root)));
    check_holds(
        "files",
        &report,
        Outcome::Holds,
        "manifest: signed, and all 13 files are the ones listed",
    );
    check_holds(
        "tree",
        &report,
        Outcome::Holds,
        "tree: 5 entries and 2 tiles give the signed root",
    );
    check_holds("records", &report, Outcome::Holds, "records: 3 bodies");
    check_holds(
        "receipts",
        &report,
        Outcome::Holds,
        "receipts: 3 inclusion proofs",
    );
    check_holds("artefacts", &report, Outcome::Holds, "artefacts: 2 files");
    check_holds(
        "statements",
        &report,
        Outcome::Holds,
        "statements: 1 signed",
    );
    check_holds(
        "key",
        &report,
        Outcome::NotChecked,
        "whether the log's key is the right one",
    );
    check_holds(
        "other records",
        &report,
        Outcome::NotChecked,
        "the bodies of 2 other records",
    );
    check_holds(
        "personal data",
        &report,
        Outcome::NotChecked,
        "may hold personal data and stay with the operator (dataset)",
    );
    check_holds(
        "history",
        &report,
        Outcome::NotChecked,
        "whether the log was rolled back",
    );
    check_holds(
        "witnesses",
        &report,
        Outcome::NotChecked,
        "whether others saw the same log",
    );
    check_holds(
        "clock",
        &report,
        Outcome::NotChecked,
        "whether the stated times are true",
    );
}

#[test]
fn nothing_verified_is_not_a_bundle_that_holds() {
    let mut report = VerificationReport::default();
    assert!(!report.holds());
    report.skip("anything");
    assert!(!report.holds());
    report.hold("one thing");
    assert!(report.holds());
    report.fail(None, "another");
    assert!(!report.holds());
}

fn verify_pinned(log: &Log, seed: u8) -> VerificationReport {
    let trust = Trust {
        log_key: Some(log_key(&key(seed))),
        ..Trust::default()
    };
    verify(&log.bundle(), &trust)
}

#[test]
fn a_pinned_key_decides_who_may_sign() {
    check_holds(
        "the right key",
        &verify_pinned(&log(), 1),
        Outcome::Holds,
        "the log's key is the one that was passed",
    );
    // Everything signed anew by another key is consistent in itself; only the pinned key tells.
    let resigned = Log::new(key(2));
    let report = verify(&resigned.bundle(), &Trust::default());
    check_holds(
        "unpinned",
        &report,
        Outcome::NotChecked,
        "whether the log's key is the right one",
    );
    let words = "the bundle is signed by another key than the one that was passed";
    check_fails(
        "pinned",
        &verify_pinned(&resigned, 1),
        Some(KEY_PATH),
        words,
    );
}

#[test]
fn entries_cannot_be_moved_under_another_key() {
    let moved = Log {
        key: key(2),
        ..log()
    };
    let words = "no entry opens a log under this key";
    check_fails(
        "unpinned",
        &verify(&moved.bundle(), &Trust::default()),
        None,
        words,
    );
    check_fails("pinned", &verify_pinned(&moved, 2), None, words);
    check_fails(
        "pinned",
        &verify_pinned(&moved, 1),
        Some(KEY_PATH),
        "another key",
    );
}

#[test]
fn a_pinned_key_is_used_in_place_of_the_one_inside() {
    let mut files = log().bundle();
    files.insert(
        KEY_PATH.to_owned(),
        format!("{}\n", log_key(&key(2))).into_bytes(),
    );
    let trust = Trust {
        log_key: Some(log_key(&key(1))),
        ..Trust::default()
    };
    check_fails(
        "pinned",
        &verify(&files, &trust),
        Some(KEY_PATH),
        "another key",
    );
    let under_another_type = VerifierKey::new(ORIGIN, KeyType::Cosignature, key(1).verifying_key())
        .expect("a plain name");
    let trust = Trust {
        log_key: Some(under_another_type),
        ..Trust::default()
    };
    check_fails(
        "another type",
        &verify(&log().bundle(), &trust),
        Some(KEY_PATH),
        "another key",
    );
}

fn verify_after(log: &Log, earlier: Vec<u8>) -> VerificationReport {
    verify(
        &log.bundle(),
        &Trust {
            earlier_checkpoint: Some(earlier),
            ..Trust::default()
        },
    )
}

#[test]
fn the_log_extends_every_head_it_ever_had() {
    for size in 0..=5 {
        let words = format!("the log extends the earlier checkpoint of {size} entries");
        check_holds(
            "history",
            &verify_after(&log(), log().signed_head(size)),
            Outcome::Holds,
            &words,
        );
    }
    check_holds(
        "grown",
        &verify_after(&longer(2), log().signed_head(5)),
        Outcome::Holds,
        "5 entries",
    );
}

#[test]
fn a_log_that_was_rolled_back_or_rewritten_is_found() {
    let path = Some(CHECKPOINT_PATH);
    let report = verify_after(&log(), longer(1).signed_head(6));
    check_fails(
        "rolled back",
        &report,
        path,
        "the log was rolled back: it had 6 entries and has 5",
    );
    check_fails(
        "emptied",
        &verify_after(&log(), longer(40).signed_head(45)),
        path,
        "it had 45 entries and has 5",
    );
    let rewritten = "the log was rewritten: its start is not the one seen earlier";
    check_fails(
        "same size",
        &verify_after(&log(), forked(4).signed_head(5)),
        path,
        rewritten,
    );
    check_fails(
        "forked, then grown",
        &verify_after(&longer(3), forked(4).signed_head(5)),
        path,
        rewritten,
    );
    check_fails(
        "forked early",
        &verify_after(&log(), forked(1).signed_head(2)),
        path,
        rewritten,
    );
    // What was forked later shares the earlier head.
    check_holds(
        "forked late",
        &verify_after(&log(), forked(4).signed_head(4)),
        Outcome::Holds,
        "4 entries",
    );
}

#[test]
fn an_earlier_checkpoint_that_proves_nothing_is_not_passed_over() {
    let words = "the earlier checkpoint: ";
    let stranger = Log {
        key: key(2),
        ..log()
    };
    check_fails(
        "by a stranger",
        &verify_after(&log(), stranger.signed_head(5)),
        None,
        words,
    );
    check_fails(
        "not a checkpoint",
        &verify_after(&log(), b"anything".to_vec()),
        None,
        words,
    );
    check_fails("empty", &verify_after(&log(), Vec::new()), None, words);
}

/// Verifies the bundle with a cosignature under its checkpoint, made by the key of seed 3 over `text`.
fn verify_cosigned(text: &str, witnesses: Vec<VerifierKey>) -> VerificationReport {
    let witness = VerifierKey::new(
        "witness.example",
        KeyType::Cosignature,
        key(3).verifying_key(),
    )
    .expect("a plain name");
    let signature = key(3)
        .sign(cosignature_message(7, text).as_bytes())
        .to_bytes();
    let bytes = [&7u64.to_be_bytes()[..], &signature[..]].concat();
    let mut files = log().files();
    let mut note = SignedNote::parse(&files[CHECKPOINT_PATH]).expect("a published checkpoint");
    note.signatures.push(NoteSignature {
        name: witness.name().to_owned(),
        key_id: witness.key_id(),
        bytes,
    });
    files.insert(CHECKPOINT_PATH.to_owned(), note.to_string().into_bytes());
    verify(
        &log().seal(files),
        &Trust {
            witnesses,
            ..Trust::default()
        },
    )
}

#[test]
fn witnesses_count_when_they_are_trusted() {
    let witness = |name: &str, key_type, seed| {
        VerifierKey::new(name, key_type, key(seed).verifying_key()).expect("a plain name")
    };
    let known = witness("witness.example", KeyType::Cosignature, 3);
    let text = log().head(5).to_text();
    let report = verify_cosigned(&text, vec![known.clone()]);
    check_holds(
        "trusted",
        &report,
        Outcome::Holds,
        "cosigned by witness.example",
    );
    let strangers = [
        witness("witness.example", KeyType::Cosignature, 4),
        witness("other.example", KeyType::Cosignature, 3),
        witness("witness.example", KeyType::Ed25519, 3),
    ];
    let open = "no witness that you trust has cosigned it";
    check_holds(
        "strangers",
        &verify_cosigned(&text, strangers.to_vec()),
        Outcome::NotChecked,
        open,
    );
    // The log's own signature is not a second opinion.
    check_holds(
        "the log",
        &verify_cosigned(&text, vec![log_key(&key(1))]),
        Outcome::NotChecked,
        open,
    );
    let report = verify_cosigned(&log().head(4).to_text(), vec![known]);
    check_fails(
        "of another head",
        &report,
        Some(CHECKPOINT_PATH),
        "the signature by `witness.example` is wrong",
    );
}

#[test]
fn what_is_left_out_is_said() {
    let check = |path: &str, words: &str| {
        let mut files = log().files();
        files.remove(path).expect("the file is there");
        check_holds(
            path,
            &verify(&log().seal(files), &Trust::default()),
            Outcome::NotChecked,
            words,
        );
    };
    check(
        &artifact_path(MODELS[0]),
        "artefacts that are not in the bundle (model)",
    );
    check("records/4.json", "the bodies of 3 other records");
}
