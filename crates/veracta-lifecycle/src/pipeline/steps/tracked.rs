//! A model that a client of the tracking server trained, logged and registered: found by its records, never by what stands in the
//! tables now.

use std::collections::BTreeMap;

use serde::Serialize;
use veracta_governance::record::{Record, RegistryVersion};
use veracta_ledger::Hash;
use veracta_ledger::entry::Link;
use veracta_tracking::subject_of_version;

use super::Done;
use crate::LifecycleError;
use crate::pipeline::spec::PipelineSpec;

/// Names under which clients log models that can be judged.
const MODEL_FILES: [&str; 7] = [
    "model.lgb",
    "model.ubj",
    "model.json",
    "model.xgb",
    "model.txt",
    "model.bst",
    "model.onnx",
];

/// Names under which clients log Python objects, scikit-learn's wrappers of boosters among them.
const WRAPPED: [&str; 3] = ["model.skops", "model.pkl", "python_model.pkl"];

/// A registered version with the run that made it.
#[derive(Serialize)]
pub(super) struct Tracked {
    /// Name of the model's file.
    pub(super) file: String,
    /// SHA-256 of the model's file.
    pub(super) digest: Hash,
    /// Id of the run that made the version.
    pub(super) run_id: String,
    /// Id of the run's experiment, a number in decimal digits.
    pub(super) experiment_id: String,
    /// Name of the run in the tracking server.
    pub(super) name: String,
    /// Parameters that the client logged for the run, by name.
    pub(super) params: BTreeMap<String, String>,
    /// When it began, in milliseconds since 1970.
    pub(super) start_ms: i64,
    /// When it ended, in milliseconds since 1970; `None` when the client gave no time.
    pub(super) end_ms: Option<i64>,
    /// The records of the run and of the version. Places in the ledger are how a result came about, never what it is.
    #[serde(skip)]
    pub(super) links: Vec<Link>,
}

/// Returns the version that the pipeline file names, such as `churn@3`.
pub(super) fn tracked(
    spec: &PipelineSpec,
    name: &str,
    done: &Done<'_>,
) -> Result<Tracked, LifecycleError> {
    let checked = "checked when the file was read";
    let named = spec.training.version.as_ref().expect(checked);
    let (model, number) = name.rsplit_once('@').expect(checked);
    let subject = subject_of_version(model, number.parse().unwrap_or_default());
    let unknown = || {
        let message = format!("no version `{name}` is registered here");
        done.refused(
            named,
            message,
            "veracta log --kind registry.version lists them",
        )
    };
    let version = done.store.about("registry.version", &subject)?.pop();
    let version = version.ok_or_else(unknown)?;
    let Record::RegistryVersion(body) = &version.record else {
        return Err(unknown());
    };
    if body.event == "deleted" {
        let message = format!("version `{name}` was deleted");
        return Err(done.refused(named, message, "name one that is there"));
    }
    let unfinished = || {
        let message = format!("version `{name}` was made by no finished run, so nothing says how");
        let hint = "register a version with the id of the run that made it, after that run ended";
        done.refused(named, message, hint)
    };
    // The record of the version rests on its run when that had ended; else the run's own latest record counts.
    let run = done
        .store
        .about("run", &format!("run:{}", body.run_id))?
        .pop();
    let run = run.ok_or_else(unfinished)?;
    let Record::TrackedRun(run_body) = &run.record else {
        return Err(unfinished());
    };
    if run_body.status != "FINISHED" {
        return Err(unfinished());
    }
    let (file, digest) = model_file(spec, body, done)?;
    let links = [&run, &version].map(|item| Link {
        idx: item.idx,
        body: item.entry.body,
    });
    Ok(Tracked {
        file,
        digest,
        run_id: run_body.run_id.clone(),
        experiment_id: run_body.experiment_id.to_string(),
        name: run_body.name.clone(),
        params: run_body.params.clone(),
        start_ms: run_body.start_ms,
        end_ms: run_body.end_ms,
        links: links.to_vec(),
    })
}

/// Finds the model among the files of a version.
fn model_file(
    spec: &PipelineSpec,
    version: &RegistryVersion,
    done: &Done<'_>,
) -> Result<(String, Hash), LifecycleError> {
    let training = &spec.training;
    let place = training.file.as_ref().or(training.version.as_ref());
    let place = place.expect("checked when the file was read");
    let own = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let is_wanted = |name: &str| match &training.file {
        Some(file) => file.value == name,
        None => MODEL_FILES.contains(&own(name).as_str()),
    };
    let files = &version.artifacts;
    let found: Vec<_> = files
        .iter()
        .filter(|artifact| is_wanted(&artifact.name))
        .collect();
    if let [artifact] = found[..] {
        return Ok((artifact.name.clone(), artifact.digest));
    }
    let names: Vec<&str> = files
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
    Err(done.refused(
        place,
        message,
        &format!("{hint}; it has {}", names.join(", ")),
    ))
}
