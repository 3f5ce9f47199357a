//! `run`: one execution of a step, with its inputs, code, environment and outputs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use veracta_ledger::Hash;

/// One execution of a pipeline step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Name of the pipeline that the step belongs to.
    pub pipeline: String,
    /// Name of the step within the pipeline.
    pub step: String,
    /// Command, or the name of the built-in step.
    pub code: String,
    /// Settings of the step as JSON, with secrets masked.
    pub config: Value,
    /// Purposes for which the step uses the data, as the pipeline declares them.
    pub purposes: Vec<String>,
    /// Files and artefacts that the step read, by name and digest.
    pub inputs: Vec<NamedDigest>,
    /// Files and artefacts that the step wrote, by name and digest.
    pub outputs: Vec<NamedDigest>,
    /// Seed of the random numbers; `None` when the step uses none.
    pub seed: Option<u64>,
    /// Program, system, variables and tool versions of the execution.
    pub environment: RunEnvironment,
    /// Start of the execution, RFC 3339 in UTC.
    pub started: String,
    /// End of the execution, RFC 3339 in UTC.
    pub ended: String,
    /// Exit code of a command; 0 for a built-in step.
    pub exit_code: i32,
    /// SHA-256 of the log of a command, secrets masked.
    pub log: Option<Hash>,
    /// Metrics on the training rows, by name.
    pub metrics: BTreeMap<String, f64>,
}

/// A file or artefact by name and content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedDigest {
    /// Name of the artefact, or path relative to the folder it is listed for.
    pub name: String,
    /// SHA-256 of the bytes of the file or artefact.
    pub digest: Hash,
}

/// The program, system and tools that a step was executed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunEnvironment {
    /// Name and version of this program.
    pub program: String,
    /// Operating system and processor architecture.
    pub platform: String,
    /// Variables passed to a command; secrets as `***`.
    pub variables: BTreeMap<String, String>,
    /// Versions of the tools that a command names, by name.
    pub versions: BTreeMap<String, String>,
}
