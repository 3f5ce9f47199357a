//! Tiles, entry bundles and the signed checkpoint, derived from the committed entries.
//!
//! Publishing continues from the last signed checkpoint: the right edge of the tree is read from the last tiles and must give the
//! root that was signed, or nothing is signed at all. Everything but that (size, root) pair can be rebuilt.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;

use veracta_ledger::Hash;
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::merkle::{leaf_hash, prove_inclusion, root_at};
use veracta_ledger::proof::TlogProof;
use veracta_ledger::tile::{
    TILE_HEIGHT, TILE_WIDTH, TileId, decode_tile, encode_bundle, encode_tile, locate_node,
    subtree_root, tile_width,
};

use crate::keys::{SignerState, load_signer_state, store_signer_state};
use crate::reader::Reader;
use crate::tables::{records, signer};
use crate::{Store, StoreError};

/// Takes a tile that is complete.
type WriteTile<'w> = dyn FnMut(TileId, &[Hash]) -> Result<(), StoreError> + 'w;

/// The last, incomplete tile of each level: the right edge of the tree.
#[derive(Debug, Default)]
struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// Adds a leaf hash; `full` is called with every tile that this completes.
    fn push(&mut self, leaf: Hash, full: &mut WriteTile<'_>) -> Result<(), StoreError> {
        self.size += 1;
        let (mut hash, mut level) = (leaf, 0);
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(hash);
            if (self.levels[level].len() as u64) < TILE_WIDTH {
                return Ok(());
            }
            let hashes = std::mem::take(&mut self.levels[level]);
            let idx = (self.size >> (u32::from(TILE_HEIGHT) * (level as u32 + 1))) - 1;
            full(
                TileId {
                    level: Some(level as u8),
                    idx,
                    width: TILE_WIDTH as u16,
                },
                &hashes,
            )?;
            hash = subtree_root(&hashes);
            level += 1;
        }
    }

    /// Returns the root: the complete subtrees of the right edge all lie in the incomplete tiles.
    fn root(&self) -> Hash {
        let read = &mut |level: u8, position: u64| {
            let (tile, range) = locate_node(level, position, self.size);
            let level = usize::from(tile.level.expect("hash tiles have a level"));
            Ok::<_, std::convert::Infallible>(subtree_root(&self.levels[level][range]))
        };
        let Ok(root) = root_at(self.size, read);
        root
    }
}

/// Nobody else publishes while this is held: on this machine, or in all processes that share a database.
enum Publishing<'s> {
    Alone { _lock: File },
    Shared(Reader<'s>),
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        if let Self::Shared(reader) = self {
            signer::unlock(reader);
        }
    }
}

impl Store {
    /// Publishes everything committed so far and returns the signed checkpoint.
    ///
    /// Fails rather than signs when the log no longer extends what was signed before.
    pub fn publish(&self) -> Result<String, StoreError> {
        let _lock = self.lock_publishing()?;
        let size = self.size()?;
        let Some(signed) = self.last_signed()? else {
            return self.extend(Edge::default(), size);
        };
        if size < signed.size {
            return Err(StoreError::Fork {
                size: signed.size,
                reason: "entries are missing",
            });
        }
        if size == signed.size {
            self.check_tail(size)?;
            // A crash after the state was written and before the checkpoint was leaves an older one, or none.
            return match self.published_head()? {
                Some((head, note)) if head.size == size => Ok(note),
                _ => self.sign(signed),
            };
        }
        let edge = self.load_edge(signed)?;
        self.check_tail(signed.size)?;
        self.extend(edge, size)
    }

