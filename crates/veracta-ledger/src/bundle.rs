//! The evidence bundle: a slice of the log's folder, the records it names, and a signed list of everything inside.
//!
//! | path | content |
//! |---|---|
//! | `checkpoint` | signed head of the log |
//! | `tile/…` | the log's tiles and entry bundles, as any tlog-tiles log serves them |
//! | `log.vkey` | the log's public key; trust it only after comparing it with one obtained elsewhere |
//! | `records/<idx>.json` | bodies of the records that the subject rests on |
//! | `proofs/<idx>.tlog-proof` | a receipt for each of them |
//! | `artifacts/<sha256>` | bytes the records commit to; none that may hold personal data unless asked for |
//! | `statements/*.dsse.json` | signed in-toto statements |
//! | `manifest` | signed note: the digest, length and path of every other file |

use ed25519_dalek::SigningKey;

use crate::Hash;
use crate::archive::{ArchiveError, Files, write_archive};
use crate::note::{NoteError, SignedNote};

/// First line of a manifest; never an origin, so that a manifest cannot pass for a checkpoint.
pub(crate) const MANIFEST_HEADER: &str = "veracta evidence bundle v1";
/// Path of the manifest, the one file that it does not list.
pub const MANIFEST_PATH: &str = "manifest";
/// Path of the signed checkpoint that tiles and receipts are checked against.
pub const CHECKPOINT_PATH: &str = "checkpoint";
/// Path of the log's public key.
pub const KEY_PATH: &str = "log.vkey";

/// One line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestLine {
    /// SHA-256 of the content of the file.
    pub digest: Hash,
    /// Length of the file in bytes.
    pub n_bytes: u64,
    /// Its path inside the bundle.
    pub path: String,
}

/// The list of a bundle's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Log the bundle is cut from.
    pub origin: String,
    /// What the bundle is about, such as `model:churn@3`.
    pub subject: String,
    /// Every file but the manifest, in path order.
    pub files: Vec<ManifestLine>,
}

/// Returns the bytes of a bundle: `files` under a manifest signed by the log's key.
pub fn seal_bundle(
    mut files: Files,
    origin: &str,
    subject: &str,
    key: &SigningKey,
) -> Result<Vec<u8>, SealError> {
    let lines = files.iter().map(|(path, bytes)| ManifestLine {
        digest: Hash::of(bytes),
        n_bytes: bytes.len() as u64,
        path: path.clone(),
    });
    let manifest = Manifest {
        origin: origin.to_owned(),
        subject: subject.to_owned(),
        files: lines.collect(),
    };
    if Manifest::parse(&manifest.to_text()).as_ref() != Some(&manifest) {
        return Err(SealError::Subject);
    }
    let note = SignedNote::sign(manifest.to_text(), origin, key)?;
    files.insert(MANIFEST_PATH.to_owned(), note.to_string().into_bytes());
    Ok(write_archive(&files)?)
}

/// Why a bundle cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A line break in the subject or origin would add lines to the manifest.
    #[error("the subject or origin has a line break")]
    Subject,
    /// The manifest cannot be signed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The files do not fit the container.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl Manifest {
    /// Returns the note text: header, origin, subject, then digest, length and path of each file.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{MANIFEST_HEADER}\norigin {}\nsubject {}\n",
            self.origin, self.subject
        );
        for line in &self.files {
            text += &format!("{} {} {}\n", line.digest, line.n_bytes, line.path);
        }
        text
    }

    /// Reads a note text; `None` when it is not exactly what `to_text` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        if lines.next()? != MANIFEST_HEADER {
            return None;
        }
        let origin = lines.next()?.strip_prefix("origin ")?.to_owned();
        let subject = lines.next()?.strip_prefix("subject ")?.to_owned();
        let files = lines.map(|line| {
            let mut parts = line.splitn(3, ' ');
            let (digest, n_bytes) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some(ManifestLine {
                digest,
                n_bytes,
                path: parts.next()?.to_owned(),
            })
        });
        let manifest = Self {
            origin,
            subject,
            files: files.collect::<Option<_>>()?,
        };
        let is_ordered = manifest
            .files
            .windows(2)
            .all(|pair| pair[0].path < pair[1].path);
        (is_ordered && manifest.to_text() == text).then_some(manifest)
    }
}
