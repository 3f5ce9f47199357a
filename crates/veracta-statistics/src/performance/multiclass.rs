//! Performance of a classifier of several classes, with scikit-learn's definitions.

use super::{Metric, Scored};
use veracta_model::numeric::sum;

/// Labels, predicted labels and probabilities of the same rows; classes are numbered from 0.
#[derive(Debug, Clone, Copy)]
pub struct Classified<'d> {
    /// True class of each row, below `n_classes`.
    pub labels: &'d [usize],
    /// Predicted class of each row, below `n_classes`.
    pub predicted: &'d [usize],
    /// `n_classes` probabilities a row, row after row.
    pub probabilities: &'d [f64],
    /// Number of classes, those without a row included.
    pub n_classes: usize,
}

/// How the values of classes become one; a class without a denominator counts as 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// Mean over classes, each with the same weight.
    Macro,
    /// Over the counts of all classes.
    Micro,
    /// By the number of true rows of a class.
    Weighted,
}

/// How several classes become pairs for a ROC AUC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Each class against the rest (Provost and Domingos 2000).
    OneVsRest,
    /// Each pair of classes, both ways (Hand and Till 2001).
    OneVsOne,
}

/// How far apart two classes are for Cohen's kappa.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disagreement {
    /// All disagreements are the same.
    Unweighted,
    /// By the distance of the classes.
    Linear,
    /// By the square of the distance of the classes.
    Quadratic,
}

/// Counts of (true class, predicted class).
#[derive(Debug, Clone, PartialEq)]
pub struct ConfusionMatrix {
    /// `n_classes` × `n_classes` counts, a row a true class.
    pub counts: Vec<f64>,
    /// Number of classes: rows and columns of `counts`.
    pub n_classes: usize,
}

impl Classified<'_> {
    /// Returns how often each true class was predicted as each class.
    ///
    /// # Panics
    /// When lengths differ or a class is not below `n_classes`.
    pub fn confusion(&self) -> ConfusionMatrix {
        assert_eq!(
            self.labels.len(),
            self.predicted.len(),
            "one prediction a label"
        );
        let mut counts = vec![0.0; self.n_classes * self.n_classes];
        for (label, predicted) in self.labels.iter().zip(self.predicted) {
            assert!(
                *label < self.n_classes && *predicted < self.n_classes,
                "classes are below their number"
            );
            counts[label * self.n_classes + predicted] += 1.0;
        }
        ConfusionMatrix {
            counts,
            n_classes: self.n_classes,
        }
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.probabilities[row * self.n_classes..(row + 1) * self.n_classes]
    }

    fn mean(&self, of: impl Fn(usize) -> f64) -> Option<f64> {
        let n = self.labels.len();
        (n > 0).then(|| sum(&(0..n).map(of).collect::<Vec<f64>>()) / n as f64)
    }

    /// Returns the mean of −ln p(label), rows normalised, p clipped at the machine epsilon; 0 is perfect.
    pub fn log_loss(&self) -> Option<f64> {
        self.mean(|row| {
            let clipped = |p: f64| p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            let total: f64 = self.row(row).iter().map(|p| clipped(*p)).sum();
            -(clipped(self.row(row)[self.labels[row]]) / total).ln()
        })
    }

    /// Returns the mean of the squared error summed over classes; 0 to 2, 0 is perfect (Brier 1950).
    pub fn brier(&self) -> Option<f64> {
        self.mean(|row| {
            self.row(row)
                .iter()
                .enumerate()
                .map(|(class, p)| (p - f64::from(self.labels[row] == class)).powi(2))
                .sum()
        })
    }

    /// Returns the share of rows whose label is among the `k` most probable classes; of equal ones the later counts as larger.
    pub fn top_k_accuracy(&self, k: usize) -> Option<f64> {
        self.mean(|row| {
            let (scores, label) = (self.row(row), self.labels[row]);
            let is_above = |(class, score): (usize, &f64)| {
                *score > scores[label] || *score == scores[label] && class > label
            };
            f64::from(
                scores
                    .iter()
                    .enumerate()
                    .filter(|(class, score)| is_above((*class, score)))
                    .count()
                    < k,
            )
        })
    }

    /// Returns the ROC AUC over classes; `None` when a class has no row, or is all there is. A class without rows has no weight in the weighted
    /// mean of one against the rest, and is left out of it.
    pub fn roc_auc(&self, scheme: Scheme, average: Average) -> Option<f64> {
        let auc = |labels: &[bool], scores: &[f64]| {
            Metric::RocAuc.evaluate(&Scored::new(labels, scores).ok()?, 0.5)
        };
        let prevalence = |class: usize| {
            self.labels.iter().filter(|label| **label == class).count() as f64
                / self.labels.len() as f64
        };
        let mut parts = Vec::new();
        match scheme {
            Scheme::OneVsRest => {
                let has_weight =
                    |class: &usize| average != Average::Weighted || prevalence(*class) > 0.0;
                for class in (0..self.n_classes).filter(has_weight) {
                    let labels: Vec<bool> =
                        self.labels.iter().map(|label| *label == class).collect();
                    let scores: Vec<f64> =
                        (0..labels.len()).map(|row| self.row(row)[class]).collect();
                    parts.push((auc(&labels, &scores)?, prevalence(class)));
                }
            }
            Scheme::OneVsOne => {
                for (a, b) in
                    (0..self.n_classes).flat_map(|a| (a + 1..self.n_classes).map(move |b| (a, b)))
                {
                    let rows: Vec<usize> = (0..self.labels.len())
                        .filter(|row| [a, b].contains(&self.labels[*row]))
                        .collect();
                    let of = |class: usize| {
                        let labels: Vec<bool> =
                            rows.iter().map(|row| self.labels[*row] == class).collect();
                        auc(
                            &labels,
                            &rows
                                .iter()
                                .map(|row| self.row(*row)[class])
                                .collect::<Vec<f64>>(),
                        )
                    };
                    parts.push(((of(a)? + of(b)?) / 2.0, prevalence(a) + prevalence(b)));
                }
            }
        }
        let weight = |share: f64| {
            if average == Average::Weighted {
                share
            } else {
                1.0
            }
        };
        let total: f64 = parts.iter().map(|(_, share)| weight(*share)).sum();
        (total > 0.0).then(|| {
            parts
                .iter()
                .map(|(value, share)| value * weight(*share))
                .sum::<f64>()
                / total
        })
    }
}

