//! The throw-away PostgreSQL as others see it: through the command.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const GONE_AFTER_MAX: Duration = Duration::from_secs(60);

#[test]
fn the_server_goes_when_whoever_started_it_is_killed() {
    if std::env::var_os("KONTOR_TEST_POSTGRES_URL").is_none() {
        eprintln!("skipped: needs PostgreSQL (KONTOR_TEST_POSTGRES_URL)");
        return;
    }
    let mut starter = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("postgres")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("our own program starts");
    let mut url = String::new();
    BufReader::new(starter.stdout.take().expect("stdout is piped")).read_line(&mut url).expect("the url is text");
    let address = url.trim().split(['@', '/']).nth(3).unwrap_or_default().to_owned();
    TcpStream::connect(&address).unwrap_or_else(|error| panic!("{url:?}, {address:?}: {error}"));

    starter.kill().expect("the starter still runs");
    starter.wait().expect("the starter can be waited for");

    let deadline = Instant::now() + GONE_AFTER_MAX;
    while TcpStream::connect(&address).is_ok() {
        assert!(Instant::now() < deadline, "the server at {address} outlived its starter");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_unknown_command_is_refused_with_advice() {
    let answer = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("tets").output().expect("our own program starts");
    let words = String::from_utf8_lossy(&answer.stderr);
    assert!(!answer.status.success());
    assert!(words.contains("`tets`") && words.contains("cargo xtask help"), "{words}");
}
