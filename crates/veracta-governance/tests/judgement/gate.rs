//! The gate: each rule holds on the recorded lineage, and fails or is missing when its evidence is changed or gone.

use veracta_governance::evidence::{Evidence, EvidenceSet};
use veracta_governance::gate::{RULES, RuleOutcome, Verdict, evaluate_gate};
use veracta_governance::plan::{Limit, PrivacyCriterion, RobustnessCriterion};
use veracta_governance::record::Record;
use veracta_statistics::minimisation::Need;
use veracta_statistics::performance::Metric;
use veracta_statistics::robustness::Scenario;

use crate::lineage::evidence_without;

const TODAY: &str = "2026-11-23";

/// Returns how a rule ends after `change` was made to each record: the worst of its findings.
fn outcome_after(rule: &str, today: &str, change: impl Fn(&mut Evidence)) -> RuleOutcome {
    // The corpus waives a rule; it is taken out except where the waiver is what is tested.
    let mut items: Vec<Evidence> = evidence_without(&[]).iter().cloned().collect();
    items.iter_mut().for_each(change);
    let result = evaluate_gate(&EvidenceSet::new(items), today);
    let of_rule = |outcome| {
        result
            .findings
            .iter()
            .any(|finding| finding.rule == rule && finding.outcome == outcome)
    };
    [RuleOutcome::Fail, RuleOutcome::Missing, RuleOutcome::Waived]
        .into_iter()
        .find(|outcome| of_rule(*outcome))
        .unwrap_or(RuleOutcome::Pass)
}

#[test]
fn the_recorded_lineage_passes_every_rule() {
    let result = evaluate_gate(&evidence_without(&[]), TODAY);
    assert_eq!(result.verdict, Verdict::Pass, "{:#?}", result.findings);
    // What a plan does not ask for, nothing is said about.
    for rule in RULES
        .iter()
        .filter(|rule| !["robust", "private"].contains(&rule.id))
    {
        assert!(
            result
                .findings
                .iter()
                .any(|finding| finding.rule == rule.id),
            "{} says nothing",
            rule.id
        );
    }
    assert!(
        result
            .findings
            .iter()
            .all(|finding| !finding.evidence.is_empty()),
        "every finding names its records"
    );
}

#[test]
fn without_evidence_nothing_passes() {
    let result = evaluate_gate(&EvidenceSet::new(Vec::new()), TODAY);
    assert_eq!(result.verdict, Verdict::Incomplete);
    assert!(
        result
            .findings
            .iter()
            .all(|finding| finding.outcome == RuleOutcome::Missing)
    );
}

#[test]
fn each_rule_fails_when_its_evidence_says_so() {
    let fails = |rule: &str, change: &dyn Fn(&mut Evidence)| {
        assert_eq!(
            outcome_after(rule, TODAY, change),
            RuleOutcome::Fail,
            "{rule}"
        );
    };
    fails("performance", &|item| {
        if let Record::ValidationReport(body) = &mut item.record {
            body.results
                .iter_mut()
                .filter_map(|result| result.criterion.as_mut())
                .for_each(|criterion| criterion.met = Some(false));
        }
    });
    fails("fairness", &|item| {
        if let Record::FairnessReport(body) = &mut item.record {
            let gaps = body
                .attributes
                .iter_mut()
                .flat_map(|attribute| &mut attribute.disparities);
            gaps.filter_map(|gap| gap.criterion.as_mut())
                .for_each(|criterion| criterion.met = Some(false));
        }
    });
    fails("no_overlap", &|item| {
        if let Record::DatasetSplit(body) = &mut item.record {
            body.proof.n_rows_shared = 1;
        }
    });
    fails("no_leakage", &|item| {
        if let Record::BiasReport(body) = &mut item.record {
            body.leakage[0].auc.lower = 0.99;
        }
    });
    fails("no_identifiers", &|item| {
        if let Record::DatasetPhiScan(body) = &mut item.record {
            body.dropped.clear();
        }
    });
    fails("minimised", &|item| {
        if let Record::DatasetMinimisation(body) = &mut item.record {
            body.results[0].need = Need::NotNeeded;
        }
    });
    fails("same_model", &|item| {
        if let Record::ValidationReport(body) = &mut item.record {
            body.model = veracta_ledger::Hash::of(b"another model");
        }
    });
    fails("explained", &|item| {
        if let Record::ExplainReport(body) = &mut item.record {
            body.additivity_error_max = 0.5;
        }
    });
}

