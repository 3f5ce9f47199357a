//! The reports of single questions to a model: how predictions move with an input, what shuffling costs, which reasons a decision has,
//! and what would change it.

use super::{Report, ReportBlock, ReportSection, bad, good, open};
use crate::{Cell, Headline, Tone, grouped, number, number_cell, plot, text_cell};

/// Predictions for each value that one input is set to.
#[derive(Debug, Clone, Copy)]
pub struct Curve<'c> {
    /// Name of the input that was varied.
    pub input: &'c str,
    /// Number of rows whose predictions were averaged.
    pub n_rows: usize,
    /// Values that the input was set to.
    pub grid: &'c [f64],
    /// The categories that the values stand for; empty of numbers.
    pub categories: &'c [String],
    /// Mean prediction over the rows, for each value of the grid.
    pub mean: &'c [f64],
    /// The 10 %, 50 % and 90 % quantiles of single rows at each.
    pub quantiles: &'c [[f64; 3]],
}

/// Gathers the report of a dependence.
pub fn dependence(subject: &str, curve: Curve<'_>) -> Report {
    let row = |place: usize| -> Vec<Cell> {
        let [low, middle, high] = curve.quantiles[place];
        let value = curve
            .categories
            .get(place)
            .map_or_else(|| number_cell(number(curve.grid[place])), text_cell);
        let rest = [curve.mean[place], low, middle, high].map(|value| number_cell(number(value)));
        std::iter::once(value).chain(rest).collect()
    };
    let (low, high) = curve
        .mean
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        });
    Report {
        title: "Dependence".to_owned(),
        subject: subject.to_owned(),
        verdict: Headline {
            text: format!("Setting {} moves the mean prediction between {} and {}", curve.input, number(low), number(high)),
            tone: Tone::Plain,
        },
        chips: vec![format!("{} rows", grouped(curve.n_rows)), format!("{} values", curve.grid.len())],
        sections: vec![ReportSection {
            heading: format!("Input {}", curve.input),
            // Categories have no order to draw a line along.
            blocks: curve
                .categories
                .is_empty()
                .then(|| ReportBlock::Plot {
                    caption: format!("Prediction over {}", curve.input),
                    description: "Mean prediction of all rows, with the band in which 80 % of single rows lie.".to_owned(),
                    svg: plot::dependence(curve.input, curve.grid, curve.mean, curve.quantiles),
                })
                .into_iter()
                .chain([ReportBlock::Table {
                    caption: "Predictions when the input is set and everything else stays".to_owned(),
                    columns: ["Value", "Mean", "10 %", "Median", "90 %"].map(str::to_owned).to_vec(),
                    rows: (0..curve.grid.len()).map(row).collect(),
                }])
                .collect(),
        }],
        method: "Partial dependence (Friedman 2001) from the 5 % to the 95 % quantile of the input, with individual curves (Goldstein et \
                 al. 2015). Set values may be combinations that no row has."
            .to_owned(),
    }
}

/// An input with the mean loss of shuffling it and its bounds.
pub(crate) type ShuffledInput = (String, f64, Option<(f64, f64)>);

/// Gathers the report of shuffling, the most important input first.
pub fn shuffled(
    subject: &str,
    metric: &str,
    inputs: &[ShuffledInput],
    n_rows: usize,
    n_repeats: u32,
) -> Report {
    let row = |(input, mean, interval): &ShuffledInput| {
        let bounds = interval.map_or(String::new(), |(low, high)| {
            format!(" ({} to {})", number(low), number(high))
        });
        let word = match interval {
            Some((low, _)) if *low > 0.0 => "used",
            Some((_, high)) if *high < 0.0 => "hurts",
            _ => "undecided",
        };
        vec![
            text_cell(format!("`{input}`")),
            number_cell(format!("{}{bounds}", number(*mean))),
            text_cell(word),
        ]
    };
    let strongest: Vec<&str> = inputs
        .iter()
        .take(3)
        .map(|(input, ..)| input.as_str())
        .collect();
    Report {
        title: "Permutation importance".to_owned(),
        subject: subject.to_owned(),
        verdict: Headline { text: format!("{metric} rests most on {}", strongest.join(", ")), tone: Tone::Plain },
        chips: vec![format!("{} rows", grouped(n_rows)), format!("{n_repeats} shuffles")],
        sections: vec![ReportSection {
            heading: "Inputs".to_owned(),
            blocks: vec![ReportBlock::Table {
                caption: format!("How much worse {metric} gets when an input is shuffled among the rows"),
                columns: ["Input", "Loss (95 % over shuffles)", ""].map(str::to_owned).to_vec(),
                rows: inputs.iter().map(row).collect(),
            }],
        }],
        method: "Permutation importance (Breiman 2001). Correlated inputs hide each other: which are needed at all is a question of \
                 leaving them out and training again."
            .to_owned(),
    }
}

