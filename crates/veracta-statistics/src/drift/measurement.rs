//! The drift of a whole table: every column by our rule, by Evidently's, and by the tests asked for.

use serde::{Deserialize, Serialize};

use super::rule::{
    Change, ColumnDrift, EvidentlyVerdict, MissingCounts, Tolerances, evidently_at,
    evidently_categorical, judge_categorical, judge_numeric_at,
};
use super::{
    CATEGORICAL_TESTS, CategoryCounts, CountedColumn, NUMERIC_TESTS, NumericTest, Prepared, Sample,
    TestResult, kolmogorov_smirnov, transport,
};
use crate::multiplicity::benjamini_hochberg;
use crate::profile::SHOWN_COUNT_MIN;
use veracta_data::table::Column;

/// Reference rows up to which Evidently tests with p-values.
const EVIDENTLY_SMALL: f64 = 1000.0;
/// Tests measured unless others are asked for: quick ones on any number of rows.
pub(crate) const DEFAULT_TESTS: [&str; 7] = [
    "ks",
    "wasserstein",
    "psi",
    "jensen_shannon",
    "chi_squared",
    "total_variation",
    "l_infinity",
];
/// Most categories shown with their shares.
const SHOWN_LEVELS_MAX: usize = 12;
/// Points of the drawn distribution functions.
const DRAWN_POINTS: usize = 41;

/// Which tests are computed, and from which sizes a change counts as drift.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftOptions {
    /// Effect sizes and confidence level of `judge_numeric_at` and [`judge_categorical`].
    pub tolerances: Tolerances,
    /// Names of tests in [`NUMERIC_TESTS`] or [`CATEGORICAL_TESTS`]; an unknown name selects nothing.
    pub tests: Vec<String>,
}

impl Default for DriftOptions {
    fn default() -> Self {
        Self {
            tolerances: Tolerances::default(),
            tests: DEFAULT_TESTS.map(str::to_owned).to_vec(),
        }
    }
}

/// The drift of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftMeasurement {
    /// Rows of the reference, missing values included.
    pub n_reference: usize,
    /// Rows of the current sample.
    pub n_current: usize,
    /// Options the columns were measured with.
    pub options: DriftOptions,
    /// Columns that both tables have with the same type, in file order.
    pub columns: Vec<ColumnMeasurement>,
    /// Columns of the reference that the current table lacks or has as another type, by name.
    pub lost: Vec<String>,
    /// Those of the lost columns that the current table has, as another type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retyped: Vec<RetypedColumn>,
    /// Columns that can be read in neither table, such as lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// Columns that only the current table has, by name.
    pub added: Vec<String>,
}

/// A column of another type in the current table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetypedColumn {
    /// Name of the column in both tables.
    pub name: String,
    /// What the reference holds there, in words.
    pub reference: String,
    /// What the current table holds there.
    pub current: String,
}

/// The drift of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnMeasurement {
    /// Name of the column in both tables.
    pub name: String,
    /// `numeric` or `categorical`: which tests and which effect size apply.
    pub kind: String,
    /// Rows with a value, reference and current.
    pub n: [usize; 2],
    /// Effect sizes with bounds, judged against the tolerances.
    pub drift: ColumnDrift,
    /// Verdict of Evidently's default rule, for comparison only.
    pub evidently: EvidentlyScore,
    /// Tests in the order of their list.
    pub tests: Vec<Measured>,
    /// Points or shares from which both distributions are drawn.
    pub shape: Shape,
    /// Share of rows by which a rank may be wrong, as a side is a stored summary; the bounds of the effect are wider by it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rank_error: f64,
}

/// What Evidently's default rule says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidentlyScore {
    /// `ks`, `wasserstein`, `z`, `chisquare` or `jensenshannon`: depends on type, rows and distinct values.
    pub method: String,
    /// p-value or distance; `None` when it is not defined.
    pub score: Option<f64>,
    /// 0.05 of p-values, below which is drift; 0.1 of distances, from which on is drift.
    pub threshold: f64,
    /// Whether it calls this drift.
    pub drift: bool,
}

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Name in [`NUMERIC_TESTS`] or [`CATEGORICAL_TESTS`].
    pub test: String,
    /// Statistic; `None` when it is not defined.
    pub statistic: Option<f64>,
    /// p-value, of tests that have one.
    pub p_value: Option<f64>,
    /// The p-value adjusted over the columns with this test (Benjamini and Hochberg).
    pub p_adjusted: Option<f64>,
}

/// Two distributions, without the outer 1 % of numbers and without categories of fewer than ten rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Values with the share of rows at or below them, reference and current.
    Numbers(Vec<[f64; 3]>),
    /// Categories with their shares, reference and current, the most frequent first.
    Categories(Vec<(String, [f64; 2])>),
}

