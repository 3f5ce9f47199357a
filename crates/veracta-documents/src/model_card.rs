//! The model card: what each of its sections takes from the evidence.

use veracta_statistics::minimisation::Need;
use veracta_statistics::profile::Profile;

use super::behaviour;
use super::validation_report::{
    criteria_table, group_blocks, hard_case_table, reproduction_facts, roc_and_reliability,
};
use super::{
    Block, Cell, Fact, Figure, Grid, Tone, declared, declared_or_gap, facts_and_gaps, grouped,
    measured, number, number_cell, records_cell, row_plot, text_cell, tone_cell, with_interval,
};
use veracta_governance::evidence::{Evidence, EvidenceSet};
use veracta_governance::record::{ColumnUse, DatasetVersion};

/// Returns the content of a section, without what a person writes and without gaps for absent records.
pub(super) fn blocks(heading: &str, evidence: &EvidenceSet) -> Vec<Block> {
    match heading {
        "Identity and release" => identity(evidence),
        "Summary" => summary(evidence),
        "Uses and directions" => uses(evidence),
        "Model facts" => model_facts(evidence),
        "Training data" => training_data(evidence),
        "Training procedure" => training_procedure(evidence),
        "Evaluation data" => evaluation_data(evidence),
        "Results" => results(evidence),
        "Results by group" => group_blocks(evidence),
        "Explanation" => explanation(evidence),
        "Safety and reliability" => behaviour::safety(evidence),
        "Monitoring and maintenance" => behaviour::monitoring(evidence),
        "Privacy and security" => privacy(evidence),
        "Provenance of this card" => provenance(evidence),
        // What no record fills, the gaps say.
        _ => Vec::new(),
    }
}

fn identity(evidence: &EvidenceSet) -> Vec<Block> {
    let Some((item, model)) = evidence.model_version() else {
        return Vec::new();
    };
    facts_and_gaps(vec![
        Ok(declared("Name", &model.model, item)),
        Ok(measured("Version", model.version, item)),
        Ok(measured("SHA-256 of the artefact", model.digest, item)),
        Ok(measured("Status", model.status.word(), item)),
        declared_or_gap("Owner", model.owner.as_deref(), item),
        declared_or_gap("Risk tier", model.tier.as_deref(), item),
        Ok(measured("Recorded", &item.entry.at, item)),
    ])
}

