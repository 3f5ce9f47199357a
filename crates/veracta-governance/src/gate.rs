//! The gate before registration: rules over evidence, and a verdict whose every finding names the records it rests on.
//!
//! Missing evidence never passes. The bound of an interval decides, not the point. A rule can be waived by a named person until a
//! stated day, and the finding then says so.

use serde::{Deserialize, Serialize};
use veracta_statistics::interval::Estimate;
use veracta_statistics::minimisation::{DropResult, Need};

use crate::evidence::{Evidence, EvidenceSet};
use crate::record::{DatasetMinimisation, Record, RecordRef, ReproductionOutcome};

/// The decision of the gate about a model version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every rule is met or waived.
    Pass,
    /// At least one rule is not met and not waived.
    Refuse,
    /// Evidence is missing for at least one rule, and no rule fails.
    Incomplete,
}

/// Whether a rule is met by the evidence for one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleOutcome {
    /// The evidence shows that the rule is met.
    Pass,
    /// The evidence shows that the rule is not met.
    Fail,
    /// The evidence for the rule is missing, so that it is not met.
    Missing,
    /// It does not hold, and a named person waived it.
    Waived,
}

/// What one rule found in one point, such as for one metric or one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Identifier of the rule, one of [`Rule::id`].
    pub rule: String,
    /// Whether the rule is met in this point.
    pub outcome: RuleOutcome,
    /// What was found, with the values and the limit, in one sentence.
    pub statement: String,
    /// The records that the finding follows from; empty when the record that is asked for does not exist.
    pub evidence: Vec<RecordRef>,
}

/// The decision of the gate with the findings that it follows from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateResult {
    /// The decision that follows from all findings.
    pub verdict: Verdict,
    /// Findings in the order of [`RULES`]; a rule may have several or none.
    pub findings: Vec<Finding>,
}

/// A condition that the evidence about a model version must meet.
pub struct Rule {
    /// Identifier that waivers (`rule:<id>`) and findings name, such as `plan_first`.
    pub id: &'static str,
    /// What must be true of the evidence, in words.
    pub requirement: &'static str,
    check: fn(&EvidenceSet) -> Vec<Finding>,
}

/// Every rule of the gate, in the order in which they are evaluated.
pub const RULES: &[Rule] = &[
    Rule {
        id: "plan_first",
        requirement: "the criteria stand in the ledger before any result of the model on its test part",
        check: plan_first,
    },
    Rule {
        id: "same_model",
        requirement: "the model that was tested is the model that is registered",
        check: same_model,
    },
    Rule {
        id: "no_overlap",
        requirement: "no row and no subject is in more than one part of the split",
        check: no_overlap,
    },
    Rule {
        id: "performance",
        requirement: "each metric keeps its limit on the bound of its interval",
        check: performance,
    },
    Rule {
        id: "fairness",
        requirement: "each gap between groups keeps its limit on the bound of its interval",
        check: fairness,
    },
    Rule {
        id: "robust",
        requirement: "a metric keeps its limit when inputs go wrong, where the plan asks for it",
        check: robust,
    },
    Rule {
        id: "private",
        requirement: "attacks do not find training rows beyond the plan's limit, where it sets one",
        check: private,
    },
    Rule {
        id: "no_leakage",
        requirement: "no single input gives the label away",
        check: no_leakage,
    },
    Rule {
        id: "no_proxy",
        requirement: "no input stands in for a protected attribute",
        check: no_proxy,
    },
    Rule {
        id: "no_identifiers",
        requirement: "no column outside the declared and dropped ones holds identifiers",
        check: no_identifiers,
    },
    Rule {
        id: "minimised",
        requirement: "no input is shown not to be needed",
        check: minimised,
    },
    Rule {
        id: "explained",
        requirement: "the model is explained, and explanations add up",
        check: explained,
    },
];

/// Evaluates every rule. `today` is an ISO 8601 date; waivers past their end do not count.
pub fn evaluate_gate(evidence: &EvidenceSet, today: &str) -> GateResult {
    let mut findings = Vec::new();
    for rule in RULES {
        let waiver = evidence.waiver(&format!("rule:{}", rule.id), today);
        for mut finding in (rule.check)(evidence) {
            finding.rule = rule.id.to_owned();
            if let (RuleOutcome::Fail | RuleOutcome::Missing, Some((item, waiver))) =
                (finding.outcome, waiver)
            {
                finding.outcome = RuleOutcome::Waived;
                finding.statement += &format!("; waived by {} ({})", waiver.signer, waiver.reason);
                finding.evidence.push(item.reference());
            }
            findings.push(finding);
        }
    }
    let any = |outcome| findings.iter().any(|finding| finding.outcome == outcome);
    let verdict = match (any(RuleOutcome::Fail), any(RuleOutcome::Missing)) {
        (true, _) => Verdict::Refuse,
        (false, true) => Verdict::Incomplete,
        (false, false) => Verdict::Pass,
    };
    GateResult { verdict, findings }
}

