//! The validation report: what each of its sections takes from the evidence. Tables shared with the model card are here.

use super::plot;
use super::row_plot::{self, ForestRow};
use super::{
    Block, Fact, Figure, Grid, Tone, declared, grouped, measured, number, number_cell, text_cell,
    tone_cell, with_interval,
};
use veracta_governance::evidence::{Evidence, EvidenceSet};
use veracta_governance::plan::{CriterionOutcome, ValidationPlan};
use veracta_governance::record::AttributeFairness;

/// Returns the content of a section, without what a person writes and without gaps for absent records.
pub(super) fn blocks(heading: &str, evidence: &EvidenceSet) -> Vec<Block> {
    match heading {
        "Scope and version tested" => scope(evidence),
        "Plan and deviations" => plan(evidence),
        "Test data" => test_data(evidence),
        "Primary and secondary results" => criteria_table(evidence).into_iter().collect(),
        "Group results and fairness" => group_blocks(evidence),
        "Calibration and thresholds" => calibration(evidence),
        "Robustness, privacy, explanation" | "Failures and hard cases" => {
            hard_cases(heading, evidence)
        }
        "Reproduction" => facts(reproduction_facts(evidence)),
        "Findings and conclusion" => conclusion(evidence),
        _ => Vec::new(),
    }
}

fn facts(facts: Vec<Fact>) -> Vec<Block> {
    if facts.is_empty() {
        Vec::new()
    } else {
        vec![Block::Facts(facts)]
    }
}

fn scope(evidence: &EvidenceSet) -> Vec<Block> {
    let (Some((model_item, model)), Some((item, report))) =
        (evidence.model_version(), evidence.validation_report())
    else {
        return Vec::new();
    };
    let is_same = report.model == model.digest;
    let equality = if is_same {
        "equal"
    } else {
        "different: what was tested is not what is recorded as this version"
    };
    facts(vec![
        measured(
            "Model",
            format!("{} version {}", model.model, model.version),
            model_item,
        ),
        measured("Digest recorded", model.digest, model_item),
        measured("Digest tested", report.model, item),
        measured("The two digests are", equality, item),
    ])
}

fn plan(evidence: &EvidenceSet) -> Vec<Block> {
    let Some((item, report)) = evidence.validation_report() else {
        return Vec::new();
    };
    let Some((plan_item, plan)) = evidence.plan(report.plan_digest) else {
        return vec![Block::Gap(
            "The plan that the result names is not in the ledger.".to_owned(),
        )];
    };
    facts(vec![
        measured("Plan", plan.digest(), plan_item),
        measured(
            "Recorded",
            format!(
                "{} at #{}, before the result at #{}",
                plan_item.entry.at, plan_item.idx, item.idx
            ),
            plan_item,
        ),
        declared_limits("Limits on metrics", metric_limits(plan), plan_item),
        declared_limits("Limits on gaps", gap_limits(plan), plan_item),
        declared(
            "Intervals",
            format!(
                "{} %, {} resamples, seed {}",
                plan.level * 100.0,
                plan.bootstrap.n_resamples,
                plan.bootstrap.seed
            ),
            plan_item,
        ),
    ])
}

fn metric_limits(plan: &ValidationPlan) -> Vec<String> {
    plan.criteria
        .iter()
        .map(|criterion| {
            format!(
                "{} {}",
                criterion.metric.descriptor().title,
                criterion.limit.words()
            )
        })
        .collect()
}

fn gap_limits(plan: &ValidationPlan) -> Vec<String> {
    plan.fairness
        .iter()
        .map(|criterion| {
            format!(
                "{} by {} {}",
                criterion.disparity.name().replace('_', " "),
                criterion.by.join(" × "),
                criterion.limit.words()
            )
        })
        .collect()
}

fn declared_limits(label: &str, limits: Vec<String>, item: &Evidence) -> Fact {
    let text = if limits.is_empty() {
        "none".to_owned()
    } else {
        limits.join("; ")
    };
    declared(label, text, item)
}

