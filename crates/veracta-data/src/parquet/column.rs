//! One column of a Parquet file while it is read: each cell from its stored form into a number or a word.

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{AsBytes, DataType};

use super::meaning::Meaning;
use crate::reading::ColumnRules;
use crate::spelling::{is_held, is_number_mark, is_rounded, truth_word};
use crate::table::{TableError, Values};
use crate::words::Interner;

/// Rows decoded at once.
const BATCH_ROWS: usize = 1 << 16;

/// Cells on their way into a column.
pub(super) struct Builder<'o> {
    rules: &'o ColumnRules,
    /// Numbers that are declared missing.
    number_marks: Vec<f64>,
    pub(super) form: Form,
    /// Whole numbers that a float does not hold.
    pub(super) n_merged: u64,
    /// Whole numbers that are another one as a float.
    pub(super) n_rounded: u64,
    /// Words of white space alone, taken for missing.
    pub(super) n_blank: u64,
    /// Words that are missing among numbers.
    pub(super) n_marks: u64,
}

pub(super) enum Form {
    Numbers(Vec<f64>),
    Text(Interner),
}

impl Form {
    pub(super) fn into_values(self) -> Values {
        match self {
            Self::Numbers(values) => Values::Numeric(values),
            Self::Text(interner) => Values::Coded(interner.finish()),
        }
    }
}

/// Why a cell is refused.
pub(super) type Refusal = &'static str;

const NOT_UTF_8: Refusal = "bytes that are not UTF-8";
const OUT_OF_RANGE: Refusal = "a date or time beyond the years -9999 to 9999";
const MIXED: Refusal = "cells of another type than the file states";

impl<'o> Builder<'o> {
    pub(super) fn new(rules: &'o ColumnRules, is_number: bool) -> Self {
        let form = match is_number {
            true => Form::Numbers(Vec::new()),
            false => Form::Text(Interner::default()),
        };
        Self {
            rules,
            number_marks: rules.number_marks(),
            form,
            n_merged: 0,
            n_rounded: 0,
            n_blank: 0,
            n_marks: 0,
        }
    }

    /// Takes the cells of one row group. The outer error is the file's, the inner one a cell's.
    pub(super) fn push_group(
        &mut self,
        column: ColumnReader,
        meaning: Meaning,
    ) -> Result<Result<(), Refusal>, TableError> {
        match column {
            ColumnReader::BoolColumnReader(reader) => self
                .push_cells(reader, |builder, value: &bool| {
                    builder.push_text(truth_word(*value))
                }),
            ColumnReader::Int32ColumnReader(reader) => {
                self.push_cells(reader, |builder, value: &i32| match meaning {
                    Meaning::Number { is_signed: false } => {
                        builder.push_digits(i128::from(*value as u32))
                    }
                    _ => builder.push_whole(i64::from(*value), meaning),
                })
            }
            ColumnReader::Int64ColumnReader(reader) => {
                self.push_cells(reader, |builder, value: &i64| match meaning {
                    Meaning::Number { is_signed: false } => {
                        builder.push_digits(i128::from(*value as u64))
                    }
                    _ => builder.push_whole(*value, meaning),
                })
            }
            ColumnReader::Int96ColumnReader(reader) => {
                self.push_cells(reader, |builder, value: &parquet::data_type::Int96| {
                    builder.push_whole(value.to_nanos(), meaning)
                })
            }
            ColumnReader::FloatColumnReader(reader) => {
                self.push_cells(reader, |builder, value: &f32| builder.push_float(*value))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                self.push_cells(reader, |builder, value: &f64| builder.push_number(*value))
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                self.push_cells(reader, |builder, value: &parquet::data_type::ByteArray| {
                    builder.push_bytes(value.as_bytes(), meaning)
                })
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => self.push_cells(
                reader,
                |builder, value: &parquet::data_type::FixedLenByteArray| {
                    builder.push_bytes(value.as_bytes(), meaning)
                },
            ),
        }
    }

    fn push_cells<T: DataType>(
        &mut self,
        mut reader: ColumnReaderImpl<T>,
        push: impl Fn(&mut Self, &T::T) -> Result<(), Refusal>,
    ) -> Result<Result<(), Refusal>, TableError> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        loop {
            levels.clear();
            values.clear();
            let (n_rows, n_values, _) =
                reader.read_records(BATCH_ROWS, Some(&mut levels), None, &mut values)?;
            if n_rows == 0 {
                return Ok(Ok(()));
            }
            // A column that is required has no levels: every cell is there.
            if levels.is_empty() {
                levels.resize(n_rows, 1);
            }
            let (Some(levels), Some(values)) = (levels.get(..n_rows), values.get(..n_values))
            else {
                return Ok(Err(MIXED));
            };
            let mut present = values.iter();
            for level in levels {
                let is_present = *level > 0;
                let value = if is_present { present.next() } else { None };
                let pushed = match value {
                    Some(value) => push(self, value),
                    None => {
                        self.push_missing();
                        Ok(())
                    }
                };
                if let Err(refusal) = pushed {
                    return Ok(Err(refusal));
                }
            }
        }
    }

