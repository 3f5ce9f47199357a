//! Bytes that clients send to the object store, or fetch from it, themselves, under addresses signed for a while.
//!
//! Each part of an upload is an object of its own until all are there; joining them reads each once, so that the bytes get the name of
//! their digest as every upload does.

use std::collections::VecDeque;
use std::io::Read;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::signer::Method;
use object_store::{Error, ObjectMeta, ObjectStoreExt};
use veracta_ledger::Hash;

use crate::blob::{Chunks, blob_path};
use crate::tables::actors::random_digits;
use crate::{Blobs, StoreError};

/// How long a signed address is good for.
const SIGNED_FOR: Duration = Duration::from_secs(3600);
/// Where bytes lie that do not have the name of their digest yet.
const STAGING: &str = "staging";

/// A request that a client makes to the object store itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// Where; whoever knows it can make the request until it expires.
    pub url: String,
    /// Headers that the request must have, by name and value.
    pub headers: Vec<(&'static str, &'static str)>,
}

/// Why parts cannot be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartProblem {
    /// The upload is unknown, was given up, or belongs to another path.
    NoUpload,
    /// The part with this number was not uploaded.
    Missing(u32),
    /// A part is another than the client says it sent.
    Changed(u32),
}

/// Reads several objects one after the other.
struct Joined(VecDeque<Chunks>);

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while let Some(first) = self.0.front_mut() {
            let n_bytes = first.read(buffer)?;
            if n_bytes > 0 || buffer.is_empty() {
                return Ok(n_bytes);
            }
            self.0.pop_front();
        }
        Ok(0)
    }
}

/// Returns the folder of an upload's parts; an upload is bound to the path it is for.
fn folder_of(upload: &str, path: &str) -> Path {
    Path::from_iter([
        STAGING,
        "parts",
        &format!("{upload}-{}", Hash::of(path.as_bytes()).short()),
    ])
}

impl Blobs {
    /// Whether clients can be given addresses of the object store.
    pub fn can_sign(&self) -> bool {
        self.signing.is_some()
    }

    /// Returns an address to fetch bytes from; `None` of a store that signs none.
    pub fn sign_download(&self, digest: Hash) -> Result<Option<SignedRequest>, StoreError> {
        self.sign(Method::GET, &blob_path(digest))
    }

    /// Begins an upload in parts for a path; returns its id and an address for each part, from 1. `None` of a store that signs none.
    pub fn begin_parts(
        &self,
        path: &str,
        n_parts: u32,
    ) -> Result<Option<(String, Vec<SignedRequest>)>, StoreError> {
        let upload = random_digits()?;
        let folder = folder_of(&upload, path);
        let sign = |part: u32| self.sign(Method::PUT, &folder.clone().join(part.to_string()));
        let requests: Option<Vec<SignedRequest>> = (1..=n_parts)
            .map(|part| sign(part).transpose())
            .collect::<Option<Result<_, _>>>()
            .transpose()?;
        Ok(requests.map(|requests| (upload, requests)))
    }

    /// Returns a reader of all parts of an upload in order. `parts` are their numbers with the ETag the client was told, if it was.
    pub fn join_parts(
        &self,
        upload: &str,
        path: &str,
        parts: &[(u32, Option<String>)],
    ) -> Result<Result<impl Read + use<>, PartProblem>, StoreError> {
        let found = self.parts(upload, path)?;
        if found.is_empty() {
            return Ok(Err(PartProblem::NoUpload));
        }
        let mut joined = VecDeque::new();
        for (number, etag) in parts {
            let name = number.to_string();
            let Some(object) = found
                .iter()
                .find(|object| object.location.filename() == Some(&name))
            else {
                return Ok(Err(PartProblem::Missing(*number)));
            };
            if let Some(told) = etag {
                // Not every store tells it in a list.
                let kept = self
                    .runtime
                    .block_on(self.objects.head(&object.location))?
                    .e_tag
                    .unwrap_or_default();
                if told.trim_matches('"') != kept.trim_matches('"') {
                    return Ok(Err(PartProblem::Changed(*number)));
                }
            }
            joined.push_back(Chunks::new(self, object.location.clone(), 0..object.size));
        }
        Ok(Ok(Joined(joined)))
    }

    /// Removes the parts of an upload.
    pub fn drop_parts(&self, upload: &str, path: &str) -> Result<(), StoreError> {
        self.parts(upload, path)?
            .iter()
            .try_for_each(|object| self.drop_object(&object.location))
    }

    /// Removes what uploads left behind that ended without an end, when it is older than `age`; returns how many objects.
    pub fn sweep(&self, age: Duration) -> Result<u64, StoreError> {
        let limit = SystemTime::now()
            .checked_sub(age)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let old = self
            .list(&Path::from(STAGING))?
            .into_iter()
            .filter(|object| SystemTime::from(object.last_modified) < limit);
        let mut n_removed = 0;
        for object in old {
            self.drop_object(&object.location)?;
            n_removed += 1;
        }
        Ok(n_removed)
    }

    fn parts(&self, upload: &str, path: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        // What a client says becomes part of a name: only what was given out can.
        if upload.is_empty() || !upload.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        self.list(&folder_of(upload, path))
    }

    fn list(&self, folder: &Path) -> Result<Vec<ObjectMeta>, StoreError> {
        Ok(self
            .runtime
            .block_on(self.objects.list(Some(folder)).try_collect())?)
    }

    fn drop_object(&self, location: &Path) -> Result<(), StoreError> {
        match self.runtime.block_on(self.objects.delete(location)) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn sign(&self, method: Method, path: &Path) -> Result<Option<SignedRequest>, StoreError> {
        let Some((signer, prefix)) = &self.signing else {
            return Ok(None);
        };
        let is_upload = method == Method::PUT;
        let whole = Path::from_iter(prefix.parts().chain(path.parts()));
        let url = self
            .runtime
            .block_on(signer.signed_url(method, &whole, SIGNED_FOR))?;
        let is_azure = url
            .host_str()
            .is_some_and(|host| host.ends_with(".windows.net"));
        let headers = if is_upload && is_azure {
            vec![("x-ms-blob-type", "BlockBlob")]
        } else {
            Vec::new()
        };
        Ok(Some(SignedRequest {
            url: url.into(),
            headers,
        }))
    }
}
