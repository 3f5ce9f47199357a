//! Plots as SVG: ROC curve, reliability, distributions, shares and dependence; those with one line per row are in `row_plot`.
//!
//! Drawn here because a document is one file that follows the reader's light or dark theme: colours are classes that the page's
//! style sheet defines, which a plotting library's fixed colours cannot do.

use std::fmt::Write;

use veracta_statistics::calibration::Reliability;
use veracta_statistics::interval::Estimate;

use super::number;
use veracta_governance::record::RocPoint;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 46.0;

/// Replaces the characters that XML reserves, so that the text can be put in an element or an attribute.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

pub(super) fn open(width: f64, height: f64, title: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{}\" xmlns=\"http://www.w3.org/2000/svg\">",
        escape(title)
    )
}

pub(super) fn put(svg: &mut String, element: std::fmt::Arguments<'_>) {
    svg.write_fmt(element)
        .expect("writing to a string cannot fail");
}

/// Draws the frame of a unit square with ticks at fifths.
fn unit_axes(svg: &mut String, x_label: &str, y_label: &str) {
    for step in 0..=5 {
        let share = f64::from(step) / 5.0;
        let (x, y) = place(share, share);
        put(
            svg,
            format_args!(
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>",
                HEIGHT - BOTTOM
            ),
        );
        put(
            svg,
            format_args!(
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>",
                WIDTH - RIGHT
            ),
        );
        put(
            svg,
            format_args!(
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{share:.1}</text>",
                HEIGHT - BOTTOM + 16.0
            ),
        );
        put(
            svg,
            format_args!(
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{share:.1}</text>",
                LEFT - 8.0,
                y + 4.0
            ),
        );
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    put(
        svg,
        format_args!(
            "<text class=\"axis\" x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x_label}</text>",
            HEIGHT - 8.0
        ),
    );
    let centre = (TOP + HEIGHT - BOTTOM) / 2.0;
    put(
        svg,
        format_args!(
            "<text class=\"axis\" transform=\"translate(14 {centre:.1}) rotate(-90)\" text-anchor=\"middle\">{y_label}</text>"
        ),
    );
    let ((x0, y0), (x1, y1)) = (place(0.0, 0.0), place(1.0, 1.0));
    put(
        svg,
        format_args!(
            "<line class=\"reference\" x1=\"{x0:.1}\" y1=\"{y0:.1}\" x2=\"{x1:.1}\" y2=\"{y1:.1}\"/>"
        ),
    );
}

fn place(x: f64, y: f64) -> (f64, f64) {
    (
        LEFT + x * (WIDTH - LEFT - RIGHT),
        HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM),
    )
}

fn polyline(points: impl Iterator<Item = (f64, f64)>) -> String {
    points
        .map(|(x, y)| place(x, y))
        .map(|(x, y)| format!("{x:.1},{y:.1} "))
        .collect()
}

/// Draws a ROC curve with the area under it.
pub fn roc(points: &[RocPoint], auc: Option<&Estimate>) -> String {
    let mut svg = open(WIDTH, HEIGHT, "ROC curve");
    unit_axes(&mut svg, "False positive rate", "True positive rate");
    let curve = polyline(points.iter().map(|point| (point.fpr, point.tpr)));
    let (x0, y0) = place(0.0, 0.0);
    let (x1, _) = place(1.0, 0.0);
    put(
        &mut svg,
        format_args!("<polygon class=\"area\" points=\"{x0:.1},{y0:.1} {curve}{x1:.1},{y0:.1}\"/>"),
    );
    put(
        &mut svg,
        format_args!("<polyline class=\"curve\" points=\"{curve}\"/>"),
    );
    if let Some(auc) = auc {
        let (x, y) = place(0.98, 0.08);
        let text = format!(
            "AUC {:.3} ({:.3} to {:.3})",
            auc.estimate, auc.lower, auc.upper
        );
        put(
            &mut svg,
            format_args!(
                "<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{text}</text>"
            ),
        );
    }
    svg + "</svg>"
}