    fn push_missing(&mut self) {
        match &mut self.form {
            Form::Numbers(values) => values.push(f64::NAN),
            Form::Text(interner) => interner.push_missing(),
        }
    }

    fn push_number(&mut self, value: f64) -> Result<(), Refusal> {
        let is_missing = value.is_nan() || self.number_marks.contains(&value);
        match &mut self.form {
            Form::Numbers(values) if is_missing => values.push(f64::NAN),
            Form::Numbers(values) => values.push(value),
            // Declared a category: spelt as a CSV file has it.
            Form::Text(interner) if is_missing => interner.push_missing(),
            Form::Text(interner) => interner.push(&spelt(value)),
        }
        Ok(())
    }

    fn push_float(&mut self, value: f32) -> Result<(), Refusal> {
        let wide = f64::from(value);
        let is_missing = value.is_nan() || self.number_marks.contains(&wide);
        match &mut self.form {
            Form::Text(interner) if !is_missing => interner.push(&format!("{value:?}")),
            Form::Numbers(_) | Form::Text(_) => return self.push_number(wide),
        }
        Ok(())
    }

    /// Takes a whole number, of which a category keeps every digit.
    fn push_digits(&mut self, whole: i128) -> Result<(), Refusal> {
        if !is_held(whole) {
            self.n_merged += 1;
            self.n_rounded += u64::from(is_rounded(whole));
        }
        match &mut self.form {
            Form::Numbers(_) => return self.push_number(whole as f64),
            Form::Text(_) if self.number_marks.contains(&(whole as f64)) => self.push_missing(),
            Form::Text(interner) => interner.push(&whole.to_string()),
        }
        Ok(())
    }

    /// Takes a decimal number of `scale` digits after the point.
    fn push_decimal(&mut self, whole: Option<i128>, scale: i32, near: f64) -> Result<(), Refusal> {
        let Some(whole) = whole else {
            self.n_merged += 1;
            return self.push_number(scaled(near, scale));
        };
        if scale == 0 {
            return self.push_digits(whole);
        }
        if !is_held(whole) && !is_near(whole, scale) {
            self.n_merged += 1;
            if let Form::Text(interner) = &mut self.form {
                interner.push(&decimal(whole, scale));
                return Ok(());
            }
        }
        self.push_number(scaled(near, scale))
    }

    fn push_text(&mut self, text: &str) -> Result<(), Refusal> {
        let Form::Text(interner) = &mut self.form else {
            return Err(MIXED);
        };
        let cell = text.trim();
        if text.is_empty() && !self.rules.keeps_empty {
            interner.push_missing();
        } else if self.rules.is_verbatim {
            match self.rules.is_mark(text) {
                true => interner.push_missing(),
                false => interner.push(text),
            }
        } else if cell.is_empty() {
            self.n_blank += 1;
            interner.push_missing();
        } else if self.rules.is_mark(cell) {
            interner.push_missing();
        } else {
            self.n_marks += u64::from(is_number_mark(cell));
            interner.push(text);
        }
        Ok(())
    }

    fn push_whole(&mut self, value: i64, meaning: Meaning) -> Result<(), Refusal> {
        match meaning {
            Meaning::Number { .. } => self.push_digits(i128::from(value)),
            Meaning::Decimal { scale } => {
                self.push_decimal(Some(i128::from(value)), scale, value as f64)
            }
            Meaning::Date => {
                let days = Span::new().try_days(value).map_err(|_| OUT_OF_RANGE)?;
                let date = Date::constant(1970, 1, 1).checked_add(days);
                self.push_text(&date.map_err(|_| OUT_OF_RANGE)?.to_string())
            }
            Meaning::Time { units_a_second } => {
                self.push_text(&time_of_day(value, units_a_second)?)
            }
            Meaning::Moment {
                units_a_second,
                is_utc,
            } => self.push_text(&moment(value, units_a_second, is_utc)?),
            Meaning::Truth | Meaning::Text | Meaning::Half | Meaning::Uuid => Err(MIXED),
        }
    }

