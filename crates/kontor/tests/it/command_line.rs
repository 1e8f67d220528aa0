//! What the command line says, above all when something is wrong.

use std::process::{Command, Output};

fn kontor(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kontor")).args(args).env_clear().output().unwrap()
}

fn errors(args: &[&str]) -> String {
    let output = kontor(args);
    assert!(!output.status.success(), "{args:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn help_names_every_command_and_what_to_try_first() {
    let help = String::from_utf8(kontor(&["--help"]).stdout).unwrap();
    for word in
        ["demo", "network", "gateway", "partner", "deliveries", "jobs", "migrate", "secrets", "bench", "Try first"]
    {
        assert!(help.contains(word), "{word} is missing in:\n{help}");
    }
}

#[test]
fn a_gateway_without_a_way_to_klarna_names_everything_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let said = errors(&["gateway", "--data-dir", folder.path().to_str().unwrap()]);
    for part in ["--klarna-credentials-file", "--klarna-url", "--klarna-account-id", "KONTOR_KLARNA_API_KEY"] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
}

#[test]
fn listening_beyond_this_machine_without_tls_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let said = errors(&["network", "--listen", "0.0.0.0:0", "--data-dir", folder.path().to_str().unwrap()]);
    assert!(said.contains("SEC-11") && said.contains("--tls dev"), "{said}");
}

#[test]
fn a_database_url_of_an_unknown_kind_says_what_is_known() {
    let said = errors(&["migrate", "--database-url", "mysql://localhost/x"]);
    assert!(said.contains("sqlite:PATH or postgres://"), "{said}");
}

#[test]
fn migrating_twice_applies_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("x.db").display());
    for side in ["gateway", "network"] {
        let url = format!("{url}-{side}");
        let args = ["migrate", "--side", side, "--database-url", &url];
        let first = String::from_utf8(kontor(&args).stdout).unwrap();
        assert!(first.contains("applied kit 0001_jobs"), "{first}");
        let second = String::from_utf8(kontor(&args).stdout).unwrap();
        assert_eq!(second, format!("the {side} database is up to date\n"));
    }
}

#[test]
fn a_key_file_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.key");
    let file = file.to_str().unwrap();
    assert!(kontor(&["secrets", "generate", file]).status.success());
    let before = std::fs::read(file).unwrap();
    errors(&["secrets", "generate", file]);
    assert_eq!(std::fs::read(file).unwrap(), before);
    assert!(kontor(&["secrets", "rotate", file]).status.success());
    assert!(std::fs::read_to_string(file).unwrap().ends_with(std::str::from_utf8(&before).unwrap()));
}
