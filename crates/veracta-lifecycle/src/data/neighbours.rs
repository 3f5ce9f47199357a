//! What synthetic rows give away: whether they are nearer to the rows they were made from than to others.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use veracta_data::reading::ReadOptions;
use veracta_data::table::{Column, Table, Values};
use veracta_documents::report::robustness::neighbours as report;
use veracta_model::model::{Input, encode};
use veracta_statistics::neighbours::{NeighbourShare, neighbour_share};

use super::{file_name, read_table};
use crate::LifecycleError;
use crate::outcome::Outcome;

/// Which synthetic rows are compared with which real ones.
#[derive(Debug, Clone)]
pub struct NeighboursRequest<'p> {
    /// File of the synthetic rows.
    pub synthetic: &'p Path,
    /// Rows that they were made from.
    pub training: &'p Path,
    /// Rows of the same kind that they were not made from.
    pub held_out: &'p Path,
    /// How CSV files are read.
    pub csv: ReadOptions,
    /// Columns to leave out, such as identifiers.
    pub without: Vec<String>,
    /// Confidence level of the share.
    pub level: f64,
    /// Seed of the samples of rows that are compared, one from each file.
    pub seed: u64,
}

/// Whether synthetic rows are nearer to training than to held-out rows.
#[derive(Debug, Clone, Serialize)]
pub struct NeighboursFound {
    /// Columns that all three files have, over which distances are.
    pub columns: Vec<String>,
    /// Share of synthetic rows whose nearest row is one they were made from.
    pub neighbours: NeighbourShare,
}

impl NeighboursRequest<'_> {
    /// Measures the share over the columns that all three files have.
    pub fn measure(&self) -> Result<Outcome<NeighboursFound>, LifecycleError> {
        let (columns, neighbours) = compare_neighbours(
            [self.synthetic, self.training, self.held_out],
            &self.csv,
            &self.without,
            self.level,
            self.seed,
        )?;
        let names = [self.synthetic, self.training].map(file_name);
        let subject = format!("{} made from {}", names[0], names[1]);
        Ok(Outcome {
            report: report(&subject, &columns, &neighbours),
            measurement: NeighboursFound {
                columns,
                neighbours,
            },
            record: None,
        })
    }
}

fn compare_neighbours(
    [synthetic, training, held_out]: [&Path; 3],
    csv: &ReadOptions,
    without: &[String],
    level: f64,
    seed: u64,
) -> Result<(Vec<String>, NeighbourShare), LifecycleError> {
    let table = |path: &Path| Ok::<Table, LifecycleError>(read_table(path, csv)?.table);
    let (made, seen, unseen) = (table(synthetic)?, table(training)?, table(held_out)?);
    let has =
        |table: &Table, name: &String| table.columns.iter().any(|column| column.name == *name);
    let names: Vec<String> = seen
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    if let Some(name) = without.iter().find(|name| !names.contains(name)) {
        return Err(LifecycleError::UnknownColumn {
            column: name.clone(),
            columns: names,
        });
    }
    let shared: Vec<String> = names
        .into_iter()
        .filter(|name| !without.contains(name) && has(&made, name) && has(&unseen, name))
        .collect();
    if shared.is_empty() {
        return Err(LifecycleError::NothingShared);
    }
    // The categories of all three files, so that an unknown one is not taken for missing.
    let mut levels: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    let mut inputs = Vec::with_capacity(shared.len());
    for name in &shared {
        let columns: Vec<&Column> = [&made, &seen, &unseen]
            .iter()
            .filter_map(|table| table.columns.iter().find(|column| column.name == *name))
            .collect();
        let is_number = columns
            .iter()
            .all(|column| matches!(column.values, Values::Numeric(_)));
        if !is_number {
            let mut all: Vec<String> = columns
                .iter()
                .flat_map(|column| column.codes().levels)
                .collect();
            all.sort_unstable();
            all.dedup();
            levels.insert(name, all);
        }
        inputs.push(Input {
            levels: levels.get(name).cloned(),
            ..Input::number(name.clone())
        });
    }
    let is_number: Vec<bool> = inputs.iter().map(|input| input.levels.is_none()).collect();
    let share = neighbour_share(
        &encode(&made, &inputs)?,
        &encode(&seen, &inputs)?,
        &encode(&unseen, &inputs)?,
        &is_number,
        level,
        seed,
    );
    Ok((shared, share))
}
