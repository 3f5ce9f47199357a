//! What is to be predicted of each row, whatever kind of task it is.

use std::fmt;

/// What is to be predicted of each row.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// One of two classes: whether a row is positive.
    Binary(Vec<bool>),
    /// One of several classes, each row one.
    Multiclass {
        /// Class of each row, as a position among `classes`.
        labels: Vec<usize>,
        /// Names of the classes: in the order of numbers when all are numbers, else of bytes.
        classes: Vec<String>,
    },
    /// A number for each row.
    Regression(Vec<f64>),
    /// An order of the rows of each query.
    Ranking {
        /// How relevant each row is to its query.
        relevance: Vec<f64>,
        /// Positions of the rows of each query.
        queries: Vec<Vec<usize>>,
    },
}

/// A kind of task, which decides the metrics that are defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Classification into two classes, one of them positive.
    Binary,
    /// Classification into several classes without an order.
    Multiclass,
    /// Prediction of a number for each row.
    Regression,
    /// Order of the rows within each query.
    Ranking,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Binary => "classification into two classes",
            Self::Multiclass => "classification into several classes",
            Self::Regression => "regression",
            Self::Ranking => "ranking",
        })
    }
}

/// What asks for one kind of task was given another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is about {wanted}, and the data is for {found}")]
pub struct TargetError {
    /// Task that the caller supports.
    pub wanted: Task,
    /// Task that the data is for.
    pub found: Task,
}

impl Target {
    /// Returns the kind of task.
    pub fn task(&self) -> Task {
        match self {
            Self::Binary(_) => Task::Binary,
            Self::Multiclass { .. } => Task::Multiclass,
            Self::Regression(_) => Task::Regression,
            Self::Ranking { .. } => Task::Ranking,
        }
    }

    /// Returns whether each row is positive, of two classes.
    pub fn binary(&self) -> Result<&[bool], TargetError> {
        match self {
            Self::Binary(labels) => Ok(labels),
            Self::Multiclass { .. } | Self::Regression(_) | Self::Ranking { .. } => {
                Err(TargetError {
                    wanted: Task::Binary,
                    found: self.task(),
                })
            }
        }
    }
}
