//! Reads Parquet into a [`Table`]: numbers, text, booleans, dates and times.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;

use super::{
    Column, ColumnType, Interner, ReadLimits, ReadReport, Table, TableError, Values, coded_type,
};

/// Most cells read from one file: 2^28 cells of 8 bytes are 2 GiB.
const CELLS_LIMIT: u64 = 1 << 28;

/// Rows decoded at once when one column is read.
const COLUMN_BATCH_ROWS: usize = 1 << 16;

enum Builder {
    Numbers(Vec<f64>),
    Text(Interner),
}

/// Reads a table. `types` may declare a numeric column categorical; a text column cannot be declared numeric.
pub fn read_parquet<R: ChunkReader + 'static>(
    source: R,
    types: &BTreeMap<String, ColumnType>,
    limits: ReadLimits,
) -> Result<(Table, ReadReport), TableError> {
    if source.len() > limits.bytes_max {
        let what = format!("a file of {} bytes", source.len());
        return Err(TableError::OverLimit {
            what,
            limit: limits.bytes_max,
        });
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(source)?;
    let schema = reader.schema().clone();
    let names: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    for (position, name) in names.iter().enumerate() {
        let reason = if name.trim().is_empty() {
            "the column has no name"
        } else {
            "the name is taken by another column"
        };
        if name.trim().is_empty() || names[..position].contains(name) {
            return Err(TableError::Header {
                position: position + 1,
                reason: reason.to_owned(),
            });
        }
    }
    if let Some(column) = types.keys().find(|declared| !names.contains(declared)) {
        return Err(TableError::UnknownColumn {
            column: column.clone(),
            columns: names,
        });
    }
    let n_rows = u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
    if names.len() > limits.columns_max || n_rows.saturating_mul(names.len() as u64) > CELLS_LIMIT {
        let what = format!("a table of {n_rows} rows and {} columns", names.len());
        return Err(TableError::OverLimit {
            what,
            limit: CELLS_LIMIT,
        });
    }
    let declared: Vec<_> = names.iter().map(|name| types.get(name).copied()).collect();
    let mut builders: Vec<Builder> = schema
        .fields()
        .iter()
        .zip(&declared)
        .map(
            |(field, declared)| match (is_number(field.data_type()), declared) {
                (true, None | Some(ColumnType::Numeric)) => Builder::Numbers(Vec::new()),
                (true | false, _) => Builder::Text(Interner::default()),
            },
        )
        .collect();
    for batch in reader.build()? {
        let batch = batch.map_err(parquet::errors::ParquetError::from)?;
        for ((builder, array), name) in builders.iter_mut().zip(batch.columns()).zip(&names) {
            builder.push(array, name)?;
        }
    }
    let mut report = ReadReport::default();
    let mut columns = Vec::with_capacity(names.len());
    for ((builder, name), declared) in builders.into_iter().zip(names).zip(declared) {
        let (inferred, values) = match builder {
            Builder::Numbers(values) => {
                report.n_infinite +=
                    values.iter().filter(|value| value.is_infinite()).count() as u64;
                (ColumnType::Numeric, Values::Numeric(values))
            }
            Builder::Text(interner) => {
                let coded = interner.finish();
                (coded_type(&coded), Values::Coded(coded))
            }
        };
        if declared == Some(ColumnType::Numeric) && inferred != ColumnType::Numeric {
            return Err(TableError::ColumnType {
                column: name,
                found: "text, which is declared numeric".to_owned(),
            });
        }
        columns.push(Column {
            name,
            column_type: declared.unwrap_or(inferred),
            values,
        });
    }
    let n_rows = columns.first().map_or(0, |column| match &column.values {
        Values::Numeric(values) => values.len(),
        Values::Coded(coded) => coded.codes.len(),
    });
    if n_rows == 0 {
        return Err(TableError::NoRows);
    }
    Ok((Table { columns, n_rows }, report))
}

/// Returns the number of rows and the names of the columns, without reading any.
pub fn parquet_columns<R: ChunkReader + 'static>(
    source: R,
    limits: ReadLimits,
) -> Result<(usize, Vec<String>), TableError> {
    if source.len() > limits.bytes_max {
        let what = format!("a file of {} bytes", source.len());
        return Err(TableError::OverLimit {
            what,
            limit: limits.bytes_max,
        });
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(source)?;
    let n_rows = usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
    let names: Vec<String> = reader
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    if names.len() > limits.columns_max
        || (n_rows as u64).saturating_mul(names.len() as u64) > CELLS_LIMIT
    {
        let what = format!("a table of {n_rows} rows and {} columns", names.len());
        return Err(TableError::OverLimit {
            what,
            limit: CELLS_LIMIT,
        });
    }
    Ok((n_rows, names))
}

/// Reads one column, so that a table larger than memory can be measured column by column.
pub fn read_parquet_column<R: ChunkReader + 'static>(
    source: R,
    name: &str,
) -> Result<Column, TableError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(source)?;
    let schema = reader.schema().clone();
    let Some((position, field)) = schema
        .fields()
        .iter()
        .enumerate()
        .find(|(_, field)| field.name() == name)
    else {
        let columns = schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        return Err(TableError::UnknownColumn {
            column: name.to_owned(),
            columns,
        });
    };
    let mask = ProjectionMask::roots(reader.parquet_schema(), [position]);
    let is_numeric = is_number(field.data_type());
    let mut builder = if is_numeric {
        Builder::Numbers(Vec::new())
    } else {
        Builder::Text(Interner::default())
    };
    for batch in reader
        .with_projection(mask)
        .with_batch_size(COLUMN_BATCH_ROWS)
        .build()?
    {
        let batch = batch.map_err(parquet::errors::ParquetError::from)?;
        builder.push(batch.column(0), name)?;
    }
    let (column_type, values) = match builder {
        Builder::Numbers(values) => (ColumnType::Numeric, Values::Numeric(values)),
        Builder::Text(interner) => {
            let coded = interner.finish();
            (coded_type(&coded), Values::Coded(coded))
        }
    };
    Ok(Column {
        name: name.to_owned(),
        column_type,
        values,
    })
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

impl Builder {
    fn push(&mut self, array: &ArrayRef, name: &str) -> Result<(), TableError> {
        let refuse = || TableError::ColumnType {
            column: name.to_owned(),
            found: array.data_type().to_string(),
        };
        match self {
            Self::Numbers(values) => {
                let numbers = arrow_cast::cast(array, &DataType::Float64).map_err(|_| refuse())?;
                let numbers = numbers.as_primitive::<Float64Type>();
                match numbers.nulls() {
                    None => values.extend_from_slice(numbers.values()),
                    Some(_) => values.extend(numbers.iter().map(|value| value.unwrap_or(f64::NAN))),
                }
            }
            Self::Text(interner) => {
                if array.data_type().is_nested() {
                    return Err(refuse());
                }
                let texts = arrow_cast::cast(array, &DataType::Utf8).map_err(|_| refuse())?;
                for text in texts.as_string::<i32>() {
                    match text {
                        Some(text) => interner.push(text),
                        None => interner.push_missing(),
                    }
                }
            }
        }
        Ok(())
    }
}
