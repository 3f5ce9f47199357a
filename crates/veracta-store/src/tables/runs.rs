//! Runs with their parameters, tags, inputs and outputs; their metrics are in `metrics`.

use std::collections::HashMap;

use super::search::{Comparison, Field, Noun, Operand, Operator, Order, Query, Selection, Viewed};
use super::values::{self, Owner};
use crate::StoreError;
use crate::database::{Database, Row, Value};
use crate::tracking::{
    Dataset, DatasetInput, DatasetSummary, KeyValue, ModelLink, Run, RunData, RunStatus, Stage,
};
use crate::work::{Draft, Recorded, View};

const COLUMNS: &str = "run_no, run_id, experiment_id, name, user_id, status, start_ms, end_ms, stage, artifact_uri, record_idx";

const DATASET_COLUMNS: &str = "d.name, d.digest, d.source_type, d.source, d.schema, d.profile";

fn read(row: &mut Row) -> Result<Run, StoreError> {
    Ok(Run {
        no: row.integer(0)?,
        id: row.text(1)?,
        experiment_id: row.integer(2)?,
        name: row.text(3)?,
        user_id: row.text(4)?,
        status: RunStatus::of(&row.text(5)?).ok_or(StoreError::MalformedRow { column: 5 })?,
        start_ms: row.integer(6)?,
        end_ms: row.integer_or_null(7)?,
        stage: Stage::of(&row.text(8)?),
        artifact_uri: row.text(9)?,
        record_idx: row.integer_or_null(10)?.map(|idx| idx as u64),
    })
}

fn one(db: &Database, condition: &str, value: Value<'_>) -> Result<Option<Run>, StoreError> {
    let row = db.row(
        &format!("SELECT {COLUMNS} FROM runs WHERE {condition} = $1"),
        &[value],
    )?;
    row.map(|mut row| read(&mut row)).transpose()
}

