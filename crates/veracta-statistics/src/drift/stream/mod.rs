//! Detectors of change in a stream, one value at a time with bounded memory: what the gateway asks while it serves.
//!
//! Each detector has an `update` that says whether a change was detected at this value; after one it begins anew.

pub mod adwin;
pub mod error_rate;
pub mod page_hinkley;

/// A running mean in the order of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct RunningMean {
    n: f64,
    mean: f64,
}

impl RunningMean {
    fn update(&mut self, x: f64) {
        self.n += 1.0;
        self.mean += (x - self.mean) / self.n;
    }
}
