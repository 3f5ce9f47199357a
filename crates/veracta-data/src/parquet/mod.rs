//! Reads Parquet into a [`Table`]: numbers, text, truth values, dates and times.
//!
//! Columns are read from the file's own pages, one at a time, without Arrow in between: what a cell means is decided here, from the
//! physical and logical type that the file states (Apache Parquet, LogicalTypes). Numbers become 64-bit floats; everything else
//! becomes text in one spelling: `true`, `2026-01-31`, `2026-01-31T10:00:00`, with `Z` for a moment in UTC. Bytes that are not UTF-8
//! are refused, never taken for missing.

mod meaning;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{AsBytes, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::schema::types::Type;

use meaning::{Meaning, meaning_of};

use crate::table::{
    Column, ColumnType, Interner, ReadLimits, ReadReport, Table, TableError, Values, coded_type,
};

/// Most cells read from one file: 2^28 cells of 8 bytes are 2 GiB.
const CELLS_LIMIT: u64 = 1 << 28;

/// Rows decoded at once.
const BATCH_ROWS: usize = 1 << 16;

/// A column of the file.
struct Field {
    name: String,
    /// Position among the leaves; `None` of a list, a map or a structure.
    leaf: Option<usize>,
    /// `None` of a type that is not read.
    meaning: Option<Meaning>,
    /// The type in words, for messages.
    words: String,
}

/// An open file.
struct Source<R: ChunkReader + 'static> {
    reader: SerializedFileReader<R>,
    fields: Vec<Field>,
    n_rows: usize,
}

/// Cells on their way into a column.
enum Builder {
    Numbers(Vec<f64>),
    Text(Interner),
}

impl<R: ChunkReader + 'static> Source<R> {
    fn open(source: R, limits: ReadLimits) -> Result<Self, TableError> {
        if source.len() > limits.bytes_max {
            return Err(TableError::OverLimit {
                what: format!("a file of {} bytes", source.len()),
                limit: limits.bytes_max,
            });
        }
        let reader = SerializedFileReader::new(source)?;
        let metadata = reader.metadata().file_metadata();
        let schema = metadata.schema_descr();
        let roots = schema.root_schema().get_fields().iter().enumerate();
        let field = |(root, field): (usize, &std::sync::Arc<Type>)| {
            let mut leaves = 0..schema.num_columns();
            let leaf = leaves.find(|leaf| schema.get_column_root_idx(*leaf) == root);
            let leaf = leaf
                .filter(|leaf| field.is_primitive() && schema.column(*leaf).max_rep_level() == 0);
            let column = leaf.map(|leaf| schema.column(leaf));
            Field {
                name: field.name().to_owned(),
                leaf,
                meaning: column.as_ref().and_then(|column| meaning_of(column)),
                words: column.map_or_else(
                    || "a list, a map or a structure".to_owned(),
                    |column| format!("{:?} {:?}", column.physical_type(), column.converted_type()),
                ),
            }
        };
        let fields: Vec<Field> = roots.map(field).collect();
        let n_rows = usize::try_from(metadata.num_rows()).unwrap_or(0);
        let n_cells = (n_rows as u64).saturating_mul(fields.len() as u64);
        if fields.len() > limits.columns_max || n_cells > CELLS_LIMIT {
            return Err(TableError::OverLimit {
                what: format!("a table of {n_rows} rows and {} columns", fields.len()),
                limit: CELLS_LIMIT,
            });
        }
        Ok(Self {
            reader,
            fields,
            n_rows,
        })
    }

    fn names(&self) -> Vec<String> {
        self.fields.iter().map(|field| field.name.clone()).collect()
    }

    /// Reads one column; `declared` may make a number a category.
    fn column(
        &self,
        field: &Field,
        declared: Option<ColumnType>,
        report: &mut ReadReport,
    ) -> Result<Column, TableError> {
        let refuse = |found: &str| TableError::ColumnType {
            column: field.name.clone(),
            found: found.to_owned(),
        };
        let (Some(leaf), Some(meaning)) = (field.leaf, field.meaning) else {
            return Err(refuse(&field.words));
        };
        let is_number = meaning.is_number() && matches!(declared, None | Some(ColumnType::Numeric));
        let mut builder = match is_number {
            true => Builder::Numbers(Vec::with_capacity(self.n_rows)),
            false => Builder::Text(Interner::default()),
        };
        for group in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(group)?;
            let column = group.get_column_reader(leaf)?;
            let pushed = builder.push_group(column, meaning)?;
            pushed.map_err(refuse)?;
        }
        let (inferred, values) = match builder {
            Builder::Numbers(values) => {
                let infinite = values.iter().filter(|value| value.is_infinite());
                report.n_infinite += infinite.count() as u64;
                (ColumnType::Numeric, Values::Numeric(values))
            }
            Builder::Text(interner) => {
                let coded = interner.finish();
                (coded_type(&coded), Values::Coded(coded))
            }
        };
        if declared == Some(ColumnType::Numeric) && inferred != ColumnType::Numeric {
            return Err(refuse("text, which is declared numeric"));
        }
        let n_cells = match &values {
            Values::Numeric(numbers) => numbers.len(),
            Values::Coded(coded) => coded.codes.len(),
        };
        // The number of rows is stated apart from the columns, and a hostile file may state another.
        if n_cells != self.n_rows {
            let (name, n_rows) = (&field.name, self.n_rows);
            let found =
                format!("column `{name}` has {n_cells} cells, the file states {n_rows} rows");
            return Err(ParquetError::General(found).into());
        }
        Ok(Column {
            name: field.name.clone(),
            column_type: declared.unwrap_or(inferred),
            values,
        })
    }
}

