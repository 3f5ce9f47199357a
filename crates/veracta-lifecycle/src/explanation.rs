//! Explaining a model file on a data file, without a workspace: contributions, dependence, shuffling, reasons and counterfactuals.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use veracta_ml::explanation::Attribution;
use veracta_ml::explanation::coalition::{self, Sampling};
use veracta_ml::explanation::counterfactual::{Counterfactual, Direction, Mutable, counterfactual};
use veracta_ml::explanation::dependence::{grid, individual_expectation};
use veracta_ml::explanation::interventional::{Scale, interventional};
use veracta_ml::explanation::path_dependent::TreeExplainer;
use veracta_ml::explanation::permutation::{Measured, permutation_importance, permutations};
use veracta_ml::explanation::reason::reason_codes;
use veracta_ml::model::imported::Model;
use veracta_ml::model::{Form, Matrix, ModelError, Predictor};
use veracta_ml::numeric::{mean, quantile_sorted, variance};
use veracta_ml::onnx::Graph;
use veracta_ml::performance::Metric;
use veracta_ml::table::csv::CsvOptions;
use veracta_ml::tree::TreeEnsemble;

use crate::prediction::{Application, rows_of, table_for};
use crate::{LifecycleError, Problem};

/// Columns up to which every coalition of a graph's inputs is tried.
const GRAPH_EXACT_COLUMNS: usize = 8;
/// How orders are sampled beyond.
const GRAPH_SAMPLING: Sampling = Sampling {
    n_pairs: 128,
    seed: 7,
};
/// Most pairs of a row and a background row.
pub const PAIRS_MAX: usize = 1 << 24;
/// Rows whose curves are averaged.
const DEPENDENCE_ROWS: usize = 2_000;
/// Values of an input that are tried.
const GRID_POINTS: usize = 20;
/// Categories of an input that are tried.
const CATEGORIES_SHOWN: usize = 50;
/// Values of an input that is changed alone.
const SINGLE_VALUES: usize = 5_000;
/// Combinations that a counterfactual search looks at.
const CANDIDATES_MAX: usize = 200_000;
/// Most inputs that a counterfactual changes.
pub const CHANGES_MAX: usize = 12;
/// Largest file of codes, in bytes.
const REASONS_BYTES_MAX: u64 = 1 << 20;
/// Reasons given for a row (12 CFR 1002.9, comment 9(b)(2): more than four help nobody).
const REASONS_MAX: usize = 4;

/// Attributions of some rows, and how they were found.
#[derive(Debug, Clone)]
pub struct Attributed {
    /// For each row one attribution an output.
    pub rows: Vec<Vec<Attribution>>,
    /// How.
    pub method: String,
}

/// Attributes the predictions of some rows: path-dependent, or against the rows of a background file.
pub fn attribute(
    applied: &Application,
    rows: &[usize],
    background: Option<&Path>,
    csv: &CsvOptions,
) -> Result<Attributed, LifecycleError> {
    let matrix = applied.rows.select_rows(rows);
    let Some(path) = background else {
        let method = match &applied.model {
            Model::Own(Predictor {
                form: Form::Logistic(_),
                ..
            }) => "linear attribution against the mean of the training rows",
            Model::Trees { ensemble, .. } if ensemble.linear.is_some() => {
                "coefficient times value, missing values as 0"
            }
            Model::Own(_) | Model::Trees { .. } | Model::Graph(_) => {
                "exact path-dependent tree SHAP"
            }
        };
        return Ok(Attributed {
            rows: applied.model.explain(&matrix)?,
            method: method.to_owned(),
        });
    };
    let table = table_for(&applied.model, path, csv)?;
    let others = rows_of(&applied.model, &table, path)?;
    let n_pairs = matrix.n_rows.saturating_mul(others.n_rows);
    if n_pairs > PAIRS_MAX {
        return Err(LifecycleError::TooManyPairs {
            n_rows: matrix.n_rows,
            n_background: others.n_rows,
        });
    }
    let others: Vec<Vec<f64>> = (0..others.n_rows)
        .map(|row| others.row(row).to_vec())
        .collect();
    if let Model::Graph(graph) = &applied.model {
        return attribute_graph(graph, &matrix, &others);
    }
    let ensemble = trees_of(&applied.model)?;
    let explain = |row: usize| interventional(ensemble, matrix.row(row), &others, Scale::Margin);
    let rows = (0..matrix.n_rows)
        .into_par_iter()
        .map(explain)
        .collect::<Result<_, _>>()?;
    Ok(Attributed {
        rows,
        method: format!(
            "exact interventional tree SHAP against {} background rows",
            others.len()
        ),
    })
}

