//! Runs the checks of explanations: exact Shapley values by enumeration, importance, dependence, reasons, counterfactuals.

use serde_json::Value;
use veracta_model::explanation::coalition::exact;
use veracta_model::explanation::counterfactual::{
    Counterfactual, Direction, Mutable, counterfactual,
};
use veracta_model::explanation::dependence::{
    individual_expectation, partial_dependence, partial_dependence_pair,
};
use veracta_model::explanation::interventional::{Scale, interventional};
use veracta_model::explanation::path_dependent::TreeExplainer;
use veracta_model::explanation::reason::reason_codes;
use veracta_model::numeric::{mean, variance};
use veracta_model::tree::compiled::CompiledTrees;
use veracta_statistics::performance::{Metric, Scored};
use veracta_statistics::permutation::{LabelledRows, permutation_importance};

use crate::case::{Case, Check, Comparison, number, numbers, position};
use crate::model;

/// Threshold of a positive prediction in the golden set.
const THRESHOLD: f64 = 0.5;
const METRICS: [(&str, Metric); 3] = [
    ("roc_auc", Metric::RocAuc),
    ("log_loss", Metric::LogLoss),
    ("accuracy", Metric::Accuracy),
];

/// A model, its rows, and for the table case the labels.
pub(crate) struct Data {
    model: model::Data,
    /// Rows of the table one after the other.
    values: Vec<f64>,
    labels: Vec<bool>,
    permutations: Vec<Vec<usize>>,
}

/// Reads the data of a case.
pub(crate) fn open(case: &Case) -> Data {
    let model = model::open(case);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    if case.bytes("data.csv").is_some() {
        let table = case.table("data.csv");
        let columns: Vec<Vec<f64>> = model
            .ensemble
            .feature_names
            .iter()
            .map(|name| numbers(&table, name))
            .collect();
        values = (0..table.n_rows)
            .flat_map(|row| columns.iter().map(move |column| column[row]))
            .collect();
        labels = numbers(&table, "y_true")
            .iter()
            .map(|label| *label == 1.0)
            .collect();
    }
    Data {
        model,
        values,
        labels,
        permutations: case.rows("permutations.csv", position),
    }
}

/// Runs one check; `None` when its operation is not known here.
pub(crate) fn run(case: &Case, data: &Data, check: &Check) -> Option<Comparison> {
    let mut comparison = Comparison::new(check);
    match check.op.as_str() {
        "shap.interventional_exact" => exact_values(case, data, check, &mut comparison),
        "shap.interventional_expected" => {
            let attributions = by_enumeration(data, check, &data.model.rows[0]);
            for (output, expected) in check.value.as_array().unwrap().iter().enumerate() {
                comparison.number("expected value", attributions[output].base_value, expected);
            }
        }
        "importance.baseline" => {
            let scores = data.predict(&data.values);
            for (name, metric) in METRICS {
                let value =
                    metric.evaluate(&Scored::new(&data.labels, &scores).unwrap(), THRESHOLD);
                comparison.number(name, value, &check.value[name]);
            }
        }
        "importance.permutation" => importance(data, check, &mut comparison),
        "pdp" | "ice" | "pdp2" => dependence(data, check, &mut comparison),
        "reason_codes" => reasons(case, data, check, &mut comparison),
        "counterfactual.grid_optimum" => counterfactuals(data, check, &mut comparison),
        _ => return None,
    }
    Some(comparison)
}

impl Data {
    fn n_columns(&self) -> usize {
        self.model.ensemble.n_features
    }

    fn feature(&self, name: &str) -> usize {
        self.model
            .ensemble
            .feature_names
            .iter()
            .position(|known| known == name)
            .unwrap()
    }