/// Reads a table. `types` may declare a numeric column categorical; a text column cannot be declared numeric.
pub fn read_parquet<R: ChunkReader + 'static>(
    source: R,
    types: &BTreeMap<String, ColumnType>,
    limits: ReadLimits,
) -> Result<(Table, ReadReport), TableError> {
    let source = Source::open(source, limits)?;
    let names = source.names();
    check_names(&names)?;
    if let Some(column) = types.keys().find(|declared| !names.contains(declared)) {
        return Err(TableError::UnknownColumn {
            column: column.clone(),
            columns: names,
        });
    }
    let mut report = ReadReport::default();
    let mut columns = Vec::with_capacity(names.len());
    for field in &source.fields {
        let declared = types.get(&field.name).copied();
        columns.push(source.column(field, declared, &mut report)?);
    }
    if source.n_rows == 0 || columns.is_empty() {
        return Err(TableError::NoRows);
    }
    let n_rows = source.n_rows;
    Ok((Table { columns, n_rows }, report))
}

/// Refuses blank and repeated names.
fn check_names(names: &[String]) -> Result<(), TableError> {
    for (position, name) in names.iter().enumerate() {
        let reason = if name.trim().is_empty() {
            "the column has no name"
        } else if names[..position].contains(name) {
            "the name is taken by another column"
        } else {
            continue;
        };
        return Err(TableError::Header {
            position: position + 1,
            reason: reason.to_owned(),
        });
    }
    Ok(())
}

/// Returns the number of rows and the names of the columns, without reading any.
pub fn parquet_columns<R: ChunkReader + 'static>(
    source: R,
    limits: ReadLimits,
) -> Result<(usize, Vec<String>), TableError> {
    let source = Source::open(source, limits)?;
    Ok((source.n_rows, source.names()))
}

/// Reads one column, so that a table larger than memory can be measured column by column.
pub fn read_parquet_column<R: ChunkReader + 'static>(
    source: R,
    name: &str,
) -> Result<Column, TableError> {
    let limits = ReadLimits {
        bytes_max: u64::MAX,
        ..ReadLimits::default()
    };
    let source = Source::open(source, limits)?;
    let field = source.fields.iter().find(|field| field.name == name);
    let field = field.ok_or_else(|| TableError::UnknownColumn {
        column: name.to_owned(),
        columns: source.names(),
    })?;
    source.column(field, None, &mut ReadReport::default())
}

/// Why a cell is refused.
type Refusal = &'static str;

const NOT_UTF_8: Refusal = "bytes that are not UTF-8";
const OUT_OF_RANGE: Refusal = "a date or time beyond the years -9999 to 9999";
const MIXED: Refusal = "cells of another type than the file states";

