//! Checks an evidence bundle from its raw bytes alone.
//!
//! Everything is recomputed: every digest, every tile, the root, every receipt and signature. A bundle that does not hold is a
//! value, not an error; the report names the file and says what could not be checked at all.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Hash;
use crate::archive::{ArchiveError, Files, read_archive};
use crate::bundle::{CHECKPOINT_PATH, KEY_PATH, MANIFEST_PATH, Manifest};
use crate::checkpoint::{Checkpoint, cosignatures};
use crate::entry::Entry;
use crate::merkle::{CompactRange, leaf_hash};
use crate::note::{KeyType, SignedNote, VerifierKey};
use crate::proof::TlogProof;
use crate::statement::Envelope;
use crate::tile::{TILE_WIDTH, TileId, decode_bundle, encode_tile, tile_width, tiles_added};

/// What the person who verifies trusts beforehand.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The log's key, obtained from elsewhere.
    pub log_key: Option<VerifierKey>,
    /// A signed checkpoint seen earlier, which the bundle's log must extend.
    pub earlier_checkpoint: Option<Vec<u8>>,
    /// Keys of witnesses whose cosignatures count; all others are ignored.
    pub witnesses: Vec<VerifierKey>,
}

/// How one check ended; one that fails decides the whole bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What was recomputed agrees with what is stated.
    Holds,
    /// It does not; the bundle is not to be relied on.
    Fails,
    /// It could not be made with what is here.
    NotChecked,
}

/// One check of a bundle, with what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Whether it holds, fails or could not be made.
    pub outcome: Outcome,
    /// The file concerned, inside the bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What was found, in words.
    pub finding: String,
}

/// What verification found: every check that was made, and those that could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct VerificationReport {
    /// Name of the log, once known.
    pub origin: Option<String>,
    /// What the bundle is about, once known.
    pub subject: Option<String>,
    /// Entries in the log, once known.
    pub size: Option<u64>,
    /// Root of the log, once known.
    pub root: Option<Hash>,
    /// Checks in the order they were made.
    pub checks: Vec<Check>,
}

impl VerificationReport {
    /// Returns whether at least one check was made and none failed.
    pub fn holds(&self) -> bool {
        let any_held = self
            .checks
            .iter()
            .any(|check| check.outcome == Outcome::Holds);
        any_held
            && self
                .checks
                .iter()
                .all(|check| check.outcome != Outcome::Fails)
    }

    fn push(&mut self, outcome: Outcome, file: Option<&str>, finding: impl Into<String>) {
        self.checks.push(Check {
            outcome,
            file: file.map(str::to_owned),
            finding: finding.into(),
        });
    }

    /// Adds a check that holds.
    pub fn hold(&mut self, finding: impl Into<String>) {
        self.push(Outcome::Holds, None, finding);
    }

    /// Adds a check that fails.
    pub fn fail(&mut self, file: Option<&str>, finding: impl Into<String>) {
        self.push(Outcome::Fails, file, finding);
    }

    /// Adds a check that could not be made.
    pub fn skip(&mut self, finding: impl Into<String>) {
        self.push(Outcome::NotChecked, None, finding);
    }
}

/// Checks a bundle. Never panics, whatever the bytes.
pub fn verify_bundle(bytes: &[u8], trust: &Trust) -> VerificationReport {
    let mut report = VerificationReport::default();
    match read_archive(bytes) {
        Ok(files) => verify_files(&files, trust, &mut report),
        Err(ArchiveError::Malformed {
            offset,
            reason,
            path,
        }) => {
            report.fail(
                path.as_deref(),
                format!("not an evidence bundle, or damaged at byte {offset}: {reason}"),
            );
        }
        Err(error) => report.fail(None, error.to_string()),
    }
    report
}

