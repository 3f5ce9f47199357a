//! Detectors on a stream of errors (1) and hits (0): DDM (Gama et al. 2004), EDDM (Baena-García et al. 2006) and HDDM-A (Frías-Blanco et
//! al. 2015).

use super::RunningMean;

/// DDM: the error rate against its lowest.
#[derive(Debug, Clone, PartialEq)]
pub struct Ddm {
    n_min: u64,
    n_deviations: f64,
    rate: RunningMean,
    lowest: (f64, f64),
}

impl Ddm {
    /// Begins; a change is an error rate `n_deviations` standard deviations above the lowest, after more than `n_min` values.
    pub fn new(n_min: u64, n_deviations: f64) -> Self {
        Self {
            n_min,
            n_deviations,
            rate: RunningMean::default(),
            lowest: (f64::INFINITY, f64::INFINITY),
        }
    }

    /// Takes whether a decision was wrong; returns whether errors have become more frequent.
    pub fn update(&mut self, is_error: bool) -> bool {
        self.rate.update(f64::from(is_error));
        let RunningMean { n, mean: p } = self.rate;
        let deviation = (p * (1.0 - p) / n).sqrt();
        if n <= self.n_min as f64 {
            return false;
        }
        if p + deviation <= self.lowest.0 + self.lowest.1 {
            self.lowest = (p, deviation);
        }
        let is_change = p + deviation > self.lowest.0 + self.n_deviations * self.lowest.1;
        if is_change {
            *self = Self::new(self.n_min, self.n_deviations);
        }
        is_change
    }
}

/// EDDM: the distance between errors against its largest.
#[derive(Debug, Clone, PartialEq)]
pub struct Eddm {
    n_min: u64,
    beta: f64,
    n: u64,
    last_error: u64,
    distance: RunningMean,
    squares: f64,
    largest: f64,
}

impl Eddm {
    /// Begins; a change is a distance below `beta` of the largest, after more than `n_min` values and errors.
    pub fn new(n_min: u64, beta: f64) -> Self {
        Self {
            n_min,
            beta,
            n: 0,
            last_error: 0,
            distance: RunningMean::default(),
            squares: 0.0,
            largest: -1.0,
        }
    }

    /// Takes whether a decision was wrong; returns whether errors have come closer together.
    pub fn update(&mut self, is_error: bool) -> bool {
        self.n += 1;
        if !is_error {
            return false;
        }
        let (gap, before) = ((self.n - self.last_error) as f64, self.distance.mean);
        self.distance.update(gap);
        self.squares += (gap - before) * (gap - self.distance.mean);
        self.last_error = self.n;
        if self.n <= self.n_min {
            return false;
        }
        let variance = if self.distance.n > 1.0 {
            self.squares / (self.distance.n - 1.0)
        } else {
            0.0
        };
        let level = self.distance.mean + 2.0 * variance.sqrt();
        if level > self.largest {
            self.largest = level;
            return false;
        }
        let is_change = self.distance.n > self.n_min as f64 && level / self.largest < self.beta;
        if is_change {
            *self = Self::new(self.n_min, self.beta);
        }
        is_change
    }
}

/// HDDM-A: Hoeffding's bound on the difference of the error rate before and after the best cut.
#[derive(Debug, Clone, PartialEq)]
pub struct HddmA {
    confidence: f64,
    all: RunningMean,
    lowest: RunningMean,
}

impl HddmA {
    /// Begins; `confidence` is the probability of a false alarm at a cut.
    pub fn new(confidence: f64) -> Self {
        Self {
            confidence,
            all: RunningMean::default(),
            lowest: RunningMean::default(),
        }
    }

    /// Takes whether a decision was wrong; returns whether errors have become more frequent.
    pub fn update(&mut self, is_error: bool) -> bool {
        self.all.update(f64::from(is_error));
        if self.lowest.n == 0.0 {
            self.lowest = self.all;
        }
        let bound = |n: f64| (1.0 / (2.0 * n) * (1.0 / self.confidence).ln()).sqrt();
        if self.lowest.mean + bound(self.lowest.n) >= self.all.mean + bound(self.all.n) {
            self.lowest = self.all;
        }
        if self.lowest.n == self.all.n {
            return false;
        }
        let m = (self.all.n - self.lowest.n) / self.lowest.n / self.all.n;
        let is_change =
            self.all.mean - self.lowest.mean >= (m / 2.0 * (2.0 / self.confidence).ln()).sqrt();
        if is_change {
            *self = Self::new(self.confidence);
        }
        is_change
    }
}
