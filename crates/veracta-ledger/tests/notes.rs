//! Proves that notes and keys are written, read, verified and refused as the signed-note specification asks; `signed_note`
//! is the oracle.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};
use veracta_ledger::note::{
    KeyType, NOTE_BYTES_LIMIT, NoteError, NoteSignature, SIGNATURES_LIMIT, SignedNote, VerifierKey,
};

/// The published example of golang.org/x/mod/sumdb/note, on which the specification rests.
const PETER_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER_TEXT: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n";
const PETER_LINE: &str = "\u{2014} PeterNeumann \
    x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_KEY: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const ENOCH_LINE: &str = "\u{2014} EnochRoot \
    rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

const TEXT: &str = "three entries\n\nand a blank line\n";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn vkey(name: &str, seed: u8) -> VerifierKey {
    VerifierKey::new(name, KeyType::Ed25519, key(seed).verifying_key()).expect("a plain name")
}

fn published_key(text: &str) -> VerifierKey {
    text.parse().expect("a published key")
}

/// Returns the signature of `TEXT` under a name.
fn signature(name: &str, seed: u8) -> NoteSignature {
    let note = SignedNote::sign(TEXT.to_owned(), name, &key(seed)).expect("a plain text and name");
    note.signatures
        .into_iter()
        .next()
        .expect("a signed note has a signature")
}

/// Returns the same signature with its last bit flipped.
fn forged(mut signature: NoteSignature) -> NoteSignature {
    *signature.bytes.last_mut().expect("a signature has bytes") ^= 1;
    signature
}

#[test]
fn the_published_note_is_read_verified_and_signed() {
    let peter = published_key(PETER_KEY);
    assert_eq!(
        (peter.name(), peter.key_type(), peter.key_id()),
        ("PeterNeumann", KeyType::Ed25519, 0xc74f_20a3)
    );
    assert_eq!(peter.to_string(), PETER_KEY);
    let published = format!("{PETER_TEXT}\n{PETER_LINE}");
    let note = SignedNote::parse(published.as_bytes()).expect("a published note");
    assert_eq!(note.text, PETER_TEXT);
    assert_eq!(note.to_string(), published);
    assert_eq!(note.verify(std::slice::from_ref(&peter)), Ok(vec![&peter]));

    let typed = PETER_SECRET
        .splitn(5, '+')
        .nth(4)
        .and_then(|encoded| STANDARD.decode(encoded).ok());
    let seed = typed
        .as_deref()
        .and_then(|typed| typed.strip_prefix(&[1u8]))
        .expect("a published Ed25519 key");
    let secret = SigningKey::from_bytes(seed.try_into().expect("32 bytes"));
    let signed = SignedNote::sign(PETER_TEXT.to_owned(), "PeterNeumann", &secret)
        .expect("a plain text and name");
    assert_eq!(signed.to_string(), published);
}

#[test]
fn each_of_two_published_signatures_is_enough() {
    let note = format!("{PETER_TEXT}\n{PETER_LINE}{ENOCH_LINE}");
    let note = SignedNote::parse(note.as_bytes()).expect("a published note");
    let (peter, enoch) = (published_key(PETER_KEY), published_key(ENOCH_KEY));
    assert_eq!(note.verify(std::slice::from_ref(&peter)), Ok(vec![&peter]));
    assert_eq!(note.verify(std::slice::from_ref(&enoch)), Ok(vec![&enoch]));
    assert_eq!(
        note.verify(&[enoch.clone(), peter.clone()]),
        Ok(vec![&peter, &enoch])
    );
    assert_eq!(note.verify(&[]), Err(NoteError::NoKnownSignature));
}

#[test]
fn one_flipped_bit_anywhere_refuses_a_note() {
    let note = format!("{PETER_TEXT}\n{PETER_LINE}").into_bytes();
    let known = [published_key(PETER_KEY)];
    for bit in 0..note.len() * 8 {
        let mut altered = note.clone();
        altered[bit / 8] ^= 1u8 << (bit % 8);
        let signers =
            SignedNote::parse(&altered).and_then(|note| note.verify(&known).map(|keys| keys.len()));
        assert!(signers.is_err(), "byte {}, bit {}", bit / 8, bit % 8);
    }
}

