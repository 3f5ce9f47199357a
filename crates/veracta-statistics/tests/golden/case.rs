//! A case of the golden set: its files, its checks, and the rule by which a result agrees with an expected value.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use veracta_data::csv::read_csv;
use veracta_data::reading::ReadOptions;
use veracta_data::table::{Table, Values};

/// Most mismatches shown of one check: a model that is wrong is wrong in every row.
const SHOWN_MAX: usize = 5;

/// A folder of the golden set.
#[derive(Debug)]
pub(crate) struct Case {
    /// Name of the folder.
    pub(crate) name: String,
    /// What is to be checked.
    pub(crate) checks: Vec<Check>,
    /// Scores from here on are predicted positive; only in cases of binary performance.
    pub(crate) threshold: Option<f64>,
    /// Everything else the case says.
    pub(crate) fields: Value,
    folder: PathBuf,
}

/// One expected value with its tolerance.
#[derive(Debug, Deserialize)]
pub(crate) struct Check {
    /// What is to be computed.
    pub(crate) op: String,
    /// Its settings.
    #[serde(default)]
    pub(crate) params: Value,
    /// The expected value, when it is not in a file.
    #[serde(default)]
    pub(crate) value: Value,
    /// File of expected values, one line a row.
    #[serde(default)]
    pub(crate) value_file: Option<String>,
    rtol: f64,
    atol: f64,
}

#[derive(Deserialize)]
struct CaseFile {
    checks: Vec<Check>,
    #[serde(default)]
    threshold: Option<f64>,
}

/// Results of one check set against what is expected.
#[derive(Debug)]
pub(crate) struct Comparison {
    rtol: f64,
    atol: f64,
    n_compared: usize,
    mismatches: Vec<String>,
}

impl Case {
    /// Reads every case of a group.
    pub(crate) fn all(group: &str) -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/golden")
            .join(group);
        let mut folders: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        folders.sort();
        folders.into_iter().map(Self::read).collect()
    }

    fn read(folder: PathBuf) -> Self {
        let fields: Value =
            serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let file: CaseFile = serde_json::from_value(fields.clone()).unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        Self {
            name,
            checks: file.checks,
            threshold: file.threshold,
            fields,
            folder,
        }
    }

    /// Returns the bytes of a file, or `None` when the case has no such file.
    pub(crate) fn bytes(&self, file: &str) -> Option<Vec<u8>> {
        let path = self.folder.join(file);
        path.exists().then(|| fs::read(path).unwrap())
    }

    /// Returns the cells of a file of numbers without its header, empty cells as NaN; nothing when there is no such file.
    pub(crate) fn rows<N>(&self, file: &str, number: fn(&str) -> N) -> Vec<Vec<N>> {
        let text = String::from_utf8(self.bytes(file).unwrap_or_default()).unwrap();
        text.lines()
            .skip(1)
            .map(|line| line.split(',').map(number).collect())
            .collect()
    }

    /// Returns a file as a table.
    pub(crate) fn table(&self, file: &str) -> Table {
        let bytes = self.bytes(file).unwrap();
        read_csv(&mut Cursor::new(bytes), &ReadOptions::default())
            .unwrap()
            .0
    }
}

/// Reads a cell as a 64-bit number.
pub(crate) fn number(cell: &str) -> f64 {
    if cell.is_empty() {
        f64::NAN
    } else {
        cell.parse().unwrap()
    }
}

/// Reads a cell as a position.
pub(crate) fn position(cell: &str) -> usize {
    cell.parse().unwrap()
}

/// Returns the values of a numeric column.
pub(crate) fn numbers(table: &Table, column: &str) -> Vec<f64> {
    match &table.column(column).unwrap().values {
        Values::Numeric(values) => values.clone(),
        Values::Coded(_) => panic!("column `{column}` holds numbers"),
    }
}

/// Returns a column of 0 and 1 as truth values.
pub(crate) fn truths(table: &Table, column: &str) -> Vec<bool> {
    numbers(table, column)
        .iter()
        .map(|value| *value == 1.0)
        .collect()
}

impl Check {
    /// Returns what is computed, with the method where an operation has several.
    pub(crate) fn name(&self) -> String {
        match (self.op.as_str(), self.params["method"].as_str()) {
            ("ci.proportion", Some(method)) => format!("ci.proportion/{method}"),
            (op, _) => op.to_owned(),
        }
    }

    /// Returns a setting that is a number.
    pub(crate) fn setting(&self, name: &str) -> f64 {
        self.params[name].as_f64().unwrap()
    }

    /// Returns a setting that is text, or a list of texts.
    pub(crate) fn words(&self, name: &str) -> Vec<&str> {
        match &self.params[name] {
            Value::Array(words) => words.iter().map(|word| word.as_str().unwrap()).collect(),
            word => vec![word.as_str().unwrap()],
        }
    }
}

impl Comparison {
    pub(crate) fn new(check: &Check) -> Self {
        Self {
            rtol: check.rtol,
            atol: check.atol,
            n_compared: 0,
            mismatches: Vec::new(),
        }
    }

    /// Allows an absolute difference more: for reference values that are known to be wrong by as much.
    pub(crate) fn with_slack(mut self, slack: f64) -> Self {
        self.atol += slack;
        self
    }

    /// Compares a number; `None` stands for a quantity that is not defined.
    pub(crate) fn number(&mut self, what: &str, result: impl Into<Option<f64>>, expected: &Value) {
        let result: Option<f64> = result.into();
        let result = result.unwrap_or(f64::NAN);
        let agrees = match expected {
            Value::Number(expected) => self.is_close(result, expected.as_f64().unwrap()),
            Value::String(text) => match text.as_str() {
                "NaN" => result.is_nan(),
                "Infinity" => result == f64::INFINITY,
                "-Infinity" => result == f64::NEG_INFINITY,
                _ => false,
            },
            Value::Object(fields) => fields.contains_key("error") && result.is_nan(),
            Value::Null | Value::Bool(_) | Value::Array(_) => false,
        };
        self.note(agrees, || {
            format!("{what} is {result}, expected {expected}")
        });
    }

    /// Compares the numbers of a row.
    pub(crate) fn row(&mut self, row: usize, results: &[f64], expected: &[f64]) {
        let n = (results.len(), expected.len());
        self.note(n.0 == n.1, || {
            format!("row {row} has {} numbers, expected {}", n.0, n.1)
        });
        for (idx, (result, expected)) in results.iter().zip(expected).enumerate() {
            let agrees = self.is_close(*result, *expected);
            self.note(agrees, || {
                format!("row {row}, position {idx} is {result}, expected {expected}")
            });
        }
    }

    /// Notes whether something holds.
    pub(crate) fn holds(&mut self, what: &str, holds: bool) {
        self.note(holds, || format!("does not hold: {what}"));
    }

    /// Returns what disagrees; comparing nothing is a disagreement too.
    pub(crate) fn problems(mut self) -> Vec<String> {
        if self.n_compared == 0 {
            return vec!["nothing was compared".to_owned()];
        }
        let n_more = self.mismatches.len().saturating_sub(SHOWN_MAX);
        self.mismatches.truncate(SHOWN_MAX);
        if n_more > 0 {
            self.mismatches.push(format!("and {n_more} more"));
        }
        self.mismatches
    }

    fn is_close(&self, result: f64, expected: f64) -> bool {
        (result - expected).abs() <= self.atol + self.rtol * expected.abs()
    }

    fn note(&mut self, agrees: bool, message: impl FnOnce() -> String) {
        self.n_compared += 1;
        if !agrees {
            self.mismatches.push(message());
        }
    }
}
