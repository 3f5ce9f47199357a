//! Every version of every kind ever written stays readable, and is written again with the same bytes.

use std::collections::BTreeSet;

use veracta_governance::record::{KINDS, REPORTS_ON_MODELS, Record, RecordError};

use crate::lineage::files;

#[test]
fn every_version_stays_readable_and_is_written_the_same() {
    for (idx, kind, version, bytes) in files() {
        let record = Record::parse(&bytes)
            .unwrap_or_else(|error| panic!("{idx} {kind} v{version}: {error}"));
        // An older version is read as itself, or into the newest form of the same fact.
        let is_read_as = |read: u32| read == version || version == 1 && read == 2;
        assert_eq!(record.kind(), kind, "{idx}");
        assert!(is_read_as(record.schema_version()), "{idx}");
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
fn the_listed_reports_and_no_others_are_about_a_model() {
    for (idx, kind, _, bytes) in files() {
        let is_report = Record::parse(&bytes).unwrap().reported_model().is_some();
        assert_eq!(
            is_report,
            REPORTS_ON_MODELS.contains(&kind.as_str()),
            "{idx} {kind}"
        );
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