fn summary(evidence: &EvidenceSet) -> Vec<Block> {
    let (Some((item, model)), Some((data_item, data))) =
        (evidence.model_version(), evidence.dataset_version())
    else {
        return Vec::new();
    };
    let text = format!(
        "{} that predicts `{}` = {} from {} inputs, trained on {} data.",
        capitalised(&model.architecture),
        model.label.column,
        model.label.positive,
        model.inputs.len(),
        data.nature.word()
    );
    let mut blocks = vec![Block::Text(measured("In one sentence", text, item))];
    if data.nature != veracta_governance::record::DataNature::Real {
        let text = format!(
            "The data is {}: no result here says anything about real people.",
            data.nature.word()
        );
        blocks.push(Block::Text(declared("Mind", text, data_item)));
    }
    if let Some(gate) = &model.gate {
        let rows = gate.findings.iter().map(|finding| {
            use veracta_governance::gate::RuleOutcome as O;
            let (word, tone) = match finding.outcome {
                O::Pass => ("holds", Tone::Good),
                O::Fail => ("fails", Tone::Bad),
                O::Missing => ("missing", Tone::Open),
                O::Waived => ("waived", Tone::Open),
            };
            vec![
                text_cell(finding.rule.replace('_', " ")),
                tone_cell(word, tone),
                text_cell(&finding.statement),
                records_cell(&finding.evidence),
            ]
        });
        let columns = ["Rule", "Outcome", "Finding", "Evidence"]
            .map(str::to_owned)
            .to_vec();
        blocks.push(Block::Table(Grid {
            caption: "What the gate found".to_owned(),
            columns,
            rows: rows.collect(),
            source: item.reference(),
        }));
    }
    blocks
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

fn uses(evidence: &EvidenceSet) -> Vec<Block> {
    let Some((item, model)) = evidence.model_version() else {
        return Vec::new();
    };
    let out_of_scope = (!model.out_of_scope.is_empty()).then(|| model.out_of_scope.join("; "));
    facts_and_gaps(vec![
        declared_or_gap("Purpose", Some(&model.purpose), item),
        declared_or_gap("Out of scope", out_of_scope.as_deref(), item),
    ])
}

fn model_facts(evidence: &EvidenceSet) -> Vec<Block> {
    let Some((item, model)) = evidence.model_version() else {
        return Vec::new();
    };
    let settings = serde_json::to_value(&model.training).unwrap_or_default();
    let settings: Vec<String> = settings
        .as_object()
        .map(|fields| {
            fields
                .iter()
                .map(|(name, value)| format!("{name} {}", value.to_string().trim_matches('"')))
                .collect()
        })
        .unwrap_or_default();
    let facts = vec![
        measured("Architecture", &model.architecture, item),
        measured("Settings", settings.join(", "), item),
        measured(
            "Output",
            format!(
                "probability that `{}` = {}",
                model.label.column, model.label.positive
            ),
            item,
        ),
        declared(
            "Threshold of a positive prediction",
            number(model.threshold),
            item,
        ),
    ];
    let rows = model.inputs.iter().map(|input| {
        let kind = input.categories.map_or("number".to_owned(), |list| {
            let rarer = if list.has_rarer {
                " and rarer ones"
            } else {
                ""
            };
            format!("{} categories{rarer}", list.n)
        });
        vec![text_cell(&input.name), text_cell(kind)]
    });
    let grid = Grid {
        caption: "Inputs".to_owned(),
        columns: vec!["Input".to_owned(), "Type".to_owned()],
        rows: rows.collect(),
        source: item.reference(),
    };
    vec![Block::Facts(facts), Block::Table(grid)]
}

fn training_data(evidence: &EvidenceSet) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some((item, data)) = evidence.dataset_version() {
        blocks.extend(facts_and_gaps(dataset_facts(item, data)));
    }
    if let Some((item, profile)) = evidence.dataset_profile() {
        blocks.push(Block::Facts(profile_facts(item, &profile.profile)));
    }
    blocks.extend(minimisation_table(evidence));
    blocks
}

fn dataset_facts(item: &Evidence, data: &DatasetVersion) -> Vec<Result<Fact, String>> {
    let processing = &data.processing;
    let count = |wanted| {
        data.columns
            .iter()
            .filter(|column| column.column_use == wanted)
            .count()
    };
    let uses = format!(
        "{} inputs, {} dropped, {} identifiers",
        count(ColumnUse::Input),
        count(ColumnUse::Dropped),
        count(ColumnUse::Identifier)
    );
    let blanks: Vec<String> = data
        .read
        .blank
        .iter()
        .map(|blank| {
            format!(
                "{} in `{}` (first in line {})",
                blank.n_cells, blank.first.column, blank.first.line
            )
        })
        .collect();
    let purposes = (!processing.purposes.is_empty()).then(|| processing.purposes.join(", "));
    let mut entries = vec![
        Ok(measured(
            "Dataset",
            format!("{} · {}", data.name, data.digest.short()),
            item,
        )),
        Ok(declared("Kind of data", data.nature.word(), item)),
        Ok(measured(
            "Size",
            format!(
                "{} rows, {} columns ({uses})",
                grouped(data.n_rows),
                data.columns.len()
            ),
            item,
        )),
        declared_or_gap("Licence", processing.licence.as_deref(), item),
        declared_or_gap("Controller", processing.controller.as_deref(), item),
        declared_or_gap("Purposes", purposes.as_deref(), item),
        declared_or_gap("Legal ground", processing.lawful_basis.as_deref(), item),
        declared_or_gap("Kept until", processing.retention_until.as_deref(), item),
    ];
    if !blanks.is_empty() {
        entries.push(Ok(measured(
            "Blank cells read as missing",
            blanks.join(", "),
            item,
        )));
    }
    entries
}

