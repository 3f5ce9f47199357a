//! Manifests: no text panics, and what is read is what would be written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ledger::bundle::Manifest;

fuzz_target!(|text: &str| {
    if let Some(manifest) = Manifest::parse(text) {
        assert_eq!(manifest.to_text(), text);
    }
});
