//! A log of five entries and the evidence bundle cut from it, small enough to damage every byte of it.

use std::convert::Infallible;

use ed25519_dalek::SigningKey;
use serde_json::json;
use veracta_ledger::Hash;
use veracta_ledger::archive::{Files, read_archive, write_archive};
use veracta_ledger::bundle::{CHECKPOINT_PATH, KEY_PATH, seal_bundle};
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::entry::{Artifact, ENTRY_VERSION, Entry, Link};
use veracta_ledger::merkle::{CompactRange, leaf_hash, prove_inclusion};
use veracta_ledger::note::{KeyType, VerifierKey};
use veracta_ledger::proof::TlogProof;
use veracta_ledger::statement::{
    Envelope, ResourceDescriptor, SLSA_PROVENANCE, STATEMENT_TYPE, Statement,
};
use veracta_ledger::tile::{encode_bundle, encode_tile, subtree_root, tiles_added};
use veracta_ledger::verify::{Outcome, Trust, VerificationReport, verify_bundle};

pub(crate) const ORIGIN: &str = "log.example/veracta";
pub(crate) const SUBJECT: &str = "model:churn@2";
/// Bytes of the two models; the data set stays with the operator.
pub(crate) const MODELS: [&[u8]; 2] = [b"first model", b"second model"];
/// Entries whose records and receipts are in the bundle.
const SHOWN: [usize; 3] = [2, 3, 4];

/// A log: entries and bodies as they would lie in its store, and the key of its operator.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) key: SigningKey,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) bodies: Vec<Vec<u8>>,
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn log_key(key: &SigningKey) -> VerifierKey {
    VerifierKey::new(ORIGIN, KeyType::Ed25519, key.verifying_key()).expect("a plain name")
}

/// Returns an entry about `body`, recorded `minute` minutes after the log was opened.
pub(crate) fn entry(kind: &str, subject: &str, minute: u32, body: &[u8]) -> Entry {
    Entry {
        v: ENTRY_VERSION,
        kind: kind.to_owned(),
        schema_version: 1,
        subject: subject.to_owned(),
        at: format!("2026-03-01T09:{minute:02}:00.000Z"),
        actor: "p-1".to_owned(),
        body: Hash::of(body),
        body_bytes: body.len() as u64,
        key: None,
        previous: None,
        links: Vec::new(),
        artifacts: Vec::new(),
    }
}

fn artifact(name: &str, bytes: &[u8], personal: bool) -> Artifact {
    Artifact {
        name: name.to_owned(),
        digest: Hash::of(bytes),
        bytes: bytes.len() as u64,
        personal,
    }
}

/// Returns the five bodies and, before they are written, the five entries of a log under `key`.
pub(crate) fn honest(key: &SigningKey) -> (Vec<Vec<u8>>, Vec<Entry>) {
    let bodies = [
        "{\"opened\":true}",
        "{\"rows\":3}",
        "{\"auc\":0.7}",
        "{\"auc\":0.8}",
        "{\"passed\":true}",
    ];
    let bodies = bodies.map(|body| body.as_bytes().to_vec()).to_vec();
    let link = |idx: usize| Link {
        idx: idx as u64,
        body: Hash::of(&bodies[idx]),
    };
    let opening = entry(
        "ledger.checkpoint",
        &log_key(key).to_string(),
        0,
        &bodies[0],
    );
    let mut data = entry("dataset.version", "dataset:customers", 1, &bodies[1]);
    data.artifacts = vec![artifact("dataset", b"names of people", true)];
    let mut first = entry("model.version", "model:churn", 1, &bodies[2]);
    (first.links, first.artifacts) = (vec![link(1)], vec![artifact("model", MODELS[0], false)]);
    let mut second = entry("model.version", "model:churn", 2, &bodies[3]);
    (second.links, second.artifacts) = (
        vec![link(1), link(2)],
        vec![artifact("model", MODELS[1], false)],
    );
    (second.key, second.previous) = (Some(Hash::of(b"inputs, code, settings")), Some(2));
    let mut verdict = entry("gate.verdict", "model:churn", 3, &bodies[4]);
    verdict.links = vec![link(3)];
    (bodies, vec![opening, data, first, second, verdict])
}

impl Log {
    /// Returns an honest log under a key.
    pub(crate) fn new(key: SigningKey) -> Self {
        let (bodies, entries) = honest(&key);
        Self::of(key, bodies, &entries)
    }

    /// Returns a log of whatever entries.
    pub(crate) fn of(key: SigningKey, bodies: Vec<Vec<u8>>, entries: &[Entry]) -> Self {
        let entries = entries
            .iter()
            .map(|entry| entry.to_bytes().expect("a small entry"))
            .collect();
        Self {
            key,
            entries,
            bodies,
        }
    }

    pub(crate) fn leaves(&self) -> Vec<Hash> {
        self.entries.iter().map(|entry| leaf_hash(entry)).collect()
    }

