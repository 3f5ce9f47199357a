//! The report of an explanation: what drives a model, the strongest input first.

use veracta_model::explanation::summary::{ExplanationSummary, OutputSummary};

use super::{Report, ReportBlock, ReportSection};
use crate::{Headline, Tone, grouped, number, number_cell, row_plot, text_cell};
use veracta_governance::record::FeatureEffect;

/// Largest number of inputs that are drawn, the strongest first.
const DRAWN_MAX: usize = 20;

/// Gathers the report; `subject` says which model was applied to what.
pub fn report(subject: &str, explained: &ExplanationSummary) -> Report {
    let n_outputs = explained.outputs.len();
    let strongest: Vec<String> = explained.outputs[0]
        .features
        .iter()
        .take(3)
        .map(|feature| feature.input.clone())
        .collect();
    let sections = explained
        .outputs
        .iter()
        .enumerate()
        .map(|(idx, output)| section(idx, n_outputs, output, explained.n_rows))
        .collect();
    Report {
        title: "Explanation".to_owned(),
        subject: subject.to_owned(),
        verdict: Headline {
            text: format!("Driven by {}", strongest.join(", ")),
            tone: Tone::Plain,
        },
        chips: vec![
            explained.model.clone(),
            format!("{} rows", grouped(explained.n_rows)),
        ],
        sections,
        method: format!(
            "Method: {}. Contributions are in margin units (log-odds for a classifier) and add up, with the base value, to the margin of \
             every row; this is checked for each. They say what the model does, not what causes what.",
            explained.method
        ),
    }
}

fn section(idx: usize, n_outputs: usize, output: &OutputSummary, n_rows: usize) -> ReportSection {
    let effects: Vec<FeatureEffect> = output
        .features
        .iter()
        .take(DRAWN_MAX)
        .map(|feature| FeatureEffect {
            input: feature.input.clone(),
            mean_absolute: feature.mean_absolute,
            share: feature.share,
            quantiles: feature.quantiles,
        })
        .collect();
    let rows = output.features.iter().map(|feature| {
        let error = feature.standard_error.map_or(String::new(), |error| {
            format!(" ± {}", number(1.96 * error))
        });
        vec![
            text_cell(format!("`{}`", feature.input)),
            number_cell(format!("{}{error}", number(feature.mean_absolute))),
            number_cell(format!("{:.1} %", feature.share * 100.0)),
            number_cell(number(feature.mean)),
            number_cell(format!(
                "{} to {}",
                number(feature.quantiles[0]),
                number(feature.quantiles[4])
            )),
        ]
    });
    let table = ReportBlock::Table {
        caption: format!(
            "Base value {}; strength is the mean absolute contribution ± 1.96 standard errors over rows",
            number(output.base_value)
        ),
        columns: ["Input", "Strength", "Share", "Mean", "5 to 95 %"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.collect(),
    };
    let drawing = ReportBlock::Plot {
        caption: "Strength of inputs".to_owned(),
        description: "Spread of the contributions over rows; the share of the total strength stands on the right.".to_owned(),
        svg: row_plot::effects(&effects),
    };
    let heading = if n_outputs == 1 {
        "Inputs".to_owned()
    } else {
        format!("Output {idx}")
    };
    // One row has no spread to draw.
    let blocks = if n_rows > 1 {
        vec![drawing, table]
    } else {
        vec![table]
    };
    ReportSection { heading, blocks }
}
