//! Model files: no bytes panic, and a model that was read is written again and predicts a row of its inputs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_model::model::{Batch, Model};

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = Model::from_own_bytes(bytes) else { return };
    let written = model.to_own_bytes().expect("a model that was read is written");
    assert!(Model::from_own_bytes(&written).is_ok(), "what is written reads back");
    let n_columns = model.signature.n_inputs;
    let _ = model.predict(&Batch { values: vec![0.5; n_columns], n_rows: 1, n_columns });
});
