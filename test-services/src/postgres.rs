//! A PostgreSQL server in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::{PATIENCE, Running, free_port};

/// Where Debian's packages put the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A PostgreSQL server with one user, `postgres`, who needs no password.
#[derive(Debug)]
pub struct Postgres {
    running: Running,
    programs: PathBuf,
    folder: TempDir,
    port: u16,
}

/// Returns the folder of PostgreSQL's programs, newest version first.
pub fn binaries() -> anyhow::Result<PathBuf> {
    let versions = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"));
    let on_path = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default();
    let mut folders: Vec<PathBuf> = versions.collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(version_of(folder)));
    let mut all = folders.into_iter().chain(on_path);
    let found = all.find(|folder| {
        ["postgres", "initdb", "psql"]
            .iter()
            .all(|program| folder.join(program).exists())
    });
    found.context(
        "PostgreSQL is not installed; `cargo xtask test` installs it from Debian's packages",
    )
}

fn version_of(folder: &Path) -> u32 {
    let name = folder
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default();
    name.to_string_lossy().parse().unwrap_or_default()
}

/// Returns a command of the one who may run PostgreSQL, which refuses to run as root; the command ends with its parent.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if is_root() {
        command.args([
            "--reuid",
            "postgres",
            "--regid",
            "postgres",
            "--init-groups",
        ]);
    }
    command
        .arg("--")
        .arg(program)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("{command:?} cannot be run"))?;
    if !output.status.success() {
        bail!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

impl Postgres {
    /// Makes a cluster and starts its server.
    pub fn start() -> anyhow::Result<Self> {
        let programs = binaries()?;
        let folder = tempfile::Builder::new()
            .prefix("veracta-postgres-")
            .tempdir()?;
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder.path()))?;
        }
        let initdb = programs.join("initdb");
        let options = [
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
        ];
        // A crash of the machine is not tested: the cluster itself need not be synced when it is made.
        run(unprivileged(&initdb)
            .args(options)
            .arg("--no-sync")
            .arg("--pgdata")
            .arg(folder.path().join("data")))?;
        let port = free_port()?;
        let running = serve(&programs, folder.path(), port)?;
        let mut server = Self {
            running,
            programs,
            folder,
            port,
        };
        server.wait()?;
        Ok(server)
    }

    /// Returns the URL of a database of this server; `postgres` is there from the beginning.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database and returns its URL.
    pub fn create_database(&self, name: &str) -> anyhow::Result<String> {
        self.execute("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(name))
    }

    /// Runs a statement in a database.
    pub fn execute(&self, database: &str, sql: &str) -> anyhow::Result<()> {
        run(Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--command", sql])
            .arg(self.url(database))
            .stdout(Stdio::null()))
    }

    /// Answers under TLS only from now on, with this certificate and key in PEM.
    pub fn require_tls(&mut self, certificate: &str, key: &str) -> anyhow::Result<()> {
        let data = self.folder.path().join("data");
        for (name, pem) in [("server.crt", certificate), ("server.key", key)] {
            let path = data.join(name);
            fs::write(&path, pem)?;
            run(Command::new("chmod").arg("600").arg(&path))?;
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(&path))?;
            }
        }
        self.execute("postgres", "ALTER SYSTEM SET ssl = on")?;
        fs::write(
            data.join("pg_hba.conf"),
            "hostssl all all 127.0.0.1/32 trust\n",
        )?;
        self.restart()
    }

    /// Kills the server (SIGKILL), so that it has to recover when it starts again.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// Starts the server again and waits until it answers.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.running.kill();
        // The processes of a killed server end by themselves a moment later; until then it refuses to start.
        let begun = Instant::now();
        loop {
            self.running = serve(&self.programs, self.folder.path(), self.port)?;
            match self.wait() {
                Ok(()) => return Ok(()),
                Err(error) if begun.elapsed() > PATIENCE => return Err(error),
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(100)),
            }
        }
    }

    /// Waits until the server answers or has ended.
    fn wait(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            match self.execute("postgres", "SELECT 1") {
                Ok(()) => return Ok(()),
                Err(error)
                    if begun.elapsed() > PATIENCE || self.running.0.try_wait()?.is_some() =>
                {
                    return Err(error);
                }
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
            }
        }
    }
}

fn serve(programs: &Path, folder: &Path, port: u16) -> anyhow::Result<Running> {
    let mut command = unprivileged(&programs.join("postgres"));
    command
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder)
        .args(["-h", "127.0.0.1", "-p"])
        .arg(port.to_string());
    Ok(Running(
        command
            .stderr(Stdio::null())
            .spawn()
            .context("PostgreSQL cannot be started")?,
    ))
}
