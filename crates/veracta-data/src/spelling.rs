//! What a cell of text spells: a number, a truth value, a moment; and which spellings a 64-bit float would take for one.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use serde::{Deserialize, Serialize};

/// Cells that are missing in a column of numbers without being declared; among words they are words.
pub const NUMBER_MARKS: [&str; 7] = ["NA", "N/A", "null", "NULL", "NaN", "nan", "?"];

/// From this whole number on, 2^53, two of them may become one 64-bit float.
const WHOLE_LIMIT: i128 = 1 << 53;

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberStyle {
    /// Byte before the decimals, a point by default.
    pub decimal: u8,
    /// Byte between groups of three digits, none by default.
    pub thousands: Option<u8>,
}

impl Default for NumberStyle {
    fn default() -> Self {
        Self {
            decimal: b'.',
            thousands: None,
        }
    }
}

/// Returns the number that a cell holds; text that Rust would read as NaN is not a number.
pub fn parse_number(text: &str) -> Option<f64> {
    let starts_like_one = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_digit() || b"+-.iI".contains(&byte));
    starts_like_one
        .then(|| text.parse::<f64>().ok())
        .flatten()
        .filter(|value| !value.is_nan())
}

/// Rewrites a number to the style of programs; `None` when groups of digits are not of three, or a point stands where none may.
pub(crate) fn plain_number(text: &str, style: NumberStyle) -> Option<String> {
    let (decimal, thousands) = (char::from(style.decimal), style.thousands.map(char::from));
    let (whole, fraction) = match text.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let whole = match thousands.filter(|mark| whole.contains(*mark)) {
        None => whole.to_owned(),
        Some(mark) => {
            let unsigned = whole.trim_start_matches(['-', '+']);
            let mut groups = unsigned.split(mark);
            let first = groups.next()?;
            let is_grouped = (1..=3).contains(&first.len())
                && !first.starts_with('0')
                && is_digits(first)
                && groups.all(|group| group.len() == 3 && is_digits(group));
            if !is_grouped {
                return None;
            }
            whole.replace(mark, "")
        }
    };
    let foreign = |part: &str| decimal != '.' && part.contains('.');
    if foreign(&whole) || fraction.is_some_and(foreign) {
        return None;
    }
    Some(match fraction {
        Some(fraction) => format!("{whole}.{fraction}"),
        None => whole,
    })
}

/// Returns whether a cell says that a number is missing.
pub(crate) fn is_number_mark(cell: &str) -> bool {
    cell.len() <= 4 && NUMBER_MARKS.contains(&cell)
}

/// Returns whether a 64-bit float would take this spelling of a number for another's: one with leading zeros, or one whose whole part
/// a float does not hold.
pub fn loses_identity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    // Nearly every number is settled here.
    if unsigned.len() <= 15 && !matches!(unsigned.as_bytes(), [b'0', b'0'..=b'9', ..]) {
        return false;
    }
    let (digits, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(digits) || !is_plain(decimals) {
        return false;
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return true;
    }
    if digits.len() <= 15 {
        return false;
    }
    // Decimals of a number this large are not held at all.
    let has_decimals = decimals.bytes().any(|byte| byte != b'0');
    let is_large = digits.parse().map_or(true, |whole: i128| !is_held(whole));
    is_large || has_decimals && digits.len() > 16
}

/// Returns whether a whole number is another one as a 64-bit float.
pub(crate) fn is_rounded(whole: i128) -> bool {
    (whole as f64) as i128 != whole
}

/// Returns whether a 64-bit float holds a whole number and no other is rounded to it.
pub(crate) fn is_held(whole: i128) -> bool {
    (1 - WHOLE_LIMIT..WHOLE_LIMIT).contains(&whole)
}