fn check_signers(
    signatures: &[NoteSignature],
    known: &[VerifierKey],
    expected: Result<&[&str], NoteError>,
) {
    let note = SignedNote {
        text: TEXT.to_owned(),
        signatures: signatures.to_vec(),
    };
    let found = note
        .verify(known)
        .map(|keys| keys.into_iter().map(VerifierKey::name).collect::<Vec<_>>());
    assert_eq!(found, expected.map(<[&str]>::to_vec), "{note}");
    assert_eq!(SignedNote::parse(note.to_string().as_bytes()), Ok(note));
}

#[test]
fn signatures_by_strangers_are_ignored() {
    let (log, witness) = (signature("log", 1), signature("witness", 2));
    let garbage = NoteSignature {
        name: "stranger".to_owned(),
        key_id: 7,
        bytes: vec![0],
    };
    let known = [vkey("log", 1)];
    check_signers(&[log.clone(), witness.clone()], &known, Ok(&["log"]));
    check_signers(&[witness.clone(), log.clone()], &known, Ok(&["log"]));
    check_signers(
        &[garbage.clone(), forged(witness), log.clone()],
        &known,
        Ok(&["log"]),
    );
    // Another key under a known name is a stranger too.
    check_signers(&[signature("log", 3), log], &known, Ok(&["log"]));
    check_signers(&[garbage], &known, Err(NoteError::NoKnownSignature));
}

#[test]
fn a_note_without_a_known_signature_is_refused() {
    let renamed = NoteSignature {
        name: "gol".to_owned(),
        ..signature("log", 1)
    };
    check_signers(
        &[signature("log", 1)],
        &[],
        Err(NoteError::NoKnownSignature),
    );
    check_signers(
        &[signature("log", 1)],
        &[vkey("log", 2)],
        Err(NoteError::NoKnownSignature),
    );
    check_signers(
        &[signature("log", 1)],
        &[vkey("gol", 1)],
        Err(NoteError::NoKnownSignature),
    );
    check_signers(
        &[renamed],
        &[vkey("log", 1), vkey("gol", 1)],
        Err(NoteError::NoKnownSignature),
    );
}

#[test]
fn a_wrong_signature_by_a_known_key_refuses_the_whole_note() {
    let (log, witness) = (signature("log", 1), signature("witness", 2));
    let known = [vkey("log", 1), vkey("witness", 2)];
    let wrong = |name: &str| {
        Err(NoteError::WrongSignature {
            name: name.to_owned(),
        })
    };
    check_signers(&[forged(log.clone())], &known, wrong("log"));
    check_signers(
        &[log.clone(), forged(witness.clone())],
        &known,
        wrong("witness"),
    );
    check_signers(
        &[forged(witness.clone()), log.clone()],
        &known,
        wrong("witness"),
    );
    check_signers(&[log.clone(), forged(log.clone())], &known, wrong("log"));
    // Too short, too long, and the signature of another key.
    let short = NoteSignature {
        bytes: log.bytes[..63].to_vec(),
        ..log.clone()
    };
    let long = NoteSignature {
        bytes: [&log.bytes[..], &[0]].concat(),
        ..log.clone()
    };
    let swapped = NoteSignature {
        bytes: witness.bytes.clone(),
        ..log.clone()
    };
    for altered in [short, long, swapped] {
        check_signers(&[witness.clone(), altered], &known, wrong("log"));
    }
}

#[test]
fn a_key_counts_once() {
    let (log, witness) = (signature("log", 1), signature("witness", 2));
    let known = [vkey("log", 1), vkey("witness", 2)];
    check_signers(
        &[log.clone(), witness.clone()],
        &known,
        Ok(&["log", "witness"]),
    );
    check_signers(
        &[log.clone(), log.clone(), witness, log],
        &known,
        Ok(&["log", "witness"]),
    );
}

