//! The data stage: which rows there are, what they hold, who they may identify, how they are divided, and what each input is for.

pub mod anonymity;
pub mod dataset;
pub mod minimise;
pub mod neighbours;
pub mod parts;
pub mod profile;
pub mod screen;

use std::path::Path;

use veracta_data::reading::{Notes, ReadOptions};
use veracta_data::source::{Format, ReadTable, Source, SourceError};
use veracta_data::table::{Coded, Column, MISSING, ReadReport, Table, TableError, Values};
use veracta_ledger::Hash;
use veracta_model::model::{Encoded, Model, ModelError, UnknownValues};

use crate::LifecycleError;

/// Reads a CSV or Parquet file; the format is told by its first bytes, not by its name.
pub(crate) fn read_table(path: &Path, csv: &ReadOptions) -> Result<ReadTable, LifecycleError> {
    read_source(&Source::file(path), csv)
}

/// Returns the last part of a path, as reports name a file.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Returns the SHA-256 and the length of a file, without holding it in memory.
pub(crate) fn hash_file(path: &Path) -> Result<(Hash, u64), LifecycleError> {
    let digest = Source::file(path).digest();
    let (digest, n_bytes) = digest.map_err(LifecycleError::file(path))?;
    Ok((Hash(digest), n_bytes))
}

/// Reads rows wherever they are.
pub(crate) fn read_source(source: &Source, csv: &ReadOptions) -> Result<ReadTable, LifecycleError> {
    let read = source.table(csv).map_err(refuse_source(source))?;
    note_reading(&source.path, &read.report, &csv.notes);
    Ok(read)
}

/// Notes what was read otherwise than somebody may expect; never a cell.
fn note_reading(file: &Path, report: &ReadReport, notes: &Notes) {
    for sentence in report.surprises() {
        notes.add(format!("`{}`: {sentence}", file_name(file)));
    }
}

/// Notes which values of a file a model does not know.
fn note_unknown(file: &Path, unknown: &[UnknownValues], notes: &Notes) {
    for found in unknown {
        notes.add(format!("`{}`: {}", file_name(file), found.sentence()));
    }
}

pub(crate) fn refuse_source(source: &Source) -> impl Fn(SourceError) -> LifecycleError + '_ {
    |error| match error {
        SourceError::File(error) => LifecycleError::file(&source.path)(error),
        SourceError::Table(error) => LifecycleError::Data {
            file: source.path.display().to_string(),
            source: error,
        },
    }
}

/// Returns a column of a file, or which there are.
pub(crate) fn column<'t>(table: &'t Table, name: &str) -> Result<&'t Column, LifecycleError> {
    table.column(name).map_err(|error| match error {
        TableError::UnknownColumn { column, columns } => {
            LifecycleError::UnknownColumn { column, columns }
        }
        other => LifecycleError::Column(other),
    })
}

/// Reads the rows of a source as a model reads them, and notes what a person should know of the columns that it reads.
pub(crate) fn rows_for(
    model: &Model,
    source: &Source,
    options: &ReadOptions,
) -> Result<Encoded, LifecycleError> {
    let refuse = |error: ModelError| LifecycleError::ModelData {
        file: source.path.display().to_string(),
        source: error,
    };
    let columns = source.columns(options).map_err(refuse_source(source))?;
    let reading = model.reading(&columns, options).map_err(refuse)?;
    let mut read = source.table(&reading).map_err(refuse_source(source))?;
    let encoded = model.batch(&read.table).map_err(refuse)?;
    let notes = &options.notes;
    let used = model.columns_read(&columns).map_err(refuse)?;
    keep_surprises_of_a_model(&mut read.report, &used, &reading);
    note_reading(&source.path, &read.report, notes);
    note_unknown(&source.path, &encoded.unknown, notes);
    let file = file_name(&source.path);
    for column in &encoded.absent {
        notes.add(format!(
            "`{file}`: column `{column}`, which the model reads, has no value in any row"
        ));
    }
    for column in &used {
        if options.types.contains_key(column) && reading.of_model.contains_key(column) {
            notes.add(format!(
                "the type declared for `{column}` does not count: the model says how it is read"
            ));
        }
        let keeps_empty = reading
            .of_model
            .get(column)
            .is_some_and(|of| of.keeps_empty);
        if keeps_empty && read.format == Format::Csv {
            notes.add(format!(
                "`{file}`: the model knows an empty word in `{column}`; an empty cell of a CSV file is missing, as nothing tells the two apart"
            ));
        }
    }
    Ok(encoded)
}

/// Keeps what is of matter to a model: of the columns that it reads, and not that they are read as it reads them.
fn keep_surprises_of_a_model(report: &mut ReadReport, used: &[String], reading: &ReadOptions) {
    let is_used = |column: &String| used.contains(column);
    let is_inferred = |column: &String| is_used(column) && !reading.of_model.contains_key(column);
    report
        .mixed
        .retain(|found| is_inferred(&found.first.column));
    report.kept_words.clear();
    report.mark_words.retain(|found| is_inferred(&found.column));
    report.odd_words.retain(|found| is_inferred(&found.column));
    report.blank.retain(|found| is_used(&found.first.column));
    report.blank_words.retain(|found| is_used(&found.column));
    report.only_marks.retain(|found| is_used(&found.column));
    report.unread.retain(|found| is_used(&found.column));
}

/// Most different values of a column of classes; one with more holds something else.
const CLASSES_MAX: usize = 5;
/// Most values that a message names.
const NAMED_MAX: usize = 5;
/// Longest name of a class, in characters.
const CLASS_CHARS_MAX: usize = 20;
/// Digits from which on a value may be a number of a person.
const DIGITS_MAX: usize = 4;

