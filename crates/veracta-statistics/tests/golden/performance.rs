//! Runs the checks of binary performance, calibration and their intervals.

use veracta_data::table::Table;
use veracta_model::numeric::{mean, variance};
use veracta_statistics::calibration::{
    Binning, calibration_in_the_large, calibration_line, hosmer_lemeshow, reliability,
};
use veracta_statistics::interval::{Method, delong, percentile_interval, proportion_interval};
use veracta_statistics::paired::PairedCounts;
use veracta_statistics::performance::{Confusion, Metric, Scored, roc_auc_up_to};

use crate::case::{Case, Check, Comparison, numbers, position};
use crate::other_tasks;

/// Groups of the Hosmer-Lemeshow test in the golden set.
const HOSMER_LEMESHOW_GROUPS: usize = 10;
/// Confidence level of the golden intervals of proportions.
const PROPORTION_LEVEL: f64 = 0.95;

/// Where scikit-learn gives 0 by convention and this crate says that the metric is not defined: case, operation, reason.
pub(crate) const NOT_DEFINED_HERE: &[(&str, &str, &str)] = &[
    (
        "binary_one_class",
        "perf.recall",
        "there is no positive label to recall",
    ),
    (
        "binary_one_class",
        "perf.mcc",
        "a constant label has no correlation with anything",
    ),
];

/// Labels, two scores, weights and resamples of a case.
pub(crate) struct Data {
    labels: Vec<bool>,
    score: Vec<f64>,
    score_b: Vec<f64>,
    weight: Vec<f64>,
    resamples: Vec<Vec<usize>>,
    /// The table itself, for cases that are not of two classes.
    table: Table,
}

/// Reads the data of a case.
pub(crate) fn open(case: &Case) -> Data {
    let table = case.table("data.csv");
    let optional = |name: &str| {
        table
            .column(name)
            .map(|_| numbers(&table, name))
            .unwrap_or_default()
    };
    Data {
        labels: if optional("score").is_empty() {
            Vec::new()
        } else {
            optional("y_true")
                .iter()
                .map(|label| *label == 1.0)
                .collect()
        },
        score: optional("score"),
        score_b: optional("score_b"),
        weight: optional("weight"),
        resamples: case.rows("bootstrap_indices.csv", position),
        table,
    }
}

/// Runs one check; `None` when its operation is not known here.
pub(crate) fn run(case: &Case, data: &Data, check: &Check) -> Option<Comparison> {
    let mut comparison = Comparison::new(check);
    let has = |column: &str| data.table.column(column).is_ok();
    let other = if has("p_0") {
        Some(other_tasks::multiclass(&data.table, check, &mut comparison))
    } else if has("qid") {
        Some(other_tasks::ranking(&data.table, check, &mut comparison))
    } else if has("calibrated_probability") {
        Some(other_tasks::estimated(&data.table, check, &mut comparison))
    } else if has("y_pred") && !has("score") {
        Some(other_tasks::regression(
            &data.table,
            &data.resamples,
            check,
            &mut comparison,
        ))
    } else {
        None
    };
    if let Some(known) = other {
        return known.map(|()| comparison);
    }
    let threshold = case.threshold.unwrap();
    match check.name().as_str() {
        "perf.confusion" => confusion(data, threshold, check, &mut comparison),
        "calibration.ece" => calibration_error(data, check, &mut comparison),
        "calibration.slope_intercept" => slope_and_intercept(data, check, &mut comparison),
        "calibration.in_the_large" => {
            let intercept = calibration_in_the_large(&data.scored(check));
            comparison.number("intercept", intercept, &check.value["intercept"]);
        }
        "calibration.hosmer_lemeshow" => {
            let test = hosmer_lemeshow(&data.scored(check), HOSMER_LEMESHOW_GROUPS);
            comparison.number(
                "statistic",
                test.map(|(statistic, _)| statistic),
                &check.value["statistic"],
            );
            comparison.number("p", test.map(|(_, p)| p), &check.value["pvalue"]);
        }
        "ci.delong" => delong_intervals(data, check, &mut comparison),
        "test.delong_paired" => delong_test(data, check, &mut comparison),
        name if name.starts_with("ci.proportion/") => {
            proportion(data, threshold, check, &mut comparison)
        }
        "test.mcnemar" => mcnemar(check, &mut comparison),
        "ci.bootstrap_percentile" => bootstrap(data, threshold, check, &mut comparison),
        name => metric(
            case,
            data,
            check,
            name.strip_prefix("perf.")?,
            &mut comparison,
        )?,
    }
    Some(comparison)
}