/// Attributes the predictions of a graph by coalitions: all of them when inputs are few, a sample of orders when not.
fn attribute_graph(
    graph: &Graph,
    rows: &Matrix,
    others: &[Vec<f64>],
) -> Result<Attributed, LifecycleError> {
    let matrix = |values: &[f64]| Matrix {
        values: values.to_vec(),
        n_rows: values.len() / rows.n_columns,
        n_columns: rows.n_columns,
    };
    // What the graph refuses is told before any coalition is tried.
    let n_outputs = graph
        .predict(rows)
        .and_then(|_| graph.predict(&matrix(&others.concat())))
        .map_err(ModelError::from)?
        .n_outputs;
    let refused = |n_values: usize| vec![f64::NAN; n_values / rows.n_columns * n_outputs];
    let predict = |values: &[f64]| {
        graph
            .predict(&matrix(values))
            .map_or_else(|_| refused(values.len()), |found| found.values)
    };
    let (mut attributions, mut largest_error) = (Vec::with_capacity(rows.n_rows), 0.0f64);
    let is_exact = rows.n_columns <= GRAPH_EXACT_COLUMNS;
    for row in 0..rows.n_rows {
        if is_exact {
            attributions.push(coalition::exact(&predict, rows.row(row), others)?);
            continue;
        }
        let sampled = coalition::sampled(&predict, rows.row(row), others, GRAPH_SAMPLING)?;
        largest_error = sampled
            .iter()
            .flat_map(|found| &found.standard_errors)
            .copied()
            .fold(largest_error, f64::max);
        attributions.push(sampled.into_iter().map(|found| found.attribution).collect());
    }
    let method = match is_exact {
        true => format!(
            "exact Shapley values of the prediction against {} background rows",
            others.len()
        ),
        false => format!(
            "Shapley values of the prediction from {} pairs of orders against {} background rows, standard error up to {largest_error:.2e}",
            GRAPH_SAMPLING.n_pairs,
            others.len()
        ),
    };
    Ok(Attributed {
        rows: attributions,
        method,
    })
}

fn trees_of(model: &Model) -> Result<&TreeEnsemble, LifecycleError> {
    match model {
        Model::Own(Predictor {
            form: Form::Trees { ensemble, .. },
            ..
        })
        | Model::Trees { ensemble, .. } => Ok(ensemble),
        Model::Own(_) | Model::Graph(_) => Err(LifecycleError::NeedsTrees),
    }
}

/// Returns for each row and output the matrix of interaction values, row after row; the last row and column are the base value's.
pub fn interactions(
    applied: &Application,
    rows: &[usize],
) -> Result<Vec<Vec<Vec<f64>>>, LifecycleError> {
    let explainer = TreeExplainer::new(trees_of(&applied.model)?)?;
    Ok(rows
        .par_iter()
        .map(|row| explainer.interactions(applied.rows.row(*row)))
        .collect())
}

/// How predictions move with one input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dependence {
    /// The input.
    pub input: String,
    /// Rows that were averaged.
    pub n_rows: usize,
    /// Values that the input was set to; of categories their codes.
    pub grid: Vec<f64>,
    /// The categories that the codes stand for; empty of numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Mean prediction at each.
    pub mean: Vec<f64>,
    /// Predictions of single rows at each: the 10 %, 50 % and 90 % quantiles.
    pub quantiles: Vec<[f64; 3]>,
}

