//! Proves that tiles have one path each, that a size has exactly the tiles of the tlog-tiles specification, and that tiles
//! and entry bundles read back as written.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;
use tlog_tiles::tile::Tile;
use veracta_ledger::merkle::{CompactRange, Hash, leaf_hash};
use veracta_ledger::tile::{
    ENTRY_BYTES_LIMIT, TILE_WIDTH, TileError, TileId, decode_bundle, decode_tile, encode_bundle,
    encode_tile, locate_node, subtree_root, tile_width, tiles_added,
};

const FULL: u16 = TILE_WIDTH as u16;

/// Sizes at which a tile, a tile of tiles, or the third level begins, ends or fills.
const GROWTH: [u64; 14] = [
    0, 1, 5, 255, 256, 257, 300, 511, 512, 65_535, 65_536, 65_537, 65_792, 70_000,
];

fn check_path(path: &str, level: Option<u8>, idx: u64, width: u16) {
    let id = TileId { level, idx, width };
    assert_eq!(id.to_string(), path);
    assert_eq!(TileId::parse(path), Ok(id));
}

#[test]
fn a_path_is_the_one_of_the_specification() {
    check_path("tile/0/000", Some(0), 0, FULL);
    check_path("tile/0/x001/x234/067", Some(0), 1_234_067, FULL);
    check_path("tile/0/x001/x234/067.p/8", Some(0), 1_234_067, 8);
    check_path("tile/entries/x001/x234/067", None, 1_234_067, FULL);
    check_path("tile/entries/x001/x234/067.p/255", None, 1_234_067, 255);
    check_path("tile/1/999", Some(1), 999, FULL);
    check_path("tile/2/x001/000", Some(2), 1_000, FULL);
    check_path("tile/0/x001/000.p/1", Some(0), 1_000, 1);
    check_path(
        "tile/63/x018/x446/x744/x073/x709/x551/615",
        Some(63),
        u64::MAX,
        FULL,
    );
    check_path(
        "tile/entries/x018/x446/x744/x073/x709/x551/615.p/7",
        None,
        u64::MAX,
        7,
    );
}

#[test]
fn a_path_in_any_other_form_is_refused() {
    let refused = [
        (
            "parts",
            "tile tile/ tile/0 tile/0/ tile//000 /tile/0/000 tile/0/000/ tile/0//000 tiles/0/000 tile/000",
        ),
        ("parts", "tile/8/0/000 tile/0/000/tile/0/000"),
        (
            "level",
            "tile/00/000 tile/01/000 tile/+1/000 tile/-1/000 tile/64/000 tile/255/000 tile/256/000 tile/x/000",
        ),
        (
            "level",
            "tile/data/000 tile/Entries/000 tile/entry/000 tile/\u{661}/000",
        ),
        (
            "digits",
            "tile/0/0 tile/0/00 tile/0/0000 tile/0/00a tile/0/0x1 tile/0/+01 tile/0/-01",
        ),
        ("digits", "tile/0/\u{660}\u{660}\u{661} tile/\u{660}/000"),
        (
            "groups",
            "tile/0/x000 tile/0/x000/001 tile/0/x000/x001/000 tile/0/x001 tile/0/001/234 tile/0/x001/x234",
        ),
        (
            "groups",
            "tile/0/x001/x234/x067 tile/0/X001/234 tile/0/xx01/234 tile/0/x001x/234 tile/0/x1/234",
        ),
        ("groups", "tile/0/.. tile/0/x001/../067 tile/0/./000"),
        (
            "over 64 bits",
            "tile/0/x018/x446/x744/x073/x709/x551/616 tile/0/x999/x999/x999/x999/x999/x999/999",
        ),
        (
            "width",
            "tile/0/000.p tile/0/000.p/ tile/0/000.p/0 tile/0/000.p/08 tile/0/000.p/+8 tile/0/000.p/-8",
        ),
        (
            "width",
            "tile/0/000.p/256 tile/0/000.p/257 tile/0/000.p/65535 tile/0/000.p/65536 tile/0/000.p/8.p/8",
        ),
        (
            "width",
            "tile/0/000.p/8/ tile/0/.p/8 tile/0/000.P/8 tile/0/000p/8 tile/0/x001.p/8/234",
        ),
        ("width", "tile/entries/000.p/0 tile/entries/000.p/256"),
    ];
    let refused = refused
        .iter()
        .flat_map(|(reason, paths)| paths.split(' ').map(move |path| (*reason, path)));
    let spaces = [
        "",
        " ",
        "tile/0/000 ",
        "tile/0/000\n",
        " tile/0/000",
        "tile/ 0/000",
        "tile/0/ 01",
        "tile/0/000.p/ 8",
    ];
    for (reason, path) in refused.chain(spaces.map(|path| ("white space", path))) {
        assert_eq!(
            TileId::parse(path),
            Err(TileError::Path {
                path: path.to_owned()
            }),
            "{reason}: `{path}`"
        );
    }
}

