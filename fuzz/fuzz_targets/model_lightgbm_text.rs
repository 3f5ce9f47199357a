//! LightGBM model files: no text panics, and a model that was read predicts and explains without panic or endless loop.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_model::explanation::path_dependent::tree_shap;
use veracta_model::tree::compiled::CompiledTrees;
use veracta_model::tree::lightgbm::read_lightgbm_text;

fuzz_target!(|text: &str| {
    let Ok(ensemble) = read_lightgbm_text(text) else { return };
    if ensemble.n_features > 1_000 || ensemble.n_outputs() > 100 {
        return;
    }
    for value in [0.0, -1.0, 1e300, f64::NAN] {
        let row = vec![value; ensemble.n_features];
        let margins = ensemble.margins(&row);
        let batch = CompiledTrees::new(&ensemble).margins(&row, row.len());
        assert!(margins.iter().zip(&batch).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()));
        let _ = ensemble.predictions(&margins);
        let _ = tree_shap(&ensemble, &row);
    }
});
