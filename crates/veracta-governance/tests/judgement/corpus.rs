//! Every version of every kind ever written stays readable, and is written again with the same bytes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use veracta_governance::evidence::{Evidence, EvidenceSet};
use veracta_governance::record::{KINDS, Record, RecordError};
use veracta_ledger::Hash;
use veracta_ledger::entry::{Artifact, ENTRY_VERSION, Entry, Link};

/// Returns (position, kind, version, bytes) of every file of the corpus, in ledger order.
pub(crate) fn files() -> Vec<(u64, String, u32, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
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

#[test]
fn every_version_stays_readable_and_is_written_the_same() {
    for (idx, kind, version, bytes) in files() {
        let record = Record::parse(&bytes)
            .unwrap_or_else(|error| panic!("{idx} {kind} v{version}: {error}"));
        assert_eq!(
            (record.kind(), record.schema_version()),
            (kind.as_str(), version),
            "{idx}"
        );
        if KINDS.contains(&(kind.as_str(), version)) {
            assert_eq!(
                record.to_bytes().unwrap(),
                bytes,
                "{idx} {kind}: the newest version is written with the same bytes"
            );
        }
    }
}

#[test]
fn every_kind_is_in_the_corpus_and_in_the_vocabulary() {
    let recorded: BTreeSet<(String, u32)> = files()
        .into_iter()
        .map(|(_, kind, version, _)| (kind, version))
        .collect();
    let vocabulary = &veracta_governance::controls::Catalogue::shipped().evidence_kinds;
    for (kind, newest) in KINDS {
        assert!(
            vocabulary.contains_key(*kind),
            "{kind} is not a word of the vocabulary"
        );
        for version in 1..=*newest {
            assert!(
                recorded.contains(&((*kind).to_owned(), version)),
                "{kind} v{version} is not in the corpus"
            );
        }
    }
}

#[test]
fn unknown_kinds_versions_and_fields_are_refused() {
    let refuse = |text: &str| Record::parse(text.as_bytes()).unwrap_err();
    let unknown = refuse(r#"{"kind":"decision.log","schema_version":1,"body":{}}"#);
    assert!(matches!(unknown, RecordError::Unknown { .. }), "{unknown}");
    let newer = refuse(r#"{"kind":"run","schema_version":99,"body":{}}"#);
    assert!(
        matches!(newer, RecordError::Unknown { version: 99, .. }),
        "{newer}"
    );
    let extra = refuse(
        r#"{"kind":"dataset.profile","schema_version":1,"body":{"dataset":"00","surprise":1}}"#,
    );
    assert!(matches!(extra, RecordError::Malformed(_)), "{extra}");
    for text in ["", "{}", "[]", "null", "{\"kind\":1}"] {
        assert!(matches!(refuse(text), RecordError::Malformed(_)), "{text}");
    }
}