    /// Returns all outputs of each row.
    fn outputs(&self, values: &[f64], is_margin: bool) -> Vec<f64> {
        let ensemble = &self.model.ensemble;
        let margins = CompiledTrees::new(ensemble).margins(values, self.n_columns());
        if is_margin {
            return margins;
        }
        margins
            .chunks(ensemble.n_outputs())
            .flat_map(|margins| ensemble.predictions(margins))
            .collect()
    }

    fn predict(&self, values: &[f64]) -> Vec<f64> {
        self.outputs(values, false)
    }
}

fn by_enumeration(
    data: &Data,
    check: &Check,
    row: &[f64],
) -> Vec<veracta_model::explanation::Attribution> {
    let is_margin = check.words("scale")[0] == "margin";
    exact(
        &|values: &[f64]| data.outputs(values, is_margin),
        row,
        &data.model.background,
    )
    .unwrap()
}

/// The enumeration of any predictor, and on the margin scale the tree algorithm too.
fn exact_values(case: &Case, data: &Data, check: &Check, comparison: &mut Comparison) {
    let expected = case.rows(check.value_file.as_deref().unwrap(), number);
    comparison.holds(
        "a line a row",
        !expected.is_empty() && expected.len() == data.model.rows.len(),
    );
    for (row_idx, (row, expected)) in data.model.rows.iter().zip(&expected).enumerate() {
        let flat = |found: Vec<veracta_model::explanation::Attribution>| -> Vec<f64> {
            found
                .into_iter()
                .flat_map(|output| output.contributions)
                .collect()
        };
        comparison.row(row_idx, &flat(by_enumeration(data, check, row)), expected);
        if check.words("scale")[0] == "margin" {
            let trees = interventional(
                &data.model.ensemble,
                row,
                &data.model.background,
                Scale::Margin,
            )
            .unwrap();
            comparison.row(row_idx, &flat(trees), expected);
        }
    }
}

fn importance(data: &Data, check: &Check, comparison: &mut Comparison) {
    for expected in check.value.as_array().unwrap() {
        let feature = data.feature(expected["feature"].as_str().unwrap());
        for (name, metric) in METRICS {
            let measured = LabelledRows {
                values: &data.values,
                n_columns: data.n_columns(),
                labels: &data.labels,
                metric,
                threshold: THRESHOLD,
            };
            let found = permutation_importance(
                &|values: &[f64]| data.predict(values),
                measured,
                feature,
                &data.permutations,
                0.95,
            )
            .unwrap();
            let expected = &expected[name];
            comparison.number("mean", found.mean, &expected["mean"]);
            let n = found.values.len() as f64;
            comparison.number(
                "std",
                (variance(&found.values).unwrap() * (n - 1.0) / n).sqrt(),
                &expected["std"],
            );
            found
                .values
                .iter()
                .zip(expected["values"].as_array().unwrap())
                .for_each(|(value, expected)| {
                    comparison.number("a repeat", *value, expected);
                });
        }
    }
}

fn dependence(data: &Data, check: &Check, comparison: &mut Comparison) {
    let predict = |values: &[f64]| data.predict(values);
    let floats = |value: &Value| -> Vec<f64> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|number| number.as_f64().unwrap())
            .collect()
    };
    let expected = check.value["probability"].as_array().unwrap();
    let width = data.n_columns();
    if check.op == "pdp2" {
        let [a, b] = [0, 1].map(|idx| data.feature(check.words("features")[idx]));
        let grids = [
            floats(&check.value["grid_a"]),
            floats(&check.value["grid_b"]),
        ];
        let surface = partial_dependence_pair(
            &predict,
            &data.values,
            width,
            [a, b],
            [&grids[0], &grids[1]],
            0,
        );
        for (row, (found, expected)) in surface.iter().zip(expected).enumerate() {
            comparison.row(row, found, &floats(expected));
        }
        return;
    }
    let (feature, grid) = (
        data.feature(check.words("feature")[0]),
        floats(&check.value["grid"]),
    );
    if check.op == "pdp" {
        let curve = partial_dependence(&predict, &data.values, width, feature, &grid, 0);
        return comparison.row(0, &curve, &floats(&check.value["probability"]));
    }
    let values = &data.values[..expected.len() * width];
    let curves = individual_expectation(&predict, values, width, feature, &grid, 0);
    for (row, (found, expected)) in curves.iter().zip(expected).enumerate() {
        comparison.row(row, found, &floats(expected));
    }
}

