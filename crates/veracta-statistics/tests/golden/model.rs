//! Runs the checks of tree models: margins, predictions, leaves, importances and attributions, of XGBoost and LightGBM files.

use serde_json::Value;
use veracta_model::explanation::interventional::{Scale, interventional};
use veracta_model::explanation::path_dependent::TreeExplainer;
use veracta_model::explanation::{Attribution, ExplanationError};
use veracta_model::tree::compiled::CompiledTrees;
use veracta_model::tree::lightgbm::read_lightgbm_text;
use veracta_model::tree::xgboost::{read_xgboost_json, read_xgboost_ubjson};
use veracta_model::tree::{Arithmetic, Importance, TreeEnsemble};

use crate::case::{Case, Check, Comparison, number};

/// Cases whose reference values do not add up to the margin, with how far they miss it at most: they are compared that far.
/// SHAP rounds thresholds of LightGBM to 32 bits on the way.
const REFERENCE_MISSES_BY: &[(&str, &str, f64)] =
    &[("lgb_regression", "shap.interventional", 1e-5)];

/// A model with the rows it is applied to.
pub(crate) struct Data {
    pub(crate) ensemble: TreeEnsemble,
    pub(crate) rows: Vec<Vec<f64>>,
    /// Rows that features outside a coalition are taken from.
    pub(crate) background: Vec<Vec<f64>>,
    /// Margins that replace the model's own before the first tree, a line a row.
    base_margins: Vec<Vec<f64>>,
}

/// Reads the model and the rows of a case; a model that is there as JSON and as UBJSON must be the same.
pub(crate) fn open(case: &Case) -> Data {
    let ensemble = match case.bytes("model.json") {
        Some(json) => read_xgboost_json(&json).unwrap(),
        None => read_lightgbm_text(std::str::from_utf8(&case.bytes("model.txt").unwrap()).unwrap())
            .unwrap(),
    };
    if let Some(ubjson) = case.bytes("model.ubj") {
        assert_eq!(
            read_xgboost_ubjson(&ubjson).unwrap(),
            ensemble,
            "{}: both files hold one model",
            case.name
        );
    }
    Data {
        ensemble,
        rows: case.rows("rows.csv", number),
        background: case.rows("background.csv", number),
        base_margins: case.rows("base_margin.csv", number),
    }
}

/// Runs one check; `None` when its operation is not known here.
pub(crate) fn run(case: &Case, data: &Data, check: &Check) -> Option<Comparison> {
    let missed_by = REFERENCE_MISSES_BY
        .iter()
        .find(|(name, op, _)| *name == case.name && *op == check.op)
        .map(|(.., by)| *by);
    let mut comparison = Comparison::new(check).with_slack(missed_by.unwrap_or(0.0));
    let ensemble = &slice_of(&data.ensemble, check);
    match check.op.as_str() {
        "model.importance" => {
            importances(ensemble, check, &mut comparison);
            return Some(comparison);
        }
        "shap.interventional_expected" => {
            let base =
                interventional(ensemble, &data.rows[0], &data.background, Scale::Margin).unwrap();
            for (output, expected) in check.value.as_array().unwrap().iter().enumerate() {
                comparison.number("expected value", base[output].base_value, expected);
            }
            return Some(comparison);
        }
        "shap.interventional_probability_expected" => {
            let base = interventional(
                ensemble,
                &data.rows[0],
                &data.background,
                Scale::Probability,
            )
            .unwrap();
            comparison.number("expected value", base[0].base_value, &check.value);
            return Some(comparison);
        }
        _ => {}
    }
    let results = results(data, ensemble, check)?;
    if check.value.get("error").is_some() {
        comparison.holds("refused", results.is_err());
        return Some(comparison);
    }
    let results = results.unwrap();
    let expected = case.rows(check.value_file.as_deref().unwrap(), number);
    let n_rows = check.params["rows"]
        .as_u64()
        .map_or(data.rows.len(), |n_rows| n_rows as usize);
    comparison.holds(
        "a line a row",
        !expected.is_empty() && expected.len() == n_rows && results.len() == n_rows,
    );
    for (row, (result, expected)) in results.iter().zip(&expected).enumerate() {
        comparison.row(row, result, expected);
    }
    if missed_by.is_some() {
        let base = interventional(ensemble, &data.rows[0], &data.background, Scale::Margin)
            .unwrap()[0]
            .base_value;
        let gap = |row: usize| {
            (base + expected[row].iter().sum::<f64>() - ensemble.margins(&data.rows[row])[0]).abs()
        };
        comparison.holds(
            "the reference itself misses the margin",
            (0..expected.len()).any(|row| gap(row) > 1e-6),
        );
    }
    Some(comparison)
}

