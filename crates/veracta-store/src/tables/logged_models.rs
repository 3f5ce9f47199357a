//! Logged models: what a client uploads before anything is registered.

use std::collections::HashMap;

use super::metrics::{loaded, stored};
use super::search::{Noun, Query, Selection, Viewed};
use super::values::{self, Owner};
use crate::StoreError;
use crate::database::{Database, Row, Value};
use crate::tracking::{KeyValue, LoggedModel, MetricValue, ModelMetric, Point, Stage};
use crate::work::{Draft, Recorded, View};

const COLUMNS: &str = "model_id, experiment_id, name, artifact_location, created_ms, updated_ms, status, model_type, source_run_id, stage";

fn read(row: &mut Row) -> Result<LoggedModel, StoreError> {
    Ok(LoggedModel {
        id: row.text(0)?,
        experiment_id: row.integer(1)?,
        name: row.text(2)?,
        artifact_location: row.text(3)?,
        created_ms: row.integer(4)?,
        updated_ms: row.integer(5)?,
        status: row.text(6)?,
        model_type: row.text_or_null(7)?,
        source_run_id: row.text_or_null(8)?,
        stage: Stage::of(&row.text(9)?),
        tags: Vec::new(),
        params: Vec::new(),
        metrics: Vec::new(),
    })
}

fn metrics_of(
    db: &Database,
    ids: &[Value<'_>],
) -> Result<HashMap<String, Vec<ModelMetric>>, StoreError> {
    let sql = "SELECT model_id, run_id, name, timestamp_ms, step, value, is_nan, dataset_name, dataset_digest
               FROM logged_model_metrics WHERE model_id IN ({}) ORDER BY model_id, name, dataset_name, dataset_digest, run_id";
    let mut found: HashMap<String, Vec<ModelMetric>> = HashMap::new();
    values::for_each_of(db, sql, ids, &mut |mut row| {
        let value = loaded(row.real(5)?, row.integer(6)?);
        let point = Point {
            timestamp_ms: row.integer(3)?,
            step: row.integer(4)?,
            value,
        };
        let metric = ModelMetric {
            run_id: row.text(1)?,
            metric: MetricValue {
                name: row.text(2)?,
                point,
            },
            dataset_name: row.text(7)?,
            dataset_digest: row.text(8)?,
        };
        found.entry(row.text(0)?).or_default().push(metric);
        Ok(())
    })?;
    Ok(found)
}

fn complete(db: &Database, mut models: Vec<LoggedModel>) -> Result<Vec<LoggedModel>, StoreError> {
    let ids: Vec<Value<'_>> = models.iter().map(|model| model.id.clone().into()).collect();
    let mut tags = values::by_owner(db, "logged_model_tags", "model_id", &ids)?;
    let mut params = values::by_owner(db, "logged_model_params", "model_id", &ids)?;
    let mut metrics = metrics_of(db, &ids)?;
    for model in &mut models {
        let owner = Owner::Name(model.id.clone());
        model.tags = tags.remove(&owner).unwrap_or_default();
        model.params = params.remove(&owner).unwrap_or_default();
        model.metrics = metrics.remove(&model.id).unwrap_or_default();
    }
    Ok(models)
}

impl View<'_> {
    /// Returns a logged model, deleted or not.
    pub fn logged_model(&self, id: &str) -> Result<Option<LoggedModel>, StoreError> {
        let row = self.db.row(
            &format!("SELECT {COLUMNS} FROM logged_models WHERE model_id = $1"),
            &[id.into()],
        )?;
        let found = row.map(|mut row| read(&mut row)).transpose()?;
        Ok(complete(self.db, found.into_iter().collect())?.pop())
    }

    /// Returns the logged models of these experiments that a search finds.
    pub fn search_logged_models(
        &self,
        experiment_ids: &[i64],
        viewed: Viewed,
        query: &Query,
        selection: Selection,
    ) -> Result<Vec<LoggedModel>, StoreError> {
        let mut statement = self.statement(Noun::LoggedModels);
        let places = statement.places(experiment_ids.iter().copied());
        statement
            .conditions
            .push(format!("t.experiment_id IN ({places})"));
        statement.restrict(viewed);
        let found = statement
            .rows(COLUMNS, query, selection)?
            .iter_mut()
            .map(read)
            .collect::<Result<_, _>>()?;
        complete(self.db, found)
    }
}