#[test]
fn a_refused_path_is_cut_in_the_error() {
    let expected = TileError::Path {
        path: "x".repeat(80),
    };
    assert_eq!(TileId::parse(&"x".repeat(10_000)), Err(expected));
}

/// Asserts that a log of `size` entries has on `level` so many full tiles and then one of width `partial` (0 for none).
fn check_level(size: u64, level: Option<u8>, n_full: u64, partial: u16) {
    let mut expected: Vec<TileId> = (0..n_full)
        .map(|idx| TileId {
            level,
            idx,
            width: FULL,
        })
        .collect();
    expected.extend((partial > 0).then_some(TileId {
        level,
        idx: n_full,
        width: partial,
    }));
    let found: Vec<TileId> = tiles_added(0, size)
        .into_iter()
        .filter(|id| id.level == level)
        .collect();
    assert_eq!(found, expected, "level {level:?} of {size}");
}

fn check_size(size: u64, levels: &[(u64, u16)]) {
    for (level, (n_full, partial)) in levels.iter().enumerate() {
        check_level(size, Some(level as u8), *n_full, *partial);
    }
    let (n_full, partial) = levels.first().copied().unwrap_or((0, 0));
    check_level(size, None, n_full, partial);
    let n_tiles: u64 = levels
        .iter()
        .map(|(n_full, partial)| n_full + u64::from(*partial > 0))
        .sum();
    let n_bundles = n_full + u64::from(partial > 0);
    assert_eq!(
        tiles_added(0, size).len() as u64,
        n_tiles + n_bundles,
        "tiles of {size}"
    );
}

#[test]
fn a_size_has_the_tiles_of_the_specification() {
    check_size(0, &[]);
    check_size(1, &[(0, 1)]);
    check_size(255, &[(0, 255)]);
    check_size(256, &[(1, 0), (0, 1)]);
    check_size(257, &[(1, 1), (0, 1)]);
    check_size(65_535, &[(255, 255), (0, 255)]);
    check_size(65_536, &[(256, 0), (1, 0), (0, 1)]);
    check_size(65_537, &[(256, 1), (1, 0), (0, 1)]);
    // The worked example of the specification.
    check_size(70_000, &[(273, 112), (1, 17), (0, 1)]);
}

#[test]
fn a_tile_is_as_wide_as_the_size_allows() {
    let check = |level: u8, idx: u64, size: u64, expected: u16| {
        assert_eq!(
            tile_width(level, idx, size),
            expected,
            "tile {idx} on level {level} of {size}"
        );
    };
    check(0, 0, 0, 0);
    check(0, 272, 70_000, FULL);
    check(0, 273, 70_000, 112);
    check(0, 274, 70_000, 0);
    check(1, 0, 70_000, FULL);
    check(1, 1, 70_000, 17);
    check(2, 0, 70_000, 1);
    check(3, 0, 70_000, 0);
    check(7, 0, u64::MAX, 255);
    check(8, 0, u64::MAX, 0);
    check(255, 0, u64::MAX, 0);
    check(0, u64::MAX, u64::MAX, 0);
    check(0, u64::MAX / TILE_WIDTH, u64::MAX, 255);
}

