//! Checks a workspace against itself: entries, bodies, bytes, tiles and the signed root.

use std::collections::{BTreeMap, BTreeSet};

use veracta_governance::record::Record;
use veracta_ledger::Hash;
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::entry::Entry;
use veracta_ledger::merkle::{CompactRange, leaf_hash, root_at};
use veracta_ledger::tile::{TILE_WIDTH, encode_bundle, encode_tile, tiles_added};
use veracta_ledger::verify::VerificationReport;

use crate::keys::SignerState;
use crate::tables::records;
use crate::{Store, StoreError};

/// The committed entries with the tree over them.
struct Replay {
    entries: Vec<Vec<u8>>,
    /// Hashes of the complete subtrees, by level.
    levels: Vec<Vec<Hash>>,
}

impl Replay {
    /// Returns the root over the first `size` entries; `None` when there are not as many.
    fn root(&self, size: u64) -> Option<Hash> {
        if size > self.entries.len() as u64 {
            return None;
        }
        let read = &mut |level: u8, position: u64| {
            Ok::<_, std::convert::Infallible>(self.levels[usize::from(level)][position as usize])
        };
        let Ok(root) = root_at(size, read);
        Some(root)
    }
}

impl Store {
    /// Recomputes everything from what is stored. A workspace that does not hold is a report, not an error.
    pub fn verify(&self) -> Result<VerificationReport, StoreError> {
        let mut report = VerificationReport {
            origin: Some(self.log_key().name().to_owned()),
            ..Default::default()
        };
        // Before the entries: what is published meanwhile is about more of them.
        let signed = self.load_signer()?;
        let published = self.published_checkpoint()?;
        let replay = self.replay(&mut report)?;
        let blobs = self.verify_records(&replay, &mut report)?;
        self.verify_blobs(&blobs, &mut report)?;
        verify_signed(signed, &replay, &mut report);
        if let Some(published) = self.verify_published(published, &replay, &mut report) {
            self.verify_tiles(&replay, published, &mut report)?;
        }
        report.skip("whether others saw the same log: no witness is configured");
        report.skip("whether the stated times are true: they come from this machine's clock");
        Ok(report)
    }

    /// Calls `visit` with the first `n_entries` entries in order, or as many as there are.
    pub fn visit_entries(
        &self,
        n_entries: u64,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        records::visit_entries(&*self.reader()?, 0, n_entries, &mut |_, entry| {
            visit(entry);
            Ok(())
        })?;
        Ok(())
    }

    fn replay(&self, report: &mut VerificationReport) -> Result<Replay, StoreError> {
        let size = self.size()?;
        report.size = Some(size);
        let (mut tree, mut replay) = (
            CompactRange::default(),
            Replay {
                entries: Vec::new(),
                levels: Vec::new(),
            },
        );
        self.visit_entries(size, &mut |bytes| {
            tree.append_noting(leaf_hash(bytes), &mut |level, _, hash| {
                if replay.levels.len() == usize::from(level) {
                    replay.levels.push(Vec::new());
                }
                replay.levels[usize::from(level)].push(hash);
            });
            replay.entries.push(bytes.to_vec());
        })?;
        if tree.size() != size {
            report.fail(None, format!("entry {} is missing", tree.size()));
        }
        Ok(replay)
    }

    /// Checks every entry with its record, and returns the artefacts they commit to.
    fn verify_records(
        &self,
        replay: &Replay,
        report: &mut VerificationReport,
    ) -> Result<BTreeMap<Hash, usize>, StoreError> {
        let (mut blobs, mut last_at, n_checks) =
            (BTreeMap::new(), String::new(), report.checks.len());
        let reader = self.reader()?;
        let (erased, mut n_erased) = (self.erased(replay)?, 0);
        for (idx, bytes) in replay.entries.iter().enumerate() {
            let entry = match Entry::parse(bytes) {
                Ok(entry) => entry,
                Err(error) => {
                    report.fail(None, format!("entry {idx}: {error}"));
                    continue;
                }
            };
            if entry.at < last_at {
                report.fail(
                    None,
                    format!("entry {idx} is dated before the entry it follows"),
                );
            }
            last_at.clone_from(&entry.at);
            match records::body(&reader, idx as u64)? {
                Some(body) if Hash::of(&body) == entry.body => {}
                Some(_) => report.fail(None, format!("the record of entry {idx} was changed")),
                None if erased.contains(&(idx as u64)) => n_erased += 1,
                None => report.fail(None, format!("the record of entry {idx} is missing")),
            }
            blobs.extend(
                entry
                    .artifacts
                    .iter()
                    .map(|artifact| (artifact.digest, idx)),
            );
        }
        if report.checks.len() == n_checks {
            let but = if n_erased == 0 {
                String::new()
            } else {
                format!(", but {n_erased} whose erasure has a receipt")
            };
            report.hold(format!(
                "entries: {} in order, each with the record it commits to{but}",
                replay.entries.len()
            ));
        }
        Ok(blobs)
    }

