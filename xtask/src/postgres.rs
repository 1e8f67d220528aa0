//! A throw-away PostgreSQL: temporary folder, free port, its own superuser and password, full durability.
//!
//! The server is kept by a *supervisor*, a second process of this program in its own process group. It lives as
//! long as the pipe to whoever asked for the server: however that one ends (return, panic, Ctrl-C, `kill -9`), the
//! pipe closes, and the supervisor stops the server and removes its folder. No other server is ever touched.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::packages;

/// The hidden command that turns a process into a supervisor; its argument is the folder of PostgreSQL's programs.
pub const SUPERVISE: &str = "supervise-postgres";

/// Tests run in parallel, each with its own database and pool.
const CONNECTIONS_MAX: u32 = 400;

/// Somebody else may take the free port between our look and the server's start.
const START_ATTEMPTS_MAX: u32 = 5;

/// A running server; dropping it stops the server and removes its data.
pub struct Server {
    url: String,
    supervisor: Child,
    lifeline: Option<ChildStdin>,
}

impl Server {
    /// Starts a server and returns once it accepts connections. Installs PostgreSQL where it is missing.
    pub fn start() -> Result<Self> {
        let binaries = packages::postgres_binaries()?;
        eprintln!("xtask: starting a throw-away PostgreSQL from {}", binaries.display());
        let mut supervisor = Command::new(std::env::current_exe()?)
            .arg(SUPERVISE)
            .arg(binaries)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("starting the supervisor of PostgreSQL")?;
        let lifeline = supervisor.stdin.take();
        let mut url = String::new();
        if let Some(stdout) = supervisor.stdout.take() {
            BufReader::new(stdout).read_line(&mut url)?;
        }
        let url = url.trim().to_owned();
        if url.is_empty() {
            supervisor.wait()?;
            bail!("PostgreSQL did not start (its own words stand above)");
        }
        Ok(Self { url, supervisor, lifeline })
    }

    /// `postgres://…` of a superuser, so that each test can create a database of its own.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        if let Err(error) = self.supervisor.wait() {
            eprintln!("xtask: waiting for PostgreSQL to stop: {error}");
        }
    }
}

/// `cargo xtask postgres`: the url on standard output, then waits for Ctrl-C (or for the end of standard input's
/// pipe, when a program started us).
pub fn serve_until_interrupted() -> Result<ExitCode> {
    let server = Server::start()?;
    println!("{}", server.url());
    std::io::stdout().flush()?;
    eprintln!("xtask: PostgreSQL runs until Ctrl-C; export KONTOR_TEST_POSTGRES_URL={}", server.url());
    loop {
        std::thread::park();
    }
}

/// The supervisor's life: make the server, say its url, wait for the pipe to close, remove the server.
pub fn supervise(args: &[String]) -> Result<ExitCode> {
    let [binaries] = args else { bail!("`{SUPERVISE}` is started by this program itself") };
    let cluster = Cluster::create(Path::new(binaries))?;
    let port = cluster.start()?;
    let mut stdout = std::io::stdout();
    // A starter that is gone already closes both pipes: then the write fails, and the cluster is dropped at once.
    let told = writeln!(stdout, "postgres://kontor:{}@127.0.0.1:{port}/postgres", cluster.password);
    if told.and_then(|()| stdout.flush()).is_ok() {
        let mut ignored = Vec::new();
        // An error means the same as the end: nobody holds the other side.
        let _ = std::io::stdin().read_to_end(&mut ignored);
    }
    Ok(ExitCode::SUCCESS)
}

/// A cluster on disk; dropping it stops its server, if one runs, and removes the folder.
struct Cluster {
    binaries: PathBuf,
    folder: PathBuf,
    owner: Option<Owner>,
    password: String,
}