/// A list of links that names its owner first.
fn links(
    db: &Database,
    direction: &str,
    numbers: &[Value<'_>],
) -> Result<HashMap<i64, Vec<ModelLink>>, StoreError> {
    let sql = format!(
        "SELECT run_no, model_id, step FROM run_models WHERE run_no IN ({{}}) AND direction = '{direction}' ORDER BY run_no, model_id"
    );
    let mut found: HashMap<i64, Vec<ModelLink>> = HashMap::new();
    values::for_each_of(db, &sql, numbers, &mut |mut row| {
        let link = ModelLink {
            model_id: row.text(1)?,
            step: row.integer(2)?,
        };
        found.entry(row.integer(0)?).or_default().push(link);
        Ok(())
    })?;
    Ok(found)
}

fn inputs(
    db: &Database,
    numbers: &[Value<'_>],
) -> Result<HashMap<i64, Vec<DatasetInput>>, StoreError> {
    let sql = "SELECT run_no, dataset_no, name, value FROM run_input_tags WHERE run_no IN ({}) ORDER BY run_no, dataset_no, name";
    let mut tags: HashMap<(i64, i64), Vec<KeyValue>> = HashMap::new();
    values::for_each_of(db, sql, numbers, &mut |mut row| {
        let tag = (row.text(2)?, row.text(3)?);
        tags.entry((row.integer(0)?, row.integer(1)?))
            .or_default()
            .push(tag);
        Ok(())
    })?;
    let sql = format!(
        "SELECT i.run_no, i.dataset_no, {DATASET_COLUMNS} FROM run_inputs i JOIN datasets d ON d.dataset_no = i.dataset_no
         WHERE i.run_no IN ({{}}) ORDER BY i.run_no, i.dataset_no"
    );
    let mut found: HashMap<i64, Vec<DatasetInput>> = HashMap::new();
    values::for_each_of(db, &sql, numbers, &mut |mut row| {
        let (run_no, dataset_no) = (row.integer(0)?, row.integer(1)?);
        let dataset = Dataset {
            name: row.text(2)?,
            digest: row.text(3)?,
            source_type: row.text(4)?,
            source: row.text(5)?,
            schema: row.text_or_null(6)?,
            profile: row.text_or_null(7)?,
        };
        let tags = tags.remove(&(run_no, dataset_no)).unwrap_or_default();
        found
            .entry(run_no)
            .or_default()
            .push(DatasetInput { dataset, tags });
        Ok(())
    })?;
    Ok(found)
}

impl View<'_> {
    /// Returns the run with that id, deleted or not; `None` when there is none.
    pub fn run(&self, id: &str) -> Result<Option<Run>, StoreError> {
        one(self.db, "run_id", id.into())
    }

    /// Returns the runs of these experiments that a search finds.
    pub fn search_runs(
        &self,
        experiment_ids: &[i64],
        viewed: Viewed,
        query: &Query,
        selection: Selection,
    ) -> Result<Vec<Run>, StoreError> {
        let search = |query: &Query| -> Result<Vec<Run>, StoreError> {
            let mut statement = self.statement(Noun::Runs);
            let places = statement.places(experiment_ids.iter().copied());
            statement
                .conditions
                .push(format!("t.experiment_id IN ({places})"));
            statement.restrict(viewed);
            statement
                .rows(COLUMNS, query, selection)?
                .iter_mut()
                .map(read)
                .collect()
        };
        // Runs without a metric come last in its order: when those that have it fill the page, an index finds them.
        if let Some(Order {
            field: field @ Field::Metric(..),
            ..
        }) = query.order.first()
        {
            let is_there = Comparison {
                field: field.clone(),
                operator: Operator::GreaterOrEqual,
                operand: Operand::Number(f64::MIN),
            };
            let mut with_metric = query.clone();
            with_metric.comparisons.push(is_there);
            let found = search(&with_metric)?;
            if found.len() as u64 == selection.limit {
                return Ok(found);
            }
        }
        search(query)
    }

    /// Returns the values of each run, in the same order.
    pub fn run_data(&self, runs: &[Run]) -> Result<Vec<RunData>, StoreError> {
        let numbers: Vec<Value<'_>> = runs.iter().map(|run| run.no.into()).collect();
        let mut params = values::by_owner(self.db, "params", "run_no", &numbers)?;
        let mut tags = values::by_owner(self.db, "tags", "run_no", &numbers)?;
        let mut metrics = super::metrics::latest(self.db, &numbers)?;
        let mut inputs = inputs(self.db, &numbers)?;
        let mut model_inputs = links(self.db, "in", &numbers)?;
        let mut model_outputs = links(self.db, "out", &numbers)?;
        let take = |run: &Run| RunData {
            params: params.remove(&Owner::Number(run.no)).unwrap_or_default(),
            tags: tags.remove(&Owner::Number(run.no)).unwrap_or_default(),
            metrics: metrics.remove(&run.no).unwrap_or_default(),
            inputs: inputs.remove(&run.no).unwrap_or_default(),
            model_inputs: model_inputs.remove(&run.no).unwrap_or_default(),
            model_outputs: model_outputs.remove(&run.no).unwrap_or_default(),
        };
        Ok(runs.iter().map(take).collect())
    }

    /// Returns a parameter of a run.
    pub fn param(&self, run: &Run, name: &str) -> Result<Option<String>, StoreError> {
        let row = self.db.row(
            "SELECT value FROM params WHERE run_no = $1 AND name = $2",
            &[run.no.into(), name.into()],
        )?;
        row.map(|mut row| row.text(0)).transpose()
    }

    /// Returns the subjects of runs that have ended and have no record.
    pub fn ended_without_record(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT run_id FROM runs WHERE record_idx IS NULL AND status IN ('FINISHED', 'FAILED', 'KILLED') ORDER BY run_no";
        self.db
            .rows(sql, &[])?
            .iter_mut()
            .map(|row| Ok(format!("run:{}", row.text(0)?)))
            .collect()
    }

    /// Returns the parameters of a run.
    pub fn params_of(&self, run: &Run) -> Result<HashMap<String, String>, StoreError> {
        let mut found = values::by_owner(self.db, "params", "run_no", &[run.no.into()])?;
        Ok(found
            .remove(&Owner::Number(run.no))
            .unwrap_or_default()
            .into_iter()
            .collect())
    }

    /// Calls `visit` with the id and record of every run that has one.
    pub fn visit_recorded_runs(
        &self,
        visit: &mut dyn FnMut(Run) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut last = -1;
        loop {
            let sql = format!(
                "SELECT {COLUMNS} FROM runs WHERE run_no > $1 AND record_idx IS NOT NULL ORDER BY run_no LIMIT 1000"
            );
            let mut rows = self.db.rows(&sql, &[last.into()])?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &mut rows {
                let run = read(row)?;
                last = run.no;
                visit(run)?;
            }
        }
    }

    /// Returns datasets of these experiments with their contexts.
    pub fn dataset_summaries(
        &self,
        experiment_ids: &[i64],
        limit: u64,
    ) -> Result<Vec<DatasetSummary>, StoreError> {
        let numbers: Vec<Value<'_>> = experiment_ids.iter().map(|id| (*id).into()).collect();
        let sql = "SELECT DISTINCT d.experiment_id, d.name, d.digest, c.value FROM datasets d
                   JOIN run_inputs i ON i.dataset_no = d.dataset_no
                   LEFT JOIN run_input_tags c ON c.run_no = i.run_no AND c.dataset_no = i.dataset_no AND c.name = 'mlflow.data.context'
                   WHERE d.experiment_id IN ({}) ORDER BY 1, 2, 3, 4";
        let mut found = Vec::new();
        values::for_each_of(self.db, sql, &numbers, &mut |mut row| {
            if (found.len() as u64) < limit {
                found.push(DatasetSummary {
                    experiment_id: row.integer(0)?,
                    name: row.text(1)?,
                    digest: row.text(2)?,
                    context: row.text_or_null(3)?,
                });
            }
            Ok(())
        })?;
        Ok(found)
    }
}

impl Draft<'_> {
    /// Adds a run; its number is given here.
    pub fn add_run(&self, mut new: Run) -> Result<Run, StoreError> {
        let last = self.db.row("SELECT MAX(run_no) FROM runs", &[])?;
        new.no = last
            .map(|row| row.integer_or_null(0))
            .transpose()?
            .flatten()
            .unwrap_or(0)
            + 1;
        let row = vec![
            new.no.into(),
            (&new.id).into(),
            new.experiment_id.into(),
            (&new.name).into(),
            (&new.user_id).into(),
            new.status.word().into(),
            new.start_ms.into(),
            new.end_ms.into(),
            new.stage.word().into(),
            (&new.artifact_uri).into(),
            new.record_idx.map(|idx| idx as i64).into(),
        ];
        self.db
            .insert(&format!("INSERT INTO runs ({COLUMNS})"), "", &[row])?;
        Ok(new)
    }

    /// Changes name, status and end of a run.
    pub fn change_run(&self, run: &Run) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET name = $1, status = $2, end_ms = $3 WHERE run_no = $4";
        let values = [
            (&run.name).into(),
            run.status.word().into(),
            run.end_ms.into(),
            run.no.into(),
        ];
        self.db.execute(sql, &values).map(|_| ())
    }

    /// Adds parameters; none of them may be there.
    pub fn add_params(&self, run: &Run, params: &[KeyValue]) -> Result<(), StoreError> {
        let rows: Vec<Vec<Value<'_>>> = params
            .iter()
            .map(|(name, value)| vec![run.no.into(), name.into(), value.into()])
            .collect();
        self.db
            .insert("INSERT INTO params (run_no, name, value)", "", &rows)
            .map(|_| ())
    }

    /// Sets tags of a run; a key that it has already gets the new value.
    pub fn set_tags(&self, run: &Run, tags: &[KeyValue]) -> Result<(), StoreError> {
        values::set(self.db, "tags", "run_no", &[run.no.into()], tags)
    }

    /// Removes a tag; returns whether it was there.
    pub fn remove_tag(&self, run: &Run, name: &str) -> Result<bool, StoreError> {
        values::remove(
            self.db,
            "tags",
            "run_no = $1 AND name = $2",
            &[run.no.into(), name.into()],
        )
    }

    /// Adds datasets that a run read; one that is known already is not added again.
    pub fn add_inputs(&self, run: &Run, inputs: &[DatasetInput]) -> Result<(), StoreError> {
        for DatasetInput { dataset, tags } in inputs {
            let key = [
                run.experiment_id.into(),
                (&dataset.name).into(),
                (&dataset.digest).into(),
            ];
            let find = "SELECT dataset_no FROM datasets WHERE experiment_id = $1 AND name = $2 AND digest = $3";
            let dataset_no = match self.db.row(find, &key)? {
                Some(row) => row.integer(0)?,
                None => self.add_dataset(run.experiment_id, dataset)?,
            };
            let input = vec![run.no.into(), dataset_no.into()];
            let is_new = self.db.insert(
                "INSERT INTO run_inputs (run_no, dataset_no)",
                "ON CONFLICT DO NOTHING",
                &[input],
            )? > 0;
            if is_new {
                values::set(
                    self.db,
                    "run_input_tags",
                    "run_no, dataset_no",
                    &[run.no.into(), dataset_no.into()],
                    tags,
                )?;
            }
        }
        Ok(())
    }

    fn add_dataset(&self, experiment_id: i64, dataset: &Dataset) -> Result<i64, StoreError> {
        let last = self.db.row("SELECT MAX(dataset_no) FROM datasets", &[])?;
        let dataset_no = last
            .map(|row| row.integer_or_null(0))
            .transpose()?
            .flatten()
            .unwrap_or(0)
            + 1;
        let row = vec![
            dataset_no.into(),
            experiment_id.into(),
            (&dataset.name).into(),
            (&dataset.digest).into(),
            (&dataset.source_type).into(),
            (&dataset.source).into(),
            dataset.schema.as_ref().into(),
            dataset.profile.as_ref().into(),
        ];
        let head = "INSERT INTO datasets (dataset_no, experiment_id, name, digest, source_type, source, schema, profile)";
        self.db.insert(head, "", &[row])?;
        Ok(dataset_no)
    }

    /// Adds logged models that a run read or made.
    pub fn add_models(
        &self,
        run: &Run,
        inputs: &[ModelLink],
        outputs: &[ModelLink],
    ) -> Result<(), StoreError> {
        let row = |direction: &'static str| {
            move |link: &ModelLink| {
                vec![
                    run.no.into(),
                    direction.into(),
                    link.model_id.clone().into(),
                    link.step.into(),
                ]
            }
        };
        let rows: Vec<Vec<Value<'_>>> = inputs
            .iter()
            .map(row("in"))
            .chain(outputs.iter().map(row("out")))
            .collect();
        let head = "INSERT INTO run_models (run_no, direction, model_id, step)";
        self.db
            .insert(head, "ON CONFLICT DO NOTHING", &rows)
            .map(|_| ())
    }
}

impl Recorded<'_> {
    /// Sets the stage of a run and, when it has ended, makes the record just committed the one that stands for it.
    pub fn set_run_record(&self, run: &Run, stage: Stage) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET record_idx = $1, stage = $2 WHERE run_no = $3";
        let idx = run.status.is_ended().then_some(self.idx as i64);
        self.db
            .execute(sql, &[idx.into(), stage.word().into(), run.no.into()])
            .map(|_| ())
    }

    /// Removes a run with all its values.
    pub fn remove_run(&self, run: &Run) -> Result<(), StoreError> {
        for table in [
            "run_models",
            "run_input_tags",
            "run_inputs",
            "latest_metrics",
            "metrics",
            "tags",
            "params",
            "runs",
        ] {
            self.db.execute(
                &format!("DELETE FROM {table} WHERE run_no = $1"),
                &[run.no.into()],
            )?;
        }
        Ok(())
    }
}