fn finding(outcome: RuleOutcome, statement: impl Into<String>, evidence: &[&Evidence]) -> Finding {
    let evidence = evidence.iter().map(|item| item.reference()).collect();
    Finding {
        rule: String::new(),
        outcome,
        statement: statement.into(),
        evidence,
    }
}

fn judged(holds: bool, statement: impl Into<String>, evidence: &[&Evidence]) -> Finding {
    finding(
        if holds {
            RuleOutcome::Pass
        } else {
            RuleOutcome::Fail
        },
        statement,
        evidence,
    )
}

fn missing(kind: &str) -> Vec<Finding> {
    vec![finding(
        RuleOutcome::Missing,
        format!("there is no {kind}"),
        &[],
    )]
}

fn plan_first(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some((report_item, report)) = evidence.validation_report() else {
        return missing("validation.report");
    };
    let Some((plan_item, _)) = evidence.plan(report.plan_digest) else {
        let statement = "the plan that the result names is not in the ledger";
        return vec![finding(RuleOutcome::Fail, statement, &[report_item])];
    };
    // Criteria set after a result of the same model on the same test part was seen are not set beforehand.
    let seen = evidence.iter().find(|item| match &item.record {
        Record::ValidationReport(earlier) => {
            item.idx < plan_item.idx
                && earlier.model == report.model
                && earlier.test_part == report.test_part
        }
        _ => false,
    });
    if let Some(seen) = seen {
        let statement = format!(
            "the criteria at #{} were set after a result of this model on this test part was seen at #{}",
            plan_item.idx, seen.idx
        );
        return vec![finding(
            RuleOutcome::Fail,
            statement,
            &[plan_item, seen, report_item],
        )];
    }
    let holds = plan_item.idx == report.plan_idx && plan_item.idx < report_item.idx;
    let order = format!(
        "criteria at #{}, result at #{}",
        plan_item.idx, report_item.idx
    );
    vec![judged(holds, order, &[plan_item, report_item])]
}

fn same_model(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some((model_item, model)) = evidence.model_version() else {
        return missing("model.version");
    };
    let mut findings = Vec::new();
    let tested = evidence
        .validation_report()
        .map(|(item, report)| (item, report.model));
    let compared = evidence
        .fairness_report()
        .map(|(item, report)| (item, report.model));
    for (item, digest) in [tested, compared].into_iter().flatten() {
        let statement = format!("{} is about model {}", item.entry.kind, digest.short());
        findings.push(judged(
            digest == model.digest,
            statement,
            &[item, model_item],
        ));
    }
    if findings.is_empty() {
        missing("validation.report")
    } else {
        findings
    }
}

fn no_overlap(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some((item, split)) = evidence.dataset_split() else {
        return missing("dataset.split");
    };
    let proof = &split.proof;
    let subjects = match proof.n_subjects_shared {
        Some(n) => format!("{n} shared subjects"),
        None => "no subject column declared".to_owned(),
    };
    let holds = proof.n_rows_shared == 0 && proof.n_subjects_shared.unwrap_or(0) == 0;
    vec![judged(
        holds,
        format!("{} shared rows, {subjects}", proof.n_rows_shared),
        &[item],
    )]
}

fn performance(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some((item, report)) = evidence.validation_report() else {
        return missing("validation.report");
    };
    let mut findings = Vec::new();
    for result in &report.results {
        let Some(criterion) = result.criterion else {
            continue;
        };
        let title = result.metric.descriptor().title;
        let statement = match &result.estimate {
            Some(e) => format!(
                "{title} {:.4} ({:.4} to {:.4}); asked: {}",
                e.estimate,
                e.lower,
                e.upper,
                criterion.limit.words()
            ),
            None => format!(
                "{title} is not defined on this test part; asked: {}",
                criterion.limit.words()
            ),
        };
        findings.push(match criterion.met {
            Some(met) => judged(met, statement, &[item]),
            None => finding(RuleOutcome::Missing, statement, &[item]),
        });
    }
    if findings.is_empty() {
        findings.push(finding(
            RuleOutcome::Missing,
            "the plan sets no limit on any metric",
            &[item],
        ));
    }
    findings
}

/// Returns the plan that the validation names.
fn plan_of(evidence: &EvidenceSet) -> Option<&crate::plan::ValidationPlan> {
    let (_, report) = evidence.validation_report()?;
    evidence.plan(report.plan_digest).map(|(_, plan)| plan)
}