fn verify_files(files: &Files, trust: &Trust, report: &mut VerificationReport) {
    let Some(log_key) = verify_key(files, trust, report) else {
        return;
    };
    verify_manifest(files, &log_key, report);
    let Some((checkpoint, note)) = verify_checkpoint(files, &log_key, report) else {
        return;
    };
    let Some(entries) = verify_tree(files, &checkpoint, report) else {
        return;
    };
    let entries = verify_entries(&entries, &log_key, report);
    verify_records(files, &entries, report);
    verify_artifacts(files, &entries, report);
    verify_receipts(files, &entries, &checkpoint, &log_key, report);
    verify_statements(files, &entries, &log_key, report);
    verify_history(files, &checkpoint, &note, &log_key, trust, report);
    report.skip("whether the stated times are true: they come from the operator's clock");
}

/// Returns the key to check with: the trusted one, or the bundle's own with a warning.
fn verify_key(
    files: &Files,
    trust: &Trust,
    report: &mut VerificationReport,
) -> Option<VerifierKey> {
    let text = files
        .get(KEY_PATH)
        .and_then(|bytes| std::str::from_utf8(bytes).ok());
    let Some(own) = text.and_then(|text| text.strip_suffix('\n')?.parse::<VerifierKey>().ok())
    else {
        report.fail(Some(KEY_PATH), "there is no readable log key");
        return None;
    };
    match &trust.log_key {
        None => report.skip("whether the log's key is the right one: compare `log.vkey` with one from elsewhere, or pass it"),
        Some(trusted) if *trusted == own => report.hold("the log's key is the one that was passed"),
        Some(_) => report.fail(Some(KEY_PATH), "the bundle is signed by another key than the one that was passed"),
    }
    if own.key_type() != KeyType::Ed25519 {
        report.fail(Some(KEY_PATH), "it is a witness's key, not a log's");
        return None;
    }
    Some(trust.log_key.clone().unwrap_or(own))
}

fn verify_manifest(files: &Files, log_key: &VerifierKey, report: &mut VerificationReport) {
    let Some(bytes) = files.get(MANIFEST_PATH) else {
        return report.fail(Some(MANIFEST_PATH), "the manifest is missing");
    };
    let note = match SignedNote::parse(bytes) {
        Ok(note) => note,
        Err(error) => return report.fail(Some(MANIFEST_PATH), error.to_string()),
    };
    let signed = note.verify(std::slice::from_ref(log_key));
    if let Err(error) = &signed {
        report.fail(Some(MANIFEST_PATH), error.to_string());
    }
    let Some(manifest) = Manifest::parse(&note.text) else {
        return report.fail(
            Some(MANIFEST_PATH),
            "it is not a list of files in the form of this version",
        );
    };
    if manifest.origin != log_key.name() {
        report.fail(
            Some(MANIFEST_PATH),
            format!(
                "it is of log `{}`, the key is of `{}`",
                manifest.origin,
                log_key.name()
            ),
        );
    }
    if note.signatures.len() != 1 || note.to_string().as_bytes() != bytes.as_slice() {
        report.fail(
            Some(MANIFEST_PATH),
            "it has bytes that its signature does not cover",
        );
    }
    let listed: BTreeMap<&str, _> = manifest
        .files
        .iter()
        .map(|line| (line.path.as_str(), line))
        .collect();
    for (path, line) in &listed {
        match files.get(*path) {
            None => report.fail(Some(path), "it is listed but missing"),
            Some(bytes) if bytes.len() as u64 != line.n_bytes || Hash::of(bytes) != line.digest => {
                report.fail(Some(path), "its content is not the one listed");
            }
            Some(_) => {}
        }
    }
    for path in files
        .keys()
        .filter(|path| *path != MANIFEST_PATH && !listed.contains_key(path.as_str()))
    {
        report.fail(Some(path), "it is not listed");
    }
    if report
        .checks
        .iter()
        .all(|check| check.outcome != Outcome::Fails)
    {
        report.hold(format!(
            "manifest: signed, and all {} files are the ones listed",
            listed.len()
        ));
    }
    let is_known = |path: &str| {
        let folders = ["tile/", "records/", "proofs/", "artifacts/", "statements/"];
        [CHECKPOINT_PATH, KEY_PATH, "READ-ME.txt"].contains(&path)
            || folders.iter().any(|folder| path.starts_with(folder))
    };
    let others: Vec<&str> = listed
        .keys()
        .copied()
        .filter(|path| !is_known(path))
        .collect();
    if !others.is_empty() {
        report.skip(format!(
            "what other files mean ({}): only that they are the ones listed",
            others.join(", ")
        ));
    }
    if signed.is_ok() {
        report.subject = Some(manifest.subject);
    }
}

