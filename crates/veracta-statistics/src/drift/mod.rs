//! Drift of columns between a reference and a current sample: one file a test, one list of all of them ([`NUMERIC_TESTS`],
//! [`CATEGORICAL_TESTS`]), and two rules that choose among them ([`rule`]).
//!
//! Missing values, and infinite numbers, are left out of every test and reported as a change of their own. A quantity that is not
//! defined is `None`. What the tests of an established library give for the same samples, these give; the exceptions are named in
//! the golden tests.

pub mod anderson_darling;
pub mod attribution;
pub mod binned;
pub mod contingency;
pub mod cramer_von_mises;
pub mod domain_classifier;
pub mod epps_singleton;
pub mod kolmogorov_smirnov;
pub mod mann_whitney;
pub mod maximum_mean_discrepancy;
pub mod measurement;
pub mod population_stability;
pub mod principal_components;
pub mod rule;
pub mod stream;
pub mod student;
pub mod together;
pub mod transport;

pub use crate::sample::Sample;
use crate::sketch::{ColumnSketch, SketchError, ValueSketch};
use veracta_data::table::{Coded, Column, MISSING, Values};

/// Counts of each category in both samples, missing values left out.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoryCounts {
    /// Categories of either sample, in byte order.
    pub levels: Vec<String>,
    /// Rows of the reference with each.
    pub reference: Vec<f64>,
    /// Rows of the current sample with each.
    pub current: Vec<f64>,
}

/// The categories of one column with their rows.
#[derive(Debug, Clone, PartialEq)]
pub struct CountedColumn {
    /// Categories and their rows; each category once.
    pub counts: Vec<(String, f64)>,
    /// Rows, missing values included: at least the sum of the counts.
    pub n_rows: usize,
}

/// A column made ready to be compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Prepared {
    /// Finite values of a numeric column.
    Numbers {
        /// The values in ascending order; those of a stored summary repeat the values it kept.
        sample: Sample,
        /// Share of rows by which a rank may be wrong: 0 of the rows themselves, more of a stored summary.
        rank_error: f64,
    },
    /// Rows by category of a column that is not numeric.
    Categories(CountedColumn),
}

impl Prepared {
    /// Returns what the column holds, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Numbers { .. } => "numbers",
            Self::Categories(_) => "words",
        }
    }
}

/// A statistic, with a p-value where the test has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestResult {
    /// Value of the statistic; formula and range are in the `meaning` of its test.
    pub statistic: f64,
    /// The p-value; `None` for a distance.
    pub p_value: Option<f64>,
}

impl TestResult {
    fn distance(statistic: f64) -> Self {
        Self {
            statistic,
            p_value: None,
        }
    }
}

/// A test on numeric columns.
#[derive(Clone, Copy)]
pub struct NumericTest {
    /// Name in files and options, unique among numeric tests.
    pub name: &'static str,
    /// Name for people, in reports.
    pub title: &'static str,
    /// What the statistic is, and its source.
    pub meaning: &'static str,
    /// Computes it; `None` when it is not defined.
    pub compute: fn(&Sample, &Sample) -> Option<TestResult>,
}

/// A test on categorical columns.
#[derive(Clone, Copy)]
pub struct CategoricalTest {
    /// Name in files and options, unique among categorical tests.
    pub name: &'static str,
    /// Name for people, in reports.
    pub title: &'static str,
    /// What the statistic is, and its source.
    pub meaning: &'static str,
    /// Computes it; `None` when it is not defined.
    pub compute: fn(&CategoryCounts) -> Option<TestResult>,
}

