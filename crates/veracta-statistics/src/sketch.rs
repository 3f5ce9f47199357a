//! A summary of a table that grows with rows and merges with others: what a reference is kept as when its rows may not be kept.
//!
//! Counts, moments, extremes and categories are exact. The distribution of numbers is held by a hierarchy of sorted samples (Manku,
//! Rajagopalan and Lindsay 1998): 2,048 values stand for one row each, 2,048 for two, and so on; when a level is full, every other
//! value of it moves up. Each such step moves the rank of a value by at most the weight of the level, so the sketch knows a bound of
//! its own error, and which values stay is decided by turns and not by chance: the same rows in the same order give the same bytes.
//!
//! A sketch holds values of single rows. It is as personal as the table it was made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sample::Sample;
use veracta_data::table::{Column, ColumnType, MISSING, Table, Values};

/// Format that is written, and the only one that is read.
pub(crate) const SKETCH_FORMAT: &str = "veracta-profile/1";
/// Values of a level; the bound of ranks is about log2(rows / 2,048) / 2,048.
const LEVEL_VALUES: usize = 2048;
/// Most levels: 2,048 values of the 30th stand for 2^29 rows each, 2^40 in all.
const LEVELS_MAX: usize = 30;
/// Most categories of a column that are counted; the rows of others are counted together.
pub const CATEGORIES_MAX: usize = 100_000;
/// Most rows of a stored summary: the sum of two is far from any overflow.
const ROWS_MAX: u64 = 1 << 40;
/// Most rows that are laid out to be compared.
pub(crate) const COMPARED_ROWS_MAX: u64 = 1 << 27;

/// Why two summaries cannot be one, or bytes are none.
#[derive(Debug, thiserror::Error)]
pub enum SketchError {
    /// Not the JSON of a summary.
    #[error("not a stored profile of format {SKETCH_FORMAT}")]
    Json(#[from] serde_json::Error),
    /// Counts that do not add up.
    #[error("column `{column}` of the stored profile is malformed: {reason}")]
    Malformed {
        /// Name of the malformed column.
        column: String,
        /// What does not add up, as the end of a sentence.
        reason: &'static str,
    },
    /// A column that only one side has, or that the sides have in different places.
    #[error(
        "the tables do not have the same columns: `{column}` is in one of them only, or in another place"
    )]
    Columns {
        /// Name of the first column that differs.
        column: String,
    },
    /// A column of another type.
    #[error("column `{column}` holds numbers in one of the tables and categories in the other")]
    Type {
        /// Name of the column, the same on both sides.
        column: String,
    },
    /// A stored profile over the byte limit.
    #[error("a stored profile of {n_bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Length of the file in bytes.
        n_bytes: u64,
        /// Most bytes that are read.
        limit: u64,
    },
    /// More rows than can be compared.
    #[error("the stored profile is of {n_rows} rows; at most {COMPARED_ROWS_MAX} can be compared")]
    TooManyRows {
        /// Rows that the profile is of.
        n_rows: u64,
    },
}

/// Summary of the rows of one or more tables with the same columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSketch {
    /// Always `SKETCH_FORMAT`; another one is refused.
    pub format: String,
    /// Rows summarised; at most 2^40 in a file.
    pub n_rows: u64,
    /// One entry a column, in the order of the table.
    pub columns: Vec<ColumnSketch>,
}

/// Summary of a column: values and missing values add up to the rows of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSketch {
    /// Name of the column, as the table has it.
    pub name: String,
    /// Rows without a value; infinite numbers count as such.
    pub n_missing: u64,
    /// Summary of the values that are not missing.
    pub values: ValueSketch,
}

/// Summary of the values of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ValueSketch {
    /// Finite numbers, their distribution within a known error.
    Numbers(NumberSketch),
    /// Categories, the most frequent of them with exact counts.
    Categories {
        /// Rows of each category; at most [`CATEGORIES_MAX`] of them, the most frequent.
        counts: BTreeMap<String, u64>,
        /// Rows of categories beyond [`CATEGORIES_MAX`].
        n_other: u64,
    },
}

