//! The OpenAPI documents of both ends, before a linter that others judge them by, too.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::{browser, cargo, packages, root};

/// The oldest Node.js that the linter runs on.
const NODE_MIN: (u32, u32) = (20, 19);

/// Whether both documents are without errors; warnings are shown. `None` where Node.js is too old to say.
///
/// # Errors
/// When a document cannot be made, or the linter does not start.
pub fn lint(root: &Path, node: &Path, binary: &Path) -> Result<Option<bool>> {
    let version = packages::node_version(node)?;
    if version < NODE_MIN {
        return Ok(None);
    }
    let folder = root.join("target/reference");
    std::fs::create_dir_all(&folder)?;
    let mut lint = Command::new(node);
    lint.args(["node_modules/@redocly/cli/bin/cli.js", "lint", "--config", "redocly.yaml", "--format", "stylish"]);
    for side in ["network", "gateway"] {
        let answer = Command::new(binary).args(["reference", side]).stdin(Stdio::null()).output();
        let answer = answer.with_context(|| format!("starting {}", binary.display()))?;
        if !answer.status.success() {
            bail!("`kontor reference {side}` failed: {}", String::from_utf8_lossy(&answer.stderr));
        }
        let file = folder.join(format!("{side}.json"));
        std::fs::write(&file, answer.stdout)?;
        lint.arg(file);
    }
    eprintln!("xtask: the OpenAPI documents of both ends");
    let status = lint
        .current_dir(root.join("e2e"))
        // It would tell its makers of every run, and us of new releases.
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
        .stdin(Stdio::null())
        .status();
    Ok(Some(status.context("starting the linter")?.success()))
}

/// `cargo xtask lint-reference`
pub fn run() -> Result<ExitCode> {
    let root = root()?;
    let node = packages::node()?;
    browser::install(&root.join("e2e"))?;
    match lint(&root, &node, &browser::build(&root)?)? {
        Some(true) => Ok(ExitCode::SUCCESS),
        Some(false) => Ok(ExitCode::FAILURE),
        None => bail!("the linter needs Node.js {}.{} or newer", NODE_MIN.0, NODE_MIN.1),
    }
}

/// `cargo xtask docs`: has the test that compares the table of operations write it.
pub fn docs() -> Result<ExitCode> {
    let status = cargo()
        .args([
            "test",
            "--quiet",
            "-p",
            "network",
            "--test",
            "it",
            "the_table_of_operations",
            "--",
            "--include-ignored",
        ])
        .env("KONTOR_WRITE_DOCS", "1")
        .current_dir(root()?)
        .status();
    Ok(if status.context("starting cargo test")?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
