//! Runs the checks of drift: every test on every column, the default rule, several columns at once, and streams.

use serde_json::Value;
use veracta_data::csv::read_csv;
use veracta_data::reading::ReadOptions;
use veracta_data::table::{Column, ColumnType, Table, Values};
use veracta_statistics::drift::binned::{self, Bins};
use veracta_statistics::drift::contingency::{self, ContingencyTest, Correction};
use veracta_statistics::drift::domain_classifier::out_of_fold_scores;
use veracta_statistics::drift::kolmogorov_smirnov::{self, Method};
use veracta_statistics::drift::mann_whitney::{self, Alternative};
use veracta_statistics::drift::maximum_mean_discrepancy::{self, KernelMatrix};
use veracta_statistics::drift::rule::{evidently, evidently_categorical};
use veracta_statistics::drift::stream::adwin::{Adwin, AdwinSettings};
use veracta_statistics::drift::stream::error_rate::{Ddm, Eddm, HddmA};
use veracta_statistics::drift::stream::page_hinkley::{PageHinkley, PageHinkleySettings};
use veracta_statistics::drift::student::{self, Variances};
use veracta_statistics::drift::{
    CategoryCounts, Sample, TestResult, anderson_darling, cramer_von_mises, epps_singleton,
    population_stability, transport,
};
use veracta_statistics::performance::{Metric, Scored};

use crate::case::{Case, Check, Comparison, number, numbers, position, truths};

/// Rows up to which Evidently's default rule tests with p-values.
const SMALL: usize = 1000;

/// Columns on which the reference is wrong: case, operation, column. Each is checked another way in [`otherwise`], and the reasons are
/// in `docs/reference/parity.md`.
const REFERENCE_IS_WRONG: &[(&str, &str, &str)] = &[
    ("edge_constant", "drift.t_test", "tiny_range"),
    ("edge_constant", "drift.mmd", "tiny_range"),
    ("edge_constant", "drift.evidently.hellinger", "tiny_range"),
    ("edge_constant", "drift.epps_singleton", "tiny_range"),
    ("edge_constant", "drift.epps_singleton", "one_value_each"),
    ("numeric_small", "drift.epps_singleton", "binary"),
    ("numeric_1000_rows", "drift.epps_singleton", "binary"),
    ("numeric_1001_rows", "drift.epps_singleton", "binary"),
    ("numeric_large", "drift.epps_singleton", "binary"),
    ("numeric_1000_rows", "drift.epps_singleton", "low_unique"),
    ("numeric_large", "drift.cramer_von_mises", "normal_shift"),
    ("numeric_large", "drift.cramer_von_mises", "low_unique"),
    ("numeric_large", "drift.cramer_von_mises", "binary"),
];

/// Both tables of a case; a stream has one.
pub(crate) struct Data {
    reference: Option<Table>,
    current: Option<Table>,
}

/// Reads the tables, with the column types that the case declares.
pub(crate) fn open(case: &Case) -> Data {
    let table = |file: &str| {
        let bytes = case.bytes(file)?;
        let declared = case.fields["column_types"]
            .as_object()
            .into_iter()
            .flatten();
        let types = declared.map(|(name, word)| {
            let column_type = if word == "num" {
                ColumnType::Numeric
            } else {
                ColumnType::Categorical
            };
            (name.clone(), column_type)
        });
        let options = ReadOptions {
            types: types.collect(),
            ..ReadOptions::default()
        };
        let read = read_csv(&mut std::io::Cursor::new(bytes), &options);
        Some(read.unwrap().0)
    };
    Data {
        reference: table("reference.csv"),
        current: table("current.csv"),
    }
}