fn verify_checkpoint(
    files: &Files,
    log_key: &VerifierKey,
    report: &mut VerificationReport,
) -> Option<(Checkpoint, SignedNote)> {
    let Some(bytes) = files.get(CHECKPOINT_PATH) else {
        report.fail(Some(CHECKPOINT_PATH), "the checkpoint is missing");
        return None;
    };
    match Checkpoint::open(bytes, log_key) {
        Ok((checkpoint, note)) => {
            report.origin = Some(checkpoint.origin.clone());
            report.size = Some(checkpoint.size);
            report.root = Some(checkpoint.root);
            report.hold(format!(
                "checkpoint: {} entries, signed by `{}`",
                checkpoint.size,
                log_key.name()
            ));
            Some((checkpoint, note))
        }
        Err(error) => {
            report.fail(Some(CHECKPOINT_PATH), error.to_string());
            None
        }
    }
}

/// Returns the entries, after recomputing every tile and the root from them.
fn verify_tree<'f>(
    files: &'f Files,
    checkpoint: &Checkpoint,
    report: &mut VerificationReport,
) -> Option<Vec<&'f [u8]>> {
    // A full bundle of empty entries takes 512 bytes: a size no folder could hold is refused before anything is allocated.
    let n_bytes: usize = files.values().map(Vec::len).sum();
    if checkpoint.size > n_bytes as u64 {
        report.fail(
            Some(CHECKPOINT_PATH),
            format!("{} entries cannot be in {n_bytes} bytes", checkpoint.size),
        );
        return None;
    }
    let expected = tiles_added(0, checkpoint.size);
    let paths: BTreeSet<String> = expected.iter().map(TileId::to_string).collect();
    for path in files
        .keys()
        .filter(|path| path.starts_with("tile/") && !paths.contains(*path))
    {
        report.fail(Some(path), "no log of this size has this tile");
    }
    let (mut tree, mut entries) = (CompactRange::default(), Vec::new());
    let mut levels: BTreeMap<u8, Vec<Hash>> = BTreeMap::new();
    for id in expected.iter().filter(|id| id.level.is_none()) {
        let path = id.to_string();
        let bundle = files.get(&path).ok_or("it is missing".to_owned());
        match bundle
            .and_then(|bytes| decode_bundle(bytes, id.width).map_err(|error| error.to_string()))
        {
            Ok(bundle) => entries.extend(bundle),
            Err(finding) => {
                report.fail(Some(&path), finding);
                return None;
            }
        }
    }
    for entry in &entries {
        tree.append_noting(leaf_hash(entry), &mut |level, _, hash| {
            if level.is_multiple_of(crate::tile::TILE_HEIGHT) {
                levels
                    .entry(level / crate::tile::TILE_HEIGHT)
                    .or_default()
                    .push(hash);
            }
        });
    }
    let n_failed = report.checks.len();
    for id in &expected {
        let Some(level) = id.level else { continue };
        let start = (id.idx * TILE_WIDTH) as usize;
        let hashes = &levels[&level][start..start + usize::from(id.width)];
        if files
            .get(&id.to_string())
            .is_none_or(|bytes| *bytes != encode_tile(hashes))
        {
            report.fail(
                Some(&id.to_string()),
                "the tile is missing or is not the one its entries give",
            );
        }
    }
    if tree.root() != checkpoint.root {
        report.fail(
            Some(CHECKPOINT_PATH),
            "the entries lead to another root than the signed one",
        );
    } else if report.checks.len() == n_failed {
        report.hold(format!(
            "tree: {} entries and {} tiles give the signed root",
            entries.len(),
            expected.len()
        ));
    }
    Some(entries)
}

