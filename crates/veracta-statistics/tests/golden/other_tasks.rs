//! Runs the checks of several classes, of regression, of ranking, and of performance estimated without labels.

use veracta_data::table::Table;
use veracta_model::numeric::{mean, variance};
use veracta_statistics::calibration::{Binning, reliability};
use veracta_statistics::interval::percentile_interval;
use veracta_statistics::performance::estimated::{expected_confusion, expected_metric};
use veracta_statistics::performance::multiclass::{Average, Classified, Disagreement, Scheme};
use veracta_statistics::performance::ranking::{Query, mean_over_queries};
use veracta_statistics::performance::regression::{
    Regressed, RegressionMetric, kendall, pearson, spearman,
};
use veracta_statistics::performance::{Metric, Scored};

use crate::case::{Check, Comparison, numbers};

/// Relevance from which a row counts for the mean average precision.
const RELEVANT_FROM: f64 = 2.0;

/// Runs one check of a case of several classes; `None` when its operation is not known here.
pub(crate) fn multiclass(table: &Table, check: &Check, comparison: &mut Comparison) -> Option<()> {
    let whole = |name: &str| {
        numbers(table, name)
            .iter()
            .map(|class| *class as usize)
            .collect::<Vec<usize>>()
    };
    let (labels, predicted) = (whole("y_true"), whole("y_pred"));
    let n_classes = table
        .columns
        .iter()
        .filter(|column| column.name.starts_with("p_"))
        .count();
    let columns: Vec<Vec<f64>> = (0..n_classes)
        .map(|class| numbers(table, &format!("p_{class}")))
        .collect();
    let probabilities: Vec<f64> = (0..table.n_rows)
        .flat_map(|row| columns.iter().map(move |column| column[row]))
        .collect();
    let data = Classified {
        labels: &labels,
        predicted: &predicted,
        probabilities: &probabilities,
        n_classes,
    };
    let confusion = data.confusion();
    let average = match check.params["average"].as_str() {
        Some("micro") => Average::Micro,
        Some("weighted") => Average::Weighted,
        _ => Average::Macro,
    };
    let value = match check.op.as_str() {
        "perf.confusion_matrix" => {
            for (row, expected) in check.value.as_array()?.iter().enumerate() {
                let expected: Vec<f64> = expected
                    .as_array()?
                    .iter()
                    .filter_map(serde_json::Value::as_f64)
                    .collect();
                comparison.row(
                    row,
                    &confusion.counts[row * n_classes..(row + 1) * n_classes],
                    &expected,
                );
            }
            return Some(());
        }
        "calibration.ece_top_label" => {
            let best = |row: usize| {
                (0..n_classes).reduce(|best, class| {
                    if columns[class][row] > columns[best][row] {
                        class
                    } else {
                        best
                    }
                })
            };
            let best: Vec<usize> = (0..table.n_rows).filter_map(best).collect();
            let scores: Vec<f64> = best
                .iter()
                .enumerate()
                .map(|(row, class)| columns[*class][row])
                .collect();
            let right: Vec<bool> = best
                .iter()
                .zip(&labels)
                .map(|(best, label)| best == label)
                .collect();
            let curve = reliability(
                &Scored::new(&right, &scores).unwrap(),
                check.setting("bins") as usize,
                Binning::Width,
            );
            comparison.number("ece", curve.ece, &check.value["ece"]);
            comparison.number("mce", curve.mce, &check.value["mce"]);
            return Some(());
        }
        "perf.precision" => confusion.precision(average),
        "perf.recall" => confusion.recall(average),
        "perf.f1" => confusion.f1(average),
        "perf.accuracy" => confusion.accuracy(),
        "perf.balanced_accuracy" => confusion.balanced_accuracy(),
        "perf.mcc" => confusion.mcc(),
        "perf.cohen_kappa" => confusion.cohen_kappa(match check.words("weights_kind")[0] {
            "linear" => Disagreement::Linear,
            "quadratic" => Disagreement::Quadratic,
            _ => Disagreement::Unweighted,
        }),
        "perf.log_loss" => data.log_loss(),
        "perf.brier_multiclass" => data.brier(),
        "perf.top_k_accuracy" => data.top_k_accuracy(check.setting("k") as usize),
        "perf.roc_auc" => {
            let scheme = if check.words("multi_class")[0] == "ovo" {
                Scheme::OneVsOne
            } else {
                Scheme::OneVsRest
            };
            data.roc_auc(scheme, average)
        }
        _ => return None,
    };
    comparison.number(&check.op, value, &check.value);
    Some(())
}

