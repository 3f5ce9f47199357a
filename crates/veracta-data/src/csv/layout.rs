//! Where the rows of a CSV file are: what stands before them, what parts them, and which line a byte is in.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::table::TableError;

/// Bytes looked at for an encoding or a first line `sep=`.
const HEAD_BYTES: u64 = 16;

/// First bytes of files that people give in place of a table, with what they are and what to do.
const OTHER_FORMATS: [(&[u8], &str, &str); 12] = [
    (&[0xff, 0xfe], "UTF-16 text", "save it as UTF-8"),
    (&[0xfe, 0xff], "UTF-16 text", "save it as UTF-8"),
    (&[0x1f, 0x8b], "compressed (gzip)", "unpack it first"),
    (b"BZh", "compressed (bzip2)", "unpack it first"),
    (
        &[0xfd, b'7', b'z', b'X', b'Z'],
        "compressed (xz)",
        "unpack it first",
    ),
    (
        &[0x28, 0xb5, 0x2f, 0xfd],
        "compressed (Zstandard)",
        "unpack it first",
    ),
    (
        b"PK\x03\x04",
        "a ZIP archive, as spreadsheets are",
        "save the table as CSV",
    ),
    (b"{\"", "JSON", "write the rows as CSV or Parquet"),
    (b"[{", "JSON", "write the rows as CSV or Parquet"),
    (b"ARROW1", "an Arrow file", "write the rows as Parquet"),
    (b"Obj\x01", "an Avro file", "write the rows as Parquet"),
    (
        b"SQLite",
        "a SQLite database",
        "write a table of it as CSV or Parquet",
    ),
];

/// Bytes put in for an empty line, so that the CSV reader sees a row with an empty cell.
const EMPTY_CELL: &[u8] = b"\"\"";

/// Where the rows of a file are and what parts them.
#[derive(Debug)]
pub(super) struct Layout {
    /// Byte at which the header begins.
    start: u64,
    /// Byte between cells.
    pub(super) delimiter: u8,
    /// Bytes at which an empty line begins that is a row, counted from `start`.
    gaps: Vec<u64>,
}

impl Layout {
    /// Looks at the first bytes: text of another encoding is refused; a line `sep=;`, which spreadsheets write and read, is obeyed when
    /// no delimiter is `given`.
    pub(super) fn of<R: Read + Seek>(
        source: &mut R,
        given: Option<u8>,
    ) -> Result<Self, TableError> {
        source.seek(SeekFrom::Start(0))?;
        let mut head = Vec::new();
        source.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
        let is_of = |(start, ..): &&(&[u8], _, _)| head.starts_with(start);
        if let Some((_, found, advice)) = OTHER_FORMATS.iter().find(is_of) {
            return Err(TableError::OtherFormat { found, advice });
        }
        let mut layout = Self {
            start: 0,
            delimiter: given.unwrap_or(b','),
            gaps: Vec::new(),
        };
        let after_mark = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&head);
        if let Some([delimiter, end, rest @ ..]) = after_mark.strip_prefix(b"sep=") {
            let n_end = match (end, rest.first()) {
                (b'\n', _) => 1,
                (b'\r', Some(b'\n')) => 2,
                _ => return Ok(layout),
            };
            layout.start = (head.len() - after_mark.len()) as u64 + 5 + n_end;
            layout.delimiter = given.unwrap_or(*delimiter);
        }
        Ok(layout)
    }

    /// Returns a reader of the rows, the header first.
    pub(super) fn reader<'r, R: Read + Seek>(
        &'r self,
        source: &'r mut R,
    ) -> Result<csv::Reader<Filled<'r, R>>, TableError> {
        source.seek(SeekFrom::Start(self.start))?;
        let mut builder = csv::ReaderBuilder::new();
        // Rows of another length are let through here and refused by the caller, which can name their line.
        builder
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(1 << 18);
        Ok(builder.from_reader(Filled {
            inner: source,
            gaps: &self.gaps,
            at: 0,
            pending: &[],
        }))
    }

    /// Finds the empty lines after the header that are rows: those outside quotes.
    pub(super) fn find_gaps<R: Read + Seek>(&mut self, source: &mut R) -> Result<(), TableError> {
        source.seek(SeekFrom::Start(self.start))?;
        let mut bytes = BufReader::with_capacity(1 << 18, source).bytes();
        let (mut at, mut line_start, mut is_quoted, mut is_header) = (0u64, 0, false, true);
        let mut is_empty = true;
        while let Some(byte) = bytes.next().transpose()? {
            at += 1;
            match byte {
                b'"' => (is_quoted, is_empty) = (!is_quoted, false),
                b'\n' if !is_quoted => {
                    if is_empty && !is_header {
                        self.gaps.push(line_start);
                    }
                    is_header &= is_empty;
                    (line_start, is_empty) = (at, true);
                }
                b'\r' if !is_quoted => {}
                _ => is_empty = false,
            }
        }
        Ok(())
    }

    /// Returns the one-based line of the file in which the row begins that the reader saw at a byte; empty lines before it are not part
    /// of it.
    pub(super) fn line_at<R: Read + Seek>(
        &self,
        source: &mut R,
        byte: u64,
    ) -> Result<u64, TableError> {
        let seen_at = |nth: usize| self.gaps[nth] + (EMPTY_CELL.len() * nth) as u64;
        let n_before = partition(self.gaps.len(), |nth| seen_at(nth) < byte);
        let is_gap = n_before < self.gaps.len() && seen_at(n_before) == byte;
        let byte = self.start + byte - (EMPTY_CELL.len() * n_before) as u64;
        source.seek(SeekFrom::Start(0))?;
        let (mut line, mut offset) = (1, 0);
        for next in BufReader::with_capacity(1 << 18, source).bytes() {
            let next = next?;
            if offset >= byte && (is_gap || next != b'\r' && next != b'\n') {
                break;
            }
            line += u64::from(next == b'\n');
            offset += 1;
        }
        Ok(line)
    }
}

/// Returns how many of the first `n` numbers fulfil a condition that no number fulfils after one that does not.
fn partition(n: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        match holds(middle) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}

/// Bytes with an empty cell in each empty line that is a row.
pub(super) struct Filled<'r, R> {
    inner: &'r mut R,
    /// Bytes at which a cell is put in, those that are still to come.
    gaps: &'r [u64],
    /// Bytes read so far.
    at: u64,
    pending: &'static [u8],
}

impl<R: Read> Read for Filled<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.pending.is_empty()
            && let Some((gap, rest)) = self.gaps.split_first()
            && *gap == self.at
        {
            (self.gaps, self.pending) = (rest, EMPTY_CELL);
        }
        if !self.pending.is_empty() {
            let n_given = self.pending.read(buffer)?;
            return Ok(n_given);
        }
        let until_gap = self.gaps.first().map_or(u64::MAX, |gap| gap - self.at);
        let n_most = buffer
            .len()
            .min(usize::try_from(until_gap).unwrap_or(usize::MAX));
        let n_read = self.inner.read(&mut buffer[..n_most])?;
        self.at += n_read as u64;
        Ok(n_read)
    }
}
