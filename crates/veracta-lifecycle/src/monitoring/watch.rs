//! Streaming detectors over a column of a file: where they say that something changed.

use std::path::Path;

use serde::Serialize;
use veracta_data::reading::ReadOptions;
use veracta_documents::report::changes::stream;
use veracta_statistics::drift::stream::adwin::{Adwin, AdwinSettings};
use veracta_statistics::drift::stream::error_rate::{Ddm, Eddm, HddmA};
use veracta_statistics::drift::stream::page_hinkley::{PageHinkley, PageHinkleySettings};

use crate::LifecycleError;
use crate::data::{file_name, numbers, read_table};
use crate::outcome::Outcome;

/// Names of the streaming detectors.
const DETECTORS: [&str; 5] = ["adwin", "page_hinkley", "ddm", "eddm", "hddm_a"];

/// Where a detector says that a stream changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detected {
    /// Name of the detector, one of `DETECTORS`.
    pub detector: String,
    /// Rows at which it said so, counted from 1.
    pub rows: Vec<usize>,
}

/// Which column of which file is watched, by which detectors.
#[derive(Debug, Clone)]
pub struct WatchRequest<'p> {
    /// File whose rows are in the order of time.
    pub data: &'p Path,
    /// How a CSV file is read.
    pub csv: ReadOptions,
    /// Column of numbers; those of error rates want 0 and 1.
    pub column: String,
    /// Detectors that are run, by names out of `DETECTORS`.
    pub detectors: Vec<String>,
}

impl WatchRequest<'_> {
    /// Says at which rows each detector sees a change.
    pub fn measure(&self) -> Result<Outcome<Vec<Detected>>, LifecycleError> {
        let found = watch(self.data, &self.csv, &self.column, &self.detectors)?;
        let rows = found
            .iter()
            .map(|found| (found.detector.clone(), found.rows.clone()));
        let rows: Vec<(String, Vec<usize>)> = rows.collect();
        let subject = format!("{} of {}", self.column, file_name(self.data));
        Ok(Outcome {
            report: stream(&subject, &rows),
            measurement: found,
            record: None,
        })
    }
}

fn watch(
    data: &Path,
    csv: &ReadOptions,
    column: &str,
    detectors: &[String],
) -> Result<Vec<Detected>, LifecycleError> {
    let values = numbers(&read_table(data, csv)?.table, column, data)?;
    let refuse = |reason: String| LifecycleError::ScoreColumn {
        file: data.display().to_string(),
        column: column.to_owned(),
        reason,
    };
    let run = |name: &String| {
        let is_of_errors = matches!(name.as_str(), "ddm" | "eddm" | "hddm_a");
        if is_of_errors
            && let Some(row) = values
                .iter()
                .position(|value| *value != 0.0 && *value != 1.0)
        {
            return Err(refuse(format!(
                "row {} is neither 0 (right) nor 1 (wrong), which `{name}` wants",
                row + 1
            )));
        }
        let mut detect: Box<dyn FnMut(f64) -> bool> = match name.as_str() {
            "adwin" => {
                let mut detector = Adwin::new(AdwinSettings::default());
                Box::new(move |x| detector.update(x))
            }
            "page_hinkley" => {
                let mut detector = PageHinkley::new(PageHinkleySettings::default());
                Box::new(move |x| detector.update(x))
            }
            "ddm" => {
                let mut detector = Ddm::new(DETECTOR_ROWS_MIN, 3.0);
                Box::new(move |x| detector.update(x == 1.0))
            }
            "eddm" => {
                let mut detector = Eddm::new(DETECTOR_ROWS_MIN, 0.9);
                Box::new(move |x| detector.update(x == 1.0))
            }
            "hddm_a" => {
                let mut detector = HddmA::new(0.001);
                Box::new(move |x| detector.update(x == 1.0))
            }
            _ => {
                return Err(LifecycleError::UnknownDetector {
                    detector: name.clone(),
                    known: &DETECTORS,
                });
            }
        };
        let rows = values
            .iter()
            .enumerate()
            .filter(|(_, value)| detect(**value))
            .map(|(row, _)| row + 1)
            .collect();
        Ok(Detected {
            detector: name.clone(),
            rows,
        })
    };
    detectors.iter().map(run).collect()
}

/// Rows before the error-rate detectors say anything.
const DETECTOR_ROWS_MIN: u64 = 30;