/// Measures one column among `n_columns`; `None` when the columns are of different types.
pub fn measure_column(
    reference: &Column,
    current: &Column,
    n_columns: usize,
    options: &DriftOptions,
) -> Option<ColumnMeasurement> {
    measure_prepared(
        &reference.name,
        &Prepared::new(reference),
        &Prepared::new(current),
        n_columns,
        options,
    )
}

/// Measures one column made ready before.
pub fn measure_prepared(
    name: &str,
    reference: &Prepared,
    current: &Prepared,
    n_columns: usize,
    options: &DriftOptions,
) -> Option<ColumnMeasurement> {
    let found = match (reference, current) {
        (
            Prepared::Numbers {
                sample: a,
                rank_error: first,
            },
            Prepared::Numbers {
                sample: b,
                rank_error: second,
            },
        ) => measure_numbers([a, b], first + second, n_columns, options),
        (Prepared::Categories(a), Prepared::Categories(b)) => {
            measure_categories([a, b], n_columns, options)
        }
        // A column without any value is of either type.
        (Prepared::Numbers { sample, rank_error }, Prepared::Categories(b)) => {
            match (sample.n(), b.counts.is_empty()) {
                (_, true) => {
                    let none = Sample::new(&vec![f64::NAN; b.n_rows]);
                    measure_numbers([sample, &none], *rank_error, n_columns, options)
                }
                (0, false) => {
                    measure_categories([&no_categories(sample.n_rows), b], n_columns, options)
                }
                _ => return None,
            }
        }
        (Prepared::Categories(a), Prepared::Numbers { sample, rank_error }) => {
            match (a.counts.is_empty(), sample.n()) {
                (true, _) => {
                    let none = Sample::new(&vec![f64::NAN; a.n_rows]);
                    measure_numbers([&none, sample], *rank_error, n_columns, options)
                }
                (false, 0) => {
                    measure_categories([a, &no_categories(sample.n_rows)], n_columns, options)
                }
                _ => return None,
            }
        }
    };
    Some(ColumnMeasurement {
        name: name.to_owned(),
        kind: found.kind.to_owned(),
        n: found.n,
        drift: found.drift,
        evidently: found.verdict.into(),
        tests: found.tests,
        shape: found.shape,
        rank_error: found.rank_error,
    })
}

fn no_categories(n_rows: usize) -> CountedColumn {
    CountedColumn {
        counts: Vec::new(),
        n_rows,
    }
}

/// A column's measurement before it has the column's name.
struct Unnamed {
    kind: &'static str,
    n: [usize; 2],
    drift: ColumnDrift,
    verdict: EvidentlyVerdict,
    tests: Vec<Measured>,
    shape: Shape,
    rank_error: f64,
}

fn measure_numbers(
    [a, b]: [&Sample; 2],
    rank_error: f64,
    n_columns: usize,
    options: &DriftOptions,
) -> Unnamed {
    // Each is a pass over both samples that a test and a rule share.
    let distance = kolmogorov_smirnov::distance(a, b);
    let area = transport::wasserstein_normed(a, b);
    let result = |test: &NumericTest| match test.name {
        "ks" => distance.map(|distance| {
            kolmogorov_smirnov::test_at(distance, a.n(), b.n(), kolmogorov_smirnov::Method::Auto)
        }),
        "wasserstein" => area.map(TestResult::distance),
        _ => (test.compute)(a, b),
    };
    let tests = NUMERIC_TESTS
        .iter()
        .filter(|test| options.is_asked(test.name));
    Unnamed {
        kind: "numeric",
        n: [a.n(), b.n()],
        drift: judge_numeric_at(
            distance.map(|distance| (distance, rank_error)),
            a,
            b,
            n_columns,
            options.tolerances,
        ),
        verdict: evidently_at(a, b, &|| area),
        tests: tests
            .map(|test| measured(test.name, result(test)))
            .collect(),
        shape: Shape::Numbers(distribution_points(a, b)),
        rank_error,
    }
}

fn measure_categories(
    [a, b]: [&CountedColumn; 2],
    n_columns: usize,
    options: &DriftOptions,
) -> Unnamed {
    let counts = CategoryCounts::of_columns(a, b);
    let (n, m) = counts.totals();
    let missing = MissingCounts {
        reference: (a.n_rows, a.n_rows - n as usize),
        current: (b.n_rows, b.n_rows - m as usize),
    };
    let tests = CATEGORICAL_TESTS
        .iter()
        .filter(|test| options.is_asked(test.name));
    Unnamed {
        kind: "categorical",
        n: [n as usize, m as usize],
        drift: judge_categorical(&counts, missing, n_columns, options.tolerances),
        verdict: evidently_categorical(&counts, n <= EVIDENTLY_SMALL),
        tests: tests
            .map(|test| measured(test.name, (test.compute)(&counts)))
            .collect(),
        shape: Shape::Categories(shares(&counts)),
        rank_error: 0.0,
    }
}

