//! Logistic regression by Newton's method with an L2 penalty.
//!
//! Written here rather than taken from a library because the standard errors are needed for calibration, and because its digits
//! must not depend on a thread count or on an optimiser's stopping rule: Newton's method converges quadratically to the one
//! optimum of a strictly convex problem.

/// Coefficients, intercept first, with their standard errors.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticFit {
    /// Intercept and one coefficient a column.
    pub coefficients: Vec<f64>,
    /// Square roots of the diagonal of the inverse (penalised) information.
    pub standard_errors: Vec<f64>,
}

const ITERATIONS_LIMIT: usize = 100;
const STEP_TOLERANCE: f64 = 1e-12;

/// Fits P(label) = 1 / (1 + exp(-(a + x·b + offset))), maximising the likelihood minus penalty/2 · |b|².
///
/// `columns` holds one vector of values a column. `None` when there is one class, the information matrix is singular (collinear
/// columns without penalty) or the iteration does not settle (perfect separation without penalty).
pub fn fit_logistic(
    columns: &[Vec<f64>],
    labels: &[bool],
    offset: Option<&[f64]>,
    penalty: f64,
) -> Option<LogisticFit> {
    let n_positive = labels.iter().filter(|label| **label).count();
    if n_positive == 0 || n_positive == labels.len() {
        return None;
    }
    let width = columns.len() + 1;
    let data = Labelled {
        columns,
        labels,
        offset,
    };
    let mut coefficients = vec![0.0; width];
    for _ in 0..ITERATIONS_LIMIT {
        let (gradient, information) = data.derivatives(&coefficients, penalty);
        let factor = cholesky(information, width)?;
        let step = solve(&factor, width, &gradient);
        // A step of more than 20 logits means separation: halving keeps a penalised fit on course.
        let largest = largest_of(&step);
        let scale = if largest > 20.0 { 20.0 / largest } else { 1.0 };
        coefficients
            .iter_mut()
            .zip(&step)
            .for_each(|(coefficient, step)| *coefficient += scale * step);
        if !coefficients
            .iter()
            .all(|coefficient| coefficient.abs() < 1e6)
        {
            return None;
        }
        if largest < STEP_TOLERANCE * (1.0 + largest_of(&coefficients)) {
            let standard_errors = (0..width).map(|i| {
                let mut unit = vec![0.0; width];
                unit[i] = 1.0;
                solve(&factor, width, &unit)[i].sqrt()
            });
            return Some(LogisticFit {
                standard_errors: standard_errors.collect(),
                coefficients,
            });
        }
    }
    None
}

fn largest_of(values: &[f64]) -> f64 {
    values
        .iter()
        .fold(0.0, |largest: f64, value| largest.max(value.abs()))
}

/// The rows of a fit.
struct Labelled<'d> {
    columns: &'d [Vec<f64>],
    labels: &'d [bool],
    offset: Option<&'d [f64]>,
}

impl Labelled<'_> {
    /// Returns the gradient of the penalised log-likelihood and the lower triangle of the information matrix; the intercept, at
    /// position 0, has no penalty.
    fn derivatives(&self, coefficients: &[f64], penalty: f64) -> (Vec<f64>, Vec<f64>) {
        let width = coefficients.len();
        let (mut gradient, mut information) = (vec![0.0; width], vec![0.0; width * width]);
        let mut x = vec![0.0; width];
        for (row, label) in self.labels.iter().enumerate() {
            (0..width).for_each(|position| x[position] = self.value(row, position));
            let margin: f64 = x.iter().zip(coefficients).map(|(x, b)| x * b).sum();
            let margin = margin + self.offset.map_or(0.0, |offset| offset[row]);
            let p = 1.0 / (1.0 + (-margin).exp());
            let (residual, weight) = (f64::from(*label) - p, p * (1.0 - p));
            for i in 0..width {
                gradient[i] += residual * x[i];
                let scaled = weight * x[i];
                for j in 0..=i {
                    information[i * width + j] += scaled * x[j];
                }
            }
        }
        for position in 1..width {
            gradient[position] -= penalty * coefficients[position];
            information[position * width + position] += penalty;
        }
        (gradient, information)
    }

    fn value(&self, row: usize, position: usize) -> f64 {
        if position == 0 {
            1.0
        } else {
            self.columns[position - 1][row]
        }
    }
}

/// Returns the lower Cholesky factor of a symmetric matrix given by its lower triangle; `None` when not positive definite.
fn cholesky(mut matrix: Vec<f64>, width: usize) -> Option<Vec<f64>> {
    for i in 0..width {
        for j in 0..=i {
            let dot: f64 = (0..j)
                .map(|k| matrix[i * width + k] * matrix[j * width + k])
                .sum();
            let rest = matrix[i * width + j] - dot;
            if i == j {
                if rest <= 1e-12 * matrix[i * width + i].abs() {
                    return None;
                }
                matrix[i * width + i] = rest.sqrt();
            } else {
                matrix[i * width + j] = rest / matrix[j * width + j];
            }
        }
    }
    Some(matrix)
}

fn solve(factor: &[f64], width: usize, right: &[f64]) -> Vec<f64> {
    let mut x = right.to_vec();
    for i in 0..width {
        let dot: f64 = (0..i).map(|k| factor[i * width + k] * x[k]).sum();
        x[i] = (x[i] - dot) / factor[i * width + i];
    }
    for i in (0..width).rev() {
        let dot: f64 = (i + 1..width).map(|k| factor[k * width + i] * x[k]).sum();
        x[i] = (x[i] - dot) / factor[i * width + i];
    }
    x
}