/// Runs one check; `None` when its operation is not known here.
pub(crate) fn run(case: &Case, data: &Data, check: &Check) -> Option<Comparison> {
    let mut comparison = Comparison::new(check);
    match check.op.as_str() {
        op if op.starts_with("stream.") => stream(case, check, &mut comparison)?,
        "drift.domain_classifier" | "drift.domain_classifier.oof_score" => {
            domain(case, check, &mut comparison)
        }
        "drift.mmd_multivariate" => multivariate(case, data, check, &mut comparison),
        "drift.dataset_default" => dataset(data, check, &mut comparison),
        _ => {
            let name = check.params["column"].as_str()?;
            let (reference, current) = (
                data.reference.as_ref()?.column(name).unwrap(),
                data.current.as_ref()?.column(name).unwrap(),
            );
            match (&reference.values, &current.values) {
                (Values::Numeric(a), Values::Numeric(b)) => {
                    let is_wrong =
                        REFERENCE_IS_WRONG.contains(&(case.name.as_str(), check.op.as_str(), name));
                    let judge = if is_wrong { otherwise } else { numeric };
                    judge(&Sample::new(a), &Sample::new(b), check, &mut comparison)?;
                }
                (Values::Coded(a), Values::Coded(b)) => {
                    let missing = |column: &Column, table: &Table| {
                        (0..table.n_rows)
                            .filter(|row| column.is_missing(*row))
                            .count()
                    };
                    let n_missing = (
                        missing(reference, data.reference.as_ref()?),
                        missing(current, data.current.as_ref()?),
                    );
                    categorical(
                        &CategoryCounts::new(a, b),
                        n_missing,
                        check,
                        &mut comparison,
                    )?;
                }
                _ => panic!("column `{name}` has one type"),
            }
        }
    }
    Some(comparison)
}

fn statistic_and_p(found: Option<TestResult>, check: &Check, comparison: &mut Comparison) {
    comparison.number(
        "statistic",
        found.map(|found| found.statistic),
        &check.value["statistic"],
    );
    comparison.number(
        "p",
        found.and_then(|found| found.p_value),
        &check.value["pvalue"],
    );
}

/// A score with Evidently's threshold, on which drift is decided.
fn scored(
    score: Option<f64>,
    is_drift: impl Fn(f64, f64) -> bool,
    check: &Check,
    comparison: &mut Comparison,
) {
    comparison.number("score", score, &check.value["score"]);
    let threshold = check.value["threshold"].as_f64().unwrap();
    comparison.holds(
        "the same decision",
        score.is_some_and(|score| is_drift(score, threshold)) == (check.value["drift"] == true),
    );
}

fn at_least(score: f64, threshold: f64) -> bool {
    score >= threshold
}

fn below(score: f64, threshold: f64) -> bool {
    score < threshold
}

