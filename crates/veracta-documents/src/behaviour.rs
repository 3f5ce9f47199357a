//! Blocks about how a model behaves when inputs go wrong, what it gives away, and what newer data says of it.

use veracta_statistics::drift::rule::Change;
use veracta_statistics::membership::FALSE_POSITIVE_RATES;

use super::{
    Block, Grid, Tone, grouped, measured, number, number_cell, text_cell, tone_cell, with_interval,
};
use veracta_governance::evidence::EvidenceSet;

/// Returns what scenarios and attacks found.
pub(super) fn safety(evidence: &EvidenceSet) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some((item, report)) = evidence.robustness_report() {
        let title = report
            .metric
            .map_or("Metric", |metric| metric.descriptor().title);
        let rows = report.scenarios.iter().map(|result| {
            vec![
                text_cell(result.scenario.title()),
                number_cell(with_interval(result.turned.as_ref())),
                number_cell(with_interval(result.metric.as_ref())),
            ]
        });
        let caption = format!(
            "What {} test rows do when inputs go wrong; {title} as they are: {}",
            grouped(report.n),
            with_interval(report.baseline.as_ref())
        );
        let columns = vec![
            "Scenario".to_owned(),
            "Decisions that turn".to_owned(),
            title.to_owned(),
        ];
        blocks.push(Block::Table(Grid {
            caption,
            columns,
            rows: rows.collect(),
            source: item.reference(),
        }));
    }
    if let Some((item, report)) = evidence.privacy_report() {
        let rows = report.attacks.iter().map(|(name, attack)| {
            let mut cells = vec![
                text_cell(name),
                number_cell(with_interval(attack.roc_auc.as_ref())),
            ];
            cells.extend(
                attack
                    .found_at
                    .iter()
                    .map(|found| number_cell(with_interval(found.as_ref()))),
            );
            cells
        });
        let at =
            FALSE_POSITIVE_RATES.map(|rate| format!("Found at {} % false alarms", rate * 100.0));
        let columns = ["Attack".to_owned(), "ROC AUC".to_owned()]
            .into_iter()
            .chain(at)
            .collect();
        let caption = format!(
            "Membership inference with {} shadow models: how well training rows are found",
            report.n_shadows
        );
        blocks.push(Block::Table(Grid {
            caption,
            columns,
            rows: rows.collect(),
            source: item.reference(),
        }));
    }
    blocks
}

/// Returns what newer data says.
pub(super) fn monitoring(evidence: &EvidenceSet) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some((item, report)) = evidence.drift_report() {
        let word = |change| match change {
            Change::Drifted => ("drifted", Tone::Bad),
            Change::Stable => ("stable", Tone::Good),
            Change::Undecided => ("undecided", Tone::Open),
        };
        let bounds = |effect: Option<veracta_statistics::drift::rule::Effect>| {
            effect.map_or(text_cell("not defined"), |found| {
                number_cell(format!(
                    "{} ({} to {})",
                    number(found.estimate),
                    number(found.lower),
                    number(found.upper)
                ))
            })
        };
        let rows = report.columns.iter().map(|column| {
            let (text, tone) = word(column.drift.change);
            vec![
                text_cell(&column.column),
                tone_cell(text, tone),
                bounds(column.drift.effect),
                bounds(column.drift.missing),
            ]
        });
        let columns = ["Input", "Verdict", "Distribution", "Missing values"]
            .map(str::to_owned)
            .to_vec();
        let lost = if report.lost.is_empty() {
            String::new()
        } else {
            format!("; columns that are gone: {}", report.lost.join(", "))
        };
        let caption = format!(
            "Newest comparison of inputs: {} rows against {} of the reference, tolerance {}{lost}",
            grouped(report.n[1]),
            grouped(report.n[0]),
            report.tolerances.effect
        );
        blocks.push(Block::Table(Grid {
            caption,
            columns,
            rows: rows.collect(),
            source: item.reference(),
        }));
    }
    if let Some((item, report)) = evidence.performance_report() {
        let facts = report.metrics.iter().map(|(metric, found)| {
            measured(
                metric.descriptor().title,
                with_interval(found.as_ref()),
                item,
            )
        });
        let mut all = vec![measured(
            "Newest rows with labels",
            format!(
                "{} ({} positive)",
                grouped(report.n),
                grouped(report.n_positive)
            ),
            item,
        )];
        all.extend(facts);
        blocks.push(Block::Facts(all));
    }
    blocks
}
