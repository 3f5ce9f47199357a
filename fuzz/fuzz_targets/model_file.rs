//! Model files: no bytes panic, and a model that was read is written again and predicts a row of its inputs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ml::model::{Matrix, Predictor};

fuzz_target!(|bytes: &[u8]| {
    let Ok(predictor) = Predictor::from_bytes(bytes) else { return };
    let written = predictor.to_bytes().expect("a model that was read is written");
    assert!(Predictor::from_bytes(&written).is_ok(), "what is written reads back");
    let n_columns = predictor.inputs.len();
    let _ = predictor.predict(&Matrix { values: vec![0.5; n_columns], n_rows: 1, n_columns });
});
