//! Linear classifiers and regressors, and labels of classes.

use super::attributes::Attributes;
use super::post_transform::PostTransform;
use super::tensor::{Elements, Tensor, floats};
use super::{OnnxError, refuse};

/// Labels of the classes, in the order of the scores.
#[derive(Debug, Clone)]
pub(super) enum ClassLabels {
    Text(Vec<String>),
    Int(Vec<i64>),
}

/// A linear classifier or regressor: `n_outputs` rows of coefficients.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    labels: Option<ClassLabels>,
    post_transform: PostTransform,
}

impl ClassLabels {
    pub(super) fn read(
        attributes: &Attributes<'_>,
        text: &str,
        int: &str,
    ) -> Result<Option<Self>, OnnxError> {
        let (words, numbers) = (attributes.texts(text)?, attributes.ints(int));
        Ok(match (words.is_empty(), numbers.is_empty()) {
            (false, _) => Some(Self::Text(words)),
            (true, false) => Some(Self::Int(numbers.to_vec())),
            (true, true) => None,
        })
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(labels) => labels.len(),
            Self::Int(labels) => labels.len(),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Text(labels) => labels.clone(),
            Self::Int(labels) => labels.iter().map(ToString::to_string).collect(),
        }
    }

    /// Returns the labels at these positions.
    pub(super) fn gather(&self, positions: &[usize]) -> Elements {
        match self {
            Self::Text(labels) => Elements::Text(labels.clone()).gather(positions),
            Self::Int(labels) => Elements::Int(labels.clone()).gather(positions),
        }
    }
}

pub(super) fn read(attributes: &Attributes<'_>, is_classifier: bool) -> Result<Linear, OnnxError> {
    let coefficients = attributes.floats("coefficients").to_vec();
    let mut intercepts = attributes.floats("intercepts").to_vec();
    let labels = if is_classifier {
        ClassLabels::read(attributes, "classlabels_strings", "classlabels_ints")?
    } else {
        None
    };
    let n_outputs = match (is_classifier, intercepts.len()) {
        (true, 0) => labels.as_ref().map_or(1, ClassLabels::len),
        (true, n) => n,
        (false, _) => attributes.count("targets")?,
    };
    if intercepts.is_empty() {
        intercepts = vec![0.0; n_outputs];
    }
    if coefficients.is_empty()
        || !coefficients.len().is_multiple_of(n_outputs)
        || intercepts.len() != n_outputs
    {
        return Err(refuse(
            attributes,
            "has coefficients that are not whole rows with one intercept each",
        ));
    }
    if labels
        .as_ref()
        .is_some_and(|labels| labels.len() != n_outputs.max(2))
    {
        return Err(refuse(
            attributes,
            "has another number of labels than of scores",
        ));
    }
    Ok(Linear {
        coefficients,
        intercepts,
        labels,
        post_transform: attributes.post_transform()?,
    })
}

impl Linear {
    /// Returns the names of the classes; empty of a regression.
    pub(super) fn class_names(&self) -> Vec<String> {
        self.labels
            .as_ref()
            .map(ClassLabels::names)
            .unwrap_or_default()
    }

    pub(super) fn run(&self, input: &Tensor) -> Result<Vec<Tensor>, String> {
        let (n_rows, n_columns) = input.rows_and_columns();
        let n_outputs = self.intercepts.len();
        if self.coefficients.len() != n_outputs * n_columns {
            return Err(format!(
                "has {} coefficients an output, and a row {n_columns} values",
                self.coefficients.len() / n_outputs
            ));
        }
        let values = floats(input)?;
        let (mut scores, mut picked) = (
            Vec::with_capacity(n_rows * n_outputs),
            Vec::with_capacity(n_rows),
        );
        for row in values.chunks(n_columns.max(1)) {
            let score = |output: usize| {
                let coefficients = &self.coefficients[output * n_columns..(output + 1) * n_columns];
                f64::from(
                    row.iter()
                        .zip(coefficients)
                        .map(|(x, b)| x * b)
                        .sum::<f32>()
                        + self.intercepts[output],
                )
            };
            let row: Vec<f64> = (0..n_outputs).map(score).collect();
            if self.labels.is_some() && n_outputs == 1 {
                picked.push(usize::from(row[0] > 0.0));
                // ONNX Runtime gives the other class the rest of the score, whatever the transform.
                scores.extend([1.0 - row[0], row[0]]);
                continue;
            }
            picked.push(
                (0..n_outputs)
                    .reduce(|best, idx| if row[idx] > row[best] { idx } else { best })
                    .unwrap_or(0),
            );
            scores.extend(self.post_transform.apply(&row));
        }
        let scores: Vec<f32> = scores.into_iter().map(|score| score as f32).collect();
        let scores = Tensor {
            shape: vec![n_rows, scores.len() / n_rows.max(1)],
            elements: Elements::Float(scores),
        };
        Ok(match &self.labels {
            Some(labels) => vec![
                Tensor {
                    shape: vec![n_rows],
                    elements: labels.gather(&picked),
                },
                scores,
            ],
            None => vec![scores],
        })
    }
}