/// Every test on numeric columns, one line each.
pub const NUMERIC_TESTS: &[NumericTest] = &[
    NumericTest {
        name: "ks",
        title: "Kolmogorov-Smirnov",
        meaning: "largest distance of the distribution functions, 0 to 1; p exact up to 10,000 rows a sample (Hodges 1958)",
        compute: |reference, current| {
            kolmogorov_smirnov::test(reference, current, kolmogorov_smirnov::Method::Auto)
        },
    },
    NumericTest {
        name: "cramer_von_mises",
        title: "Cramér-von Mises",
        meaning: "squared distance of the distribution functions over ranks (Anderson 1962); p asymptotic, none with tied values",
        compute: |reference, current| {
            // The limiting distribution is that of values without ties; with them it is far too small.
            let found = cramer_von_mises::test(reference, current)?;
            Some(TestResult {
                p_value: found.p_value.filter(|_| !has_ties(reference, current)),
                ..found
            })
        },
    },
    NumericTest {
        name: "anderson_darling",
        title: "Anderson-Darling",
        meaning: "squared distance weighted towards the tails, midranks (Scholz and Stephens 1987); p from 0.001 to 0.25",
        compute: anderson_darling::test,
    },
    NumericTest {
        name: "mann_whitney",
        title: "Mann-Whitney",
        meaning: "rank sum, two-sided normal approximation with ties and continuity (Mann and Whitney 1947)",
        compute: |reference, current| {
            mann_whitney::test(reference, current, mann_whitney::Alternative::TwoSided)
        },
    },
    NumericTest {
        name: "t_test",
        title: "Welch's t",
        meaning: "difference of means over its standard error, unequal variances (Welch 1947)",
        compute: |reference, current| {
            student::test(reference, current, student::Variances::Unequal).map(|found| found.result)
        },
    },
    NumericTest {
        name: "epps_singleton",
        title: "Epps-Singleton",
        meaning: "distance of the characteristic functions at two points (Epps and Singleton 1986); p from chi-squared",
        compute: epps_singleton::test,
    },
    NumericTest {
        name: "wasserstein",
        title: "Wasserstein, over the reference's spread",
        meaning: "area between the distribution functions over the larger of the reference's standard deviation and 0.001",
        compute: |reference, current| {
            transport::wasserstein_normed(reference, current).map(TestResult::distance)
        },
    },
    NumericTest {
        name: "energy",
        title: "Energy distance",
        meaning: "square root of twice the squared area between the distribution functions (Székely 2003)",
        compute: |reference, current| {
            transport::energy(reference, current).map(TestResult::distance)
        },
    },
    NumericTest {
        name: "psi",
        title: "Population stability index",
        meaning: "sum of (r − c) ln(r / c) over reference deciles, or over up to ten distinct values; 0 is no change",
        compute: |reference, current| stability(reference, current).map(TestResult::distance),
    },
    NumericTest {
        name: "jensen_shannon",
        title: "Jensen-Shannon distance",
        meaning: "root of the Jensen-Shannon divergence over equal bins, natural logarithm; 0 to 0.8326 (Lin 1991)",
        compute: |reference, current| {
            binned::jensen_shannon(&binned::bins(reference, current)?).map(TestResult::distance)
        },
    },
    NumericTest {
        name: "hellinger",
        title: "Hellinger distance",
        meaning: "root of one minus the overlap of densities; 0 to 1",
        compute: |reference, current| {
            binned::hellinger_numeric(reference, current).map(TestResult::distance)
        },
    },
    NumericTest {
        name: "mmd",
        title: "Maximum mean discrepancy",
        meaning: "unbiased squared distance in the space of an RBF kernel of median width (Gretton et al. 2012); rows up to 5,000",
        compute: |reference, current| {
            maximum_mean_discrepancy::univariate(reference, current)
                .map(|found| TestResult::distance(found.statistic))
        },
    },
];

/// Every test on categorical columns, one line each.
pub const CATEGORICAL_TESTS: &[CategoricalTest] = &[
    CategoricalTest {
        name: "chi_squared",
        title: "Chi-squared",
        meaning: "Pearson's statistic of the two-sample table (Pearson 1900)",
        compute: |counts| {
            contingency::chi_squared(counts, contingency::Correction::None)
                .map(|found| found.result)
        },
    },
    CategoricalTest {
        name: "g_test",
        title: "G test",
        meaning: "log-likelihood ratio of the two-sample table (Wilks 1938)",
        compute: |counts| contingency::g_test(counts).map(|found| found.result),
    },
    CategoricalTest {
        name: "total_variation",
        title: "Total variation",
        meaning: "half the sum of absolute differences of shares; 0 to 1: the share of rows that would have to change",
        compute: |counts| contingency::total_variation(counts).map(TestResult::distance),
    },
    CategoricalTest {
        name: "l_infinity",
        title: "Largest difference of a share",
        meaning: "largest absolute difference of the shares of a category; 0 to 1",
        compute: |counts| contingency::l_infinity(counts).map(TestResult::distance),
    },
    CategoricalTest {
        name: "jensen_shannon",
        title: "Jensen-Shannon distance",
        meaning: "root of the Jensen-Shannon divergence of the shares, natural logarithm; 0 to 0.8326 (Lin 1991)",
        compute: |counts| binned::jensen_shannon(&counts.bins()?).map(TestResult::distance),
    },
    CategoricalTest {
        name: "hellinger",
        title: "Hellinger distance",
        meaning: "root of one minus the overlap of shares; 0 to 1",
        compute: |counts| binned::hellinger(&counts.bins()?).map(TestResult::distance),
    },
    CategoricalTest {
        name: "psi",
        title: "Population stability index",
        meaning: "sum of (r − c) ln(r / c) over categories, empty shares raised; 0 is no change",
        compute: |counts| binned::stability(&counts.bins()?).map(TestResult::distance),
    },
];

/// Distinct reference values up to which the stability index takes each value for a bin.
const STABILITY_VALUES_MAX: usize = 10;

/// Returns the stability index over deciles; of few distinct values, which deciles cannot part, over the values themselves.
fn stability(reference: &Sample, current: &Sample) -> Option<f64> {
    if reference.n_distinct() <= STABILITY_VALUES_MAX {
        return binned::stability(&CategoryCounts::of_numbers(reference, current).bins()?);
    }
    population_stability::quantile(reference, current, 10, 1e-4).map(|found| found.psi)
}

fn has_ties(reference: &Sample, current: &Sample) -> bool {
    let mut n_distinct = 0;
    for_each_distinct(reference, current, |_, _, _| n_distinct += 1);
    n_distinct < reference.n() + current.n()
}

