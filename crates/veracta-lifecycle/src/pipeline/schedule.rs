//! In which order steps run: what each waits for, and commands that wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use super::spec::{CommandSpec, PipelineSpec};
use super::steps::{BUILT_IN, Step};

/// A step with those it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScheduledStep {
    pub(super) step: Step,
    /// Steps whose results its request is made of.
    pub(super) reads: Vec<Step>,
    /// Steps that only must have ended.
    pub(super) follows: Vec<Step>,
}

impl ScheduledStep {
    /// Returns every step it waits for, and its records rest on.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = Step> {
        self.reads.iter().chain(&self.follows).copied()
    }
}

/// Returns the steps of a pipeline in an order that respects what they wait for.
pub(super) fn schedule(spec: &PipelineSpec) -> Vec<ScheduledStep> {
    let writers = writers(&spec.steps);
    let commands = order(&spec.steps).into_iter().map(|position| {
        let reads = waits_for(&spec.steps[position], &writers);
        ScheduledStep {
            step: Step::Command(position),
            reads: reads.into_iter().map(Step::Command).collect(),
            follows: Vec::new(),
        }
    });
    let built_in = BUILT_IN.into_iter().filter(|step| step.is_asked(spec));
    let built_in = built_in.map(|step| {
        let is_asked = |needed: &&Step| needed.is_asked(spec);
        let descriptor = step.descriptor();
        let mut reads: Vec<Step> = descriptor.reads.iter().filter(is_asked).copied().collect();
        reads.extend(files_of(step, spec).iter().filter_map(|file| {
            let writer = writers.get(file.as_str())?;
            Some(Step::Command(*writer))
        }));
        if step == Step::Gate {
            reads.extend((0..spec.steps.len()).map(Step::Command));
        }
        let follows = descriptor.follows.iter().filter(is_asked).copied();
        ScheduledStep {
            step,
            reads,
            follows: follows.collect(),
        }
    });
    commands.chain(built_in).collect()
}

/// Returns the files in the pipeline's folder that a built-in step reads.
pub(super) fn files_of(step: Step, spec: &PipelineSpec) -> Vec<String> {
    let file = match step {
        Step::Data => Some(&spec.data.path),
        Step::Monitor => spec
            .monitoring
            .as_ref()
            .map(|monitoring| &monitoring.current),
        Step::Train => spec.training.path.as_ref(),
        Step::Command(_)
        | Step::Profile
        | Step::Scan
        | Step::Split
        | Step::Criteria
        | Step::Screen
        | Step::Minimise
        | Step::Validate
        | Step::Fairness
        | Step::Explain
        | Step::Robustness
        | Step::Privacy
        | Step::Gate
        | Step::Documents => None,
    };
    file.iter().map(|file| file.value.clone()).collect()
}

/// Returns the position of the command that writes each file.
fn writers(steps: &[CommandSpec]) -> BTreeMap<&str, usize> {
    let outputs = steps.iter().enumerate();
    let outputs = outputs.flat_map(|(position, step)| {
        let files = step.outputs.iter().map(|output| output.value.as_str());
        files.map(move |file| (file, position))
    });
    outputs.collect()
}

fn waits_for(step: &CommandSpec, writers: &BTreeMap<&str, usize>) -> BTreeSet<usize> {
    let inputs = step.inputs.iter();
    inputs
        .filter_map(|input| writers.get(input.value.as_str()).copied())
        .collect()
}

/// Returns the positions of commands so that each comes after those it waits for; commands on a cycle are left out.
fn order(steps: &[CommandSpec]) -> Vec<usize> {
    let writers = writers(steps);
    let mut ordered: Vec<usize> = Vec::new();
    loop {
        let is_ready = |position: &usize| {
            let mut needed = waits_for(&steps[*position], &writers).into_iter();
            !ordered.contains(position) && needed.all(|writer| ordered.contains(&writer))
        };
        let ready: Vec<usize> = (0..steps.len()).filter(is_ready).collect();
        if ready.is_empty() {
            return ordered;
        }
        ordered.extend(ready);
    }
}

/// Returns the names of commands that wait for each other, the first one repeated at the end.
pub(super) fn find_cycle(steps: &[CommandSpec]) -> Option<Vec<String>> {
    let ordered = order(steps);
    let writers = writers(steps);
    let is_stuck = |position: &usize| !ordered.contains(position);
    let start = (0..steps.len()).find(is_stuck)?;
    let mut path = vec![start];
    loop {
        let last = *path.last()?;
        let next = waits_for(&steps[last], &writers)
            .into_iter()
            .find(is_stuck)?;
        let closes = path.iter().position(|position| *position == next);
        path.push(next);
        if let Some(from) = closes {
            let cycle = path[from..].iter().rev();
            return Some(
                cycle
                    .map(|position| steps[*position].id.value.clone())
                    .collect(),
            );
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Returns commands from lines `name: inputs > outputs`.
    fn commands(lines: &[&str]) -> Vec<CommandSpec> {
        let list = |words: &str| {
            let words: Vec<String> = words
                .split_whitespace()
                .map(|word| format!("\"{word}\""))
                .collect();
            format!("[{}]", words.join(", "))
        };
        let parse = |line: &&str| {
            let (name, files) = line.split_once(':').unwrap();
            let (inputs, outputs) = files.split_once('>').unwrap();
            let (inputs, outputs) = (list(inputs), list(outputs));
            let text = format!("{{id: {name}, run: x, inputs: {inputs}, outputs: {outputs}}}");
            serde_saphyr::from_str(&text).unwrap()
        };
        lines.iter().map(parse).collect()
    }

    #[test]
    fn commands_come_after_those_that_write_what_they_read() {
        let check = |lines: &[&str], expected: &[usize]| {
            assert_eq!(order(&commands(lines)), expected, "{lines:?}");
        };
        check(&[], &[]);
        check(&["a: > x", "b: x > y", "c: y > z"], &[0, 1, 2]);
        check(&["c: y > z", "b: x > y", "a: > x"], &[2, 1, 0]);
        check(&["b: x y > z", "a: raw > x", "c: > y"], &[1, 2, 0]);
        check(&["a: y > x", "b: x > y", "c: > w"], &[2]);
        check(&["a: x > x"], &[]);
    }

    #[test]
    fn a_cycle_is_named_from_its_first_command() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let found = find_cycle(&commands(lines)).map(|names| names.join(" "));
            assert_eq!(found.as_deref(), expected, "{lines:?}");
        };
        check(&["a: > x", "b: x > y"], None);
        check(&["a: x > x"], Some("a a"));
        check(&["a: y > x", "b: x > y"], Some("a b a"));
        check(&["w: y > z", "a: y > x", "b: x > y"], Some("b a b"));
    }
}