/// Measures how predictions of the first output move with one input.
pub fn dependence(applied: &Application, input: &str) -> Result<Dependence, LifecycleError> {
    let feature = position(applied, input)?;
    let n_rows = applied.rows.n_rows.min(DEPENDENCE_ROWS);
    let rows = applied.rows.select_rows(&(0..n_rows).collect::<Vec<_>>());
    let column: Vec<f64> = (0..applied.rows.n_rows)
        .map(|row| applied.rows.row(row)[feature])
        .collect();
    applied.one_output("dependence")?;
    let mut values: Vec<f64> = column
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let categories: Vec<String> = values
        .iter()
        .take(CATEGORIES_SHOWN)
        .filter_map(|value| applied.category(feature, *value))
        .collect();
    // Between two categories there is nothing.
    let grid = if categories.is_empty() {
        grid(&column, GRID_POINTS)
    } else {
        values.into_iter().take(CATEGORIES_SHOWN).collect()
    };
    let predict = applied.predictor(0);
    let curves = individual_expectation(&predict, &rows.values, rows.n_columns, feature, &grid, 0);
    let (mut means, mut quantiles) = (Vec::new(), Vec::new());
    for point in 0..grid.len() {
        let mut values: Vec<f64> = curves
            .iter()
            .map(|curve| curve[point])
            .filter(|value| value.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        means.push(mean(&values).unwrap_or(f64::NAN));
        quantiles.push(if values.is_empty() {
            [f64::NAN; 3]
        } else {
            [0.1, 0.5, 0.9].map(|share| quantile_sorted(&values, share))
        });
    }
    Ok(Dependence {
        input: input.to_owned(),
        n_rows,
        grid,
        categories,
        mean: means,
        quantiles,
    })
}

fn position(applied: &Application, input: &str) -> Result<usize, LifecycleError> {
    applied
        .inputs
        .iter()
        .position(|name| name == input)
        .ok_or_else(|| LifecycleError::UnknownColumn {
            column: input.to_owned(),
            columns: applied.inputs.clone(),
        })
}

/// How much worse a metric gets when an input is shuffled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shuffled {
    /// The input.
    pub input: String,
    /// Mean over shuffles of how much worse the metric got.
    pub mean: f64,
    /// Bounds of the mean; `None` of one shuffle.
    pub interval: Option<(f64, f64)>,
}

/// Shuffles each input in turn; the most important first.
pub fn shuffled(
    applied: &Application,
    labels: &[bool],
    metric: Metric,
    threshold: f64,
    (n_repeats, seed): (u32, u64),
) -> Result<Vec<Shuffled>, LifecycleError> {
    applied.one_output("permutation importance")?;
    let orders = permutations(applied.rows.n_rows, n_repeats, seed);
    let predict = applied.predictor(0);
    let measured = Measured {
        values: &applied.rows.values,
        n_columns: applied.rows.n_columns,
        labels,
        metric,
        threshold,
    };
    let of = |feature: usize| {
        let found = permutation_importance(&predict, measured, feature, &orders, 0.95).ok_or(
            LifecycleError::NotDefined {
                what: metric.descriptor().title,
            },
        )?;
        Ok(Shuffled {
            input: applied.inputs[feature].clone(),
            mean: found.mean,
            interval: found.interval,
        })
    };
    let mut found: Vec<Shuffled> = (0..applied.inputs.len())
        .map(of)
        .collect::<Result<_, LifecycleError>>()?;
    found.sort_by(|a, b| {
        b.mean
            .total_cmp(&a.mean)
            .then_with(|| a.input.cmp(&b.input))
    });
    Ok(found)
}

/// Which way a score is bad for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adverse {
    /// A high score, such as a probability of default.
    High,
    /// A low score, such as a credit score.
    Low,
}

/// A file that says which inputs stand behind which code.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonFile {
    /// Which way a score is bad.
    pub adverse: Adverse,
    /// The codes; an input without one is never a reason.
    pub codes: Vec<ReasonCode>,
}

/// A code.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonCode {
    /// The code.
    pub code: String,
    /// What a person is told.
    pub text: String,
    /// Inputs that stand behind it.
    pub inputs: Vec<serde_saphyr::Spanned<String>>,
}

/// A reason for one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GivenReason {
    /// The code.
    pub code: String,
    /// What a person is told.
    pub text: String,
    /// How far it pushed the score the bad way, beyond the mean of the rows.
    pub points: f64,
}

