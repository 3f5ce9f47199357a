//! Bytes by their digest, in any object store; and the log's published files beside them.
//!
//! The object store is asynchronous; it is waited for on a runtime of its own, so that nothing above this module is.

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use sha2::{Digest, Sha256};
use veracta_ledger::Hash;

use crate::StoreError;

/// Bytes handed to the object store at once while a file is copied.
const CHUNK_BYTES: usize = 8 << 20;

/// Content-addressed bytes and named log files of a workspace.
#[derive(Debug, Clone)]
pub struct Blobs {
    objects: Arc<dyn ObjectStore>,
    runtime: Arc<tokio::runtime::Runtime>,
}

fn blob_path(digest: Hash) -> Path {
    let name = digest.to_string();
    Path::from(format!("blobs/{}/{name}", &name[..2]))
}

fn log_path(name: &str) -> Path {
    Path::from(format!("log/{name}"))
}

impl Blobs {
    /// Wraps an object store.
    pub fn new(objects: Arc<dyn ObjectStore>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { objects, runtime: Arc::new(runtime) })
    }

    /// Stores bytes under their digest; storing them again does nothing.
    pub fn put(&self, bytes: Vec<u8>) -> Result<Hash, StoreError> {
        let digest = Hash::of(&bytes);
        if !self.contains(digest)? {
            self.runtime.block_on(self.objects.put(&blob_path(digest), PutPayload::from(bytes)))?;
        }
        Ok(digest)
    }

    /// Stores what a reader gives, whose digest is known and checked on the way; memory stays bounded.
    pub fn put_reader(&self, digest: Hash, reader: &mut dyn Read) -> Result<(), StoreError> {
        if self.contains(digest)? {
            return Ok(());
        }
        let is_the_same = self.runtime.block_on(async {
            let upload = self.objects.put_multipart(&blob_path(digest)).await?;
            let mut writer = WriteMultipart::new_with_chunk_size(upload, CHUNK_BYTES);
            let (mut chunk, mut hasher) = (vec![0; CHUNK_BYTES], Sha256::new());
            loop {
                let n_bytes = match reader.read(&mut chunk) {
                    Ok(0) => break,
                    Ok(n_bytes) => n_bytes,
                    Err(error) => {
                        writer.abort().await?;
                        return Err(Error::Generic { store: "source", source: Box::new(error) });
                    }
                };
                hasher.update(&chunk[..n_bytes]);
                writer.wait_for_capacity(2).await?;
                writer.write(&chunk[..n_bytes]);
            }
            if Hash(hasher.finalize().into()) != digest {
                writer.abort().await?;
                return Ok(false);
            }
            writer.finish().await.map(|_| true)
        })?;
        if is_the_same { Ok(()) } else { Err(StoreError::ChangedWhileRead { digest }) }
    }

    /// Returns whether the bytes are there.
    pub fn contains(&self, digest: Hash) -> Result<bool, StoreError> {
        match self.runtime.block_on(self.objects.head(&blob_path(digest))) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the bytes, after checking that they are the ones asked for.
    pub fn get(&self, digest: Hash) -> Result<Bytes, StoreError> {
        let bytes = self.read(&blob_path(digest))?.ok_or(StoreError::NoBlob { digest })?;
        if Hash::of(&bytes) != digest {
            return Err(StoreError::CorruptBlob { digest });
        }
        Ok(bytes)
    }

    /// Returns a published file of the log, such as `checkpoint` or `tile/0/000.p/5`.
    pub fn log_file(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.read(&log_path(name))
    }

    /// Publishes a file of the log.
    pub(crate) fn put_log_file(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.runtime.block_on(self.objects.put(&log_path(name), PutPayload::from(bytes)))?;
        Ok(())
    }

    /// Removes every tile and entry bundle.
    pub(crate) fn clear_tiles(&self) -> Result<(), StoreError> {
        self.runtime.block_on(async {
            let prefix = log_path("tile");
            let found: Vec<_> = self.objects.list(Some(&prefix)).try_collect().await?;
            for file in found {
                self.objects.delete(&file.location).await?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Option<Bytes>, StoreError> {
        let read = async { self.objects.get(path).await?.bytes().await };
        match self.runtime.block_on(read) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
