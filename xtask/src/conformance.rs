//! Stock MLflow clients against this server: the same script, the same answers as `mlflow server` gave, but for the differences that are
//! listed with a reason. See `conformance/README.md`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use test_services::{Postgres, S3};

use crate::install::run;

/// Clients of two generations.
const CLIENTS: [&str; 2] = ["v3", "v2"];
/// What tries our own API against its description.
const DESCRIPTION_CLIENT: &str = "schemathesis";

/// A running server; killed when dropped.
struct Server {
    child: Child,
    url: String,
    _complaints: BufReader<std::process::ChildStderr>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself is as dead as one that is killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(root: &Path, folder: &Path, environment: &[(String, String)]) -> Command {
    let mut command = Command::new(root.join("target/debug/veracta"));
    command
        .current_dir(folder)
        .envs(environment.iter().cloned())
        .env("VERACTA_ACTOR", "conformance");
    command
}

impl Server {
    fn start(root: &Path, folder: &Path, environment: &[(String, String)]) -> anyhow::Result<Self> {
        run(program(root, folder, environment)
            .args(["--format", "json", "init"])
            .stdout(Stdio::null()))?;
        let mut serve = program(root, folder, environment);
        serve
            .args(["serve", "--listen", "127.0.0.1:0", "--webhooks-anywhere"])
            .stderr(Stdio::piped());
        let mut child = serve.spawn().context("the server cannot be started")?;
        let mut complaints = BufReader::new(child.stderr.take().context("it is piped")?);
        let mut line = String::new();
        complaints.read_line(&mut line)?;
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        let url = format!(
            "http://{}",
            address.with_context(|| format!("the server does not start: {line}"))?
        );
        Ok(Self {
            child,
            url,
            _complaints: complaints,
        })
    }
}

/// Makes the environment of a client unless it is there, and returns its Python.
fn client(root: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let requirements = root.join(format!("conformance/requirements-{name}.txt"));
    let folder = root.join("target/clients").join(name);
    let python = folder.join("bin/python");
    let wanted = std::fs::read_to_string(&requirements)?;
    let stamp = folder.join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(python);
    }
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))
    .context("Python 3 with venv is needed (Debian: `apt-get install python3-venv`)")?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(&requirements))?;
    std::fs::write(&stamp, wanted)?;
    Ok(python)
}

/// Runs the script of a client against a server and compares what it was answered.
fn compare(root: &Path, name: &str, server: &Server, place: &str) -> anyhow::Result<()> {
    // From a copy: clients note the repository that a script lies in.
    let (python, scripts, copy) = (
        client(root, name)?,
        root.join("conformance"),
        tempfile::tempdir()?,
    );
    run(Command::new("cp")
        .arg("--recursive")
        .arg(&scripts)
        .arg(copy.path()))?;
    let transcript = root.join(format!("target/clients/{name}-{place}.json"));
    run(Command::new(&python)
        .arg(copy.path().join("conformance/client_script.py"))
        .args(["--uri", &server.url, "--out"])
        .arg(&transcript))?;
    let compared = Command::new(&python)
        .arg(scripts.join("compare.py"))
        .arg(scripts.join(format!("transcript-{name}.json")))
        .arg(&transcript)
        .arg(scripts.join(format!("differences-{name}.json")))
        .status()?;
    if !compared.success() {
        bail!(
            "the client {name} on {place} was answered otherwise than by `mlflow server`; see above"
        );
    }
    Ok(())
}

/// Runs every client on SQLite with files and on PostgreSQL with S3.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    // With the tests: what their dependencies ask of shared ones is built already when they ran before.
    run(Command::new("cargo")
        .args(["build", "--workspace", "--bins", "--tests", "--quiet"])
        .current_dir(root))?;
    check_description(root)?;
    for name in CLIENTS {
        // Both at once: a script waits for its server most of the time.
        std::thread::scope(|scope| {
            let on_postgres = scope.spawn(|| check_postgres(root, name));
            check_sqlite(root, name)?;
            on_postgres.join().expect("the other check does not panic")
        })?;
    }
    Ok(())
}

fn check_sqlite(root: &Path, name: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(root, folder.path(), &[])?;
    compare(root, name, &server, "sqlite")?;
    drop(server);
    verify(root, folder.path(), &[])
}

fn check_postgres(root: &Path, name: &str) -> anyhow::Result<()> {
    let (postgres, s3) = (Postgres::start()?, S3::start()?);
    let mut environment = s3.environment();
    environment.push(("VERACTA_STORE".to_owned(), postgres.url("postgres")));
    environment.push(("VERACTA_OBJECTS".to_owned(), s3.url("workspace")));
    let folder = tempfile::tempdir()?;
    let server = Server::start(root, folder.path(), &environment)?;
    compare(root, name, &server, "postgres")?;
    drop(server);
    verify(root, folder.path(), &environment)
}

/// Makes the environments of all clients.
pub(crate) fn install(root: &Path) -> anyhow::Result<()> {
    for name in CLIENTS.into_iter().chain([DESCRIPTION_CLIENT]) {
        client(root, name)?;
    }
    Ok(())
}

/// Sends this server's own API what its description allows, and what it does not: it must never fail, and must answer as described.
fn check_description(root: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(root, folder.path(), &[])?;
    let program = client(root, DESCRIPTION_CLIENT)?.with_file_name("schemathesis");
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
    run(Command::new(program)
        .current_dir(folder.path())
        .arg("run")
        .arg(root.join("crates/veracta-server/src/openapi.json"))
        .args([
            "--url",
            &server.url,
            "--checks",
            checks,
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "30",
        ])
        .args([
            "--seed",
            "42",
            "--generation-database",
            "none",
            "--continue-on-failure",
            "--workers",
            "1",
        ]))
}

/// Everything that the clients did is in the ledger as it is in the tables.
fn verify(root: &Path, folder: &Path, environment: &[(String, String)]) -> anyhow::Result<()> {
    run(program(root, folder, environment)
        .arg("verify")
        .stdout(Stdio::null()))
}
