//! Reading a pipeline file: its text into a checked specification, or every problem with its place.

use std::path::Path;

use veracta_ledger::Hash;

use super::spec::{FILE_BYTES_LIMIT, PipelineFile, PipelineSpec};
use crate::{LifecycleError, Problem};

impl PipelineFile {
    /// Reads and checks a pipeline file; all problems that can be seen without the data are reported at once.
    pub fn read(path: &Path) -> Result<Self, LifecycleError> {
        let metadata = std::fs::metadata(path).map_err(LifecycleError::file(path))?;
        if metadata.len() > FILE_BYTES_LIMIT {
            return Err(whole_file(
                path,
                format!(
                    "{} bytes are over the limit of {FILE_BYTES_LIMIT}",
                    metadata.len()
                ),
            ));
        }
        let bytes = std::fs::read(path).map_err(LifecycleError::file(path))?;
        let text =
            String::from_utf8(bytes).map_err(|_| whole_file(path, "not UTF-8 text".to_owned()))?;
        let folder = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        Self::parse(path, folder, text)
    }

    /// Reads a pipeline from its text.
    pub fn parse(path: &Path, folder: &Path, text: String) -> Result<Self, LifecycleError> {
        let spec: PipelineSpec = serde_saphyr::from_str(&text).map_err(|error| {
            let (line, column) = error.location().map_or((0, 0), |place| {
                (place.line() as usize, place.column() as usize)
            });
            let whole = first_line(&error.without_snippet().to_string());
            // The place is printed beside it already, and advice to programmers helps nobody here.
            let message = whole.split(" at line ").next().unwrap_or_default();
            let message = message
                .split(", set DuplicateKeyPolicy")
                .next()
                .unwrap_or_default()
                .to_owned();
            let (message, hint) = match message.split_once(", expected one of ") {
                Some((problem, known)) => (problem.to_owned(), Some(nearest_field(problem, known))),
                None => (message, None),
            };
            LifecycleError::Spec(vec![Problem {
                file: path.display().to_string(),
                line,
                column,
                message,
                hint,
            }])
        })?;
        let problems = super::check::check(&spec, path, &text);
        if !problems.is_empty() {
            return Err(LifecycleError::Spec(problems));
        }
        Ok(Self {
            path: path.to_owned(),
            folder: folder.to_owned(),
            text,
            spec,
        })
    }

    /// Returns the digest of the text.
    pub fn digest(&self) -> Hash {
        Hash::of(self.text.as_bytes())
    }
}

/// Returns the field closest to the one between backticks.
fn nearest_field(problem: &str, known: &str) -> String {
    let unknown = problem.split('`').nth(1).unwrap_or_default();
    let nearest = super::did_you_mean(unknown, known.split(", "));
    nearest.unwrap_or_else(|| format!("there are {known}; `veracta schema pipeline` explains them"))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn whole_file(path: &Path, message: String) -> LifecycleError {
    LifecycleError::Spec(vec![Problem {
        file: path.display().to_string(),
        line: 0,
        column: 0,
        message,
        hint: None,
    }])
}
