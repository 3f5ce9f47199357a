//! The steps that are done when a pipeline asks for them: scenarios, attacks, and newer data.

use veracta_governance::record::{
    DriftReport, PerformanceReport, PrivacyReport, Record, RobustnessReport,
};
use veracta_ledger::Hash;
use veracta_ml::drift::measurement::{DriftMeasurement, DriftOptions, measure_column};
use veracta_ml::drift::rule::Tolerances;
use veracta_ml::evaluation::{EvaluationOptions, Intervals, evaluate};
use veracta_ml::interval::metric_interval;
use veracta_ml::performance::Scored;
use veracta_ml::robustness::{Tried, robustness};
use veracta_ml::split::Role;
use veracta_store::NewRecord;

use super::{Execution, StepResult};
use crate::LifecycleError;
use crate::data::{csv_options, hash_file, read_table, rows_with};
use crate::robustness::attack_predictor;

impl Execution<'_> {
    /// Commits a record about the model.
    fn commit_about_model(
        &self,
        step: &str,
        key: Hash,
        records: Vec<Record>,
        rests_on: &[&str],
    ) -> Result<StepResult, LifecycleError> {
        let mut made = Vec::with_capacity(records.len());
        for record in records {
            let links = self.links(rests_on);
            made.push(self.commit(NewRecord {
                record,
                subject: self.model_subject(),
                key: Some(key),
                links,
                artifacts: Vec::new(),
            })?);
        }
        Ok(self.finish(step, made))
    }

    /// Tries the model under the plan's scenarios on the test part.
    pub(super) fn run_robustness(&self, key: Hash) -> Result<StepResult, LifecycleError> {
        let (_, model) = self.result("train").model()?;
        let plan = self.file.spec.validation_plan();
        let criterion = plan
            .robustness
            .as_ref()
            .expect("the step is part of the plan");
        let (dataset, predictor, test) = (self.dataset()?, self.predictor()?, self.test()?);
        let rows = predictor.encode(&dataset.table)?.select_rows(&test.rows);
        let is_number: Vec<bool> = predictor
            .inputs
            .iter()
            .map(|input| input.levels.is_none())
            .collect();
        let predict = |values: &[f64]| {
            let n_columns = rows.n_columns;
            predictor.predict(&veracta_ml::model::Matrix {
                values: values.to_vec(),
                n_rows: values.len() / n_columns,
                n_columns,
            })
        };
        let (metric, threshold, level) = (criterion.metric, plan.threshold, plan.level);
        let tried = Tried {
            rows: &rows,
            is_number: &is_number,
            labels: Some(&test.labels),
            metric,
            threshold,
            level,
        };
        let record = RobustnessReport {
            model: model.digest,
            data: dataset.digest,
            n: rows.n_rows,
            threshold,
            metric: Some(metric),
            baseline: metric_interval(
                &Scored::new(&test.labels, &test.scores)?,
                metric,
                threshold,
                level,
                plan.bootstrap,
            ),
            scenarios: robustness(&predict, tried, &criterion.scenarios, plan.bootstrap),
        };
        let rests_on = ["data", "split", "criteria", "train"];
        self.commit_about_model(
            "robustness",
            key,
            vec![Record::RobustnessReport(record)],
            &rests_on,
        )
    }

    /// Attacks the model: training rows against those of the test part.
    pub(super) fn run_privacy(&self, key: Hash) -> Result<StepResult, LifecycleError> {
        let (_, model) = self.result("train").model()?;
        let plan = self.file.spec.validation_plan();
        let criterion = plan.privacy.as_ref().expect("the step is part of the plan");
        let (dataset, predictor, roles) = (self.dataset()?, self.predictor()?, self.roles()?);
        let (members, others) = (
            rows_with(roles, |role| role == Role::Train),
            rows_with(roles, |role| role == Role::Test),
        );
        let rows = predictor.encode(&dataset.table)?;
        let side = |rows_of: &[usize]| -> (veracta_ml::model::Matrix, Vec<bool>) {
            (
                rows.select_rows(rows_of),
                rows_of.iter().map(|row| dataset.labels[*row]).collect(),
            )
        };
        let spec = self.file.spec.refit_spec();
        let attacks = attack_predictor(
            predictor,
            [side(&members), side(&others)],
            &spec,
            (criterion.n_shadows, plan.bootstrap.seed),
            plan.level,
        )?;
        let record = PrivacyReport {
            model: model.digest,
            data: [dataset.digest; 2],
            attacks,
            n_shadows: criterion.n_shadows,
        };
        self.commit_about_model(
            "privacy",
            key,
            vec![Record::PrivacyReport(record)],
            &["data", "split", "criteria", "train"],
        )
    }

    /// Holds newer rows against the training part; with labels among them performance is measured too.
    pub(super) fn run_monitor(&self, key: Hash) -> Result<StepResult, LifecycleError> {
        let (_, model) = self.result("train").model()?;
        let asked = self
            .file
            .spec
            .monitoring
            .as_ref()
            .expect("the step is part of the plan");
        let (dataset, predictor) = (self.dataset()?, self.predictor()?);
        let path = self.file.folder.join(&asked.current.value);
        let (_, current, _) = read_table(&path, &csv_options(&self.file.spec.data))?;
        let digest = hash_file(&path)?.0;
        let training = dataset
            .table
            .select_rows(&rows_with(self.roles()?, |role| role == Role::Train));
        let watched: Vec<&String> = predictor
            .inputs
            .iter()
            .map(|input| &input.name)
            .filter(|name| !asked.without.contains(name))
            .collect();
        let level = self.file.spec.validation.level;
        let tolerances = Tolerances {
            effect: asked.tolerance,
            level,
            ..Tolerances::default()
        };
        let options = DriftOptions {
            tolerances,
            ..DriftOptions::default()
        };
        let (mut columns, mut lost) = (Vec::new(), Vec::new());
        for name in &watched {
            let before = training
                .column(name)
                .expect("inputs are columns of the dataset");
            let now = current.columns.iter().find(|column| column.name == **name);
            match now.and_then(|now| measure_column(before, now, watched.len(), &options)) {
                Some(found) => columns.push(found),
                None => lost.push((*name).clone()),
            }
        }
        let is_known = |name: &String| {
            dataset
                .table
                .columns
                .iter()
                .any(|column| column.name == *name)
        };
        let added = current
            .columns
            .iter()
            .map(|column| column.name.clone())
            .filter(|name| !is_known(name))
            .collect();
        let measured = DriftMeasurement::new(
            [training.n_rows, current.n_rows],
            options,
            columns,
            lost,
            added,
        );
        let mut records = vec![Record::DriftReport(DriftReport::new(
            model.digest,
            [dataset.digest, digest],
            &measured,
        ))];
        if measured.lost.is_empty()
            && current
                .columns
                .iter()
                .any(|column| column.name == self.file.spec.data.label.column.value)
        {
            let label = &self.file.spec.data.label;
            let labels = crate::robustness::labels_of(
                &current,
                &path,
                &label.column.value,
                Some(&label.positive.value),
            )?;
            let scores = predictor.predict(&predictor.encode(&current)?);
            let plan = self.file.spec.validation_plan();
            let options = EvaluationOptions {
                metrics: Vec::new(),
                threshold: plan.threshold,
                level: plan.level,
                bootstrap: plan.bootstrap,
                group_rows_min: plan.group_rows_min,
                intervals: Intervals::Preferred,
                recalibrate: false,
            };
            let found = evaluate(&Scored::new(&labels, &scores)?, &[], None, options);
            records.push(Record::PerformanceReport(PerformanceReport::new(
                model.digest,
                digest,
                &found,
            )));
        }
        self.commit_about_model("monitor", key, records, &["data", "split", "train"])
    }
}