/// Returns where the test part came from and that it does not overlap.
pub(super) fn test_data(evidence: &EvidenceSet) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some((item, split)) = evidence.dataset_split() {
        let rows = split.proof.parts.iter().map(|part| {
            let rate = part.n_positive as f64 / part.n_rows.max(1) as f64;
            let role = serde_json::to_value(part.part)
                .ok()
                .and_then(|role| role.as_str().map(str::to_owned))
                .unwrap_or_default();
            vec![
                text_cell(role),
                number_cell(grouped(part.n_rows)),
                number_cell(grouped(part.n_positive)),
                number_cell(format!("{:.1} %", 100.0 * rate)),
                text_cell(&part.digest[..12]),
            ]
        });
        let columns = ["Part", "Rows", "Positive", "Share", "Digest"]
            .map(str::to_owned)
            .to_vec();
        blocks.push(Block::Table(Grid {
            caption: "Parts of the dataset".to_owned(),
            columns,
            rows: rows.collect(),
            source: item.reference(),
        }));
        let subjects = split
            .proof
            .n_subjects_shared
            .map_or("no subject column declared".to_owned(), |n| n.to_string());
        blocks.push(Block::Facts(vec![
            measured(
                "Rows in more than one part",
                split.proof.n_rows_shared,
                item,
            ),
            measured("Subjects in more than one part", subjects, item),
            measured(
                "Rows left out because they would have overlapped",
                split.proof.n_excluded,
                item,
            ),
        ]));
    }
    if let Some((item, bias)) = evidence
        .bias_report()
        .filter(|(_, bias)| !bias.groups.is_empty())
    {
        let rows = bias.groups.iter().map(|group| {
            let name = format!("{} = {}", group.attribute, group.level);
            vec![
                text_cell(name),
                number_cell(grouped(group.n_rows)),
                number_cell(format!("{:.1} %", 100.0 * group.share)),
                number_cell(with_interval(group.label_rate.as_ref())),
            ]
        });
        let columns = ["Group", "Rows", "Share", "Label rate"]
            .map(str::to_owned)
            .to_vec();
        blocks.push(Block::Table(Grid {
            caption: "Groups outside the sealed test part".to_owned(),
            columns,
            rows: rows.collect(),
            source: item.reference(),
        }));
    }
    blocks
}

fn outcome_cell(criterion: Option<CriterionOutcome>) -> [super::Cell; 2] {
    match criterion {
        None => [text_cell("shown"), text_cell("")],
        Some(CriterionOutcome { limit, met }) => {
            let (word, tone) = match met {
                Some(true) => ("met", Tone::Good),
                Some(false) => ("not met", Tone::Bad),
                None => ("not defined", Tone::Open),
            };
            [text_cell(limit.words()), tone_cell(word, tone)]
        }
    }
}

/// Returns each metric with its interval, method and criterion.
pub(super) fn criteria_table(evidence: &EvidenceSet) -> Option<Block> {
    let (item, report) = evidence.validation_report()?;
    let rows = report.results.iter().map(|result| {
        let method = result
            .estimate
            .as_ref()
            .map_or("", |estimate| estimate.method.title());
        let mut cells = vec![
            text_cell(result.metric.descriptor().title),
            number_cell(with_interval(result.estimate.as_ref())),
            text_cell(method),
        ];
        cells.extend(outcome_cell(result.criterion));
        cells
    });
    let caption = format!(
        "{} test rows, {} positive; threshold {}",
        grouped(report.n),
        grouped(report.n_positive),
        number(report.threshold)
    );
    let columns = [
        "Metric",
        "Estimate (interval)",
        "Interval by",
        "Limit",
        "Outcome",
    ]
    .map(str::to_owned)
    .to_vec();
    Some(Block::Table(Grid {
        caption,
        columns,
        rows: rows.collect(),
        source: item.reference(),
    }))
}

