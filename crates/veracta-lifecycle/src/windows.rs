//! Windows of a data file, by rows or by a column of times.

use std::path::Path;

use veracta_ml::table::{MISSING, Table, Values};
use veracta_ml::windows::{Cut, Window, cut};

use crate::LifecycleError;

/// How a file is cut, as a person wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowColumns {
    /// A number, or one with `h`, `d` or `w` for hours, days or weeks.
    pub every: String,
    /// Column of times; position decides without one.
    pub time: Option<String>,
}

/// A window with a name for people.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedWindow {
    /// Where it starts: a row, a number or a date.
    pub name: String,
    /// Its rows.
    pub window: Window,
}

/// Cuts a table.
pub fn windows_of(
    table: &Table,
    how: &WindowColumns,
    file: &Path,
) -> Result<Vec<NamedWindow>, LifecycleError> {
    let refuse = |reason: String| LifecycleError::Windows {
        file: file.display().to_string(),
        reason,
    };
    let (number, unit) = match how.every.chars().last() {
        Some(unit @ ('h' | 'd' | 'w')) => (&how.every[..how.every.len() - 1], Some(unit)),
        _ => (how.every.as_str(), None),
    };
    let size: f64 = number
        .trim()
        .parse()
        .ok()
        .filter(|size: &f64| *size > 0.0 && size.is_finite())
        .ok_or_else(|| {
            refuse(format!(
                "`{}` is not a size: a number of rows or units, or `12h`, `7d`, `4w` of dates",
                how.every
            ))
        })?;
    let Some(name) = &how.time else {
        if unit.is_some() || size.fract() != 0.0 {
            return Err(refuse(
                "without a column of times, a window is a whole number of rows".to_owned(),
            ));
        }
        let found = cut(table.n_rows, None, Cut::Rows(size as usize))
            .map_err(|error| refuse(error.to_string()))?;
        return Ok(found
            .into_iter()
            .map(|window| NamedWindow {
                name: format!("row {}", window.start as u64 + 1),
                window,
            })
            .collect());
    };
    let column = table
        .columns
        .iter()
        .find(|column| column.name == *name)
        .ok_or_else(|| LifecycleError::UnknownColumn {
            column: name.clone(),
            columns: table
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
        })?;
    let (times, is_date) = match &column.values {
        Values::Numeric(values) => (values.clone(), false),
        Values::Coded(coded) => {
            // The value itself may be personal data.
            let days = |level: &String| {
                days_of(level).ok_or_else(|| {
                    refuse(format!("column `{name}` holds something that is neither a number nor a date such as 2026-01-31"))
                })
            };
            let days: Vec<f64> = coded.levels.iter().map(days).collect::<Result<_, _>>()?;
            (
                coded
                    .codes
                    .iter()
                    .map(|code| {
                        if *code == MISSING {
                            f64::NAN
                        } else {
                            days[*code as usize]
                        }
                    })
                    .collect(),
                true,
            )
        }
    };
    let width = match unit {
        None => size,
        Some(_) if !is_date => {
            return Err(refuse(format!(
                "column `{name}` holds numbers; give a size in its units"
            )));
        }
        Some('h') => size / 24.0,
        Some('d') => size,
        Some(_) => size * 7.0,
    };
    let found = cut(table.n_rows, Some(&times), Cut::Width(width))
        .map_err(|error| refuse(error.to_string()))?;
    let title = |start: f64| {
        if is_date {
            date_of(start)
        } else {
            start.to_string()
        }
    };
    Ok(found
        .into_iter()
        .map(|window| NamedWindow {
            name: title(window.start),
            window,
        })
        .collect())
}

/// Reads a date or a moment as days since 1970.
fn days_of(text: &str) -> Option<f64> {
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

fn date_of(days: f64) -> String {
    let moment = jiff::Timestamp::from_second((days * 86_400.0).round() as i64)
        .map(|moment| moment.to_string());
    let moment = moment.unwrap_or_default();
    // Midnight is the day itself.
    moment
        .strip_suffix("T00:00:00Z")
        .map_or_else(|| moment.clone(), str::to_owned)
}
