//! ADWIN (Bifet and Gavaldà 2007): a window that grows while nothing changes and ends when two parts of it differ.
//!
//! The window is kept as buckets of 1, 2, 4 … values, a few of each size, so that memory grows with the logarithm of its length.

use std::collections::VecDeque;

/// Settings of the detector, with River's meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdwinSettings {
    /// Probability of a false alarm.
    pub delta: f64,
    /// Values between two looks for a change.
    pub clock: u64,
    /// Most buckets of one size; the two oldest are joined when there is one more.
    pub n_buckets_max: usize,
    /// Fewest values on each side of a cut.
    pub n_part_min: f64,
    /// Values before the first look.
    pub n_grace: f64,
}

/// Those that River has by default.
impl Default for AdwinSettings {
    fn default() -> Self {
        Self {
            delta: 0.002,
            clock: 32,
            n_buckets_max: 5,
            n_part_min: 5.0,
            n_grace: 10.0,
        }
    }
}

/// Sum and sum of squared deviations of a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    total: f64,
    squares: f64,
}

/// A window over the latest values in which no change was detected.
#[derive(Debug, Clone, PartialEq)]
pub struct Adwin {
    settings: AdwinSettings,
    /// Buckets of 2^i values, oldest first.
    rows: Vec<VecDeque<Bucket>>,
    n: f64,
    total: f64,
    squares: f64,
    n_seen: u64,
}

impl Adwin {
    /// Returns a detector with an empty window.
    pub fn new(settings: AdwinSettings) -> Self {
        Self {
            settings,
            rows: vec![VecDeque::new()],
            n: 0.0,
            total: 0.0,
            squares: 0.0,
            n_seen: 0,
        }
    }

    /// Returns the mean of the window; `None` of nothing.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0.0).then(|| self.total / self.n)
    }

    /// Takes a value; returns whether the window was cut.
    pub fn update(&mut self, x: f64) -> bool {
        if self.n > 0.0 {
            let gap = x - self.total / self.n;
            self.squares += self.n * gap * gap / (self.n + 1.0);
        }
        (self.n, self.total, self.n_seen) = (self.n + 1.0, self.total + x, self.n_seen + 1);
        self.rows[0].push_back(Bucket {
            total: x,
            squares: 0.0,
        });
        self.compress();
        if !self.n_seen.is_multiple_of(self.settings.clock) || self.n <= self.settings.n_grace {
            return false;
        }
        let is_change = self.is_split();
        if is_change {
            *self = Self::new(self.settings);
        }
        is_change
    }

    /// Joins the two oldest buckets of a size when there is one too many.
    fn compress(&mut self) {
        let mut row = 0;
        while self.rows[row].len() > self.settings.n_buckets_max {
            let (first, second) = (self.rows[row].pop_front(), self.rows[row].pop_front());
            let (Some(first), Some(second)) = (first, second) else {
                return;
            };
            let size = (1u64 << row) as f64;
            let gap = first.total / size - second.total / size;
            let squares = first.squares + second.squares + size * size * gap * gap / (2.0 * size);
            if row + 1 == self.rows.len() {
                self.rows.push(VecDeque::new());
            }
            self.rows[row + 1].push_back(Bucket {
                total: first.total + second.total,
                squares,
            });
            row += 1;
        }
    }

    /// Returns whether some cut leaves two parts whose means differ by more than chance allows.
    fn is_split(&self) -> bool {
        let (mut n, mut total) = (0.0, 0.0);
        let n_min = self.settings.n_part_min;
        let log = (2.0 * self.n.ln() / self.settings.delta).ln();
        let variance = self.squares / self.n;
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            for bucket in buckets {
                (n, total) = (n + (1u64 << row) as f64, total + bucket.total);
                let rest = self.n - n;
                if rest <= 0.0 {
                    return false;
                }
                if n < n_min || rest < n_min {
                    continue;
                }
                let harmonic = 1.0 / (n - n_min + 1.0) + 1.0 / (rest - n_min + 1.0);
                let bound = (2.0 * harmonic * variance * log).sqrt() + 2.0 / 3.0 * log * harmonic;
                if (total / n - (self.total - total) / rest).abs() > bound {
                    return true;
                }
            }
        }
        false
    }
}
