//! Proves that a statement is read only when enough distinct trusted keys signed the very bytes it is read from.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use proptest::prelude::*;
use serde_json::{Value, json};
use veracta_ledger::Hash;
use veracta_ledger::statement::{
    Envelope, EnvelopeSignature, PAYLOAD_TYPE, ResourceDescriptor, SLSA_PROVENANCE, STATEMENT_TYPE,
    Statement, StatementError, pre_authentication_encoding,
};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(seeds: &[u8]) -> Vec<VerifyingKey> {
    seeds
        .iter()
        .map(|seed| key(*seed).verifying_key())
        .collect()
}

fn statement() -> Statement {
    Statement {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject: vec![ResourceDescriptor::sha256("model", Hash::of(b"model"))],
        predicate_type: SLSA_PROVENANCE.to_owned(),
        predicate: json!({ "buildDefinition": { "buildType": "https://veracta.example/training/v1" } }),
    }
}

/// Returns an envelope around `payload`, signed by each seed's key as DSSE asks, whatever the payload is.
fn envelope(payload_type: &str, payload: &[u8], seeds: &[u8]) -> Envelope {
    let message = pre_authentication_encoding(payload_type, payload);
    let sign = |seed: &u8| EnvelopeSignature {
        keyid: None,
        sig: STANDARD.encode(key(*seed).sign(&message).to_bytes()),
    };
    Envelope {
        payload: STANDARD.encode(payload),
        payload_type: payload_type.to_owned(),
        signatures: seeds.iter().map(sign).collect(),
    }
}

fn signed(seeds: &[u8]) -> Envelope {
    envelope(
        PAYLOAD_TYPE,
        &serde_json::to_vec(&statement()).expect("a plain statement"),
        seeds,
    )
}

/// The example of github.com/secure-systems-lab/dsse, `protocol.md`.
#[test]
fn the_encoding_is_the_published_one() {
    let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
    assert_eq!(
        encoded,
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
}

#[test]
fn the_encoding_keeps_type_and_payload_apart() {
    let check = |left: (&str, &[u8]), right: (&str, &[u8])| {
        let encoded = pre_authentication_encoding(left.0, left.1);
        assert_ne!(
            encoded,
            pre_authentication_encoding(right.0, right.1),
            "{left:?} and {right:?}"
        );
    };
    check(("a b", b"c"), ("a", b"b c"));
    check(("", b"a 1 b"), ("a", b"b"));
    check(("a", b""), ("", b"a"));
    // Lengths are those of bytes, not of characters.
    assert_eq!(
        pre_authentication_encoding("\u{e9}", b"\xff"),
        b"DSSEv1 2 \xc3\xa9 1 \xff"
    );
}

#[test]
fn an_envelope_has_the_fields_of_dsse_and_in_toto() {
    let envelope =
        Envelope::sign(&statement(), &key(1), "log.example/veracta").expect("a plain statement");
    let written = serde_json::to_value(&envelope).expect("a plain envelope");
    let expected = json!({
        "payload": envelope.payload,
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{ "keyid": "log.example/veracta", "sig": envelope.signatures[0].sig }],
    });
    assert_eq!(written, expected);
    let payload = STANDARD
        .decode(&envelope.payload)
        .expect("the payload is base64");
    let expected = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "model", "digest": { "sha256": Hash::of(b"model").to_string() } }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": { "buildDefinition": { "buildType": "https://veracta.example/training/v1" } },
    });
    assert_eq!(
        serde_json::from_slice::<Value>(&payload).expect("the payload is JSON"),
        expected
    );
    assert_eq!(
        envelope.verify(&public(&[1]), 1).expect("it is signed"),
        statement()
    );
}

/// Asserts how many distinct trusted keys are counted, by asking for that many and for one more.
fn check_signers(envelope: &Envelope, trusted: &[u8], expected: usize) {
    let trusted = public(trusted);
    if expected > 0 {
        assert_eq!(
            envelope
                .verify(&trusted, expected)
                .expect("enough keys have signed"),
            statement()
        );
    }
    match envelope.verify(&trusted, expected + 1) {
        Err(StatementError::TooFewSigners { found, needed }) => {
            assert_eq!((found, needed), (expected, expected + 1))
        }
        other => panic!("{expected} signers, yet {other:?}"),
    }
}

#[test]
fn the_threshold_counts_distinct_trusted_keys() {
    check_signers(&signed(&[1]), &[1], 1);
    check_signers(&signed(&[1, 2]), &[1, 2], 2);
    check_signers(&signed(&[2, 1]), &[1, 2, 3], 2);
    check_signers(&signed(&[1, 1, 1]), &[1, 2], 1);
    check_signers(&signed(&[1, 1, 2]), &[1, 2], 2);
    // A key that is trusted twice still counts once.
    check_signers(&signed(&[1, 1]), &[1, 1], 1);
    // Strangers are ignored.
    check_signers(&signed(&[3, 1, 4]), &[1, 2], 1);
    check_signers(&signed(&[3]), &[1, 2], 0);
    check_signers(&signed(&[]), &[1], 0);
    check_signers(&signed(&[1]), &[], 0);
}

#[test]
fn a_threshold_of_nobody_is_refused() {
    let found = signed(&[1]).verify(&public(&[1]), 0);
    assert!(
        matches!(
            found,
            Err(StatementError::TooFewSigners {
                found: 1,
                needed: 0
            })
        ),
        "{found:?}"
    );
}

