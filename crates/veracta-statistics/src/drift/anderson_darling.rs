//! The two-sample Anderson-Darling test on midranks, normalised (Scholz and Stephens 1987, equation 7).

use super::{Sample, TestResult, for_each_distinct};

/// Significance levels of the published critical values.
const LEVELS: [f64; 7] = [0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001];
/// Coefficients b0 + b1 + b2 of the critical values for two samples (Scholz and Stephens 1987, table 2).
const CRITICAL: [f64; 7] = [
    0.675 - 0.245 - 0.105,
    1.281 + 0.25 - 0.305,
    1.645 + 0.678 - 0.362,
    1.96 + 1.149 - 0.391,
    2.326 + 1.822 - 0.396,
    2.573 + 2.364 - 0.345,
    3.085 + 3.615 - 0.154,
];

/// Returns the normalised statistic and a p-value interpolated from the table, at least 0.001 and at most 0.25.
///
/// `None` with an empty sample, fewer than four values in all, or one distinct value.
pub fn test(reference: &Sample, current: &Sample) -> Option<TestResult> {
    let (n, m) = (reference.n() as f64, current.n() as f64);
    let total = n + m;
    if n == 0.0 || m == 0.0 || total < 4.0 {
        return None;
    }
    let (mut below, mut below_n, mut below_m, mut n_distinct) = (0.0, 0.0, 0.0, 0usize);
    let (mut sum_n, mut sum_m) = (0.0, 0.0);
    for_each_distinct(reference, current, |_, in_reference, in_current| {
        let (f, g) = (in_reference as f64, in_current as f64);
        let ties = f + g;
        let middle = below + ties / 2.0;
        let divisor = middle * (total - middle) - total * ties / 4.0;
        let part = |below: f64, own: f64, size: f64| {
            ties / total * (total * (below + own / 2.0) - middle * size).powi(2) / divisor
        };
        if divisor > 0.0 {
            sum_n += part(below_n, f, n);
            sum_m += part(below_m, g, m);
        }
        (below, below_n, below_m) = (below + ties, below_n + f, below_m + g);
        n_distinct += 1;
    });
    if n_distinct < 2 {
        return None;
    }
    let raw = (sum_n / n + sum_m / m) * (total - 1.0) / total;
    let statistic = (raw - 1.0) / variance(n, m).sqrt();
    Some(TestResult {
        statistic,
        p_value: Some(p_value(statistic)),
    })
}

/// Returns the variance of the raw statistic of two samples (equation 4 with k = 2).
fn variance(n: f64, m: f64) -> f64 {
    let (total, size) = (n + m, (n + m) as usize);
    let inverse = 1.0 / n + 1.0 / m;
    // h sums 1/i for i below N; g sums the partial sums from the top over their position.
    let (mut partial, mut g) = (0.0, 0.0);
    for (position, i) in (2..size).rev().enumerate() {
        partial += 1.0 / i as f64;
        g += partial / (position + 2) as f64;
    }
    let h = partial + 1.0;
    let a = (4.0 * g - 6.0) + (10.0 - 6.0 * g) * inverse;
    let b = (2.0 * g - 4.0) * 4.0 + 16.0 * h + (2.0 * g - 14.0 * h - 4.0) * inverse - 8.0 * h
        + 4.0 * g
        - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * 4.0
        + (4.0 * h - 4.0 * g + 6.0) * 2.0
        + (2.0 * h - 6.0) * inverse
        + 4.0 * h;
    let d = (2.0 * h + 6.0) * 4.0 - 8.0 * h;
    (a * total.powi(3) + b * total.powi(2) + c * total + d)
        / ((total - 1.0) * (total - 2.0) * (total - 3.0))
}

/// Interpolates ln(level) by a parabola through the critical values, in the sense of least squares.
fn p_value(statistic: f64) -> f64 {
    if statistic < CRITICAL[0] {
        return LEVELS[0];
    }
    if statistic > CRITICAL[6] {
        return LEVELS[6];
    }
    // Powers of centred values keep the normal equations well conditioned.
    let centre = CRITICAL.iter().sum::<f64>() / 7.0;
    let x: Vec<f64> = CRITICAL.iter().map(|value| value - centre).collect();
    let y: Vec<f64> = LEVELS.iter().map(|level| level.ln()).collect();
    let power = |p: i32| x.iter().map(|x| x.powi(p)).sum::<f64>();
    let moment = |p: i32| x.iter().zip(&y).map(|(x, y)| x.powi(p) * y).sum::<f64>();
    let matrix = [
        [7.0, power(1), power(2)],
        [power(1), power(2), power(3)],
        [power(2), power(3), power(4)],
    ];
    let solution = solve(
        [matrix[0], matrix[1], matrix[2]],
        [moment(0), moment(1), moment(2)],
    );
    let at = statistic - centre;
    (solution[0] + solution[1] * at + solution[2] * at * at).exp()
}

/// Solves three equations by elimination with pivoting.
fn solve(mut matrix: [[f64; 3]; 3], mut right: [f64; 3]) -> [f64; 3] {
    for column in 0..3 {
        let pivot = (column..3)
            .max_by(|a, b| {
                matrix[*a][column]
                    .abs()
                    .total_cmp(&matrix[*b][column].abs())
            })
            .unwrap_or(column);
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        for row in 0..3 {
            if row != column {
                let factor = matrix[row][column] / matrix[column][column];
                let above = matrix[column];
                matrix[row]
                    .iter_mut()
                    .zip(above)
                    .for_each(|(value, above)| *value -= factor * above);
                right[row] -= factor * right[column];
            }
        }
    }
    [
        right[0] / matrix[0][0],
        right[1] / matrix[1][1],
        right[2] / matrix[2][2],
    ]
}
