//! Reading CSV: what is refused and where, what is reported, and how columns are typed.

use std::fmt::Write;
use std::io::Cursor;

use veracta_data::csv::{CsvOptions, read_csv};
use veracta_data::table::{
    BlankCells, CellPlace, Column, ColumnType, MixedColumn, ReadLimits, ReadReport, Table,
    TableError, Values,
};

/// Bytes that are no table, with the message. Columns and lines are one-based.
const REFUSED: &[(&[u8], &str)] = &[
    (b"", "the file is empty"),
    (b"\n\n", "the file is empty"),
    (b"a,b\n", "the file has a header and no rows"),
    (
        b"a;b\n1;2\n",
        "line 1 has one column with `;` inside: the delimiter is not `,`",
    ),
    (
        b"a\tb\n1\t2\n",
        "line 1 has one column with `\t` inside: the delimiter is not `,`",
    ),
    (
        b"a,b,a\n1,2,3\n",
        "line 1, column 3: the name `a` is taken by column 1",
    ),
    (
        b"a, ,c\n1,2,3\n",
        "line 1, column 2: the column has no name",
    ),
    (b"a,b\n1,2\n3\n", "line 3 has 1 cells; the header has 2"),
    (
        b"a,b\n\"one\ntwo\",2\n3,4,5\n",
        "line 4 has 3 cells; the header has 2",
    ),
    (
        b"a,b\n1,2\n3,\xff\n",
        "line 3, column 2: not UTF-8 text; convert the file to UTF-8",
    ),
    (
        b"a,\xffb\n1,2\n",
        "line 1, column 2: not UTF-8 text; convert the file to UTF-8",
    ),
];

/// Reads with default options.
pub(crate) fn read(bytes: impl AsRef<[u8]>) -> Result<(Table, ReadReport), TableError> {
    read_with(bytes, &CsvOptions::default())
}

fn read_with(
    bytes: impl AsRef<[u8]>,
    options: &CsvOptions,
) -> Result<(Table, ReadReport), TableError> {
    read_csv(&mut Cursor::new(bytes.as_ref()), options)
}

fn declared(column: &str, column_type: ColumnType) -> CsvOptions {
    CsvOptions {
        types: [(column.to_owned(), column_type)].into(),
        ..CsvOptions::default()
    }
}

fn place(line: u64, column: &str) -> CellPlace {
    CellPlace {
        line,
        column: column.to_owned(),
    }
}

/// Returns each row of a coded column as text, `None` for missing.
fn texts(column: &Column) -> Vec<Option<&str>> {
    match &column.values {
        Values::Coded(coded) => coded
            .codes
            .iter()
            .map(|code| coded.levels.get(*code as usize).map(String::as_str))
            .collect(),
        Values::Numeric(_) => panic!("column `{}` holds text", column.name),
    }
}

fn numbers(column: &Column) -> &[f64] {
    match &column.values {
        Values::Numeric(values) => values,
        Values::Coded(_) => panic!("column `{}` holds numbers", column.name),
    }
}