/// Moments, extremes and a weighted sample of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberSketch {
    /// Numbers summarised: the weights of all values add up to it.
    pub n: u64,
    /// Mean of the numbers; 0 of none.
    pub mean: f64,
    /// Sum of squared differences from the mean.
    pub squares: f64,
    /// Smallest number; `None` when there is none.
    pub min: Option<f64>,
    /// Largest number; `None` when there is none.
    pub max: Option<f64>,
    /// Rows by which a rank can be wrong at most.
    pub rank_error: u64,
    /// Values that stand for 1, 2, 4, … rows.
    levels: Vec<Vec<f64>>,
    /// Which half of each level moves up next.
    turns: Vec<bool>,
}

impl TableSketch {
    /// Summarises a table; the same rows in the same order give the same bytes.
    pub fn new(table: &Table) -> Self {
        use rayon::prelude::*;
        let columns = table.columns.par_iter().map(ColumnSketch::new).collect();
        Self {
            format: SKETCH_FORMAT.to_owned(),
            n_rows: table.n_rows as u64,
            columns,
        }
    }

    /// Reads a summary; counts that do not add up are refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchError> {
        let sketch: Self = serde_json::from_slice(bytes)?;
        if sketch.format != SKETCH_FORMAT {
            return Err(SketchError::Json(serde::de::Error::custom(format!(
                "format `{}`",
                sketch.format
            ))));
        }
        if sketch.n_rows > ROWS_MAX {
            return Err(SketchError::TooManyRows {
                n_rows: sketch.n_rows,
            });
        }
        for column in &sketch.columns {
            let malformed = |reason| SketchError::Malformed {
                column: column.name.clone(),
                reason,
            };
            let n = column
                .values
                .n()
                .ok_or_else(|| malformed("its counts are too large"))?;
            if n.checked_add(column.n_missing) != Some(sketch.n_rows) {
                return Err(malformed(
                    "its values and missing values are not as many as the rows",
                ));
            }
            if let ValueSketch::Numbers(numbers) = &column.values {
                numbers.check().map_err(malformed)?;
            }
        }
        Ok(sketch)
    }

    /// Returns the bytes of the summary.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a summary is numbers and words")
    }

    /// Adds the rows of a table.
    pub fn update(&mut self, table: &Table) -> Result<(), SketchError> {
        self.merge(&Self::new(table))
    }

    /// Adds the rows that another summary is of. Nothing changes when the columns differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), SketchError> {
        let longest = self.columns.len().max(other.columns.len());
        for idx in 0..longest {
            match (self.columns.get(idx), other.columns.get(idx)) {
                (Some(a), Some(b)) if a.name == b.name => {
                    if !a.can_merge(b) {
                        return Err(SketchError::Type {
                            column: a.name.clone(),
                        });
                    }
                }
                (Some(column), _) | (None, Some(column)) => {
                    return Err(SketchError::Columns {
                        column: column.name.clone(),
                    });
                }
                (None, None) => {}
            }
        }
        self.n_rows += other.n_rows;
        self.columns
            .iter_mut()
            .zip(&other.columns)
            .for_each(|(mine, theirs)| mine.merge(theirs));
        Ok(())
    }
}

