//! Experiments.

use super::search::{Noun, Query, Selection, Viewed};
use super::values::{self, Owner};
use crate::StoreError;
use crate::database::{Database, Row, Value};
use crate::tracking::{Experiment, KeyValue, Stage};
use crate::work::{Recorded, View};

const COLUMNS: &str = "experiment_id, name, artifact_location, stage, created_ms, updated_ms";

fn read(row: &mut Row) -> Result<Experiment, StoreError> {
    Ok(Experiment {
        id: row.integer(0)?,
        name: row.text(1)?,
        artifact_location: row.text(2)?,
        stage: Stage::of(&row.text(3)?),
        created_ms: row.integer(4)?,
        updated_ms: row.integer(5)?,
        tags: Vec::new(),
    })
}

pub(super) fn by_ids(db: &Database, ids: &[i64]) -> Result<Vec<Experiment>, StoreError> {
    let places: Vec<Value<'_>> = ids.iter().map(|id| (*id).into()).collect();
    let mut tags = values::by_owner(db, "experiment_tags", "experiment_id", &places)?;
    let mut found = std::collections::HashMap::new();
    values::for_each_of(
        db,
        &format!("SELECT {COLUMNS} FROM experiments WHERE experiment_id IN ({{}})"),
        &places,
        &mut |mut row| {
            let experiment = read(&mut row)?;
            found.insert(experiment.id, experiment);
            Ok(())
        },
    )?;
    let with_tags = |mut experiment: Experiment| {
        experiment.tags = tags
            .remove(&Owner::Number(experiment.id))
            .unwrap_or_default();
        experiment
    };
    Ok(ids
        .iter()
        .filter_map(|id| found.remove(id))
        .map(with_tags)
        .collect())
}

impl View<'_> {
    /// Returns the experiment with that number, deleted or not; `None` when there is none.
    pub fn experiment(&self, id: i64) -> Result<Option<Experiment>, StoreError> {
        Ok(by_ids(self.db, &[id])?.pop())
    }

    /// Returns the experiment of that name, deleted or not.
    pub fn experiment_named(&self, name: &str) -> Result<Option<Experiment>, StoreError> {
        match self.db.row(
            "SELECT experiment_id FROM experiments WHERE name = $1",
            &[name.into()],
        )? {
            Some(row) => self.experiment(row.integer(0)?),
            None => Ok(None),
        }
    }

    /// Returns the number of every experiment, deleted or not.
    pub fn experiment_ids(&self) -> Result<Vec<i64>, StoreError> {
        self.db
            .rows(
                "SELECT experiment_id FROM experiments ORDER BY experiment_id",
                &[],
            )?
            .iter()
            .map(|row| row.integer(0))
            .collect()
    }

    /// Returns the number the next experiment gets.
    pub fn next_experiment_id(&self) -> Result<i64, StoreError> {
        let row = self
            .db
            .row("SELECT MAX(experiment_id) FROM experiments", &[])?;
        Ok(row
            .map(|row| row.integer_or_null(0))
            .transpose()?
            .flatten()
            .map_or(0, |last| last + 1))
    }

    /// Returns the experiments that a search finds.
    pub fn search_experiments(
        &self,
        query: &Query,
        viewed: Viewed,
        selection: Selection,
    ) -> Result<Vec<Experiment>, StoreError> {
        let mut statement = self.statement(Noun::Experiments);
        statement.restrict(viewed);
        let ids = statement.rows("experiment_id", query, selection)?;
        by_ids(
            self.db,
            &ids.iter()
                .map(|row| row.integer(0))
                .collect::<Result<Vec<_>, _>>()?,
        )
    }

    /// Returns how many runs an experiment has.
    pub fn n_runs(&self, experiment_id: i64) -> Result<u64, StoreError> {
        let row = self.db.row(
            "SELECT COUNT(*) FROM runs WHERE experiment_id = $1",
            &[experiment_id.into()],
        )?;
        row.map_or(Ok(0), |row| Ok(row.integer(0)? as u64))
    }
}

impl Recorded<'_> {
    /// Adds an experiment with its tags.
    pub fn add_experiment(&self, new: &Experiment) -> Result<(), StoreError> {
        let row = vec![
            new.id.into(),
            (&new.name).into(),
            (&new.artifact_location).into(),
            new.stage.word().into(),
            new.created_ms.into(),
            new.updated_ms.into(),
        ];
        self.db
            .insert(&format!("INSERT INTO experiments ({COLUMNS})"), "", &[row])?;
        self.set_experiment_tags(new.id, &new.tags)
    }

    /// Changes name and stage of an experiment.
    pub fn change_experiment(&self, experiment: &Experiment) -> Result<(), StoreError> {
        let sql = "UPDATE experiments SET name = $1, stage = $2, updated_ms = $3 WHERE experiment_id = $4";
        let values = [
            (&experiment.name).into(),
            experiment.stage.word().into(),
            experiment.updated_ms.into(),
            experiment.id.into(),
        ];
        self.db.execute(sql, &values).map(|_| ())
    }

    /// Sets the stage of all runs of an experiment.
    pub fn set_stage_of_runs(&self, experiment_id: i64, stage: Stage) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET stage = $1 WHERE experiment_id = $2";
        self.db
            .execute(sql, &[stage.word().into(), experiment_id.into()])
            .map(|_| ())
    }

    /// Sets tags of an experiment.
    pub fn set_experiment_tags(&self, id: i64, tags: &[KeyValue]) -> Result<(), StoreError> {
        values::set(
            self.db,
            "experiment_tags",
            "experiment_id",
            &[id.into()],
            tags,
        )
    }

    /// Removes a tag of an experiment.
    pub fn remove_experiment_tag(&self, id: i64, name: &str) -> Result<bool, StoreError> {
        values::remove(
            self.db,
            "experiment_tags",
            "experiment_id = $1 AND name = $2",
            &[id.into(), name.into()],
        )
    }
}
