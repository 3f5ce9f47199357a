//! Turns columns and predictions into numbers with intervals.
//!
//! Every measurement that is an estimate carries an interval ([`interval`]), and every number has a reference value of an
//! established library under `tests/fixtures/golden`. The crate reads no file, draws no unseeded randomness and does not know who
//! asked: the same arguments give the same digits on any number of threads.
//!
//! ```
//! use veracta_statistics::{interval::delong_interval, performance::Scored};
//!
//! let labels = [false, false, true, true, false, true];
//! let scores = [0.1, 0.4, 0.35, 0.8, 0.2, 0.9];
//! let scored = Scored::new(&labels, &scores).unwrap();
//! let auc = delong_interval(&scored, 0.95).unwrap();
//! assert!((auc.estimate - 8.0 / 9.0).abs() < 1e-12 && auc.lower < auc.estimate);
//! ```
//!
//! Drift is the size of a change with its bounds, not a p-value; few rows are undecided:
//!
//! ```
//! use veracta_statistics::drift::Sample;
//! use veracta_statistics::drift::rule::{Change, Tolerances, judge_numeric};
//!
//! let numbers = |shift: f64, n: usize| Sample::new(&(0..n).map(|i| i as f64 / n as f64 + shift).collect::<Vec<f64>>());
//! let judge = |shift, n| judge_numeric(&numbers(0.0, n), &numbers(shift, n), 1, Tolerances::default()).change;
//! assert_eq!(judge(0.0, 10_000), Change::Stable);
//! assert_eq!(judge(0.3, 10_000), Change::Drifted);
//! assert_eq!(judge(0.3, 20), Change::Undecided);
//! ```

pub mod anonymity;
pub mod association;
pub mod attributions;
pub mod calibration;
pub mod distribution;
pub mod drift;
mod eigen;
pub mod evaluation;
pub mod fairness;
pub mod interval;
pub mod membership;
pub mod minimisation;
pub mod multiplicity;
pub mod neighbours;
pub mod paired;
pub mod performance;
pub mod permutation;
pub mod privacy;
pub mod profile;
pub mod ranks;
pub mod recalibration;
pub mod resampling;
pub mod robustness;
mod sample;
pub mod sketch;
pub mod split;
pub mod target;
pub mod task_evaluation;
pub mod windows;
