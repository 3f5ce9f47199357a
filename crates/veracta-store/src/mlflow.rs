//! Reads the database of an MLflow server, to import what is in it. Nothing is written there.
//!
//! Tables and columns are those of MLflow 1.30 to 3.17; a table that an older version did not have is read as empty.

use std::collections::HashMap;

use crate::StoreError;
use crate::database::{Database, Row, Value};
use crate::tracking::{
    Dataset, DatasetInput, Experiment, ForeignRun, KeyValue, LoggedModel, MetricValue, ModelLink,
    ModelMetric, Point, RegisteredModel, RegisteredVersion, Run, RunStatus, Stage,
};

/// An open database of MLflow.
#[derive(Debug)]
pub struct MlflowDatabase {
    db: Database,
    has: HashMap<&'static str, bool>,
}

/// Tables that not every version has.
const OPTIONAL: [&str; 7] = [
    "datasets",
    "inputs",
    "input_tags",
    "logged_models",
    "registered_models",
    "registered_model_aliases",
    "model_version_tags",
];
/// Numbers of the statuses of logged models.
const MODEL_STATUSES: [&str; 4] = [
    "LOGGED_MODEL_STATUS_UNSPECIFIED",
    "LOGGED_MODEL_PENDING",
    "LOGGED_MODEL_READY",
    "LOGGED_MODEL_UPLOAD_FAILED",
];

/// Returns the name of a status of logged models.
pub fn logged_model_status(number: i64) -> &'static str {
    usize::try_from(number)
        .ok()
        .and_then(|number| MODEL_STATUSES.get(number))
        .copied()
        .unwrap_or(MODEL_STATUSES[0])
}

fn key_values(rows: Vec<Row>) -> Result<Vec<KeyValue>, StoreError> {
    rows.into_iter()
        .map(|mut row| Ok((row.text(0)?, row.text_or_null(1)?.unwrap_or_default())))
        .collect()
}

fn value_of(row: &Row, value: usize, is_nan: usize) -> Result<f64, StoreError> {
    if row.integer(is_nan)? != 0 {
        Ok(f64::NAN)
    } else {
        row.real(value)
    }
}

