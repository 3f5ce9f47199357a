//! Whether what is here is what the source has.

use veracta_store::Selection;
use veracta_store::tracking::{
    ArtifactFile, ForeignRun, KeyValue, Point, RegisteredModel, RegisteredVersion,
};

use crate::TrackingError;
use veracta_store::Platform;

/// All values of a metric.
const EVERYTHING: Selection = Selection {
    offset: 0,
    limit: u64::MAX,
};

fn sorted(values: &[KeyValue]) -> Vec<KeyValue> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted
}

/// A value of a metric in a form that has an order and an equality.
fn key_of(name: &str, point: &Point) -> (String, i64, i64, u64) {
    // SQLite has no negative zero.
    let value = if point.value.is_nan() {
        f64::NAN
    } else {
        point.value + 0.0
    };
    (
        name.to_owned(),
        point.timestamp_ms,
        point.step,
        value.to_bits(),
    )
}

/// Says in what a run differs from the one of the source.
pub(super) fn of_run(
    platform: &Platform,
    theirs: &ForeignRun,
    files: &[ArtifactFile],
) -> Result<Vec<String>, TrackingError> {
    let reading = platform.store.reading()?;
    let view = reading.view();
    let id = &theirs.run.id;
    let Some(run) = view.run(id)? else {
        return Ok(vec![format!("run {id} is not here")]);
    };
    let data = view
        .run_data(std::slice::from_ref(&run))?
        .pop()
        .unwrap_or_default();
    let mut ours = Vec::new();
    for name in view.metric_names(&run)? {
        ours.extend(
            view.metric_history(&run, &name, EVERYTHING)?
                .iter()
                .map(|point| key_of(&name, point)),
        );
    }
    let mut wanted: Vec<_> = theirs
        .metrics
        .iter()
        .map(|metric| key_of(&metric.name, &metric.point))
        .collect();
    ours.sort_unstable();
    wanted.sort_unstable();
    // A source may hold the same value twice; here it is one.
    wanted.dedup();
    let is_file_here = |file: &ArtifactFile| {
        Ok::<_, TrackingError>(view.artifact(&file.path)?.as_ref() == Some(file))
    };
    let mut has_files = true;
    for file in files {
        has_files &= is_file_here(file)?;
    }
    let parts = [
        (
            "status or times",
            (run.status, run.start_ms, run.end_ms)
                == (theirs.run.status, theirs.run.start_ms, theirs.run.end_ms),
        ),
        ("stage", run.stage == theirs.run.stage),
        ("parameters", sorted(&data.params) == sorted(&theirs.params)),
        ("tags", sorted(&data.tags) == sorted(&theirs.tags)),
        ("values of metrics", ours == wanted),
        ("inputs", data.inputs.len() == theirs.inputs.len()),
        (
            "logged models",
            data.model_inputs.len() + data.model_outputs.len()
                == theirs.model_inputs.len() + theirs.model_outputs.len(),
        ),
        ("files", has_files),
    ];
    Ok(parts
        .iter()
        .filter(|(_, is_same)| !is_same)
        .map(|(what, _)| format!("run {id}: other {what} here"))
        .collect())
}

/// Says in what a registered model differs from the one of the source.
pub(super) fn of_model(
    platform: &Platform,
    theirs: &RegisteredModel,
    versions: &[RegisteredVersion],
) -> Result<Vec<String>, TrackingError> {
    let reading = platform.store.reading()?;
    let name = &theirs.name;
    let Some(ours) = reading.view().registered_model(name)? else {
        return Ok(vec![format!("registered model `{name}` is not here")]);
    };
    let found = reading
        .view()
        .versions_of(std::slice::from_ref(name), true)?;
    let key = |version: &RegisteredVersion| {
        (
            version.version,
            version.stage.clone(),
            version.run_id.clone(),
            sorted(&version.tags),
        )
    };
    let mut aliases = theirs.aliases.clone();
    aliases.sort_unstable();
    let parts = [
        ("description", ours.description == theirs.description),
        ("tags", sorted(&ours.tags) == sorted(&theirs.tags)),
        ("aliases", ours.aliases == aliases),
        (
            "versions",
            found.iter().map(key).collect::<Vec<_>>()
                == versions.iter().map(key).collect::<Vec<_>>(),
        ),
    ];
    Ok(parts
        .iter()
        .filter(|(_, is_same)| !is_same)
        .map(|(what, _)| format!("registered model `{name}`: other {what} here"))
        .collect())
}
