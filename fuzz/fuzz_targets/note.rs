//! Signed notes: no bytes panic, and what is read is what would be written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ledger::note::{SignedNote, VerifierKey};

/// The published key of golang.org/x/mod/sumdb/note; nothing found here is signed by it, save the published note.
const KNOWN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        let known: VerifierKey = KNOWN.parse().expect("a published key");
        let _ = note.verify(&[known]);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(key) = text.parse::<VerifierKey>()
    {
        assert_eq!(key.to_string(), text);
    }
});