/// Returns the values of a label for a message: those that are names of classes, the others as their number. What a person wrote in
/// a wrong column, an address or a number of a customer, is nobody's to read in a log.
pub(crate) fn class_names<'l>(levels: impl IntoIterator<Item = &'l String>) -> String {
    let levels: Vec<&String> = levels.into_iter().collect();
    let is_name = |level: &&&String| {
        level.chars().count() <= CLASS_CHARS_MAX
            && !level.contains(['@', '/'])
            && level.chars().filter(char::is_ascii_digit).count() <= DIGITS_MAX
    };
    let names: Vec<String> = match levels.len() > CLASSES_MAX {
        true => Vec::new(),
        false => {
            let names = levels.iter().filter(is_name).take(NAMED_MAX);
            names.map(|level| format!("`{level}`")).collect()
        }
    };
    match (names.len(), levels.len() - names.len()) {
        (0, 1) => "one value".to_owned(),
        (0, n) => format!("{n} different values"),
        (_, 0) => names.join(", "),
        (_, n) => format!("{} and {n} more", names.join(", ")),
    }
}

/// Returns a column of finite numbers, one a row.
pub(crate) fn numbers(table: &Table, name: &str, file: &Path) -> Result<Vec<f64>, LifecycleError> {
    let refuse = |reason: String| LifecycleError::ScoreColumn {
        file: file.display().to_string(),
        column: name.to_owned(),
        reason,
    };
    let Values::Numeric(values) = &column(table, name)?.values else {
        return Err(refuse("it holds text".to_owned()));
    };
    match values.iter().position(|value| !value.is_finite()) {
        Some(row) => Err(refuse(format!("row {} is missing or not finite", row + 1))),
        None => Ok(values.clone()),
    }
}

/// Returns the cluster of each row, and how many there are.
pub(crate) fn clusters(
    table: &Table,
    name: &str,
    file: &Path,
) -> Result<(Vec<u32>, usize), LifecycleError> {
    let Coded { codes, levels } = column(table, name)?.codes();
    if let Some(row) = codes.iter().position(|code| *code == MISSING) {
        return Err(LifecycleError::ScoreColumn {
            file: file.display().to_string(),
            column: name.to_owned(),
            reason: format!("row {} has no cluster", row + 1),
        });
    }
    // Numbers kept as words for their length are in the order of numbers, so that resamples do not depend on how a cluster is written.
    let whole: Option<Vec<i128>> = levels.iter().map(|level| level.parse().ok()).collect();
    let Some(whole) = whole else {
        return Ok((codes, levels.len()));
    };
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by_key(|code| (whole[*code], &levels[*code]));
    let mut place = vec![0; levels.len()];
    for (position, code) in order.into_iter().enumerate() {
        place[code] = position as u32;
    }
    let codes = codes.into_iter().map(|code| place[code as usize]);
    Ok((codes.collect(), levels.len()))
}

/// Returns options for reading a file once more whose notes are told already.
pub(crate) fn without_notes(options: &ReadOptions) -> ReadOptions {
    ReadOptions {
        notes: Notes::default(),
        ..options.clone()
    }
}

/// Reads a label column of a data file as positive or not.
pub fn read_labels(
    file: &Path,
    csv: &ReadOptions,
    name: &str,
    positive: Option<&str>,
) -> Result<Vec<bool>, LifecycleError> {
    let table = read_table(file, &without_notes(csv))?.table;
    binary_labels(&table, file, name, positive)
}

/// Returns for each row of a file whether its label is the positive one of two.
pub(crate) fn binary_labels(
    table: &Table,
    file: &Path,
    name: &str,
    positive: Option<&str>,
) -> Result<Vec<bool>, LifecycleError> {
    let coded = column(table, name)?.codes();
    let refuse = |reason: String| LifecycleError::Label {
        file: file.display().to_string(),
        column: name.to_owned(),
        reason,
    };
    if let Some(row) = coded.codes.iter().position(|code| *code == MISSING) {
        return Err(refuse(format!("row {} has no label", row + 1)));
    }
    let positive = positive.unwrap_or("1");
    let code = coded.code_of(positive);
    let Coded { codes, levels } = coded;
    let code = code.filter(|_| levels.len() <= 2).ok_or_else(|| {
        refuse(format!(
            "there are {} values, and `{positive}` is to be one of two (`--positive` says which)",
            levels.len()
        ))
    })?;
    Ok(codes.iter().map(|held| *held as usize == code).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_named_only_where_they_are_names_of_classes() {
        let said = |levels: &[&str]| {
            let levels: Vec<String> = levels.iter().map(|level| (*level).to_owned()).collect();
            class_names(&levels)
        };
        assert_eq!(said(&["no", "yes"]), "`no`, `yes`");
        assert_eq!(said(&["no", "bob@example.org"]), "`no` and 1 more");
        assert_eq!(said(&["0041791234567", "4"]), "`4` and 1 more");
        assert_eq!(said(&["ada@example.org"]), "one value");
        let many: Vec<String> = (0..562).map(|i| format!("c{i}")).collect();
        assert_eq!(class_names(&many), "562 different values");
        let some: Vec<String> = (0..7).map(|i| format!("c{i}")).collect();
        assert_eq!(class_names(&some), "7 different values");
        assert_eq!(class_names(&some[..5]), "`c0`, `c1`, `c2`, `c3`, `c4`");
    }
}
