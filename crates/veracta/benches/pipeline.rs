//! Figures of the pipeline and of reading: wall and CPU seconds, peak memory. Run by `cargo xtask bench`.
//!
//! ```text
//! VERACTA_DATA=path/to/data cargo bench --package veracta --bench pipeline
//! ```

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one process used.
struct Used {
    wall: Duration,
    cpu_seconds: f64,
    peak_mib: u64,
}

/// Runs the binary and watches its memory and processor time until it ends.
fn measure(arguments: &[&str], folder: &Path) -> Used {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_veracta"))
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary was built with this benchmark");
    let (mut peak_mib, mut cpu_seconds) = (0, 0.0);
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak_mib = peak.map_or(peak_mib, |kib| peak_mib.max(kib / 1024));
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        let ticks: Vec<f64> = stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .split(' ')
            .skip(11)
            .take(2)
            .filter_map(|n| n.parse().ok())
            .collect();
        if ticks.len() == 2 {
            cpu_seconds = f64::max(cpu_seconds, (ticks[0] + ticks[1]) / 100.0);
        }
        if child
            .try_wait()
            .expect("the child can be waited for")
            .is_some()
        {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Used {
        wall: begun.elapsed(),
        cpu_seconds,
        peak_mib,
    }
}

fn report(name: &str, used: &Used) {
    println!(
        "{name:<52} {:>7.2} s wall {:>7.2} s CPU {:>6} MiB",
        used.wall.as_secs_f64(),
        used.cpu_seconds,
        used.peak_mib
    );
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    match std::env::var_os("VERACTA_DATA") {
        Some(data) => {
            let telco = Path::new(&data)
                .join("churn/telco_customer_churn.csv")
                .display()
                .to_string();
            report(
                "Telco pipeline, first run",
                &measure(&["demo", "churn", "--data", &telco], folder.path()),
            );
            report(
                "Telco pipeline, nothing changed",
                &measure(&["demo", "churn", "--data", &telco], folder.path()),
            );
        }
        None => println!("VERACTA_DATA is not set: the Telco figures are left out"),
    }
    let wide = folder.path().join("wide.csv");
    write_wide(&wide, 1_000_000).expect("the temporary folder takes the file");
    println!(
        "1,000,000 rows x 50 columns: {} MiB of CSV",
        fs::metadata(&wide).map_or(0, |file| file.len()) >> 20
    );
    report(
        "read, version and profile 1,000,000 x 50",
        &measure(&["profile", "wide.csv"], folder.path()),
    );
}

/// Writes 40 columns of numbers and 10 of categories, with a fiftieth missing.
fn write_wide(path: &Path, n_rows: usize) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let names: Vec<String> = (0..50).map(|column| format!("column_{column}")).collect();
    writeln!(out, "{}", names.join(","))?;
    let mut state = 88_172_645_463_325_252u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..n_rows {
        for column in 0..50 {
            let draw = next();
            let comma = if column == 0 { "" } else { "," };
            match (draw % 50, column < 40) {
                (0, _) => write!(out, "{comma}")?,
                (_, true) => write!(
                    out,
                    "{comma}{:.3}",
                    (draw >> 11) as f64 / (1u64 << 53) as f64 * 1000.0
                )?,
                (_, false) => write!(out, "{comma}level_{}", draw >> 32 & 15)?,
            }
        }
        writeln!(out)?;
    }
    out.flush()
}
