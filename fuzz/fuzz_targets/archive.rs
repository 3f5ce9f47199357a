//! The container of a bundle: no bytes panic, and each set of files has one archive.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ledger::archive::{read_archive, write_archive};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(files) = read_archive(bytes) {
        assert_eq!(write_archive(&files).expect("read files fit"), bytes);
    }
});
