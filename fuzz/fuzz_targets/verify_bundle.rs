//! Whole bundles: no bytes panic, as a bundle, as the files of one, or as the earlier checkpoint.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ledger::archive::{Files, write_archive};
use veracta_ledger::verify::{Trust, verify_bundle};

/// Paths that the verifier reads; the container around them is always well formed.
const PATHS: [&str; 9] = [
    "checkpoint",
    "log.vkey",
    "manifest",
    "proofs/0.tlog-proof",
    "records/0.json",
    "statements/a.dsse.json",
    "tile/0/000.p/1",
    "tile/entries/000.p/1",
    "other",
];

fuzz_target!(|input: (&[u8], Vec<(u8, Vec<u8>)>)| {
    let (bytes, parts) = input;
    let trust = Trust { earlier_checkpoint: Some(bytes.to_vec()), ..Trust::default() };
    verify_bundle(bytes, &trust);
    let file = |(path, bytes): (u8, Vec<u8>)| (PATHS[usize::from(path) % PATHS.len()].to_owned(), bytes);
    let files: Files = parts.into_iter().map(file).collect();
    verify_bundle(&write_archive(&files).expect("a small bundle"), &trust);
});
