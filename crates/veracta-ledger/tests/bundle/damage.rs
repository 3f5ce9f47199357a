//! Damage by someone without the log's key: every byte, every length, every file.

use std::ops::Range;

use veracta_ledger::archive::{Files, read_archive, write_archive};
use veracta_ledger::bundle::{KEY_PATH, MANIFEST_PATH};
use veracta_ledger::verify::{Outcome, Trust, verify_bundle};

use crate::sample::{Log, check_fails, key, verify};

fn sealed() -> Files {
    Log::new(key(1)).bundle()
}

/// Returns where in the archive the content of each file lies.
fn content_ranges(files: &Files) -> Vec<(&str, Range<usize>)> {
    let mut offset = 0;
    let mut ranges = Vec::new();
    for (path, bytes) in files {
        // The local header of a ZIP file takes 30 bytes and the path.
        let start = offset + 30 + path.len();
        ranges.push((path.as_str(), start..start + bytes.len()));
        offset = start + bytes.len();
    }
    ranges
}

/// Flips one byte of the archive and asserts that this is found, and named when it lies in a file's content.
fn check_flip(archive: &mut [u8], ranges: &[(&str, Range<usize>)], position: usize, mask: u8) {
    archive[position] ^= mask;
    let report = verify_bundle(archive, &Trust::default());
    assert!(
        !report.holds(),
        "byte {position} xor {mask:#x}: the bundle holds"
    );
    if let Some((path, _)) = ranges.iter().find(|(_, range)| range.contains(&position)) {
        check_fails(
            &format!("byte {position} xor {mask:#x}"),
            &report,
            Some(path),
            "",
        );
    }
    archive[position] ^= mask;
}

#[test]
fn the_bundle_holds_as_written() {
    let files = sealed();
    let archive = write_archive(&files).expect("a small bundle");
    assert_eq!(read_archive(&archive), Ok(files.clone()));
    let report = verify_bundle(&archive, &Trust::default());
    assert!(report.holds(), "{:#?}", report.checks);
    for (path, range) in content_ranges(&files) {
        assert_eq!(archive[range], files[path], "{path}");
    }
}

#[test]
fn one_changed_byte_anywhere_in_the_archive_is_found() {
    let files = sealed();
    let (mut archive, ranges) = (
        write_archive(&files).expect("a small bundle"),
        content_ranges(&files),
    );
    for position in 0..archive.len() {
        check_flip(&mut archive, &ranges, position, 0x01);
    }
    for position in (0..archive.len()).step_by(7) {
        check_flip(&mut archive, &ranges, position, 0x80);
    }
}

/// The container is written anew, with right checksums: only the signatures and digests inside can tell.
#[test]
fn one_changed_byte_in_any_file_is_found_and_the_file_is_named() {
    let mut files = sealed();
    let lengths: Vec<(String, usize)> = files
        .iter()
        .map(|(path, bytes)| (path.clone(), bytes.len()))
        .collect();
    for (path, n_bytes) in lengths {
        for position in 0..n_bytes {
            files.get_mut(&path).expect("the file is there")[position] ^= 1;
            let report = verify(&files, &Trust::default());
            check_fails(
                &format!("`{path}` byte {position}"),
                &report,
                Some(&path),
                "",
            );
            files.get_mut(&path).expect("the file is there")[position] ^= 1;
        }
    }
    assert!(
        verify(&files, &Trust::default()).holds(),
        "every flip was undone"
    );
}

#[test]
fn a_truncated_archive_is_refused() {
    let archive = write_archive(&sealed()).expect("a small bundle");
    for n_bytes in (0..archive.len()).step_by(97).chain([archive.len() - 1]) {
        assert!(
            !verify_bundle(&archive[..n_bytes], &Trust::default()).holds(),
            "the first {n_bytes} bytes"
        );
    }
}

#[test]
fn bytes_around_an_archive_are_refused() {
    let files = sealed();
    let archive = write_archive(&files).expect("a small bundle");
    let first_end = content_ranges(&files)[0].1.end;
    let forms = [
        ("a byte more", [&archive[..], &[0u8]].concat()),
        ("a byte before", [&[0u8][..], &archive[..]].concat()),
        (
            "a comment",
            [&archive[..archive.len() - 2], &[2, 0, b'h', b'i']].concat(),
        ),
        ("twice", archive.repeat(2)),
        (
            "its first file twice",
            [&archive[..first_end], &archive[..]].concat(),
        ),
        ("nothing", Vec::new()),
        (
            "an empty archive",
            write_archive(&Files::new()).expect("no files"),
        ),
    ];
    for (form, archive) in forms {
        assert!(
            !verify_bundle(&archive, &Trust::default()).holds(),
            "{form}"
        );
    }
}

#[test]
fn a_missing_file_is_named() {
    for path in sealed().into_keys() {
        let mut files = sealed();
        files.remove(&path);
        check_fails(
            &format!("without `{path}`"),
            &verify(&files, &Trust::default()),
            Some(&path),
            "",
        );
    }
}

#[test]
fn a_file_added_copied_or_renamed_is_named() {
    for path in sealed().into_keys().filter(|path| path != MANIFEST_PATH) {
        let copy = format!("{path}.copy");
        let mut files = sealed();
        files.insert(copy.clone(), files[&path].clone());
        check_fails(
            "copied",
            &verify(&files, &Trust::default()),
            Some(&copy),
            "it is not listed",
        );
        files.remove(&path);
        let report = verify(&files, &Trust::default());
        check_fails("renamed", &report, Some(&path), "");
        if path != KEY_PATH {
            check_fails("renamed", &report, Some(&copy), "it is not listed");
        }
    }
    for path in [
        "README",
        "records/0.json",
        "tile/0/001.p/1",
        "artifacts/none",
        "statements/x.dsse.json",
    ] {
        let mut files = sealed();
        files.insert(path.to_owned(), b"{}".to_vec());
        check_fails(
            "added",
            &verify(&files, &Trust::default()),
            Some(path),
            "it is not listed",
        );
    }
}

#[test]
fn swapped_files_are_both_named() {
    let check = |left: &str, right: &str| {
        let mut files = sealed();
        let (left_bytes, right_bytes) = (files[left].clone(), files[right].clone());
        files.insert(left.to_owned(), right_bytes);
        files.insert(right.to_owned(), left_bytes);
        let report = verify(&files, &Trust::default());
        for path in [left, right] {
            check_fails(
                &format!("`{left}` and `{right}`"),
                &report,
                Some(path),
                "its content is not the one listed",
            );
        }
    };
    check("records/2.json", "records/3.json");
    check("proofs/2.tlog-proof", "proofs/3.tlog-proof");
    check("checkpoint", "tile/0/000.p/5");
    check("tile/0/000.p/5", "tile/entries/000.p/5");
}

#[test]
fn parts_of_two_bundles_do_not_mix() {
    let (ours, theirs) = (sealed(), Log::new(key(2)).bundle());
    for path in ours.keys().filter(|path| ours[*path] != theirs[*path]) {
        let mut files = ours.clone();
        files.insert(path.clone(), theirs[path].clone());
        let report = verify(&files, &Trust::default());
        assert!(!report.holds(), "`{path}` of another log");
        let n_named = report
            .checks
            .iter()
            .filter(|check| check.outcome == Outcome::Fails && check.file.is_some());
        assert!(
            n_named.count() > 0,
            "`{path}` of another log: {:#?}",
            report.checks
        );
    }
}
