//! Evaluations of other tasks than two classes: several classes, a number, an order. Intervals are percentiles of resampled rows, or of
//! resampled queries where an order is judged.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::interval::{Estimate, Method, Precision, resampled_estimate};
use crate::performance::multiclass::{Average, Classified, ConfusionMatrix, Disagreement, Scheme};
use crate::performance::ranking::{Query, mean_over_queries};
use crate::performance::regression::{Regressed, RegressionMetric, kendall, pearson, spearman};
use veracta_model::numeric::{below, generator};

/// Metrics of a regression, by their names in files.
pub(crate) const REGRESSION_METRICS: [&str; 9] = [
    "rmse",
    "mae",
    "r2",
    "mse",
    "median_ae",
    "max_error",
    "mape",
    "rmsle",
    "explained_variance",
];
/// Deviances that are given where they are defined.
const DEVIANCES: [&str; 2] = ["poisson_deviance", "gamma_deviance"];
type OfCounts = fn(&ConfusionMatrix) -> Option<f64>;
type OfProbabilities = fn(&Classified<'_>) -> Option<f64>;

/// Metrics of several classes that predicted classes suffice for, by their names in files.
const OF_COUNTS: [(&str, OfCounts); 15] = [
    ("accuracy", |counts| counts.accuracy()),
    ("balanced_accuracy", |counts| counts.balanced_accuracy()),
    ("mcc", |counts| counts.mcc()),
    ("cohen_kappa", |counts| {
        counts.cohen_kappa(Disagreement::Unweighted)
    }),
    ("cohen_kappa_linear", |counts| {
        counts.cohen_kappa(Disagreement::Linear)
    }),
    ("cohen_kappa_quadratic", |counts| {
        counts.cohen_kappa(Disagreement::Quadratic)
    }),
    ("precision_macro", |counts| counts.precision(Average::Macro)),
    ("recall_macro", |counts| counts.recall(Average::Macro)),
    ("f1_macro", |counts| counts.f1(Average::Macro)),
    ("precision_micro", |counts| counts.precision(Average::Micro)),
    ("recall_micro", |counts| counts.recall(Average::Micro)),
    ("f1_micro", |counts| counts.f1(Average::Micro)),
    ("precision_weighted", |counts| {
        counts.precision(Average::Weighted)
    }),
    ("recall_weighted", |counts| counts.recall(Average::Weighted)),
    ("f1_weighted", |counts| counts.f1(Average::Weighted)),
];
/// Metrics of several classes that need a probability of each class, by their names in files.
const OF_PROBABILITIES: [(&str, OfProbabilities); 6] = [
    ("log_loss", |data| data.log_loss()),
    ("brier", |data| data.brier()),
    ("top_2_accuracy", |data| data.top_k_accuracy(2)),
    ("top_3_accuracy", |data| data.top_k_accuracy(3)),
    ("roc_auc_ovr", |data| {
        data.roc_auc(Scheme::OneVsRest, Average::Macro)
    }),
    ("roc_auc_ovo", |data| {
        data.roc_auc(Scheme::OneVsOne, Average::Macro)
    }),
];
/// Places up to which an order is judged.
const PLACES: [usize; 3] = [3, 5, 10];

/// Metrics of several classes, of a number or of an order, with intervals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskEvaluation {
    /// `multiclass`, `regression` or `ranking`: which metrics there are.
    pub task: String,
    /// Rows, or queries of a ranking.
    pub n: usize,
    /// Each metric by name; `None` when it is not defined.
    pub metrics: Vec<(String, Option<Estimate>)>,
    /// Names of the classes; empty of other tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Rows of each true class by predicted class; empty of other tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<f64>>,
}

/// Returns a percentile interval of each value of `measure` over resampled units.
fn resampled(
    n_units: usize,
    measure: &(dyn Fn(&[usize]) -> Vec<Option<f64>> + Sync),
    precision: Precision,
) -> Vec<Option<Estimate>> {
    let whole: Vec<usize> = (0..n_units).collect();
    let estimates = measure(&whole);
    let draw = |resample: u32| {
        let mut rng = generator(precision.bootstrap.seed, u64::from(resample));
        let units: Vec<usize> = (0..n_units).map(|_| below(&mut rng, n_units)).collect();
        measure(&units)
    };
    let drawn: Vec<Vec<Option<f64>>> = (0..precision.bootstrap.n_resamples)
        .into_par_iter()
        .map(draw)
        .collect();
    let interval = |(place, estimate): (usize, &Option<f64>)| {
        let values = drawn.iter().filter_map(|values| values[place]).collect();
        resampled_estimate(*estimate, values, precision, Method::BootstrapRows)
            .map(Estimate::holding_itself)
    };
    estimates.iter().enumerate().map(interval).collect()
}

