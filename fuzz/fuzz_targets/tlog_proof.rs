//! Receipts: no bytes panic, what is read is what would be written, and nothing holds without the log's key.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ledger::note::VerifierKey;
use veracta_ledger::proof::TlogProof;

const KNOWN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fuzz_target!(|bytes: &[u8]| {
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
        let known: VerifierKey = KNOWN.parse().expect("a published key");
        assert!(proof.verify(b"never logged", &known).is_err());
    }
});