/// A row, counted from 1, with the (code, text, points) of its reasons.
pub(crate) type RowReasons = (usize, Vec<(String, String, f64)>);

/// Gathers the report of reasons.
pub fn reasons(subject: &str, rows: &[RowReasons]) -> Report {
    let mut cells = Vec::new();
    for (row, found) in rows {
        for (place, (code, text, points)) in found.iter().enumerate() {
            let name = if place == 0 {
                row.to_string()
            } else {
                String::new()
            };
            cells.push(vec![
                number_cell(name),
                text_cell(code),
                text_cell(text),
                number_cell(number(*points)),
            ]);
        }
        if found.is_empty() {
            cells.push(vec![
                number_cell(row.to_string()),
                text_cell("–"),
                text_cell("nothing pushed this row the bad way"),
                text_cell(""),
            ]);
        }
    }
    Report {
        title: "Reasons".to_owned(),
        subject: subject.to_owned(),
        verdict: Headline { text: format!("Up to four reasons for each of {} rows", grouped(rows.len())), tone: Tone::Plain },
        chips: vec![format!("{} rows", grouped(rows.len()))],
        sections: vec![ReportSection {
            heading: "By row".to_owned(),
            blocks: vec![ReportBlock::Table {
                caption: "What pushed the score the bad way, beyond the mean of these rows; strongest first".to_owned(),
                columns: ["Row", "Code", "Reason", "Points"].map(str::to_owned).to_vec(),
                rows: cells,
            }],
        }],
        method:
            "The points of a code are the contributions of its inputs to the score, minus their mean over the rows given. They say why \
                 this score differs from others', as 12 CFR 1002.9 asks; whether a reason may be given is for a person to judge."
                .to_owned(),
    }
}

/// The result of a search for the smallest change of inputs that changes a decision.
#[derive(Debug, Clone, Copy)]
pub struct Searched<'s> {
    /// Number of the row in the file, counted from 1.
    pub row: usize,
    /// Its prediction, what was to be reached, and what was.
    pub predictions: [f64; 3],
    /// `found`, `below_already`, `impossible` or `not_within_limit`.
    pub outcome: &'s str,
    /// Names of the changed inputs, each with its old and its new value.
    pub changes: &'s [(String, f64, f64)],
    /// Sum of the changes, each in standard deviations of its input; `None` when nothing was found.
    pub cost: Option<f64>,
}

/// Gathers the report of a counterfactual.
pub fn change(subject: &str, searched: Searched<'_>) -> Report {
    let [own, target, reached] = searched.predictions.map(number);
    let verdict = match searched.outcome {
        "found" => good(&format!(
            "{} changes bring row {} from {own} to {reached}",
            searched.changes.len(),
            searched.row
        )),
        "below_already" => good(&format!(
            "Row {} is below {target} already: its prediction is {own}",
            searched.row
        )),
        "impossible" => bad(&format!(
            "No combination of these inputs brings row {} below {target}; the lowest is {reached}",
            searched.row
        )),
        _ => open(&format!(
            "The search ended before it was sure; the lowest prediction it saw is {reached}"
        )),
    };
    let row = |(input, old, new): &(String, f64, f64)| {
        let old = if old.is_nan() {
            text_cell("missing")
        } else {
            number_cell(number(*old))
        };
        vec![
            text_cell(format!("`{input}`")),
            old,
            number_cell(number(*new)),
        ]
    };
    Report {
        title: "Counterfactual".to_owned(),
        subject: subject.to_owned(),
        verdict,
        chips: searched.cost.map(|cost| format!("{} standard deviations of change", number(cost))).into_iter().collect(),
        sections: vec![ReportSection {
            heading: "What would change the decision".to_owned(),
            blocks: vec![ReportBlock::Table {
                caption: format!("The cheapest change of row {} below {target}", searched.row),
                columns: ["Input", "Now", "Then"].map(str::to_owned).to_vec(),
                rows: searched.changes.iter().map(row).collect(),
            }],
        }],
        method:
            "Only the inputs named may change, in the direction allowed, to values that some row of the data has: each alone at every value, \
                 all together at twenty values each. The cheapest of these is given. It says what the model would do, not what the \
                 person would get."
                .to_owned(),
    }
}