fn reasons(case: &Case, data: &Data, check: &Check, comparison: &mut Comparison) {
    let groups: Value = serde_json::from_slice(&case.bytes("reason_groups.json").unwrap()).unwrap();
    let explainer = TreeExplainer::new(&data.model.ensemble).unwrap();
    let width = data.n_columns();
    let contributions = explainer.explain_batch(&data.values, width);
    let column = |feature: usize| {
        contributions
            .iter()
            .skip(feature)
            .step_by(width)
            .copied()
            .collect::<Vec<f64>>()
    };
    let means: Vec<f64> = (0..width)
        .map(|feature| mean(&column(feature)).unwrap())
        .collect();
    let code_of = |name: &String| {
        let holds = |members: &Value| {
            members
                .as_array()
                .is_some_and(|members| members.iter().any(|member| member == name))
        };
        let by_code = groups
            .as_object()
            .unwrap()
            .iter()
            .find(|(_, members)| holds(members))
            .map(|(code, _)| code.as_str());
        by_code.or_else(|| groups.get(name).and_then(Value::as_str))
    };
    let codes: Vec<Option<&str>> = data
        .model
        .ensemble
        .feature_names
        .iter()
        .map(code_of)
        .collect();
    for expected in check.value.as_array().unwrap() {
        let row = expected["row"].as_u64().unwrap() as usize;
        comparison.number(
            "probability",
            data.predict(&data.values[row * width..(row + 1) * width])[0],
            &expected["probability"],
        );
        let found = reason_codes(
            &contributions[row * width..(row + 1) * width],
            &means,
            &codes,
            4,
        );
        let expected = expected["reasons"].as_array().unwrap();
        comparison.holds("as many reasons", found.len() == expected.len());
        for (found, expected) in found.iter().zip(expected) {
            comparison.holds("the same code", expected["code"] == found.code.as_str());
            comparison.number("points", found.points, &expected["points"]);
        }
    }
}

fn counterfactuals(data: &Data, check: &Check, comparison: &mut Comparison) {
    let width = data.n_columns();
    let names = check.words("mutable");
    let mutable: Vec<Mutable> = names
        .iter()
        .enumerate()
        .map(|(idx, name)| Mutable {
            feature: data.feature(name),
            values: check.params["grids"][idx]
                .as_array()
                .unwrap()
                .iter()
                .map(|value| value.as_f64().unwrap())
                .collect(),
            direction: Direction::Any,
            cost_per_unit: 1.0 / check.params["std"][name].as_f64().unwrap(),
            cost_from_missing: 1.0,
        })
        .collect();
    for expected in check.value.as_array().unwrap() {
        let row = expected["row"].as_u64().unwrap() as usize;
        let row = &data.values[row * width..(row + 1) * width];
        match counterfactual(
            &|values: &[f64]| data.predict(values),
            row,
            &mutable,
            THRESHOLD,
            100_000,
        ) {
            Counterfactual::Found {
                cost, prediction, ..
            } => {
                comparison.holds("found", expected["found"] == true && prediction < THRESHOLD);
                comparison.number("cost", cost, &expected["min_cost"]);
            }
            Counterfactual::Impossible { lowest_prediction } => {
                comparison.holds("not found", expected["found"] == false);
                comparison.number(
                    "lowest prediction",
                    lowest_prediction,
                    &expected["min_probability"],
                );
            }
            Counterfactual::NotWithinLimit { .. } => comparison.holds("searched to the end", false),
        }
    }
}
