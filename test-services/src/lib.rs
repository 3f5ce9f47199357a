//! PostgreSQL and S3 servers of their own for tests: started, killed, and started again.
//!
//! Each server listens on a free port of the loopback address, keeps its data in a temporary folder, and ends with the value that stands for it.
//! What must be installed is told by the error; `cargo xtask test` installs it.

mod postgres;
mod s3;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

pub use postgres::{Postgres, binaries as postgres_binaries};
pub use s3::{S3, binary as s3_binary};

/// Longest wait for a server to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is killed when dropped.
#[derive(Debug)]
struct Running(Child);

impl Running {
    /// Ends the process at once (SIGKILL): it cannot tidy up.
    fn kill(&mut self) {
        // One that has ended by itself is as dead as one that is killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns a port of the loopback address that nobody listens on.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Starts a server and waits until it listens.
fn start(name: &str, command: &mut Command, port: u16) -> anyhow::Result<Running> {
    let mut running = Running(
        command
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?,
    );
    let begun = Instant::now();
    while TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_err() {
        if let Some(status) = running.0.try_wait()? {
            bail!("{name} ended with {status} before it listened");
        }
        if begun.elapsed() > PATIENCE {
            bail!("{name} does not listen after {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(running)
}
