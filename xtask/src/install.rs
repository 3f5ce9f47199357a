//! What the tests need beside Rust, installed when it is not there: PostgreSQL from Debian's packages, an S3 server from crates.io.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// The S3 server of the tests: it keeps a bucket as a folder.
const S3_SERVER: [&str; 2] = ["s3s-fs", "0.14.1"];

/// Installs PostgreSQL unless it is there.
pub(crate) fn postgres() -> anyhow::Result<()> {
    if test_services::postgres_binaries().is_ok() {
        return Ok(());
    }
    let how = "install PostgreSQL and try again (Debian: `apt-get install postgresql`)";
    for arguments in [
        &["update"][..],
        &["install", "--yes", "--no-install-recommends", "postgresql"],
    ] {
        run(privileged("apt-get")
            .args(["-q"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"))
        .context(how)?;
    }
    test_services::postgres_binaries().map(|_| ())
}

/// Returns a command run as root, by `sudo` when this is not root and no password is asked.
fn privileged(program: &str) -> Command {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n");
    if is_root {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", program]);
    command
}

/// Builds the S3 server into `target/tools` unless it is there.
pub(crate) fn s3_server(root: &Path) -> anyhow::Result<()> {
    if test_services::s3_binary().is_ok() {
        return Ok(());
    }
    let [name, version] = S3_SERVER;
    let folder = root.join("target/tools");
    run(Command::new("cargo")
        .args([
            "install",
            name,
            "--version",
            version,
            "--features",
            "binary",
            "--locked",
            "--quiet",
            // Built in a third of the time; the tests wait for the network and the disk, not for it.
            "--debug",
            "--root",
        ])
        .arg(&folder)
        .env("CARGO_TARGET_DIR", folder.join("build"))
        .current_dir(root))?;
    // Only the program is needed again.
    std::fs::remove_dir_all(folder.join("build")).ok();
    test_services::s3_binary().map(|_| ())
}

/// Runs a command; its failure is an error.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{command:?} cannot be run"))?;
    if !status.success() {
        bail!("{command:?} failed with {status}");
    }
    Ok(())
}