/// Returns the parsed entries after checking their order, their links and that the first one names the key.
fn verify_entries(
    raw: &[&[u8]],
    log_key: &VerifierKey,
    report: &mut VerificationReport,
) -> Vec<Option<Entry>> {
    let n_checks = report.checks.len();
    let mut entries: Vec<Option<Entry>> = Vec::with_capacity(raw.len());
    let mut latest: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (idx, bytes) in raw.iter().enumerate() {
        let bundle = TileId {
            level: None,
            idx: idx as u64 / TILE_WIDTH,
            width: tile_width(0, idx as u64 / TILE_WIDTH, raw.len() as u64),
        };
        let bundle = bundle.to_string();
        let entry = match Entry::parse(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                report.fail(Some(&bundle), format!("entry {idx}: {error}"));
                entries.push(None);
                continue;
            }
        };
        if entries
            .last()
            .and_then(Option::as_ref)
            .is_some_and(|before| before.at > entry.at)
        {
            report.fail(
                Some(&bundle),
                format!("entry {idx} is dated before the entry it follows"),
            );
        }
        let line = (entry.kind.clone(), entry.subject.clone());
        if entry.previous != latest.insert(line, idx as u64) {
            report.fail(
                Some(&bundle),
                format!("entry {idx} does not name the record of its kind and subject before it"),
            );
        }
        for link in &entry.links {
            let target = usize::try_from(link.idx)
                .ok()
                .and_then(|idx| entries.get(idx))
                .and_then(Option::as_ref);
            if target.is_none_or(|target| target.body != link.body) {
                report.fail(
                    Some(&bundle),
                    format!(
                        "entry {idx} rests on entry {}, which is later or another record",
                        link.idx
                    ),
                );
            }
        }
        entries.push(Some(entry));
    }
    let opens = |entry: &Option<Entry>| {
        entry.as_ref().is_some_and(|entry| {
            entry.kind == "ledger.checkpoint" && entry.subject == log_key.to_string()
        })
    };
    match entries.iter().rposition(opens) {
        None => report.fail(None, "no entry opens a log under this key"),
        Some(0) => {}
        // Restored from a backup: what came before was signed under another key, whose last head may have had more entries.
        Some(idx) => report.skip(format!("what another key signed before entry {idx}, with which this log goes on after it was restored")),
    }
    if report.checks.len() == n_checks {
        report.hold(format!(
            "entries: {} headers in order of time, all links resolve",
            entries.len()
        ));
    }
    entries
}

fn verify_records(files: &Files, entries: &[Option<Entry>], report: &mut VerificationReport) {
    let (mut n_held, n_checks) = (0, report.checks.len());
    for (path, bytes) in files
        .iter()
        .filter(|(path, _)| path.starts_with("records/"))
    {
        match entry_of(path, "records/", ".json", entries) {
            Some(entry)
                if entry.body == Hash::of(bytes) && entry.body_bytes == bytes.len() as u64 =>
            {
                n_held += 1
            }
            Some(_) => report.fail(Some(path), "it is not the record its entry commits to"),
            None => report.fail(Some(path), "no entry has this position"),
        }
    }
    if report.checks.len() == n_checks {
        report.hold(format!(
            "records: {n_held} bodies are the ones their entries commit to"
        ));
    }
    let n_absent = entries.len() - n_held;
    if n_absent > 0 {
        report.skip(format!("the bodies of {n_absent} other records: they are not in the bundle, only their digests are"));
    }
}

