//! A step that is a command: run it in the pipeline's folder, keep its log, hash what it wrote.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use veracta_governance::record::NamedDigest;
use veracta_ledger::Hash;
use veracta_ledger::entry::Artifact;

use crate::data::hash_file;
use serde::Serialize;
use veracta_store::{Platform, Store};

use crate::LifecycleError;

/// Wait for the rest of the log of a command that was ended.
const LOG_WAIT: Duration = Duration::from_secs(2);
/// Most bytes kept of a log; the middle of a longer one is left out.
const LOG_BYTES_LIMIT: usize = 4 << 20;
const MASK: &str = "***";

/// A command and its files.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Command {
    /// Name that the pipeline file gives the step.
    pub(super) id: String,
    /// What is run by `sh -c`.
    pub(super) run: String,
    /// Files it reads, relative to the pipeline's folder; the store keeps each as an artefact of the run.
    pub(super) inputs: Vec<String>,
    /// Files it must write, relative to the pipeline's folder; earlier ones are moved aside before it runs.
    pub(super) outputs: Vec<String>,
    /// Variables that the pipeline file sets, beside `PATH` and `HOME` of the environment.
    pub(super) env: BTreeMap<String, String>,
    /// Names of variables that it gets from the environment.
    pub(super) secrets: Vec<String>,
    /// Commands whose output states a version.
    pub(super) versions: BTreeMap<String, String>,
    /// Longest run, in seconds. A command that ended within one limit is the same under any other.
    #[serde(skip)]
    pub(super) seconds_max: u64,
}

/// What a command that ended with exit code 0 wrote and printed, and with which variables it ran.
pub(super) struct CommandResult {
    pub(super) outputs: Vec<NamedDigest>,
    pub(super) log: Hash,
    pub(super) artifacts: Vec<Artifact>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) versions: BTreeMap<String, String>,
}

/// Puts recorded outputs back where a file is missing or differs.
pub(super) fn restore_outputs(
    store: &Store,
    folder: &Path,
    outputs: &[NamedDigest],
) -> Result<(), LifecycleError> {
    for output in outputs {
        let path = folder.join(&output.name);
        if hash_file(&path).is_ok_and(|(digest, _)| digest == output.digest) {
            continue;
        }
        let bytes = store.blobs().get(output.digest)?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(LifecycleError::file(parent))?;
        }
        fs::write(&path, &bytes).map_err(LifecycleError::file(&path))?;
    }
    Ok(())
}

/// Stores a file's content and returns the artefact that commits to it. What a command reads and writes may be personal.
pub(super) fn store_file(
    platform: &Platform,
    name: &str,
    path: &Path,
) -> Result<Artifact, LifecycleError> {
    let (digest, bytes) = hash_file(path)?;
    let mut file = File::open(path).map_err(LifecycleError::file(path))?;
    platform.store.blobs().put_reader(digest, &mut file)?;
    Ok(Artifact {
        name: name.to_owned(),
        digest,
        bytes,
        personal: true,
    })
}

