//! Windows of a data file, by rows or by a column of times.

use std::path::Path;

use veracta_data::table::{MISSING, Table, Values};
use veracta_statistics::windows::{Cut, Size, Window, cut, date_of, days_of, read_size};

use crate::LifecycleError;
use crate::data::column;

const WHOLE_ROWS: &str = "without a column of times, a window is a whole number of rows";

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
pub(crate) struct NamedWindow {
    /// Where it starts: a row, a number or a date.
    pub name: String,
    /// Start of the window, and positions of its rows in the table in the order of their times.
    pub window: Window,
}

/// Cuts the rows of a table into windows, earliest first; windows without rows are left out. Errors name `file`.
pub(crate) fn windows_of(
    table: &Table,
    how: &WindowColumns,
    file: &Path,
) -> Result<Vec<NamedWindow>, LifecycleError> {
    let refuse = |reason: String| LifecycleError::Windows {
        file: file.display().to_string(),
        reason,
    };
    let size = read_size(&how.every).ok_or_else(|| {
        refuse(format!(
            "`{}` is not a size: a number of rows or units, or `12h`, `7d`, `4w` of dates",
            how.every
        ))
    })?;
    let Some(name) = &how.time else {
        let Size::Units(n_rows) = size else {
            return Err(refuse(WHOLE_ROWS.to_owned()));
        };
        if n_rows.fract() != 0.0 {
            return Err(refuse(WHOLE_ROWS.to_owned()));
        }
        let found = cut(table.n_rows, None, Cut::Rows(n_rows as usize))
            .map_err(|error| refuse(error.to_string()))?;
        return Ok(found
            .into_iter()
            .map(|window| NamedWindow {
                name: format!("row {}", window.start as u64 + 1),
                window,
            })
            .collect());
    };
    let (times, is_date) = times_of(table, name, &refuse)?;
    let width = match (size, is_date) {
        (Size::Units(units), _) => units,
        (Size::Days(days), true) => days,
        (Size::Days(_), false) => {
            return Err(refuse(format!(
                "column `{name}` holds numbers; give a size in its units"
            )));
        }
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

/// Returns the time of each row, NaN where there is none, and whether these are days of dates and not numbers of some unit.
fn times_of(
    table: &Table,
    name: &str,
    refuse: &dyn Fn(String) -> LifecycleError,
) -> Result<(Vec<f64>, bool), LifecycleError> {
    let coded = match &column(table, name)?.values {
        Values::Numeric(values) => return Ok((values.clone(), false)),
        Values::Coded(coded) => coded,
    };
    // The value itself may be personal data.
    let days = |level: &String| {
        days_of(level).ok_or_else(|| {
            refuse(format!("column `{name}` holds something that is neither a number nor a date such as 2026-01-31"))
        })
    };
    let days: Vec<f64> = coded.levels.iter().map(days).collect::<Result<_, _>>()?;
    let time = |code: &u32| match *code {
        MISSING => f64::NAN,
        code => days[code as usize],
    };
    Ok((coded.codes.iter().map(time).collect(), true))
}