fn robust(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some(criterion) = plan_of(evidence).and_then(|plan| plan.robustness.as_ref()) else {
        return Vec::new();
    };
    let Some((item, report)) = evidence.robustness_report() else {
        return missing("robustness.report");
    };
    let title = criterion.metric.descriptor().title;
    let of = |scenario: &veracta_statistics::robustness::Scenario| {
        let name = scenario.title();
        let tried = report
            .scenarios
            .iter()
            .find(|result| result.scenario == *scenario);
        let Some(tried) = tried.filter(|_| report.metric == Some(criterion.metric)) else {
            return finding(
                RuleOutcome::Missing,
                format!("{title} under {name} was not measured"),
                &[item],
            );
        };
        let statement = match &tried.metric {
            Some(e) => {
                format!(
                    "{title} under {name} {:.4} ({:.4} to {:.4}); asked: {}",
                    e.estimate,
                    e.lower,
                    e.upper,
                    criterion.limit.words()
                )
            }
            None => format!(
                "{title} under {name} is not defined; asked: {}",
                criterion.limit.words()
            ),
        };
        match criterion.limit.judge(tried.metric.as_ref()).met {
            Some(met) => judged(met, statement, &[item]),
            None => finding(RuleOutcome::Missing, statement, &[item]),
        }
    };
    criterion.scenarios.iter().map(of).collect()
}

fn private(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some(criterion) = plan_of(evidence).and_then(|plan| plan.privacy.as_ref()) else {
        return Vec::new();
    };
    let Some((item, report)) = evidence.privacy_report() else {
        return missing("privacy.report");
    };
    let limit = crate::plan::Limit::AtMost(criterion.auc_at_most);
    let of = |(name, attack): &(String, veracta_statistics::membership::Attack)| {
        let statement = match &attack.roc_auc {
            Some(e) => {
                format!(
                    "ROC AUC of membership by {name} {:.4} ({:.4} to {:.4}); asked: {}",
                    e.estimate,
                    e.lower,
                    e.upper,
                    limit.words()
                )
            }
            None => format!(
                "membership by {name} is not defined; asked: {}",
                limit.words()
            ),
        };
        match limit.judge(attack.roc_auc.as_ref()).met {
            Some(met) => judged(met, statement, &[item]),
            None => finding(RuleOutcome::Missing, statement, &[item]),
        }
    };
    report.attacks.iter().map(of).collect()
}

fn fairness(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some((item, report)) = evidence.fairness_report() else {
        return missing("fairness.report");
    };
    let mut findings = Vec::new();
    for attribute in &report.attributes {
        for result in &attribute.disparities {
            let Some(criterion) = result.criterion else {
                continue;
            };
            let name = format!(
                "{} by {}",
                result.disparity.name().replace('_', " "),
                attribute.by.join(" × ")
            );
            let asked = criterion.limit.words();
            let statement = match &result.estimate {
                Some(e) => format!(
                    "{name} {:.4} ({:.4} to {:.4}); asked: {asked}",
                    e.estimate, e.lower, e.upper
                ),
                None => format!(
                    "{name} is not defined: fewer than two groups can be compared; asked: {asked}"
                ),
            };
            findings.push(match criterion.met {
                Some(met) => judged(met, statement, &[item]),
                None => finding(RuleOutcome::Missing, statement, &[item]),
            });
        }
    }
    if findings.is_empty() {
        findings.push(finding(
            RuleOutcome::Pass,
            "results are shown by group; the plan sets no limit on gaps",
            &[item],
        ));
    }
    findings
}

fn no_leakage(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some((item, report)) = evidence.bias_report() else {
        return missing("bias.report");
    };
    let leaks: Vec<Finding> = report
        .leaks()
        .map(|leak| {
            let statement = format!(
                "input `{}` alone reaches ROC AUC {:.3} ({:.3} to {:.3}) for the label: is it known when the decision is made?",
                leak.input, leak.auc.estimate, leak.auc.lower, leak.auc.upper
            );
            finding(RuleOutcome::Fail, statement, &[item])
        })
        .collect();
    if !leaks.is_empty() {
        return leaks;
    }
    let strongest = report
        .leakage
        .iter()
        .max_by(|a, b| a.auc.estimate.total_cmp(&b.auc.estimate));
    let statement = strongest.map_or("no input was measured".to_owned(), |found| {
        format!(
            "strongest single input is `{}` with ROC AUC {:.3}; limit {}",
            found.input, found.auc.estimate, report.leakage_limit
        )
    });
    vec![judged(strongest.is_some(), statement, &[item])]
}

