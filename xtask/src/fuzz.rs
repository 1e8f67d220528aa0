//! `cargo xtask fuzz`: calls that the reference allows and calls that it does not, thousands of them, against a throw-away network end.
//!
//! Schemathesis reads `/openapi.json` and makes the calls. A 5xx fails the run. What else it finds (a status or a body that the
//! reference does not tell of, valid data that is refused) is listed: most of it is data that no schema can describe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{browser, packages, root};

/// The version whose options and report are read here.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// What is looked at.
const CHECKS: &str = "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance,\
    positive_data_acceptance";

/// What would lock the fuzzer out, or end what it stands on: the clock (keys age), faults that are asked for, states that are brought
/// back, its own key, the addresses it may call from. And what waits, up to a minute a call, for calls that nobody makes.
const LEFT_ALONE: &str =
    "^/testing/(clock|faults|snapshots)|/wait$|/credentials/api-key/|ip-restrictions|inbound-restriction|/enforcement";

/// What reading the reference before the calls, and telling of them afterwards, may take.
const GRACE: Duration = Duration::from_secs(120);

/// How long, and how much.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    seconds: u32,
    examples: u32,
    seed: u32,
}

impl Options {
    /// Reads `[--seconds N] [--examples N] [--seed N]`.
    pub fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self { seconds: 180, examples: 30, seed: 1 };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let target = match arg.as_str() {
                "--seconds" => &mut options.seconds,
                "--examples" => &mut options.examples,
                "--seed" => &mut options.seed,
                other => bail!("`fuzz` knows --seconds N, --examples N and --seed N, but got `{other}`"),
            };
            *target =
                args.next().and_then(|value| value.parse().ok()).with_context(|| format!("{arg} takes a number"))?;
        }
        Ok(options)
    }
}

