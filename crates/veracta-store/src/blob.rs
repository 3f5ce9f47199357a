//! Bytes by their digest, in any object store; and the log's published files beside them.
//!
//! The object store is asynchronous; it is waited for on a runtime of its own, so that nothing above this module is.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::signer::Signer;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutPayload, WriteMultipart,
};
use sha2::{Digest, Sha256};
use veracta_ledger::Hash;

use crate::tables::actors::random_digits;
use crate::{Backend, StoreError};

/// Bytes handed to the object store at once while a file is copied.
const CHUNK_BYTES: usize = 8 << 20;
/// Longest wait for an answer of an object store, unless AWS_TIMEOUT and its like say otherwise.
const TIMEOUT: &str = "10 minutes";
/// Largest object that stores copy by themselves (S3: 5 GiB); a larger one is read and written again.
const COPY_BYTES_LIMIT: u64 = 5 << 30;

/// Content-addressed bytes and named log files of a workspace.
#[derive(Debug, Clone)]
pub struct Blobs {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) runtime: Arc<tokio::runtime::Runtime>,
    /// Signs addresses for clients, and what every path begins with; not of a folder.
    pub(crate) signing: Option<(Arc<dyn Signer>, Path)>,
}

pub(crate) fn blob_path(digest: Hash) -> Path {
    let name = digest.to_string();
    Path::from(format!("blobs/{}/{name}", &name[..2]))
}

/// Reads until the buffer is full or the reader ends.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, StoreError> {
    let mut n_filled = 0;
    while n_filled < buffer.len() {
        match reader.read(&mut buffer[n_filled..]) {
            Ok(0) => break,
            Ok(n_read) => n_filled += n_read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(StoreError::Source(source)),
        }
    }
    Ok(n_filled)
}

/// Reads an object piece by piece, so that memory stays bounded.
pub(crate) struct Chunks {
    blobs: Blobs,
    path: Path,
    at: u64,
    n_bytes: u64,
    chunk: Bytes,
}

impl Chunks {
    pub(crate) fn new(blobs: &Blobs, path: Path, range: Range<u64>) -> Self {
        Self {
            blobs: blobs.clone(),
            path,
            at: range.start,
            n_bytes: range.end,
            chunk: Bytes::new(),
        }
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.chunk.is_empty() && self.at < self.n_bytes {
            let end = self.n_bytes.min(self.at + CHUNK_BYTES as u64);
            let read = self.blobs.objects.get_range(&self.path, self.at..end);
            self.chunk = self
                .blobs
                .runtime
                .block_on(read)
                .map_err(std::io::Error::other)?;
            self.at = end;
        }
        let n_bytes = buffer.len().min(self.chunk.len());
        buffer[..n_bytes].copy_from_slice(&self.chunk.split_to(n_bytes));
        Ok(n_bytes)
    }
}

/// Builds an object store of a kind for a URL; settings that it does not know are for others.
macro_rules! configured {
    ($builder:ty, $url:expr, $settings:expr) => {{
        let mut builder = <$builder>::new().with_url($url.as_str());
        for (name, value) in $settings {
            if let Ok(name) = name.parse() {
                builder = builder.with_config(name, value);
            }
        }
        builder.build()?
    }};
}

fn log_path(name: &str) -> Path {
    Path::from(format!("log/{name}"))
}

impl Blobs {
    /// Opens the object store of a workspace: the one its URL names, or `folder`.
    pub(crate) fn open(backend: &Backend, folder: &std::path::Path) -> Result<Self, StoreError> {
        let file = StoreError::file(folder);
        let Some(url) = &backend.objects else {
            let objects = LocalFileSystem::new_with_prefix(folder)?
                .with_automatic_cleanup(true)
                .with_fsync(true);
            return Self::new(Arc::new(objects)).map_err(file);
        };
        // The cause may hold the secret that the URL does.
        let unusable = |reason: &str| StoreError::ObjectsUrl {
            reason: reason.to_owned(),
        };
        let url = url::Url::parse(url).map_err(|_| unusable("it is not a URL"))?;
        if url.scheme() == "file" {
            let folder = url
                .to_file_path()
                .map_err(|()| unusable("it names no folder"))?;
            std::fs::create_dir_all(&folder).map_err(StoreError::file(&folder))?;
            return Self::open(&Backend::default(), &folder);
        }
        if !["s3", "gs", "az", "azure", "abfs", "abfss", "s3a"].contains(&url.scheme()) {
            return Err(unusable(
                "it must begin with s3://, gs://, az:// or file://",
            ));
        }
        // Another part of the program may have chosen the same already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = backend
            .object_options
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        let (scheme, prefix) = ObjectStoreScheme::parse(&url)
            .map_err(|_| unusable("its path cannot be a prefix of names"))?;
        // Joining the parts of a large object, and copying it, take a store minutes.
        let settings: Vec<(String, String)> = [("timeout".to_owned(), TIMEOUT.to_owned())]
            .into_iter()
            .chain(options)
            .collect();
        let blobs = match scheme {
            ObjectStoreScheme::AmazonS3 => {
                Self::signing(configured!(AmazonS3Builder, &url, settings), &prefix)
            }
            ObjectStoreScheme::GoogleCloudStorage => Self::signing(
                configured!(GoogleCloudStorageBuilder, &url, settings),
                &prefix,
            ),
            _ => Self::signing(configured!(MicrosoftAzureBuilder, &url, settings), &prefix),
        };
        blobs.map_err(file)
    }

