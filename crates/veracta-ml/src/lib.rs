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

pub mod anonymity;
pub mod association;
pub mod calibration;
pub mod drift;
pub mod evaluation;
pub mod explanation;
pub mod fairness;
pub mod interval;
pub mod linear;
pub mod minimisation;
pub mod model;
pub mod multiplicity;
pub mod numeric;
pub mod paired;
pub mod performance;
pub mod privacy;
pub mod profile;
pub mod split;
pub mod table;
pub mod training;
pub mod tree;