impl ConfusionMatrix {
    fn at(&self, label: usize, predicted: usize) -> f64 {
        self.counts[label * self.n_classes + predicted]
    }

    fn n_true(&self, class: usize) -> f64 {
        (0..self.n_classes).map(|other| self.at(class, other)).sum()
    }

    fn n_predicted(&self, class: usize) -> f64 {
        (0..self.n_classes).map(|other| self.at(other, class)).sum()
    }

    fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    fn n_right(&self) -> f64 {
        (0..self.n_classes).map(|class| self.at(class, class)).sum()
    }

    /// Averages (numerator, denominator) of each class; a class without a denominator counts as 0, as in scikit-learn. `None` without
    /// rows.
    fn average(&self, average: Average, of: impl Fn(usize) -> (f64, f64)) -> Option<f64> {
        let parts: Vec<(f64, f64)> = (0..self.n_classes).map(of).collect();
        let ratio = |(numerator, denominator): (f64, f64)| {
            if denominator > 0.0 {
                numerator / denominator
            } else {
                0.0
            }
        };
        if self.total() <= 0.0 {
            return None;
        }
        Some(match average {
            Average::Micro => ratio(parts.iter().fold((0.0, 0.0), |total, part| {
                (total.0 + part.0, total.1 + part.1)
            })),
            Average::Macro => {
                parts.iter().map(|part| ratio(*part)).sum::<f64>() / self.n_classes as f64
            }
            Average::Weighted => {
                parts
                    .iter()
                    .enumerate()
                    .map(|(class, part)| ratio(*part) * self.n_true(class))
                    .sum::<f64>()
                    / self.total()
            }
        })
    }

    /// Returns the precision; 0 to 1.
    pub fn precision(&self, average: Average) -> Option<f64> {
        self.average(average, |class| {
            (self.at(class, class), self.n_predicted(class))
        })
    }