/// Draws a reliability curve: mean score against share of positives, with Wilson's intervals.
pub fn reliability(reliability: &Reliability, level: f64) -> String {
    let mut svg = open(WIDTH, HEIGHT, "Reliability curve");
    unit_axes(&mut svg, "Mean predicted probability", "Share of positives");
    let bins = &reliability.bins;
    put(
        &mut svg,
        format_args!(
            "<polyline class=\"curve\" points=\"{}\"/>",
            polyline(
                bins.iter()
                    .map(|bin| (bin.mean_score.clamp(0.0, 1.0), bin.positive_rate))
            )
        ),
    );
    for bin in bins {
        let n = bin.n as f64;
        let interval = veracta_statistics::interval::wilson_interval(
            (bin.positive_rate * n).round(),
            n,
            level,
        );
        let (x, y) = place(bin.mean_score.clamp(0.0, 1.0), bin.positive_rate);
        if let Some(interval) = interval {
            let ((_, low), (_, high)) = (place(0.0, interval.lower), place(0.0, interval.upper));
            put(
                &mut svg,
                format_args!(
                    "<line class=\"whisker\" x1=\"{x:.1}\" y1=\"{low:.1}\" x2=\"{x:.1}\" y2=\"{high:.1}\"/>"
                ),
            );
        }
        put(
            &mut svg,
            format_args!("<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"),
        );
    }
    let (x, y) = place(0.98, 0.08);
    put(
        &mut svg,
        format_args!(
            "<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">ECE {:.4}</text>",
            reliability.ece
        ),
    );
    svg + "</svg>"
}

/// Draws two distribution functions over the same values: the reference dashed, the current sample solid.
pub fn distributions(title: &str, points: &[[f64; 3]]) -> String {
    let mut svg = open(WIDTH, HEIGHT, title);
    let (low, high) = match (points.first(), points.last()) {
        (Some(first), Some(last)) if last[0] > first[0] => (first[0], last[0]),
        (Some(first), _) => (first[0] - 0.5, first[0] + 0.5),
        _ => (0.0, 1.0),
    };
    let share_of = |value: f64| (value - low) / (high - low);
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let ((x, _), (_, y)) = (place(share, 0.0), place(0.0, share));
        put(
            &mut svg,
            format_args!(
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>",
                WIDTH - RIGHT
            ),
        );
        put(
            &mut svg,
            format_args!(
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{share:.2}</text>",
                LEFT - 8.0,
                y + 4.0
            ),
        );
        let value = short(low + (high - low) * share);
        put(
            &mut svg,
            format_args!(
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value}</text>",
                HEIGHT - BOTTOM + 16.0
            ),
        );
    }
    for (class, column) in [("curve before", 1), ("curve", 2)] {
        let mut steps = Vec::with_capacity(points.len() * 2);
        let mut before = 0.0;
        for point in points {
            steps.extend([
                (share_of(point[0]), before),
                (share_of(point[0]), point[column]),
            ]);
            before = point[column];
        }
        put(
            &mut svg,
            format_args!(
                "<polyline class=\"{class}\" points=\"{}\"/>",
                polyline(steps.into_iter())
            ),
        );
    }
    legend(&mut svg, WIDTH, HEIGHT - 8.0);
    svg + "</svg>"
}

/// Draws the shares of categories in two samples as pairs of bars.
pub fn shares(title: &str, shares: &[(String, [f64; 2])]) -> String {
    let (label_width, row_height, width) = (130.0, 30.0, WIDTH);
    let height = 12.0 + row_height * shares.len() as f64 + 30.0;
    // The floor keeps the scale finite when every share is 0.
    let widest = shares
        .iter()
        .flat_map(|(_, pair)| *pair)
        .fold(1e-9, f64::max);
    let length = |share: f64| share / widest * (width - label_width - 104.0);
    let mut svg = open(width, height, title);
    for (position, (label, [before, now])) in shares.iter().enumerate() {
        let y = 12.0 + row_height * position as f64;
        let label: String = if label.chars().count() > 18 {
            label.chars().take(17).chain(['…']).collect()
        } else {
            label.clone()
        };
        put(
            &mut svg,
            format_args!(
                "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                label_width - 10.0,
                y + 15.0,
                escape(&label)
            ),
        );
        put(
            &mut svg,
            format_args!(
                "<rect class=\"bar before\" x=\"{label_width}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"9\" rx=\"2\"/>",
                length(*before).max(1.0)
            ),
        );
        put(
            &mut svg,
            format_args!(
                "<rect class=\"bar now\" x=\"{label_width}\" y=\"{:.1}\" width=\"{:.1}\" height=\"9\" rx=\"2\"/>",
                y + 11.0,
                length(*now).max(1.0)
            ),
        );
        let text = format!("{:.1} → {:.1} %", before * 100.0, now * 100.0);
        put(
            &mut svg,
            format_args!(
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                width - 2.0,
                y + 14.0
            ),
        );
    }
    legend(&mut svg, width, height - 8.0);
    svg + "</svg>"
}

