//! The log's signing key, and what it signed last.
//!
//! The key is 32 random bytes in a file only its owner may read. The last signed size and root are written and synced before a
//! checkpoint is released, so that a restored backup cannot make the log contradict itself unnoticed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use ed25519_dalek::SigningKey;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use serde::{Deserialize, Serialize};
use veracta_ledger::Hash;
use zeroize::Zeroizing;

use crate::StoreError;

/// Size and root of the last checkpoint that the key signed or was about to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignerState {
    /// Number of entries that the checkpoint commits to.
    pub(crate) size: u64,
    /// Root hash of the Merkle tree (RFC 6962) over these entries.
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
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(StoreError::file(&new))?;
    fs::rename(&new, path).map_err(StoreError::file(path))?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Reads the signing key from a file of 64 hexadecimal digits.
pub(crate) fn load_key(path: &Path) -> Result<SigningKey, StoreError> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(StoreError::file(path))?);
    let seed: Hash = text.trim_end().parse().map_err(|_| StoreError::Key {
        file: path.display().to_string(),
    })?;
    Ok(SigningKey::from_bytes(&Zeroizing::new(seed.0)))
}

/// Returns the key under which secrets lie in the database, derived from the signing key (HKDF, RFC 5869).
fn sealing_key(key: &SigningKey) -> LessSafeKey {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"veracta");
    let derived = salt.extract(key.as_bytes());
    let okm = derived
        .expand(&[b"secrets in the database, version 1"], &CHACHA20_POLY1305)
        .expect("the length is the algorithm's own");
    LessSafeKey::new(UnboundKey::from(okm))
}

/// Encrypts a secret (ChaCha20-Poly1305, RFC 8439, under a random nonce); `about` says what it belongs to and must be told again to open it.
pub(crate) fn seal(key: &SigningKey, about: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0u8; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(StoreError::Random)?;
    let mut sealed = secret.to_vec();
    sealing_key(key)
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(about),
            &mut sealed,
        )
        .map_err(|_| StoreError::Sealed)?;
    Ok([&nonce[..], &sealed].concat())
}

/// Decrypts what [`seal`] encrypted; fails when `about` or the key is another one.
pub(crate) fn unseal(
    key: &SigningKey,
    about: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let (nonce, sealed) = sealed
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(StoreError::Sealed)?;
    let mut secret = Zeroizing::new(sealed.to_vec());
    let n_bytes = sealing_key(key)
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(about),
            &mut secret,
        )
        .map_err(|_| StoreError::Sealed)?
        .len();
    secret.truncate(n_bytes);
    Ok(secret)
}

/// Reads what was signed last; `None` before the first signature.
pub(crate) fn load_signer_state(path: &Path) -> Result<Option<SignerState>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => {
            let state = serde_json::from_slice(&bytes);
            state.map(Some).map_err(|source| StoreError::State {
                file: path.display().to_string(),
                source,
            })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::file(path)(error)),
    }
}

/// Writes what is about to be signed, durably: a new file, synced, takes the place of the old one, and the folder is synced.
pub(crate) fn store_signer_state(path: &Path, state: SignerState) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let new = path.with_extension("new");
    let bytes = serde_json::to_vec(&state).map_err(|source| StoreError::State {
        file: path.display().to_string(),
        source,
    })?;
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(StoreError::file(path))
}