impl MlflowDatabase {
    /// Opens a database by URL: `sqlite:///file` or `postgresql://…`.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let db = Database::read_only(url)?;
        let mut has = HashMap::new();
        for table in OPTIONAL {
            has.insert(table, has_table(&db, table)?);
        }
        for table in ["alembic_version", "experiments", "runs", "metrics"] {
            if !has_table(&db, table)? {
                return Err(StoreError::NotMlflow { table });
            }
        }
        Ok(Self { db, has })
    }

    fn has(&self, table: &str) -> bool {
        self.has.get(table).copied().unwrap_or(false)
    }

    fn pairs(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<KeyValue>, StoreError> {
        key_values(self.db.rows(sql, values)?)
    }

    /// Returns every experiment, deleted or not.
    pub fn experiments(&self) -> Result<Vec<Experiment>, StoreError> {
        let sql = "SELECT CAST(experiment_id AS BIGINT), name, artifact_location, lifecycle_stage, creation_time, last_update_time
                   FROM experiments ORDER BY experiment_id";
        let mut found = Vec::new();
        for mut row in self.db.rows(sql, &[])? {
            let id = row.integer(0)?;
            let tags = "SELECT key, value FROM experiment_tags WHERE CAST(experiment_id AS BIGINT) = $1 ORDER BY key";
            found.push(Experiment {
                id,
                name: row.text(1)?,
                artifact_location: row.text_or_null(2)?.unwrap_or_default(),
                stage: Stage::of(&row.text_or_null(3)?.unwrap_or_default()),
                created_ms: row.integer_or_null(4)?.unwrap_or(0),
                updated_ms: row.integer_or_null(5)?.unwrap_or(0),
                tags: self.pairs(tags, &[id.into()])?,
            });
        }
        Ok(found)
    }

    /// Returns the runs of an experiment, without their values.
    pub fn runs_of(&self, experiment_id: i64) -> Result<Vec<Run>, StoreError> {
        let sql = "SELECT run_uuid, name, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri FROM runs
                   WHERE CAST(experiment_id AS BIGINT) = $1 ORDER BY start_time, run_uuid";
        let read = |mut row: Row| {
            Ok(Run {
                no: 0,
                id: row.text(0)?,
                experiment_id,
                name: row.text_or_null(1)?.unwrap_or_default(),
                user_id: row.text_or_null(2)?.unwrap_or_default(),
                status: row
                    .text_or_null(3)?
                    .and_then(|word| RunStatus::of(&word))
                    .unwrap_or(RunStatus::Running),
                start_ms: row.integer_or_null(4)?.unwrap_or(0),
                end_ms: row.integer_or_null(5)?,
                stage: Stage::of(&row.text_or_null(6)?.unwrap_or_default()),
                artifact_uri: row.text_or_null(7)?.unwrap_or_default(),
                record_idx: None,
            })
        };
        self.db
            .rows(sql, &[experiment_id.into()])?
            .into_iter()
            .map(read)
            .collect()
    }

    /// Returns a run with all its values.
    pub fn run(&self, run: Run) -> Result<ForeignRun, StoreError> {
        let id = [Value::from(&run.id)];
        let params = self.pairs(
            "SELECT key, value FROM params WHERE run_uuid = $1 ORDER BY key",
            &id,
        )?;
        let tags = self.pairs(
            "SELECT key, value FROM tags WHERE run_uuid = $1 ORDER BY key",
            &id,
        )?;
        let sql = "SELECT key, timestamp, step, value, is_nan FROM metrics WHERE run_uuid = $1 ORDER BY key, timestamp, step, value";
        let mut metrics = Vec::new();
        self.db.visit(sql, &id, &mut |mut row| {
            let point = Point {
                timestamp_ms: row.integer(1)?,
                step: row.integer(2)?,
                value: value_of(&row, 3, 4)?,
            };
            metrics.push(MetricValue {
                name: row.text(0)?,
                point,
            });
            Ok(())
        })?;
        let inputs = self.inputs_of(&run.id)?;
        let model_inputs = self.links(&run.id, "RUN_INPUT")?;
        let model_outputs = self.links(&run.id, "RUN_OUTPUT")?;
        Ok(ForeignRun {
            run,
            params,
            tags,
            metrics,
            inputs,
            model_inputs,
            model_outputs,
        })
    }

    fn inputs_of(&self, run_id: &str) -> Result<Vec<DatasetInput>, StoreError> {
        if !self.has("inputs") || !self.has("datasets") {
            return Ok(Vec::new());
        }
        let sql = "SELECT i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source, d.dataset_schema, d.dataset_profile
                   FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
                   WHERE i.destination_id = $1 AND i.destination_type = 'RUN' AND i.source_type = 'DATASET' ORDER BY d.name, d.digest";
        let mut found = Vec::new();
        for mut row in self.db.rows(sql, &[run_id.into()])? {
            let input = row.text(0)?;
            let dataset = Dataset {
                name: row.text(1)?,
                digest: row.text(2)?,
                source_type: row.text(3)?,
                source: row.text(4)?,
                schema: row.text_or_null(5)?,
                profile: row.text_or_null(6)?,
            };
            let tags = self.pairs(
                "SELECT name, value FROM input_tags WHERE input_uuid = $1 ORDER BY name",
                &[input.into()],
            )?;
            found.push(DatasetInput { dataset, tags });
        }
        Ok(found)
    }

    fn links(&self, run_id: &str, source_type: &str) -> Result<Vec<ModelLink>, StoreError> {
        if !self.has("logged_models") {
            return Ok(Vec::new());
        }
        let sql = "SELECT destination_id, step FROM inputs WHERE source_id = $1 AND source_type = $2 ORDER BY destination_id";
        let rows = self.db.rows(sql, &[run_id.into(), source_type.into()])?;
        rows.into_iter()
            .map(|mut row| {
                Ok(ModelLink {
                    model_id: row.text(0)?,
                    step: row.integer(1)?,
                })
            })
            .collect()
    }

    /// Returns the logged models of an experiment.
    pub fn logged_models_of(&self, experiment_id: i64) -> Result<Vec<LoggedModel>, StoreError> {
        if !self.has("logged_models") {
            return Ok(Vec::new());
        }
        let sql = "SELECT model_id, name, artifact_location, creation_timestamp_ms, last_updated_timestamp_ms, CAST(status AS BIGINT), model_type,
                   source_run_id, lifecycle_stage FROM logged_models WHERE CAST(experiment_id AS BIGINT) = $1
                   ORDER BY creation_timestamp_ms, model_id";
        let mut found = Vec::new();
        for mut row in self.db.rows(sql, &[experiment_id.into()])? {
            let id = row.text(0)?;
            let of = [Value::from(id.clone())];
            let tags = "SELECT tag_key, tag_value FROM logged_model_tags WHERE model_id = $1 ORDER BY tag_key";
            let params = "SELECT param_key, param_value FROM logged_model_params WHERE model_id = $1 ORDER BY param_key";
            found.push(LoggedModel {
                experiment_id,
                name: row.text(1)?,
                artifact_location: row.text(2)?,
                created_ms: row.integer(3)?,
                updated_ms: row.integer(4)?,
                status: logged_model_status(row.integer(5)?).to_owned(),
                model_type: row.text_or_null(6)?,
                source_run_id: row.text_or_null(7)?,
                stage: Stage::of(&row.text_or_null(8)?.unwrap_or_default()),
                tags: self.pairs(tags, &of)?,
                params: self.pairs(params, &of)?,
                metrics: self.model_metrics(&id)?,
                id,
            });
        }
        Ok(found)
    }

    fn model_metrics(&self, model_id: &str) -> Result<Vec<ModelMetric>, StoreError> {
        // Only the metric of the run says whether a value is NaN.
        let sql = "SELECT l.metric_name, l.metric_timestamp_ms, l.metric_step, l.metric_value, l.run_id, l.dataset_name, l.dataset_digest,
                   (SELECT COUNT(*) FROM metrics m WHERE m.run_uuid = l.run_id AND m.key = l.metric_name AND m.step = l.metric_step
                    AND m.timestamp = l.metric_timestamp_ms AND m.value = l.metric_value AND CAST(m.is_nan AS INTEGER) = 1)
                   FROM logged_model_metrics l WHERE l.model_id = $1 ORDER BY l.metric_name, l.metric_timestamp_ms, l.metric_step";
        let mut found = Vec::new();
        for mut row in self.db.rows(sql, &[model_id.into()])? {
            let value = if row.integer(7)? > 0 {
                f64::NAN
            } else {
                row.real(3).unwrap_or(f64::NAN)
            };
            let point = Point {
                timestamp_ms: row.integer(1)?,
                step: row.integer(2)?,
                value,
            };
            found.push(ModelMetric {
                metric: MetricValue {
                    name: row.text(0)?,
                    point,
                },
                run_id: row.text(4)?,
                dataset_name: row.text_or_null(5)?.unwrap_or_default(),
                dataset_digest: row.text_or_null(6)?.unwrap_or_default(),
            });
        }
        Ok(found)
    }

    /// Returns the registered models by name, with their tags and aliases; none from a database without that table.
    pub fn registered_models(&self) -> Result<Vec<RegisteredModel>, StoreError> {
        if !self.has("registered_models") {
            return Ok(Vec::new());
        }
        let sql = "SELECT name, description, creation_time, last_updated_time FROM registered_models ORDER BY name";
        let mut found = Vec::new();
        for mut row in self.db.rows(sql, &[])? {
            let name = row.text(0)?;
            let of = [Value::from(name.clone())];
            let tags = self.pairs(
                "SELECT key, value FROM registered_model_tags WHERE name = $1 ORDER BY key",
                &of,
            )?;
            let mut aliases = Vec::new();
            if self.has("registered_model_aliases") {
                let sql = "SELECT alias, CAST(version AS BIGINT) FROM registered_model_aliases WHERE name = $1 ORDER BY alias";
                for mut row in self.db.rows(sql, &of)? {
                    aliases.push((row.text(0)?, row.integer(1)?));
                }
            }
            let last = self.db.row(
                "SELECT CAST(MAX(version) AS BIGINT) FROM model_versions WHERE name = $1",
                &of,
            )?;
            found.push(RegisteredModel {
                name,
                description: row.text_or_null(1)?.unwrap_or_default(),
                created_ms: row.integer_or_null(2)?.unwrap_or(0),
                updated_ms: row.integer_or_null(3)?.unwrap_or(0),
                last_version: last
                    .map(|row| row.integer_or_null(0))
                    .transpose()?
                    .flatten()
                    .unwrap_or(0),
                tags,
                aliases,
            });
        }
        Ok(found)
    }

    /// Returns the versions of a registered model, those included that were deleted.
    pub fn versions_of(&self, model: &str) -> Result<Vec<RegisteredVersion>, StoreError> {
        let sql = "SELECT CAST(version AS BIGINT), description, creation_time, last_updated_time, user_id, current_stage, source,
                   storage_location, run_id, run_link FROM model_versions WHERE name = $1 ORDER BY version";
        let mut found = Vec::new();
        for mut row in self.db.rows(sql, &[model.into()])? {
            let version = row.integer(0)?;
            let tags = "SELECT key, value FROM model_version_tags WHERE name = $1 AND CAST(version AS BIGINT) = $2 ORDER BY key";
            let source = row.text_or_null(6)?.unwrap_or_default();
            found.push(RegisteredVersion {
                model: model.to_owned(),
                version,
                description: row.text_or_null(1)?.unwrap_or_default(),
                created_ms: row.integer_or_null(2)?.unwrap_or(0),
                updated_ms: row.integer_or_null(3)?.unwrap_or(0),
                user_id: row.text_or_null(4)?.unwrap_or_default(),
                stage: row.text_or_null(5)?.unwrap_or_else(|| "None".to_owned()),
                storage_location: row.text_or_null(7)?.unwrap_or_else(|| source.clone()),
                run_id: row.text_or_null(8)?.unwrap_or_default(),
                run_link: row.text_or_null(9)?.unwrap_or_default(),
                model_id: source
                    .strip_prefix("models:/")
                    .filter(|id| id.starts_with("m-"))
                    .map(str::to_owned),
                source,
                tags: if self.has("model_version_tags") {
                    self.pairs(tags, &[model.into(), version.into()])?
                } else {
                    Vec::new()
                },
                aliases: Vec::new(),
            });
        }
        Ok(found)
    }
}

fn has_table(db: &Database, table: &str) -> Result<bool, StoreError> {
    let sql = match db.is_postgres() {
        true => {
            "SELECT CAST(COUNT(*) AS BIGINT) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1"
        }
        false => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
    };
    Ok(db
        .row(sql, &[table.into()])?
        .map_or(Ok(0), |row| row.integer(0))?
        > 0)
}