fn legend(svg: &mut String, width: f64, y: f64) {
    let middle = width / 2.0;
    put(
        svg,
        format_args!(
            "<line class=\"curve before\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            middle - 100.0,
            y - 4.0,
            middle - 76.0,
            y - 4.0
        ),
    );
    put(
        svg,
        format_args!(
            "<text class=\"axis\" x=\"{:.1}\" y=\"{y:.1}\">reference</text>",
            middle - 70.0
        ),
    );
    put(
        svg,
        format_args!(
            "<line class=\"curve\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            middle + 20.0,
            y - 4.0,
            middle + 44.0,
            y - 4.0
        ),
    );
    put(
        svg,
        format_args!(
            "<text class=\"axis\" x=\"{:.1}\" y=\"{y:.1}\">current</text>",
            middle + 50.0
        ),
    );
}

/// Writes a tick in three significant digits.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1e6 || magnitude > 0.0 && magnitude < 1e-3 {
        return format!("{value:.1e}");
    }
    let decimals = if magnitude >= 100.0 || value == 0.0 {
        0
    } else if magnitude >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

/// Draws mean predictions over the values of an input, with the band of single rows.
pub fn dependence(title: &str, grid: &[f64], mean: &[f64], quantiles: &[[f64; 3]]) -> String {
    let mut svg = open(WIDTH, HEIGHT, title);
    let (Some(first), Some(last)) = (grid.first(), grid.last()) else {
        return svg + "</svg>";
    };
    let values = mean.iter().chain(quantiles.iter().flatten()).copied();
    let (low, high) = extremes(values.filter(|value| value.is_finite()));
    if !(low.is_finite() && high.is_finite()) {
        return svg + "</svg>";
    }
    // Without a range, all values are drawn in the middle.
    let share = |value: f64, from: f64, to: f64| {
        if to > from {
            (value - from) / (to - from)
        } else {
            0.5
        }
    };
    let at =
        |idx: usize, value: f64| place(share(grid[idx], *first, *last), share(value, low, high));
    value_axes(&mut svg, [*first, *last], [low, high]);
    let line = |points: &mut dyn Iterator<Item = (f64, f64)>| {
        points
            .map(|(x, y)| format!("{x:.1},{y:.1} "))
            .collect::<String>()
    };
    let upper = line(&mut (0..grid.len()).map(|idx| at(idx, quantiles[idx][2])));
    let lower = line(&mut (0..grid.len()).rev().map(|idx| at(idx, quantiles[idx][0])));
    put(
        &mut svg,
        format_args!("<polygon class=\"area\" points=\"{upper}{lower}\"/>"),
    );
    let curve = line(&mut (0..grid.len()).map(|idx| at(idx, mean[idx])));
    put(
        &mut svg,
        format_args!("<polyline class=\"curve\" points=\"{curve}\"/>"),
    );
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    let text = escape(title);
    put(
        &mut svg,
        format_args!(
            "<text class=\"axis\" x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            HEIGHT - 8.0
        ),
    );
    svg + "</svg>"
}

/// Returns the least and the greatest value; positive and negative infinity when there is none.
pub(super) fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

/// Draws horizontal grid lines and the ticks of both axes at quarters of their ranges.
fn value_axes(svg: &mut String, [x_first, x_last]: [f64; 2], [y_low, y_high]: [f64; 2]) {
    for step in 0..=4 {
        let part = f64::from(step) / 4.0;
        let (x, y) = place(part, part);
        put(
            svg,
            format_args!(
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>",
                WIDTH - RIGHT
            ),
        );
        let anchor = if step == 4 { "end" } else { "middle" };
        let (x_text, y_text) = (
            number(x_first + part * (x_last - x_first)),
            number(y_low + part * (y_high - y_low)),
        );
        put(
            svg,
            format_args!(
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{x_text}</text>",
                HEIGHT - BOTTOM + 16.0
            ),
        );
        put(
            svg,
            format_args!(
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{y_text}</text>",
                LEFT - 8.0,
                y + 4.0
            ),
        );
    }
}
