//! Entry bundles and tiles: no bytes panic, and what is read is what would be written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ledger::tile::{decode_bundle, decode_tile, encode_bundle, encode_tile};

fuzz_target!(|input: (u16, &[u8])| {
    let (width, bytes) = input;
    if let Ok(entries) = decode_bundle(bytes, width) {
        assert_eq!(entries.len(), usize::from(width));
        assert_eq!(encode_bundle(entries).expect("read entries fit"), bytes);
    }
    if let Ok(hashes) = decode_tile(bytes, width) {
        assert_eq!(encode_tile(&hashes), bytes);
    }
});
