//! The roles as processes of their own, so that memory and start-up are theirs and not the load generator's.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// A child that is killed when dropped.
pub struct Role {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process until it announced its address.
    pub cold_start: Duration,
}

impl Drop for Role {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Role {
    /// Starts `kontor <args>` on a free port, quiet but for warnings, and waits until it is ready.
    pub async fn start(name: &str, folder: &Path, args: &[OsString]) -> Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), name, folder, args).await
    }

    /// [`Role::start`], on an address of the caller's choice.
    pub async fn start_at(listen: SocketAddr, name: &str, folder: &Path, args: &[OsString]) -> Result<Self> {
        let address_file = folder.join(format!("{name}.address"));
        drop(std::fs::remove_file(&address_file));
        let started = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .arg(name)
            .args(["--listen", &listen.to_string(), "--log", "warn", "--address-file"])
            .arg(&address_file)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("starting kontor {name}"))?;
        let address = loop {
            if let Ok(text) = std::fs::read_to_string(&address_file) {
                break text.parse().with_context(|| format!("the address of kontor {name}"))?;
            }
            if let Some(status) = child.try_wait()? {
                bail!("kontor {name} ended with {status} before it was ready");
            }
            if started.elapsed() > Duration::from_secs(60) {
                bail!("kontor {name} was not ready after a minute");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        Ok(Self { child, address, cold_start: started.elapsed() })
    }

    /// Resident memory now, in megabytes; `None` where the system does not tell.
    pub fn resident_mb(&self) -> Option<f64> {
        memory_mb(self.child.id(), "VmRSS:")
    }

    /// The most that was resident at once so far, in megabytes; `None` where the system does not tell.
    pub fn peak_mb(&self) -> Option<f64> {
        memory_mb(self.child.id(), "VmHWM:")
    }

    /// Processor time that it has used, in seconds; `None` where the system does not tell.
    pub fn processor_seconds(&self) -> Option<f64> {
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let (user, system): (f64, f64) = (fields.get(11)?.parse().ok()?, fields.get(12)?.parse().ok()?);
        Some((user + system) / TICKS_PER_SECOND)
    }
}

/// A line of what the system tells of a process's memory, in megabytes.
pub fn memory_mb(process: u32, line: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|known| known.starts_with(line))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kilobytes / 102.4).round() / 10.0)
}
