//! Programs that tests need, found on the machine or installed by its package manager.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Browsers that speak the Chrome DevTools protocol, in order of preference.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Where the package's own cluster would be switched off. See [`postgres_binaries`].
const CLUSTER_SETTINGS: &str = "/etc/postgresql-common/createcluster.d/kontor-xtask.conf";

/// The folder with `initdb`, `pg_ctl` and `postgres`; installs PostgreSQL where there is none.
pub fn postgres_binaries() -> Result<PathBuf> {
    if let Some(found) = find_postgres() {
        return Ok(found);
    }
    eprintln!("xtask: PostgreSQL is missing, installing it");
    // Debian's package would create and start a server of its own on port 5432. We only want the programs.
    let quiet = format!(
        "mkdir -p {folder} && echo 'create_main_cluster = false' > {CLUSTER_SETTINGS}",
        folder = "/etc/postgresql-common/createcluster.d"
    );
    let installed = as_root(&["sh", "-c", &quiet]).and_then(|()| apt_install(&["postgresql"]));
    if Path::new(CLUSTER_SETTINGS).exists() {
        as_root(&["rm", "-f", CLUSTER_SETTINGS])?;
    }
    installed.context(
        "PostgreSQL could not be installed; install a server (`initdb`, `pg_ctl`, `postgres`) by hand, \
         or run `cargo xtask test --fast` to leave it out",
    )?;
    find_postgres().context("PostgreSQL was installed, but `initdb` and `pg_ctl` are not where they belong")
}

fn find_postgres() -> Option<PathBuf> {
    let whole = |folder: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).exists());
    let on_path = search_path().into_iter().find(whole);
    on_path.or_else(|| {
        // Debian and Ubuntu keep the server's programs off the PATH, a folder per major version.
        let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
            .ok()?
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let version = entry.file_name().to_str()?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            })
            .filter(|(_, folder)| whole(folder))
            .collect();
        versions.sort();
        versions.pop().map(|(_, folder)| folder)
    })
}

/// A Chromium that starts; installs one where there is none.
pub fn chromium() -> Result<PathBuf> {
    if let Some(found) = find_chromium() {
        return Ok(found);
    }
    eprintln!("xtask: Chromium is missing, installing it");
    apt_install(&["chromium", "fonts-dejavu-core"])?;
    find_chromium().context("the package chromium brought no browser that starts")
}

/// The oldest Node.js that the browser tests run on.
const NODE_MIN: u32 = 18;

/// A Node.js that is new enough, with npm; installs both where they are missing.
pub fn node() -> Result<PathBuf> {
    if on_path("node").is_none() || on_path("npm").is_none() {
        eprintln!("xtask: Node.js or npm is missing, installing them");
        let missing: Vec<&str> = [("node", "nodejs"), ("npm", "npm")]
            .into_iter()
            .filter(|(program, _)| on_path(program).is_none())
            .map(|(_, package)| package)
            .collect();
        apt_install(&missing)?;
    }
    let node = on_path("node").context("the package nodejs brought no program `node`")?;
    let (major, minor) = node_version(&node)?;
    if major < NODE_MIN {
        bail!("the browser tests need Node.js {NODE_MIN} or newer, but {} is {major}.{minor}", node.display());
    }
    Ok(node)
}

/// Major and minor version of a Node.js.
pub fn node_version(node: &Path) -> Result<(u32, u32)> {
    let answer = Command::new(node).arg("--version").stdin(Stdio::null()).output();
    let answer = answer.with_context(|| format!("starting {}", node.display()))?;
    let said = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    parse_version(&said).with_context(|| format!("{} says that it is {said:?}", node.display()))
}

/// Of `v20.11.1`, 20 and 11.
fn parse_version(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A Python with its `venv`; installs both where they are missing.
pub fn python() -> Result<PathBuf> {
    let has_venv = |python: &PathBuf| {
        let answer = Command::new(python).args(["-c", "import ensurepip, venv"]).stdin(Stdio::null()).output();
        answer.is_ok_and(|answer| answer.status.success())
    };
    if let Some(found) = on_path("python3").filter(has_venv) {
        return Ok(found);
    }
    eprintln!("xtask: Python is missing, installing it");
    apt_install(&["python3", "python3-venv"])?;
    on_path("python3").filter(has_venv).context("the package python3 brought no Python with venv")
}

/// What the clients of web standards in `docs/`, and those of SFTP, call.
pub fn web_tools() -> Result<()> {
    let missing: Vec<&str> =
        [("curl", "curl"), ("openssl", "openssl"), ("jq", "jq"), ("python3", "python3"), ("sftp", "openssh-client")]
            .into_iter()
            .filter(|(program, _)| on_path(program).is_none())
            .map(|(_, package)| package)
            .collect();
    if missing.is_empty() { Ok(()) } else { apt_install(&missing) }
}

fn find_chromium() -> Option<PathBuf> {
    // Ubuntu ships a script that only says "install the snap": ask for the version to know a browser from it.
    let starts = |program: &PathBuf| {
        let answer = Command::new(program).arg("--version").stdin(Stdio::null()).output();
        answer.is_ok_and(|answer| answer.status.success() && answer.stdout.iter().any(u8::is_ascii_digit))
    };
    BROWSERS.into_iter().filter_map(on_path).find(starts)
}

/// The first program of this name on the PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0)
}

fn apt_install(packages: &[&str]) -> Result<()> {
    if on_path("apt-get").is_none() {
        bail!("this machine has no apt-get; install {} by hand", packages.join(", "));
    }
    let mut install = vec![
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "--yes",
        "-qq",
        "-o",
        "DPkg::Lock::Timeout=300",
    ];
    install.push("--no-install-recommends");
    install.extend(packages);
    as_root(&["apt-get", "update", "-qq"])?;
    as_root(&install)
}

/// Runs a command as root: directly, or by `sudo` where we are somebody else.
fn as_root(command: &[&str]) -> Result<()> {
    let mut words = command.to_vec();
    if !is_root() {
        if on_path("sudo").is_none() {
            bail!("`{}` needs root, and there is no sudo; run it as root once", command.join(" "));
        }
        words.insert(0, "sudo");
    }
    eprintln!("xtask: {}", words.join(" "));
    let status = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("starting {}", words[0]))?;
    if !status.success() {
        bail!("`{}` failed ({status})", words.join(" "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(parse_version("v20.11.1"), Some((20, 11)));
        assert_eq!(parse_version("20.11.1"), None);
        assert_eq!(parse_version(""), None);
    }
}