    /// Returns the positions of the records that receipts say were erased. A receipt counts only as its entry commits to it.
    fn erased(&self, replay: &Replay) -> Result<BTreeSet<u64>, StoreError> {
        let mut erased = BTreeSet::new();
        let reader = self.reader()?;
        for (idx, bytes) in replay.entries.iter().enumerate() {
            let Ok(entry) = Entry::parse(bytes) else {
                continue;
            };
            if entry.kind != "erasure.receipt" {
                continue;
            }
            let body =
                records::body(&reader, idx as u64)?.filter(|body| Hash::of(body) == entry.body);
            if let Some(Ok(Record::ErasureReceipt(receipt))) = body.map(|body| Record::parse(&body))
            {
                // What came later was not there to be erased.
                erased.extend(
                    receipt
                        .records
                        .into_iter()
                        .filter(|position| *position < idx as u64),
                );
            }
        }
        Ok(erased)
    }

    fn verify_blobs(
        &self,
        blobs: &BTreeMap<Hash, usize>,
        report: &mut VerificationReport,
    ) -> Result<(), StoreError> {
        let n_checks = report.checks.len();
        for (digest, idx) in blobs {
            match self.blobs().get(*digest) {
                Ok(_) => {}
                Err(error @ (StoreError::NoBlob { .. } | StoreError::CorruptBlob { .. })) => {
                    report.fail(None, format!("entry {idx}: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        if report.checks.len() == n_checks {
            report.hold(format!(
                "artefacts: {} files with the digests their entries commit to",
                blobs.len()
            ));
        }
        Ok(())
    }

    /// Returns the size of the published checkpoint when there are as many entries.
    fn verify_published(
        &self,
        note: Option<String>,
        replay: &Replay,
        report: &mut VerificationReport,
    ) -> Option<u64> {
        let Some(note) = note else {
            report.fail(
                Some("checkpoint"),
                "there is none; `veracta ledger rebuild` publishes one",
            );
            return None;
        };
        match Checkpoint::open(note.as_bytes(), self.log_key()) {
            Ok((head, _)) if replay.root(head.size) == Some(head.root) => {
                report.hold(format!("checkpoint: signed by `{}`", head.origin));
                let n_later = replay.entries.len() as u64 - head.size;
                if n_later > 0 {
                    report.skip(format!("{n_later} entries committed after the checkpoint"));
                }
                return Some(head.size);
            }
            Ok((head, _)) => {
                report.fail(Some("checkpoint"), "the entries do not give its root");
                // Its tiles still say where the entries begin to differ.
                return (head.size <= replay.entries.len() as u64).then_some(head.size);
            }
            Err(error) => report.fail(Some("checkpoint"), error.to_string()),
        }
        None
    }

    /// Checks every tile and entry bundle of the published size.
    fn verify_tiles(
        &self,
        replay: &Replay,
        size: u64,
        report: &mut VerificationReport,
    ) -> Result<(), StoreError> {
        let n_checks = report.checks.len();
        let expected = tiles_added(0, size);
        for id in &expected {
            let path = id.to_string();
            let start = (id.idx * TILE_WIDTH) as usize;
            let range = start..start + usize::from(id.width);
            let wanted = match id.level {
                Some(level) => encode_tile(&replay.levels[usize::from(level) * 8][range]),
                None => encode_bundle(replay.entries[range].iter().map(Vec::as_slice))?,
            };
            match self.blobs().log_file(&path)? {
                Some(bytes) if bytes == wanted => {}
                Some(_) => report.fail(
                    Some(&path),
                    "it is not what its entries give; `veracta ledger rebuild` rebuilds it",
                ),
                None => report.fail(
                    Some(&path),
                    "it is missing; `veracta ledger rebuild` rebuilds it",
                ),
            }
        }
        if report.checks.len() == n_checks {
            report.hold(format!(
                "tiles: {} files are what the entries give",
                expected.len()
            ));
        }
        Ok(())
    }
}

fn verify_signed(signed: Option<SignerState>, replay: &Replay, report: &mut VerificationReport) {
    match signed {
        Some(signed) if replay.root(signed.size) == Some(signed.root) => {
            report.hold(format!(
                "history: the entries give the root signed at {} entries",
                signed.size
            ));
            report.root = Some(signed.root);
        }
        Some(signed) => report.fail(
            None,
            format!(
                "the entries do not give the root signed at {} entries",
                signed.size
            ),
        ),
        None => report.fail(None, "nothing was ever signed"),
    }
}