/// Runs one check of a regression; `None` when its operation is not known here.
pub(crate) fn regression(
    table: &Table,
    resamples: &[Vec<usize>],
    check: &Check,
    comparison: &mut Comparison,
) -> Option<()> {
    let (truths, predictions) = (numbers(table, "y_true"), numbers(table, "y_pred"));
    let correlation = match check.op.as_str() {
        "perf.pearson" => Some(pearson(&truths, &predictions)),
        "perf.spearman" => Some(spearman(&truths, &predictions)),
        "perf.kendall_tau_b" => Some(kendall(&truths, &predictions)),
        _ => None,
    };
    if let Some(found) = correlation {
        comparison.number(
            "coefficient",
            found.map(|found| found.coefficient),
            &check.value["statistic"],
        );
        comparison.number(
            "p",
            found.map(|found| found.p_value),
            &check.value["pvalue"],
        );
        return Some(());
    }
    if check.op == "ci.bootstrap_percentile" {
        let metric = RegressionMetric::named(check.words("metric")[0])?;
        let evaluate = |rows: &Vec<usize>| {
            let pick = |column: &[f64]| rows.iter().map(|row| column[*row]).collect::<Vec<f64>>();
            metric.evaluate(Regressed {
                truths: &pick(&truths),
                predictions: &pick(&predictions),
                weights: None,
            })
        };
        let mut values: Vec<f64> = resamples.iter().filter_map(evaluate).collect();
        comparison.number("mean", mean(&values), &check.value["mean"]);
        comparison.number(
            "standard error",
            variance(&values).map(f64::sqrt),
            &check.value["se"],
        );
        let interval = percentile_interval(&mut values, check.setting("level"));
        comparison.number(
            "lower",
            interval.map(|(lower, _)| lower),
            &check.value["lower"],
        );
        comparison.number(
            "upper",
            interval.map(|(_, upper)| upper),
            &check.value["upper"],
        );
        return Some(());
    }
    let weight = numbers(table, "weight");
    let weights = (check.params["weights"] == "weight").then_some(weight.as_slice());
    let metric = RegressionMetric::named(check.op.strip_prefix("perf.")?)?;
    comparison.number(
        &check.op,
        metric.evaluate(Regressed {
            truths: &truths,
            predictions: &predictions,
            weights,
        }),
        &check.value,
    );
    Some(())
}

/// Runs one check of a ranking; `None` when its operation is not known here.
pub(crate) fn ranking(table: &Table, check: &Check, comparison: &mut Comparison) -> Option<()> {
    let (queries, relevance, scores) = (
        numbers(table, "qid"),
        numbers(table, "relevance"),
        numbers(table, "score"),
    );
    let mut values = Vec::new();
    for (id, expected) in check.value["per_query"].as_object()? {
        let rows: Vec<usize> = (0..queries.len())
            .filter(|row| queries[*row].to_string() == *id)
            .collect();
        let pick = |column: &[f64]| rows.iter().map(|row| column[*row]).collect::<Vec<f64>>();
        let (relevance, scores) = (pick(&relevance), pick(&scores));
        let query = Query {
            relevance: &relevance,
            scores: &scores,
        };
        let k = check.params["k"].as_u64().map(|k| k as usize);
        let value = match check.op.as_str() {
            "rank.dcg" => Some(query.dcg(k?)),
            "rank.ndcg" => query.ndcg(k?),
            "rank.map" => query.average_precision(RELEVANT_FROM),
            _ => return None,
        };
        comparison.number(&format!("query {id}"), value, expected);
        values.push(value);
    }
    if !check.value["mean"].is_null() {
        comparison.number("mean", mean_over_queries(&values), &check.value["mean"]);
    }
    Some(())
}

/// Runs one check of performance without labels; `None` when its operation is not known here.
pub(crate) fn estimated(table: &Table, check: &Check, comparison: &mut Comparison) -> Option<()> {
    let probabilities = numbers(table, "calibrated_probability");
    let threshold = check.setting("threshold");
    match check.op.as_str() {
        "cbpe.confusion" => {
            let found = expected_confusion(&probabilities, threshold);
            for (name, count) in [
                ("tp", found.tp),
                ("fp", found.fp),
                ("fn", found.fn_),
                ("tn", found.tn),
            ] {
                comparison.number(name, count, &check.value[name]);
            }
        }
        "cbpe.metrics" => {
            for (name, expected) in check.value.as_object()? {
                comparison.number(
                    name,
                    expected_metric(Metric::named(name)?, &probabilities, threshold),
                    expected,
                );
            }
        }
        _ => return None,
    }
    Some(())
}