fn entry_of<'e>(
    path: &str,
    prefix: &str,
    suffix: &str,
    entries: &'e [Option<Entry>],
) -> Option<&'e Entry> {
    let digits = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
    let idx: usize = digits.parse().ok()?;
    (idx.to_string() == digits).then_some(())?;
    entries.get(idx)?.as_ref()
}

fn verify_artifacts(files: &Files, entries: &[Option<Entry>], report: &mut VerificationReport) {
    let n_checks = report.checks.len();
    let mut named: BTreeMap<Hash, (&str, bool, u64)> = BTreeMap::new();
    for artifact in entries.iter().flatten().flat_map(|entry| &entry.artifacts) {
        let (_, personal, n_bytes) =
            named
                .entry(artifact.digest)
                .or_insert((&artifact.name, false, artifact.bytes));
        *personal |= artifact.personal;
        if *n_bytes != artifact.bytes {
            report.fail(
                None,
                format!(
                    "two entries disagree about the length of artefact {}",
                    artifact.digest
                ),
            );
        }
    }
    for (path, bytes) in files {
        let Some(digest) = path.strip_prefix("artifacts/") else {
            continue;
        };
        let claimed = digest.parse::<Hash>().ok();
        if claimed != Some(Hash::of(bytes)) {
            report.fail(
                Some(path),
                "its content does not have the digest in its name",
            );
            continue;
        }
        match claimed.and_then(|digest| named.remove(&digest)) {
            None => report.fail(Some(path), "no entry commits to it"),
            Some((_, _, n_bytes)) if n_bytes != bytes.len() as u64 => {
                report.fail(Some(path), "its length is not the one its entry commits to");
            }
            Some(_) => {}
        }
    }
    let n_held = files
        .keys()
        .filter(|path| path.starts_with("artifacts/"))
        .count();
    if report.checks.len() == n_checks {
        report.hold(format!(
            "artefacts: {n_held} files, each committed to by an entry"
        ));
    }
    for is_personal in [true, false] {
        let absent: BTreeSet<&str> = named
            .values()
            .filter(|(_, personal, _)| *personal == is_personal)
            .map(|(name, ..)| *name)
            .collect();
        if absent.is_empty() {
            continue;
        }
        let names = absent.into_iter().collect::<Vec<_>>().join(", ");
        let reason = if is_personal {
            "may hold personal data and stay with the operator"
        } else {
            "are not in the bundle"
        };
        report.skip(format!(
            "artefacts that {reason} ({names}): only their digests are here"
        ));
    }
}

fn verify_receipts(
    files: &Files,
    entries: &[Option<Entry>],
    checkpoint: &Checkpoint,
    log_key: &VerifierKey,
    report: &mut VerificationReport,
) {
    // A receipt may be older than the bundle's checkpoint, but it must be of the same log: one key can sign two.
    let is_same_log = |head: &Checkpoint| {
        head == checkpoint
            || head.size <= checkpoint.size
                && root_of_prefix(files, checkpoint.size, head.size) == Some(head.root)
    };
    let (mut n_held, n_checks) = (0, report.checks.len());
    for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with("proofs/")) {
        let Some(entry) = entry_of(path, "proofs/", ".tlog-proof", entries) else {
            report.fail(Some(path), "no entry has this position");
            continue;
        };
        let entry_bytes = entry
            .to_bytes()
            .expect("a parsed entry has canonical bytes within the limit");
        let proof = TlogProof::parse(bytes)
            .and_then(|proof| Ok((proof.verify(&entry_bytes, log_key)?, proof)));
        match proof {
            Ok((_, proof)) if format!("proofs/{}.tlog-proof", proof.leaf_idx) != *path => {
                report.fail(Some(path), "it is the receipt of another entry");
            }
            Ok((head, _)) if !is_same_log(&head) => report.fail(
                Some(path),
                "it is the receipt of another log under the same key",
            ),
            Ok(_) => n_held += 1,
            Err(error) => report.fail(Some(path), error.to_string()),
        }
    }
    if report.checks.len() == n_checks {
        report.hold(format!(
            "receipts: {n_held} inclusion proofs lead to the signed root"
        ));
    }
}