/// Evaluates a regression: errors, deviances and three correlations, each with a bootstrap interval.
///
/// # Panics
/// When truths and predictions differ in number, or there are none.
pub fn evaluate_regression(
    truths: &[f64],
    predictions: &[f64],
    precision: Precision,
) -> TaskEvaluation {
    assert!(
        truths.len() == predictions.len() && !truths.is_empty(),
        "there is one prediction a truth"
    );
    let names: Vec<&str> = REGRESSION_METRICS
        .iter()
        .chain(&DEVIANCES)
        .copied()
        .chain(["pearson", "spearman", "kendall_tau_b"])
        .collect();
    let measure = |rows: &[usize]| -> Vec<Option<f64>> {
        let a: Vec<f64> = rows.iter().map(|row| truths[*row]).collect();
        let b: Vec<f64> = rows.iter().map(|row| predictions[*row]).collect();
        let data = Regressed {
            truths: &a,
            predictions: &b,
            weights: None,
        };
        let of = |name: &&str| match *name {
            "pearson" => pearson(&a, &b).map(|found| found.coefficient),
            "spearman" => spearman(&a, &b).map(|found| found.coefficient),
            "kendall_tau_b" => kendall(&a, &b).map(|found| found.coefficient),
            name => RegressionMetric::named(name).and_then(|metric| metric.evaluate(data)),
        };
        names.iter().map(of).collect()
    };
    let estimates = resampled(truths.len(), &measure, precision);
    let metrics = names
        .iter()
        .map(|name| (*name).to_owned())
        .zip(estimates)
        .collect();
    TaskEvaluation {
        task: "regression".to_owned(),
        n: truths.len(),
        metrics,
        classes: Vec::new(),
        confusion: Vec::new(),
    }
}

/// Evaluates a classifier of several classes; without probabilities what needs them is left out.
///
/// # Panics
/// When lengths differ, there are no rows, or a class is not one of those named.
pub fn evaluate_multiclass(
    data: Classified<'_>,
    classes: &[String],
    precision: Precision,
) -> TaskEvaluation {
    let has_probabilities = !data.probabilities.is_empty();
    let of_probabilities: &[(&str, OfProbabilities)] = if has_probabilities {
        &OF_PROBABILITIES
    } else {
        &[]
    };
    let measure = |rows: &[usize]| -> Vec<Option<f64>> {
        let labels: Vec<usize> = rows.iter().map(|row| data.labels[*row]).collect();
        let predicted: Vec<usize> = rows.iter().map(|row| data.predicted[*row]).collect();
        let width = if has_probabilities { data.n_classes } else { 0 };
        let probabilities: Vec<f64> = rows
            .iter()
            .flat_map(|row| {
                data.probabilities[row * width..(row + 1) * width]
                    .iter()
                    .copied()
            })
            .collect();
        let drawn = Classified {
            labels: &labels,
            predicted: &predicted,
            probabilities: &probabilities,
            n_classes: data.n_classes,
        };
        let counts = drawn.confusion();
        OF_COUNTS
            .iter()
            .map(|(_, of)| of(&counts))
            .chain(of_probabilities.iter().map(|(_, of)| of(&drawn)))
            .collect()
    };
    let n = data.labels.len();
    let names = OF_COUNTS
        .iter()
        .map(|(name, _)| *name)
        .chain(of_probabilities.iter().map(|(name, _)| *name));
    TaskEvaluation {
        task: "multiclass".to_owned(),
        n,
        metrics: names
            .map(str::to_owned)
            .zip(resampled(n, &measure, precision))
            .collect(),
        classes: classes.to_vec(),
        confusion: data
            .confusion()
            .counts
            .chunks(data.n_classes)
            .map(<[f64]>::to_vec)
            .collect(),
    }
}

/// Evaluates an order; `queries` holds the rows of each query, and rows of at least `relevant_from` count for the mean average precision.
///
/// # Panics
/// When there is not one score a row, or no query.
pub fn evaluate_ranking(
    relevance: &[f64],
    scores: &[f64],
    queries: &[Vec<usize>],
    relevant_from: f64,
    precision: Precision,
) -> TaskEvaluation {
    assert!(
        relevance.len() == scores.len() && !queries.is_empty(),
        "there is one score a row, and at least one query"
    );
    let mut names: Vec<String> = PLACES
        .iter()
        .flat_map(|k| [format!("ndcg_{k}"), format!("dcg_{k}")])
        .collect();
    names.push("map".to_owned());
    // What a query says does not depend on the others.
    let of_query = |rows: &Vec<usize>| -> Vec<Option<f64>> {
        let a: Vec<f64> = rows.iter().map(|row| relevance[*row]).collect();
        let b: Vec<f64> = rows.iter().map(|row| scores[*row]).collect();
        let query = Query {
            relevance: &a,
            scores: &b,
        };
        let gains = PLACES
            .iter()
            .flat_map(|k| [query.ndcg(*k), Some(query.dcg(*k))]);
        gains
            .chain([query.average_precision(relevant_from)])
            .collect()
    };
    let by_query: Vec<Vec<Option<f64>>> = queries.par_iter().map(of_query).collect();
    let measure = |drawn: &[usize]| -> Vec<Option<f64>> {
        (0..names.len())
            .map(|place| {
                mean_over_queries(
                    &drawn
                        .iter()
                        .map(|query| by_query[*query][place])
                        .collect::<Vec<_>>(),
                )
            })
            .collect()
    };
    let estimates = resampled(queries.len(), &measure, precision);
    let metrics = names.iter().cloned().zip(estimates).collect();
    TaskEvaluation {
        task: "ranking".to_owned(),
        n: queries.len(),
        metrics,
        classes: Vec::new(),
        confusion: Vec::new(),
    }
}
