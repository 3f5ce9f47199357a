//! XGBoost model files: no bytes panic, and a model that was read predicts without panic or endless loop.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_ml::tree::xgboost::read_xgboost_json;

fuzz_target!(|bytes: &[u8]| {
    let Ok(ensemble) = read_xgboost_json(bytes) else { return };
    // The number of features is whatever the file says; a row for a table of this width is still small.
    if ensemble.n_features > 10_000 {
        return;
    }
    for value in [0.0, -1.0, 1e30, f32::NAN] {
        let margins = ensemble.margins(&vec![value; ensemble.n_features]);
        let _ = ensemble.predictions(&margins);
    }
});