/// Returns how the rules about scenarios and attacks end when the plan asks for something that `change` may then falsify.
fn outcomes_of_measures(limit: Limit, auc_at_most: f64, without: &[&str]) -> [Vec<RuleOutcome>; 2] {
    let mut items: Vec<Evidence> = evidence_without(without).iter().cloned().collect();
    let mut digest = None;
    for item in &mut items {
        if let Record::Attestation(body) = &mut item.record
            && let Some(plan) = &mut body.plan
        {
            let scenarios = vec![Scenario::Noise(0.25), Scenario::Missing(0.1)];
            plan.robustness = Some(RobustnessCriterion {
                metric: Metric::RocAuc,
                limit,
                scenarios,
            });
            plan.privacy = Some(PrivacyCriterion {
                auc_at_most,
                n_shadows: 4,
            });
            digest = Some(plan.digest());
        }
    }
    for item in &mut items {
        if let Record::ValidationReport(body) = &mut item.record {
            body.plan_digest = digest.unwrap();
        }
    }
    let result = evaluate_gate(&EvidenceSet::new(items), TODAY);
    let of = |rule: &str| {
        result
            .findings
            .iter()
            .filter(|finding| finding.rule == rule)
            .map(|finding| finding.outcome)
            .collect()
    };
    [of("robust"), of("private")]
}

#[test]
fn scenarios_and_attacks_are_held_against_the_plan() {
    use RuleOutcome::{Fail, Missing, Pass};
    // The recorded bounds: 0.7965 and 0.7777 under scenarios, 0.5358 and 0.5762 of the attacks.
    assert_eq!(
        outcomes_of_measures(Limit::AtLeast(0.7), 0.6, &[]),
        [vec![Pass, Pass], vec![Pass, Pass]]
    );
    assert_eq!(
        outcomes_of_measures(Limit::AtLeast(0.79), 0.55, &[]),
        [vec![Pass, Fail], vec![Pass, Fail]]
    );
    let absent = outcomes_of_measures(
        Limit::AtLeast(0.7),
        0.6,
        &["robustness.report", "privacy.report"],
    );
    assert_eq!(absent, [vec![Missing], vec![Missing]]);
}

#[test]
fn criteria_set_after_a_result_was_seen_fail() {
    let late = outcome_after("plan_first", TODAY, |item| {
        if matches!(&item.record, Record::Attestation(body) if body.plan.is_some()) {
            item.idx = 1_000;
        }
    });
    assert_eq!(late, RuleOutcome::Fail);
    let changed = outcome_after("plan_first", TODAY, |item| {
        if let Record::Attestation(body) = &mut item.record
            && let Some(plan) = &mut body.plan
        {
            plan.criteria.clear();
        }
    });
    assert_eq!(
        changed,
        RuleOutcome::Fail,
        "the plan in the ledger is not the one the result names"
    );
}

#[test]
fn a_result_that_is_not_defined_never_passes() {
    let undefined = outcome_after("performance", TODAY, |item| {
        if let Record::ValidationReport(body) = &mut item.record {
            body.results
                .iter_mut()
                .filter_map(|result| result.criterion.as_mut())
                .for_each(|criterion| criterion.met = None);
        }
    });
    assert_eq!(undefined, RuleOutcome::Missing);
}

#[test]
fn a_waiver_holds_until_its_day() {
    let strengthen = |item: &mut Evidence| {
        if let Record::BiasReport(body) = &mut item.record {
            body.proxies[0].auc.lower = 0.99;
        }
    };
    assert_eq!(
        outcome_after("no_proxy", "2027-06-30", strengthen),
        RuleOutcome::Waived
    );
    assert_eq!(
        outcome_after("no_proxy", "2027-07-01", strengthen),
        RuleOutcome::Fail
    );
}
