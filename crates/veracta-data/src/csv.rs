//! Reads CSV: types declared or inferred from every row, problems reported with line and column.
//!
//! A column is numeric when every cell that is not missing is a number. What is not rectangular, not UTF-8 or not of a
//! declared type is refused rather than guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read, Seek, SeekFrom};

use csv::{ByteRecord, ReaderBuilder};

use crate::table::{
    BlankCells, CellPlace, Column, ColumnType, Interner, MixedColumn, ReadLimits, ReadReport,
    Table, TableError, Values, coded_type,
};

/// Rows looked at before the first guess at the types; a wrong guess costs a second pass, not a wrong type.
const GUESS_ROWS: u64 = 1000;

/// How cells are parted, read and limited.
#[derive(Debug, Clone)]
pub struct CsvOptions {
    /// Byte between cells, a comma by default.
    pub delimiter: u8,
    /// Cells that mean missing, after trimming; case matters.
    pub missing: Vec<String>,
    /// Declared types; the rest is inferred.
    pub types: BTreeMap<String, ColumnType>,
    /// Columns of words that are taken as they stand: not trimmed, and missing only when empty.
    pub verbatim: BTreeSet<String>,
    /// Most bytes, columns and bytes of a cell.
    pub limits: ReadLimits,
}

impl Default for CsvOptions {
    fn default() -> Self {
        let missing = ["", "NA", "N/A", "null", "NULL", "NaN", "nan", "?"]
            .map(str::to_owned)
            .to_vec();
        Self {
            delimiter: b',',
            missing,
            types: BTreeMap::new(),
            verbatim: BTreeSet::new(),
            limits: ReadLimits::default(),
        }
    }
}

/// One column while it is read.
struct Builder {
    name: String,
    declared: Option<ColumnType>,
    form: Form,
    verbatim: bool,
    n_numeric: u64,
    n_other: u64,
    first_other: Option<u64>,
    n_blank: u64,
    first_blank: Option<u64>,
    first_nan: Option<u64>,
    first_infinite: Option<u64>,
}

enum Form {
    Numbers(Vec<f64>),
    Text(Interner),
    /// Guessed to be numeric and found not to be: read again in the second pass.
    Abandoned,
    /// Finished in an earlier pass.
    Done(Values),
}

/// Reads a table and reports what was noticed.
pub fn read_csv<R: Read + Seek>(
    source: &mut R,
    options: &CsvOptions,
) -> Result<(Table, ReadReport), TableError> {
    let n_bytes = source.seek(SeekFrom::End(0))?;
    if n_bytes == 0 {
        return Err(TableError::Empty);
    }
    if n_bytes > options.limits.bytes_max {
        let what = format!("a file of {n_bytes} bytes");
        return Err(TableError::OverLimit {
            what,
            limit: options.limits.bytes_max,
        });
    }
    let names = read_header(source, options)?;
    for declared in options.types.keys() {
        if !names.contains(declared) {
            return Err(TableError::UnknownColumn {
                column: declared.clone(),
                columns: names,
            });
        }
    }
    let mut builders: Vec<Builder> = names
        .into_iter()
        .map(|name| Builder::new(name, options))
        .collect();
    let mut report = ReadReport::default();
    guess(source, options, &mut builders)?;
    let n_rows = read_pass(source, options, &mut builders, Some(&mut report));
    let n_rows = n_rows.map_err(|error| with_line(error, source))?;
    if builders
        .iter()
        .any(|builder| matches!(builder.form, Form::Abandoned))
    {
        for builder in &mut builders {
            let form = std::mem::replace(&mut builder.form, Form::Abandoned);
            builder.form = match form {
                Form::Abandoned => Form::Text(Interner::default()),
                finished => Form::Done(finished.into_values()),
            };
        }
        read_pass(source, options, &mut builders, None)?;
    }
    if n_rows == 0 {
        return Err(TableError::NoRows);
    }
    for builder in &builders {
        builder.note(&mut report, source)?;
    }
    Ok((
        Table {
            columns: builders.into_iter().map(Builder::finish).collect(),
            n_rows,
        },
        report,
    ))
}