fn numeric(
    reference: &Sample,
    current: &Sample,
    check: &Check,
    comparison: &mut Comparison,
) -> Option<()> {
    let bins = || binned::bins(reference, current);
    match check.op.as_str() {
        "column.counts" => counts(
            [reference.n(), current.n()],
            [reference.n_missing(), current.n_missing()],
            check,
            comparison,
            || CategoryCounts::of_numbers(reference, current).levels.len(),
        ),
        "drift.ks" => {
            let method = match check.words("method")[0] {
                "exact" => Method::Exact,
                "asymp" => Method::Asymptotic,
                _ => Method::Auto,
            };
            statistic_and_p(
                kolmogorov_smirnov::test(reference, current, method),
                check,
                comparison,
            );
        }
        "drift.anderson_darling" => statistic_and_p(
            anderson_darling::test(reference, current),
            check,
            comparison,
        ),
        "drift.cramer_von_mises" => statistic_and_p(
            cramer_von_mises::test(reference, current),
            check,
            comparison,
        ),
        "drift.epps_singleton" => {
            statistic_and_p(epps_singleton::test(reference, current), check, comparison)
        }
        "drift.mann_whitney" => {
            let alternative = if check.words("alternative")[0] == "less" {
                Alternative::Less
            } else {
                Alternative::TwoSided
            };
            statistic_and_p(
                mann_whitney::test(reference, current, alternative),
                check,
                comparison,
            );
        }
        "drift.t_test" => {
            let variances = if check.params["equal_var"] == true {
                Variances::Equal
            } else {
                Variances::Unequal
            };
            let found = student::test(reference, current, variances);
            statistic_and_p(found.map(|found| found.result), check, comparison);
            comparison.number("df", found.map(|found| found.degrees), &check.value["df"]);
        }
        "drift.wasserstein" => comparison.number(
            "distance",
            transport::wasserstein(reference, current),
            &check.value,
        ),
        "drift.energy" => comparison.number(
            "distance",
            transport::energy(reference, current),
            &check.value,
        ),
        "drift.mmd" => {
            let found = maximum_mean_discrepancy::univariate(reference, current);
            comparison.number(
                "statistic",
                found.map(|found| found.statistic),
                &check.value["statistic"],
            );
            comparison.number(
                "sigma",
                found.map(|found| found.sigma),
                &check.value["sigma"],
            );
        }
        "drift.psi_quantile" => {
            let found = population_stability::quantile(
                reference,
                current,
                check.setting("bins") as usize,
                check.setting("floor"),
            );
            comparison.number(
                "psi",
                found.as_ref().map(|found| found.psi),
                &check.value["psi"],
            );
            let found = found?;
            for (name, values) in [
                ("inner_edges", &found.inner_edges),
                ("ref_share", &found.reference),
                ("cur_share", &found.current),
            ] {
                let expected = check.value[name].as_array().unwrap();
                comparison.holds("as many bins", values.len() == expected.len());
                values
                    .iter()
                    .zip(expected)
                    .for_each(|(value, expected)| comparison.number(name, *value, expected));
            }
        }
        "drift.default" => default_rule(evidently(reference, current), check, comparison),
        "drift.evidently.wasserstein" => scored(
            transport::wasserstein_normed(reference, current),
            at_least,
            check,
            comparison,
        ),
        "drift.evidently.hellinger" => scored(
            binned::hellinger_numeric(reference, current),
            at_least,
            check,
            comparison,
        ),
        op => divergence(op, bins(), check, comparison)?,
    }
    Some(())
}

/// What must hold where the reference is wrong; a test that gives the reference's number would be as wrong.
fn otherwise(
    reference: &Sample,
    current: &Sample,
    check: &Check,
    comparison: &mut Comparison,
) -> Option<()> {
    let shifted = |sample: &Sample| {
        Sample::new(
            &sample
                .sorted
                .iter()
                .map(|value| value - 1e9)
                .collect::<Vec<f64>>(),
        )
    };
    let (a, b) = (shifted(reference), shifted(current));
    let is_close =
        |found: f64, expected: f64, share: f64| (found - expected).abs() <= share * expected.abs();
    let n_distinct = CategoryCounts::of_numbers(reference, current).levels.len();
    match check.op.as_str() {
        // By exact fractions the pooled t of this column is 2.1007692499496383e-6; the reference's means have lost it.
        "drift.t_test" if check.params["equal_var"] == true => {
            let found = student::test(reference, current, Variances::Equal)?
                .result
                .statistic;
            comparison.holds(
                "the exact t",
                is_close(found, 2.100_769_249_949_638_3e-6, 1e-6),
            );
        }
        "drift.t_test" => {
            let [found, without_offset] = [(reference, current), (&a, &b)]
                .map(|(a, b)| student::test(a, b, Variances::Unequal).unwrap().result);
            comparison.holds(
                "the same t without the offset",
                is_close(found.statistic, without_offset.statistic, 1e-6),
            );
        }
        "drift.mmd" => {
            let [found, without_offset] = [(reference, current), (&a, &b)]
                .map(|(a, b)| maximum_mean_discrepancy::univariate(a, b).unwrap());
            comparison.holds(
                "the same without the offset",
                is_close(found.statistic, without_offset.statistic, 1e-4),
            );
        }
        "drift.evidently.hellinger" => {
            let found = binned::hellinger_numeric(reference, current)?;
            comparison.holds(
                "as close as edges at this offset allow",
                is_close(found, check.value["score"].as_f64()?, 1e-3),
            );
        }
        "drift.cramer_von_mises" => {
            let found = cramer_von_mises::test(reference, current)?;
            comparison.number("statistic", found.statistic, &check.value["statistic"]);
            comparison.holds(
                "p is below what the reference leaves out of its series",
                found.p_value? < 1e-12,
            );
        }
        // Two values make one direction: the statistic is the square of the unpooled z.
        "drift.epps_singleton" if n_distinct == 2 && reference.n_distinct() == 2 => {
            let share = |sample: &Sample| {
                sample
                    .sorted
                    .iter()
                    .filter(|value| **value == sample.sorted[0])
                    .count() as f64
                    / sample.n() as f64
            };
            let (p, q) = (share(reference), share(current));
            let variance =
                p * (1.0 - p) / reference.n() as f64 + q * (1.0 - q) / current.n() as f64;
            let found = epps_singleton::test(reference, current)?.statistic;
            comparison.holds(
                "the square of z",
                is_close(found, (p - q).powi(2) / variance, 1e-6),
            );
        }
        "drift.epps_singleton" if n_distinct == 2 => comparison.holds(
            "not defined",
            epps_singleton::test(reference, current).is_none(),
        ),
        "drift.epps_singleton" if n_distinct < 10 => {
            let found = epps_singleton::test(reference, current)?;
            let expected = check.value["statistic"].as_f64()?;
            comparison.holds(
                "close, by another number of directions",
                is_close(found.statistic, expected, 0.02),
            );
        }
        "drift.epps_singleton" => {
            let found = epps_singleton::test(reference, current)?;
            comparison.holds(
                "as close as waves at this offset allow",
                is_close(found.p_value?, check.value["pvalue"].as_f64()?, 1e-4),
            );
        }
        _ => return None,
    }
    Some(())
}

