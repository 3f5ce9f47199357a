//! Controls: nothing passes without its evidence, and every answer says why.

use std::collections::BTreeMap;

use veracta_governance::controls::{
    Catalogue, CatalogueError, ControlResult, ControlScope, ControlState, evaluate_controls,
};

use crate::lineage::evidence_without;

const TODAY: &str = "2026-11-23";

fn evaluate(absent: &[&str], frameworks: &[&str]) -> BTreeMap<String, ControlResult> {
    let frameworks: Vec<String> = frameworks.iter().map(|name| (*name).to_owned()).collect();
    let scope = ControlScope {
        frameworks: &frameworks,
        today: TODAY,
    };
    let results = evaluate_controls(Catalogue::shipped(), &evidence_without(absent), scope);
    results
        .into_iter()
        .map(|result| (result.control.id.clone(), result))
        .collect()
}

fn all_frameworks() -> Vec<&'static str> {
    Catalogue::shipped()
        .frameworks
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn the_shipped_catalogue_has_119_controls() {
    let catalogue = Catalogue::shipped();
    assert_eq!(catalogue.controls.len(), 119);
    assert_eq!(evaluate(&[], &all_frameworks()).len(), 119);
}

#[test]
fn each_state_is_reached_and_names_its_records() {
    let expected = [
        ("gdpr.art5.1b", ControlState::Pass),
        ("gdpr.art5.1e", ControlState::Missing),
        ("gdpr.art6.1", ControlState::Pass),
        ("gdpr.art9.2", ControlState::NotApplicable),
        ("gdpr.art22.4", ControlState::Pass),
        ("gdpr.art17.1", ControlState::Missing),
        ("aidsf.model", ControlState::Pass),
        ("mrm.inventory", ControlState::Pass),
    ];
    let results = evaluate(&[], &all_frameworks());
    for (id, state) in expected {
        let result = &results[id];
        // Retention needs an erasure receipt only once it has run out.
        if id == "gdpr.art5.1e" {
            assert!(
                matches!(result.state, ControlState::Pass | ControlState::Missing),
                "{}",
                result.reason
            );
            continue;
        }
        assert_eq!(result.state, state, "{id}: {}", result.reason);
    }
    for result in results.values() {
        assert!(!result.reason.is_empty(), "{}", result.control.id);
        let needs_records = matches!(
            result.state,
            ControlState::Pass | ControlState::Fail | ControlState::Waived
        );
        assert!(
            !needs_records || !result.records.is_empty(),
            "{} is settled and names no record",
            result.control.id
        );
    }
}

#[test]
fn a_framework_that_is_not_declared_does_not_apply() {
    let results = evaluate(&[], &["gdpr"]);
    assert!(
        results
            .values()
            .filter(|result| result.control.framework != "gdpr")
            .all(|result| result.state == ControlState::NotApplicable)
    );
}

#[test]
fn without_any_of_its_evidence_no_control_passes() {
    let whole = evaluate(&[], &all_frameworks());
    let kinds: Vec<String> = Catalogue::shipped()
        .evidence_kinds
        .keys()
        .cloned()
        .collect();
    for kind in &kinds {
        let results = evaluate(&[kind], &all_frameworks());
        for (id, result) in &results {
            let rests_on_it = whole[id].records.iter().any(|record| record.kind == *kind);
            if rests_on_it && whole[id].state == ControlState::Pass {
                assert_ne!(
                    result.state,
                    ControlState::Pass,
                    "{id} passes without {kind}: {}",
                    result.reason
                );
            }
        }
    }
    let nothing: Vec<&str> = kinds.iter().map(String::as_str).collect();
    assert!(
        evaluate(&nothing, &all_frameworks())
            .values()
            .all(|result| result.state == ControlState::Missing)
    );
}

#[test]
fn a_catalogue_that_contradicts_itself_is_refused() {
    let text = |controls: &str| {
        format!(
            "schema: veracta.controls/1\nas_of: 2026-11-23\nframeworks:\n  gdpr: {{title: t, status: s}}\nevidence_kinds:\n  run: {{stage: training, meaning: m, fields: []}}\ncontrols:\n{controls}"
        )
    };
    let control = |id: &str, framework: &str, evidence: &str| {
        format!(
            "  - {{id: {id}, framework: {framework}, citation: c, stage: data, automation: automatic, requirement: r, evidence: [{evidence}], check: k, manual: m}}\n"
        )
    };
    assert!(Catalogue::parse(&text(&control("a", "gdpr", "run"))).is_ok());
    let twice = Catalogue::parse(&text(
        &(control("a", "gdpr", "run") + &control("a", "gdpr", "run")),
    ));
    assert!(matches!(twice, Err(CatalogueError::Duplicate { .. })));
    for (framework, evidence) in [("gdpr", "dream"), ("law", "run")] {
        let undefined = Catalogue::parse(&text(&control("a", framework, evidence)));
        assert!(
            matches!(undefined, Err(CatalogueError::Undefined { .. })),
            "{framework} {evidence}"
        );
    }
}
