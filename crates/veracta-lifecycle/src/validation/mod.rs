//! The validation stage: how well a model does, for whom, why, and what becomes of it when inputs go wrong.

pub mod attribute;
pub mod counterfactual;
pub mod dependence;
pub mod evaluate;
pub mod expected;
pub mod explain;
pub mod fairness;
pub mod importance;
pub mod membership;
pub mod reasons;
pub mod robustness;
pub mod tasks;
pub mod validate;

use serde::Serialize;
use veracta_ledger::Hash;
use veracta_model::model::{Encoded, Model, UnknownValues};
use veracta_statistics::evaluation::renumbered;
use veracta_statistics::resampling::CLUSTERS_MIN;
use veracta_statistics::split::Part;

use crate::LifecycleError;
use crate::data::dataset::{Dataset, DatasetRequest};
use crate::data::parts::rows_of;
use crate::training::ModelRequest;

/// Which rows and which model are tested.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TestRequest {
    /// The dataset whose test part is scored.
    pub dataset: DatasetRequest,
    /// SHA-256 of the assignment of rows to parts.
    pub assignment: Hash,
    /// The model that scores it.
    pub model: ModelRequest,
}

/// The sealed test part with a model's scores.
#[derive(Debug)]
pub(crate) struct TestScores {
    /// Positions of the test part's rows in the table, ascending.
    pub rows: Vec<usize>,
    /// Whether each of these rows is positive.
    pub labels: Vec<bool>,
    /// Probability of the positive label that the model gives each of these rows, from 0 to 1.
    pub scores: Vec<f64>,
    /// Values of the dataset, all parts of it, that the model does not know.
    pub unknown: Vec<UnknownValues>,
}

impl TestScores {
    /// Returns the rows of the test part with their labels and the model's probabilities.
    pub(crate) fn new(
        dataset: &Dataset,
        model: &Model,
        parts: &[Part],
    ) -> Result<Self, LifecycleError> {
        let rows = rows_of(parts, Part::Test);
        let Encoded { batch, unknown, .. } = dataset.rows_for(model)?;
        let batch = batch.select_rows(&rows);
        let labels = dataset.target.binary()?;
        Ok(Self {
            labels: rows.iter().map(|row| labels[*row]).collect(),
            scores: model.probabilities(&batch)?,
            rows,
            unknown,
        })
    }

    /// Returns the cluster of each row and how many there are, when rows are not independent.
    pub(crate) fn clusters(
        &self,
        dataset: &Dataset,
        column: Option<&String>,
    ) -> Result<Option<(Vec<u32>, usize)>, LifecycleError> {
        let Some(name) = column else {
            return Ok(None);
        };
        let coded = dataset.column(name).groups();
        let (of_row, n) = renumbered(self.rows.iter().map(|row| coded.codes[*row]));
        if n < CLUSTERS_MIN {
            return Err(LifecycleError::FewClusters {
                column: name.clone(),
                n,
            });
        }
        Ok(Some((of_row, n)))
    }
}
