//! What synthetic rows give away: whether they are nearer to the rows they were made from than to others.

use std::collections::BTreeMap;
use std::path::Path;

use veracta_data::csv::CsvOptions;
use veracta_data::table::{Column, Table, Values};
use veracta_model::model::{Input, encode};
use veracta_statistics::neighbours::{NeighbourShare, neighbour_share};

use super::read_table;
use crate::LifecycleError;

/// Says whether synthetic rows are nearer to training than to held-out rows, over the columns that all three files have.
pub fn compare_neighbours(
    [synthetic, training, held_out]: [&Path; 3],
    csv: &CsvOptions,
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
            name: name.clone(),
            levels: levels.get(name).cloned(),
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