fn no_proxy(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some((item, report)) = evidence.bias_report() else {
        return missing("bias.report");
    };
    let mut proxies: Vec<Finding> = report
        .strong_proxies()
        .map(|proxy| {
            let statement = format!(
                "input `{}` stands in for `{}`: alone it reaches ROC AUC {:.3} ({:.3} to {:.3})",
                proxy.input, proxy.target, proxy.auc.estimate, proxy.auc.lower, proxy.auc.upper
            );
            finding(RuleOutcome::Fail, statement, &[item])
        })
        .collect();
    if proxies.is_empty() {
        let statement = match report.proxies.is_empty() {
            true => "no protected attribute is declared".to_owned(),
            false => format!(
                "{} pairs of input and group stay below {}",
                report.proxies.len(),
                report.proxy_limit
            ),
        };
        proxies.push(finding(RuleOutcome::Pass, statement, &[item]));
    }
    proxies
}

fn no_identifiers(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some((item, scan)) = evidence.dataset_phi_scan() else {
        return missing("dataset.phi_scan");
    };
    let mut findings: Vec<Finding> = scan
        .residual()
        .map(|found| {
            let place = if found.hidden { "hidden in" } else { "in" };
            let statement = format!(
                "{} (class {}) {place} column `{}`: {} of {} values",
                found.class_name, found.class, found.column, found.n_hits, found.n_present
            );
            finding(RuleOutcome::Fail, statement, &[item])
        })
        .collect();
    if findings.is_empty() {
        let n_treated = scan.scan.findings.len();
        let statement =
            format!("none outside the declared and dropped columns ({n_treated} findings there)");
        findings.push(finding(RuleOutcome::Pass, statement, &[item]));
    }
    findings
}

fn minimised(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some((item, report)) = evidence.dataset_minimisation() else {
        return missing("dataset.minimisation");
    };
    let is_exempted = |input: &String| {
        report
            .exempted
            .iter()
            .any(|exempted| exempted.column == *input)
    };
    let mut findings = Vec::new();
    for result in report
        .results
        .iter()
        .filter(|result| result.need == Need::NotNeeded)
    {
        if is_joint(report, result) || result.inputs.iter().all(is_exempted) {
            continue;
        }
        let statement = format!(
            "{} not needed: leaving out costs {:.4} ROC AUC ({:.4} to {:.4}), below the tolerance of {}",
            quoted(&result.inputs),
            result.loss.estimate,
            result.loss.lower,
            result.loss.upper,
            report.plan.tolerance
        );
        findings.push(finding(RuleOutcome::Fail, statement, &[item]));
    }
    let joint = report
        .results
        .last()
        .filter(|result| findings.len() > 1 && is_joint(report, result));
    if let Some(joint) = joint {
        let advice = match joint.need {
            Need::NotNeeded => "they can go together",
            Need::Needed | Need::Undecided => "leave them out one after another",
        };
        let Estimate {
            estimate,
            lower,
            upper,
            ..
        } = &joint.loss;
        let statement = format!(
            "leaving out all of these at once costs {estimate:.4} ROC AUC ({lower:.4} to {upper:.4}): {advice}"
        );
        findings.push(finding(RuleOutcome::Fail, statement, &[item]));
    }
    if findings.is_empty() {
        let count = |need| {
            report
                .results
                .iter()
                .filter(|result| result.need == need)
                .count()
        };
        let statement = format!(
            "{} groups of inputs needed, {} undecided, {} kept with a stated reason",
            count(Need::Needed),
            count(Need::Undecided),
            report.exempted.len()
        );
        findings.push(finding(RuleOutcome::Pass, statement, &[item]));
    }
    findings
}

/// Returns whether a result is the one of leaving out, at once, all that are not needed.
fn is_joint(report: &DatasetMinimisation, result: &DropResult) -> bool {
    let is_part = |other: &DropResult| {
        other.inputs.len() < result.inputs.len()
            && other
                .inputs
                .iter()
                .all(|input| result.inputs.contains(input))
    };
    result.inputs.len() > 1 && report.results.iter().any(is_part)
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "{} {}",
        names.join(", "),
        if names.len() == 1 { "is" } else { "are" }
    )
}

fn explained(evidence: &EvidenceSet) -> Vec<Finding> {
    let Some((item, report)) = evidence.explain_report() else {
        return missing("explain.report");
    };
    let strongest: Vec<String> = report
        .features
        .iter()
        .take(3)
        .map(|feature| format!("`{}`", feature.input))
        .collect();
    let statement = format!(
        "{} rows explained; driven by {}",
        report.n_rows,
        strongest.join(", ")
    );
    vec![judged(
        report.n_rows > 0 && report.additivity_error_max < 1e-3,
        statement,
        &[item],
    )]
}

/// Returns whether a reproduction outcome counts as reproduced.
pub fn is_reproduced(outcome: ReproductionOutcome) -> bool {
    matches!(
        outcome,
        ReproductionOutcome::Bitwise | ReproductionOutcome::WithinTolerance
    )
}
