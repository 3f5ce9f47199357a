//! CSV tables: no bytes panic, and every column of a table is as long as the table.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use veracta_data::csv::read_csv;
use veracta_data::reading::ReadOptions;
use veracta_data::spelling::NumberStyle;
use veracta_data::table::Values;

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, bytes) = input;
    let delimiter = [None, Some(b';'), Some(b'\t'), Some(b'|')][usize::from(choice) % 4];
    let numbers = match choice & 4 {
        0 => NumberStyle::default(),
        _ => NumberStyle { decimal: b',', thousands: Some(b'.') },
    };
    let missing = if choice & 8 == 0 { Vec::new() } else { vec!["-9".to_owned(), "x".to_owned()] };
    let options = ReadOptions { delimiter, numbers, missing, ..ReadOptions::default() };
    let Ok((table, _)) = read_csv(&mut Cursor::new(bytes), &options) else { return };
    for column in &table.columns {
        let n_values = match &column.values {
            Values::Numeric(values) => values.len(),
            Values::Coded(coded) => coded.codes.len(),
        };
        assert_eq!(n_values, table.n_rows, "column `{}`", column.name);
    }
});
