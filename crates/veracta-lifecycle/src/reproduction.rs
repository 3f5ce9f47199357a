//! Doing a recorded pipeline again elsewhere, from recorded inputs, and comparing what comes out.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use veracta_governance::evidence::EvidenceSet;
use veracta_governance::record::{
    ModelVersion, OutputComparison, Record, ReproductionOutcome, ReproductionReport,
};
use veracta_ledger::Hash;
use veracta_ledger::entry::Link;
use veracta_model::numeric::largest_difference;
use veracta_model::training::TrainingSpec;
use veracta_store::{InitOptions, NewRecord, Platform, Store};

use crate::data::parts::read_parts;
use crate::pipeline::{PipelineFile, RunOptions, StepEvent, files_read, load_rows, run_pipeline};
use crate::registry::resolve_model;
use crate::training::ModelRequest;
use crate::validation::TestScores;

use crate::LifecycleError;

/// Largest difference of a test score that counts as none: ten times the rounding of 32-bit margins.
const TOLERANCE: f64 = 1e-6;

/// Runs the recorded pipeline of a model again in `scratch`, an empty folder, and records how it ended.
pub fn reproduce(
    platform: &Platform,
    reference: &str,
    scratch: &Path,
    events: &(dyn Fn(StepEvent) + Sync),
) -> Result<(u64, ReproductionReport), LifecycleError> {
    let (item, model) = resolve_model(&platform.store, reference)?;
    if let TrainingSpec::Tracked { version, .. } = &model.training {
        return Err(LifecycleError::TrainedElsewhere {
            version: version.clone(),
        });
    }
    let recorded = platform.store.lineage(item.idx)?;
    let file = materialise(platform, &recorded, scratch)?;
    let options = InitOptions {
        origin: None,
        actor: platform.actor.clone(),
        at: platform.now(),
        program: platform.program.clone(),
    };
    let again = Platform {
        store: Arc::new(Store::init(scratch, options)?),
        actor: platform.actor.clone(),
        clock: platform.clock,
        program: platform.program.clone(),
    };
    let data_file = scratch.join("recorded-data");
    let run_options = RunOptions {
        data_file: data_file.exists().then_some(data_file),
        documents_folder: None,
        dry_run: false,
    };
    let outcome = run_pipeline(&again, &file, &run_options, events)?;
    let model_idx = outcome.model_idx.ok_or(LifecycleError::MissingEvidence {
        kind: "model.version",
    })?;
    let remade = again.store.lineage(model_idx)?;
    let outputs = compare(&outputs_of(&recorded)?, &outputs_of(&remade)?);
    let is_same = |output: &OutputComparison| output.found == Some(output.expected);
    let (outcome, score_delta_max) = if outputs.iter().all(is_same) {
        (ReproductionOutcome::Bitwise, None)
    } else {
        let delta = score_delta(platform, &again, &recorded, &remade, &file)?;
        let is_near = delta.is_some_and(|delta| delta <= TOLERANCE);
        let outcome = match is_near {
            true => ReproductionOutcome::WithinTolerance,
            false => ReproductionOutcome::Differs,
        };
        (outcome, delta)
    };
    let report = ReproductionReport {
        model: model.digest,
        model_idx: item.idx,
        outcome,
        outputs,
        score_delta_max,
        tolerance: TOLERANCE,
        environment: format!("{}, {}", platform.program, platform.system()),
    };
    let new = NewRecord {
        record: Record::ReproductionReport(report.clone()),
        subject: item.entry.subject.clone(),
        key: None,
        links: vec![Link {
            idx: item.idx,
            body: item.entry.body,
        }],
        artifacts: Vec::new(),
    };
    let committed = platform.commit(new)?;
    platform.store.publish()?;
    Ok((committed.idx, report))
}

