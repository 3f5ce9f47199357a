//! Reads Parquet into a [`Table`]: numbers, text, truth values, dates and times.
//!
//! Columns are read from the file's own pages, one at a time, without Arrow in between: what a cell means is decided here, from the
//! physical and logical type that the file states (Apache Parquet, LogicalTypes). Numbers become 64-bit floats, unless a float would
//! make two of them one; everything else becomes text in one spelling: `true`, `2026-01-31`, `2026-01-31T10:00:00`, with `Z` for a
//! moment in UTC. A column that cannot be read, such as a list or bytes that are not UTF-8, is left out and listed: it stops nobody who
//! does not need it.

mod column;
mod meaning;

use parquet::basic::{Compression, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::schema::types::Type;

use column::{Builder, Form, Refusal, as_decimals};
use meaning::{Meaning, meaning_of};

use crate::reading::ReadOptions;
use crate::table::{
    Column, ColumnType, CountedCells, ReadLimits, ReadReport, Table, TableError, UnreadColumn,
    Values,
};
use crate::words::{as_numbers, coded_type, with_one_spelling};

/// Most cells read from one file: 2^28 cells of 8 bytes are 2 GiB.
const CELLS_LIMIT: u64 = 1 << 28;

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

impl<R: ChunkReader + 'static> Source<R> {
    fn open(source: R, limits: ReadLimits) -> Result<Self, TableError> {
        if source.len() > limits.bytes_max {
            return Err(TableError::OverLimit {
                what: format!("a file of {} bytes", source.len()),
                limit: limits.bytes_max,
            });
        }
        let reader = SerializedFileReader::new(source)?;
        check_compression(reader.metadata())?;
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

    /// Reads one column as the options say.
    fn column(
        &self,
        field: &Field,
        options: &ReadOptions,
        report: &mut ReadReport,
    ) -> Result<Column, TableError> {
        let refuse = |found: &str| TableError::ColumnType {
            column: field.name.clone(),
            found: found.to_owned(),
        };
        let (Some(leaf), Some(meaning)) = (field.leaf, field.meaning) else {
            return Err(refuse(&field.words));
        };
        let rules = options.rules(&field.name);
        let declared = rules.declared;
        let is_wanted = matches!(declared, None | Some(ColumnType::Numeric));
        let is_number = meaning.is_number() && is_wanted;
        let mut builder = Builder::new(&rules, is_number);
        self.fill(&mut builder, leaf, meaning)?.map_err(refuse)?;
        let counted = |n_cells| CountedCells {
            column: field.name.clone(),
            line: None,
            n_cells,
        };
        if is_number && declared.is_none() && builder.n_merged > 0 {
            // A float would make two numbers one: the column is kept as words, digit by digit.
            report.kept_words.push(counted(builder.n_merged));
            builder = Builder::new(&rules, false);
            self.fill(&mut builder, leaf, meaning)?.map_err(refuse)?;
        } else if is_number && builder.n_rounded > 0 {
            report.rounded.push(counted(builder.n_rounded));
        }
        let (n_blank, n_marks) = (builder.n_blank, builder.n_marks);
        if n_blank > 0 {
            report.blank_words.push(counted(n_blank));
        }
        let mut values = builder.form.into_values();
        if is_wanted {
            values = self.as_csv_has_it(values, leaf, meaning, &rules.number_marks());
        }
        if n_marks > 0 && matches!(values, Values::Coded(_)) {
            report.mark_words.push(counted(n_marks));
        }
        let (inferred, values) = match values {
            Values::Numeric(values) => {
                let infinite = values.iter().filter(|value| value.is_infinite());
                report.n_infinite += infinite.count() as u64;
                (ColumnType::Numeric, Values::Numeric(values))
            }
            Values::Coded(_) if declared == Some(ColumnType::Numeric) => {
                return Err(refuse("text, which is declared numeric"));
            }
            Values::Coded(coded) => {
                let inferred = coded_type(&coded);
                let (coded, n_odd) = match rules.has_one_spelling && !meaning.is_number() {
                    true => with_one_spelling(coded, rules.dates),
                    false => (coded, 0),
                };
                report.odd_words.extend((n_odd > 0).then(|| counted(n_odd)));
                (inferred, Values::Coded(coded))
            }
        };
        self.check_length(&field.name, &values)?;
        Ok(Column {
            name: field.name.clone(),
            column_type: declared.unwrap_or(inferred),
            values,
        })
    }

    /// Makes text of numbers numbers, and short decimals of 32-bit floats: it is what a CSV file of the same rows holds.
    fn as_csv_has_it(
        &self,
        values: Values,
        leaf: usize,
        meaning: Meaning,
        number_marks: &[f64],
    ) -> Values {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let is_float = schema.column(leaf).physical_type() == PhysicalType::FLOAT;
        let found = match &values {
            Values::Coded(coded) if meaning == Meaning::Text => as_numbers(coded, number_marks),
            Values::Numeric(numbers) if is_float => as_decimals(numbers),
            Values::Coded(_) | Values::Numeric(_) => None,
        };
        found.map_or(values, Values::Numeric)
    }

    /// The number of rows is stated apart from the columns, and a hostile file may state another.
    fn check_length(&self, name: &str, values: &Values) -> Result<(), TableError> {
        let n_cells = match values {
            Values::Numeric(numbers) => numbers.len(),
            Values::Coded(coded) => coded.codes.len(),
        };
        if n_cells == self.n_rows {
            return Ok(());
        }
        let n_rows = self.n_rows;
        let found = format!("column `{name}` has {n_cells} cells, the file states {n_rows} rows");
        Err(ParquetError::General(found).into())
    }

    /// Puts all cells of a leaf into a column. The outer error is the file's, the inner one a cell's.
    fn fill(
        &self,
        builder: &mut Builder<'_>,
        leaf: usize,
        meaning: Meaning,
    ) -> Result<Result<(), Refusal>, TableError> {
        if let Form::Numbers(values) = &mut builder.form {
            values.reserve_exact(self.n_rows);
        }
        for group in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(group)?;
            let column = group.get_column_reader(leaf)?;
            if let Err(refusal) = builder.push_group(column, meaning)? {
                return Ok(Err(refusal));
            }
        }
        Ok(Ok(()))
    }

    fn check_declared(&self, options: &ReadOptions) -> Result<(), TableError> {
        match options.declared_beside(&self.names()) {
            Some(column) => Err(TableError::UnknownColumn {
                column: column.clone(),
                columns: self.names(),
            }),
            None => Ok(()),
        }
    }
}

