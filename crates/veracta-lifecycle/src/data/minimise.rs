//! Which inputs are needed: what a model loses without them, on the rows outside the sealed test part.

use std::collections::BTreeMap;

use serde::Serialize;
use veracta_data::table::{Coded, Column};
use veracta_governance::record::{DatasetMinimisation, DroppedInput};
use veracta_model::model::{Label, describe_inputs, encode};
use veracta_model::training::TrainingSpec;
use veracta_statistics::association::association;
use veracta_statistics::minimisation::{
    MinimisationData, MinimisationPlan, correlated_groups, minimise,
};
use veracta_statistics::split::Part;

use super::dataset::Dataset;
use super::parts::development_rows;
use crate::LifecycleError;

/// Most groups of an attribute in which a loss is looked for.
const GROUPS_MAX: usize = 50;

/// How the need for inputs is tested.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MinimiseRequest {
    /// What is trained with and without an input.
    pub training: TrainingSpec,
    /// Most categories of an input.
    pub categories_max: usize,
    /// Folds, repeats and seed of the test, and the losses of ROC AUC that count as none.
    pub plan: MinimisationPlan,
    /// Association (Cramér's V) from which inputs are tested together.
    pub correlation: f64,
    /// Protected attributes: nobody's group may lose more.
    pub protected: Vec<String>,
    /// Inputs that leak the label, and are not tested.
    pub set_aside: Vec<String>,
    /// Columns that were dropped before, with the reason.
    pub dropped: BTreeMap<String, String>,
    /// Inputs that are kept whatever is found, with the reason.
    pub exempted: BTreeMap<String, String>,
}

impl Dataset {
    /// Returns the record of which inputs are needed.
    pub(crate) fn minimisation_record(
        &self,
        request: &MinimiseRequest,
        parts: &[Part],
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<DatasetMinimisation, LifecycleError> {
        let rows = development_rows(parts);
        let table = self.table.select_rows(&rows);
        let labels = self.target.binary()?;
        let labels: Vec<bool> = rows.iter().map(|row| labels[*row]).collect();
        let tested = self
            .inputs
            .iter()
            .filter(|input| !request.set_aside.contains(input));
        let column = |name: &String| table.column(name).expect("names are columns of the table");
        let columns: Vec<&Column> = tested.map(column).collect();
        if columns.is_empty() {
            return Err(LifecycleError::NoInputs);
        }
        let all_rows: Vec<usize> = (0..table.n_rows).collect();
        let inputs = describe_inputs(&columns, &all_rows, request.categories_max);
        let matrix = encode(&table, &inputs)?;
        let strength = |i: usize, j: usize| association(columns[i], columns[j]);
        let groups = correlated_groups(&strength, inputs.len(), request.correlation);
        let attributes = request.protected.iter();
        let attributes = attributes.map(|name| (name.clone(), column(name).groups()));
        let attributes: Vec<(String, Coded)> = attributes
            .filter(|(_, coded)| coded.levels.len() <= GROUPS_MAX)
            .collect();
        // Models of a fold are thrown away: what their label is called does not matter.
        let label = Label {
            column: self.label.clone(),
            positive: String::new(),
        };
        let data = MinimisationData {
            inputs: &inputs,
            label: &label,
            matrix: &matrix,
            labels: &labels,
            attributes: &attributes,
        };
        let results = minimise(&request.training, data, &groups, request.plan, progress)?;
        Ok(DatasetMinimisation {
            dataset: self.digest,
            n_rows: rows.len(),
            metric: "roc_auc".to_owned(),
            plan: request.plan,
            correlation: request.correlation,
            set_aside: request.set_aside.clone(),
            results,
            dropped: reasons(&request.dropped),
            exempted: reasons(&request.exempted),
        })
    }
}

fn reasons(of_columns: &BTreeMap<String, String>) -> Vec<DroppedInput> {
    let reason = |(column, reason): (&String, &String)| DroppedInput {
        column: column.clone(),
        reason: reason.clone(),
    };
    of_columns.iter().map(reason).collect()
}
