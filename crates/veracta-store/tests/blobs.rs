//! Bytes by their digest: what goes in comes out, or it is said what is wrong with it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use tempfile::TempDir;
use veracta_ledger::Hash;
use veracta_store::{Blobs, StoreError};

/// More than two of the chunks in which a file is copied.
const LARGE_BYTES: usize = 20 << 20;

fn blobs() -> (TempDir, Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let objects = LocalFileSystem::new_with_prefix(folder.path())
        .unwrap()
        .with_automatic_cleanup(true)
        .with_fsync(true);
    let blobs = Blobs::new(Arc::new(objects)).unwrap();
    (folder, blobs)
}

/// Returns the files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Returns bytes that repeat nowhere near a chunk's length.
fn large() -> Vec<u8> {
    (0..LARGE_BYTES)
        .map(|position| (position ^ (position >> 9) ^ (position >> 17)) as u8)
        .collect()
}

/// Gives bytes in pieces of an odd length, then ends or fails.
struct Pieces<'b> {
    bytes: &'b [u8],
    fails: bool,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() && self.fails {
            return Err(io::Error::other("the cable was pulled"));
        }
        let n_bytes = buffer.len().min(65_521).min(self.bytes.len());
        let (piece, rest) = self.bytes.split_at(n_bytes);
        buffer[..n_bytes].copy_from_slice(piece);
        self.bytes = rest;
        Ok(n_bytes)
    }
}

#[test]
fn what_goes_in_comes_out() {
    let (folder, blobs) = blobs();
    let contents: [&[u8]; 5] = [b"", b"a", b"weights", &[0; 65_536], &[0xff; 100_001]];
    for (position, bytes) in contents.into_iter().enumerate() {
        let digest = Hash::of(bytes);
        assert!(!blobs.contains(digest).unwrap());
        assert_eq!(blobs.put(bytes.to_vec()).unwrap(), digest);
        assert!(blobs.contains(digest).unwrap());
        assert_eq!(blobs.get(digest).unwrap(), bytes);
        assert_eq!(
            files(folder.path()).len(),
            position + 1,
            "one file, and nothing half-written beside it"
        );
    }
}

#[test]
fn the_same_bytes_are_kept_once() {
    let (folder, blobs) = blobs();
    let digest = blobs.put(b"weights".to_vec()).unwrap();
    let modified = || {
        fs::metadata(&files(folder.path())[0])
            .unwrap()
            .modified()
            .unwrap()
    };
    let first = modified();
    assert_eq!(blobs.put(b"weights".to_vec()).unwrap(), digest);
    blobs
        .put_reader(
            digest,
            &mut Pieces {
                bytes: b"weights",
                fails: false,
            },
        )
        .unwrap();
    assert_eq!(
        (files(folder.path()).len(), modified()),
        (1, first),
        "the file is not written again"
    );
    assert_eq!(blobs.get(digest).unwrap(), &b"weights"[..]);
}

#[test]
fn a_large_file_is_copied_in_pieces() {
    let (folder, blobs) = blobs();
    let bytes = large();
    let digest = Hash::of(&bytes);
    blobs
        .put_reader(
            digest,
            &mut Pieces {
                bytes: &bytes,
                fails: false,
            },
        )
        .unwrap();
    assert!(
        blobs.get(digest).unwrap() == bytes,
        "the copy has other bytes"
    );
    assert_eq!(files(folder.path()).len(), 1);
    // Through `put_reader` as through `put`: one name for the same bytes.
    assert_eq!(blobs.put(bytes).unwrap(), digest);
    assert_eq!(files(folder.path()).len(), 1);
    let empty = Hash::of(b"");
    blobs.put_reader(empty, &mut io::empty()).unwrap();
    assert_eq!(blobs.get(empty).unwrap(), &b""[..]);
}

#[test]
fn a_reader_that_fails_leaves_nothing() {
    let (folder, blobs) = blobs();
    let bytes = large();
    let digest = Hash::of(&bytes);
    for n_given in [0, 1000, LARGE_BYTES - 1] {
        let refused = blobs
            .put_reader(
                digest,
                &mut Pieces {
                    bytes: &bytes[..n_given],
                    fails: true,
                },
            )
            .unwrap_err();
        assert!(
            format!("{refused:?}").contains("the cable was pulled"),
            "{refused:?}"
        );
        assert!(!blobs.contains(digest).unwrap());
        assert_eq!(
            files(folder.path()),
            Vec::<PathBuf>::new(),
            "after {n_given} bytes"
        );
    }
    blobs
        .put_reader(
            digest,
            &mut Pieces {
                bytes: &bytes,
                fails: false,
            },
        )
        .unwrap();
    assert!(
        blobs.get(digest).unwrap() == bytes,
        "the copy has other bytes"
    );
}

#[test]
fn a_reader_of_other_bytes_is_refused() {
    let (folder, blobs) = blobs();
    let bytes = large();
    let digest = Hash::of(&bytes);
    // A file that was changed, cut or lengthened between being hashed and being copied.
    let mut changed = bytes.clone();
    changed[LARGE_BYTES / 2] ^= 1;
    let longer = [&bytes[..], b"!"].concat();
    for other in [&changed[..], &bytes[1..], &longer, b""] {
        let refused = blobs.put_reader(
            digest,
            &mut Pieces {
                bytes: other,
                fails: false,
            },
        );
        assert!(
            matches!(refused, Err(StoreError::ChangedWhileRead { digest: named }) if named == digest),
            "{refused:?}"
        );
        assert!(
            !blobs.contains(digest).unwrap(),
            "other bytes do not take the name"
        );
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    }
}

#[test]
fn missing_bytes_are_named() {
    let (_folder, blobs) = blobs();
    let digest = Hash::of(b"never stored");
    let refused = blobs.get(digest).unwrap_err();
    assert!(
        matches!(refused, StoreError::NoBlob { digest: named } if named == digest),
        "{refused:?}"
    );
    assert!(refused.to_string().contains(&digest.to_string()));
    assert_eq!(blobs.log_file("checkpoint").unwrap(), None);
}

#[test]
fn changed_bytes_are_not_handed_out() {
    let (folder, blobs) = blobs();
    let digest = blobs.put(b"weights".to_vec()).unwrap();
    let path = files(folder.path()).remove(0);
    assert!(
        path.ends_with(format!("blobs/{}/{digest}", &digest.to_string()[..2])),
        "{}",
        path.display()
    );
    for changed in [&b"weighty"[..], b"weight", b"weights ", b""] {
        fs::write(&path, changed).unwrap();
        let refused = blobs.get(digest).unwrap_err();
        assert!(
            matches!(refused, StoreError::CorruptBlob { digest: named } if named == digest),
            "{refused:?}"
        );
        assert!(refused.to_string().contains(&digest.to_string()));
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(blobs.get(digest), Err(StoreError::NoBlob { .. })));
    assert_eq!(
        blobs.put(b"weights".to_vec()).unwrap(),
        digest,
        "what is gone can be stored again"
    );
    assert_eq!(blobs.get(digest).unwrap(), &b"weights"[..]);
}