impl Builder {
    /// Takes the cells of one row group. The outer error is the file's, the inner one a cell's.
    fn push_group(
        &mut self,
        column: ColumnReader,
        meaning: Meaning,
    ) -> Result<Result<(), Refusal>, TableError> {
        match column {
            ColumnReader::BoolColumnReader(reader) => self
                .push_cells(reader, |builder, value: &bool| {
                    builder.push_text(if *value { "true" } else { "false" })
                }),
            ColumnReader::Int32ColumnReader(reader) => {
                self.push_cells(reader, |builder, value: &i32| match meaning {
                    Meaning::Number { is_signed: false } => {
                        builder.push_number(f64::from(*value as u32))
                    }
                    _ => builder.push_whole(i64::from(*value), meaning),
                })
            }
            ColumnReader::Int64ColumnReader(reader) => {
                self.push_cells(reader, |builder, value: &i64| match meaning {
                    Meaning::Number { is_signed: false } => {
                        builder.push_number(*value as u64 as f64)
                    }
                    _ => builder.push_whole(*value, meaning),
                })
            }
            ColumnReader::Int96ColumnReader(reader) => {
                self.push_cells(reader, |builder, value: &parquet::data_type::Int96| {
                    builder.push_whole(value.to_nanos(), meaning)
                })
            }
            ColumnReader::FloatColumnReader(reader) => self
                .push_cells(reader, |builder, value: &f32| {
                    builder.push_number(f64::from(*value))
                }),
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
            let (n_rows, n_values, n_levels) =
                reader.read_records(BATCH_ROWS, Some(&mut levels), None, &mut values)?;
            if n_rows == 0 {
                return Ok(Ok(()));
            }
            // A column that is required has no levels: every cell is there.
            if n_levels == 0 {
                levels.resize(n_rows, 1);
            }
            let mut present = values[..n_values].iter();
            for level in &levels[..n_rows] {
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
        match self {
            Self::Numbers(values) => values.push(f64::NAN),
            Self::Text(interner) => interner.push_missing(),
        }
    }

    fn push_number(&mut self, value: f64) -> Result<(), Refusal> {
        match self {
            Self::Numbers(values) => values.push(value),
            // Declared a category: NaN is missing there too, and a number is spelt as short as it can be.
            Self::Text(interner) if value.is_nan() => interner.push_missing(),
            Self::Text(interner) => interner.push(&value.to_string()),
        }
        Ok(())
    }

    fn push_text(&mut self, text: &str) -> Result<(), Refusal> {
        match self {
            Self::Numbers(_) => return Err(MIXED),
            Self::Text(interner) => interner.push(text),
        }
        Ok(())
    }

    fn push_whole(&mut self, value: i64, meaning: Meaning) -> Result<(), Refusal> {
        match meaning {
            Meaning::Number { .. } => match self {
                Self::Numbers(values) => values.push(value as f64),
                // A category keeps every digit.
                Self::Text(interner) => interner.push(&value.to_string()),
            },
            Meaning::Decimal { scale } => return self.push_number(scaled(value as f64, scale)),
            Meaning::Date => {
                let date = Date::constant(1970, 1, 1).checked_add(value.days());
                return self.push_text(&date.map_err(|_| OUT_OF_RANGE)?.to_string());
            }
            Meaning::Time { units_a_second } => {
                return self.push_text(&time_of_day(value, units_a_second)?);
            }
            Meaning::Moment {
                units_a_second,
                is_utc,
            } => return self.push_text(&moment(value, units_a_second, is_utc)?),
            Meaning::Truth | Meaning::Text | Meaning::Half | Meaning::Uuid => return Err(MIXED),
        }
        Ok(())
    }

    fn push_bytes(&mut self, bytes: &[u8], meaning: Meaning) -> Result<(), Refusal> {
        match meaning {
            Meaning::Text => self.push_text(std::str::from_utf8(bytes).map_err(|_| NOT_UTF_8)?),
            Meaning::Decimal { scale } => self.push_number(scaled(whole_of(bytes), scale)),
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

/// Reads a whole number of any length: two's complement, the most significant byte first.
fn whole_of(bytes: &[u8]) -> f64 {
    let is_negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let start = if is_negative { -1.0 } else { 0.0 };
    if bytes.len() <= 16 {
        let fill = if is_negative { 0xff } else { 0 };
        let mut whole = [fill; 16];
        whole[16 - bytes.len()..].copy_from_slice(bytes);
        return i128::from_be_bytes(whole) as f64;
    }
    bytes
        .iter()
        .fold(start, |whole, byte| whole * 256.0 + f64::from(*byte))
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
            |bytes: &[u8], expected: f64| assert_eq!(whole_of(bytes), expected, "{bytes:?}");
        check(&[], 0.0);
        check(&[0x7f], 127.0);
        check(&[0x80], -128.0);
        check(&[0xff, 0xff], -1.0);
        check(&[0x01, 0x00, 0x00], 65_536.0);
        check(&[0; 20], 0.0);
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
