//! The recorded lineage of `tests/corpus` as evidence; the tests of `veracta-documents` read it too.

use std::fs;
use std::path::Path;

use veracta_governance::evidence::{Evidence, EvidenceSet};
use veracta_governance::record::Record;
use veracta_ledger::Hash;
use veracta_ledger::entry::{Artifact, ENTRY_VERSION, Entry, Link};

/// Returns (position, kind, version, bytes) of every file of the corpus, in ledger order.
pub(crate) fn files() -> Vec<(u64, String, u32, Vec<u8>)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = crates.join("veracta-governance/tests/corpus");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut parts = stem.splitn(2, '-');
        let idx = parts.next().unwrap().parse().unwrap();
        let (kind, version) = parts.next().unwrap().rsplit_once("-v").unwrap();
        files.push((
            idx,
            kind.to_owned(),
            version.parse().unwrap(),
            fs::read(&path).unwrap(),
        ));
    }
    files.sort();
    files
}

/// Returns the corpus as evidence, without the kinds named.
pub(crate) fn evidence_without(absent: &[&str]) -> EvidenceSet {
    let mut items: Vec<Evidence> = Vec::new();
    for (idx, kind, schema_version, bytes) in files() {
        if absent.contains(&kind.as_str()) {
            continue;
        }
        let record = Record::parse(&bytes).unwrap();
        let artifacts = match &record {
            Record::DatasetVersion(body) => {
                vec![Artifact {
                    name: "dataset".to_owned(),
                    digest: body.digest,
                    bytes: body.n_bytes,
                    personal: true,
                }]
            }
            _ => Vec::new(),
        };
        let entry = Entry {
            v: ENTRY_VERSION,
            kind,
            schema_version,
            subject: "model:churn".to_owned(),
            at: format!("2026-11-23T21:00:{:02}.000Z", idx % 60),
            actor: "actor-0".to_owned(),
            body: Hash::of(&bytes),
            body_bytes: bytes.len() as u64,
            key: None,
            previous: None,
            links: Vec::<Link>::new(),
            artifacts,
        };
        items.push(Evidence { idx, entry, record });
    }
    EvidenceSet::new(items)
}
