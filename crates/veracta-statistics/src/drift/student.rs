//! Student's and Welch's t tests of the difference of means, reference minus current.

use super::{Sample, TestResult};
use crate::distribution::student_two_sided;
use veracta_model::numeric::{mean, variance};

/// Whether both samples are taken to have one variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variances {
    /// One variance, pooled (Student 1908).
    Equal,
    /// One variance for each sample (Welch 1947).
    Unequal,
}

/// The result of a t test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StudentTest {
    /// t and its two-sided p-value.
    pub result: TestResult,
    /// Degrees of freedom: n + m − 2 with equal variances, else Welch's, not a whole number.
    pub degrees: f64,
}

/// Returns the test; `None` with fewer than two values in a sample, or when neither varies and the means are equal.
///
/// When neither sample varies and the means differ, t is infinite and p is 0.
pub fn test(reference: &Sample, current: &Sample, variances: Variances) -> Option<StudentTest> {
    let (n, m) = (reference.n() as f64, current.n() as f64);
    let (v, w) = (variance(&reference.sorted)?, variance(&current.sorted)?);
    // Against a value of the column, so that a large offset common to both does not cost digits.
    let origin = *reference.sorted.first()?;
    let centred = |sample: &Sample| {
        mean(
            &sample
                .sorted
                .iter()
                .map(|value| value - origin)
                .collect::<Vec<f64>>(),
        )
    };
    let gap = centred(reference)? - centred(current)?;
    let (degrees, spread) = match variances {
        Variances::Equal => {
            let degrees = n + m - 2.0;
            (
                degrees,
                ((n - 1.0) * v + (m - 1.0) * w) / degrees * (1.0 / n + 1.0 / m),
            )
        }
        Variances::Unequal => {
            let (a, b) = (v / n, w / m);
            let degrees = (a + b).powi(2) / (a * a / (n - 1.0) + b * b / (m - 1.0));
            // Without any variance the ratio is 0/0: one degree, as few as there are.
            (if degrees.is_nan() { 1.0 } else { degrees }, a + b)
        }
    };
    // Without a spread there is no test of equal means, and values near the largest number have no finite spread.
    if spread == 0.0 && gap == 0.0 || !spread.is_finite() || gap.is_nan() {
        return None;
    }
    let statistic = gap / spread.sqrt();
    let p = if statistic.is_infinite() {
        0.0
    } else {
        student_two_sided(statistic, degrees)
    };
    Some(StudentTest {
        result: TestResult {
            statistic,
            p_value: Some(p),
        },
        degrees,
    })
}
