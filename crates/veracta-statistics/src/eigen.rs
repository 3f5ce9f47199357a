//! Eigenvalues and eigenvectors of a small symmetric matrix.

/// Returns eigenvalues and eigenvectors (in columns, row after row) of a symmetric matrix by Jacobi's rotations, in no order.
///
/// # Panics
/// When the matrix is not `size` × `size`.
pub(crate) fn symmetric_eigen(matrix: &[f64], size: usize) -> (Vec<f64>, Vec<f64>) {
    assert_eq!(matrix.len(), size * size, "the matrix is square");
    let mut a = matrix.to_vec();
    let mut vectors: Vec<f64> = (0..size * size)
        .map(|idx| f64::from(u8::from(idx % (size + 1) == 0)))
        .collect();
    for _ in 0..100 {
        let outside: f64 = (0..size)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| a[i * size + j].powi(2))
            .sum();
        let diagonal: f64 = (0..size).map(|i| a[i * size + i].powi(2)).sum();
        if outside <= diagonal * 1e-34 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                if a[p * size + q] == 0.0 {
                    continue;
                }
                let theta = (a[q * size + q] - a[p * size + p]) / (2.0 * a[p * size + q]);
                let sign = if theta >= 0.0 { 1.0 } else { -1.0 };
                let t = sign / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..size {
                    let (x, y) = (a[k * size + p], a[k * size + q]);
                    (a[k * size + p], a[k * size + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..size {
                    let (x, y) = (a[p * size + k], a[q * size + k]);
                    (a[p * size + k], a[q * size + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (vectors[k * size + p], vectors[k * size + q]);
                    (vectors[k * size + p], vectors[k * size + q]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    ((0..size).map(|i| a[i * size + i]).collect(), vectors)
}
