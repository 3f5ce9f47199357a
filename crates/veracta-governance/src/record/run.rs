//! `run`: one execution of a step, with its inputs, code, environment and outputs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use veracta_ledger::Hash;

/// One execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Pipeline it belongs to.
    pub pipeline: String,
    /// Step of the pipeline.
    pub step: String,
    /// Command, or the name of the built-in step.
    pub code: String,
    /// Settings, secrets masked.
    pub config: Value,
    /// What the data is used for.
    pub purposes: Vec<String>,
    /// What it read.
    pub inputs: Vec<NamedDigest>,
    /// What it wrote.
    pub outputs: Vec<NamedDigest>,
    /// Seed, when chance is involved.
    pub seed: Option<u64>,
    /// Program and platform.
    pub environment: RunEnvironment,
    /// Start, RFC 3339.
    pub started: String,
    /// End.
    pub ended: String,
    /// Exit code of a command; 0 for a built-in step.
    pub exit_code: i32,
    /// SHA-256 of the log of a command, secrets masked.
    pub log: Option<Hash>,
    /// Figures of merit on the training rows.
    pub metrics: BTreeMap<String, f64>,
}

/// A file or artefact by name and content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedDigest {
    /// Name or relative path.
    pub name: String,
    /// SHA-256 of the content.
    pub digest: Hash,
}

/// Where something ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunEnvironment {
    /// Program with its version.
    pub program: String,
    /// Operating system and processor.
    pub platform: String,
    /// Variables passed to a command; secrets as `***`.
    pub variables: BTreeMap<String, String>,
    /// Versions of tools that a command names.
    pub versions: BTreeMap<String, String>,
}
