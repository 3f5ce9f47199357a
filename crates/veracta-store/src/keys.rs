//! The log's signing key, and what it signed last.
//!
//! The key is 32 random bytes in a file only its owner may read. The last signed size and root are written and synced before a
//! checkpoint is released, so that a restored backup cannot make the log contradict itself unnoticed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use zeroize::Zeroizing;

use crate::StoreError;

/// What was signed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignerState {
    /// Entries.
    pub(crate) size: u64,
    /// Root.
    pub(crate) root: Hash,
}

/// Makes a key and writes it where only its owner may read it.
pub(crate) fn create_key(path: &Path) -> Result<SigningKey, StoreError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(seed.as_mut()).map_err(StoreError::Random)?;
    let text = Zeroizing::new(format!("{}\n", Hash(*seed)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Under another name first: a crash must not leave half a key under its own.
    let new = path.with_extension("new");
    // A key file left half-written by a crash was never used.
    let _ = fs::remove_file(&new);
    let mut file = options.open(&new).map_err(StoreError::file(&new))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(StoreError::file(&new))?;
    fs::rename(&new, path).map_err(StoreError::file(path))?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Reads the key.
pub(crate) fn load_key(path: &Path) -> Result<SigningKey, StoreError> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(StoreError::file(path))?);
    let seed: Hash = text.trim_end().parse().map_err(|_| StoreError::Key { file: path.display().to_string() })?;
    Ok(SigningKey::from_bytes(&Zeroizing::new(seed.0)))
}

/// Reads what was signed last; `None` before the first signature.
pub(crate) fn load_signer_state(path: &Path) -> Result<Option<SignerState>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => {
            let state = serde_json::from_slice(&bytes);
            state.map(Some).map_err(|source| StoreError::State { file: path.display().to_string(), source })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::file(path)(error)),
    }
}

/// Writes what is about to be signed, durably: a new file, synced, takes the place of the old one, and the folder is synced.
pub(crate) fn store_signer_state(path: &Path, state: SignerState) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let new = path.with_extension("new");
    let bytes = serde_json::to_vec(&state).map_err(|source| StoreError::State { file: path.display().to_string(), source })?;
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(StoreError::file(path))
}
