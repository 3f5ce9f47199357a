//! Where data is read from: a file, or bytes that were fetched; one way to read either, whatever its format.
//!
//! The format is told by the first bytes, never by a name.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::csv::{csv_columns, read_csv};
use crate::parquet::{parquet_columns, read_parquet};
use crate::reading::ReadOptions;
use crate::table::{ReadReport, Table, TableError};

/// Bytes read at once while a file is hashed.
const CHUNK_BYTES: usize = 1 << 20;

/// Data that has not been read yet.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file, or the one that the bytes came from: for messages.
    pub path: PathBuf,
    bytes: Option<Bytes>,
}

/// Format of the bytes of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text with a delimiter: everything that does not begin as Parquet.
    Csv,
    /// Apache Parquet: begins with the bytes `PAR1`.
    Parquet,
}

impl Format {
    /// Returns its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// Rows that were read, and how.
#[derive(Debug, Clone)]
pub struct ReadTable {
    /// The format they were in.
    pub format: Format,
    /// The columns, of at least one row.
    pub table: Table,
    /// What a person should know of the cells, such as mixed columns.
    pub report: ReadReport,
}

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be opened or read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It does not hold a table.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Source {
    /// Returns a file as a source.
    pub fn file(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            bytes: None,
        }
    }

    /// Returns bytes as a source; `path` says where they came from.
    pub fn bytes(path: PathBuf, bytes: Bytes) -> Self {
        Self {
            path,
            bytes: Some(bytes),
        }
    }

    /// Opens the file. A folder is refused here: some systems open one and fail at the first read.
    fn open(&self) -> io::Result<File> {
        let metadata = std::fs::metadata(&self.path)?;
        if !metadata.is_file() {
            let found = if metadata.is_dir() {
                "it is a directory"
            } else {
                "it is no ordinary file"
            };
            return Err(io::Error::new(io::ErrorKind::IsADirectory, found));
        }
        File::open(&self.path)
    }

    /// Returns SHA-256 and length, without holding a file in memory.
    pub fn digest(&self) -> io::Result<([u8; 32], u64)> {
        if let Some(bytes) = &self.bytes {
            return Ok((Sha256::digest(bytes).into(), bytes.len() as u64));
        }
        let mut file = self.open()?;
        let (mut hasher, mut n_bytes, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK_BYTES]);
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok((hasher.finalize().into(), n_bytes)),
                n_read => {
                    hasher.update(&chunk[..n_read]);
                    n_bytes += n_read as u64;
                }
            }
        }
    }

    /// Returns the length, in bytes.
    pub fn n_bytes(&self) -> io::Result<u64> {
        match &self.bytes {
            Some(bytes) => Ok(bytes.len() as u64),
            None => Ok(self.open()?.metadata()?.len()),
        }
    }

    /// Returns the format, told by the first four bytes.
    pub fn format(&self) -> io::Result<Format> {
        let mut magic = [0; 4];
        let is_long_enough = match &self.bytes {
            Some(bytes) => Cursor::new(bytes).read_exact(&mut magic).is_ok(),
            None => self.open()?.read_exact(&mut magic).is_ok(),
        };
        Ok(if is_long_enough && magic == *b"PAR1" {
            Format::Parquet
        } else {
            Format::Csv
        })
    }

    /// Returns the names of the columns, those that cannot be read too.
    pub fn columns(&self, options: &ReadOptions) -> Result<Vec<String>, SourceError> {
        Ok(match (self.format()?, &self.bytes) {
            (Format::Csv, Some(bytes)) => csv_columns(&mut Cursor::new(bytes), options)?,
            (Format::Csv, None) => csv_columns(&mut self.open()?, options)?,
            (Format::Parquet, Some(bytes)) => parquet_columns(bytes.clone(), options.limits)?.1,
            (Format::Parquet, None) => parquet_columns(self.open()?, options.limits)?.1,
        })
    }

    /// Reads all rows; how cells are parted and numbers written concerns CSV alone.
    pub fn table(&self, options: &ReadOptions) -> Result<ReadTable, SourceError> {
        let format = self.format()?;
        let (table, report) = match (format, &self.bytes) {
            (Format::Csv, Some(bytes)) => read_csv(&mut Cursor::new(bytes), options)?,
            (Format::Csv, None) => read_csv(&mut self.open()?, options)?,
            (Format::Parquet, Some(bytes)) => read_parquet(bytes.clone(), options)?,
            (Format::Parquet, None) => read_parquet(self.open()?, options)?,
        };
        Ok(ReadTable {
            format,
            table,
            report,
        })
    }
}
