//! Chores of the project, run as `cargo xtask <command>`.
//!
//! Everything longer than three lines of shell lives here: the test environment ([`suite`], [`postgres`],
//! [`browser`], [`packages`]), the lints of the repository ([`tidy`]) and of the OpenAPI documents ([`mod@reference`]), calls at random
//! ([`fuzz`]), pictures of pages ([`screenshots`]) and the cost of a clean build ([`build_cost`]).
//! It depends on next to nothing, so that it builds in seconds on a machine that has nothing yet.

mod browser;
mod build_cost;
mod fuzz;
mod packages;
mod postgres;
mod reference;
mod rust_source;
mod screenshots;
mod suite;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const HELP: &str = "\
Chores of the project.

Usage: cargo xtask <command>

Commands:
  test [--fast] [-- ARGS]  set up what the tests need, run all of them, clean up
                           --fast  without PostgreSQL and browser
                           ARGS    go to cargo nextest (or cargo test where nextest is missing);
                                   with ARGS the documentation and browser tests are left out
  postgres                 start a throw-away PostgreSQL, print its url, remove it on Ctrl-C
  fuzz [--seconds N] [--examples N] [--seed N]
                           make thousands of calls after the network end's reference, against a throw-away
                           one (default: 180 seconds); fails on any 5xx, lists what else is found
  lint-reference           check the OpenAPI documents of both ends with a linter
  docs                     write what is made from the code: docs/network-operations.md
  tidy                     check the rules of the repository that the compiler cannot check
  screenshots URL... [--out FOLDER]
                           photograph pages at 1280 and 390 pixels, light and dark (default folder:
                           target/screenshots); reports what the browser complains about, and pages that
                           are wider than the screen
  build-cost               build a release from clean; print time and peak memory, fail beyond the
                           limits that the README promises (ten minutes, 4 GB, two cores)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<ExitCode> {
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", args),
    };
    match command {
        "test" => suite::run(&suite::Options::parse(rest)?),
        "postgres" => {
            no_arguments(command, rest)?;
            postgres::serve_until_interrupted()
        }
        postgres::SUPERVISE => postgres::supervise(rest),
        "tidy" => {
            no_arguments(command, rest)?;
            tidy::run(&root()?)
        }
        "fuzz" => fuzz::run(&fuzz::Options::parse(rest)?),
        "lint-reference" => {
            no_arguments(command, rest)?;
            reference::run()
        }
        "docs" => {
            no_arguments(command, rest)?;
            reference::docs()
        }
        "screenshots" => screenshots::run(&root()?, rest),
        "build-cost" | "size-check" => {
            no_arguments(command, rest)?;
            build_cost::run(&root()?)
        }
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("unknown command `{other}`; `cargo xtask help` lists them"),
    }
}

fn no_arguments(command: &str, rest: &[String]) -> Result<()> {
    match rest.first() {
        None => Ok(()),
        Some(extra) => bail!("`{command}` takes no arguments, but got `{extra}`"),
    }
}

/// The folder of the workspace: the parent of this package.
fn root() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).context("xtask stands in a workspace")
}

/// The cargo that runs us, so that `+toolchain` holds for what we start, too.
fn cargo() -> std::process::Command {
    std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