#[test]
fn what_is_no_table_is_refused_with_its_place() {
    for (bytes, message) in REFUSED {
        assert_eq!(
            read(bytes).unwrap_err().to_string(),
            *message,
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn declarations_are_kept_or_refused() {
    let text = "id,x\n1,5\n2,five\n3,six\n4,\n";
    let refusal = read_with(text, &declared("x", ColumnType::Numeric)).unwrap_err();
    let message = "2 cells of column `x` are not numbers although it is declared numeric, the first in line 3";
    assert_eq!(refusal.to_string(), message);

    let refusal = read_with(text, &declared("y", ColumnType::Numeric)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "column `y` is not in the file; it has id, x"
    );

    let (table, _) = read_with(
        "code\n01\n1\n01\n",
        &declared("code", ColumnType::Categorical),
    )
    .unwrap();
    assert_eq!(
        texts(&table.columns[0]),
        [Some("01"), Some("1"), Some("01")]
    );
    assert_eq!(table.columns[0].column_type, ColumnType::Categorical);
}

#[test]
fn limits_are_kept() {
    let limits = ReadLimits {
        bytes_max: 12,
        columns_max: 2,
        cell_bytes_max: 3,
    };
    let options = CsvOptions {
        limits,
        ..CsvOptions::default()
    };
    let message = |text: &str| read_with(text, &options).unwrap_err().to_string();
    assert!(read_with("a,b\n1,2\n", &options).is_ok());
    assert_eq!(
        message("a,b\n1,2\n3,4,\n"),
        "a file of 13 bytes is over the limit of 12"
    );
    assert_eq!(
        message("a,b,c\n1,2,3\n"),
        "a header of 3 columns is over the limit of 2"
    );
    assert_eq!(
        message("a,b\n1,2345\n"),
        "the cell in line 2, column `b` is over the limit of 3"
    );
}

#[test]
fn nan_and_infinity_are_read_and_counted() {
    let (table, report) = read("x\n1\nNaN\nnan\ninf\n-Infinity\n2.5e3\n").unwrap();
    let column = &table.columns[0];
    assert_eq!(column.column_type, ColumnType::Numeric);
    let values = numbers(column);
    assert!(values[1].is_nan() && values[2].is_nan());
    assert_eq!(
        (values[0], values[3], values[4], values[5]),
        (1.0, f64::INFINITY, f64::NEG_INFINITY, 2500.0)
    );
    let place = |line| {
        Some(CellPlace {
            line,
            column: "x".to_owned(),
        })
    };
    let expected = ReadReport {
        n_nan_text: 2,
        first_nan_text: place(3),
        n_infinite: 2,
        first_infinite: place(5),
        ..ReadReport::default()
    };
    assert_eq!(report, expected);
}

#[test]
fn a_column_of_missing_cells_is_numeric() {
    let (table, report) = read("a,b\n1,\n2,NA\n3,?\n").unwrap();
    assert_eq!(table.columns[1].column_type, ColumnType::Numeric);
    assert!((0..3).all(|row| table.columns[1].is_missing(row)));
    assert_eq!(report, ReadReport::default());
}

#[test]
fn blank_cells_are_missing_and_reported() {
    let (table, report) = read("a,b\n1,x\n2,   \n3,\n4,\t\n").unwrap();
    assert_eq!(texts(&table.columns[1]), [Some("x"), None, None, None]);
    assert_eq!(
        report.blank,
        [BlankCells {
            first: place(3, "b"),
            n_cells: 2
        }]
    );
}

#[test]
fn text_far_below_makes_a_column_of_numbers_text() {
    let mut text = "x\n".to_owned();
    (0..1500).for_each(|row| writeln!(text, "{row}").unwrap());
    text.push_str("unknown\n7\n");
    let (table, report) = read(&text).unwrap();
    let held = texts(&table.columns[0]);
    assert_eq!(
        (held.len(), held[0], held[1500], held[1501]),
        (1502, Some("0"), Some("unknown"), Some("7"))
    );
    assert_eq!(
        report.mixed,
        [MixedColumn {
            first: place(1502, "x"),
            n_numeric: 1501,
            n_other: 1
        }]
    );
}

#[test]
fn quotes_byte_order_mark_and_other_delimiters_are_read() {
    let (table, _) = read("\u{feff}\"name\",n\n\"one\ntwo\",1\n\"a \"\"b\"\", c\",2\n").unwrap();
    assert_eq!((table.columns[0].name.as_str(), table.n_rows), ("name", 2));
    assert_eq!(
        texts(&table.columns[0]),
        [Some("one\ntwo"), Some("a \"b\", c")]
    );
    assert_eq!(numbers(&table.columns[1]), [1.0, 2.0]);

    let options = CsvOptions {
        delimiter: b';',
        ..CsvOptions::default()
    };
    let (table, _) = read_with("a;b\n1,5;x\n", &options).unwrap();
    assert_eq!(texts(&table.columns[0]), [Some("1,5")]);
}

#[test]
fn columns_of_many_values_are_text_when_they_hardly_repeat() {
    const N_LEVELS: usize = 10_000;
    for (n_repeats, column_type) in [(1, ColumnType::Text), (2, ColumnType::Categorical)] {
        let mut text = "code\n".to_owned();
        (0..n_repeats * N_LEVELS).for_each(|row| writeln!(text, "v{}", row % N_LEVELS).unwrap());
        let (table, _) = read(&text).unwrap();
        let column = &table.columns[0];
        assert_eq!(column.column_type, column_type, "{n_repeats} rows a value");
        assert_eq!(column.groups().levels.len(), N_LEVELS);
    }
    let (table, _) = read(format!("note\n{}\n", "long ".repeat(20))).unwrap();
    assert_eq!(
        table.columns[0].column_type,
        ColumnType::Text,
        "a value of more than 64 bytes"
    );
}

#[test]
fn codes_do_not_depend_on_the_order_of_rows() {
    let levels = |text: &str| read(text).unwrap().0.columns[0].groups().levels;
    let expected = ["amber", "blue", "red"];
    assert_eq!(levels("c\nred\nblue\namber\nred\n"), expected);
    assert_eq!(levels("c\namber\nred\nblue\n"), expected);
}