fn reader<'r, R: Read + Seek>(
    source: &'r mut R,
    options: &CsvOptions,
) -> Result<csv::Reader<&'r mut R>, TableError> {
    source.seek(SeekFrom::Start(0))?;
    let mut builder = ReaderBuilder::new();
    // Rows of another length are let through here and refused by the caller, which can name their line.
    builder
        .delimiter(options.delimiter)
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(1 << 18);
    Ok(builder.from_reader(source))
}

fn read_header<R: Read + Seek>(
    source: &mut R,
    options: &CsvOptions,
) -> Result<Vec<String>, TableError> {
    let mut record = ByteRecord::new();
    if !reader(source, options)?.read_byte_record(&mut record)? {
        return Err(TableError::Empty);
    }
    if record.len() > options.limits.columns_max {
        let what = format!("a header of {} columns", record.len());
        return Err(TableError::OverLimit {
            what,
            limit: options.limits.columns_max as u64,
        });
    }
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    for (idx, cell) in record.iter().enumerate() {
        let name = std::str::from_utf8(cell).map_err(|_| TableError::NotUtf8 {
            line: 1,
            column: idx + 1,
        })?;
        let name = name.trim_start_matches('\u{feff}').trim();
        let refuse = |reason| TableError::Header {
            position: idx + 1,
            reason,
        };
        if name.is_empty() {
            return Err(refuse("the column has no name".to_owned()));
        }
        if let Some(first) = names.iter().position(|known| known == name) {
            return Err(refuse(format!(
                "the name `{name}` is taken by column {}",
                first + 1
            )));
        }
        names.push(name.to_owned());
    }
    if let [only] = &names[..]
        && let Some(separator) = [',', ';', '\t', '|']
            .into_iter()
            .find(|separator| only.contains(*separator))
    {
        return Err(TableError::WrongDelimiter {
            separator,
            delimiter: char::from(options.delimiter),
        });
    }
    Ok(names)
}

/// Looks at the first rows and makes columns with other text than numbers text from the start.
fn guess<R: Read + Seek>(
    source: &mut R,
    options: &CsvOptions,
    builders: &mut [Builder],
) -> Result<(), TableError> {
    let mut reader = reader(source, options)?;
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record)?;
    for _ in 0..GUESS_ROWS {
        if !reader.read_byte_record(&mut record)? {
            break;
        }
        for (builder, cell) in builders.iter_mut().zip(&record) {
            let Some(text) = std::str::from_utf8(cell).ok().map(str::trim) else {
                continue;
            };
            let is_guess = builder.declared.is_none() && matches!(builder.form, Form::Numbers(_));
            if is_guess
                && !options.missing.iter().any(|token| token == text)
                && parse_number(text).is_none()
            {
                builder.form = Form::Text(Interner::default());
            }
        }
    }
    Ok(())
}

/// Reads all rows into the builders that are not done and returns how many there were.
fn read_pass<R: Read + Seek>(
    source: &mut R,
    options: &CsvOptions,
    builders: &mut [Builder],
    mut report: Option<&mut ReadReport>,
) -> Result<usize, TableError> {
    let mut reader = reader(source, options)?;
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record)?;
    let mut n_rows = 0;
    while reader.read_byte_record(&mut record)? {
        // The library's own line count is off after blank lines and with two-byte line ends: places are kept as bytes and
        // turned into lines when one is reported.
        let line = record.position().map_or(0, csv::Position::byte);
        if record.len() != builders.len() {
            let (found, expected) = (record.len() as u64, builders.len() as u64);
            return Err(TableError::Ragged {
                line,
                found,
                expected,
            });
        }
        for (idx, (builder, cell)) in builders.iter_mut().zip(&record).enumerate() {
            if cell.len() > options.limits.cell_bytes_max {
                let (column, limit) = (builder.name.clone(), options.limits.cell_bytes_max as u64);
                return Err(TableError::CellOverLimit {
                    line,
                    column,
                    limit,
                });
            }
            let text = std::str::from_utf8(cell).map_err(|_| TableError::NotUtf8 {
                line,
                column: idx + 1,
            })?;
            builder.push(text, line, options, report.as_deref_mut());
        }
        n_rows += 1;
    }
    Ok(n_rows)
}