#[test]
fn one_flipped_bit_anywhere_in_payload_or_signature_refuses_an_envelope() {
    let trusted = public(&[1]);
    let good = signed(&[1]);
    let payload = STANDARD
        .decode(&good.payload)
        .expect("the payload is base64");
    let signature = STANDARD
        .decode(&good.signatures[0].sig)
        .expect("the signature is base64");
    for bit in 0..payload.len() * 8 {
        let mut altered = payload.clone();
        altered[bit / 8] ^= 1u8 << (bit % 8);
        let envelope = Envelope {
            payload: STANDARD.encode(&altered),
            ..good.clone()
        };
        assert!(
            envelope.verify(&trusted, 1).is_err(),
            "payload byte {}, bit {}",
            bit / 8,
            bit % 8
        );
    }
    for bit in 0..signature.len() * 8 {
        let mut altered = signature.clone();
        altered[bit / 8] ^= 1u8 << (bit % 8);
        let sig = STANDARD.encode(&altered);
        let envelope = Envelope {
            signatures: vec![EnvelopeSignature { keyid: None, sig }],
            ..good.clone()
        };
        assert!(
            envelope.verify(&trusted, 1).is_err(),
            "signature byte {}, bit {}",
            bit / 8,
            bit % 8
        );
    }
}

#[test]
fn the_key_identifier_is_a_hint_only() {
    let mut envelope = signed(&[1]);
    for keyid in [None, Some("anything".to_owned()), Some(String::new())] {
        envelope.signatures[0].keyid = keyid;
        check_signers(&envelope, &[1], 1);
        check_signers(&envelope, &[2], 0);
    }
}

#[test]
fn both_forms_of_base64_are_read() {
    let good = signed(&[1]);
    let payload = STANDARD
        .decode(&good.payload)
        .expect("the payload is base64");
    let signature = STANDARD
        .decode(&good.signatures[0].sig)
        .expect("the signature is base64");
    let sig = URL_SAFE.encode(signature);
    let signatures = vec![EnvelopeSignature { keyid: None, sig }];
    check_signers(
        &Envelope {
            payload: URL_SAFE.encode(payload),
            signatures,
            ..good
        },
        &[1],
        1,
    );
}

#[test]
fn a_signature_without_the_encoding_is_refused() {
    let mut envelope = signed(&[1]);
    let payload = STANDARD
        .decode(&envelope.payload)
        .expect("the payload is base64");
    let other_type = pre_authentication_encoding("text/plain", &payload);
    for message in [payload, other_type] {
        envelope.signatures[0].sig = STANDARD.encode(key(1).sign(&message).to_bytes());
        check_signers(&envelope, &[1], 0);
    }
}

#[test]
fn what_is_not_a_statement_is_refused_although_it_is_signed() {
    let trusted = public(&[1]);
    let older = Statement {
        statement_type: "https://in-toto.io/Statement/v0.1".to_owned(),
        ..statement()
    };
    let older = serde_json::to_vec(&older).expect("a plain statement");
    let found = envelope(PAYLOAD_TYPE, &older, &[1]).verify(&trusted, 1);
    assert!(
        matches!(found, Err(StatementError::OtherType { .. })),
        "{found:?}"
    );
    let payload = serde_json::to_vec(&statement()).expect("a plain statement");
    let found = envelope("text/plain", &payload, &[1]).verify(&trusted, 1);
    assert!(
        matches!(found, Err(StatementError::OtherType { .. })),
        "{found:?}"
    );
    for payload in [
        &b""[..],
        b"{}",
        b"hello world",
        b"\xff",
        &payload[..payload.len() - 1],
    ] {
        let found = envelope(PAYLOAD_TYPE, payload, &[1]).verify(&trusted, 1);
        assert!(
            matches!(found, Err(StatementError::Malformed(_))),
            "{payload:?}: {found:?}"
        );
    }
}

#[test]
fn what_is_not_base64_is_refused() {
    let good = signed(&[1]);
    let found = Envelope {
        payload: "not base64".to_owned(),
        ..good.clone()
    }
    .verify(&public(&[1]), 1);
    assert!(
        matches!(found, Err(StatementError::Base64 { part: "payload" })),
        "{found:?}"
    );
    let signatures = vec![EnvelopeSignature {
        keyid: None,
        sig: "not base64".to_owned(),
    }];
    let found = Envelope { signatures, ..good }.verify(&public(&[1]), 1);
    assert!(
        matches!(found, Err(StatementError::Base64 { part: "signature" })),
        "{found:?}"
    );
}

proptest! {
    #[test]
    fn any_statement_reads_back(name in ".{0,40}", digest in any::<[u8; 32]>(), note in ".{0,80}", number in any::<i64>()) {
        let statement = Statement {
            subject: vec![ResourceDescriptor::sha256(name, Hash(digest))],
            predicate: json!({ "note": note, "number": number }),
            ..statement()
        };
        let envelope = Envelope::sign(&statement, &key(1), "hint").expect("a plain statement");
        let written = serde_json::to_vec(&envelope).expect("a plain envelope");
        let read: Envelope = serde_json::from_slice(&written).expect("an envelope reads back");
        prop_assert_eq!(&read, &envelope);
        prop_assert_eq!(read.verify(&public(&[1]), 1).expect("it is signed"), statement);
    }
}
