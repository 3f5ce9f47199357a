//! A model that a client of the tracking server trained, logged and registered: found by its records, never by what stands in the tables now.

use serde_json::json;
use serde_saphyr::Spanned;
use veracta_governance::evidence::Evidence;
use veracta_governance::record::{Record, RegistryVersion, TrackedRun};
use veracta_ledger::Hash;
use veracta_ledger::entry::Link;
use veracta_ml::model::Predictor;
use veracta_ml::training::TrainingSpec;

use super::Execution;
use crate::tracking::subject_of_version;
use crate::{LifecycleError, Problem};

/// Names under which clients log models that can be judged.
const MODEL_FILES: [&str; 6] = [
    "model.lgb",
    "model.ubj",
    "model.json",
    "model.xgb",
    "model.txt",
    "model.bst",
];

/// Names under which clients log Python objects, scikit-learn's wrappers of boosters among them.
const WRAPPED: [&str; 3] = ["model.skops", "model.pkl", "python_model.pkl"];

/// A registered version with the run that made it.
pub(super) struct Tracked {
    /// The record of the version.
    pub(super) version: Evidence,
    /// The record of the run.
    pub(super) run: Evidence,
    /// What the run was.
    pub(super) body: TrackedRun,
    /// Name of the model's file.
    pub(super) file: String,
    /// SHA-256 of the model's file.
    pub(super) digest: Hash,
}

impl Execution<'_> {
    /// Returns the model that the pipeline file names; `None` when it trains one itself.
    pub(super) fn tracked(&self) -> Result<Option<Tracked>, LifecycleError> {
        let TrainingSpec::Tracked { version: name, .. } = self.file.spec.training_spec() else {
            return Ok(None);
        };
        let named = self
            .file
            .spec
            .training
            .version
            .as_ref()
            .expect("checked when the file was read");
        let (model, number) = name
            .rsplit_once('@')
            .expect("checked when the file was read");
        let subject = subject_of_version(model, number.parse().unwrap_or_default());
        let store = &self.platform.store;
        let unknown = || {
            self.refused(
                named,
                format!("no version `{name}` is registered here"),
                "veracta log --kind registry.version lists them",
            )
        };
        let version = store
            .about("registry.version", &subject)?
            .pop()
            .ok_or_else(unknown)?;
        let Record::RegistryVersion(body) = version.record.clone() else {
            return Err(unknown());
        };
        if body.event == "deleted" {
            return Err(self.refused(
                named,
                format!("version `{name}` was deleted"),
                "name one that is there",
            ));
        }
        let unfinished = || {
            let message =
                format!("version `{name}` was made by no finished run, so nothing says how");
            self.refused(
                named,
                message,
                "register a version with the id of the run that made it, after that run ended",
            )
        };
        // The record of the version rests on its run when that had ended; else the run's own latest record counts.
        let run = store
            .about("run", &format!("run:{}", body.run_id))?
            .pop()
            .ok_or_else(unfinished)?;
        let Record::TrackedRun(run_body) = run.record.clone() else {
            return Err(unfinished());
        };
        if run_body.status != "FINISHED" {
            return Err(unfinished());
        }
        let (file, digest) = self.model_file(&body)?;
        Ok(Some(Tracked {
            version,
            run,
            body: run_body,
            file,
            digest,
        }))
    }

    /// Finds the model among the files of a version.
    fn model_file(&self, version: &RegistryVersion) -> Result<(String, Hash), LifecycleError> {
        let training = &self.file.spec.training;
        let place = training
            .file
            .as_ref()
            .or(training.version.as_ref())
            .expect("checked when the file was read");
        let own = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
        let is_wanted = |name: &str| match &training.file {
            Some(file) => file.value == name,
            None => MODEL_FILES.contains(&own(name).as_str()),
        };
        let found: Vec<_> = version
            .artifacts
            .iter()
            .filter(|artifact| is_wanted(&artifact.name))
            .collect();
        match found[..] {
            [artifact] => Ok((artifact.name.clone(), artifact.digest)),
            _ => {
                let names: Vec<&str> = version
                    .artifacts
                    .iter()
                    .map(|artifact| artifact.name.as_str())
                    .collect();
                let is_wrapped = names
                    .iter()
                    .any(|name| WRAPPED.contains(&own(name).as_str()));
                let (message, hint) = match found.len() {
                    0 if is_wrapped => (
                        "the version holds a Python object, which is not read".to_owned(),
                        "log the booster itself: `model.booster_` of LightGBM, `model.get_booster()` of XGBoost",
                    ),
                    0 => (
                        "the version has no such file".to_owned(),
                        "say which with `training.file`",
                    ),
                    n => (
                        format!("{n} files of the version could be the model"),
                        "say which with `training.file`",
                    ),
                };
                Err(self.refused(
                    place,
                    message,
                    &format!("{hint}; it has {}", names.join(", ")),
                ))
            }
        }
    }

    fn refused(&self, place: &Spanned<String>, message: String, hint: &str) -> LifecycleError {
        LifecycleError::Spec(vec![Problem {
            file: self.file.path.display().to_string(),
            line: place.referenced.line() as usize,
            column: place.referenced.column() as usize,
            message,
            hint: Some(hint.to_owned()),
        }])
    }

    /// A model that was trained elsewhere also rests on the run that made it, and on its registration.
    pub(super) fn links_of_training(&self, tracked: Option<&Tracked>) -> Vec<Link> {
        let mut links = self.links(&["data", "split", "criteria"]);
        let made_by = tracked
            .into_iter()
            .flat_map(|tracked| [&tracked.run, &tracked.version]);
        links.extend(made_by.map(|item| Link {
            idx: item.idx,
            body: item.entry.body,
        }));
        links
    }
}

pub(super) fn code_of(tracked: Option<&Tracked>, predictor: &Predictor) -> String {
    match tracked {
        Some(tracked) => format!(
            "run {} of the tracking server (record #{})",
            tracked.body.run_id, tracked.run.idx
        ),
        None => format!("built-in {}", predictor.kind()),
    }
}

/// Returns what a model was trained with: of one trained elsewhere the parameters that its run logged.
pub(super) fn config_of(
    tracked: Option<&Tracked>,
    training: &TrainingSpec,
) -> Result<serde_json::Value, LifecycleError> {
    let Some(tracked) = tracked else {
        return Ok(serde_json::to_value(training)?);
    };
    let (run, file) = (&tracked.body, &tracked.file);
    Ok(
        json!({ "tracked": training, "file": file, "params": run.params, "experiment": run.experiment_id, "name": run.name }),
    )
}

pub(super) fn time_of(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map(|time| format!("{time:.3}"))
        .unwrap_or_default()
}