    fn push_bytes(&mut self, bytes: &[u8], meaning: Meaning) -> Result<(), Refusal> {
        match meaning {
            Meaning::Text => self.push_text(std::str::from_utf8(bytes).map_err(|_| NOT_UTF_8)?),
            Meaning::Decimal { scale } => {
                let (whole, near) = whole_of(bytes);
                self.push_decimal(whole, scale, near)
            }
            Meaning::Half => match bytes {
                [low, high] => self.push_number(half(u16::from_le_bytes([*low, *high]))),
                _ => Err(MIXED),
            },
            Meaning::Uuid => match bytes.len() {
                16 => self.push_text(&uuid(bytes)),
                _ => Err(MIXED),
            },
            Meaning::Number { .. }
            | Meaning::Truth
            | Meaning::Date
            | Meaning::Time { .. }
            | Meaning::Moment { .. } => Err(MIXED),
        }
    }
}

/// Divides a whole number by a power of ten.
fn scaled(whole: f64, scale: i32) -> f64 {
    // Powers of ten are exact up to 22; multiplying by a fraction would round twice.
    if scale >= 0 {
        whole / 10f64.powi(scale)
    } else {
        whole * 10f64.powi(-scale)
    }
}

/// Returns whether a decimal number is the shortest spelling of the float nearest to it, so that no other is rounded to that.
fn is_near(whole: i128, scale: i32) -> bool {
    let spelt = decimal(whole, scale);
    let Ok(number) = spelt.parse::<f64>() else {
        return false;
    };
    number.to_string() == spelt
}

/// Spells a whole number divided by a power of ten, without zeros at the end.
fn decimal(whole: i128, scale: i32) -> String {
    let Ok(n_decimals) = usize::try_from(scale) else {
        return format!("{whole}{}", "0".repeat(scale.unsigned_abs() as usize));
    };
    let digits = format!("{:0>1$}", whole.unsigned_abs(), n_decimals + 1);
    let (before, after) = digits.split_at(digits.len() - n_decimals);
    let after = after.trim_end_matches('0');
    let sign = if whole < 0 { "-" } else { "" };
    match after {
        "" => format!("{sign}{before}"),
        after => format!("{sign}{before}.{after}"),
    }
}

/// Most significant digits of the decimals that a column of 32-bit floats is taken to hold: 32 bits tell every decimal of so few digits from
/// every other.
const DIGITS_MAX: i32 = 6;

/// Returns the decimals that 32-bit floats print as, as a CSV file of the same rows has them; `None` when one has more digits: the column
/// then holds measurements, and the floats themselves.
pub(super) fn as_decimals(values: &[f64]) -> Option<Vec<f64>> {
    values.iter().map(|value| as_decimal(*value)).collect()
}

fn as_decimal(value: f64) -> Option<f64> {
    if !value.is_finite() {
        return Some(value);
    }
    let limit = 10f64.powi(DIGITS_MAX);
    for power in [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6] {
        // A whole number over a power of ten: a 64-bit float holds both.
        let whole = (value * power).round();
        if whole.abs() >= limit {
            return None;
        }
        let near = whole / power;
        if near as f32 == value as f32 {
            return Some(near);
        }
    }
    None
}

/// Spells a float as a CSV file of a library does: with a point, so that it is told from a whole number.
fn spelt(value: f64) -> String {
    format!("{value:?}")
}

/// Reads a whole number of any length, two's complement, the most significant byte first: exactly up to sixteen bytes, and the float
/// nearest to it.
fn whole_of(bytes: &[u8]) -> (Option<i128>, f64) {
    let is_negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let start = if is_negative { -1.0 } else { 0.0 };
    if bytes.len() <= 16 {
        let fill = if is_negative { 0xff } else { 0 };
        let mut whole = [fill; 16];
        whole[16 - bytes.len()..].copy_from_slice(bytes);
        let whole = i128::from_be_bytes(whole);
        return (Some(whole), whole as f64);
    }
    let near = bytes
        .iter()
        .fold(start, |whole, byte| whole * 256.0 + f64::from(*byte));
    (None, near)
}