    /// Wraps an object store, and starts the runtime on which its requests are waited for.
    pub fn new(objects: Arc<dyn ObjectStore>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            objects,
            runtime: Arc::new(runtime),
            signing: None,
        })
    }

    fn signing<O: ObjectStore + Signer>(objects: O, prefix: &Path) -> std::io::Result<Self> {
        let objects = Arc::new(objects);
        let signing = Some((Arc::clone(&objects) as Arc<dyn Signer>, prefix.clone()));
        Ok(Self {
            signing,
            ..Self::new(Arc::new(PrefixStore::new(objects, prefix.clone())))?
        })
    }

    /// Stores what a reader gives under its digest, found on the way; returns the digest and the number of bytes. Memory stays bounded.
    ///
    /// A reader that fails leaves nothing behind.
    pub fn upload(&self, reader: &mut dyn Read) -> Result<(Hash, u64), StoreError> {
        let mut first = vec![0; CHUNK_BYTES];
        let n_first = fill(reader, &mut first)?;
        if n_first < CHUNK_BYTES {
            first.truncate(n_first);
            return Ok((self.put(first)?, n_first as u64));
        }
        let staged = Path::from(format!("staging/{}", random_digits()?));
        let (writer, digest, n_bytes) = self.copy(&staged, first, reader)?;
        self.runtime.block_on(writer.finish())?;
        self.keep(&staged, digest, n_bytes)?;
        Ok((digest, n_bytes))
    }

    /// Writes a first piece and all that a reader still gives to a path; the writer that is returned must be finished or aborted.
    ///
    /// The reader is read outside the runtime: it may wait on one of its own.
    fn copy(
        &self,
        path: &Path,
        first: Vec<u8>,
        reader: &mut dyn Read,
    ) -> Result<(WriteMultipart, Hash, u64), StoreError> {
        let upload = self.runtime.block_on(self.objects.put_multipart(path))?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, CHUNK_BYTES);
        let (mut chunk, mut hasher, mut n_bytes) = (first, Sha256::new(), 0);
        loop {
            hasher.update(&chunk);
            n_bytes += chunk.len() as u64;
            let written = self.runtime.block_on(async {
                writer.wait_for_capacity(2).await?;
                writer.write(&chunk);
                Ok::<_, Error>(())
            });
            chunk.resize(CHUNK_BYTES, 0);
            let next = written
                .map_err(StoreError::from)
                .and_then(|()| fill(reader, &mut chunk));
            match next {
                Ok(0) => return Ok((writer, Hash(hasher.finalize().into()), n_bytes)),
                Ok(n_read) => chunk.truncate(n_read),
                Err(error) => {
                    self.runtime.block_on(writer.abort())?;
                    return Err(error);
                }
            }
        }
    }

    /// Gives staged bytes the name of their digest.
    fn keep(&self, staged: &Path, digest: Hash, n_bytes: u64) -> Result<(), StoreError> {
        if self.contains(digest)? {
            self.runtime.block_on(self.objects.delete(staged))?;
        } else if n_bytes <= COPY_BYTES_LIMIT {
            self.runtime
                .block_on(self.objects.rename(staged, &blob_path(digest)))?;
        } else {
            self.put_reader(digest, &mut Chunks::new(self, staged.clone(), 0..n_bytes))?;
            self.runtime.block_on(self.objects.delete(staged))?;
        }
        Ok(())
    }

    /// Returns a reader of the bytes of a range, which reads them piece by piece and does not check their digest.
    pub fn reader(&self, digest: Hash, range: Range<u64>) -> impl Read + Send + use<> {
        Chunks::new(self, blob_path(digest), range)
    }

    /// Stores bytes under their digest; storing them again does nothing.
    pub fn put(&self, bytes: Vec<u8>) -> Result<Hash, StoreError> {
        let digest = Hash::of(&bytes);
        if !self.contains(digest)? {
            self.runtime.block_on(
                self.objects
                    .put(&blob_path(digest), PutPayload::from(bytes)),
            )?;
        }
        Ok(digest)
    }

    /// Stores what a reader gives, whose digest is known and checked on the way; memory stays bounded.
    pub fn put_reader(&self, digest: Hash, reader: &mut dyn Read) -> Result<(), StoreError> {
        if self.contains(digest)? {
            return Ok(());
        }
        let mut first = vec![0; CHUNK_BYTES];
        let n_first = fill(reader, &mut first)?;
        first.truncate(n_first);
        let (writer, found, _) = self.copy(&blob_path(digest), first, reader)?;
        if found != digest {
            self.runtime.block_on(writer.abort())?;
            return Err(StoreError::ChangedWhileRead { digest });
        }
        self.runtime.block_on(writer.finish())?;
        Ok(())
    }

    /// Copies bytes into another store, checked on the way, unless they are there; returns how many there are.
    pub(crate) fn copy_to(&self, other: &Self, digest: Hash) -> Result<u64, StoreError> {
        let n_bytes = match self.runtime.block_on(self.objects.head(&blob_path(digest))) {
            Ok(found) => found.size,
            Err(Error::NotFound { .. }) => return Err(StoreError::NoBlob { digest }),
            Err(error) => return Err(error.into()),
        };
        other.put_reader(digest, &mut self.reader(digest, 0..n_bytes))?;
        Ok(n_bytes)
    }

    /// Removes bytes; removing what is not there does nothing.
    ///
    /// Done inside [`crate::Transaction::work`], after [`crate::Work::unreferenced`] said that nothing refers to them.
    pub fn remove(&self, digest: Hash) -> Result<(), StoreError> {
        match self
            .runtime
            .block_on(self.objects.delete(&blob_path(digest)))
        {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
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
        let bytes = self
            .read(&blob_path(digest))?
            .ok_or(StoreError::NoBlob { digest })?;
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
        self.runtime
            .block_on(self.objects.put(&log_path(name), PutPayload::from(bytes)))?;
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
