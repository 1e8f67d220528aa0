//! Settlement reports over SFTP: with a client in this process, and with the one that everybody has.

use std::sync::{Arc, Mutex};

use http::Method;
use network::settlements::files::KEPT_US;
use russh::client::{self, AuthResult};
use russh::keys::PublicKeyOrCertificate;
use russh_sftp::client::SftpSession;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::harness::{End, Place, Receiver, Wishes, places, sqlite_place, start};
use crate::payments_steps::{id, post, transaction};

const USERS: &str = "/v2/account/integration/credentials/sftp";

/// Takes whatever key the server has, and remembers it.
#[derive(Clone, Default)]
struct Trusting(Arc<Mutex<String>>);

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        *self.0.lock().unwrap() = format!("{key:?}");
        Ok(true)
    }
}

async fn with_sftp(place: &Place) -> End {
    start(place, Wishes { sftp: true, ..Wishes::default() }).await
}

/// A new SFTP user of whoever has this key: id, name and password.
async fn user(end: &End, key: &str) -> (String, String, String) {
    let made = end.call(key, Method::POST, USERS, Some(&json!({"description": "reports"}))).await.expect(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["credential_id"]), text(&made["identity"]["username"]), text(&made["secret"]["secret"]))
}

/// A connection, and whether name and password opened it.
async fn connect(end: &End, name: &str, password: &str) -> (client::Handle<Trusting>, bool, String) {
    let (seen, address) = (Trusting::default(), end.ctx.config.sftp.unwrap());
    let mut link = client::connect(Arc::default(), address, seen.clone()).await.unwrap();
    let opened = link.authenticate_password(name, password).await.unwrap();
    let key = seen.0.lock().unwrap().clone();
    (link, matches!(opened, AuthResult::Success), key)
}

async fn session(end: &End, name: &str, password: &str) -> SftpSession {
    let (link, is_in, _) = connect(end, name, password).await;
    assert!(is_in);
    let channel = link.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    SftpSession::new(channel.into_stream()).await.unwrap()
}

async fn names(session: &SftpSession) -> Vec<String> {
    session.read_dir("/").await.unwrap().map(|entry| entry.file_name()).collect()
}

/// Captures something and settles it: the settlement, and the name of its CSV once it was told.
async fn settled(end: &End, reference: &str) -> (Value, String) {
    let transaction = id(&transaction(end, reference).await);
    post(end, &format!("/transactions/{transaction}/capture"), &json!({"capture_amount": 1000})).await.expect(201);
    settle(end).await
}

