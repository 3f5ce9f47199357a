//! Tile paths: no text panics, and every tile has one path.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ledger::tile::TileId;

fuzz_target!(|path: &str| {
    if let Ok(id) = TileId::parse(path) {
        assert_eq!(id.to_string(), path);
    }
});