/// Reads a file of codes.
pub fn read_reasons(path: &Path, inputs: &[String]) -> Result<ReasonFile, LifecycleError> {
    let problem = |line: usize, column: usize, message: String, hint: Option<String>| {
        LifecycleError::Spec(vec![Problem {
            file: path.display().to_string(),
            line,
            column,
            message,
            hint,
        }])
    };
    let n_bytes = std::fs::metadata(path)
        .map_err(LifecycleError::file(path))?
        .len();
    if n_bytes > REASONS_BYTES_MAX {
        return Err(problem(
            0,
            0,
            format!("{n_bytes} bytes are over the limit of {REASONS_BYTES_MAX}"),
            None,
        ));
    }
    let text = std::fs::read_to_string(path).map_err(LifecycleError::file(path))?;
    let file: ReasonFile = serde_saphyr::from_str(&text).map_err(|error| {
        let (line, column) = error.location().map_or((0, 0), |place| {
            (place.line() as usize, place.column() as usize)
        });
        let message = error
            .without_snippet()
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        let hint =
            "it holds `adverse: high` or `low`, and `codes`, each with `code`, `text` and `inputs`";
        problem(line, column, message, Some(hint.to_owned()))
    })?;
    let mut code_of: BTreeMap<&str, &str> = BTreeMap::new();
    for code in &file.codes {
        for input in &code.inputs {
            let place = (
                input.defined.line() as usize,
                input.defined.column() as usize,
            );
            if !inputs.contains(&input.value) {
                return Err(problem(
                    place.0,
                    place.1,
                    format!("`{}` is not an input of the model", input.value),
                    Some(format!("its inputs are {}", inputs.join(", "))),
                ));
            }
            if let Some(other) = code_of.insert(&input.value, &code.code) {
                return Err(problem(
                    place.0,
                    place.1,
                    format!("`{}` stands behind `{other}` already", input.value),
                    None,
                ));
            }
        }
    }
    if code_of.is_empty() {
        return Err(problem(
            0,
            0,
            "no code stands for any input".to_owned(),
            None,
        ));
    }
    Ok(file)
}

/// Gives the reasons of each row, from attributions of its first output; the mean is over the rows given.
pub fn reasons(
    file: &ReasonFile,
    inputs: &[String],
    attributed: &Attributed,
) -> Vec<Vec<GivenReason>> {
    let sign = if file.adverse == Adverse::High {
        1.0
    } else {
        -1.0
    };
    let towards: Vec<Vec<f64>> = attributed
        .rows
        .iter()
        .map(|row| {
            row[0]
                .contributions
                .iter()
                .map(|value| sign * value)
                .collect()
        })
        .collect();
    let means: Vec<f64> = (0..inputs.len())
        .map(|input| {
            mean(&towards.iter().map(|row| row[input]).collect::<Vec<f64>>()).unwrap_or(0.0)
        })
        .collect();
    let code_of = |input: &String| {
        file.codes
            .iter()
            .find(|code| code.inputs.iter().any(|named| named.value == *input))
            .map(|code| code.code.as_str())
    };
    let codes: Vec<Option<&str>> = inputs.iter().map(code_of).collect();
    let text_of = |wanted: &str| {
        file.codes
            .iter()
            .find(|code| code.code == wanted)
            .map(|code| code.text.clone())
            .unwrap_or_default()
    };
    let of_row = |row: &Vec<f64>| {
        let found = reason_codes(row, &means, &codes, REASONS_MAX);
        found
            .into_iter()
            .map(|reason| GivenReason {
                text: text_of(&reason.code),
                code: reason.code,
                points: reason.points,
            })
            .collect()
    };
    towards.iter().map(of_row).collect()
}

/// A change that was found, with names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Row, counted from 1.
    pub row: usize,
    /// Its prediction.
    pub prediction: f64,
    /// What was to be reached.
    pub target: f64,
    /// How the search ended: `found`, `below_already`, `impossible` or `not_within_limit`.
    pub outcome: &'static str,
    /// Changed inputs with the old and the new value.
    pub changes: Vec<(String, f64, f64)>,
    /// Sum of changes in standard deviations of the data.
    pub cost: Option<f64>,
    /// Prediction after the change, or the lowest of any that was tried.
    pub reached: f64,
}

