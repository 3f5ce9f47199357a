//! What an import counts.

/// Number of things of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Number of experiments, deleted ones included.
    pub experiments: u64,
    /// Number of runs, deleted ones included.
    pub runs: u64,
    /// Number of parameters of all runs.
    pub params: u64,
    /// Number of tags of all runs.
    pub tags: u64,
    /// Number of values in the histories of all metrics.
    pub points: u64,
    /// Number of uses of a dataset as the input of a run.
    pub inputs: u64,
    /// Number of models logged by runs or clients.
    pub logged_models: u64,
    /// Number of registered models, without their versions.
    pub registered_models: u64,
    /// Number of versions of registered models, deleted ones included.
    pub versions: u64,
    /// Number of files of runs and models.
    pub files: u64,
    /// Total length of these files in bytes.
    pub bytes: u64,
}
