//! What is long: every test that depends on time, again and again while both cores are busy.
//!
//! A test that passes alone and fails one time in five under load is a defect of the product or of the test; neither shows in one run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::bail;

/// Times that each test runs unless told otherwise.
pub(crate) const N_TIMES: usize = 50;
/// Threads that keep the processors busy beside the test.
const N_BUSY: usize = 2;

/// (package, test binary, test): all that wait for, kill or race something.
const TESTS: [(&str, &str, &str); 10] = [
    (
        "veracta",
        "cli",
        "services::killed_servers_lose_nothing_they_acknowledged",
    ),
    ("veracta", "cli", "import::an_interrupted_import_goes_on"),
    (
        "veracta",
        "cli",
        "import::an_import_completes_what_an_earlier_one_left_out",
    ),
    ("veracta", "cli", "import::what_is_no_source_is_refused"),
    ("veracta", "cli", "webhooks"),
    ("veracta", "cli", "openlineage"),
    ("veracta", "cli", "telemetry"),
    ("veracta", "cli", "transfer"),
    ("veracta-store", "workspaces", "kill"),
    ("veracta-store", "workspaces", "outages"),
];

/// Runs every test `n_times` under load, and says how often each failed.
pub(crate) fn run(root: &Path, n_times: usize) -> anyhow::Result<()> {
    let build = ["test", "--workspace", "--no-run", "--quiet"];
    if !Command::new("cargo")
        .args(build)
        .current_dir(root)
        .status()?
        .success()
    {
        bail!("the tests do not build");
    }
    let is_done = AtomicBool::new(false);
    let failed = std::thread::scope(|scope| {
        for _ in 0..N_BUSY {
            scope.spawn(|| {
                let mut n: u64 = 1;
                while !is_done.load(Ordering::Relaxed) {
                    n = std::hint::black_box(
                        n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1),
                    );
                }
            });
        }
        let failed = TESTS.map(|test| repeat(root, n_times, test));
        is_done.store(true, Ordering::Relaxed);
        failed
    });
    let mut n_failed = 0;
    for ((package, _, test), failed) in TESTS.iter().zip(failed) {
        let failed = failed?;
        n_failed += failed;
        println!("{package} {test}: {failed} of {n_times} failed");
    }
    if n_failed > 0 {
        bail!("{n_failed} of {} runs failed", n_times * TESTS.len());
    }
    println!("every run passed");
    Ok(())
}

/// Runs one test again and again; returns how often it failed. The output of a failure is printed.
fn repeat(
    root: &Path,
    n_times: usize,
    (package, binary, test): (&str, &str, &str),
) -> anyhow::Result<usize> {
    let begun = Instant::now();
    let mut n_failed = 0;
    for time in 1..=n_times {
        let mut command = Command::new("cargo");
        // The whole workspace, so that nothing is compiled with fewer features than the line above did.
        command.args(["test", "--quiet", "--workspace", "--test", binary, test]);
        let output = command.current_dir(root).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            n_failed += 1;
            eprintln!("── {package} {binary} {test}, time {time} of {n_times}");
            eprintln!("{}", String::from_utf8_lossy(&output.stdout));
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    eprintln!("{package} {binary} {test}: {n_failed} of {n_times} failed, {seconds:.0} s");
    Ok(n_failed)
}