fn divergence(
    op: &str,
    bins: Option<Bins>,
    check: &Check,
    comparison: &mut Comparison,
) -> Option<()> {
    let of: fn(&Bins) -> Option<f64> = match op {
        "drift.evidently.psi" => binned::stability,
        "drift.evidently.jensenshannon" => binned::jensen_shannon,
        "drift.evidently.kl_div" => binned::kullback_leibler,
        "drift.evidently.hellinger" => binned::hellinger,
        _ => return None,
    };
    scored(bins.as_ref().and_then(of), at_least, check, comparison);
    Some(())
}

fn categorical(
    counts_: &CategoryCounts,
    n_missing: (usize, usize),
    check: &Check,
    comparison: &mut Comparison,
) -> Option<()> {
    let (n, m) = counts_.totals();
    match check.op.as_str() {
        "column.counts" => {
            counts(
                [n as usize, m as usize],
                [n_missing.0, n_missing.1],
                check,
                comparison,
                || counts_.levels.len(),
            );
        }
        "drift.category_counts" => {
            comparison.holds(
                "the same categories",
                check.value["keys"] == serde_json::json!(counts_.levels),
            );
            for (name, values) in [("ref", &counts_.reference), ("cur", &counts_.current)] {
                let expected = check.value[name].as_array().unwrap();
                values
                    .iter()
                    .zip(expected)
                    .for_each(|(value, expected)| comparison.number(name, *value, expected));
            }
        }
        "drift.chi2_contingency" => {
            let correction = if check.params["correction"] == true {
                Correction::Yates
            } else {
                Correction::None
            };
            table_test(
                contingency::chi_squared(counts_, correction),
                check,
                comparison,
            );
        }
        "drift.g_contingency" => table_test(contingency::g_test(counts_), check, comparison),
        "drift.l_infinity" => {
            comparison.number("distance", contingency::l_infinity(counts_), &check.value)
        }
        "drift.total_variation" => comparison.number(
            "distance",
            contingency::total_variation(counts_),
            &check.value,
        ),
        "drift.fisher_exact" => {
            let found = contingency::fisher_exact(counts_);
            comparison.number(
                "odds ratio",
                found.map(|found| found.statistic),
                &check.value["odds_ratio"],
            );
            comparison.number(
                "p",
                found.and_then(|found| found.p_value),
                &check.value["pvalue"],
            );
        }
        "drift.evidently.z" => scored(
            contingency::proportion_z(counts_).and_then(|found| found.p_value),
            below,
            check,
            comparison,
        ),
        "drift.evidently.chisquare" => {
            scored(
                contingency::chi_squared_against_reference(counts_).and_then(|found| found.p_value),
                below,
                check,
                comparison,
            );
        }
        "drift.default" => default_rule(
            evidently_categorical(counts_, n as usize <= SMALL),
            check,
            comparison,
        ),
        op => divergence(op, counts_.bins(), check, comparison)?,
    }
    Some(())
}