#[test]
fn a_note_in_another_form_is_refused() {
    let good = format!("{PETER_TEXT}\n{PETER_LINE}");
    let forms = [
        ("nothing", String::new()),
        ("no text", format!("\n{PETER_LINE}")),
        ("no blank line", format!("{PETER_TEXT}{PETER_LINE}")),
        ("no signature", format!("{PETER_TEXT}\n")),
        ("blank lines only", format!("{PETER_TEXT}\n\n")),
        ("no newline at the end", good.trim_end().to_owned()),
        ("blank line at the end", format!("{good}\n")),
        ("text after the signatures", format!("{good}more\n")),
        ("a hyphen", good.replace('\u{2014}', "-")),
        ("another dash", good.replace('\u{2014}', "\u{2013}")),
        (
            "no space after the dash",
            good.replace("\u{2014} ", "\u{2014}"),
        ),
        ("carriage returns", good.replace('\n', "\r\n")),
        ("a tab", good.replacen("you think", "you\tthink", 1)),
        ("a zero", good.replacen("you think", "you\0think", 1)),
        ("two spaces", good.replace("Neumann ", "Neumann  ")),
        ("a space at the end", good.replace("=\n", "= \n")),
        ("a name with a plus", good.replace("Neumann ", "+Neumann ")),
        (
            "a name with a wide space",
            good.replace("Neumann ", "\u{2003}Neumann "),
        ),
        ("no name", good.replace("PeterNeumann", "")),
        ("no padding", good.replace("=\n", "\n")),
        ("trailing bits", good.replace("nAM=\n", "nAN=\n")),
        ("the other base64", good.replace('/', "_")),
        (
            "no signature bytes",
            good.replace(PETER_LINE, "\u{2014} PeterNeumann x08gow==\n"),
        ),
        (
            "half a key id",
            good.replace(PETER_LINE, "\u{2014} PeterNeumann x08=\n"),
        ),
    ];
    for (form, note) in forms {
        let found = SignedNote::parse(note.as_bytes());
        assert!(
            matches!(found, Err(NoteError::Malformed { .. })),
            "{form}: {found:?}"
        );
    }
    let found = SignedNote::parse(&[&b"\xff\n\n"[..], PETER_LINE.as_bytes()].concat());
    assert_eq!(
        found,
        Err(NoteError::Malformed {
            reason: "not UTF-8"
        })
    );
}

#[test]
fn a_note_over_a_limit_is_refused() {
    let lines = |n_lines| format!("{PETER_TEXT}\n{}", PETER_LINE.repeat(n_lines));
    let most = SignedNote::parse(lines(SIGNATURES_LIMIT).as_bytes())
        .expect("as many signatures as allowed");
    assert_eq!(most.signatures.len(), SIGNATURES_LIMIT);
    let over = SignedNote::parse(lines(SIGNATURES_LIMIT + 1).as_bytes());
    assert!(matches!(over, Err(NoteError::Malformed { .. })), "{over:?}");
    let n_bytes = NOTE_BYTES_LIMIT + 1;
    assert_eq!(
        SignedNote::parse(&vec![b'\n'; n_bytes]),
        Err(NoteError::TooLarge { n_bytes })
    );
}

#[test]
fn what_could_not_be_read_back_is_not_signed() {
    let check = |text: &str, name: &str| {
        assert!(
            SignedNote::sign(text.to_owned(), name, &key(1)).is_err(),
            "{text:?} by {name:?}"
        );
    };
    for text in [
        "",
        "no newline",
        "two lines\nno newline",
        "a tab\t\n",
        "a return\r\n",
    ] {
        check(text, "log");
    }
    for name in ["", "two words", "a+b", "line\nbreak", "wide\u{2003}space"] {
        check(TEXT, name);
    }
    check(&format!("{}\n", "x".repeat(NOTE_BYTES_LIMIT)), "log");
}

/// Returns a key's text with the identifier that belongs to it, by the oracle.
fn key_text(name: &str, typed: &[u8]) -> String {
    format!(
        "{name}+{:08x}+{}",
        signed_note::key_id(name, typed),
        STANDARD.encode(typed)
    )
}

