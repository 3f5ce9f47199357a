//! Tiles and entry bundles of C2SP [tlog-tiles](https://c2sp.org/tlog-tiles): paths, contents, and which tiles a size has.
//!
//! Reading and writing them is the caller's business.

use std::fmt;

use crate::merkle::{Hash, node_hash};

/// Levels of the tree in one tile: a full tile holds 2^8 hashes.
pub const TILE_HEIGHT: u8 = 8;
/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;
/// Largest entry, in bytes: its length is written in 16 bits.
pub const ENTRY_BYTES_LIMIT: usize = u16::MAX as usize;

/// Names one tile, or one bundle of entries, of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// Tile level; `None` names a bundle of entries.
    pub level: Option<u8>,
    /// Position among the tiles of that level.
    pub idx: u64,
    /// Hashes or entries inside, 1 to 256; less than 256 is a partial tile.
    pub width: u16,
}

/// What is wrong with a tile, a bundle, or the path of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// Not the one canonical path of a tile.
    #[error("`{path}` is not a tile path")]
    Path {
        /// The refused path, cut after 80 characters.
        path: String,
    },
    /// A tile whose length is not 32 bytes times its width.
    #[error("a tile {width} hashes wide has {n_bytes} bytes")]
    TileLength {
        /// Hashes that its path states, 1 to 256.
        width: u16,
        /// Length of the tile in bytes.
        n_bytes: usize,
    },
    /// A bundle that ends inside an entry.
    #[error("the bundle ends inside entry {entry_idx}")]
    BundleTruncated {
        /// Zero-based entry within the bundle.
        entry_idx: usize,
    },
    /// A bundle with another number of entries than its name states.
    #[error("a bundle {width} entries wide holds {n_entries}")]
    BundleLength {
        /// Entries that its path states, 1 to 256.
        width: u16,
        /// Number of entries that it holds.
        n_entries: usize,
    },
    /// An entry that does not fit the 16-bit length.
    #[error("an entry of {n_bytes} bytes is over the limit of {ENTRY_BYTES_LIMIT}")]
    EntryTooLarge {
        /// Length of the entry in bytes.
        n_bytes: usize,
    },
}

impl fmt::Display for TileId {
    /// Writes the path below the log's prefix, such as `tile/0/x001/067.p/8` or `tile/entries/000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "tile/{level}/")?,
            None => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.idx % 1000];
        let mut rest = self.idx / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if u64::from(self.width) < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl TileId {
    /// Parses a path as `Display` writes it; anything else, also a longer way to write the same number, is refused.
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let refuse = || TileError::Path {
            path: path.chars().take(80).collect(),
        };
        let rest = path.strip_prefix("tile/").ok_or_else(refuse)?;
        let (level_text, rest) = rest.split_once('/').ok_or_else(refuse)?;
        let level = match level_text {
            "entries" => None,
            digits => Some(
                digits
                    .parse::<u8>()
                    .ok()
                    .filter(|level| *level < 64)
                    .ok_or_else(refuse)?,
            ),
        };
        let (idx_text, width) = match rest.split_once(".p/") {
            Some((idx_text, width)) => (idx_text, width.parse::<u16>().map_err(|_| refuse())?),
            None => (rest, TILE_WIDTH as u16),
        };
        let mut idx = 0u64;
        for group in idx_text.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            if digits.len() != 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(refuse());
            }
            let number: u64 = digits.parse().map_err(|_| refuse())?;
            idx = idx
                .checked_mul(1000)
                .and_then(|idx| idx.checked_add(number))
                .ok_or_else(refuse)?;
        }
        let id = Self { level, idx, width };
        // The canonical text is the only accepted one: this settles leading zeroes, missing `x` and `.p/256`.
        if width == 0 || u64::from(width) > TILE_WIDTH || id.to_string() != path {
            return Err(refuse());
        }
        Ok(id)
    }
}

/// Returns the width of tile `idx` at `level` in a log of `size` leaves; 0 when it does not exist.
pub fn tile_width(level: u8, idx: u64, size: u64) -> u16 {
    let n_hashes = size
        .checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))
        .unwrap_or(0);
    let start = idx.saturating_mul(TILE_WIDTH);
    n_hashes.saturating_sub(start).min(TILE_WIDTH) as u16
}

/// Returns every tile and entry bundle that a log of `size` leaves has and a log of `old_size` leaves had not.
pub fn tiles_added(old_size: u64, size: u64) -> Vec<TileId> {
    let mut added = Vec::new();
    for level in 0..8u8 {
        let shift = u32::from(level) * u32::from(TILE_HEIGHT);
        let (old_hashes, n_hashes) = (old_size >> shift, size >> shift);
        if n_hashes == 0 {
            break;
        }
        if n_hashes == old_hashes {
            continue;
        }
        for idx in old_hashes / TILE_WIDTH..=(n_hashes - 1) / TILE_WIDTH {
            let width = tile_width(level, idx, size);
            added.push(TileId {
                level: Some(level),
                idx,
                width,
            });
            if level == 0 {
                added.push(TileId {
                    level: None,
                    idx,
                    width,
                });
            }
        }
    }
    added
}

/// Returns the bytes of a tile: its hashes, 32 bytes each.
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Returns the hashes of a tile `width` wide.
pub fn decode_tile(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() != usize::from(width) {
        return Err(TileError::TileLength {
            width,
            n_bytes: bytes.len(),
        });
    }
    Ok(hashes.iter().map(|bytes| Hash(*bytes)).collect())
}

/// Returns the bytes of an entry bundle: for each entry its length (16 bits, big-endian) and itself.
pub fn encode_bundle<'a>(
    entries: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let n_bytes = entry.len();
        let length = u16::try_from(n_bytes).map_err(|_| TileError::EntryTooLarge { n_bytes })?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(entry);
    }
    Ok(bytes)
}

/// Returns the entries of a bundle `width` wide.
pub fn decode_bundle(mut bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::with_capacity(usize::from(width));
    while !bytes.is_empty() {
        let truncated = TileError::BundleTruncated {
            entry_idx: entries.len(),
        };
        let (length, rest) = bytes.split_first_chunk::<2>().ok_or(truncated.clone())?;
        let (entry, rest) = rest
            .split_at_checked(usize::from(u16::from_be_bytes(*length)))
            .ok_or(truncated)?;
        entries.push(entry);
        bytes = rest;
    }
    if entries.len() != usize::from(width) {
        return Err(TileError::BundleLength {
            width,
            n_entries: entries.len(),
        });
    }
    Ok(entries)
}

/// Returns where the hash of a complete subtree lies: the tile, and the range of its hashes that the subtree covers.
///
/// `size` limits the tile's width: only tiles of a published checkpoint exist.
pub fn locate_node(level: u8, position: u64, size: u64) -> (TileId, std::ops::Range<usize>) {
    let (tile_level, inner) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
    let first = position << inner;
    let idx = first / TILE_WIDTH;
    let offset = (first % TILE_WIDTH) as usize;
    let width = tile_width(tile_level, idx, size);
    (
        TileId {
            level: Some(tile_level),
            idx,
            width,
        },
        offset..offset + (1 << inner),
    )
}

/// Returns the root over a power-of-two run of sibling hashes.
///
/// # Panics
/// When their number is not a power of two.
pub fn subtree_root(hashes: &[Hash]) -> Hash {
    assert!(
        hashes.len().is_power_of_two(),
        "{} hashes are not a complete subtree",
        hashes.len()
    );
    match hashes {
        [only] => *only,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(subtree_root(left), subtree_root(right))
        }
    }
}
