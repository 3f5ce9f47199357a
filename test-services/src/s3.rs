//! An S3 server in a temporary folder: `s3s-fs`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::bail;
use tempfile::TempDir;

use crate::{Running, free_port, start};

const BUCKET: &str = "veracta";
const ACCESS_KEY: &str = "test-access";
const SECRET_KEY: &str = "test-secret";

/// An S3 server with one bucket.
#[derive(Debug)]
pub struct S3 {
    running: Running,
    folder: TempDir,
    port: u16,
}

/// Returns the program, in the folder of tools that `cargo xtask test` fills.
pub fn binary() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("it is a folder of the workspace");
    let program = root.join("target/tools/bin/s3s-fs");
    if !program.exists() {
        bail!(
            "the S3 server s3s-fs is not installed; `cargo xtask test` installs it from crates.io"
        );
    }
    Ok(program)
}

impl S3 {
    /// Starts a server with an empty bucket.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("veracta-s3-").tempdir()?;
        std::fs::create_dir(folder.path().join(BUCKET))?;
        let port = free_port()?;
        Ok(Self {
            running: serve(folder.path(), port)?,
            folder,
            port,
        })
    }

    /// Returns the URL of a folder in the bucket.
    pub fn url(&self, folder: &str) -> String {
        format!("s3://{BUCKET}/{folder}")
    }

    /// Returns what a client needs to know, as variables of its environment.
    pub fn environment(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let variables = [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ENDPOINT", &endpoint),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    /// Kills the server (SIGKILL).
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// Starts the server again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.running.kill();
        self.running = serve(self.folder.path(), self.port)?;
        Ok(())
    }
}

fn serve(folder: &Path, port: u16) -> anyhow::Result<Running> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(binary()?);
    command.args([
        "--access-key",
        ACCESS_KEY,
        "--secret-key",
        SECRET_KEY,
        "--host",
        "127.0.0.1",
        "--port",
        &port.to_string(),
    ]);
    command
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    start("s3s-fs", &mut command, port)
}
