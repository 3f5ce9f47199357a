//! The Page-Hinkley test (Page 1954): cumulative deviations from the running mean, forgetting slowly.

use super::RunningMean;

/// Settings of the detector, with River's meaning; `delta` and `threshold` are in units of the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageHinkleySettings {
    /// Values before the first answer.
    pub n_min: u64,
    /// Deviation from the running mean that is tolerated at each value.
    pub delta: f64,
    /// Cumulative deviation that is a change.
    pub threshold: f64,
    /// Share of the cumulative deviation that is kept at each step.
    pub alpha: f64,
}

/// Those that River has by default.
impl Default for PageHinkleySettings {
    fn default() -> Self {
        Self {
            n_min: 30,
            delta: 0.005,
            threshold: 50.0,
            alpha: 0.9999,
        }
    }
}

/// The detector, for changes in both directions.
#[derive(Debug, Clone, PartialEq)]
pub struct PageHinkley {
    settings: PageHinkleySettings,
    mean: RunningMean,
    increase: f64,
    decrease: f64,
    increase_min: f64,
    decrease_max: f64,
}

impl PageHinkley {
    /// Returns a detector that has seen no value.
    pub fn new(settings: PageHinkleySettings) -> Self {
        Self {
            settings,
            mean: RunningMean::default(),
            increase: 0.0,
            decrease: 0.0,
            increase_min: f64::INFINITY,
            decrease_max: -1.0,
        }
    }

    /// Takes a value; returns whether the mean has changed.
    pub fn update(&mut self, x: f64) -> bool {
        let PageHinkleySettings {
            n_min,
            delta,
            threshold,
            alpha,
        } = self.settings;
        self.mean.update(x);
        let deviation = x - self.mean.mean;
        self.increase = alpha * self.increase + deviation - delta;
        self.decrease = alpha * self.decrease + deviation + delta;
        self.increase_min = self.increase_min.min(self.increase);
        self.decrease_max = self.decrease_max.max(self.decrease);
        let is_past = self.increase - self.increase_min > threshold
            || self.decrease_max - self.decrease > threshold;
        let is_change = self.mean.n >= n_min as f64 && is_past;
        if is_change {
            *self = Self::new(self.settings);
        }
        is_change
    }
}