impl ColumnSketch {
    /// Summarises a column; −0 becomes 0.
    pub fn new(column: &Column) -> Self {
        let name = column.name.clone();
        match &column.values {
            Values::Numeric(values) => {
                let mut numbers = NumberSketch::empty();
                let finite: Vec<f64> = values
                    .iter()
                    .copied()
                    .filter(|value| value.is_finite())
                    .map(|value| value + 0.0)
                    .collect();
                numbers.update(&finite);
                Self {
                    name,
                    n_missing: (values.len() - finite.len()) as u64,
                    values: ValueSketch::Numbers(numbers),
                }
            }
            Values::Coded(coded) => {
                let mut by_code = vec![0u64; coded.levels.len()];
                let mut n_missing = 0;
                for code in &coded.codes {
                    match *code {
                        MISSING => n_missing += 1,
                        code => by_code[code as usize] += 1,
                    }
                }
                let counts = coded
                    .levels
                    .iter()
                    .cloned()
                    .zip(by_code)
                    .filter(|(_, count)| *count > 0)
                    .collect();
                let mut values = ValueSketch::Categories { counts, n_other: 0 };
                values.fold_rare();
                Self {
                    name,
                    n_missing,
                    values,
                }
            }
        }
    }

    /// Returns how the column was read.
    pub fn column_type(&self) -> ColumnType {
        match self.values {
            ValueSketch::Numbers(_) => ColumnType::Numeric,
            ValueSketch::Categories { .. } => ColumnType::Categorical,
        }
    }

    /// A column without any value is read as categories, whatever it holds elsewhere.
    fn is_empty(&self) -> bool {
        self.values.n() == Some(0)
    }

    fn can_merge(&self, other: &Self) -> bool {
        self.is_empty() || other.is_empty() || self.column_type() == other.column_type()
    }

    fn merge(&mut self, other: &Self) {
        self.n_missing += other.n_missing;
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.values = other.values.clone();
            return;
        }
        match (&mut self.values, &other.values) {
            (ValueSketch::Numbers(mine), ValueSketch::Numbers(theirs)) => mine.merge(theirs),
            (
                ValueSketch::Categories { counts, n_other },
                ValueSketch::Categories {
                    counts: theirs,
                    n_other: more,
                },
            ) => {
                theirs
                    .iter()
                    .for_each(|(level, count)| *counts.entry(level.clone()).or_default() += count);
                *n_other += more;
                self.values.fold_rare();
            }
            _ => unreachable!("types were compared before"),
        }
    }
}

impl ValueSketch {
    /// Returns the values seen; `None` when that is more than can be counted.
    fn n(&self) -> Option<u64> {
        match self {
            Self::Numbers(numbers) => Some(numbers.n),
            Self::Categories { counts, n_other } => counts
                .values()
                .try_fold(*n_other, |n, count| n.checked_add(*count)),
        }
    }

    /// Counts the rarest categories together when there are too many.
    fn fold_rare(&mut self) {
        let Self::Categories { counts, n_other } = self else {
            return;
        };
        if counts.len() <= CATEGORIES_MAX {
            return;
        }
        let mut order: Vec<(u64, String)> = counts
            .iter()
            .map(|(level, count)| (*count, level.clone()))
            .collect();
        order.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        for (count, level) in order.split_off(CATEGORIES_MAX) {
            counts.remove(&level);
            *n_other += count;
        }
    }
}

impl NumberSketch {
    fn empty() -> Self {
        Self {
            n: 0,
            mean: 0.0,
            squares: 0.0,
            min: None,
            max: None,
            rank_error: 0,
            levels: vec![Vec::new()],
            turns: vec![false],
        }
    }

    /// Returns the share of rows by which a rank can be wrong at most.
    pub fn rank_error_share(&self) -> f64 {
        if self.n == 0 {
            0.0
        } else {
            self.rank_error as f64 / self.n as f64
        }
    }

    /// Lays the numbers out: each kept value as often as rows it stands for. `n_rows` counts missing values too.
    pub fn sample(&self, n_rows: u64) -> Result<Sample, SketchError> {
        if n_rows > COMPARED_ROWS_MAX {
            return Err(SketchError::TooManyRows { n_rows });
        }
        let mut kept: Vec<(f64, usize)> = self
            .levels
            .iter()
            .enumerate()
            .flat_map(|(level, values)| values.iter().map(move |value| (*value, 1usize << level)))
            .collect();
        kept.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut sorted = Vec::with_capacity(self.n as usize);
        for (value, weight) in kept {
            sorted.extend(std::iter::repeat_n(value, weight));
        }
        Ok(Sample {
            sorted,
            n_rows: n_rows as usize,
        })
    }

