//! Plots as SVG with one line per row: intervals below one another, and strength of inputs.

use veracta_governance::record::FeatureEffect;
use veracta_statistics::interval::Estimate;

use super::number;
use super::plot::{escape, extremes, open, put};

/// Measures of a plot with one line per row: forest plots and strengths of inputs.
const ROWS_WIDTH: f64 = 720.0;
const ROW_HEIGHT: f64 = 24.0;
const LABEL_WIDTH: f64 = 210.0;

/// One line of a forest plot: a label and an estimate with its interval.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ForestRow {
    /// Name of the value, printed to the left of its line.
    pub label: String,
    /// Its value; without one the line says that it is not defined.
    pub estimate: Option<Estimate>,
    /// Whether it is drawn faintly, such as for a small group.
    pub faint: bool,
}

/// Draws estimates with their intervals below one another, and optionally a vertical line for a reference value.
pub(crate) fn forest(title: &str, rows: &[ForestRow], reference: Option<f64>) -> String {
    let height = 30.0 + ROW_HEIGHT * rows.len() as f64 + 26.0;
    let (low, high) = forest_range(rows, reference);
    let x_of = |value: f64| {
        LABEL_WIDTH + (value - low) / (high - low) * (ROWS_WIDTH - LABEL_WIDTH - 180.0)
    };
    let mut svg = open(ROWS_WIDTH, height, title);
    for step in 0..=4 {
        let value = low + (high - low) * f64::from(step) / 4.0;
        let x = x_of(value);
        put(
            &mut svg,
            format_args!(
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"20\" x2=\"{x:.1}\" y2=\"{:.1}\"/>",
                height - 24.0
            ),
        );
        put(
            &mut svg,
            format_args!(
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.3}</text>",
                height - 8.0
            ),
        );
    }
    if let Some(reference) = reference {
        let x = x_of(reference);
        put(
            &mut svg,
            format_args!(
                "<line class=\"reference\" x1=\"{x:.1}\" y1=\"20\" x2=\"{x:.1}\" y2=\"{:.1}\"/>",
                height - 24.0
            ),
        );
    }
    for (position, row) in rows.iter().enumerate() {
        forest_row(&mut svg, row, 34.0 + ROW_HEIGHT * position as f64, &x_of);
    }
    svg + "</svg>"
}

/// Returns the values at both ends of the horizontal axis: all intervals and the reference, with a margin of 6 %.
fn forest_range(rows: &[ForestRow], reference: Option<f64>) -> (f64, f64) {
    let bounds = rows
        .iter()
        .filter_map(|row| row.estimate.as_ref())
        .flat_map(|e| [e.lower, e.upper])
        .chain(reference);
    let (mut low, mut high) = extremes(bounds);
    // Without any value the axis is that of a share.
    if low > high {
        (low, high) = (0.0, 1.0);
    }
    // The least margin keeps the axis from having no width when all values are equal.
    let margin = ((high - low) * 0.06).max(1e-3);
    (low - margin, high + margin)
}

/// Draws one line of a forest plot at the height `y`: label, interval with its estimate, and both in words.
fn forest_row(svg: &mut String, row: &ForestRow, y: f64, x_of: &dyn Fn(f64) -> f64) {
    let faint = if row.faint { " faint" } else { "" };
    let label: String = if row.label.chars().count() > 32 {
        row.label.chars().take(31).chain(['…']).collect()
    } else {
        row.label.clone()
    };
    put(
        svg,
        format_args!(
            "<text class=\"label{faint}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LABEL_WIDTH - 12.0,
            y + 4.0,
            escape(&label)
        ),
    );
    let text = match &row.estimate {
        Some(e) => {
            let (x, from, to) = (x_of(e.estimate), x_of(e.lower), x_of(e.upper));
            put(
                svg,
                format_args!(
                    "<line class=\"whisker{faint}\" x1=\"{from:.1}\" y1=\"{y:.1}\" x2=\"{to:.1}\" y2=\"{y:.1}\"/>"
                ),
            );
            put(
                svg,
                format_args!("<circle class=\"dot{faint}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"),
            );
            format!(
                "{} ({} to {})",
                number(e.estimate),
                number(e.lower),
                number(e.upper)
            )
        }
        None => "not defined".to_owned(),
    };
    put(
        svg,
        format_args!(
            "<text class=\"tick{faint}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            ROWS_WIDTH - 4.0,
            y + 4.0
        ),
    );
}

/// Draws the strength of inputs: bars of the mean absolute contribution over the spread of the signed one.
pub(crate) fn effects(features: &[FeatureEffect]) -> String {
    let height = 14.0 + ROW_HEIGHT * features.len() as f64 + 40.0;
    // The floor keeps the scale finite when no input has any effect.
    let widest = features
        .iter()
        .flat_map(|f| f.quantiles.iter().map(|q| q.abs()).chain([f.mean_absolute]))
        .fold(1e-9, f64::max);
    let x_of =
        |value: f64| LABEL_WIDTH + (value / widest + 1.0) / 2.0 * (ROWS_WIDTH - LABEL_WIDTH - 90.0);
    let mut svg = open(ROWS_WIDTH, height, "Strength of inputs");
    for step in -2..=2 {
        let value = widest * f64::from(step) / 2.0;
        let x = x_of(value);
        put(
            &mut svg,
            format_args!(
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"8\" x2=\"{x:.1}\" y2=\"{:.1}\"/>",
                height - 38.0
            ),
        );
        put(
            &mut svg,
            format_args!(
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.2}</text>",
                height - 22.0
            ),
        );
    }
    put(
        &mut svg,
        format_args!(
            "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">contribution to the margin: 5 to 95 % (line), 25 to 75 % (bar), median (dot)</text>",
            x_of(0.0),
            height - 4.0
        ),
    );
    for (position, feature) in features.iter().enumerate() {
        effect_row(
            &mut svg,
            feature,
            22.0 + ROW_HEIGHT * position as f64,
            &x_of,
        );
    }
    svg + "</svg>"
}

/// Draws the strength of one input at the height `y`: label, spread of its contributions, and its share in percent.
fn effect_row(svg: &mut String, feature: &FeatureEffect, y: f64, x_of: &dyn Fn(f64) -> f64) {
    let [q05, q25, q50, q75, q95] = feature.quantiles.map(x_of);
    let label: String = feature.input.chars().take(32).collect();
    put(
        svg,
        format_args!(
            "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LABEL_WIDTH - 12.0,
            y + 4.0,
            escape(&label)
        ),
    );
    put(
        svg,
        format_args!(
            "<line class=\"whisker\" x1=\"{q05:.1}\" y1=\"{y:.1}\" x2=\"{q95:.1}\" y2=\"{y:.1}\"/>"
        ),
    );
    put(
        svg,
        format_args!(
            "<rect class=\"bar\" x=\"{q25:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\" rx=\"2\"/>",
            y - 6.0,
            (q75 - q25).max(1.0)
        ),
    );
    put(
        svg,
        format_args!("<circle class=\"dot\" cx=\"{q50:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"),
    );
    put(
        svg,
        format_args!(
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.1} %</text>",
            ROWS_WIDTH - 4.0,
            y + 4.0,
            feature.share * 100.0
        ),
    );
}