impl Recorded<'_> {
    /// Removes a logged model with all its values.
    pub fn remove_logged_model(&self, id: &str) -> Result<(), StoreError> {
        for table in [
            "logged_model_metrics",
            "logged_model_params",
            "logged_model_tags",
            "logged_models",
        ] {
            self.db.execute(
                &format!("DELETE FROM {table} WHERE model_id = $1"),
                &[id.into()],
            )?;
        }
        Ok(())
    }
}

impl Draft<'_> {
    /// Adds a logged model with its tags and parameters.
    pub fn add_logged_model(&self, new: &LoggedModel) -> Result<(), StoreError> {
        let row = vec![
            (&new.id).into(),
            new.experiment_id.into(),
            (&new.name).into(),
            (&new.artifact_location).into(),
            new.created_ms.into(),
            new.updated_ms.into(),
            (&new.status).into(),
            new.model_type.as_ref().into(),
            new.source_run_id.as_ref().into(),
            new.stage.word().into(),
        ];
        self.db.insert(
            &format!("INSERT INTO logged_models ({COLUMNS})"),
            "",
            &[row],
        )?;
        self.set_logged_model_tags(&new.id, &new.tags)?;
        self.set_logged_model_params(&new.id, &new.params)
    }

    /// Changes status, stage and time of a logged model.
    pub fn change_logged_model(&self, model: &LoggedModel) -> Result<(), StoreError> {
        let sql =
            "UPDATE logged_models SET status = $1, stage = $2, updated_ms = $3 WHERE model_id = $4";
        let values = [
            (&model.status).into(),
            model.stage.word().into(),
            model.updated_ms.into(),
            (&model.id).into(),
        ];
        self.db.execute(sql, &values).map(|_| ())
    }

    /// Sets tags of a logged model.
    pub fn set_logged_model_tags(&self, id: &str, tags: &[KeyValue]) -> Result<(), StoreError> {
        values::set(self.db, "logged_model_tags", "model_id", &[id.into()], tags)
    }

    /// Sets parameters of a logged model.
    pub fn set_logged_model_params(&self, id: &str, params: &[KeyValue]) -> Result<(), StoreError> {
        values::set(
            self.db,
            "logged_model_params",
            "model_id",
            &[id.into()],
            params,
        )
    }

    /// Removes a tag of a logged model; returns whether it was there.
    pub fn remove_logged_model_tag(&self, id: &str, name: &str) -> Result<bool, StoreError> {
        values::remove(
            self.db,
            "logged_model_tags",
            "model_id = $1 AND name = $2",
            &[id.into(), name.into()],
        )
    }

    /// Adds metrics of a logged model; of equal ones on the same dataset the later stands.
    pub fn add_model_metrics(&self, id: &str, metrics: &[ModelMetric]) -> Result<(), StoreError> {
        let tail = "ON CONFLICT (model_id, name, dataset_name, dataset_digest, run_id) DO UPDATE SET
                    timestamp_ms = excluded.timestamp_ms, step = excluded.step, value = excluded.value, is_nan = excluded.is_nan
                    WHERE (excluded.step, excluded.timestamp_ms, excluded.value)
                        >= (logged_model_metrics.step, logged_model_metrics.timestamp_ms, logged_model_metrics.value)";
        let head = "INSERT INTO logged_model_metrics
                    (model_id, run_id, name, timestamp_ms, step, value, is_nan, dataset_name, dataset_digest)";
        for ModelMetric {
            metric: MetricValue { name, point },
            run_id,
            dataset_name,
            dataset_digest,
        } in metrics
        {
            let (value, is_nan) = stored(point.value);
            let row = vec![
                id.into(),
                run_id.into(),
                name.into(),
                point.timestamp_ms.into(),
                point.step.into(),
                value.into(),
                is_nan.into(),
                dataset_name.into(),
                dataset_digest.into(),
            ];
            // One at a time: two of one call may be about the same metric.
            self.db.insert(head, tail, &[row])?;
        }
        Ok(())
    }
}
