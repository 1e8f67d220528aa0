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
fn how_far_klarnas_clock_may_be_ahead_can_be_said() {
    let help = String::from_utf8(kontor(&["gateway", "--help"]).stdout).unwrap();
    let option = help.split("--klarna-clock-ahead-seconds").nth(1).unwrap_or_default();
    assert!(option.contains("KONTOR_KLARNA_CLOCK_AHEAD_SECONDS") && option.contains("300"), "{help}");
    let said = errors(&["gateway", "--klarna-clock-ahead-seconds", "-1"]);
    assert!(said.contains("--klarna-clock-ahead-seconds") || said.contains("-1"), "{said}");
}

#[test]
fn a_partner_is_made_suspended_and_activated_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let said = |args: &[&str]| {
        let output = kontor(&[&["partner"], args, &["--data-dir", folder]].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let account = "krn:partner:global:account:test:MQ7R2T9A";
    let made = said(&["create", "--name", "Ada", "--klarna-account-id", account]);
    let id = made.split_whitespace().find(|word| word.starts_with("par_")).unwrap();
    said(&["suspend", id]);
    assert!(said(&["list"]).contains("SUSPENDED"));
    said(&["activate", id]);
    assert!(said(&["list"]).contains("ACTIVE"));
    assert!(errors(&["partner", "suspend", "par_x", "--data-dir", folder]).contains("there is no Partner par_x"));
}

#[test]
fn an_operator_is_made_listed_and_disabled_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let said = |args: &[&str]| {
        let output = kontor(&[&["operator"], args, &["--data-dir", folder]].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let made = said(&["create", "--name", "onboarding"]);
    let id = made.split_whitespace().nth(1).unwrap();
    assert!(made.contains(&format!("kontor_op_{id}_")), "{made}");
    let listed = said(&["list"]);
    assert!(
        listed.contains("onboarding") && listed.contains("never used") && !listed.contains("kontor_op_"),
        "{listed}"
    );
    said(&["disable", id]);
    assert!(said(&["list"]).contains("disabled"));
    assert!(errors(&["operator", "disable", "nobody", "--data-dir", folder]).contains("there is no operator nobody"));
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

/// A database of one end with something sealed in it: made by a start of the network's end, which seeds it.
async fn seeded(folder: &std::path::Path) {
    let secrets = kit::secret_box::Keyring::generate_file(&folder.join("secrets.key")).unwrap();
    let secrets = kit::secret_box::SecretBox::new(secrets);
    let db = kit::db::DbConfig::new(format!("sqlite:{}", folder.join("network.db").display()));
    kit::tls::install_crypto_provider();
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    network::Network::start(network::Options::new(db, listen, secrets)).await.unwrap();
}

#[tokio::test]
async fn a_rotated_key_may_go_once_everything_is_resealed() {
    let folder = tempfile::tempdir().unwrap();
    seeded(folder.path()).await;
    let (data, file) = (folder.path().to_str().unwrap(), folder.path().join("secrets.key"));
    let old = std::fs::read_to_string(&file).unwrap();
    let said = |command: &str| {
        let output = kontor(&["secrets", command, "--side", "network", "--data-dir", data]);
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    assert!(kontor(&["secrets", "rotate", file.to_str().unwrap()]).status.success());
    let new = std::fs::read_to_string(&file).unwrap().lines().next().unwrap().to_owned();

    let (fine, text) = said("check");
    for column in ["customer_tokens.sealed 1", "accounts.details", "account_resources.content", "seed_secrets.sealed 1"]
    {
        assert!(fine && text.contains(column), "{text}");
    }
    let (_, told) = text.split_once("still needed: ").expect("the old key is needed");
    let needed = told.split(' ').next().unwrap();
    std::fs::write(&file, &new).unwrap();
    let (fine, text) = said("check");
    assert!(!fine && text.contains(&format!("MISSING: {needed}")), "{text}");
    let (fine, text) = said("reseal");
    assert!(!fine && text.contains(&format!("{needed} do not open")), "{text}");

    std::fs::write(&file, format!("{new}\n{old}")).unwrap();
    let (fine, text) = said("reseal");
    assert!(fine && text.contains(&format!("{needed} moved to key")) && text.contains("Idempotency-Key"), "{text}");
    assert!(text.contains("nothing at the network; it may go"), "{text}");
    let copies =
        text.split_once("no way back to these snapshots, which are not moved: seeded (").expect("a copy is told of").1;
    let copied: u64 = copies.split(' ').next().unwrap().parse().unwrap();
    assert!(copied > 0, "{text}");
    std::fs::write(&file, &new).unwrap();
    let (fine, text) = said("check");
    assert!(fine && text.contains(&format!("the current one: {needed}")), "{text}");
    assert!(text.contains(&format!("need a key that is missing: seeded ({copied} secrets)")), "{text}");
    assert!(said("reseal").1.contains(" 0 moved to key"), "again, it finds nothing to do");
}

#[tokio::test]
async fn the_key_of_sign_ins_is_rotated_beside_a_network_end() {
    let folder = tempfile::tempdir().unwrap();
    seeded(folder.path()).await;
    let data = folder.path().to_str().unwrap();
    let keys = || {
        let output = kontor(&["secrets", "check", "--side", "network", "--data-dir", data]);
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_once("network_keys.sealed ")
            .and_then(|(_, rest)| rest.chars().next())
            .and_then(|digit| digit.to_digit(10))
    };
    let before = keys().unwrap_or(0);
    for (more, kept, said) in
        [(&[][..], 1, "published"), (&[], 2, "minutes later"), (&["--at-once"], 1, "refused from then on")]
    {
        let output = kontor(&[&["secrets", "rotate-sign-in", "--data-dir", data], more].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains(said), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(keys(), Some(before + kept), "{text}");
    }
}

#[test]
fn secrets_are_not_looked_at_with_a_key_made_just_now() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["check", "reseal", "rotate-sign-in"] {
        let said = errors(&["secrets", command, "--data-dir", folder.path().to_str().unwrap()]);
        assert!(said.contains("--secrets-file"), "{said}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