/// Runs a command in `folder` and stores its inputs, outputs and log. An exit code other than 0 is an error, after which earlier
/// outputs are put back.
pub(super) fn run(
    platform: &Platform,
    step: &Command,
    folder: &Path,
) -> Result<CommandResult, LifecycleError> {
    let id = &step.id;
    let mut variables: BTreeMap<String, String> = ["PATH", "HOME"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect();
    variables.extend(step.env.clone());
    let mut secrets = Vec::new();
    for name in &step.secrets {
        let value = std::env::var(name).map_err(|_| LifecycleError::MissingSecret {
            step: id.clone(),
            variable: name.clone(),
        })?;
        variables.insert(name.clone(), value.clone());
        secrets.push(value);
    }
    let aside = SetAside::take(step, folder)?;
    let (exit_code, log) = execute(
        &step.run,
        folder,
        &variables,
        Duration::from_secs(step.seconds_max),
    )?;
    let log = mask(log, &secrets);
    if exit_code != 0 {
        let lines: Vec<&str> = log.lines().collect();
        let log_end = lines[lines.len().saturating_sub(12)..].join("\n");
        return Err(LifecycleError::Command {
            step: id.clone(),
            exit_code,
            log_end,
        });
    }
    let mut versions = BTreeMap::new();
    for (name, command) in &step.versions {
        let (_, output) = execute(command, folder, &variables, Duration::from_secs(60))?;
        versions.insert(
            name.clone(),
            mask(output, &secrets).trim().chars().take(200).collect(),
        );
    }
    let mut artifacts = Vec::new();
    for input in &step.inputs {
        artifacts.push(store_file(platform, input, &folder.join(input))?);
    }
    let mut outputs = Vec::new();
    for output in &step.outputs {
        let path = folder.join(output);
        if !path.is_file() {
            return Err(LifecycleError::MissingOutput {
                step: id.clone(),
                output: output.clone(),
            });
        }
        let artifact = store_file(platform, output, &path)?;
        outputs.push(NamedDigest {
            name: output.clone(),
            digest: artifact.digest,
        });
        artifacts.push(artifact);
    }
    aside.discard();
    let bytes = log.len() as u64;
    let log = platform.store.blobs().put(log.into_bytes())?;
    artifacts.push(Artifact {
        name: "log".to_owned(),
        digest: log,
        bytes,
        personal: true,
    });
    // Folders of a person's home say who ran it: recorded without their values.
    for name in ["HOME", "PATH"] {
        variables.insert(name.to_owned(), MASK.to_owned());
    }
    step.secrets.iter().for_each(|name| {
        variables.insert(name.clone(), MASK.to_owned());
    });
    Ok(CommandResult {
        outputs,
        log,
        artifacts,
        variables,
        versions,
    })
}

/// Outputs of an earlier run, moved aside so that they cannot pass for new ones; put back unless the command succeeds.
struct SetAside(Vec<(PathBuf, PathBuf)>);

impl SetAside {
    fn take(step: &Command, folder: &Path) -> Result<Self, LifecycleError> {
        let mut moved = Self(Vec::new());
        for output in &step.outputs {
            let path = folder.join(output);
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(".veracta-before");
            let aside = path.with_file_name(name);
            match fs::rename(&path, &aside) {
                Ok(()) => moved.0.push((path, aside)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(LifecycleError::file(&path)(error)),
            }
        }
        Ok(moved)
    }

    /// Forgets the earlier outputs: the new ones are stored.
    fn discard(mut self) {
        for (_, aside) in self.0.drain(..) {
            // What cannot be removed stays beside the new output under a name that says what it is.
            let _ = fs::remove_file(aside);
        }
    }
}

impl Drop for SetAside {
    fn drop(&mut self) {
        for (path, aside) in self.0.drain(..) {
            // The error that brought us here says more than a failing rename would.
            let _ = fs::rename(aside, path);
        }
    }
}

/// Runs a shell command with these variables only, and returns its exit code and both its streams.
fn execute(
    command: &str,
    folder: &Path,
    variables: &BTreeMap<String, String>,
    longest: Duration,
) -> Result<(i32, String), LifecycleError> {
    let failed = |source| LifecycleError::File {
        file: command.to_owned(),
        source,
    };
    let (mut reader, writer) = std::io::pipe().map_err(failed)?;
    let mut shell = process::Command::new("sh");
    shell
        .arg("-c")
        .arg(command)
        .current_dir(folder)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null());
    shell
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    let mut child = shell.spawn().map_err(failed)?;
    // The command's own copies of the pipe's end go with it; ours must go now, or the reader never ends.
    drop(shell);
    let (finished, on_finish) = channel();
    std::thread::spawn(move || {
        let (mut log, mut chunk) = (Vec::new(), [0; 1 << 16]);
        while let Ok(n) = reader.read(&mut chunk) {
            if n == 0 {
                break;
            }
            log.extend(&chunk[..n]);
            if log.len() > LOG_BYTES_LIMIT {
                let half = LOG_BYTES_LIMIT / 2;
                log.drain(half..log.len() - half);
            }
        }
        // The receiver is gone only when the caller has given up on the command.
        let _ = finished.send(log);
    });
    let (log, timed_out) = match on_finish.recv_timeout(longest) {
        Ok(log) => (log, false),
        Err(RecvTimeoutError::Disconnected) => (Vec::new(), false),
        Err(RecvTimeoutError::Timeout) => {
            end_group(&mut child);
            // What left the group on purpose may hold the pipe open for ever: its log is given up.
            let rest = on_finish.recv_timeout(LOG_WAIT);
            (rest.unwrap_or_default(), true)
        }
    };
    let status = child.wait().map_err(failed)?;
    let mut log = String::from_utf8_lossy(&log).into_owned();
    if timed_out {
        log += &format!(
            "\nended after {} s, the longest this step may run\n",
            longest.as_secs()
        );
        return Ok((-1, log));
    }
    Ok((status.code().unwrap_or(-1), log))
}

/// Ends a command and everything it started.
fn end_group(child: &mut process::Child) {
    let group = format!("-{}", child.id());
    let killed = process::Command::new("kill")
        .args(["-KILL", "--", &group])
        .status();
    if !killed.is_ok_and(|status| status.success()) {
        // Without `kill` at least the shell ends; a failure means it has ended already.
        let _ = child.kill();
    }
    // Nothing more is read, but a flush keeps the order of what was printed before.
    let _ = std::io::stdout().flush();
}

fn mask(text: String, secrets: &[String]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text, |text, secret| text.replace(secret.as_str(), MASK))
}
