//! The browser tests in `e2e/`: their packages, the binary they start, and the run; and before it the linter of the OpenAPI documents.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{cargo, packages, reference, root};

/// Runs the suite with this browser; `Ok(false)` when a test failed.
///
/// # Errors
/// When the suite could not run: no Node.js, no packages, no binary.
pub fn run(chromium: &Path) -> Result<bool> {
    let root = root()?;
    let folder = root.join("e2e");
    let node = packages::node()?;
    install(&folder)?;
    let typed = check_types(&folder, &node)?;
    let binary = build(&root)?;
    let valid = reference::lint(&root, &node, &binary)?;
    if valid.is_none() {
        eprintln!("xtask: the OpenAPI documents were not linted: Node.js is too old for the linter");
    }
    eprintln!("xtask: browser tests");
    let status = Command::new(&node)
        .args(["node_modules/@playwright/test/cli.js", "test"])
        .current_dir(&folder)
        .env("KONTOR_TEST_BINARY", binary)
        .env("KONTOR_TEST_CHROMIUM", chromium)
        .stdin(Stdio::null())
        .status();
    Ok(status.context("starting Playwright")?.success() && typed && valid != Some(false))
}

/// Holds the scripts that pages are served to the types in their comments.
fn check_types(folder: &Path, node: &Path) -> Result<bool> {
    let mut check = Command::new(node);
    check.args(["node_modules/typescript/bin/tsc", "--project", "."]).current_dir(folder).stdin(Stdio::null());
    Ok(check.status().context("starting the type checker")?.success())
}

/// `npm ci`, unless the packages of this very lock file are there already. Tried twice: registries have bad moments.
pub fn install(folder: &Path) -> Result<()> {
    let lock = std::fs::read(folder.join("package-lock.json")).context("reading e2e/package-lock.json")?;
    // Written last, and removed by `npm ci` with everything else: what stands there is whole.
    let installed = folder.join("node_modules/.kontor-lock.json");
    if std::fs::read(&installed).is_ok_and(|known| known == lock) {
        return Ok(());
    }
    let npm = packages::on_path("npm").context("npm is missing beside Node.js")?;
    let mut said = String::new();
    for _ in 0..2 {
        let answer = Command::new(&npm)
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(folder)
            // The browser is the machine's own.
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
            .stdin(Stdio::null())
            .output()
            .context("starting npm")?;
        if answer.status.success() {
            return std::fs::write(&installed, lock).context("noting which packages are installed");
        }
        said = String::from_utf8_lossy(&answer.stderr).into_owned();
    }
    bail!("`npm ci` failed in e2e/ (the browser tests need it; `cargo xtask test --fast` leaves them out):\n{said}")
}

/// The program that the tests start: with everything else, so that nothing is built a second time with other features.
pub fn build(root: &Path) -> Result<PathBuf> {
    let status = cargo().args(["build", "--quiet", "--workspace", "--bins", "--tests"]).current_dir(root).status();
    if !status.context("starting cargo build")?.success() {
        bail!("building `kontor` for the browser tests failed");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    let binary = target.join("debug/kontor");
    if !binary.is_file() {
        bail!("cargo built no `kontor` at {}", binary.display());
    }
    Ok(binary)
}
