//! Reading Parquet: every type is read or listed, and the same rows say the same as in CSV.

use veracta_data::reading::{ColumnReading, ReadOptions};
use veracta_data::source::{Source, SourceError};
use veracta_data::table::{ColumnType, TableError};

use crate::{levels, numbers, texts};

fn fixture(name: &str) -> Source {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    Source::file(&folder.join(name))
}

#[test]
fn the_same_rows_are_the_same_from_csv_and_parquet() {
    let options = ReadOptions::default();
    let [csv, parquet] =
        ["same.csv", "same.parquet"].map(|name| fixture(name).table(&options).unwrap().table);
    assert_eq!(csv.n_rows, parquet.n_rows);
    for (first, second) in csv.columns.iter().zip(&parquet.columns) {
        assert_eq!(first.name, second.name);
        assert_eq!(first.codes(), second.codes(), "{}", first.name);
        assert_eq!(first.column_type, second.column_type, "{}", first.name);
    }
    assert_eq!(levels(&csv, "truth"), ["false", "true"]);
    assert_eq!(
        levels(&csv, "day"),
        ["2026-01-31", "2026-02-01", "2026-02-02"]
    );
    assert_eq!(
        levels(&csv, "moment"),
        ["2026-01-31T10:00:00", "2026-02-01T10:00:00.5", "2026-02-02"]
    );
}

#[test]
fn every_type_of_parquet_is_read_or_listed() {
    let read = fixture("types.parquet")
        .table(&ReadOptions::default())
        .unwrap();
    let check =
        |name: &str, expected: &[&str]| assert_eq!(levels(&read.table, name), expected, "{name}");
    check("account", &["1234567890123456789", "1234567890123456790"]);
    check(
        "unsigned",
        &["18446744073709551614", "18446744073709551615"],
    );
    check(
        "decimal_id",
        &["1234567890123456789", "1234567890123456790"],
    );
    check("money", &["-0.05", "12.5"]);
    check("small", &["1", "2"]);
    check("truth", &["false", "true"]);
    check("day", &["2026-01-31", "2026-02-01"]);
    check("moment", &["2026-01-31T10:00:00", "2026-02-01T10:00:00.5"]);
    check("zoned", &["2026-01-31T10:00:00Z", "2026-02-01T10:00:00.5Z"]);
    check("word", &[" blank ", "NA"]);
    check("nothing", &[]);
    let unread: Vec<&str> = read
        .report
        .unread
        .iter()
        .map(|found| found.column.as_str())
        .collect();
    assert_eq!(unread, ["list", "struct", "bytes"]);
    let refused = read.table.column("bytes").unwrap_err().to_string();
    assert!(
        refused.starts_with("column `bytes` holds bytes that are not UTF-8"),
        "{refused}"
    );
    let required = fixture("required.parquet")
        .table(&ReadOptions::default())
        .unwrap()
        .table;
    assert_eq!(
        levels(&required, "key")[2],
        "00000000-0000-0000-0000-000000000003"
    );
    assert_eq!(numbers(&required.columns[1]), [1.5, 2.5, 3.5]);
    let refused = fixture("brotli.parquet")
        .table(&ReadOptions::default())
        .unwrap_err();
    let SourceError::Table(TableError::Parquet(reason)) = refused else {
        panic!("{refused}")
    };
    assert!(reason.to_string().contains("Brotli"), "{reason}");
}

#[test]
fn text_of_numbers_is_numbers_and_a_32_bit_float_is_its_decimal() {
    let read = fixture("texts.parquet")
        .table(&ReadOptions::default())
        .unwrap();
    assert_eq!(
        numbers(read.table.column("digits").unwrap())[..2],
        [1.0, 2.5]
    );
    assert!(numbers(read.table.column("digits").unwrap())[2].is_nan());
    assert_eq!(
        numbers(read.table.column("short").unwrap())[..2],
        [0.1, 0.7]
    );
    assert_eq!(levels(&read.table, "zip"), ["01", "2"]);
    assert_eq!(read.report.unread[0].column, "far");
    let words = |keeps_empty| {
        let reading = ColumnReading {
            column_type: ColumnType::Categorical,
            is_verbatim: true,
            keeps_empty,
            missing: Vec::new(),
        };
        let options = ReadOptions {
            of_model: [("empty".to_owned(), reading)].into(),
            ..ReadOptions::default()
        };
        texts(
            fixture("texts.parquet")
                .table(&options)
                .unwrap()
                .table
                .column("empty")
                .unwrap(),
        )
        .into_iter()
        .map(|word| word.map(str::to_owned))
        .collect::<Vec<_>>()
    };
    assert_eq!(
        words(true),
        [Some(String::new()), Some("x".to_owned()), None]
    );
    assert_eq!(words(false), [None, Some("x".to_owned()), None]);
}