/// Returns the one-based line of the record that begins at a byte, blank lines before it not counted as part of it.
fn line_at<R: Read + Seek>(source: &mut R, byte: u64) -> Result<u64, TableError> {
    source.seek(SeekFrom::Start(0))?;
    let (mut line, mut offset) = (1, 0);
    for next in BufReader::with_capacity(1 << 18, source).bytes() {
        let next = next?;
        if offset >= byte && next != b'\r' && next != b'\n' {
            break;
        }
        line += u64::from(next == b'\n');
        offset += 1;
    }
    Ok(line)
}

/// Turns the byte in an error of a row into its line.
fn with_line<R: Read + Seek>(error: TableError, source: &mut R) -> TableError {
    match error {
        TableError::Ragged {
            line,
            found,
            expected,
        } => match line_at(source, line) {
            Ok(line) => TableError::Ragged {
                line,
                found,
                expected,
            },
            Err(error) => error,
        },
        TableError::CellOverLimit {
            line,
            column,
            limit,
        } => match line_at(source, line) {
            Ok(line) => TableError::CellOverLimit {
                line,
                column,
                limit,
            },
            Err(error) => error,
        },
        TableError::NotUtf8 { line, column } => match line_at(source, line) {
            Ok(line) => TableError::NotUtf8 { line, column },
            Err(error) => error,
        },
        other => other,
    }
}

/// Returns the number a cell holds; text that Rust would read as NaN is not a number.
fn parse_number(text: &str) -> Option<f64> {
    let starts_like_one = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_digit() || b"+-.iI".contains(&byte));
    starts_like_one
        .then(|| text.parse::<f64>().ok())
        .flatten()
        .filter(|value| !value.is_nan())
}

impl Builder {
    fn new(name: String, options: &CsvOptions) -> Self {
        let verbatim = options.verbatim.contains(&name);
        let declared = if verbatim {
            Some(ColumnType::Categorical)
        } else {
            options.types.get(&name).copied()
        };
        let form = match declared {
            None | Some(ColumnType::Numeric) => Form::Numbers(Vec::new()),
            Some(ColumnType::Categorical | ColumnType::Text) => Form::Text(Interner::default()),
        };
        Self {
            name,
            declared,
            form,
            verbatim,
            n_numeric: 0,
            n_other: 0,
            first_other: None,
            n_blank: 0,
            first_blank: None,
            first_nan: None,
            first_infinite: None,
        }
    }

    fn push(
        &mut self,
        text: &str,
        line: u64,
        options: &CsvOptions,
        report: Option<&mut ReadReport>,
    ) {
        if matches!(self.form, Form::Done(_)) {
            return;
        }
        if self.verbatim
            && let Form::Text(interner) = &mut self.form
        {
            if text.is_empty() {
                interner.push_missing()
            } else {
                interner.push(text)
            }
            return;
        }
        let cell = text.trim();
        let is_first_pass = report.is_some();
        if options.missing.iter().any(|token| token == cell) {
            if let Some(report) = report {
                self.count_missing(text, line, report);
            }
            self.form.push_missing();
        } else {
            self.push_present(cell, line, is_first_pass);
        }
    }