    fn lock_publishing(&self) -> Result<Publishing<'_>, StoreError> {
        let reader = self.reader()?;
        if reader.is_postgres() {
            signer::lock(&reader)?;
            return Ok(Publishing::Shared(reader));
        }
        let path = self.folder().join("publish.lock");
        let lock = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(StoreError::file(&path))?;
        lock.lock().map_err(StoreError::file(&path))?;
        Ok(Publishing::Alone { _lock: lock })
    }

    /// Returns what this key signed last, as it was kept.
    pub(crate) fn load_signer(&self) -> Result<Option<SignerState>, StoreError> {
        let reader = self.reader()?;
        if reader.is_postgres() {
            signer::load(&reader)
        } else {
            load_signer_state(&self.folder().join("signer.json"))
        }
    }

    fn store_signer(&self, state: SignerState) -> Result<(), StoreError> {
        let reader = self.reader()?;
        if reader.is_postgres() {
            signer::store(&reader, state)
        } else {
            store_signer_state(&self.folder().join("signer.json"), state)
        }
    }

    /// Returns the published checkpoint when it verifies.
    fn published_head(&self) -> Result<Option<(Checkpoint, String)>, StoreError> {
        let Some(note) = self.published_checkpoint()? else {
            return Ok(None);
        };
        let opened = Checkpoint::open(note.as_bytes(), self.log_key()).ok();
        Ok(opened.map(|(head, _)| (head, note)))
    }

    /// Returns what was signed last: what the signer kept or, when that is gone, the published checkpoint, which this key signed.
    /// A published checkpoint that contradicts what the signer kept is a fork.
    fn last_signed(&self) -> Result<Option<SignerState>, StoreError> {
        let kept = self.load_signer()?;
        let published = self.published_head()?.map(|(head, _)| SignerState {
            size: head.size,
            root: head.root,
        });
        let (Some(kept), Some(published)) = (kept, published) else {
            return Ok(kept.or(published));
        };
        if published.size > kept.size || published.size == kept.size && published.root != kept.root
        {
            return Err(StoreError::Fork {
                size: published.size,
                reason: "the published checkpoint is another than the one signed last",
            });
        }
        Ok(Some(kept))
    }

    /// Checks that the last entries under the signed size are the ones in the tiles: a restored database that grew again past
    /// that size has others there.
    fn check_tail(&self, signed_size: u64) -> Result<(), StoreError> {
        let Some(last) = signed_size.checked_sub(1) else {
            return Ok(());
        };
        let idx = last / TILE_WIDTH;
        let hashes = self.tile(
            TileId {
                level: Some(0),
                idx,
                width: tile_width(0, idx, signed_size),
            },
            signed_size,
        )?;
        let from = idx * TILE_WIDTH;
        let mut is_same = true;
        let n_visited = records::visit_entries(
            &*self.reader()?,
            from,
            signed_size,
            &mut |position, entry| {
                is_same &= hashes.get((position - from) as usize) == Some(&leaf_hash(entry));
                Ok(())
            },
        )?;
        if !is_same || from + n_visited != signed_size {
            return Err(StoreError::Fork {
                size: signed_size,
                reason: "the entries are others than the ones signed",
            });
        }
        Ok(())
    }

    /// Rebuilds all tiles from the entries, checks them against what was signed, and publishes.
    pub fn rebuild(&self) -> Result<String, StoreError> {
        let _lock = self.lock_publishing()?;
        let size = self.size()?;
        if let Some(signed) = self.last_signed()? {
            if size < signed.size {
                return Err(StoreError::Fork {
                    size: signed.size,
                    reason: "entries are missing",
                });
            }
            let mut edge = Edge::default();
            records::visit_entries(&*self.reader()?, 0, signed.size, &mut |_, entry| {
                edge.push(leaf_hash(entry), &mut |_, _| Ok(()))
            })?;
            if edge.size != signed.size || edge.root() != signed.root {
                return Err(StoreError::Fork {
                    size: signed.size,
                    reason: "the entries give another root",
                });
            }
        }
        // A gap above the signed size is found before anything published is taken away.
        if records::visit_entries(&*self.reader()?, 0, size, &mut |_, _| Ok(()))? != size {
            return Err(StoreError::Fork {
                size,
                reason: "an entry is missing",
            });
        }
        self.blobs().clear_tiles()?;
        self.extend(Edge::default(), size)
    }

    /// Writes the tiles from the edge up to `size`, then signs.
    fn extend(&self, mut edge: Edge, size: u64) -> Result<String, StoreError> {
        let blobs = self.blobs();
        let mut put =
            |id: TileId, hashes: &[Hash]| blobs.put_log_file(&id.to_string(), encode_tile(hashes));
        let from = edge.size;
        // The first bundle may continue a partial one, whose entries are read again.
        let bundle_from = from / TILE_WIDTH * TILE_WIDTH;
        let mut bundle: Vec<Vec<u8>> = Vec::new();
        let put_bundle = |idx: u64, entries: &[Vec<u8>]| {
            let id = TileId {
                level: None,
                idx,
                width: entries.len() as u16,
            };
            blobs.put_log_file(
                &id.to_string(),
                encode_bundle(entries.iter().map(Vec::as_slice))?,
            )
        };
        let n_visited =
            records::visit_entries(&*self.reader()?, bundle_from, size, &mut |idx, entry| {
                bundle.push(entry.to_vec());
                if idx >= from {
                    edge.push(leaf_hash(entry), &mut put)?;
                }
                if bundle.len() as u64 == TILE_WIDTH {
                    put_bundle(idx / TILE_WIDTH, &std::mem::take(&mut bundle))?;
                }
                Ok(())
            })?;
        if bundle_from + n_visited != size {
            return Err(StoreError::Fork {
                size,
                reason: "an entry is missing",
            });
        }
        if !bundle.is_empty() {
            put_bundle(size / TILE_WIDTH, &bundle)?;
        }
        for (level, hashes) in edge
            .levels
            .iter()
            .enumerate()
            .filter(|(_, hashes)| !hashes.is_empty())
        {
            let n_hashes = size >> (u32::from(TILE_HEIGHT) * level as u32);
            put(
                TileId {
                    level: Some(level as u8),
                    idx: n_hashes / TILE_WIDTH,
                    width: hashes.len() as u16,
                },
                hashes,
            )?;
        }
        self.sign(SignerState {
            size,
            root: edge.root(),
        })
    }

    /// Keeps durably what is about to be signed, then signs and publishes it.
    fn sign(&self, state: SignerState) -> Result<String, StoreError> {
        if self.load_signer()? != Some(state) {
            self.store_signer(state)?;
        }
        let checkpoint = Checkpoint {
            origin: self.log_key().name().to_owned(),
            size: state.size,
            root: state.root,
        };
        let note = checkpoint.sign(self.signing_key())?.to_string();
        self.blobs()
            .put_log_file("checkpoint", note.clone().into_bytes())?;
        Ok(note)
    }

    /// Reads the incomplete tiles of a signed size and checks that they give the signed root.
    fn load_edge(&self, signed: SignerState) -> Result<Edge, StoreError> {
        let mut levels = Vec::new();
        let mut n_hashes = signed.size;
        while n_hashes > 0 {
            let level = levels.len() as u8;
            let (idx, width) = (n_hashes / TILE_WIDTH, (n_hashes % TILE_WIDTH) as u16);
            let hashes = match width {
                0 => Vec::new(),
                _ => self.tile(
                    TileId {
                        level: Some(level),
                        idx,
                        width,
                    },
                    signed.size,
                )?,
            };
            levels.push(hashes);
            n_hashes /= TILE_WIDTH;
        }
        let edge = Edge {
            size: signed.size,
            levels,
        };
        if edge.root() != signed.root {
            return Err(StoreError::Fork {
                size: signed.size,
                reason: "the tiles give another root; `veracta ledger rebuild` rebuilds them",
            });
        }
        Ok(edge)
    }

    fn tile(&self, id: TileId, size: u64) -> Result<Vec<Hash>, StoreError> {
        let bytes = self.blobs().log_file(&id.to_string())?;
        let bytes = bytes.ok_or(StoreError::Fork {
            size,
            reason: "a tile is missing; `veracta ledger rebuild` rebuilds it",
        })?;
        Ok(decode_tile(&bytes, id.width)?)
    }

    /// Returns the published checkpoint, if any.
    pub fn published_checkpoint(&self) -> Result<Option<String>, StoreError> {
        let bytes = self.blobs().log_file("checkpoint")?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Returns the receipt of an entry under the published checkpoint; reads at most one tile a level.
    pub fn receipt(&self, idx: u64) -> Result<TlogProof, StoreError> {
        let note = self.publish()?;
        let (checkpoint, _) =
            Checkpoint::open(note.as_bytes(), self.log_key()).map_err(|_| StoreError::Fork {
                size: 0,
                reason: "the published checkpoint does not verify",
            })?;
        if idx >= checkpoint.size {
            return Err(StoreError::NoRecord {
                idx,
                size: checkpoint.size,
            });
        }
        let mut tiles: BTreeMap<TileId, Vec<Hash>> = BTreeMap::new();
        let hashes = prove_inclusion(idx, checkpoint.size, &mut |level, position| {
            let (id, range) = locate_node(level, position, checkpoint.size);
            debug_assert_eq!(
                id.width,
                tile_width(level / TILE_HEIGHT, id.idx, checkpoint.size)
            );
            let hashes = match tiles.entry(id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(self.tile(id, checkpoint.size)?),
            };
            Ok::<_, StoreError>(subtree_root(&hashes[range]))
        })?;
        let proof = TlogProof {
            leaf_idx: idx,
            hashes,
            checkpoint: note,
        };
        let entry = records::entry_bytes(&*self.reader()?, idx)?.ok_or(StoreError::NoRecord {
            idx,
            size: checkpoint.size,
        })?;
        if proof.verify(&entry, self.log_key()).is_err() {
            return Err(StoreError::Fork {
                size: checkpoint.size,
                reason: "the tiles do not prove this entry; `veracta ledger rebuild` rebuilds them",
            });
        }
        Ok(proof)
    }
}