/// Returns the ROC and reliability curves.
pub(super) fn roc_and_reliability(evidence: &EvidenceSet) -> Vec<Block> {
    let Some((item, report)) = evidence.validation_report() else {
        return Vec::new();
    };
    let auc = report
        .results
        .iter()
        .find(|result| result.metric == veracta_statistics::performance::Metric::RocAuc)
        .and_then(|result| result.estimate.as_ref());
    let level = auc.map_or(0.95, |auc| auc.level);
    vec![
        Block::Plot(Figure {
            caption: "ROC curve".to_owned(),
            description: format!("Area under the curve {}.", with_interval(auc)),
            svg: plot::roc(&report.roc, auc),
            source: item.reference(),
        }),
        Block::Plot(Figure {
            caption: "Calibration".to_owned(),
            description: format!(
                "Expected calibration error {}, largest gap {}.",
                number(report.reliability.ece),
                number(report.reliability.mce)
            ),
            svg: plot::reliability(&report.reliability, level),
            source: item.reference(),
        }),
    ]
}

/// Returns the tables, plots and gaps of every attribute.
pub(super) fn group_blocks(evidence: &EvidenceSet) -> Vec<Block> {
    let Some((item, report)) = evidence.fairness_report() else {
        return Vec::new();
    };
    let mut blocks = Vec::new();
    for attribute in &report.attributes {
        blocks.push(Block::Table(group_table(
            attribute,
            report.group_rows_min,
            item.reference(),
        )));
        let rows = attribute.groups.iter().map(|group| ForestRow {
            label: group.levels.join(" × "),
            estimate: group.roc_auc.clone(),
            faint: group.small,
        });
        let rows: Vec<ForestRow> = rows.collect();
        let described: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {}", row.label, with_interval(row.estimate.as_ref())))
            .collect();
        blocks.push(Block::Plot(Figure {
            caption: format!("ROC AUC by {}", attribute.by.join(" × ")),
            description: format!("{}.", described.join("; ")),
            svg: row_plot::forest("ROC AUC by group", &rows, None),
            source: item.reference(),
        }));
        let rows = attribute.disparities.iter().map(|result| {
            let mut cells = vec![
                text_cell(result.disparity.name().replace('_', " ")),
                number_cell(with_interval(result.estimate.as_ref())),
            ];
            cells.extend(outcome_cell(result.criterion));
            cells
        });
        let columns = ["Between groups", "Estimate (interval)", "Limit", "Outcome"]
            .map(str::to_owned)
            .to_vec();
        let caption = format!("Gaps by {}", attribute.by.join(" × "));
        blocks.push(Block::Table(Grid {
            caption,
            columns,
            rows: rows.collect(),
            source: item.reference(),
        }));
    }
    blocks
}

fn group_table(
    attribute: &AttributeFairness,
    rows_min: usize,
    source: veracta_governance::record::RecordRef,
) -> Grid {
    use veracta_statistics::fairness::Rate;
    let shown = [
        Rate::SelectionRate,
        Rate::TruePositiveRate,
        Rate::FalsePositiveRate,
        Rate::Precision,
    ];
    let rows = attribute.groups.iter().map(|group| {
        let name = if group.small {
            format!("{} (small)", group.levels.join(" × "))
        } else {
            group.levels.join(" × ")
        };
        let tone = if group.small { Tone::Open } else { Tone::Plain };
        let mut cells = vec![
            tone_cell(name, tone),
            number_cell(grouped(group.n)),
            number_cell(grouped(group.n_positive)),
        ];
        for rate in shown {
            let found = group
                .rates
                .iter()
                .find(|result| result.rate == rate)
                .and_then(|result| result.estimate.as_ref());
            cells.push(number_cell(with_interval(found)));
        }
        cells
    });
    let mut columns = vec![
        attribute.by.join(" × "),
        "Rows".to_owned(),
        "Positive".to_owned(),
    ];
    columns.extend(shown.map(|rate| rate.title().to_owned()));
    let caption = format!(
        "Rates by {}; groups under {rows_min} rows are marked small and not compared",
        attribute.by.join(" × ")
    );
    Grid {
        caption,
        columns,
        rows: rows.collect(),
        source,
    }
}