    /// Returns the recall; 0 to 1.
    pub fn recall(&self, average: Average) -> Option<f64> {
        self.average(average, |class| (self.at(class, class), self.n_true(class)))
    }

    /// Returns F1; 0 to 1.
    pub fn f1(&self, average: Average) -> Option<f64> {
        self.average(average, |class| {
            (
                2.0 * self.at(class, class),
                self.n_true(class) + self.n_predicted(class),
            )
        })
    }

    /// Returns the share of rows predicted right.
    pub fn accuracy(&self) -> Option<f64> {
        (self.total() > 0.0).then(|| self.n_right() / self.total())
    }

    /// Returns the mean recall over classes that have rows.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let present: Vec<usize> = (0..self.n_classes)
            .filter(|class| self.n_true(*class) > 0.0)
            .collect();
        let recalls = present
            .iter()
            .map(|class| self.at(*class, *class) / self.n_true(*class));
        (!present.is_empty()).then(|| recalls.sum::<f64>() / present.len() as f64)
    }

    /// Returns Matthews' correlation of several classes (Gorodkin 2004); `None` when labels or predictions are constant.
    pub fn mcc(&self) -> Option<f64> {
        let (total, right) = (self.total(), self.n_right());
        let cross: f64 = (0..self.n_classes)
            .map(|class| self.n_true(class) * self.n_predicted(class))
            .sum();
        let spread = |of: &dyn Fn(usize) -> f64| {
            total * total
                - (0..self.n_classes)
                    .map(|class| of(class).powi(2))
                    .sum::<f64>()
        };
        let product =
            spread(&|class| self.n_true(class)) * spread(&|class| self.n_predicted(class));
        (product > 0.0).then(|| (right * total - cross) / product.sqrt())
    }

    /// Returns Cohen's kappa, agreement beyond chance (Cohen 1960, 1968); `None` when chance alone agrees in full.
    pub fn cohen_kappa(&self, disagreement: Disagreement) -> Option<f64> {
        let (mut observed, mut expected) = (0.0, 0.0);
        for (a, b) in (0..self.n_classes).flat_map(|a| (0..self.n_classes).map(move |b| (a, b))) {
            let distance = a.abs_diff(b) as f64;
            let weight = match disagreement {
                Disagreement::Unweighted => f64::from(a != b),
                Disagreement::Linear => distance,
                Disagreement::Quadratic => distance * distance,
            };
            observed += weight * self.at(a, b);
            expected += weight * self.n_true(a) * self.n_predicted(b) / self.total();
        }
        (expected > 0.0).then(|| 1.0 - observed / expected)
    }
}

/// Returns the position of the largest probability of a row, the first of equal ones; 0 of an empty row.
pub fn most_probable(row: &[f64]) -> usize {
    (0..row.len())
        .reduce(|best, idx| if row[idx] > row[best] { idx } else { best })
        .unwrap_or(0)
}

/// Returns whether the numbers of a row are probabilities that add up to 1, to the digits that people round to.
pub fn is_distribution(row: &[f64]) -> bool {
    row.iter().all(|p| (0.0..=1.0).contains(p)) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_without_rows_has_no_weight() {
        // Scores of the first class: positives 0.6 and 0.3, negatives 0.5 and 0.2, of which three of four pairs are in order.
        let probabilities = [
            0.6, 0.4, 0.0, //
            0.3, 0.7, 0.0, //
            0.5, 0.5, 0.0, //
            0.2, 0.8, 0.0,
        ];
        let of = |n_classes: usize, probabilities: &[f64]| {
            let data = Classified {
                labels: &[0, 0, 1, 1],
                predicted: &[0, 1, 0, 1],
                probabilities,
                n_classes,
            };
            [Average::Weighted, Average::Macro]
                .map(|average| data.roc_auc(Scheme::OneVsRest, average))
        };
        let two: Vec<f64> = probabilities
            .chunks(3)
            .flat_map(|row| row[..2].to_vec())
            .collect();
        assert_eq!(of(2, &two), [Some(0.75); 2]);
        assert_eq!(of(3, &probabilities), [Some(0.75), None]);
    }
}
