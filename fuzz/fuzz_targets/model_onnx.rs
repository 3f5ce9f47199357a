//! ONNX files: no bytes panic, and a graph that was read runs on a row or says why not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use veracta_model::model::Batch;
use veracta_model::onnx::read_onnx;
use veracta_model::tree::compiled::CompiledTrees;

fuzz_target!(|bytes: &[u8]| {
    let Ok(graph) = read_onnx(bytes) else { return };
    let n_columns = graph.n_columns();
    if n_columns > 1_000 {
        return;
    }
    for value in [0.0, -1.0, 1e300, f64::NAN] {
        let _ = graph.predict(&Batch { values: vec![value; 2 * n_columns], n_rows: 2, n_columns });
    }
    if let Some(ensemble) = graph.only_trees().filter(|ensemble| ensemble.n_outputs() <= 100) {
        let _ = CompiledTrees::new(&ensemble).margins(&vec![0.5; n_columns], n_columns);
    }
});