impl Data {
    fn scored(&self, check: &Check) -> Scored<'_> {
        let scored = Scored::new(&self.labels, &self.score).unwrap();
        if check.params["weights"] == "weight" {
            return scored.with_weights(&self.weight).unwrap();
        }
        scored
    }
}

fn metric(
    case: &Case,
    data: &Data,
    check: &Check,
    name: &str,
    comparison: &mut Comparison,
) -> Option<()> {
    let (scored, threshold) = (data.scored(check), case.threshold.unwrap());
    let result = match name {
        "f_beta_2" => Confusion::at(&scored, threshold).f_beta(2.0),
        "roc_auc_max_fpr_0.1" => roc_auc_up_to(&scored, 0.1),
        name => Metric::named(name)?.evaluate(&scored, threshold),
    };
    let is_justified = NOT_DEFINED_HERE
        .iter()
        .any(|(known, op, _)| *known == case.name && *op == check.op);
    if is_justified {
        comparison.holds(
            "not defined here and 0 by convention there",
            result.is_none() && check.value == 0.0,
        );
    } else {
        comparison.number(name, result, &check.value);
    }
    Some(())
}

fn confusion(data: &Data, threshold: f64, check: &Check, comparison: &mut Comparison) {
    let Confusion { tn, fp, fn_, tp } = Confusion::at(&data.scored(check), threshold);
    for (name, count) in [("tn", tn), ("fp", fp), ("fn", fn_), ("tp", tp)] {
        comparison.number(name, count, &check.value[name]);
    }
}

fn calibration_error(data: &Data, check: &Check, comparison: &mut Comparison) {
    let binning = match check.words("binning")[0] {
        "width" => Binning::Width,
        "quantile" => Binning::Quantile,
        other => panic!("binning `{other}`"),
    };
    let curve = reliability(&data.scored(check), check.setting("bins") as usize, binning);
    comparison.number("ece", curve.ece, &check.value["ece"]);
    comparison.number("mce", curve.mce, &check.value["mce"]);
    let expected = check.value["bins"].as_array().unwrap();
    comparison.holds("as many bins hold rows", curve.bins.len() == expected.len());
    for (bin, expected) in curve.bins.iter().zip(expected) {
        comparison.number("bin", bin.bin as f64, &expected["bin"]);
        comparison.number("rows of a bin", bin.n as f64, &expected["n"]);
        comparison.number(
            "mean score of a bin",
            bin.mean_score,
            &expected["mean_score"],
        );
        comparison.number(
            "positive rate of a bin",
            bin.positive_rate,
            &expected["positive_rate"],
        );
    }
}

fn slope_and_intercept(data: &Data, check: &Check, comparison: &mut Comparison) {
    let line = calibration_line(&data.scored(check));
    if check.value.get("error").is_some() {
        return comparison.holds("refused", line.is_none());
    }
    comparison.number(
        "intercept",
        line.as_ref().map(|line| line.intercept),
        &check.value["intercept"],
    );
    comparison.number(
        "slope",
        line.as_ref().map(|line| line.slope),
        &check.value["slope"],
    );
    for idx in [0, 1] {
        comparison.number(
            "standard error",
            line.as_ref().map(|line| line.se[idx]),
            &check.value["se"][idx],
        );
    }
}

fn delong_intervals(data: &Data, check: &Check, comparison: &mut Comparison) {
    let column = match check.words("column")[0] {
        "score" => &data.score,
        "score_b" => &data.score_b,
        other => panic!("column `{other}`"),
    };
    let delong = delong(&Scored::new(&data.labels, column).unwrap()).unwrap();
    let level = check.setting("level");
    comparison.number("auc", delong.auc, &check.value["auc"]);
    comparison.number("variance", delong.variance, &check.value["variance"]);
    let intervals = [
        ("ci_normal", Some(delong.normal_interval(level))),
        ("ci_logit", delong.logit_interval(level)),
    ];
    for (name, interval) in intervals {
        comparison.number(
            name,
            interval.map(|(lower, _)| lower),
            &check.value[name][0],
        );
        comparison.number(
            name,
            interval.map(|(_, upper)| upper),
            &check.value[name][1],
        );
    }
}

