//! Turns columns into predictions and measurements.
//!
//! Tables come in as readers ([`table`]), models go out as canonical bytes ([`model`]), and every measurement that is an
//! estimate carries an interval ([`interval`]). The crate reads no file, draws no unseeded randomness and does not know who
//! asked: the same arguments give the same digits on any number of threads.
//!
//! ```
//! use veracta_ml::{performance::Scored, interval::delong_interval};
//!
//! let labels = [false, false, true, true, false, true];
//! let scores = [0.1, 0.4, 0.35, 0.8, 0.2, 0.9];
//! let scored = Scored::new(&labels, &scores).unwrap();
//! let auc = delong_interval(&scored, 0.95).unwrap();
//! assert!((auc.estimate - 8.0 / 9.0).abs() < 1e-12 && auc.lower < auc.estimate);
//! ```
//!
//! A model brought along predicts and is explained exactly; contributions and base value add up to the margin:
//!
//! ```
//! use veracta_ml::explanation::path_dependent::tree_shap;
//! use veracta_ml::tree::lightgbm::read_lightgbm_text;
//!
//! let text = "tree\nversion=v4\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=binary sigmoid:1\nfeature_names=age\n\n\
//!     Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nsplit_gain=1\nthreshold=40\ndecision_type=2\nleft_child=-1\nright_child=-2\n\
//!     leaf_value=-1 1\nleaf_count=30 10\ninternal_count=40\n\nend of trees\n";
//! let model = read_lightgbm_text(text).unwrap();
//! assert_eq!(model.margins(&[50.0]), [1.0]);
//! let why = &tree_shap(&model, &[50.0]).unwrap()[0];
//! assert!(why.base_value == -0.5 && (why.contributions[0] - 1.5).abs() < 1e-12);
//! ```
//!
//! Drift is the size of a change with its bounds, not a p-value; few rows are undecided:
//!
//! ```
//! use veracta_ml::drift::Sample;
//! use veracta_ml::drift::rule::{Change, Tolerances, judge_numeric};
//!
//! let numbers = |shift: f64, n: usize| Sample::new(&(0..n).map(|i| i as f64 / n as f64 + shift).collect::<Vec<f64>>());
//! let judge = |shift, n| judge_numeric(&numbers(0.0, n), &numbers(shift, n), 1, Tolerances::default()).change;
//! assert_eq!(judge(0.0, 10_000), Change::Stable);
//! assert_eq!(judge(0.3, 10_000), Change::Drifted);
//! assert_eq!(judge(0.3, 20), Change::Undecided);
//! ```

pub mod anonymity;
pub mod association;
pub mod calibration;
pub mod drift;
pub mod evaluation;
pub mod explanation;
pub mod fairness;
pub mod interval;
pub mod linear;
pub mod membership;
pub mod minimisation;
pub mod model;
pub mod multiplicity;
pub mod neighbours;
pub mod numeric;
pub mod onnx;
pub mod paired;
pub mod performance;
pub mod privacy;
pub mod profile;
pub mod recalibration;
pub mod resampling;
pub mod robustness;
pub mod sketch;
pub mod split;
pub mod table;
pub mod task_evaluation;
pub mod training;
pub mod tree;
pub mod windows;
