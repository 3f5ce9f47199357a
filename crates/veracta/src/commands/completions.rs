//! `veracta completions`: a completion script for a shell.

use clap_complete::Shell;

use crate::args;
use crate::output::{Answer, print};

pub(super) fn execute(shell: Shell) -> anyhow::Result<Answer> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "veracta", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Answer::Yes)
}
