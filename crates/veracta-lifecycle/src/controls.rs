//! The state of the evidence for each control of the frameworks that a model stands under.

use veracta_governance::controls::{Catalogue, ControlResult, ControlScope, evaluate_controls};
use veracta_store::Platform;

use crate::LifecycleError;
use crate::pipeline::PipelineFile;
use crate::registry::evidence_for;

/// Controls with the state of their evidence.
#[derive(Debug, Clone)]
pub struct ControlStates {
    /// Frameworks whose controls are listed: those asked for, else those the pipeline declares.
    pub frameworks: Vec<String>,
    /// Their controls in the order of the catalogue.
    pub results: Vec<ControlResult>,
}

/// Returns the state of every control of some frameworks for the model at a position; with none named, of the frameworks that the
/// recorded pipeline declares.
pub fn control_states(
    platform: &Platform,
    idx: u64,
    frameworks: &[String],
) -> Result<ControlStates, LifecycleError> {
    let known = &Catalogue::shipped().frameworks;
    if let Some(unknown) = frameworks.iter().find(|name| !known.contains_key(*name)) {
        return Err(LifecycleError::UnknownFramework {
            framework: unknown.clone(),
            known: known.keys().cloned().collect(),
        });
    }
    let frameworks = match frameworks {
        [] => declared(platform, idx)?,
        named => named.to_vec(),
    };
    if frameworks.is_empty() {
        return Err(LifecycleError::NoFramework);
    }
    let evidence = evidence_for(&platform.store, idx)?;
    let scope = ControlScope {
        frameworks: &frameworks,
        today: &platform.today(),
    };
    let mut results = evaluate_controls(Catalogue::shipped(), &evidence, scope);
    results.retain(|result| frameworks.contains(&result.control.framework));
    Ok(ControlStates {
        frameworks,
        results,
    })
}

/// Returns the frameworks that the recorded pipeline declares.
fn declared(platform: &Platform, idx: u64) -> Result<Vec<String>, LifecycleError> {
    let lineage = platform.store.lineage(idx)?;
    let mut artifacts = lineage.iter().rev().flat_map(|item| &item.entry.artifacts);
    let pipeline = artifacts.find(|artifact| artifact.name == "pipeline");
    let Some(pipeline) = pipeline else {
        return Ok(Vec::new());
    };
    let text = String::from_utf8_lossy(&platform.store.blobs().get(pipeline.digest)?).into_owned();
    let file = PipelineFile::parse("pipeline.yaml".as_ref(), ".".as_ref(), text)?;
    Ok(file.spec.framework_names())
}
