//! Bytes in, predictions and explanations out; and the trainers that make such bytes.
//!
//! Models are trees ([`tree`], with the formats of XGBoost and LightGBM), linear models ([`linear`]) and ONNX graphs ([`onnx`]).
//! Nothing here judges a prediction or knows who asked for it. Files of models come from outside: every reader has limits, refuses
//! with an error what it cannot read exactly, and is fuzzed.
//!
//! A model brought along predicts and is explained exactly; contributions and base value add up to the margin:
//!
//! ```
//! use veracta_model::explanation::path_dependent::tree_shap;
//! use veracta_model::tree::lightgbm::read_lightgbm_text;
//!
//! let text = "tree\nversion=v4\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=binary sigmoid:1\nfeature_names=age\n\n\
//!     Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nsplit_gain=1\nthreshold=40\ndecision_type=2\nleft_child=-1\nright_child=-2\n\
//!     leaf_value=-1 1\nleaf_count=30 10\ninternal_count=40\n\nend of trees\n";
//! let model = read_lightgbm_text(text).unwrap();
//! assert_eq!(model.margins(&[50.0]), [1.0]);
//! let why = &tree_shap(&model, &[50.0]).unwrap()[0];
//! assert!(why.base_value == -0.5 && (why.contributions[0] - 1.5).abs() < 1e-12);
//! ```

pub mod batch;
pub mod category;
pub mod explanation;
pub mod linear;
pub mod model;
pub mod numeric;
pub mod onnx;
pub mod training;
pub mod tree;