/// Reads an IEEE 754 binary16 number.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}

fn uuid(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

/// Returns seconds and nanoseconds of a number of units.
fn duration(value: i64, units_a_second: i64) -> SignedDuration {
    let nanos = value.rem_euclid(units_a_second) * (1_000_000_000 / units_a_second);
    SignedDuration::new(value.div_euclid(units_a_second), 0) + SignedDuration::from_nanos(nanos)
}

fn time_of_day(value: i64, units_a_second: i64) -> Result<String, Refusal> {
    let midnight = jiff::civil::Time::midnight();
    let time = midnight.checked_add(duration(value, units_a_second));
    Ok(time.map_err(|_| OUT_OF_RANGE)?.to_string())
}

fn moment(value: i64, units_a_second: i64, is_utc: bool) -> Result<String, Refusal> {
    let moment = Timestamp::UNIX_EPOCH.checked_add(duration(value, units_a_second));
    let moment = moment.map_err(|_| OUT_OF_RANGE)?;
    if is_utc {
        return Ok(moment.to_string());
    }
    Ok(moment
        .to_zoned(jiff::tz::TimeZone::UTC)
        .datetime()
        .to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_bytes_are_those_they_stand_for() {
        let check =
            |bytes: &[u8], expected: f64| assert_eq!(whole_of(bytes).1, expected, "{bytes:?}");
        check(&[], 0.0);
        check(&[0x7f], 127.0);
        check(&[0x80], -128.0);
        check(&[0xff, 0xff], -1.0);
        check(&[0x01, 0x00, 0x00], 65_536.0);
        check(&[0; 20], 0.0);
        assert_eq!(whole_of(&[0x01, 0x00]).0, Some(256));
        assert_eq!(whole_of(&[0; 20]).0, None);
        assert_eq!(decimal(12_345, 2), "123.45");
        assert_eq!(decimal(-5, 3), "-0.005");
        assert_eq!(decimal(1_000, 2), "10");
        assert_eq!(decimal(7, -2), "700");
        assert!(is_near(10_000_005_000_000_000, 10));
        assert!(!is_near(123_456_789_012_345_678, 2));
        let floats =
            |values: &[f32]| -> Vec<f64> { values.iter().copied().map(f64::from).collect() };
        let short = floats(&[0.1, 0.7, -12.5, 0.0, 123_456.0]);
        let decimals = [0.1, 0.7, -12.5, 0.0, 123_456.0];
        assert_eq!(as_decimals(&short).as_deref(), Some(&decimals[..]));
        for long in [1.0 / 3.0, 1e-9, 16_777_216.0] {
            assert_eq!(as_decimals(&floats(&[0.1, long])), None, "{long}");
        }
        assert!(as_decimals(&[f64::NAN, f64::INFINITY]).is_some());
        assert_eq!(scaled(12_345.0, 2), 123.45);
        assert_eq!(scaled(-5.0, -3), -5_000.0);
        let check = |bits: u16, expected: f64| assert_eq!(half(bits), expected, "{bits:#x}");
        check(0x3c00, 1.0);
        check(0xc000, -2.0);
        check(0x0001, 2f64.powi(-24));
        check(0x7bff, 65_504.0);
        check(0xfc00, f64::NEG_INFINITY);
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn moments_have_one_spelling() {
        let check = |value: i64, units: i64, is_utc: bool, expected: &str| {
            assert_eq!(moment(value, units, is_utc).as_deref(), Ok(expected));
        };
        check(0, 1_000, true, "1970-01-01T00:00:00Z");
        check(-1, 1_000, false, "1969-12-31T23:59:59.999");
        check(1_769_846_400_500, 1_000, false, "2026-01-31T08:00:00.5");
        check(
            1_769_846_400_000_001,
            1_000_000,
            true,
            "2026-01-31T08:00:00.000001Z",
        );
        assert_eq!(moment(i64::MAX, 1_000, true), Err(OUT_OF_RANGE));
        assert_eq!(time_of_day(36_000_000, 1_000).as_deref(), Ok("10:00:00"));
        assert_eq!(uuid(&[0xab; 16]), "abababab-abab-abab-abab-abababababab");
    }
}