/// Who runs the server when we are root: PostgreSQL refuses to be.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Cluster {
    fn create(binaries: &Path) -> Result<Self> {
        let owner = if packages::is_root() { Some(Owner::unprivileged()?) } else { None };
        let folder = std::env::temp_dir().join(format!("kontor-postgres-{}", random_hex(6)?));
        // Nobody else on the machine may look into it: it holds the password.
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        let cluster = Self { binaries: binaries.to_path_buf(), folder, owner, password: random_hex(16)? };
        let password_file = cluster.folder.join("password");
        std::fs::write(&password_file, &cluster.password)?;
        if let Some(Owner { uid, gid }) = owner {
            chown(&password_file, Some(uid), Some(gid))?;
            chown(&cluster.folder, Some(uid), Some(gid))?;
        }
        cluster.run(
            "initdb",
            &[
                "--username=kontor",
                "--auth=password",
                "--pwfile=password",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync", // only the making of it; the running server syncs every commit
                "--pgdata=data",
            ],
        )?;
        Ok(cluster)
    }

    /// Starts the server on a free port and returns the port.
    fn start(&self) -> Result<u16> {
        let mut attempt = 1;
        loop {
            let port = free_port()?;
            let settings = format!(
                "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= \
                 -c max_connections={CONNECTIONS_MAX} -c fsync=on -c full_page_writes=on \
                 -c timezone=UTC -c lc_messages=C"
            );
            let started = self.run(
                "pg_ctl",
                &["start", "--wait", "--timeout=60", "--silent", "--pgdata=data", "--log=log", "--options", &settings],
            );
            match started {
                Ok(()) => return Ok(port),
                Err(_) if attempt < START_ATTEMPTS_MAX => attempt += 1,
                Err(error) => {
                    let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                    return Err(error.context(format!("PostgreSQL's log says:\n{log}")));
                }
            }
        }
    }

    /// Runs one of PostgreSQL's programs in the cluster's folder, as its owner; its output is shown only on failure.
    fn run(&self, program: &str, args: &[&str]) -> Result<()> {
        let mut command = Command::new(self.binaries.join(program));
        command.args(args).current_dir(&self.folder).stdin(Stdio::null());
        // Settings of a server that the user runs otherwise must not reach ours.
        for name in ["PGDATA", "PGHOST", "PGPORT", "PGUSER", "PGOPTIONS", "PGPASSWORD"] {
            command.env_remove(name);
        }
        if let Some(Owner { uid, gid }) = self.owner {
            command.uid(uid).gid(gid);
        }
        // Into a file, not a pipe: the server would inherit the pipe and keep it open for as long as it lives.
        let words = self.folder.join(format!("{program}.out"));
        let file = std::fs::File::create(&words)?;
        command.stdout(file.try_clone()?).stderr(file);
        let status = command.status().with_context(|| format!("starting {program}"))?;
        if !status.success() {
            let words = std::fs::read_to_string(&words).unwrap_or_default();
            bail!("{program} failed ({status}):\n{words}");
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.folder.join("data/postmaster.pid").exists()
            && let Err(error) = self.run("pg_ctl", &["stop", "--wait", "--mode=immediate", "--silent", "--pgdata=data"])
        {
            eprintln!("xtask: stopping PostgreSQL in {}: {error:#}", self.folder.display());
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("xtask: removing {}: {error}", self.folder.display());
        }
    }
}

impl Owner {
    /// The user `postgres` of the package, or else `nobody`.
    fn unprivileged() -> Result<Self> {
        let users = std::fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| Self::parse(&users, name))
            .context("PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody`")
    }

    fn parse(users: &str, name: &str) -> Option<Self> {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2);
        Some(Self { uid: ids.next()?.parse().ok()?, gid: ids.next()?.parse().ok()? })
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

fn random_hex(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut buffer))
        .context("reading /dev/urandom")?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_found_by_whole_name() {
        let users = "postgresql:x:7:8::/:/bin/sh\npostgres:x:101:104:admin:/var:/bin/bash\n";
        let owner = Owner::parse(users, "postgres").unwrap();
        assert_eq!((owner.uid, owner.gid), (101, 104));
        assert!(Owner::parse(users, "nobody").is_none());
    }

    #[test]
    fn random_text_has_the_length_asked_for_and_differs() {
        let (one, other) = (random_hex(16).unwrap(), random_hex(16).unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }
}
