//! Envelopes and statements: no bytes panic, and nothing is read that no trusted key signed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ledger::note::VerifierKey;
use veracta_ledger::statement::{Envelope, Statement};

const KNOWN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<Statement>(bytes);
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(bytes) {
        let known: VerifierKey = KNOWN.parse().expect("a published key");
        assert!(envelope.verify(&[*known.key()], 1).is_err());
        assert!(envelope.verify(&[], 0).is_err());
    }
});
