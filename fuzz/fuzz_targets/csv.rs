//! CSV tables: no bytes panic, and every column of a table is as long as the table.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use veracta_data::table::Values;
use veracta_data::csv::read_csv;
use veracta_data::reading::ReadOptions;

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, bytes) = input;
    let delimiter = [b',', b';', b'\t', b'|'][usize::from(choice) % 4];
    let options = ReadOptions { delimiter, ..ReadOptions::default() };
    let Ok((table, _)) = read_csv(&mut Cursor::new(bytes), &options) else { return };
    for column in &table.columns {
        let n_values = match &column.values {
            Values::Numeric(values) => values.len(),
            Values::Coded(coded) => coded.codes.len(),
        };
        assert_eq!(n_values, table.n_rows, "column `{}`", column.name);
    }
});