/// Runs. Fails on any 5xx.
pub fn run(options: &Options) -> Result<ExitCode> {
    let program = install()?;
    Ok(if call(&program, options)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes the calls; says whether there was no 5xx.
fn call(schemathesis: &Path, options: &Options) -> Result<bool> {
    let root = root()?;
    let folder = folder()?;
    let end = End::start(&browser::build(&root)?, &folder)?;
    // Below a made-up account there is nothing to find but 404.
    let parameters = format!("[parameters]\n\"path.partner_account_id\" = \"{}\"\n", end.partner);
    std::fs::write(folder.join("schemathesis.toml"), parameters)?;
    let report = folder.join("report.json");
    std::fs::remove_file(&report).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let mut run = Command::new(schemathesis)
        .arg("run")
        .arg(format!("{}/openapi.json", end.url))
        .arg(format!("--header=Authorization: Basic {}", end.key))
        .args(["--checks", CHECKS, "--exclude-path-regex", LEFT_ALONE])
        .args(["--continue-on-failure", "--no-shrink", "--warnings", "off", "--report", "json"])
        .arg("--report-json-path")
        .arg(&report)
        .arg(format!("--max-time={}", options.seconds))
        .arg(format!("--max-examples={}", options.examples))
        .arg(format!("--seed={}", options.seed))
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(folder.join("run.log"))?)
        .spawn()
        .context("starting schemathesis")?;
    let status = wait(&mut run, Duration::from_secs(u64::from(options.seconds)) + GRACE)?;
    let text = std::fs::read_to_string(&report)
        .with_context(|| format!("schemathesis left no report ({status}); see target/fuzz/run.log"))?;
    let found = Found::read(&serde_json::from_str(&text).context("reading the report of schemathesis")?);
    found.tell();
    if !end.answers() {
        bail!("the network end does not answer any more; see target/fuzz/network.log");
    }
    Ok(!found.is_fatal())
}

/// Waits for the end, and makes one where it does not come.
fn wait(child: &mut Child, patience: Duration) -> Result<std::process::ExitStatus> {
    let until = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            bail!(
                "not at its end after {} s, and stopped; target/fuzz/run.log says what it was at",
                patience.as_secs()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn folder() -> Result<PathBuf> {
    let folder = root()?.join("target/fuzz");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Schemathesis of this version, in a virtual environment.
fn install() -> Result<PathBuf> {
    let folder = folder()?;
    let venv = folder.join("venv");
    let program = venv.join("bin/schemathesis");
    let installed = venv.join("kontor-installed");
    if program.is_file() && std::fs::read_to_string(&installed).is_ok_and(|known| known == SCHEMATHESIS) {
        return Ok(program);
    }
    let python = packages::python()?;
    eprintln!("xtask: installing {SCHEMATHESIS} below target/fuzz");
    run_quietly(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv))?;
    run_quietly(Command::new(venv.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        SCHEMATHESIS,
    ]))?;
    std::fs::write(&installed, SCHEMATHESIS)?;
    Ok(program)
}

fn run_quietly(command: &mut Command) -> Result<()> {
    let answer = command.stdin(Stdio::null()).output().with_context(|| format!("starting {command:?}"))?;
    if !answer.status.success() {
        bail!("{command:?} failed:\n{}", String::from_utf8_lossy(&answer.stderr));
    }
    Ok(())
}

/// A network end of our own, gone with this value.
struct End {
    child: Child,
    url: String,
    key: String,
    partner: String,
}

impl End {
    fn start(binary: &Path, folder: &Path) -> Result<Self> {
        let data = folder.join("data");
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        std::fs::create_dir_all(&data)?;
        let (address, credentials) = (data.join("address"), data.join("credentials.json"));
        let child = Command::new(binary)
            .args(["network", "--listen", "127.0.0.1:0", "--rate-limits", "off", "--seed", "1", "--log", "warn"])
            .arg("--data-dir")
            .arg(&data)
            .arg("--address-file")
            .arg(&address)
            .arg("--credentials-file")
            .arg(&credentials)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("network.log"))?)
            .spawn()
            .context("starting the network end")?;
        let mut end = Self { child, url: String::new(), key: String::new(), partner: String::new() };
        let patience = Instant::now() + Duration::from_secs(60);
        while !address.exists() {
            if let Some(status) = end.child.try_wait()? {
                bail!("the network end ended early ({status}); see target/fuzz/network.log");
            }
            if Instant::now() > patience {
                bail!("the network end does not start; see target/fuzz/network.log");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let known: Value = serde_json::from_str(&std::fs::read_to_string(&credentials)?)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("the credentials file lacks a part");
        end.url = text(&known["base_url"])?;
        end.key = text(&known["acquiring_partner"]["api_key"])?;
        end.partner = text(&known["partner"]["account_id"])?;
        Ok(end)
    }

    fn answers(&self) -> bool {
        let address = self.url.trim_start_matches("http://");
        std::net::TcpStream::connect(address).is_ok()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // Nothing of it is needed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the report says, in short.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    calls: u64,
    /// Whether it is fatal, what it is, and how often and where it was seen.
    failures: BTreeMap<(bool, String), (u64, Vec<String>)>,
    errors: usize,
}

impl Found {
    fn read(report: &Value) -> Self {
        let mut found =
            Self { calls: report["test_cases"]["generated"].as_u64().unwrap_or_default(), ..Self::default() };
        for failure in report["failures"].as_array().into_iter().flatten() {
            let text = |name: &str| failure[name].as_str().unwrap_or_default().to_owned();
            let operations = failure["operations"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let fatal = text("type") == "ServerError";
            let entry = found.failures.entry((fatal, text("title"))).or_default();
            entry.0 += failure["count"].as_u64().unwrap_or(1);
            entry.1.extend(operations.map(str::to_owned));
        }
        found.errors = report["errors"].as_array().map_or(0, Vec::len);
        found
    }

    fn is_fatal(&self) -> bool {
        self.failures.keys().any(|(fatal, _)| *fatal)
    }

    fn tell(&self) {
        eprintln!("xtask: {} calls; the report is target/fuzz/report.json, its text target/fuzz/run.log", self.calls);
        for ((fatal, title), (count, operations)) in &self.failures {
            eprintln!("xtask: {}{count} times: {title}", if *fatal { "FAILED, " } else { "" });
            for operation in operations {
                eprintln!("xtask:     {operation}");
            }
        }
        if self.errors > 0 {
            eprintln!("xtask: {} operations could not be tried", self.errors);
        }
        if !self.is_fatal() {
            eprintln!("xtask: no 5xx");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_error_fails_the_run() {
        let report = |kind: &str| serde_json::json!({"test_cases": {"generated": 9}, "failures": [{"type": kind, "title": "T", "count": 2, "operations": ["GET /a"]}]});
        assert!(Found::read(&report("ServerError")).is_fatal());
        let listed = Found::read(&report("RejectedPositiveData"));
        assert!(!listed.is_fatal());
        assert_eq!((listed.calls, listed.failures[&(false, "T".to_owned())].0), (9, 2));
    }

    #[test]
    fn what_does_not_end_is_ended() {
        let mut endless = Command::new("sleep").arg("60").spawn().unwrap();
        let began = Instant::now();
        let error = wait(&mut endless, Duration::from_millis(200)).unwrap_err();
        assert!(error.to_string().contains("stopped") && began.elapsed() < Duration::from_secs(30));
        assert!(wait(&mut Command::new("true").spawn().unwrap(), Duration::from_secs(30)).unwrap().success());
    }

    #[test]
    fn options_are_numbers() {
        let parse = |args: &[&str]| Options::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
        assert_eq!(parse(&["--seconds", "9"]).unwrap().seconds, 9);
        assert!(parse(&["--seconds"]).is_err() && parse(&["--minutes", "1"]).is_err());
    }
}
