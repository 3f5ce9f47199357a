//! Entries: no bytes panic, and each header has one form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ledger::entry::Entry;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.to_bytes().expect("a parsed entry is within the limit"), bytes);
    }
});