fn counts(
    n: [usize; 2],
    n_missing: [usize; 2],
    check: &Check,
    comparison: &mut Comparison,
    n_distinct: impl Fn() -> usize,
) {
    let found = [
        ("ref_n", n[0]),
        ("cur_n", n[1]),
        ("ref_missing", n_missing[0]),
        ("cur_missing", n_missing[1]),
        ("n_unique_both", n_distinct()),
    ];
    for (name, value) in found {
        comparison.number(name, value as f64, &check.value[name]);
    }
}

fn table_test(found: Option<ContingencyTest>, check: &Check, comparison: &mut Comparison) {
    statistic_and_p(found.map(|found| found.result), check, comparison);
    comparison.number(
        "degrees",
        found.map(|found| found.degrees),
        &check.value["dof"],
    );
    if !check.value["cramers_v"].is_null() {
        comparison.number(
            "Cramér's V",
            found.map(|found| found.cramers_v),
            &check.value["cramers_v"],
        );
    }
}

fn default_rule(
    found: veracta_statistics::drift::rule::EvidentlyVerdict,
    check: &Check,
    comparison: &mut Comparison,
) {
    comparison.holds("the same method", check.value["method"] == found.method);
    comparison.number("score", found.score, &check.value["score"]);
    comparison.number("threshold", found.threshold, &check.value["threshold"]);
    comparison.holds("the same decision", check.value["drift"] == found.drift);
}

/// Where a detector reports a change.
fn stream(case: &Case, check: &Check, comparison: &mut Comparison) -> Option<()> {
    let rows = case.rows("stream.csv", number);
    let whole = |name: &str| check.setting(name) as u64;
    let mut detect: Box<dyn FnMut(f64, bool) -> bool> = match check.op.as_str() {
        "stream.adwin" => {
            let settings = AdwinSettings {
                delta: check.setting("delta"),
                clock: whole("clock"),
                n_buckets_max: whole("max_buckets") as usize,
                n_part_min: check.setting("min_window_length"),
                n_grace: check.setting("grace_period"),
            };
            let mut detector = Adwin::new(settings);
            Box::new(move |x, _| detector.update(x))
        }
        "stream.page_hinkley" => {
            let settings = PageHinkleySettings {
                n_min: whole("min_instances"),
                delta: check.setting("delta"),
                threshold: check.setting("threshold"),
                alpha: check.setting("alpha"),
            };
            let mut detector = PageHinkley::new(settings);
            Box::new(move |x, _| detector.update(x))
        }
        "stream.ddm" => {
            let mut detector = Ddm::new(whole("warm_start"), check.setting("drift_threshold"));
            Box::new(move |_, is_error| detector.update(is_error))
        }
        "stream.eddm" => {
            let mut detector = Eddm::new(whole("warm_start"), check.setting("beta"));
            Box::new(move |_, is_error| detector.update(is_error))
        }
        "stream.hddm_a" => {
            let mut detector = HddmA::new(0.001);
            Box::new(move |_, is_error| detector.update(is_error))
        }
        _ => return None,
    };
    let found: Vec<usize> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| detect(row[0], row[1] == 1.0))
        .map(|(position, _)| position)
        .collect();
    comparison.holds(
        &format!("changes at {found:?}"),
        check.value == serde_json::json!(found),
    );
    Some(())
}