impl CountedColumn {
    /// Counts the categories of a column.
    pub fn new(coded: &Coded) -> Self {
        let mut counts = vec![0.0; coded.levels.len()];
        coded
            .codes
            .iter()
            .filter(|code| **code != MISSING)
            .for_each(|code| counts[*code as usize] += 1.0);
        let counts = coded
            .levels
            .iter()
            .cloned()
            .zip(counts)
            .filter(|(_, count)| *count > 0.0)
            .collect();
        Self {
            counts,
            n_rows: coded.codes.len(),
        }
    }
}

impl Prepared {
    /// Sorts the finite numbers of a column, or counts its categories; ranks are exact.
    pub fn new(column: &Column) -> Self {
        match &column.values {
            Values::Numeric(values) => Self::Numbers {
                sample: Sample::new(values),
                rank_error: 0.0,
            },
            Values::Coded(coded) => Self::Categories(CountedColumn::new(coded)),
        }
    }

    /// Prepares a column of which only a summary is kept; `n_rows` are those of its table.
    pub fn of_sketch(column: &ColumnSketch, n_rows: u64) -> Result<Self, SketchError> {
        Ok(match &column.values {
            ValueSketch::Numbers(numbers) => Self::Numbers {
                sample: numbers.sample(n_rows)?,
                rank_error: numbers.rank_error_share(),
            },
            ValueSketch::Categories { counts, n_other } => {
                let mut counts: Vec<(String, f64)> = counts
                    .iter()
                    .map(|(level, count)| (level.clone(), *count as f64))
                    .collect();
                if *n_other > 0 {
                    counts.push(("(all other categories)".to_owned(), *n_other as f64));
                }
                Self::Categories(CountedColumn {
                    counts,
                    n_rows: n_rows as usize,
                })
            }
        })
    }
}

impl CategoryCounts {
    /// Counts the categories of two columns.
    pub fn new(reference: &Coded, current: &Coded) -> Self {
        Self::of_columns(&CountedColumn::new(reference), &CountedColumn::new(current))
    }

    /// Joins the counts of two columns.
    pub fn of_columns(reference: &CountedColumn, current: &CountedColumn) -> Self {
        let mut levels: Vec<&String> = reference
            .counts
            .iter()
            .chain(&current.counts)
            .map(|(level, _)| level)
            .collect();
        levels.sort_unstable();
        levels.dedup();
        let count = |column: &CountedColumn| {
            let mut counts = vec![0.0; levels.len()];
            for (level, count) in &column.counts {
                counts[levels
                    .binary_search(&level)
                    .expect("every level was collected")] += count;
            }
            counts
        };
        let (reference, current) = (count(reference), count(current));
        let used: Vec<usize> = (0..levels.len())
            .filter(|idx| reference[*idx] + current[*idx] > 0.0)
            .collect();
        Self {
            levels: used.iter().map(|idx| levels[*idx].clone()).collect(),
            reference: used.iter().map(|idx| reference[*idx]).collect(),
            current: used.iter().map(|idx| current[*idx]).collect(),
        }
    }

    /// Counts the distinct values of two numeric samples, each value a category.
    pub fn of_numbers(reference: &Sample, current: &Sample) -> Self {
        let mut counts = Self {
            levels: Vec::new(),
            reference: Vec::new(),
            current: Vec::new(),
        };
        for_each_distinct(reference, current, |value, in_reference, in_current| {
            counts.levels.push(value.to_string());
            counts.reference.push(in_reference as f64);
            counts.current.push(in_current as f64);
        });
        counts
    }

    /// Returns the rows of the reference and of the current sample that have a category.
    pub fn totals(&self) -> (f64, f64) {
        (self.reference.iter().sum(), self.current.iter().sum())
    }

    /// Returns the shares of both samples; `None` when one is empty.
    pub fn bins(&self) -> Option<binned::Bins> {
        let (n, m) = self.totals();
        let share = |counts: &[f64], total: f64| counts.iter().map(|count| count / total).collect();
        (n > 0.0 && m > 0.0).then(|| binned::Bins {
            reference: share(&self.reference, n),
            current: share(&self.current, m),
        })
    }
}

/// Calls `visit` with each distinct value of both sorted samples and how often it occurs in each, in ascending order.
#[inline]
fn for_each_distinct(
    reference: &Sample,
    current: &Sample,
    mut visit: impl FnMut(f64, usize, usize),
) {
    let (mut a, mut b) = (reference.sorted.as_slice(), current.sorted.as_slice());
    // Infinity stands for "no more": samples hold finite values.
    let first = |values: &[f64]| values.first().copied().unwrap_or(f64::INFINITY);
    while !a.is_empty() || !b.is_empty() {
        let value = first(a).min(first(b));
        let (n, m) = (run(a, value), run(b, value));
        visit(value, n, m);
        (a, b) = (&a[n..], &b[m..]);
    }
}

/// Returns how many values at the beginning are this one.
#[inline]
fn run(values: &[f64], value: f64) -> usize {
    let mut n = 0;
    while values.get(n) == Some(&value) {
        n += 1;
    }
    n
}