/// Writes the recorded pipeline and the recorded inputs into the folder.
fn materialise(
    platform: &Platform,
    recorded: &EvidenceSet,
    scratch: &Path,
) -> Result<PipelineFile, LifecycleError> {
    let blobs = platform.store.blobs();
    let artifacts = || recorded.iter().rev().flat_map(|item| &item.entry.artifacts);
    let pipeline = artifacts().find(|artifact| artifact.name == "pipeline");
    let pipeline = pipeline.ok_or(LifecycleError::MissingEvidence {
        kind: "recorded pipeline",
    })?;
    let text = String::from_utf8_lossy(&blobs.get(pipeline.digest)?).into_owned();
    let path = scratch.join("pipeline.yaml");
    write(&path, text.as_bytes())?;
    // Inputs of commands that no command writes: what the pipeline started from.
    let runs = || {
        recorded.iter().filter_map(|item| match &item.record {
            Record::Run(run) => Some(run),
            _ => None,
        })
    };
    let is_written =
        |name: &str| runs().any(|run| run.outputs.iter().any(|output| output.name == name));
    for run in runs().filter(|run| run.log.is_some()) {
        for input in run.inputs.iter().filter(|input| !is_written(&input.name)) {
            write(&scratch.join(&input.name), &blobs.get(input.digest)?)?;
        }
    }
    let mut file = PipelineFile::parse(&path, scratch, text)?;
    // A model does not rest on what was monitored afterwards, and its rows need not be there any more.
    file.spec.monitoring = None;
    // A model's file that nothing writes is an input of the run that took it.
    for run in runs().filter(|run| run.log.is_none()) {
        for input in run
            .inputs
            .iter()
            .filter(|input| files_read(&file).contains(&input.name))
        {
            if !is_written(&input.name) {
                write(&scratch.join(&input.name), &blobs.get(input.digest)?)?;
            }
        }
    }
    if !is_written(&file.spec.data.path.value) {
        let (_, data) = recorded
            .dataset_version()
            .ok_or(LifecycleError::MissingEvidence {
                kind: "dataset.version",
            })?;
        write(&scratch.join("recorded-data"), &blobs.get(data.digest)?)?;
    }
    Ok(file)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), LifecycleError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(LifecycleError::file(parent))?;
    }
    fs::write(path, bytes).map_err(LifecycleError::file(path))
}

/// Returns every output by name. Positions in the ledger and times differ between executions and are left out.
fn outputs_of(evidence: &EvidenceSet) -> Result<Vec<(String, Hash)>, LifecycleError> {
    let mut outputs = Vec::new();
    for item in evidence.iter() {
        let mut add = |name: &str, digest: Hash| outputs.push((name.to_owned(), digest));
        match &item.record {
            Record::DatasetVersion(body) => add("data/dataset", body.digest),
            Record::DatasetSplit(body) => add("split/assignment", body.assignment),
            Record::Run(run) => run
                .outputs
                .iter()
                .for_each(|output| add(&format!("{}/{}", run.step, output.name), output.digest)),
            Record::DatasetProfile(_) => add("profile/report", item.entry.body),
            Record::DatasetPhiScan(_) => add("scan/report", item.entry.body),
            Record::BiasReport(_) => add("screen/report", item.entry.body),
            Record::DatasetMinimisation(_) => add("minimise/report", item.entry.body),
            Record::ExplainReport(_) => add("explain/report", item.entry.body),
            Record::FairnessReport(_) => add("fairness/report", item.entry.body),
            Record::ValidationReport(body) => {
                let mut body = body.clone();
                body.plan_idx = 0;
                add(
                    "validate/report",
                    Hash::of(&Record::ValidationReport(body).to_bytes()?),
                );
            }
            _ => {}
        }
    }
    Ok(outputs)
}

fn compare(recorded: &[(String, Hash)], remade: &[(String, Hash)]) -> Vec<OutputComparison> {
    // The latest output of a name counts: a lineage may hold earlier results of the same model.
    let latest: std::collections::BTreeMap<&String, Hash> = recorded
        .iter()
        .map(|(name, digest)| (name, *digest))
        .collect();
    let find = |name: &String| {
        remade
            .iter()
            .rev()
            .find(|(other, _)| other == name)
            .map(|(_, digest)| *digest)
    };
    latest
        .into_iter()
        .map(|(name, expected)| OutputComparison {
            output: name.clone(),
            expected,
            found: find(name),
        })
        .collect()
}

/// Returns the largest difference between the two models' scores on the recorded test part.
fn score_delta(
    platform: &Platform,
    again: &Platform,
    recorded: &EvidenceSet,
    remade: &EvidenceSet,
    file: &PipelineFile,
) -> Result<Option<f64>, LifecycleError> {
    let (Some((_, first)), Some((_, second))) = (recorded.model_version(), remade.model_version())
    else {
        return Ok(None);
    };
    let Some((_, split)) = recorded.dataset_split() else {
        return Ok(None);
    };
    let parts = read_parts(platform.store.blobs(), split.assignment)?;
    let data_file = file.folder.join("recorded-data");
    if !data_file.exists() {
        return Ok(None);
    }
    let dataset = load_rows(file, &data_file)?;
    let score = |store: &Store, version: &ModelVersion| -> Result<Vec<f64>, LifecycleError> {
        let model = ModelRequest::of(version).read(store.blobs())?;
        Ok(TestScores::new(&dataset, &model, &parts)?.scores)
    };
    let (a, b) = (score(&platform.store, first)?, score(&again.store, second)?);
    Ok(Some(largest_difference(&a, &b)))
}
