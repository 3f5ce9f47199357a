//! Checkpoints: no bytes panic, and what is read is what would be written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ledger::checkpoint::{Checkpoint, cosignatures};
use veracta_ledger::note::{SignedNote, VerifierKey};

const KNOWN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fuzz_target!(|bytes: &[u8]| {
    let known: VerifierKey = KNOWN.parse().expect("a published key");
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(checkpoint) = Checkpoint::parse(text)
    {
        assert_eq!(checkpoint.to_text(), text);
    }
    let _ = Checkpoint::open(bytes, &known);
    if let Ok(note) = SignedNote::parse(bytes) {
        let _ = cosignatures(&note, &[known]);
    }
});