fn calibration(evidence: &EvidenceSet) -> Vec<Block> {
    let Some((item, report)) = evidence.validation_report() else {
        return Vec::new();
    };
    let mut entries = vec![
        measured(
            "Expected calibration error, 10 bins of equal count",
            number(report.reliability.ece),
            item,
        ),
        measured("Largest gap of a bin", number(report.reliability.mce), item),
        declared("Threshold", number(report.threshold), item),
    ];
    if let Some(line) = &report.calibration {
        entries.push(measured(
            "Recalibration slope (1 is perfect)",
            format!("{} ± {}", number(line.slope), number(line.se[1])),
            item,
        ));
        entries.push(measured(
            "Recalibration intercept (0 is perfect)",
            format!("{} ± {}", number(line.intercept), number(line.se[0])),
            item,
        ));
    }
    let mut blocks = facts(entries);
    blocks.extend(roc_and_reliability(evidence));
    blocks
}

fn hard_cases(heading: &str, evidence: &EvidenceSet) -> Vec<Block> {
    let mut blocks = Vec::new();
    if heading == "Failures and hard cases" {
        if let Some((item, report)) = evidence.validation_report() {
            let counts = report.confusion;
            blocks.extend(facts(vec![
                measured(
                    "False negatives at the threshold",
                    grouped(counts.fn_ as usize),
                    item,
                ),
                measured(
                    "False positives at the threshold",
                    grouped(counts.fp as usize),
                    item,
                ),
            ]));
        }
        blocks.extend(hard_case_table(evidence));
    } else if let Some((item, report)) = evidence.explain_report() {
        let strongest: Vec<String> = report
            .features
            .iter()
            .take(5)
            .map(|feature| format!("{} {:.1} %", feature.input, feature.share * 100.0))
            .collect();
        blocks.extend(facts(vec![measured(
            "Strongest inputs",
            strongest.join(", "),
            item,
        )]));
    }
    blocks
}

/// Returns the sampled cases with their strongest contributions.
pub(super) fn hard_case_table(evidence: &EvidenceSet) -> Option<Block> {
    let (item, report) = evidence
        .explain_report()
        .filter(|(_, report)| !report.cases.is_empty())?;
    let rows = report.cases.iter().map(|case| {
        let parts: Vec<String> = case
            .contributions
            .iter()
            .map(|(input, value)| format!("{input} {value:+.2}"))
            .collect();
        vec![
            text_cell(&case.case),
            number_cell(number(case.score)),
            text_cell(parts.join(", ")),
        ]
    });
    let columns = ["Case", "Score", "Strongest contributions (log-odds)"]
        .map(str::to_owned)
        .to_vec();
    Some(Block::Table(Grid {
        caption: "Sampled cases, without input values".to_owned(),
        columns,
        rows: rows.collect(),
        source: item.reference(),
    }))
}

/// Returns how a second execution ended.
pub(super) fn reproduction_facts(evidence: &EvidenceSet) -> Vec<Fact> {
    let Some((item, report)) = evidence.reproduction_report() else {
        return Vec::new();
    };
    let n_same = report
        .outputs
        .iter()
        .filter(|output| output.found == Some(output.expected))
        .count();
    use veracta_governance::record::ReproductionOutcome as O;
    let outcome = match report.outcome {
        O::Bitwise => "bitwise the same",
        O::WithinTolerance => "within tolerance",
        O::Differs => "differs",
    };
    vec![
        measured("Made again", outcome, item),
        measured(
            "Outputs with the same digest",
            format!("{n_same} of {}", report.outputs.len()),
            item,
        ),
    ]
}

fn conclusion(evidence: &EvidenceSet) -> Vec<Block> {
    let Some((item, model)) = evidence.model_version() else {
        return Vec::new();
    };
    let Some(gate) = &model.gate else {
        return Vec::new();
    };
    let count = |outcome| {
        gate.findings
            .iter()
            .filter(|finding| finding.outcome == outcome)
            .count()
    };
    use veracta_governance::gate::RuleOutcome as O;
    let text = format!(
        "{} findings hold, {} fail, {} are missing, {} are waived",
        count(O::Pass),
        count(O::Fail),
        count(O::Missing),
        count(O::Waived)
    );
    facts(vec![
        measured("Gate", text, item),
        measured("Status", model.status.word(), item),
    ])
}
