//! The container of an evidence bundle: a ZIP file in one fixed form that any unzip program opens.
//!
//! Files are stored, not compressed, in path order, with one fixed date and no extra fields. The reader accepts this form
//! only, and every byte of it: there is no room for a second file of the same name, for bytes outside the listed files, or for
//! a compression bomb. A general ZIP reader would accept many files that differ in bytes and mean the same.

use std::collections::BTreeMap;

/// Most bytes of an archive: its offsets are 32 bits wide.
pub(crate) const ARCHIVE_BYTES_LIMIT: usize = u32::MAX as usize;
/// Most files of an archive: their count is 16 bits wide.
pub(crate) const ARCHIVE_FILES_LIMIT: usize = u16::MAX as usize - 1;
const LOCAL_MAGIC: u32 = 0x0403_4b50;
const CENTRAL_MAGIC: u32 = 0x0201_4b50;
const END_MAGIC: u32 = 0x0605_4b50;
/// ZIP version 2.0, no flags but UTF-8 names (bit 11), method 0 (stored), and 1980-01-01 00:00 as the time.
const FIXED: [u16; 5] = [20, 1 << 11, 0, 0, 0x21];

/// Content of each file by its path inside the bundle, in byte order of the paths.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Too many files or bytes for the format.
    #[error(
        "{n_files} files with {n_bytes} bytes do not fit one bundle (at most {ARCHIVE_FILES_LIMIT} files, 4 GiB)"
    )]
    TooLarge {
        /// Number of files to be written.
        n_files: usize,
        /// Bytes of the files with their headers.
        n_bytes: usize,
    },
    /// A path that is absolute, empty, or climbs out of the folder.
    #[error("`{path}` is not a path inside a bundle")]
    Path {
        /// The refused path, as it was given.
        path: String,
    },
    /// The bytes are not an archive of this form.
    #[error("not an evidence bundle, or damaged at byte {offset}: {reason}{}", name_of(.path))]
    Malformed {
        /// Byte of the archive at which reading stopped, counted from 0.
        offset: usize,
        /// What is wrong at that byte, in words.
        reason: &'static str,
        /// The file it concerns, when that is known.
        path: Option<String>,
    },
}

fn name_of(path: &Option<String>) -> String {
    path.as_ref()
        .map(|path| format!(" in `{path}`"))
        .unwrap_or_default()
}

fn is_inside(path: &str) -> bool {
    path.len() <= 1024
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !path.contains(|c: char| c == '\\' || c == ':' || c.is_control())
}

/// Returns the bytes of an archive of `files`.
pub fn write_archive(files: &Files) -> Result<Vec<u8>, ArchiveError> {
    let content: usize = files
        .iter()
        .map(|(path, bytes)| bytes.len() + 2 * path.len() + 76)
        .sum();
    if files.len() > ARCHIVE_FILES_LIMIT || content + 22 > ARCHIVE_BYTES_LIMIT {
        return Err(ArchiveError::TooLarge {
            n_files: files.len(),
            n_bytes: content,
        });
    }
    let (mut archive, mut central) = (Vec::with_capacity(content + 22), Vec::new());
    for (path, bytes) in files {
        if !is_inside(path) {
            return Err(ArchiveError::Path { path: path.clone() });
        }
        let offset = archive.len() as u32;
        let header = file_header(path, bytes);
        archive.extend(LOCAL_MAGIC.to_le_bytes());
        archive.extend(&header);
        archive.extend(path.as_bytes());
        archive.extend(bytes);
        central.extend(CENTRAL_MAGIC.to_le_bytes());
        central.extend(20u16.to_le_bytes());
        central.extend(&header);
        // Comment length, disk number, internal attributes (2 bytes each) and external attributes (4 bytes): all zero.
        central.extend([0; 10]);
        central.extend(offset.to_le_bytes());
        central.extend(path.as_bytes());
    }
    let (start, n_files) = (archive.len() as u32, files.len() as u16);
    archive.extend(&central);
    archive.extend(END_MAGIC.to_le_bytes());
    archive.extend([0; 4]);
    archive.extend(n_files.to_le_bytes());
    archive.extend(n_files.to_le_bytes());
    archive.extend((central.len() as u32).to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0; 2]);
    Ok(archive)
}

/// Returns the fields that the local and the central header of a file share.
fn file_header(path: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header: Vec<u8> = FIXED.iter().flat_map(|field| field.to_le_bytes()).collect();
    header.extend(crc32fast::hash(bytes).to_le_bytes());
    header.extend((bytes.len() as u32).to_le_bytes());
    header.extend((bytes.len() as u32).to_le_bytes());
    header.extend((path.len() as u16).to_le_bytes());
    header.extend([0; 2]);
    header
}

/// Reads an archive that [`write_archive`] wrote.
pub fn read_archive(archive: &[u8]) -> Result<Files, ArchiveError> {
    let mut files = Files::new();
    let mut offset = 0;
    while archive[offset..].starts_with(&LOCAL_MAGIC.to_le_bytes()) {
        let (path, bytes, next) = read_file(archive, offset)?;
        if files
            .last_key_value()
            .is_some_and(|(last, _)| *last >= path)
        {
            return Err(ArchiveError::Malformed {
                offset,
                reason: "files out of order",
                path: Some(path),
            });
        }
        files.insert(path, bytes.to_vec());
        offset = next;
    }
    // The rest is determined by the files, so it is compared rather than parsed.
    let expected = write_archive(&files)?;
    let same = archive
        .iter()
        .zip(&expected)
        .take_while(|(left, right)| left == right)
        .count();
    if same != archive.len() || same != expected.len() {
        let path = files.keys().next_back().filter(|_| same < offset).cloned();
        let reason = "bytes that are not the archive's own form";
        return Err(ArchiveError::Malformed {
            offset: same,
            reason,
            path,
        });
    }
    Ok(files)
}

fn read_file(archive: &[u8], offset: usize) -> Result<(String, &[u8], usize), ArchiveError> {
    let refuse = |reason, path| ArchiveError::Malformed {
        offset,
        reason,
        path,
    };
    let header = archive
        .get(offset..offset + 30)
        .ok_or_else(|| refuse("the header of a file is cut off", None))?;
    let u32_at = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let (n_bytes, path_bytes) = (
        u32_at(22) as usize,
        usize::from(u16::from_le_bytes([header[26], header[27]])),
    );
    let start = offset + 30 + path_bytes;
    let path = archive
        .get(offset + 30..start)
        .and_then(|path| std::str::from_utf8(path).ok());
    let path = path
        .filter(|path| is_inside(path))
        .ok_or_else(|| refuse("the path of a file is damaged", None))?;
    let bytes = start
        .checked_add(n_bytes)
        .and_then(|end| archive.get(start..end));
    let bytes = bytes.ok_or_else(|| refuse("a file is cut off", Some(path.to_owned())))?;
    if header[4..] != file_header(path, bytes)[..] {
        return Err(refuse(
            "header, checksum or content is damaged",
            Some(path.to_owned()),
        ));
    }
    Ok((path.to_owned(), bytes, start + n_bytes))
}
