//! Reads CSV by the rules of [`crate::reading`]: types declared or inferred from every row, problems reported with line and column.
//!
//! What is not rectangular, not UTF-8 or not of a declared type is refused rather than guessed. An empty line is a missing cell in a
//! file of one column, and no row in any other.

mod column;
mod layout;

use std::io::{Read, Seek, SeekFrom};

use csv::ByteRecord;

use crate::reading::ReadOptions;
use crate::table::{ReadReport, Table, TableError};
use crate::words::Interner;
use column::{Builder, Cell, Form};
use layout::Layout;

/// Rows looked at before the first guess at the types; a wrong guess costs a second pass, not a wrong type.
const GUESS_ROWS: u64 = 1000;

/// Reads a table and reports what was noticed.
pub fn read_csv<R: Read + Seek>(
    source: &mut R,
    options: &ReadOptions,
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
    let mut layout = Layout::of(source, options.delimiter)?;
    let names = read_header(source, &layout, options)?;
    if let Some(declared) = options.declared_beside(&names) {
        return Err(TableError::UnknownColumn {
            column: declared.clone(),
            columns: names,
        });
    }
    if names.len() == 1 {
        layout.find_gaps(source)?;
    }
    let mut builders: Vec<Builder> = names
        .into_iter()
        .map(|name| Builder::new(name, options))
        .collect();
    guess(source, &layout, options, &mut builders)?;
    let n_rows = read_pass(source, &layout, options, &mut builders, true);
    let n_rows = n_rows.map_err(|error| with_line(error, source, &layout))?;
    let is_abandoned = |builder: &Builder| matches!(builder.form, Form::Abandoned);
    if builders.iter().any(is_abandoned) {
        for builder in &mut builders {
            let form = std::mem::replace(&mut builder.form, Form::Abandoned);
            builder.form = match form {
                Form::Abandoned => Form::Text(Interner::default()),
                finished => Form::Done(finished.into_values()),
            };
        }
        read_pass(source, &layout, options, &mut builders, false)?;
    }
    if n_rows == 0 {
        return Err(TableError::NoRows);
    }
    let mut report = ReadReport::default();
    for builder in &builders {
        builder.note(&mut report, &mut |byte| layout.line_at(source, byte))?;
    }
    let finish = |builder: Builder| builder.finish(&mut report);
    let columns = builders.into_iter().map(finish).collect();
    let table = Table {
        columns,
        n_rows,
        unread: Vec::new(),
    };
    Ok((table, report))
}

/// Returns the names of the columns.
pub fn csv_columns<R: Read + Seek>(
    source: &mut R,
    options: &ReadOptions,
) -> Result<Vec<String>, TableError> {
    let layout = Layout::of(source, options.delimiter)?;
    read_header(source, &layout, options)
}

fn read_header<R: Read + Seek>(
    source: &mut R,
    layout: &Layout,
    options: &ReadOptions,
) -> Result<Vec<String>, TableError> {
    let mut record = ByteRecord::new();
    if !layout.reader(source)?.read_byte_record(&mut record)? {
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
        if name.is_empty() && idx == 0 && record.len() > 1 {
            return Err(refuse(
                "the column has no name; row numbers that pandas wrote are left out with `to_csv(index=False)`, anything else needs a name"
                    .to_owned(),
            ));
        }
        if name.is_empty() {
            return Err(refuse("the column has no name".to_owned()));
        }
        if let Some(first) = names.iter().position(|known| known == name) {
            return Err(refuse(format!(
                "the name `{name}` is taken by column {}; give one of them another",
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
            delimiter: char::from(layout.delimiter),
        });
    }
    Ok(names)
}

/// Looks at the first rows and makes columns with anything that is no number text from the start.
fn guess<R: Read + Seek>(
    source: &mut R,
    layout: &Layout,
    options: &ReadOptions,
    builders: &mut [Builder],
) -> Result<(), TableError> {
    let mut reader = layout.reader(source)?;
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record)?;
    for _ in 0..GUESS_ROWS {
        if !reader.read_byte_record(&mut record)? {
            break;
        }
        for (builder, cell) in builders.iter_mut().zip(&record) {
            let Ok(text) = std::str::from_utf8(cell) else {
                continue;
            };
            if builder.rules.declared.is_none()
                && matches!(builder.form, Form::Numbers(_))
                && !builder.is_missing(text)
                && matches!(
                    Cell::of(text.trim(), options.numbers),
                    Cell::Word | Cell::Merged
                )
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
    layout: &Layout,
    options: &ReadOptions,
    builders: &mut [Builder],
    is_first: bool,
) -> Result<usize, TableError> {
    let mut reader = layout.reader(source)?;
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
            builder.push(text, line, options, is_first);
        }
        n_rows += 1;
    }
    Ok(n_rows)
}

/// Turns the byte in an error of a row into its line.
fn with_line<R: Read + Seek>(mut error: TableError, source: &mut R, layout: &Layout) -> TableError {
    if let TableError::Ragged { line, .. }
    | TableError::CellOverLimit { line, .. }
    | TableError::NotUtf8 { line, .. } = &mut error
    {
        match layout.line_at(source, *line) {
            Ok(found) => *line = found,
            Err(error) => return error,
        }
    }
    error
}
