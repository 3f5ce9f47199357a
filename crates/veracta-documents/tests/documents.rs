//! Documents: reviewed snapshots, every value with its record, every gap printed and counted.

use veracta_documents::{Block, DOCUMENT_KINDS, Document, DocumentKind, gather, html, markdown};

#[path = "../../veracta-governance/tests/judgement/lineage.rs"]
mod lineage;

use lineage::{evidence_without, files};

fn values(document: &Document) -> Vec<&Block> {
    document
        .sections
        .iter()
        .flat_map(|section| &section.blocks)
        .collect()
}

#[test]
fn documents_read_as_reviewed() {
    for kind in DOCUMENT_KINDS {
        let document = gather(kind, &evidence_without(&[]));
        insta::assert_snapshot!(kind.id(), markdown::render(&document));
    }
}

#[test]
fn every_value_names_its_record() {
    for kind in DOCUMENT_KINDS {
        let document = gather(kind, &evidence_without(&[]));
        let page = html::render(&document);
        for block in values(&document) {
            if let Block::Facts(facts) = block {
                assert!(facts.iter().all(|fact| fact.source.is_some()), "{facts:?}");
            }
        }
        for source in &document.sources {
            assert!(
                page.contains(&format!("id=\"r{}\"", source.idx))
                    && page.contains(&source.digest.to_string()),
                "#{}",
                source.idx
            );
        }
    }
}

#[test]
fn gaps_are_printed_and_counted() {
    let whole = gather(DocumentKind::ModelCard, &evidence_without(&[]));
    for kind in [
        "validation.report",
        "fairness.report",
        "explain.report",
        "dataset.profile",
        "dataset.phi_scan",
        "dataset.split",
    ] {
        let document = gather(DocumentKind::ModelCard, &evidence_without(&[kind]));
        assert!(
            document.n_gaps > whole.n_gaps,
            "without {kind} there are more gaps"
        );
        let (page, text) = (html::render(&document), markdown::render(&document));
        assert_eq!(
            page.matches("class=\"gap\"").count(),
            document.n_gaps,
            "{kind}"
        );
        assert_eq!(text.matches("**Gap:**").count(), document.n_gaps, "{kind}");
        assert!(text.contains(&format!("No {kind} record")), "{kind}");
    }
}

#[test]
fn a_page_needs_nothing_from_outside_and_follows_the_theme() {
    for kind in DOCUMENT_KINDS {
        let page = html::render(&gather(kind, &evidence_without(&[])));
        assert!(
            !page.contains("<script")
                && !page.contains("src=")
                && !page.contains("@import")
                && !page.contains("<link")
        );
        assert!(
            page.matches("href=\"").count() == page.matches("href=\"#").count(),
            "links stay inside the page"
        );
        assert!(page.contains("prefers-color-scheme:dark"));
        assert!(!page.to_lowercase().contains("compliant"));
        assert!(page.contains("simulated"));
    }
}

#[test]
fn hostile_names_stay_text() {
    let mut items: Vec<_> = evidence_without(&[]).iter().cloned().collect();
    for item in &mut items {
        if let veracta_governance::record::Record::ModelVersion(body) = &mut item.record {
            body.model = "<script>alert(1)</script>|*x*".to_owned();
        }
    }
    let document = gather(
        DocumentKind::ModelCard,
        &veracta_governance::evidence::EvidenceSet::new(items),
    );
    assert!(!html::render(&document).contains("<script"));
    assert!(!markdown::render(&document).contains("<script"));
}

#[test]
fn the_corpus_is_one_lineage() {
    assert!(files().len() > 15);
}
