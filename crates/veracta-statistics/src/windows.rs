//! Rows in windows: so many at a time, or by a period of time, and what each window says of a metric whose labels come late.
//!
//! A window's realised metric is given when enough of its rows have their label; until then the expected one stands in its place, with a
//! band of what would be seen if the probabilities are right ([`expected_interval`]).

use serde::{Deserialize, Serialize};

use crate::interval::{Estimate, Precision, metric_interval};
use crate::performance::estimated::expected_interval;
use crate::performance::{Metric, Scored};

/// Most windows of one cut; a width that gives more is refused before any is made.
pub(crate) const WINDOWS_MAX: usize = 10_000;

/// How rows are cut into windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    /// So many rows each, in the order given; a last one of less than half joins the one before.
    Rows(usize),
    /// So many units of time each, counted from the smallest time.
    Width(f64),
}

/// Some rows that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Position or time of the first row; of a width, the beginning of the period.
    pub start: f64,
    /// Rows, in the order of their times.
    pub rows: Vec<usize>,
}

/// Why rows cannot be cut.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CutError {
    /// A width that is none.
    #[error("a window holds at least one row, or a width above 0")]
    Width,
    /// A row without a time.
    #[error("row {row} has no time")]
    NoTime {
        /// Position of the first such row, counted from 1.
        row: usize,
    },
    /// A cut that gives more windows than `WINDOWS_MAX`.
    #[error("there would be {n} windows; the limit is {WINDOWS_MAX}")]
    TooMany {
        /// Windows that the cut would give, rounded down.
        n: f64,
    },
}

/// Cuts rows into windows in the order of `times`, or of their positions without times. Windows without rows are left out.
pub fn cut(n_rows: usize, times: Option<&[f64]>, how: Cut) -> Result<Vec<Window>, CutError> {
    let mut order: Vec<usize> = (0..n_rows).collect();
    if let Some(times) = times {
        if let Some(row) = times.iter().position(|time| !time.is_finite()) {
            return Err(CutError::NoTime { row: row + 1 });
        }
        order.sort_by(|a, b| times[*a].total_cmp(&times[*b]));
    }
    let time = |row: usize| times.map_or(row as f64, |times| times[row]);
    let limit = |n: f64| {
        if n > WINDOWS_MAX as f64 {
            Err(CutError::TooMany { n })
        } else {
            Ok(())
        }
    };
    match how {
        Cut::Rows(0) => Err(CutError::Width),
        Cut::Rows(n) => {
            limit((n_rows / n) as f64)?;
            let mut windows: Vec<Vec<usize>> = order.chunks(n).map(<[usize]>::to_vec).collect();
            if windows.len() > 1
                && windows.last().is_some_and(|last| last.len() * 2 < n)
                && let Some(last) = windows.pop()
            {
                let place = windows.len() - 1;
                windows[place].extend(last);
            }
            Ok(windows
                .into_iter()
                .map(|rows| Window {
                    start: time(rows[0]),
                    rows,
                })
                .collect())
        }
        Cut::Width(width) if !(width > 0.0 && width.is_finite()) => Err(CutError::Width),
        Cut::Width(width) => {
            let Some(first) = order.first().map(|row| time(*row)) else {
                return Ok(Vec::new());
            };
            let place = |row: usize| ((time(row) - first) / width).floor();
            limit(order.last().map_or(0.0, |row| place(*row)))?;
            let of_window = order.chunk_by(|a, b| place(*a) == place(*b));
            Ok(of_window
                .map(|rows| Window {
                    start: first + place(rows[0]) * width,
                    rows: rows.to_vec(),
                })
                .collect())
        }
    }
}

/// A size of windows as a person writes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// So many rows, or units of a column of numbers.
    Units(f64),
    /// So many days of a column of dates.
    Days(f64),
}

/// Reads a size: a number, or one with `h`, `d` or `w` for hours, days or weeks; `None` when it is neither.
pub fn read_size(text: &str) -> Option<Size> {
    let days_a_unit = match text.chars().last() {
        Some('h') => Some(1.0 / 24.0),
        Some('d') => Some(1.0),
        Some('w') => Some(7.0),
        _ => None,
    };
    let number = match days_a_unit {
        Some(_) => &text[..text.len() - 1],
        None => text,
    };
    let number: f64 = number.trim().parse().ok()?;
    let number = Some(number).filter(|number| *number > 0.0 && number.is_finite())?;
    Some(days_a_unit.map_or(Size::Units(number), |days| Size::Days(number * days)))
}

/// Reads a date or a moment as days since 1970.
pub fn days_of(text: &str) -> Option<f64> {
    let seconds = |moment: jiff::civil::DateTime| {
        Some(
            moment
                .to_zoned(jiff::tz::TimeZone::UTC)
                .ok()?
                .timestamp()
                .as_second() as f64,
        )
    };
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(moment.as_second() as f64 / 86_400.0);
    }
    Some(seconds(text.parse::<jiff::civil::DateTime>().ok()?)? / 86_400.0)
}

/// Returns the date, or the moment when it is not midnight, of days since 1970.
pub fn date_of(days: f64) -> String {
    let moment = jiff::Timestamp::from_second((days * 86_400.0).round() as i64)
        .map(|moment| moment.to_string());
    let moment = moment.unwrap_or_default();
    // Midnight is the day itself.
    moment
        .strip_suffix("T00:00:00Z")
        .map_or_else(|| moment.clone(), str::to_owned)
}

/// A metric in one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowMetric {
    /// Position or time at which the window begins.
    pub start: f64,
    /// Rows of the window; at least 1.
    pub n: usize,
    /// Rows whose label has come.
    pub n_labelled: usize,
    /// The metric on these; `None` while too few have come, or when it is not defined.
    pub realised: Option<Estimate>,
    /// The metric expected of all rows from their probabilities, with the band in which it would be seen.
    pub expected: Option<Estimate>,
}

/// Labels that may not have come yet, with probabilities.
#[derive(Debug, Clone, Copy)]
pub struct Delayed<'d> {
    /// Label of each row, when it has come.
    pub labels: &'d [Option<bool>],
    /// Score of each row; a probability where an expected value is wanted.
    pub scores: &'d [f64],
}

/// Returns a metric in each window; the realised one where at least `labelled_share_min` of the rows have their label.
///
/// # Panics
/// When labels and scores differ in number, or a window names a row that is not there.
pub fn metric_by_window(
    data: Delayed<'_>,
    windows: &[Window],
    metric: Metric,
    threshold: f64,
    labelled_share_min: f64,
    precision: Precision,
) -> Vec<WindowMetric> {
    assert_eq!(
        data.labels.len(),
        data.scores.len(),
        "there is one label a score"
    );
    let of_window = |window: &Window| {
        let known: Vec<(bool, f64)> = window
            .rows
            .iter()
            .filter_map(|row| Some((data.labels[*row]?, data.scores[*row])))
            .collect();
        let (labels, scores): (Vec<bool>, Vec<f64>) = known.into_iter().unzip();
        let is_ripe = labels.len() as f64 >= labelled_share_min * window.rows.len() as f64;
        let realised = || {
            metric_interval(
                &Scored::new(&labels, &scores).ok()?,
                metric,
                threshold,
                precision,
            )
        };
        let all: Vec<f64> = window.rows.iter().map(|row| data.scores[*row]).collect();
        WindowMetric {
            start: window.start,
            n: window.rows.len(),
            n_labelled: labels.len(),
            realised: if is_ripe { realised() } else { None },
            expected: expected_interval(metric, &all, threshold, precision),
        }
    };
    windows.iter().map(of_window).collect()
}