/// Returns the numbers of each row, or the refusal; `None` when the operation is not known here.
fn results(
    data: &Data,
    ensemble: &TreeEnsemble,
    check: &Check,
) -> Option<Result<Vec<Vec<f64>>, ExplanationError>> {
    let n_rows = check.params["rows"]
        .as_u64()
        .map_or(data.rows.len(), |n_rows| n_rows as usize);
    let rows = &data.rows[..n_rows];
    let each = |of: &dyn Fn(&Vec<f64>) -> Vec<f64>| Some(Ok(rows.iter().map(of).collect()));
    let margins: Vec<Vec<f64>> = rows
        .iter()
        .enumerate()
        .map(|(idx, row)| margins(data, ensemble, idx, row))
        .collect();
    match check.op.as_str() {
        "model.margin" => Some(Ok(margins)),
        "model.predict" => Some(Ok(margins
            .iter()
            .map(|margins| ensemble.predictions(margins))
            .collect())),
        "model.leaf" => each(&|row| {
            let row = ensemble.rounded(row);
            ensemble
                .trees
                .iter()
                .map(|tree| (tree.leaf(&row) - tree.first_leaf) as f64)
                .collect()
        }),
        "shap.path_dependent" => Some(path_dependent(data, ensemble)),
        "shap.saabas" => {
            let explainer = TreeExplainer::new(ensemble).unwrap();
            let with_base = |idx: usize, attributions: Vec<Attribution>| {
                flat(data, ensemble, idx, attributions)
            };
            Some(Ok(rows
                .iter()
                .enumerate()
                .map(|(idx, row)| with_base(idx, explainer.saabas(row)))
                .collect()))
        }
        "shap.interactions" => {
            let explainer = TreeExplainer::new(ensemble).unwrap();
            // XGBoost puts the base value into one more row and column, SHAP leaves it out.
            let has_base = data.ensemble.arithmetic == Arithmetic::Single;
            each(&|row| {
                explainer
                    .interactions(row)
                    .iter()
                    .flat_map(|matrix| inner(matrix, ensemble.n_features, has_base))
                    .collect()
            })
        }
        "shap.interventional" => each(&|row| {
            contributions(interventional(ensemble, row, &data.background, Scale::Margin).unwrap())
        }),
        "shap.interventional_probability" => each(&|row| {
            contributions(
                interventional(ensemble, row, &data.background, Scale::Probability).unwrap(),
            )
        }),
        _ => None,
    }
}

/// Returns an interaction matrix with or without the row and column of the base value.
fn inner(matrix: &[f64], n_features: usize, has_base: bool) -> Vec<f64> {
    let width = if has_base { n_features + 1 } else { n_features };
    matrix
        .chunks(n_features + 1)
        .take(width)
        .flat_map(|row| row[..width].to_vec())
        .collect()
}

/// Returns the ensemble with the trees of the check's boosting rounds.
fn slice_of(ensemble: &TreeEnsemble, check: &Check) -> TreeEnsemble {
    let setting = |name: &str| check.params[name].as_u64().map(|value| value as usize);
    if let Some(range) = check.params["iteration_range"].as_array() {
        let bound = |idx: usize| range[idx].as_u64().unwrap() as usize;
        return ensemble.rounds(bound(0), bound(1));
    }
    match (setting("start_iteration"), setting("num_iteration")) {
        (Some(start), Some(n_rounds)) => ensemble.rounds(start, start + n_rounds),
        _ => ensemble.clone(),
    }
}

/// Returns a row's margins, and asserts that the batch form gives the same digits.
fn margins(data: &Data, ensemble: &TreeEnsemble, idx: usize, row: &[f64]) -> Vec<f64> {
    if let Some(base) = data.base_margins.get(idx) {
        return ensemble.margins_from(base, row);
    }
    let margins = ensemble.margins(row);
    assert_eq!(
        CompiledTrees::new(ensemble).margins(row, row.len()),
        margins,
        "row {idx}: one by one and in a batch"
    );
    margins
}

fn path_dependent(data: &Data, ensemble: &TreeEnsemble) -> Result<Vec<Vec<f64>>, ExplanationError> {
    let explainer = TreeExplainer::new(ensemble)?;
    Ok(data
        .rows
        .iter()
        .enumerate()
        .map(|(idx, row)| flat(data, ensemble, idx, explainer.explain(row)))
        .collect())
}

/// Returns for each output the contribution of every feature and then the base value, which a base margin given for the row moves.
fn flat(
    data: &Data,
    ensemble: &TreeEnsemble,
    idx: usize,
    attributions: Vec<Attribution>,
) -> Vec<f64> {
    let shift = |output: usize| {
        data.base_margins
            .get(idx)
            .map_or(0.0, |base| base[output] - ensemble.base_margins[output])
    };
    let outputs = attributions.into_iter().enumerate();
    outputs
        .flat_map(|(output, found)| {
            found
                .contributions
                .into_iter()
                .chain([found.base_value + shift(output)])
        })
        .collect()
}

fn contributions(attributions: Vec<Attribution>) -> Vec<f64> {
    attributions
        .into_iter()
        .flat_map(|output| output.contributions)
        .collect()
}

/// XGBoost gives five kinds at once and leaves unused features out; LightGBM gives one kind for every feature.
fn importances(ensemble: &TreeEnsemble, check: &Check, comparison: &mut Comparison) {
    let (splits, gain, cover) = (
        ensemble.importance(Importance::Splits),
        ensemble.importance(Importance::TotalGain),
        ensemble.importance(Importance::TotalCover),
    );
    let names = &ensemble.feature_names;
    let mut compare = |kind: &str, values: Vec<f64>, expected: &Value| {
        for (name, value) in names.iter().zip(values) {
            match expected.get(name) {
                Some(expected) => comparison.number(&format!("{kind} of {name}"), value, expected),
                None => comparison.holds(&format!("{name} is not used"), value == 0.0),
            }
        }
    };
    match check.params["type"].as_str() {
        Some("split") => compare("split", splits, &check.value),
        Some("gain") => compare("gain", gain, &check.value),
        _ => {
            let mean = |totals: &[f64]| {
                totals
                    .iter()
                    .zip(&splits)
                    .map(|(total, n)| if *n > 0.0 { total / n } else { 0.0 })
                    .collect()
            };
            for (kind, values) in [
                ("weight", splits.clone()),
                ("gain", mean(&gain)),
                ("cover", mean(&cover)),
                ("total_gain", gain.clone()),
                ("total_cover", cover.clone()),
            ] {
                if let Some(expected) = check.value.get(kind) {
                    compare(kind, values, expected);
                }
            }
        }
    }
}