fn check_growth(old_size: u64, size: u64) {
    let had: BTreeSet<TileId> = tiles_added(0, old_size).into_iter().collect();
    let has: BTreeSet<TileId> = tiles_added(0, size).into_iter().collect();
    let added = tiles_added(old_size, size);
    let distinct: BTreeSet<TileId> = added.iter().copied().collect();
    assert_eq!(
        distinct.len(),
        added.len(),
        "no tile twice from {old_size} to {size}"
    );
    assert_eq!(distinct, &has - &had, "from {old_size} to {size}");
    // The oracle names height and level, and knows bundles under another name.
    let ours: Vec<String> = added
        .iter()
        .filter(|id| id.level.is_some())
        .map(TileId::to_string)
        .collect();
    let theirs: Vec<String> = Tile::new_tiles(8, old_size, size)
        .iter()
        .map(oracle_path)
        .collect();
    assert_eq!(ours, theirs, "from {old_size} to {size}");
}

fn oracle_path(tile: &Tile) -> String {
    tile.path()
        .replacen("tile/8/", "tile/", 1)
        .replacen("tile/data/", "tile/entries/", 1)
}

#[test]
fn growth_adds_exactly_the_tiles_that_were_not_there() {
    for (position, size) in GROWTH.into_iter().enumerate() {
        GROWTH[..=position]
            .iter()
            .for_each(|old_size| check_growth(*old_size, size));
    }
}

#[test]
fn steps_of_growth_together_add_every_tile_of_the_last_size() {
    let steps = GROWTH
        .windows(2)
        .flat_map(|step| tiles_added(step[0], step[1]));
    let written: BTreeSet<TileId> = steps.collect();
    for id in tiles_added(0, 70_000) {
        assert!(written.contains(&id), "{id} was never written");
    }
}

#[test]
fn a_log_that_does_not_grow_adds_nothing() {
    for size in GROWTH {
        assert!(tiles_added(size, size).is_empty(), "{size}");
    }
    assert!(tiles_added(300, 5).is_empty());
}

#[test]
fn every_complete_subtree_is_found_in_its_tile() {
    const SIZE: u64 = 1_300;
    let mut levels: Vec<Vec<Hash>> = vec![Vec::new(); 11];
    let mut tree = CompactRange::default();
    for idx in 0..SIZE {
        tree.append_noting(leaf_hash(&idx.to_be_bytes()), &mut |level, _, hash| {
            levels[usize::from(level)].push(hash)
        });
    }
    for (level, hashes) in levels.iter().enumerate() {
        for (position, expected) in hashes.iter().enumerate() {
            let (id, range) = locate_node(level as u8, position as u64, SIZE);
            let tile_level = usize::from(id.level.expect("hashes are not in entry bundles"));
            let start = (id.idx * TILE_WIDTH) as usize;
            let bytes = encode_tile(&levels[tile_level * 8][start..start + usize::from(id.width)]);
            assert_eq!(id.width, tile_width(tile_level as u8, id.idx, SIZE));
            let tile = decode_tile(&bytes, id.width).expect("a tile reads back");
            assert_eq!(
                subtree_root(&tile[range]),
                *expected,
                "node {position} on level {level}"
            );
        }
    }
}

#[test]
fn a_tile_of_another_length_is_refused() {
    let hashes: Vec<Hash> = (0..3u8).map(|idx| leaf_hash(&[idx])).collect();
    let bytes = encode_tile(&hashes);
    assert_eq!(decode_tile(&bytes, 3), Ok(hashes));
    let check = |bytes: &[u8], width: u16| {
        let expected = TileError::TileLength {
            width,
            n_bytes: bytes.len(),
        };
        assert_eq!(
            decode_tile(bytes, width),
            Err(expected),
            "{} bytes as {width}",
            bytes.len()
        );
    };
    check(&bytes, 2);
    check(&bytes, 4);
    check(&bytes, FULL);
    check(&bytes[..95], 3);
    check(&[&bytes[..], &[0]].concat(), 3);
    check(&[], 3);
}

