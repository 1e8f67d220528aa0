//! `cargo xtask test`: what the tests need, the tests, and the way back.
//!
//! Tests learn of their surroundings by two variables and skip, saying so, where one is absent:
//! `KONTOR_TEST_POSTGRES_URL` (a superuser's url; each test creates its own database) and
//! `KONTOR_TEST_CHROMIUM` (the browser's program).

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::postgres::Server;
use crate::{browser, cargo, packages, root};

const POSTGRES_URL: &str = "KONTOR_TEST_POSTGRES_URL";
const CHROMIUM: &str = "KONTOR_TEST_CHROMIUM";

/// What the user asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    fast: bool,
    passed_on: Vec<String>,
}

impl Options {
    /// Reads `[--fast] [-- ARGS]`.
    pub fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut args = args.iter();
        for arg in args.by_ref() {
            match arg.as_str() {
                "--fast" => options.fast = true,
                "--" => break,
                other => bail!("`test` knows --fast and `-- ARGS for the test runner`, but got `{other}`"),
            }
        }
        options.passed_on = args.cloned().collect();
        Ok(options)
    }
}

/// Sets up, runs and cleans up. Fails when a test does.
pub fn run(options: &Options) -> Result<ExitCode> {
    let mut notes = Vec::new();
    let mut surroundings = Surroundings { server: None, browser: None };
    if options.fast {
        notes.push("left out by --fast: tests that need PostgreSQL or a browser".to_owned());
    } else {
        surroundings.server = Some(Server::start()?);
        if let Err(error) = packages::web_tools() {
            notes.push(format!("tests that call programs of the machine may be skipped: {error:#}"));
        }
        match packages::chromium() {
            Ok(browser) => surroundings.browser = Some(browser),
            Err(error) => notes.push(format!("tests that need a browser cannot run: {error:#}")),
        }
    }
    let mut passed = surroundings.run_tests(&options.passed_on, &mut notes)?;
    notes.push(format!("Rust tests {}", if passed { "passed" } else { "FAILED (see their summary above)" }));
    // With ARGS somebody wants certain Rust tests.
    if !options.fast && options.passed_on.is_empty() {
        passed &= surroundings.run_browser_tests(&mut notes);
    }
    drop(surroundings);
    for note in notes {
        eprintln!("xtask: {note}");
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Surroundings {
    server: Option<Server>,
    browser: Option<std::path::PathBuf>,
}

impl Surroundings {
    fn run_tests(&self, passed_on: &[String], notes: &mut Vec<String>) -> Result<bool> {
        let nextest = has_nextest();
        let mut passed = true;
        // nextest leaves documentation tests to cargo. They go first, so that the last line is the summary.
        if nextest && passed_on.is_empty() {
            let docs = self.apply(cargo().args(["test", "--doc", "--workspace"])).status();
            if !docs.context("starting cargo test --doc")?.success() {
                passed = false;
                notes.push("documentation tests FAILED (see above)".to_owned());
            }
        }
        let mut command = cargo();
        command.args(if nextest { ["nextest", "run"] } else { ["test", "--no-fail-fast"] });
        if nextest && passed_on.is_empty() {
            command.arg("--no-fail-fast");
        }
        if !passed_on.iter().any(|arg| arg == "-p" || arg.starts_with("--package")) {
            command.arg("--workspace");
        }
        self.apply(command.args(passed_on));
        if nextest {
            passed &= command.status().context("starting cargo nextest")?.success();
        } else {
            let (success, counts) = run_counting(&mut command)?;
            passed &= success;
            let Counts { passed, failed, ignored } = counts;
            println!("Summary: {passed} passed, {failed} failed, {ignored} ignored");
        }
        Ok(passed)
    }

    /// A full run promises them: not being able to run them is a failure.
    fn run_browser_tests(&self, notes: &mut Vec<String>) -> bool {
        let Some(chromium) = &self.browser else {
            notes.push("browser tests FAILED: there is no browser (--fast leaves them out)".to_owned());
            return false;
        };
        match browser::run(chromium) {
            Ok(true) => {
                notes.push("browser tests passed".to_owned());
                true
            }
            Ok(false) => {
                notes.push("browser tests FAILED (see above; screenshots are in target/e2e)".to_owned());
                false
            }
            Err(error) => {
                notes.push(format!("browser tests FAILED to run: {error:#}"));
                false
            }
        }
    }

    /// Tells a command where it is. A url that was set before is somebody else's server: not for tests.
    fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env_remove(POSTGRES_URL).env_remove(CHROMIUM).stdin(Stdio::null());
        if let Ok(root) = root() {
            command.current_dir(root);
        }
        if let Some(server) = &self.server {
            command.env(POSTGRES_URL, server.url());
        }
        if let Some(browser) = &self.browser {
            command.env(CHROMIUM, browser);
        }
        command
    }
}

fn has_nextest() -> bool {
    cargo().args(["nextest", "--version"]).output().is_ok_and(|answer| answer.status.success())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`; other lines add nothing.
    fn add(&mut self, line: &str) {
        let Some((_, numbers)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in numbers.split(';') {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                Some("ignored") => self.ignored += number,
                _ => {}
            }
        }
    }
}

/// Runs `cargo test`, shows its output as it comes, and adds up what each test binary reports.
fn run_counting(command: &mut Command) -> Result<(bool, Counts)> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("starting cargo test")?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            counts.add(&line);
            println!("{line}");
        }
    }
    Ok((child.wait()?.success(), counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options> {
        Options::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_follows_two_dashes_goes_to_the_runner() {
        let options = parse(&["--fast", "--", "-p", "kit", "--fast"]).unwrap();
        assert!(options.fast);
        assert_eq!(options.passed_on, ["-p", "kit", "--fast"]);
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        let error = parse(&["--quick"]).unwrap_err().to_string();
        assert!(error.contains("`--quick`"), "{error}");
    }

    #[test]
    fn results_of_several_binaries_add_up() {
        let mut counts = Counts::default();
        counts.add("running 3 tests");
        counts.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s");
        counts.add("test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(counts, Counts { passed: 8, failed: 2, ignored: 1 });
    }
}