/// Returns the truth value that a word spells, as Python, JSON, R and spreadsheets write it.
pub fn parse_truth(word: &str) -> Option<bool> {
    match word {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Returns the one spelling of a truth value.
pub(crate) fn truth_word(truth: bool) -> &'static str {
    if truth { "true" } else { "false" }
}

/// A date, or a moment with or without a zone.
enum When {
    Local(DateTime),
    Utc(Timestamp),
}

impl When {
    /// Reads `2026-01-31`, `2026-01-31 10:00`, `2026-01-31T10:00:00.5` and the same with an offset.
    fn parse(word: &str) -> Option<Self> {
        let bytes = word.as_bytes();
        let is_dash = |at: usize| bytes.get(at) == Some(&b'-');
        if !(is_dash(4) && is_dash(7) && bytes.len() >= 10 && bytes[0].is_ascii_digit()) {
            return None;
        }
        let has_zone = bytes[10..]
            .iter()
            .any(|byte| b"Z+-".contains(byte) || *byte == b'z');
        match has_zone {
            true => word.parse().ok().map(Self::Utc),
            false => word.parse().ok().map(Self::Local),
        }
    }

    fn is_midnight(&self) -> bool {
        match self {
            Self::Local(moment) => moment.time() == Time::midnight(),
            Self::Utc(_) => false,
        }
    }

    /// Returns the one spelling, of a midnight without a zone that of its date.
    fn spelling(&self) -> String {
        match self {
            Self::Local(moment) if self.is_midnight() => moment.date().to_string(),
            Self::Local(moment) => moment.to_string(),
            Self::Utc(moment) => moment.to_string(),
        }
    }
}

/// Returns the one spelling of a date or a moment, a midnight without a zone as its date; `None` of other words.
pub fn spell_moment(word: &str) -> Option<String> {
    When::parse(word).map(|moment| moment.spelling())
}

/// In which order a day is written when it is no ISO date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateOrder {
    /// `31.01.2026`, `31/01/2026`, `31-01-2026`.
    DayFirst,
    /// `01/31/2026` and the same with points or dashes.
    MonthFirst,
}

/// Returns the one spelling of a date, with a time or without, whose year comes last; `None` of other words.
pub(crate) fn spell_date(word: &str, order: DateOrder) -> Option<String> {
    let word = word.trim();
    let (date, time) = word.split_once([' ', 'T']).unwrap_or((word, ""));
    let mark = ['.', '/', '-']
        .into_iter()
        .find(|mark| date.contains(*mark))?;
    let parts: Vec<&str> = date.split(mark).collect();
    let [first, second, year] = parts[..] else {
        return None;
    };
    let is_number = |part: &str, n: std::ops::RangeInclusive<usize>| {
        n.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_number(first, 1..=2) || !is_number(second, 1..=2) || !is_number(year, 4..=4) {
        return None;
    }
    let (day, month) = match order {
        DateOrder::DayFirst => (first, second),
        DateOrder::MonthFirst => (second, first),
    };
    let iso = format!("{year}-{month:0>2}-{day:0>2}");
    match time.is_empty() {
        true => spell_moment(&iso),
        false => spell_moment(&format!("{iso}T{time}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelling_that_a_float_would_merge_with_another_is_told() {
        for text in [
            "01",
            "-007",
            "001.5",
            "9007199254740992",
            "9007199254740992.00",
            "12345678901234567890",
        ] {
            assert!(loses_identity(text), "{text}");
        }
        for text in [
            "0",
            "10",
            "-5",
            "0.10",
            "1.0",
            "1e5",
            "9007199254740991",
            "",
        ] {
            assert!(!loses_identity(text), "{text}");
        }
        assert!(loses_identity(&"9".repeat(60)));
    }

    #[test]
    fn dates_are_read_in_the_order_that_is_declared() {
        let check = |word: &str, order: DateOrder, expected: Option<&str>| {
            assert_eq!(spell_date(word, order).as_deref(), expected, "{word}");
        };
        check("31.01.2026", DateOrder::DayFirst, Some("2026-01-31"));
        check("1/2/2026", DateOrder::DayFirst, Some("2026-02-01"));
        check("1/2/2026", DateOrder::MonthFirst, Some("2026-01-02"));
        check(
            "31-01-2026 10:00",
            DateOrder::DayFirst,
            Some("2026-01-31T10:00:00"),
        );
        for word in ["31.01.2026", "2026-01-31", "1.2", "1.2.26", "a.b.2026", ""] {
            check(word, DateOrder::MonthFirst, None);
        }
    }

    #[test]
    fn numbers_of_other_styles_are_rewritten_or_refused() {
        let german = NumberStyle {
            decimal: b',',
            thousands: Some(b'.'),
        };
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(plain_number(text, german).as_deref(), expected, "{text}");
        };
        check("1.234.567,5", Some("1234567.5"));
        check("-1.234", Some("-1234"));
        check("12,5", Some("12.5"));
        check("1.23", None);
        check("0.123", None);
        check("001.730", None);
        check("1234.567", None);
        check("1,2.3", None);
        let comma = NumberStyle {
            decimal: b',',
            thousands: None,
        };
        assert_eq!(plain_number("1.5", comma), None);
        assert_eq!(plain_number("1,5", comma).as_deref(), Some("1.5"));
    }
}