fn verify_statements(
    files: &Files,
    entries: &[Option<Entry>],
    log_key: &VerifierKey,
    report: &mut VerificationReport,
) {
    let (mut n_held, n_checks) = (0, report.checks.len());
    let committed: BTreeSet<String> = entries
        .iter()
        .flatten()
        .flat_map(|entry| {
            entry
                .artifacts
                .iter()
                .map(|artifact| artifact.digest.to_string())
        })
        .collect();
    for (path, bytes) in files
        .iter()
        .filter(|(path, _)| path.starts_with("statements/"))
    {
        let statement = serde_json::from_slice::<Envelope>(bytes)
            .map_err(crate::statement::StatementError::from)
            .and_then(|envelope| envelope.verify(&[*log_key.key()], 1));
        match statement {
            Ok(statement) => {
                let is_committed = |digest: Option<&String>| {
                    digest.is_some_and(|digest| committed.contains(digest))
                };
                if !statement.subject.is_empty()
                    && statement
                        .subject
                        .iter()
                        .all(|subject| is_committed(subject.digest.get("sha256")))
                {
                    n_held += 1;
                } else {
                    report.fail(
                        Some(path),
                        "it is about an artefact that no entry commits to",
                    );
                }
            }
            Err(error) => report.fail(Some(path), error.to_string()),
        }
    }
    if report.checks.len() == n_checks {
        report.hold(format!(
            "statements: {n_held} signed, about artefacts the log commits to"
        ));
    }
}

/// Checks the log against an earlier checkpoint and against witnesses.
fn verify_history(
    files: &Files,
    checkpoint: &Checkpoint,
    note: &SignedNote,
    log_key: &VerifierKey,
    trust: &Trust,
    report: &mut VerificationReport,
) {
    match &trust.earlier_checkpoint {
        None => report.skip("whether the log was rolled back: pass a checkpoint seen earlier"),
        Some(bytes) => match Checkpoint::open(bytes, log_key) {
            Err(error) => report.fail(None, format!("the earlier checkpoint: {error}")),
            Ok((earlier, _)) if earlier.size > checkpoint.size => report.fail(
                Some(CHECKPOINT_PATH),
                format!(
                    "the log was rolled back: it had {} entries and has {}",
                    earlier.size, checkpoint.size
                ),
            ),
            Ok((earlier, _))
                if root_of_prefix(files, checkpoint.size, earlier.size) == Some(earlier.root) =>
            {
                report.hold(format!(
                    "history: the log extends the earlier checkpoint of {} entries",
                    earlier.size
                ));
            }
            Ok(_) => report.fail(
                Some(CHECKPOINT_PATH),
                "the log was rewritten: its start is not the one seen earlier",
            ),
        },
    }
    match cosignatures(note, &trust.witnesses) {
        Err(error) => report.fail(Some(CHECKPOINT_PATH), error.to_string()),
        Ok(found) if found.is_empty() => report
            .skip("whether others saw the same log: no witness that you trust has cosigned it"),
        Ok(found) => {
            let names: Vec<_> = found
                .iter()
                .map(|cosignature| cosignature.witness.as_str())
                .collect();
            report.hold(format!("witnesses: cosigned by {}", names.join(", ")));
        }
    }
}

/// Returns the root over the first `prefix` entries in the bundle's own entry bundles.
fn root_of_prefix(files: &Files, size: u64, prefix: u64) -> Option<Hash> {
    let mut tree = CompactRange::default();
    for id in tiles_added(0, size).iter().filter(|id| id.level.is_none()) {
        for entry in decode_bundle(files.get(&id.to_string())?, id.width).ok()? {
            if tree.size() == prefix {
                return Some(tree.root());
            }
            tree.append(leaf_hash(entry));
        }
    }
    (tree.size() == prefix).then(|| tree.root())
}
