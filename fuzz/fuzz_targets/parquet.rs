//! Parquet tables: no bytes panic, and every column of a table is as long as the table.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use veracta_data::parquet::read_parquet;
use veracta_data::reading::ReadOptions;
use veracta_data::table::Values;

fuzz_target!(|bytes: &[u8]| {
    let source = Bytes::copy_from_slice(bytes);
    let Ok((table, _)) = read_parquet(source, &ReadOptions::default()) else { return };
    for column in &table.columns {
        let n_values = match &column.values {
            Values::Numeric(values) => values.len(),
            Values::Coded(coded) => coded.codes.len(),
        };
        assert_eq!(n_values, table.n_rows, "{}", column.name);
    }
});