/// Reads a table; what cannot be read is left out and listed. `types` may declare a numeric column categorical; a text column cannot be
/// declared numeric.
pub fn read_parquet<R: ChunkReader + 'static>(
    source: R,
    options: &ReadOptions,
) -> Result<(Table, ReadReport), TableError> {
    let source = Source::open(source, options.limits)?;
    check_names(&source.names())?;
    source.check_declared(options)?;
    let mut report = ReadReport::default();
    let mut columns = Vec::with_capacity(source.fields.len());
    for field in &source.fields {
        match source.column(field, options, &mut report) {
            Ok(column) => columns.push(column),
            // A declaration is a wish to read the column.
            Err(TableError::ColumnType { column, found })
                if options.rules(&column).declared.is_none() =>
            {
                report.unread.push(UnreadColumn { column, found });
            }
            Err(error) => return Err(error),
        }
    }
    if source.n_rows == 0 || source.fields.is_empty() {
        return Err(TableError::NoRows);
    }
    let table = Table {
        columns,
        n_rows: source.n_rows,
        unread: report.unread.clone(),
    };
    Ok((table, report))
}

/// Refuses compressions that this program does not have.
fn check_compression(metadata: &ParquetMetaData) -> Result<(), TableError> {
    let columns = metadata
        .row_groups()
        .iter()
        .flat_map(|group| group.columns());
    let mut codecs = columns.map(|column| column.compression());
    let name = codecs.find_map(|codec| match codec {
        Compression::BROTLI(_) => Some("Brotli"),
        Compression::LZO => Some("LZO"),
        _ => None,
    });
    let Some(name) = name else {
        return Ok(());
    };
    let found = format!(
        "it is compressed with {name}, which is not read; write it with Zstandard or Snappy"
    );
    Err(ParquetError::General(found).into())
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

/// Reads one column, so that a table larger than memory can be measured column by column; the limit of bytes does not count.
pub fn read_parquet_column<R: ChunkReader + 'static>(
    source: R,
    name: &str,
    options: &ReadOptions,
) -> Result<Column, TableError> {
    let limits = ReadLimits {
        bytes_max: u64::MAX,
        ..options.limits
    };
    let source = Source::open(source, limits)?;
    source.check_declared(options)?;
    let field = source.fields.iter().find(|field| field.name == name);
    let field = field.ok_or_else(|| TableError::UnknownColumn {
        column: name.to_owned(),
        columns: source.names(),
    })?;
    source.column(field, options, &mut ReadReport::default())
}
