//! Checks and chores of the workspace: `cargo xtask test`, `cargo xtask tidy`, `cargo xtask bench`.

mod conformance;
mod install;
mod soak;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, bail};

const HELP: &str = "\
cargo xtask <what>

  test    everything CI checks: format, lints, dependencies, tidiness, documentation and all tests; installs what they need
  conformance   only the stock MLflow clients against this server, and its own API against its description
  tidy    crate graph, module heads, budgets, names, ARCHITECTURE.md
  soak [N]   every test that depends on time, N times (50) while both cores are busy (hours)
  bench   one row, the ledger and the pipeline, as in docs/benchmarks.md (release build)

VERACTA_DATA names the folder of the public data sets; without it the tests on them are left out, and say so.
";

fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    let result = match what.as_str() {
        "test" => test(),
        "tidy" => tidy::check(&root()),
        "soak" => soak(),
        "bench" => bench(),
        "conformance" => install::postgres()
            .and_then(|()| install::s3_server(&root()))
            .and_then(|()| conformance::check(&root())),
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .expect("xtask is a folder of the workspace")
        .to_owned()
}

/// Everything CI checks, the quickest first.
fn test() -> anyhow::Result<()> {
    if std::env::var_os("VERACTA_DATA").is_none() {
        eprintln!("note: VERACTA_DATA is not set; tests on the public data sets are left out");
    }
    step("tidy", || tidy::check(&root()))?;
    cargo("format", &["fmt", "--all", "--check"])?;
    deny()?;
    cargo(
        "lints",
        &[
            "clippy",
            "--workspace",
            "--lib",
            "--bins",
            "--benches",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ],
    )?;
    // In a test, `unwrap` is the assertion that there is a value.
    let tests = [
        "clippy",
        "--workspace",
        "--tests",
        "--quiet",
        "--",
        "--deny",
        "warnings",
        "--allow",
        "clippy::unwrap_used",
    ];
    cargo("lints of tests", &tests)?;
    step("PostgreSQL", install::postgres)?;
    step("S3 server", || install::s3_server(&root()))?;
    // The clients come over the network while the tests are compiled.
    let clients = std::thread::spawn(|| conformance::install(&root()));
    let tests = cargo("tests", &["test", "--workspace", "--quiet"]);
    let clients = clients.join().expect("the installation does not panic");
    tests?;
    clients?;
    step("MLflow clients", || conformance::check(&root()))?;
    cargo(
        "documentation",
        &["doc", "--workspace", "--no-deps", "--quiet"],
    )?;
    println!("all checks pass");
    Ok(())
}

/// Checks licences, advisories and duplicates with cargo-deny, installing it when it is not there.
fn deny() -> anyhow::Result<()> {
    let is_there = Command::new("cargo")
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !is_there {
        cargo(
            "install cargo-deny",
            &["install", "cargo-deny", "--locked", "--quiet", "--debug"],
        )?;
    }
    // The check works offline on the sources of every platform, which a first build has not all fetched.
    cargo("fetch", &["fetch", "--locked", "--quiet"])?;
    // Advisories need a database from the network: they are checked where `cargo deny check advisories` can reach it.
    cargo(
        "licences and sources",
        &[
            "deny",
            "--offline",
            "--log-level",
            "error",
            "check",
            "licenses",
            "bans",
            "sources",
        ],
    )
}

fn soak() -> anyhow::Result<()> {
    install::postgres()?;
    install::s3_server(&root())?;
    let n_times = match std::env::args().nth(2) {
        Some(n) => n.parse().context("`soak` takes a number of times")?,
        None => soak::N_TIMES,
    };
    soak::run(&root(), n_times)
}

fn bench() -> anyhow::Result<()> {
    cargo(
        "one row",
        &["bench", "--package", "veracta-model", "--bench", "one_row"],
    )?;
    cargo(
        "ledger",
        &["bench", "--package", "veracta-store", "--bench", "ledger"],
    )?;
    cargo(
        "pipeline",
        &["bench", "--package", "veracta", "--bench", "pipeline"],
    )
}

fn cargo(name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    step(name, || {
        let status = Command::new("cargo")
            .args(arguments)
            .current_dir(root())
            .status();
        let status =
            status.with_context(|| format!("cargo {} cannot be run", arguments.join(" ")))?;
        if !status.success() {
            bail!("cargo {} failed", arguments.join(" "));
        }
        Ok(())
    })
}

fn step(name: &str, run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let begun = Instant::now();
    eprintln!("── {name}");
    run()?;
    eprintln!("   {name}: {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}