#[test]
fn an_entry_takes_at_most_65535_bytes() {
    let largest = vec![7u8; ENTRY_BYTES_LIMIT];
    let bundle = encode_bundle([largest.as_slice()]).expect("the largest entry fits");
    assert_eq!(decode_bundle(&bundle, 1), Ok(vec![largest.as_slice()]));
    let too_large = vec![7u8; 65_536];
    let refused = encode_bundle([b"small".as_slice(), too_large.as_slice()]);
    assert_eq!(refused, Err(TileError::EntryTooLarge { n_bytes: 65_536 }));
}

#[test]
fn a_bundle_that_ends_early_names_the_entry() {
    let bundle = encode_bundle([b"one".as_slice(), b"".as_slice(), b"three".as_slice()])
        .expect("small entries fit");
    assert_eq!(bundle, b"\0\x03one\0\0\0\x05three");
    let check = |n_bytes: usize, expected: TileError| {
        assert_eq!(
            decode_bundle(&bundle[..n_bytes], 3),
            Err(expected),
            "the first {n_bytes} bytes"
        );
    };
    check(
        0,
        TileError::BundleLength {
            width: 3,
            n_entries: 0,
        },
    );
    check(1, TileError::BundleTruncated { entry_idx: 0 });
    check(4, TileError::BundleTruncated { entry_idx: 0 });
    check(
        5,
        TileError::BundleLength {
            width: 3,
            n_entries: 1,
        },
    );
    check(6, TileError::BundleTruncated { entry_idx: 1 });
    check(
        7,
        TileError::BundleLength {
            width: 3,
            n_entries: 2,
        },
    );
    check(8, TileError::BundleTruncated { entry_idx: 2 });
    check(13, TileError::BundleTruncated { entry_idx: 2 });
}

proptest! {
    #[test]
    fn a_path_reads_back(level in prop::option::of(0u8..64), idx in any::<u64>(), width in 1..=FULL) {
        let id = TileId { level, idx, width };
        prop_assert_eq!(TileId::parse(&id.to_string()), Ok(id));
    }

    #[test]
    fn a_path_is_that_of_tlog_tiles(level in prop::option::of(0u8..64), idx in any::<u64>(), width in 1..=FULL) {
        let oracle = Tile::new(8, level.unwrap_or(0), idx, u32::from(width), level.is_none());
        prop_assert_eq!(TileId { level, idx, width }.to_string(), oracle_path(&oracle));
    }

    #[test]
    fn what_is_read_is_what_would_be_written(
        path in "tile/(entries|[0-9]{1,3})/(x[0-9]{3}/){0,3}[0-9]{2,4}(\\.p/[0-9]{0,3})?",
    ) {
        if let Ok(id) = TileId::parse(&path) {
            prop_assert_eq!(id.to_string(), path);
        }
    }

    #[test]
    fn any_growth_adds_exactly_the_tiles_that_were_not_there(sizes in any::<[u32; 2]>()) {
        let sizes = sizes.map(|size| u64::from(size % 200_000));
        check_growth(sizes[0].min(sizes[1]), sizes[0].max(sizes[1]));
    }

    #[test]
    fn a_bundle_reads_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..40)) {
        let bundle = encode_bundle(entries.iter().map(Vec::as_slice)).expect("small entries fit");
        let width = entries.len() as u16;
        prop_assert_eq!(decode_bundle(&bundle, width), Ok(entries.iter().map(Vec::as_slice).collect::<Vec<_>>()));
        for other in [width.wrapping_sub(1), width + 1] {
            let expected = TileError::BundleLength { width: other, n_entries: entries.len() };
            prop_assert_eq!(decode_bundle(&bundle, other), Err(expected));
        }
    }

    #[test]
    fn a_truncated_bundle_is_refused(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..20),
        end in any::<Index>(),
    ) {
        let bundle = encode_bundle(entries.iter().map(Vec::as_slice)).expect("small entries fit");
        let end = end.index(bundle.len());
        prop_assert!(decode_bundle(&bundle[..end], entries.len() as u16).is_err());
    }
}
