//! Runs the checks of XGBoost models: margins, predictions, leaves and path-dependent attributions.

use veracta_ml::explanation::tree_shap;
use veracta_ml::tree::{TreeEnsemble, TreeError, read_xgboost_json};

use crate::case::{Case, Check, Comparison, number, single};

/// Cases whose model the reader must refuse, with what it must name.
const REFUSED: &[(&str, &str)] = &[("xgb_gblinear", "booster `gblinear`")];

/// A model with the rows it is applied to.
pub(crate) struct Data {
    ensemble: Result<TreeEnsemble, TreeError>,
    rows: Vec<Vec<f32>>,
    /// Margins that replace the model's own before the first tree, a line a row.
    base_margins: Vec<Vec<f32>>,
}

/// Reads the model and the rows of a case.
pub(crate) fn open(case: &Case) -> Data {
    Data {
        ensemble: read_xgboost_json(&case.bytes("model.json").unwrap()),
        rows: case.rows("rows.csv", single),
        base_margins: case.rows("base_margin.csv", single),
    }
}

/// Runs one check; `None` when its operation is not known here.
pub(crate) fn run(case: &Case, data: &Data, check: &Check) -> Option<Comparison> {
    let results = match check.op.as_str() {
        "model.margin" => margins,
        "model.predict" => predictions,
        "model.leaf" => leaves,
        "shap.path_dependent" => contributions,
        _ => return None,
    };
    let mut comparison = Comparison::new(check);
    let refused = REFUSED.iter().find(|(known, _)| *known == case.name);
    match (&data.ensemble, refused) {
        (Ok(ensemble), None) => {
            let ensemble = slice_of(ensemble, check);
            let expected = case.rows(check.value_file.as_deref().unwrap(), number);
            comparison.holds("a line a row", !expected.is_empty() && expected.len() == data.rows.len());
            for (row, expected) in expected.iter().enumerate() {
                comparison.row(row, &results(&with_base(&ensemble, data, row), &data.rows[row]), expected);
            }
        }
        (Err(TreeError::Unsupported { what }), Some((_, expected))) => comparison.holds("refused by name", what == expected),
        (Ok(_), Some(_)) => comparison.holds("refused", false),
        (Err(error), _) => comparison.holds(&format!("read: {error}"), false),
    }
    Some(comparison)
}

/// Returns the ensemble with the trees of the check's iterations, of which each has one tree an output.
fn slice_of(ensemble: &TreeEnsemble, check: &Check) -> TreeEnsemble {
    let mut slice = ensemble.clone();
    if let Some(range) = check.params["iteration_range"].as_array() {
        let bound = |idx: usize| range[idx].as_u64().unwrap() as usize * ensemble.n_outputs();
        slice.trees = ensemble.trees[bound(0)..bound(1)].to_vec();
    }
    slice
}

/// Returns the ensemble that starts from the margins given for a row, when there are any.
fn with_base(ensemble: &TreeEnsemble, data: &Data, row: usize) -> TreeEnsemble {
    let mut based = ensemble.clone();
    if let Some(margins) = data.base_margins.get(row) {
        based.base_margins.clone_from(margins);
    }
    based
}

fn margins(ensemble: &TreeEnsemble, row: &[f32]) -> Vec<f64> {
    ensemble.margins(row).into_iter().map(f64::from).collect()
}

fn predictions(ensemble: &TreeEnsemble, row: &[f32]) -> Vec<f64> {
    ensemble.predictions(&ensemble.margins(row))
}

fn leaves(ensemble: &TreeEnsemble, row: &[f32]) -> Vec<f64> {
    ensemble.trees.iter().map(|tree| tree.leaf(row) as f64).collect()
}

/// Returns for each output the contribution of every feature and then the base value.
fn contributions(ensemble: &TreeEnsemble, row: &[f32]) -> Vec<f64> {
    let attributions = tree_shap(ensemble, row).into_iter();
    attributions.flat_map(|output| output.contributions.into_iter().chain([output.base_value])).collect()
}