fn profile_facts(item: &Evidence, profile: &Profile) -> Vec<Fact> {
    let with_missing: Vec<String> = profile
        .columns
        .iter()
        .filter(|column| column.n_missing > 0)
        .map(|column| format!("`{}` {}", column.name, column.n_missing))
        .collect();
    let missing = if with_missing.is_empty() {
        "none".to_owned()
    } else {
        with_missing.join(", ")
    };
    let duplicates = format!(
        "{} of all columns, {} without the identifiers",
        grouped(profile.n_duplicate_rows),
        grouped(profile.n_duplicate_rows_without_id)
    );
    vec![
        measured("Missing values", missing, item),
        measured("Rows that repeat an earlier one", duplicates, item),
    ]
}

fn minimisation_table(evidence: &EvidenceSet) -> Vec<Block> {
    let Some((item, report)) = evidence.dataset_minimisation() else {
        return Vec::new();
    };
    let rows = report.results.iter().map(|result| {
        let (word, tone) = match result.need {
            Need::Needed => ("needed", Tone::Good),
            Need::NotNeeded => ("not needed", Tone::Bad),
            Need::Undecided => ("undecided", Tone::Open),
        };
        let worst = result.worst_group.as_ref();
        let worst = worst.map_or("no group can be judged".to_owned(), |worst| {
            format!("{}: {}", worst.group, with_interval(Some(&worst.loss)))
        });
        vec![
            text_cell(result.inputs.join(", ")),
            number_cell(with_interval(Some(&result.loss))),
            text_cell(worst),
            tone_cell(word, tone),
        ]
    });
    let caption = format!(
        "Loss of ROC AUC when inputs are left out and the model is trained again ({} × {} folds, tolerance {}, {} in the worst group)",
        report.plan.repeats, report.plan.folds, report.plan.tolerance, report.plan.group_tolerance
    );
    let columns = [
        "Left out",
        "Loss overall",
        "Loss in the worst group",
        "Finding",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut blocks = vec![Block::Table(Grid {
        caption,
        columns,
        rows: rows.collect(),
        source: item.reference(),
    })];
    let reasons = |list: &[veracta_governance::record::DroppedInput]| {
        list.iter()
            .map(|dropped| format!("`{}` ({})", dropped.column, dropped.reason))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if !report.dropped.is_empty() {
        blocks.push(Block::Facts(vec![declared(
            "Left out before training",
            reasons(&report.dropped),
            item,
        )]));
    }
    if !report.exempted.is_empty() {
        blocks.push(Block::Facts(vec![declared(
            "Kept although not shown to be needed",
            reasons(&report.exempted),
            item,
        )]));
    }
    blocks
}

fn training_procedure(evidence: &EvidenceSet) -> Vec<Block> {
    let mut facts: Vec<Fact> = Vec::new();
    if let Some((item, run)) = evidence.training_run() {
        let inputs: Vec<String> = run
            .inputs
            .iter()
            .map(|input| format!("{} {}", input.name, input.digest.short()))
            .collect();
        facts.extend([
            measured("Step", format!("{} / {}", run.pipeline, run.step), item),
            measured("Code", &run.code, item),
            measured("Reads", inputs.join(", "), item),
            measured(
                "Environment",
                format!("{}, {}", run.environment.program, run.environment.platform),
                item,
            ),
            measured(
                "Seed",
                run.seed.map_or("none".to_owned(), |seed| seed.to_string()),
                item,
            ),
            measured(
                "From and to",
                format!("{} to {}", run.started, run.ended),
                item,
            ),
        ]);
    }
    facts.extend(reproduction_facts(evidence));
    if facts.is_empty() {
        Vec::new()
    } else {
        vec![Block::Facts(facts)]
    }
}

fn evaluation_data(evidence: &EvidenceSet) -> Vec<Block> {
    super::validation_report::test_data(evidence)
}

fn results(evidence: &EvidenceSet) -> Vec<Block> {
    let mut blocks: Vec<Block> = criteria_table(evidence).into_iter().collect();
    blocks.extend(roc_and_reliability(evidence));
    blocks
}

fn explanation(evidence: &EvidenceSet) -> Vec<Block> {
    let Some((item, report)) = evidence.explain_report() else {
        return Vec::new();
    };
    let stability = report.stability.map_or("not defined".to_owned(), |rho| {
        format!("{rho:.3} (rank correlation of two halves of the rows)")
    });
    let shown = &report.features[..report.features.len().min(15)];
    let description = shown
        .iter()
        .map(|feature| format!("{} {:.1} %", feature.input, feature.share * 100.0))
        .collect::<Vec<_>>()
        .join(", ");
    let mut blocks = vec![
        Block::Facts(vec![
            measured(
                "Method",
                format!(
                    "{}, {} test rows, {}",
                    report.method,
                    grouped(report.n_rows),
                    report.unit
                ),
                item,
            ),
            measured("Stability", stability, item),
            measured(
                "Largest error when contributions are added up",
                format!("{:.1e}", report.additivity_error_max),
                item,
            ),
        ]),
        Block::Plot(Figure {
            caption: "What drives the model".to_owned(),
            description: format!("Share of the mean absolute contribution: {description}."),
            svg: row_plot::effects(shown),
            source: item.reference(),
        }),
    ];
    blocks.extend(hard_case_table(evidence));
    blocks
}

fn privacy(evidence: &EvidenceSet) -> Vec<Block> {
    let Some((item, scan)) = evidence.dataset_phi_scan() else {
        return Vec::new();
    };
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for found in &scan.scan.findings {
        let (treatment, tone) = match () {
            () if scan.declared.contains(&found.column) => {
                ("declared identifier, never an input", Tone::Good)
            }
            () if scan.dropped.contains(&found.column) => ("column dropped", Tone::Good),
            () => ("not treated", Tone::Bad),
        };
        let name = format!(
            "{} ({})",
            found.class_name,
            found.detector.replace('_', " ")
        );
        rows.push(vec![
            text_cell(&found.column),
            text_cell(name),
            number_cell(format!("{} of {}", found.n_hits, found.n_present)),
            tone_cell(treatment, tone),
        ]);
    }
    let measured_recall = scan
        .scan
        .recall
        .iter()
        .filter_map(|recall| Some((recall.detector.as_str(), recall.recall.as_ref()?)));
    let lowest = measured_recall.min_by(|a, b| a.1.lower.total_cmp(&b.1.lower));
    let recall = lowest.map_or("not measured".to_owned(), |(name, recall)| {
        format!(
            "lowest for {}: {} on the shipped labelled sample",
            name.replace('_', " "),
            with_interval(Some(recall))
        )
    });
    let mut blocks = vec![Block::Facts(vec![
        measured("Rows scanned", grouped(scan.scan.n_rows), item),
        measured("Recall of the detectors", recall, item),
    ])];
    if rows.is_empty() {
        blocks.push(Block::Facts(vec![measured(
            "Identifiers found",
            "none",
            item,
        )]));
    } else {
        let columns = ["Column", "Class", "Values", "Treatment"]
            .map(str::to_owned)
            .to_vec();
        blocks.push(Block::Table(Grid {
            caption: "Identifiers found".to_owned(),
            columns,
            rows,
            source: item.reference(),
        }));
    }
    blocks
}

fn provenance(evidence: &EvidenceSet) -> Vec<Block> {
    let mut facts: Vec<Fact> = Vec::new();
    if let Some((item, opening)) = evidence.ledger_checkpoint() {
        facts.push(measured("Log", &opening.origin, item));
        facts.push(measured("Key", &opening.key, item));
    }
    if facts.is_empty() {
        Vec::new()
    } else {
        vec![Block::Facts(facts)]
    }
}