#[test]
fn a_key_in_another_form_is_refused() {
    let public = key(1).verifying_key().to_bytes();
    let typed = [&[1u8][..], &public[..]].concat();
    let good = key_text("log", &typed);
    assert_eq!(good.parse::<VerifierKey>(), Ok(vkey("log", 1)));
    // y = 2 is on no point of the curve.
    let mut no_point = [0u8; 33];
    (no_point[0], no_point[1]) = (1, 2);
    let forms = [
        ("nothing", String::new()),
        ("a name", "log".to_owned()),
        ("no key", format!("log+{:08x}", vkey("log", 1).key_id())),
        ("an empty key", key_text("log", &[])),
        ("only a type", key_text("log", &[1])),
        ("a short key", key_text("log", &typed[..32])),
        ("a long key", key_text("log", &[&typed[..], &[0]].concat())),
        (
            "another type",
            key_text("log", &[&[2u8][..], &public[..]].concat()),
        ),
        ("no point", key_text("log", &no_point)),
        ("no name", key_text("", &typed)),
        ("two words", key_text("two words", &typed)),
        ("a line break", key_text("line\nbreak", &typed)),
        ("a plus", key_text("a+b", &typed)),
        ("the identifier of another name", good.replace("log", "gol")),
        ("capital digits", PETER_KEY.replace("c74f20a3", "C74F20A3")),
        ("a digit too many", good.replacen('+', "+0", 1)),
        ("the other base64", PETER_KEY.replace('/', "_")),
        ("a newline at the end", format!("{good}\n")),
        ("a secret key", PETER_SECRET.to_owned()),
    ];
    for (form, text) in forms {
        let found = text.parse::<VerifierKey>();
        assert!(
            matches!(found, Err(NoteError::Key { .. })),
            "{form}: {found:?}"
        );
    }
}

#[test]
fn a_key_reads_back_with_its_type() {
    for key_type in [KeyType::Ed25519, KeyType::Cosignature] {
        let vkey = VerifierKey::new("witness.example/1", key_type, key(9).verifying_key())
            .expect("a plain name");
        assert_eq!(vkey.to_string().parse::<VerifierKey>(), Ok(vkey.clone()));
        let typed = [&[key_type as u8][..], &vkey.key().to_bytes()[..]].concat();
        assert_eq!(vkey.to_string(), key_text("witness.example/1", &typed));
    }
}

proptest! {
    #[test]
    fn notes_are_byte_for_byte_those_of_signed_note(
        text in "([ -~\u{e9}\u{2014}]{0,30}\n){1,5}",
        name in "[a-z][a-z0-9./-]{0,20}",
        seed in any::<[u8; 32]>(),
    ) {
        let secret = SigningKey::from_bytes(&seed);
        let vkey = VerifierKey::new(&name, KeyType::Ed25519, secret.verifying_key()).expect("a plain name");
        let ours = SignedNote::sign(text.clone(), &name, &secret).expect("a plain text and name").to_string();

        let encoded = STANDARD.encode([&[1u8][..], &seed[..]].concat());
        let signer = StandardSigner::new(&format!("PRIVATE+KEY+{name}+{:08x}+{encoded}", vkey.key_id()));
        let mut theirs = Note::new(text.as_bytes(), &[]).expect("a plain text");
        theirs.add_sigs(&[&signer.expect("a key of the oracle's form")]).expect("a plain name");
        prop_assert_eq!(ours.as_bytes(), theirs.to_bytes());

        let verifier = StandardVerifier::new(&vkey.to_string()).expect("our key text is the oracle's");
        let read = Note::from_bytes(ours.as_bytes()).expect("our note is the oracle's");
        prop_assert_eq!(read.text(), text.as_bytes());
        let (verified, ignored) = read.verify(&VerifierList::new(vec![Box::new(verifier)])).expect("it is signed");
        prop_assert_eq!((verified.len(), ignored.len()), (1, 0));
        let note = SignedNote::parse(&theirs.to_bytes()).expect("the oracle's note is ours");
        prop_assert_eq!(note.verify(std::slice::from_ref(&vkey)), Ok(vec![&vkey]));
    }
}