impl DriftOptions {
    fn is_asked(&self, name: &str) -> bool {
        self.tests.iter().any(|test| test == name)
    }
}

impl From<EvidentlyVerdict> for EvidentlyScore {
    fn from(verdict: EvidentlyVerdict) -> Self {
        Self {
            method: verdict.method.to_owned(),
            score: verdict.score,
            threshold: verdict.threshold,
            drift: verdict.drift,
        }
    }
}

fn is_zero(share: &f64) -> bool {
    *share == 0.0
}

fn measured(test: &str, found: Option<TestResult>) -> Measured {
    Measured {
        test: test.to_owned(),
        statistic: found
            .map(|found| found.statistic)
            .filter(|statistic| statistic.is_finite()),
        p_value: found
            .and_then(|found| found.p_value)
            .filter(|p| p.is_finite()),
        p_adjusted: None,
    }
}

/// Returns both distribution functions at quantiles of the pooled values.
fn distribution_points(reference: &Sample, current: &Sample) -> Vec<[f64; 3]> {
    let place = |sample: &Sample, step: usize| {
        // From the 1 % to the 99 % quantile: the extremes are single rows, and no one else's business.
        let last = sample.n().checked_sub(1)?;
        let share = 0.01 + 0.98 * step as f64 / (DRAWN_POINTS - 1) as f64;
        Some(sample.sorted[(last as f64 * share) as usize])
    };
    let mut values: Vec<f64> = (0..DRAWN_POINTS)
        .flat_map(|step| [place(reference, step), place(current, step)])
        .flatten()
        .collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let share = |sample: &Sample, value: f64| match sample.n() {
        0 => 0.0,
        n => sample.sorted.partition_point(|held| *held <= value) as f64 / n as f64,
    };
    values
        .into_iter()
        .map(|value| [value, share(reference, value), share(current, value)])
        .collect()
}

fn shares(counts: &CategoryCounts) -> Vec<(String, [f64; 2])> {
    let (n, m) = counts.totals();
    let share = |count: f64, total: f64| if total > 0.0 { count / total } else { 0.0 };
    let is_shown =
        |idx: &usize| counts.reference[*idx] + counts.current[*idx] >= SHOWN_COUNT_MIN as f64;
    let mut order: Vec<usize> = (0..counts.levels.len()).filter(is_shown).collect();
    order.sort_by(|a, b| {
        (counts.reference[*b] + counts.current[*b])
            .total_cmp(&(counts.reference[*a] + counts.current[*a]))
    });
    order.truncate(SHOWN_LEVELS_MAX);
    order
        .iter()
        .map(|idx| {
            (
                counts.levels[*idx].clone(),
                [
                    share(counts.reference[*idx], n),
                    share(counts.current[*idx], m),
                ],
            )
        })
        .collect()
}

impl DriftMeasurement {
    /// Gathers columns measured one by one and adjusts their p-values.
    pub fn new(
        n: [usize; 2],
        options: DriftOptions,
        mut columns: Vec<ColumnMeasurement>,
        lost: Vec<String>,
        added: Vec<String>,
    ) -> Self {
        for test in &options.tests {
            let places: Vec<(usize, usize, f64)> = columns
                .iter()
                .enumerate()
                .flat_map(|(column, found)| {
                    found
                        .tests
                        .iter()
                        .enumerate()
                        .map(move |(place, test)| (column, place, test))
                })
                .filter_map(|(column, place, found)| {
                    Some((
                        column,
                        place,
                        found.p_value.filter(|_| found.test == *test)?,
                    ))
                })
                .collect();
            let adjusted =
                benjamini_hochberg(&places.iter().map(|(.., p)| *p).collect::<Vec<f64>>());
            for ((column, place, _), p) in places.into_iter().zip(adjusted) {
                columns[column].tests[place].p_adjusted = Some(p);
            }
        }
        Self {
            n_reference: n[0],
            n_current: n[1],
            options,
            columns,
            lost,
            retyped: Vec::new(),
            unread: Vec::new(),
            added,
        }
    }

    /// Returns the columns with this verdict.
    pub fn with_change(&self, change: Change) -> impl Iterator<Item = &ColumnMeasurement> {
        self.columns
            .iter()
            .filter(move |column| column.drift.change == change)
    }
}
