//! Logistic regression over standardised and one-hot columns.

use serde::{Deserialize, Serialize};

use crate::explanation::{Attribution, linear_attribution};

/// A logistic model over derived columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logistic {
    /// Log-odds when every derived column is 0.
    pub intercept: f64,
    /// Derived columns with their coefficients.
    pub terms: Vec<Term>,
}

/// One derived column of a logistic model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Position of the input it is derived from.
    pub input: usize,
    /// How the column is derived from the input.
    pub of: TermKind,
    /// Change of the log-odds when the derived column grows by 1.
    pub coefficient: f64,
    /// Mean over the training rows, the reference of attributions.
    pub mean: f64,
}

/// How a column is derived from an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TermKind {
    /// (value − centre) / scale; missing is 0.
    Standardised {
        /// Mean of the training rows.
        centre: f64,
        /// Standard deviation of the training rows.
        scale: f64,
    },
    /// 1 when the category has this code.
    Level {
        /// Code of the category: its position among the levels of the input.
        code: u32,
    },
    /// 1 when the value is missing or a category unknown at training.
    Missing,
}

impl TermKind {
    /// Returns the derived value of an input's encoded value, which is NaN when missing.
    pub fn value(&self, value: f64) -> f64 {
        match self {
            Self::Standardised { .. } if value.is_nan() => 0.0,
            Self::Standardised { centre, scale } => (value - centre) / scale,
            Self::Level { code } => f64::from(value == f64::from(*code)),
            Self::Missing => f64::from(value.is_nan()),
        }
    }
}

impl Logistic {
    pub(super) fn margin(&self, row: &[f64]) -> f64 {
        let terms = self
            .terms
            .iter()
            .map(|term| term.coefficient * term.of.value(row[term.input]));
        self.intercept + terms.sum::<f64>()
    }

    pub(super) fn attribution(&self, row: &[f64], n_inputs: usize) -> Attribution {
        let coefficients: Vec<f64> = self.terms.iter().map(|term| term.coefficient).collect();
        let values: Vec<f64> = self
            .terms
            .iter()
            .map(|term| term.of.value(row[term.input]))
            .collect();
        let means: Vec<f64> = self.terms.iter().map(|term| term.mean).collect();
        let by_term = linear_attribution(&coefficients, self.intercept, &values, &means);
        let mut contributions = vec![0.0; n_inputs];
        for (term, contribution) in self.terms.iter().zip(by_term.contributions) {
            contributions[term.input] += contribution;
        }
        Attribution {
            contributions,
            base_value: by_term.base_value,
        }
    }
}