fn domain(case: &Case, check: &Check, comparison: &mut Comparison) {
    let table = case.table("pooled.csv");
    let columns: Vec<Vec<f64>> = table
        .columns
        .iter()
        .filter(|column| column.name != "is_current" && column.name != "fold")
        .map(|column| numbers(&table, &column.name))
        .collect();
    let folds: Vec<usize> = numbers(&table, "fold")
        .iter()
        .map(|fold| *fold as usize)
        .collect();
    let is_current = truths(&table, "is_current");
    let scores = out_of_fold_scores(&columns, &is_current, &folds).unwrap();
    match &check.value_file {
        Some(file) => {
            for (row, (score, expected)) in scores.iter().zip(case.rows(file, number)).enumerate() {
                comparison.row(row, &[*score], &expected);
            }
        }
        None => {
            let auc = Metric::RocAuc.evaluate(&Scored::new(&is_current, &scores).unwrap(), 0.5);
            comparison.number("ROC AUC", auc, &check.value["auc"]);
        }
    }
}

fn dataset(data: &Data, check: &Check, comparison: &mut Comparison) {
    let (reference, current) = (
        data.reference.as_ref().unwrap(),
        data.current.as_ref().unwrap(),
    );
    let verdict = |column: &Column| match (
        &column.values,
        &current.column(&column.name).unwrap().values,
    ) {
        (Values::Numeric(a), Values::Numeric(b)) => evidently(&Sample::new(a), &Sample::new(b)),
        (Values::Coded(a), Values::Coded(b)) => {
            let counts = CategoryCounts::new(a, b);
            evidently_categorical(&counts, counts.totals().0 as usize <= SMALL)
        }
        _ => panic!("column `{}` has one type", column.name),
    };
    let n_drifted = reference
        .columns
        .iter()
        .filter(|column| verdict(column).drift)
        .count();
    let n_columns = reference.columns.len();
    comparison.number("columns", n_columns as f64, &check.value["n_columns"]);
    comparison.number("drifted", n_drifted as f64, &check.value["n_drifted"]);
    comparison.holds(
        "the same decision",
        check.value["dataset_drift"] == (n_drifted * 2 >= n_columns),
    );
}

fn multivariate(case: &Case, data: &Data, check: &Check, comparison: &mut Comparison) {
    let rows = |table: &Table| -> Vec<f64> {
        let columns: Vec<Vec<f64>> = table
            .columns
            .iter()
            .map(|column| numbers(table, &column.name))
            .collect();
        (0..table.n_rows)
            .flat_map(|row| columns.iter().map(move |column| column[row]))
            .collect()
    };
    let (reference, current) = (
        data.reference.as_ref().unwrap(),
        data.current.as_ref().unwrap(),
    );
    let kernel = KernelMatrix::new(
        &[rows(reference), rows(current)].concat(),
        reference.columns.len(),
        check.setting("sigma"),
    );
    let order: Vec<usize> = (0..reference.n_rows + current.n_rows).collect();
    let statistic = kernel.discrepancy(&order, reference.n_rows).unwrap();
    comparison.number("statistic", statistic, &check.value["statistic"]);
    let permuted: Vec<f64> = case
        .rows("permutations.csv", position)
        .iter()
        .map(|order| kernel.discrepancy(order, reference.n_rows).unwrap())
        .collect();
    let expected: &[Value] = check.value["permuted_statistics"].as_array().unwrap();
    permuted
        .iter()
        .zip(expected)
        .for_each(|(found, expected)| comparison.number("permuted", *found, expected));
    let n_larger = permuted
        .iter()
        .filter(|permuted| **permuted >= statistic)
        .count() as f64;
    comparison.number(
        "share",
        n_larger / permuted.len() as f64,
        &check.value["pvalue_share_ge"],
    );
    comparison.number(
        "p",
        (n_larger + 1.0) / (permuted.len() as f64 + 1.0),
        &check.value["pvalue_plus_one"],
    );
}