async fn settle(end: &End) -> (Value, String) {
    let made = end.ap(Method::POST, "/testing/settlements", None).await.expect(201);
    let settlement = made["settlement_reports"][0].clone();
    for _ in 0..1000 {
        let events = end.ap(Method::GET, "/testing/events?size=100", None).await.expect(200);
        let told = events["events"].as_array().unwrap().iter().find(|event| {
            event["event_type"] == "settlement.report.uploaded-to-sftp"
                && event["payload"]["settlement_id"] == settlement["settlement_id"]
        });
        if let Some(event) = told {
            return (settlement, event["payload"]["file_name"].as_str().unwrap().to_owned());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nobody was told of a file");
}

async fn over_the_api(end: &End, settlement: &Value) -> String {
    let path = format!("/v2/settlements/{}/csv", settlement["settlement_id"].as_str().unwrap());
    end.ap(Method::GET, &path, None).await.text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_is_told_of_and_fetched_as_the_api_has_it() {
    for place in places().await {
        let end = with_sftp(&place).await;
        let receiver = Receiver::start().await;
        let (key, _) = end.signing_key().await;
        end.webhook(&receiver.url(), &["settlement.report.*"], "v2", &key).await;
        let (settlement, name) = settled(&end, "t-1").await;
        let reference = settlement["payment_reference"].as_str().unwrap();
        assert_eq!(name, format!("{reference}.20260302T000000+0000.csv"));
        let told = [receiver.next().await.json(), receiver.next().await.json()];
        let kinds: Vec<&str> = told.iter().map(|event| event["metadata"]["event_type"].as_str().unwrap()).collect();
        assert!(kinds.contains(&"settlement.report.created") && kinds.contains(&"settlement.report.uploaded-to-sftp"));

        let (_, user_name, password) = user(&end, end.ap_key()).await;
        let session = session(&end, &user_name, &password).await;
        let pdf = name.replace(".csv", ".pdf");
        assert_eq!(names(&session).await, [name.clone(), pdf.clone()]);
        let content = session.read(format!("/{name}")).await.unwrap();
        assert_eq!(String::from_utf8(content.clone()).unwrap(), over_the_api(&end, &settlement).await);
        assert!(session.read(pdf).await.unwrap().starts_with(b"%PDF-"));
        let metadata = session.metadata(name.clone()).await.unwrap();
        assert_eq!((metadata.size, metadata.is_regular()), (Some(content.len() as u64), true));
        assert!(metadata.permissions().is_readonly());
        // From the middle, and behind the end.
        let mut file = session.open(name.clone()).await.unwrap();
        file.seek(std::io::SeekFrom::Start(10)).await.unwrap();
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, content[10..]);

        // Nothing can be changed, and nothing else is there.
        assert!(session.write(name.clone(), b"x").await.is_err());
        assert!(session.create("new.csv").await.is_err());
        assert!(session.remove_file(name.clone()).await.is_err());
        assert!(session.rename(name.clone(), "other.csv").await.is_err());
        assert!(session.create_dir("folder").await.is_err());
        for absent in ["/../etc/passwd", "/etc/passwd", "other.csv", "\0"] {
            assert!(session.open(absent).await.is_err(), "{absent:?}");
        }
        assert_eq!(session.canonicalize(".").await.unwrap(), "/");
        assert_eq!(session.read(name).await.unwrap(), content);
        end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_stays_out_and_sees_nothing_of_others() {
    for place in places().await {
        let end = with_sftp(&place).await;
        let (_, name) = settled(&end, "t-1").await;
        let (credential, user_name, password) = user(&end, end.ap_key()).await;
        for (wrong_name, wrong_password) in [(user_name.as_str(), "other"), ("nobody", &password), ("\0", "")] {
            assert!(!connect(&end, wrong_name, wrong_password).await.1, "{wrong_name:?}");
        }
        // A Partner's user sees the folder of the Partner.
        let (_, partner, partner_password) = user(&end, end.partner_key()).await;
        let partner = session(&end, &partner, &partner_password).await;
        assert_eq!(names(&partner).await, Vec::<String>::new());
        assert!(partner.open(name.clone()).await.is_err());

        // No shell, no commands.
        let (link, is_in, _) = connect(&end, &user_name, &password).await;
        assert!(is_in);
        for subsystem in ["netconf", "shell"] {
            let mut channel = link.channel_open_session().await.unwrap();
            channel.request_subsystem(true, subsystem).await.unwrap();
            assert!(matches!(channel.wait().await, Some(russh::ChannelMsg::Failure)), "{subsystem}");
        }

        // The list of addresses holds here, too.
        let ips = "/v2/account/integration/ip-restrictions/allowed-ips";
        let only = json!({"enforcement_mode": "ENFORCED", "allowed_ips": ["203.0.113.0/24"]});
        end.ap(Method::PUT, ips, Some(&only)).await.expect(200);
        assert!(!connect(&end, &user_name, &password).await.1);
        assert_eq!(end.ap(Method::DELETE, "/testing/restrictions", None).await.status, 204);

        // Whoever is in loses it with the next file.
        let opened = session(&end, &user_name, &password).await;
        assert!(opened.open(name.clone()).await.is_ok());
        assert_eq!(end.ap(Method::DELETE, &format!("{USERS}/{credential}"), None).await.status, 204);
        assert!(opened.open(name.clone()).await.is_err() && opened.read_dir("/").await.is_err());
        assert!(!connect(&end, &user_name, &password).await.1);
        end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_report_is_written_in_steps_and_read_in_pieces() {
    for place in places().await {
        let end = with_sftp(&place).await;
        let account = end.credentials.partner.account_id.parse::<protocol::PartnerAccountId>().unwrap();
        let payment_account = end.credentials.partner.payment_account_id.clone();
        end.ctx
            .write(|| {
                let (account, payment_account) = (account.clone(), payment_account.clone());
                move |tx: &mut kit::db::Tx| -> kit::db::UnitFuture<'_, Result<(), kit::db::DbError>> {
                    Box::pin(async move {
                        for number in 0..2_500_i64 {
                            let key = format!("test:{number}");
                            let entry = network::settlements::NewEntry {
                                account: &account,
                                key: &key,
                                kind: network::settlements::EntryKind::Adjustment,
                                amount: number + 1,
                                currency: protocol::Currency::EUR,
                                payment_account_id: &payment_account,
                                transaction_id: None,
                                capture_number: None,
                                dispute_id: None,
                                occurred_at: crate::harness::BEGINNING,
                            };
                            network::settlements::enter(tx, &entry).await?;
                        }
                        Ok(())
                    })
                }
            })
            .await
            .unwrap();
        let (settlement, name) = settle(&end).await;
        let (_, user_name, password) = user(&end, end.ap_key()).await;
        let content = session(&end, &user_name, &password).await.read(name).await.unwrap();
        let text = String::from_utf8(content).unwrap();
        assert_eq!(text.lines().count(), 2 + 1 + 1 + 2_500, "summary, empty line, names, lines");
        assert_eq!(text.lines().skip(3).collect::<Vec<_>>(), {
            let api = over_the_api(&end, &settlement).await;
            api.lines().skip(3).map(str::to_owned).collect::<Vec<_>>()
        });
        end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_after_ninety_days_and_the_host_key_stays() {
    for place in places().await {
        let end = with_sftp(&place).await;
        let (_, name) = settled(&end, "t-1").await;
        let (_, user_name, password) = user(&end, end.ap_key()).await;
        let (_, is_in, key) = connect(&end, &user_name, &password).await;
        assert!(is_in && key.contains("Ed25519"), "{key}");
        end.stop().await;

        let end = with_sftp(&place).await;
        let (_, is_in, again) = connect(&end, &user_name, &password).await;
        assert_eq!((is_in, again), (true, key));
        let opened = session(&end, &user_name, &password).await;
        assert!(names(&opened).await.contains(&name));
        let days = KEPT_US / kit::clock::DAY_US;
        end.ap(Method::POST, "/testing/clock", Some(&json!({"advance": format!("P{}D", days + 1)}))).await.expect(200);
        for _ in 0..1000 {
            if !names(&opened).await.contains(&name) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!(opened.open(name).await.is_err());
        end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_no_file_is_told_of() {
    let place = sqlite_place();
    let end = start(&place, Wishes::default()).await;
    let transaction = id(&transaction(&end, "t-1").await);
    post(&end, &format!("/transactions/{transaction}/capture"), &json!({"capture_amount": 1000})).await.expect(201);
    end.ap(Method::POST, "/testing/settlements", None).await.expect(201);
    let events = end.ap(Method::GET, "/testing/events?size=100", None).await.expect(200).to_string();
    assert!(events.contains("settlement.report.created") && !events.contains("uploaded-to-sftp"));
    let jobs: Vec<kit::jobs::JobCount> = end.ctx.db.read(|tx| Box::pin(kit::jobs::counts(tx))).await.unwrap();
    assert!(jobs.iter().all(|count| count.kind != network::settlements::files::UPLOAD), "{jobs:?}");
}

/// The client that every machine has, with nothing of ours.
#[tokio::test(flavor = "multi_thread")]
async fn openssh_fetches_everything() {
    if std::process::Command::new("sftp").arg("-?").output().is_err() {
        eprintln!("skipped: needs OpenSSH's sftp");
        return;
    }
    let place = sqlite_place();
    let end = with_sftp(&place).await;
    let (settlement, name) = settled(&end, "t-1").await;
    let (_, user_name, password) = user(&end, end.ap_key()).await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let address = end.ctx.config.sftp.unwrap();
    let key = sftp::known_host(&network::credentials::sftp_host_key(&end.ctx).await.unwrap()).unwrap();
    std::fs::write(at("known_hosts"), format!("[127.0.0.1]:{} {key}\n", address.port())).unwrap();
    // Asked for the password, the client runs this.
    std::fs::write(at("askpass"), format!("#!/bin/sh\necho '{password}'\n")).unwrap();
    std::fs::set_permissions(at("askpass"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(at("batch"), "ls -l\nget *\n-rm *.csv\n-put batch\n").unwrap();
    let run = tokio::process::Command::new("sftp")
        .args(["-F", "none", "-oBatchMode=no", "-oStrictHostKeyChecking=yes", "-oPreferredAuthentications=password"])
        .arg(format!("-oUserKnownHostsFile={}", at("known_hosts").display()))
        .arg(format!("-P{}", address.port()))
        .args(["-b", "batch"])
        .arg(format!("{user_name}@127.0.0.1"))
        .env("SSH_ASKPASS", at("askpass"))
        .env("SSH_ASKPASS_REQUIRE", "force")
        .current_dir(folder.path())
        .stdin(std::process::Stdio::null())
        .output();
    let run = tokio::time::timeout(std::time::Duration::from_secs(30), run).await.unwrap().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
    assert!(said.contains("-r--r--r--") && said.contains(&name), "{said}");
    assert_eq!(said.matches("ermission denied").count(), 2, "neither removed nor put: {said}");
    assert_eq!(std::fs::read_to_string(at(&name)).unwrap(), over_the_api(&end, &settlement).await);
    assert!(at(&name.replace(".csv", ".pdf")).exists());
}
