//! How well the rows of a file hide among each other.

use std::path::Path;

use veracta_data::csv::CsvOptions;
use veracta_data::table::Coded;
use veracta_statistics::anonymity::{Anonymity, anonymity};

use super::{column, read_table};
use crate::LifecycleError;

/// Measures k, l and t of a file over its quasi-identifiers.
pub fn anonymity_of_file(
    data: &Path,
    csv: &CsvOptions,
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