    /// Returns the checkpoint of the first `size` entries.
    pub(crate) fn head(&self, size: usize) -> Checkpoint {
        let mut tree = CompactRange::default();
        self.leaves()[..size]
            .iter()
            .for_each(|leaf| tree.append(*leaf));
        Checkpoint {
            origin: ORIGIN.to_owned(),
            size: tree.size(),
            root: tree.root(),
        }
    }

    /// Returns that checkpoint as it is published.
    pub(crate) fn signed_head(&self, size: usize) -> Vec<u8> {
        self.head(size)
            .sign(&self.key)
            .expect("a plain origin")
            .to_string()
            .into_bytes()
    }

    /// Returns the receipt of an entry in the tree of the first `size` entries.
    pub(crate) fn receipt(&self, leaf_idx: usize, size: usize) -> Vec<u8> {
        let leaves = self.leaves();
        let Ok(hashes) = prove_inclusion(leaf_idx as u64, size as u64, &mut |level, position| {
            let (start, end) = (position << level, (position + 1) << level);
            Ok::<_, Infallible>(subtree_root(&leaves[start as usize..end as usize]))
        });
        let checkpoint = String::from_utf8(self.signed_head(size)).expect("a note is text");
        TlogProof {
            leaf_idx: leaf_idx as u64,
            hashes,
            checkpoint,
        }
        .to_string()
        .into_bytes()
    }

    /// Returns the files of a bundle, before they are sealed.
    pub(crate) fn files(&self) -> Files {
        let size = self.entries.len();
        assert!(size < 256, "one tile is enough");
        let mut files = Files::new();
        files.insert(
            KEY_PATH.to_owned(),
            format!("{}\n", log_key(&self.key)).into_bytes(),
        );
        files.insert(CHECKPOINT_PATH.to_owned(), self.signed_head(size));
        for id in tiles_added(0, size as u64) {
            let bytes = match id.level {
                Some(_) => encode_tile(&self.leaves()),
                None => encode_bundle(self.entries.iter().map(Vec::as_slice))
                    .expect("small entries fit"),
            };
            files.insert(id.to_string(), bytes);
        }
        for idx in SHOWN {
            files.insert(format!("records/{idx}.json"), self.bodies[idx].clone());
            files.insert(format!("proofs/{idx}.tlog-proof"), self.receipt(idx, size));
        }
        for model in MODELS {
            files.insert(artifact_path(model), model.to_vec());
        }
        files.insert(
            "statements/model.dsse.json".to_owned(),
            statement(&self.key, &[MODELS[1]]),
        );
        files
    }

    /// Returns the bundle of an honest log.
    pub(crate) fn bundle(&self) -> Files {
        self.seal(self.files())
    }

    /// Returns the files under a manifest signed by the log's key.
    pub(crate) fn seal(&self, files: Files) -> Files {
        let sealed = seal_bundle(files, ORIGIN, SUBJECT, &self.key).expect("a small bundle");
        read_archive(&sealed).expect("an archive reads back")
    }
}

pub(crate) fn artifact_path(bytes: &[u8]) -> String {
    format!("artifacts/{}", Hash::of(bytes))
}

/// Returns a signed statement about artefacts.
pub(crate) fn statement(key: &SigningKey, artifacts: &[&[u8]]) -> Vec<u8> {
    let statement = Statement {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject: artifacts
            .iter()
            .map(|bytes| ResourceDescriptor::sha256("model", Hash::of(bytes)))
            .collect(),
        predicate_type: SLSA_PROVENANCE.to_owned(),
        predicate: json!({ "seed": 7 }),
    };
    let envelope = Envelope::sign(&statement, key, "log").expect("a plain statement");
    serde_json::to_vec(&envelope).expect("a plain envelope")
}

/// Verifies files in a well-formed container.
pub(crate) fn verify(files: &Files, trust: &Trust) -> VerificationReport {
    verify_bundle(&write_archive(files).expect("a small bundle"), trust)
}

/// Asserts that the bundle fails, and that a failing check says `words` and, when `file` is given, names it.
pub(crate) fn check_fails(
    case: &str,
    report: &VerificationReport,
    file: Option<&str>,
    words: &str,
) {
    assert!(!report.holds(), "{case}: the bundle holds");
    let mut failing = report
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Fails);
    let found = failing.any(|check| {
        let is_named = file.is_none_or(|file| check.file.as_deref() == Some(file));
        is_named && check.finding.contains(words)
    });
    assert!(
        found,
        "{case}: no failing check names {file:?} and says `{words}`: {:#?}",
        report.checks
    );
}

/// Asserts that the bundle holds, and that a check that ended with `outcome` says `words`.
pub(crate) fn check_holds(case: &str, report: &VerificationReport, outcome: Outcome, words: &str) {
    assert!(report.holds(), "{case}: {:#?}", report.checks);
    let found = report
        .checks
        .iter()
        .any(|check| check.outcome == outcome && check.finding.contains(words));
    assert!(
        found,
        "{case}: no check that {outcome:?} says `{words}`: {:#?}",
        report.checks
    );
}