    /// Counts missing cells of the kinds that may be a mistake: a written "nan", and nothing but blanks.
    fn count_missing(&mut self, text: &str, line: u64, report: &mut ReadReport) {
        let cell = text.trim();
        if cell.eq_ignore_ascii_case("nan") {
            report.n_nan_text += 1;
            self.first_nan.get_or_insert(line);
        }
        if cell.is_empty() && !text.is_empty() {
            self.n_blank += 1;
            self.first_blank.get_or_insert(line);
        }
    }

    fn push_present(&mut self, cell: &str, line: u64, is_first_pass: bool) {
        match &mut self.form {
            Form::Numbers(values) => match parse_number(cell) {
                Some(value) => {
                    self.n_numeric += 1;
                    if value.is_infinite() {
                        self.first_infinite.get_or_insert(line);
                    }
                    values.push(value);
                }
                None => {
                    self.n_other += 1;
                    self.first_other.get_or_insert(line);
                    match self.declared {
                        // Refused when all rows are read, so that the error counts every such cell.
                        Some(_) => values.push(f64::NAN),
                        None => self.form = Form::Abandoned,
                    }
                }
            },
            Form::Text(interner) => {
                interner.push(cell);
                if self.declared.is_none() && is_first_pass {
                    match parse_number(cell) {
                        Some(_) => self.n_numeric += 1,
                        None => {
                            self.n_other += 1;
                            self.first_other.get_or_insert(line);
                        }
                    }
                }
            }
            Form::Abandoned => match parse_number(cell) {
                Some(_) => self.n_numeric += 1,
                None => self.n_other += 1,
            },
            Form::Done(_) => {}
        }
    }

    /// Refuses cells that contradict a declaration and reports what a person should know.
    fn note<R: Read + Seek>(
        &self,
        report: &mut ReadReport,
        source: &mut R,
    ) -> Result<(), TableError> {
        let mut place = |byte: u64| -> Result<CellPlace, TableError> {
            Ok(CellPlace {
                line: line_at(source, byte)?,
                column: self.name.clone(),
            })
        };
        if let Some(line) = self.first_other {
            if self.declared == Some(ColumnType::Numeric) {
                return Err(TableError::NotNumeric {
                    n_cells: self.n_other as usize,
                    first: place(line)?,
                });
            }
            if self.n_numeric > self.n_other {
                let (n_numeric, n_other) = (self.n_numeric, self.n_other);
                report.mixed.push(MixedColumn {
                    first: place(line)?,
                    n_numeric,
                    n_other,
                });
            }
        }
        if let Some(line) = self.first_blank {
            report.blank.push(BlankCells {
                first: place(line)?,
                n_cells: self.n_blank,
            });
        }
        if let Form::Numbers(values) | Form::Done(Values::Numeric(values)) = &self.form {
            report.n_infinite += values.iter().filter(|value| value.is_infinite()).count() as u64;
            if let Some(line) = self
                .first_infinite
                .filter(|_| report.first_infinite.is_none())
            {
                report.first_infinite = Some(place(line)?);
            }
        }
        if let Some(line) = self.first_nan.filter(|_| report.first_nan_text.is_none()) {
            report.first_nan_text = Some(place(line)?);
        }
        Ok(())
    }

    fn finish(self) -> Column {
        let values = self.form.into_values();
        let inferred = match &values {
            Values::Numeric(_) => ColumnType::Numeric,
            Values::Coded(coded) => coded_type(coded),
        };
        Column {
            name: self.name,
            column_type: self.declared.unwrap_or(inferred),
            values,
        }
    }
}

impl Form {
    fn push_missing(&mut self) {
        match self {
            Self::Numbers(values) => values.push(f64::NAN),
            Self::Text(interner) => interner.push_missing(),
            Self::Abandoned | Self::Done(_) => {}
        }
    }

    fn into_values(self) -> Values {
        match self {
            Self::Numbers(values) => Values::Numeric(values),
            Self::Text(interner) => Values::Coded(interner.finish()),
            Self::Done(values) => values,
            Self::Abandoned => {
                unreachable!("an abandoned column is read again before it is finished")
            }
        }
    }
}