    /// Adds numbers, all of them finite.
    fn update(&mut self, values: &[f64]) {
        let Some(mean) = veracta_model::numeric::mean(values) else {
            return;
        };
        let squares: Vec<f64> = values.iter().map(|value| (value - mean).powi(2)).collect();
        self.add_moments(
            values.len() as u64,
            mean,
            veracta_model::numeric::sum(&squares),
        );
        let (low, high) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(*value), high.max(*value))
            });
        self.min = Some(self.min.map_or(low, |min| min.min(low)));
        self.max = Some(self.max.map_or(high, |max| max.max(high)));
        for chunk in values.chunks(LEVEL_VALUES) {
            self.levels[0].extend_from_slice(chunk);
            self.compact();
        }
    }

    fn merge(&mut self, other: &Self) {
        self.add_moments(other.n, other.mean, other.squares);
        self.min = [self.min, other.min].into_iter().flatten().reduce(f64::min);
        self.max = [self.max, other.max].into_iter().flatten().reduce(f64::max);
        self.rank_error = self.rank_error.saturating_add(other.rank_error);
        while self.levels.len() < other.levels.len() {
            self.levels.push(Vec::new());
            self.turns.push(false);
        }
        for (mine, theirs) in self.levels.iter_mut().zip(&other.levels) {
            mine.extend_from_slice(theirs);
        }
        self.compact();
    }

    /// Joins moments (Chan, Golub and LeVeque 1983).
    fn add_moments(&mut self, n: u64, mean: f64, squares: f64) {
        let (before, added) = (self.n as f64, n as f64);
        let total = before + added;
        if total > 0.0 {
            let gap = mean - self.mean;
            self.mean += gap * added / total;
            self.squares += squares + gap * gap * before * added / total;
        }
        self.n += n;
    }

    /// Moves every other value of a full level up, from the lowest level on.
    fn compact(&mut self) {
        let mut level = 0;
        while level < self.levels.len() {
            while self.levels[level].len() >= LEVEL_VALUES && level + 1 < LEVELS_MAX {
                if level + 1 == self.levels.len() {
                    self.levels.push(Vec::new());
                    self.turns.push(false);
                }
                let mut values = std::mem::take(&mut self.levels[level]);
                // A value left over stays: pairs move up.
                let rest = values.len() % 2;
                radsort::sort(&mut values);
                if rest == 1 {
                    self.levels[level].extend(values.pop());
                }
                let first = usize::from(self.turns[level]);
                self.turns[level] = !self.turns[level];
                self.levels[level + 1].extend(values.into_iter().skip(first).step_by(2));
                self.rank_error = self.rank_error.saturating_add(1 << level);
            }
            level += 1;
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.levels.len() != self.turns.len()
            || self.levels.is_empty()
            || self.levels.len() > LEVELS_MAX
        {
            return Err("it has no levels, too many, or not as many turns");
        }
        let weight =
            |(level, values): (usize, &Vec<f64>)| (values.len() as u64).checked_mul(1 << level);
        let total = self
            .levels
            .iter()
            .enumerate()
            .map(weight)
            .try_fold(0u64, |total, weight| total.checked_add(weight?));
        if total != Some(self.n) {
            return Err("its values do not stand for as many rows as there are");
        }
        let numbers = self
            .levels
            .iter()
            .flatten()
            .chain(&self.min)
            .chain(&self.max)
            .chain([&self.mean, &self.squares]);
        if self.rank_error > self.n {
            return Err("its ranks are wrong by more than its rows");
        }
        if numbers.into_iter().any(|value| !value.is_finite()) || self.squares < 0.0 {
            return Err("a number is not finite");
        }
        Ok(())
    }
}
