//! How well the rows of a file hide among each other.

use std::path::Path;

use veracta_data::reading::ReadOptions;
use veracta_data::table::Coded;
use veracta_documents::report::anonymity::report;
use veracta_statistics::anonymity::{Anonymity, anonymity};

use super::{column, file_name, read_table};
use crate::LifecycleError;
use crate::outcome::Outcome;

/// Of which columns of which file the anonymity is measured.
#[derive(Debug, Clone)]
pub struct AnonymityRequest<'p> {
    /// File of rows, one a person.
    pub data: &'p Path,
    /// How a CSV file is read.
    pub csv: ReadOptions,
    /// Columns by which somebody outside may know a person.
    pub quasi: Vec<String>,
    /// Columns that nobody is to learn of a person.
    pub sensitive: Vec<String>,
}

impl AnonymityRequest<'_> {
    /// Measures k, l and t over the quasi-identifiers.
    pub fn measure(&self) -> Result<Outcome<Anonymity>, LifecycleError> {
        let found = measure(self.data, &self.csv, &self.quasi, &self.sensitive)?;
        Ok(Outcome {
            report: report(&file_name(self.data), &self.quasi, &found),
            measurement: found,
            record: None,
        })
    }
}

fn measure(
    data: &Path,
    csv: &ReadOptions,
    quasi: &[String],
    sensitive: &[String],
) -> Result<Anonymity, LifecycleError> {
    let table = read_table(data, csv)?.table;
    let groups = |name: &String| Ok(column(&table, name)?.groups());
    let quasi = quasi.iter().map(groups);
    let quasi: Vec<Coded> = quasi.collect::<Result<_, LifecycleError>>()?;
    let sensitive = sensitive
        .iter()
        .map(|name| Ok((name.clone(), groups(name)?)));
    let sensitive: Vec<(String, Coded)> = sensitive.collect::<Result<_, LifecycleError>>()?;
    Ok(anonymity(&quasi, &sensitive))
}