/// Without any variance there is no test: neither a statistic nor a p-value may be given.
fn delong_test(data: &Data, check: &Check, comparison: &mut Comparison) {
    let of = |column: &[f64]| delong(&Scored::new(&data.labels, column).unwrap()).unwrap();
    let (first, second) = (of(&data.score), of(&data.score_b));
    let test = first.compare(&second);
    comparison.number(
        "difference",
        first.auc - second.auc,
        &check.value["difference"],
    );
    if let Some((difference, variance, _, _)) = test {
        comparison.number("difference", difference, &check.value["difference"]);
        comparison.number("variance", variance, &check.value["variance"]);
    }
    comparison.number("z", test.map(|(_, _, z, _)| z), &check.value["z"]);
    comparison.number("p", test.map(|(_, _, _, p)| p), &check.value["pvalue"]);
}

fn proportion(data: &Data, threshold: f64, check: &Check, comparison: &mut Comparison) {
    let (successes, trials) = (check.setting("count"), check.setting("nobs"));
    let metric = Metric::named(check.words("metric")[0]).unwrap();
    let counted = Confusion::at(&data.scored(check), threshold).proportion(metric);
    comparison.holds(
        "the metric is this proportion",
        counted == Some((successes, trials)),
    );
    let method = match check.words("method")[0] {
        "wilson" => Method::Wilson,
        "clopper_pearson" => Method::ClopperPearson,
        "agresti_coull" => Method::AgrestiCoull,
        "jeffreys" => Method::Jeffreys,
        other => panic!("method `{other}`"),
    };
    let interval = proportion_interval(successes, trials, PROPORTION_LEVEL, method);
    comparison.number(
        "lower",
        interval.as_ref().map(|interval| interval.lower),
        &check.value["lower"],
    );
    comparison.number(
        "upper",
        interval.as_ref().map(|interval| interval.upper),
        &check.value["upper"],
    );
}

fn mcnemar(check: &Check, comparison: &mut Comparison) {
    let cell = |row: usize, column: usize| check.params["table"][row][column].as_u64().unwrap();
    let counts = PairedCounts {
        both: cell(0, 0),
        first_only: cell(0, 1),
        second_only: cell(1, 0),
        neither: cell(1, 1),
    };
    let found = if check.params["exact"] == true {
        counts.mcnemar_exact()
    } else {
        counts.mcnemar_chi_squared()
    };
    comparison.number(
        "statistic",
        found.map(|found| found.statistic),
        &check.value["statistic"],
    );
    comparison.number(
        "p",
        found.map(|found| found.p_value),
        &check.value["pvalue"],
    );
}

fn bootstrap(data: &Data, threshold: f64, check: &Check, comparison: &mut Comparison) {
    let name = check.words("metric")[0];
    let evaluate = |rows: &Vec<usize>| {
        let labels: Vec<bool> = rows.iter().map(|row| data.labels[*row]).collect();
        let pick = |column: &[f64]| rows.iter().map(|row| column[*row]).collect::<Vec<f64>>();
        let (score, score_b) = (pick(&data.score), pick(&data.score_b));
        let scored = Scored::new(&labels, &score).unwrap();
        if scored.n_positive() == 0 || scored.n_positive() == scored.n() {
            return None;
        }
        if name == "roc_auc_difference" {
            let other = Scored::new(&labels, &score_b).unwrap();
            let auc = |scored: &Scored<'_>| Metric::RocAuc.evaluate(scored, threshold);
            return Some(auc(&scored)? - auc(&other)?);
        }
        Metric::named(name).unwrap().evaluate(&scored, threshold)
    };
    let mut values: Vec<f64> = data.resamples.iter().filter_map(evaluate).collect();
    comparison.number("resamples used", values.len() as f64, &check.value["used"]);
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
}
