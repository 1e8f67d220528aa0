//! What a clean release build costs, held against what the README promises.
//!
//! Memory is the sum over all processes of the build, read from `/proc` ten times a second: the largest process
//! alone (which `time -v` reports) says nothing about two compilers running side by side. Pages that compilers
//! share are counted once for each, so the figure errs on the high side.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{cargo, packages};

const WALL_MAX: Duration = Duration::from_secs(10 * 60);
const MEMORY_MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;
const CORES: &str = "2";
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// Builds `kontor` for release in a fresh target folder and prints time, memory and size.
pub fn run(root: &Path) -> Result<ExitCode> {
    // Downloads depend on the line, not on us: fetch first, measure after.
    let fetched = cargo().args(["fetch", "--locked"]).current_dir(root).status().context("starting cargo fetch")?;
    if !fetched.success() {
        bail!("cargo fetch failed ({fetched})");
    }
    let target = root.join("target/build-cost");
    remove(&target)?;
    let measured = measure(root, &target);
    let binary = std::fs::metadata(target.join("release/kontor")).map(|file| file.len());
    remove(&target)?;
    let measured = measured?;
    if !measured.status.success() {
        bail!("the build failed ({})", measured.status);
    }

    println!("clean release build on {CORES} cores");
    println!("  wall time        {:>7.1} s   (limit {} s)", measured.wall.as_secs_f64(), WALL_MAX.as_secs());
    println!("  peak memory      {:>7} MB  (limit {} MB)", mebibytes(measured.peak), mebibytes(MEMORY_MAX_BYTES));
    println!("  largest process  {:>7} MB", mebibytes(measured.largest));
    println!("  binary           {:>7} MB", mebibytes(binary.context("reading the binary's size")?));
    let within = measured.wall <= WALL_MAX && measured.peak <= MEMORY_MAX_BYTES;
    println!("{}", if within { "within the limits" } else { "BEYOND the limits" });
    Ok(if within { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Measured {
    status: ExitStatus,
    wall: Duration,
    /// Bytes of all processes together, at the worst moment.
    peak: u64,
    /// Bytes of the largest single process.
    largest: u64,
}

fn measure(root: &Path, target: &Path) -> Result<Measured> {
    let mut build = two_cores_only();
    build
        .args(["build", "--release", "--locked", "--package", "kontor", "--jobs", CORES])
        .env("CARGO_TARGET_DIR", target)
        .current_dir(root)
        .stdin(Stdio::null());
    let begin = Instant::now();
    let mut child = build.spawn().context("starting cargo build")?;
    let (mut peak, mut largest) = (0, 0);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let sizes = memory_of_tree(&child);
        peak = peak.max(sizes.iter().sum());
        largest = largest.max(sizes.into_iter().max().unwrap_or(0));
        std::thread::sleep(SAMPLE_INTERVAL);
    };
    Ok(Measured { status, wall: begin.elapsed(), peak, largest })
}

/// Cargo, bound to two cores where the machine has more and `taskset` can do it.
fn two_cores_only() -> Command {
    let cargo = cargo();
    if packages::on_path("taskset").is_none() || std::thread::available_parallelism().is_ok_and(|n| n.get() <= 2) {
        return cargo;
    }
    let mut bound = Command::new("taskset");
    bound.args(["--cpu-list", "0,1"]).arg(cargo.get_program());
    bound
}

/// Resident bytes of the process and of each of its descendants.
fn memory_of_tree(top: &Child) -> Vec<u64> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut parents = HashMap::new();
    let mut sizes = HashMap::new();
    for entry in entries.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(status) = std::fs::read_to_string(entry.path().join("status")) else { continue };
        parents.insert(id, status_field(&status, "PPid:").unwrap_or(0));
        sizes.insert(id, status_field(&status, "VmRSS:").unwrap_or(0) * 1024);
    }
    let family = descendants(top.id(), &parents);
    sizes.into_iter().filter(|(id, _)| family.contains(id)).map(|(_, size)| size).collect()
}

/// A number of `/proc/<id>/status`; sizes stand there in kB.
fn status_field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn descendants(top: u32, parents: &HashMap<u32, u64>) -> HashSet<u32> {
    let mut family = HashSet::from([top]);
    loop {
        let before = family.len();
        for (id, parent) in parents {
            if family.iter().any(|member| u64::from(*member) == *parent) {
                family.insert(*id);
            }
        }
        if family.len() == before {
            return family;
        }
    }
}

fn mebibytes(bytes: u64) -> u64 {
    bytes / (1024 * 1024)
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grandchildren_belong_to_the_build_and_strangers_do_not() {
        let parents = HashMap::from([(10, 1), (11, 10), (12, 11), (20, 1)]);
        assert_eq!(descendants(10, &parents), HashSet::from([10, 11, 12]));
    }

    #[test]
    fn sizes_are_read_from_the_status_of_a_process() {
        let status = "Name:\trustc\nPPid:\t42\nVmRSS:\t  2048 kB\n";
        assert_eq!(status_field(status, "PPid:"), Some(42));
        assert_eq!(status_field(status, "VmRSS:"), Some(2048));
        assert_eq!(status_field(status, "VmSwap:"), None);
    }

    #[test]
    fn our_own_process_has_a_size() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let sizes = memory_of_tree(&child);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(sizes.len(), 1);
        assert!(sizes[0] > 0);
    }
}