/// Searches the least change of a row that brings its prediction below a target. `inputs` may end in `+` or `-` for one direction.
pub fn change(
    applied: &Application,
    row: usize,
    inputs: &[String],
    target: f64,
) -> Result<Change, LifecycleError> {
    applied.one_output("a counterfactual")?;
    let (mut mutable, mut alone) = (
        Vec::with_capacity(inputs.len()),
        Vec::with_capacity(inputs.len()),
    );
    for named in inputs {
        let (name, direction) = match (named.strip_suffix('+'), named.strip_suffix('-')) {
            (Some(name), _) if !applied.inputs.contains(named) => (name, Direction::Increase),
            (_, Some(name)) if !applied.inputs.contains(named) => (name, Direction::Decrease),
            _ => (named.as_str(), Direction::Any),
        };
        let feature = position(applied, name)?;
        let column: Vec<f64> = (0..applied.rows.n_rows)
            .map(|row| applied.rows.row(row)[feature])
            .filter(|value| value.is_finite())
            .collect();
        if column
            .first()
            .is_some_and(|value| applied.category(feature, *value).is_some())
        {
            return Err(LifecycleError::CategoryChange {
                input: name.to_owned(),
            });
        }
        let deviation = variance(&column)
            .map(f64::sqrt)
            .filter(|deviation| *deviation > 0.0)
            .unwrap_or(1.0);
        // Observed values only, so that each is one that somebody has.
        let mut sorted = column;
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        let some = |n: usize| -> Vec<f64> {
            let step = sorted.len().div_ceil(n).max(1);
            sorted
                .iter()
                .copied()
                .step_by(step)
                .chain(sorted.last().copied())
                .collect()
        };
        let of = |values: Vec<f64>| Mutable {
            feature,
            values,
            direction,
            cost_per_unit: 1.0 / deviation,
            cost_from_missing: 1.0,
        };
        alone.push(of(some(SINGLE_VALUES)));
        mutable.push(of(some(GRID_POINTS)));
    }
    let predict = applied.predictor(0);
    let own = applied.rows.row(row);
    let now = predict(own)[0];
    if now < target {
        return Ok(Change {
            row: row + 1,
            prediction: now,
            target,
            outcome: "below_already",
            changes: Vec::new(),
            cost: None,
            reached: now,
        });
    }
    // Each input alone at every value, and all together at twenty values each: the cheapest of these.
    let cost_of = |found: &Counterfactual| match found {
        Counterfactual::Found { cost, .. } => *cost,
        Counterfactual::Impossible { .. } | Counterfactual::NotWithinLimit { .. } => f64::INFINITY,
    };
    let single = alone.iter().map(|one| {
        counterfactual(
            &predict,
            own,
            std::slice::from_ref(one),
            target,
            CANDIDATES_MAX,
        )
    });
    let single = single.min_by(|a, b| cost_of(a).total_cmp(&cost_of(b)));
    let joint = counterfactual(&predict, own, &mutable, target, CANDIDATES_MAX);
    let best = match single {
        Some(single) if cost_of(&single) < cost_of(&joint) => single,
        _ => joint,
    };
    let (outcome, changes, cost, reached) = match best {
        Counterfactual::Found {
            changes,
            cost,
            prediction,
        } => ("found", changes, Some(cost), prediction),
        Counterfactual::Impossible { lowest_prediction } => {
            ("impossible", Vec::new(), None, lowest_prediction)
        }
        Counterfactual::NotWithinLimit { lowest_prediction } => {
            ("not_within_limit", Vec::new(), None, lowest_prediction)
        }
    };
    let changes = changes
        .into_iter()
        .map(|(feature, value)| (applied.inputs[feature].clone(), own[feature], value))
        .collect();
    Ok(Change {
        row: row + 1,
        prediction: now,
        target,
        outcome,
        changes,
        cost,
        reached,
    })
}
