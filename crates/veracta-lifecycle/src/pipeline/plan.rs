//! What will be done: the steps, what each waits for, and the content key that says whether it was done before.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use veracta_ledger::Hash;

use super::spec::{CommandSpec, PipelineSpec};

/// The built-in steps in an order that respects what they wait for.
pub const BUILT_IN: &[(&str, &[&str])] = &[
    ("data", &[]),
    ("profile", &["data"]),
    ("scan", &["data"]),
    ("split", &["data"]),
    ("criteria", &["data"]),
    ("screen", &["split"]),
    ("minimise", &["screen"]),
    ("train", &["split", "criteria"]),
    ("validate", &["train", "criteria"]),
    ("fairness", &["train", "criteria"]),
    ("explain", &["train"]),
    ("robustness", &["train", "criteria"]),
    ("privacy", &["train", "criteria"]),
    (
        "gate",
        &[
            "criteria",
            "profile",
            "scan",
            "screen",
            "minimise",
            "validate",
            "fairness",
            "explain",
            "robustness",
            "privacy",
        ],
    ),
    ("documents", &["gate"]),
    ("monitor", &["gate"]),
];

/// Returns whether a built-in step is part of this pipeline: some are only when they are asked for.
fn is_asked(spec: &PipelineSpec, step: &str) -> bool {
    match step {
        "robustness" => spec.validation.robustness.is_some(),
        "privacy" => spec.validation.privacy.is_some(),
        "monitor" => spec.monitoring.is_some(),
        _ => true,
    }
}

/// Version of what the built-in steps compute: raised when the same inputs give other records.
const STEPS_VERSION: u32 = 1;

/// One step of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// Its name.
    pub id: String,
    /// Steps it waits for.
    pub waits_for: Vec<String>,
    /// Position among `steps:` for a command; `None` for a built-in step.
    #[serde(skip)]
    pub command: Option<usize>,
}

/// Returns the steps of a pipeline in an order that respects what they wait for.
pub fn plan(spec: &PipelineSpec) -> Vec<PlannedStep> {
    let writers = writers(&spec.steps);
    let mut steps: Vec<PlannedStep> = order(&spec.steps)
        .into_iter()
        .map(|position| {
            let step = &spec.steps[position];
            let waits_for = waits_for(step, &writers)
                .into_iter()
                .map(str::to_owned)
                .collect();
            PlannedStep {
                id: step.id.value.clone(),
                waits_for,
                command: Some(position),
            }
        })
        .collect();
    for (id, waits_for) in BUILT_IN.iter().filter(|(id, _)| is_asked(spec, id)) {
        let asked = waits_for.iter().filter(|step| is_asked(spec, step));
        let mut waits_for: Vec<String> = asked.map(|step| (*step).to_owned()).collect();
        if *id == "data" {
            waits_for.extend(
                writers
                    .get(spec.data.path.value.as_str())
                    .map(|writer| (*writer).to_owned()),
            );
        }
        if *id == "monitor" {
            let current = spec
                .monitoring
                .as_ref()
                .map(|monitoring| monitoring.current.value.as_str());
            waits_for.extend(
                current
                    .and_then(|current| writers.get(current))
                    .map(|writer| (*writer).to_owned()),
            );
        }
        if *id == "gate" {
            waits_for.extend(spec.steps.iter().map(|step| step.id.value.clone()));
        }
        steps.push(PlannedStep {
            id: (*id).to_owned(),
            waits_for,
            command: None,
        });
    }
    steps
}

fn writers(steps: &[CommandSpec]) -> BTreeMap<&str, &str> {
    steps
        .iter()
        .flat_map(|step| {
            step.outputs
                .iter()
                .map(|output| (output.value.as_str(), step.id.value.as_str()))
        })
        .collect()
}

fn waits_for<'s>(step: &'s CommandSpec, writers: &BTreeMap<&'s str, &'s str>) -> BTreeSet<&'s str> {
    step.inputs
        .iter()
        .filter_map(|input| writers.get(input.value.as_str()).copied())
        .collect()
}

/// Returns the positions of commands so that each comes after those it waits for; commands on a cycle are left out.
fn order(steps: &[CommandSpec]) -> Vec<usize> {
    let writers = writers(steps);
    let (mut done, mut ordered) = (BTreeSet::new(), Vec::new());
    loop {
        let ready: Vec<usize> = (0..steps.len())
            .filter(|position| {
                !ordered.contains(position)
                    && waits_for(&steps[*position], &writers)
                        .iter()
                        .all(|id| done.contains(id))
            })
            .collect();
        if ready.is_empty() {
            return ordered;
        }
        done.extend(
            ready
                .iter()
                .map(|position| steps[*position].id.value.as_str()),
        );
        ordered.extend(ready);
    }
}

/// Returns the names of commands that wait for each other, the first one repeated at the end.
pub(super) fn find_cycle(steps: &[CommandSpec]) -> Option<Vec<String>> {
    let ordered = order(steps);
    let writers = writers(steps);
    let start = (0..steps.len()).find(|position| !ordered.contains(position))?;
    let mut path = vec![steps[start].id.value.as_str()];
    loop {
        let last = path.last().copied()?;
        let step = steps.iter().find(|step| step.id.value == last)?;
        let is_stuck = |id: &&str| {
            steps
                .iter()
                .position(|step| step.id.value == **id)
                .is_some_and(|at| !ordered.contains(&at))
        };
        let next = waits_for(step, &writers)
            .into_iter()
            .find(|id| is_stuck(id))?;
        if let Some(from) = path.iter().position(|id| *id == next) {
            path.push(next);
            return Some(
                path[from..]
                    .iter()
                    .rev()
                    .map(|id| (*id).to_owned())
                    .collect(),
            );
        }
        path.push(next);
    }
}

/// Returns the content key of a step: equal code version and settings, on inputs of equal content, give an equal key.
pub fn content_key(step: &str, inputs: &[Hash], settings: &impl Serialize) -> Hash {
    let settings =
        serde_json::to_vec(settings).expect("settings are plain data with finite numbers");
    let mut bytes = format!("veracta step {step} version {STEPS_VERSION}\n").into_bytes();
    inputs.iter().for_each(|input| bytes.extend(input.0));
    bytes.extend(settings);
    Hash::of(&bytes)
}
