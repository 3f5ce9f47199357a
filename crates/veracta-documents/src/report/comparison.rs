//! The report of a comparison of two scores on the same rows.

use veracta_statistics::evaluation::PairedEvaluation;
use veracta_statistics::interval::Estimate;
use veracta_statistics::paired::Comparison;

use super::{Report, ReportBlock, ReportSection, bad, good, open};
use crate::row_plot::{self, ForestRow};
use crate::{Cell, Headline, grouped, number, number_cell, text_cell, with_interval};

/// Gathers the report; `names` are those of the two scores.
pub fn report(names: [&str; 2], measured: &PairedEvaluation) -> Report {
    let [first, second] = names;
    let margin = number(measured.margin);
    let gains = [
        ("ROC AUC", &measured.roc_auc_gain),
        ("Accuracy", &measured.accuracy_gain),
    ];
    let gains: Vec<ForestRow> = gains
        .iter()
        .map(|(name, gain)| ForestRow {
            label: (*name).to_owned(),
            estimate: (*gain).clone(),
            faint: false,
        })
        .collect();
    let counts = measured.counts;
    let blocks = vec![
        ReportBlock::Plot {
            caption: format!("Gain of {second} over {first}"),
            description: "Differences on the same rows with their intervals; the dashed line is no difference.".to_owned(),
            svg: row_plot::forest("Gain", &gains, Some(0.0)),
        },
        ReportBlock::Table {
            caption: format!(
                "Right at the threshold: both {}, only {second} {}, only {first} {}, neither {}",
                counts.both, counts.second_only, counts.first_only, counts.neither
            ),
            columns: ["", "Estimate (interval)", "p"].map(str::to_owned).to_vec(),
            rows: rows(names, measured),
        },
    ];
    Report {
        title: "Comparison".to_owned(),
        subject: format!("{second} against {first}"),
        verdict: verdict(names, measured),
        chips: vec![format!("{} rows", grouped(measured.n)), format!("margin {margin}")],
        sections: vec![ReportSection { heading: "On the same rows".to_owned(), blocks }],
        method: "The bounds of the gain in ROC AUC decide: superior above 0, not inferior above minus the margin, equivalent inside the \
                 margin on both sides."
            .to_owned(),
    }
}

fn verdict([first, second]: [&str; 2], measured: &PairedEvaluation) -> Headline {
    let margin = number(measured.margin);
    match measured.verdict {
        Comparison::Superior => good(&format!("{second} ranks better than {first}")),
        Comparison::Equivalent => good(&format!(
            "{second} and {first} are equivalent within {margin}"
        )),
        Comparison::NonInferior => good(&format!(
            "{second} is not worse than {first} by more than {margin}"
        )),
        Comparison::Inferior => bad(&format!(
            "{second} is worse than {first} by more than {margin}"
        )),
        Comparison::Undecided => open(&format!(
            "Undecided: more rows would tell whether {second} is worse than {first} by more than {margin}"
        )),
    }
}

fn rows([first, second]: [&str; 2], measured: &PairedEvaluation) -> Vec<Vec<Cell>> {
    let line = |name: &str, found: Option<&Estimate>, p: Option<f64>| {
        vec![
            text_cell(name),
            number_cell(with_interval(found)),
            p.map_or(text_cell("–"), |p| number_cell(number(p))),
        ]
    };
    vec![
        line(
            &format!("ROC AUC of {first}"),
            measured.roc_auc[0].as_ref(),
            None,
        ),
        line(
            &format!("ROC AUC of {second}"),
            measured.roc_auc[1].as_ref(),
            None,
        ),
        line(
            "Gain in ROC AUC (paired DeLong)",
            measured.roc_auc_gain.as_ref(),
            measured.roc_auc_p,
        ),
        line(
            "Gain in accuracy (Tango; McNemar)",
            measured.accuracy_gain.as_ref(),
            measured.mcnemar_p,
        ),
    ]
}
