//! Files of Partners through the whole: the command, the gateway and the network end as processes, killed in the middle.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use access::NewPartner;
use gateway::access;
use kit::clock::Clock;
use kit::db::{Db, DbConfig};
use kit::random::Random;
use reqwest::Method;
use serde_json::{Value, json};

use crate::partners::Ends;

fn kontor(ends: &Ends, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kontor"));
    command.args(args).env("KONTOR_OPERATOR_KEY", &ends.operator).stdin(Stdio::null());
    if ["import", "export", "adopt"].contains(&args[1]) {
        command.args(["--gateway", &ends.gateway]);
    }
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn file(ends: &Ends, name: &str) -> PathBuf {
    ends.folder.path().join(name)
}

/// Invented Partners, one row in 25 of them faulty.
fn invented(ends: &Ends, path: &Path, count: usize, faulty_every: usize) {
    let (count, every) = (count.to_string(), faulty_every.to_string());
    let credentials = file(ends, "credentials.json");
    let format = path.extension().unwrap().to_str().unwrap();
    let args = ["bench", "partners", "--partners", &count, "--faulty-every", &every, "--format", format];
    let output =
        kontor(ends, &args).arg("--credentials-file").arg(credentials).arg("--write").arg(path).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// Every Partner of the gateway.
async fn listed(ends: &Ends) -> Vec<Value> {
    let (mut all, mut path) = (Vec::new(), "/v1/partners?size=100".to_owned());
    loop {
        let (status, page) = ends.operate(Method::GET, &path, None).await;
        assert_eq!(status, 200, "{page}");
        all.extend(page["partners"].as_array().unwrap().clone());
        let Some(last) = page["pagination"]["last_item"].as_str() else { return all };
        path = format!("/v1/partners?size=100&starting_after={last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_on_both_sides_goes_on_and_makes_nothing_twice() {
    const ROWS: usize = 300;
    const FAULTY: usize = 12;
    let mut ends = Ends::start().await;
    let path = file(&ends, "partners.csv");
    invented(&ends, &path, ROWS, ROWS / FAULTY);
    let text = path.display().to_string();
    let import = ["partner", "import", &text, "--submit"];

    let dry = kontor(&ends, &[&import[..], &["--dry-run"]].concat()).output().unwrap();
    assert!(!dry.status.success() && said(&dry).contains("288 CREATED, 12 FAULTY"), "{}", said(&dry));
    assert_eq!(listed(&ends).await.len(), 0, "a dry run makes nothing");

    // Killed once some rows are in; then the gateway, while it submits.
    let mut command = kontor(&ends, &import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    ends.until("/v1/partners?reference=p-000101", "some rows to be taken", |page| page["partners"] != json!([])).await;
    command.kill().unwrap();
    command.wait().unwrap();
    ends.restart_gateway().await;
    let again = kontor(&ends, &import).output().unwrap();
    assert!(!again.status.success() && said(&again).contains("12 of 300 rows have faults"), "{}", said(&again));
    assert!(said(&again).contains("going on behind row"), "{}", said(&again));

    let made = listed(&ends).await;
    let different = |name: &str| made.iter().map(|one| one[name].to_string()).collect::<BTreeSet<_>>().len();
    assert_eq!((made.len(), different("reference"), different("klarna_account_id")), (288, 288, 288));
    // The network's end counts the accounts that it made: each becomes operational once.
    let event = json!({"match": {"event_type": "partner.account.state-change.operational"}});
    let counted = async || ends.klarna(Method::POST, "/testing/events/count", Some(&event)).await.1["count"].clone();
    let since = std::time::Instant::now();
    while counted().await.as_i64() < Some(288) {
        assert!(since.elapsed() < Duration::from_secs(60), "{}", counted().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(counted().await, 288);

    // The file of results tells of each row once, and names what is wrong.
    let results = std::fs::read_to_string(file(&ends, "partners.result.csv")).unwrap();
    let lines: Vec<&str> = results.lines().collect();
    assert_eq!(lines[0], "row,reference,outcome,partner_id,state,field,reason");
    let numbers: Vec<&str> = lines[1..].iter().map(|line| line.split(',').next().unwrap()).collect();
    let expected: Vec<String> = (1..=ROWS).map(|number| number.to_string()).collect();
    let mut once = numbers.clone();
    once.dedup();
    assert_eq!(once, expected);
    for (row, field) in [
        (25, "registration.number"),
        (50, "business_entities[0].country"),
        (75, "iban"),
        (100, "stores[0].url"),
        (125, "reference"),
        (150, "contact.email"),
    ] {
        let line = lines.iter().find(|line| line.starts_with(&format!("{row},"))).unwrap();
        assert!(line.contains("FAULTY") && line.contains(field), "{line}");
    }

    // A third time, nothing is left to do; and all of them are compared.
    let third = kontor(&ends, &import).output().unwrap();
    assert!(said(&third).contains("0 rows sent"), "{}", said(&third));
    let database = format!("sqlite:{}", file(&ends, "gateway.db").display());
    let compared =
        kontor(&ends, &["partner", "alignment", "--all", "--watch", "--database-url", &database]).output().unwrap();
    assert!(compared.status.success() && said(&compared).contains("288 accounts were compared"), "{}", said(&compared));
    assert!(!said(&compared).contains("REPAIRED"), "{}", said(&compared));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_imported_elsewhere_as_it_was() {
    let (here, there) = (Ends::start().await, Ends::start().await);
    let path = file(&here, "partners.jsonl");
    invented(&here, &path, 40, 0);
    let import = |ends: &Ends, path: &Path| {
        let output = kontor(ends, &["partner", "import", path.to_str().unwrap()]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    };
    import(&here, &path);
    for name in ["out.csv", "out.jsonl"] {
        let out = file(&here, name);
        let export = ["partner", "export", out.to_str().unwrap(), "--personal"];
        let output = kontor(&here, &export).output().unwrap();
        assert!(output.status.success() && said(&output).contains("40 Partners"), "{}", said(&output));
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&out).unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "nobody else reads it");
    }
    // By way of a table, and then compared as documents.
    import(&there, &file(&here, "out.csv"));
    let back = file(&there, "back.jsonl");
    let output = kontor(&there, &["partner", "export", back.to_str().unwrap(), "--personal"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let read = |path: &Path| std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(read(&back), read(&file(&here, "out.jsonl")));
    let bare = file(&here, "bare.csv");
    assert!(kontor(&here, &["partner", "export", bare.to_str().unwrap()]).output().unwrap().status.success());
    let text = std::fs::read_to_string(&bare).unwrap();
    assert!(!text.contains("stakeholders") && !text.contains("1961-02-03") && text.contains("p-000001"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_or_a_key_that_is_wrong_is_refused_before_anything_is_sent() {
    let ends = Ends::start().await;
    let path = file(&ends, "partners.csv");
    std::fs::write(&path, "reference,colour\nm-1,red\n").unwrap();
    let output = kontor(&ends, &["partner", "import", path.to_str().unwrap()]).output().unwrap();
    assert!(!output.status.success() && said(&output).contains("`colour`"), "{}", said(&output));
    std::fs::write(&path, "reference\nm-1\n").unwrap();
    let mut command = kontor(&ends, &["partner", "import", path.to_str().unwrap()]);
    let output = command.env("KONTOR_OPERATOR_KEY", "kontor_op_nobody").output().unwrap();
    assert!(!output.status.success() && said(&output).contains("401"), "{}", said(&output));
    let mut command = kontor(&ends, &["partner", "import", path.to_str().unwrap()]);
    let output = command.env_remove("KONTOR_OPERATOR_KEY").output().unwrap();
    assert!(said(&output).contains("kontor operator create"), "{}", said(&output));
    let mut command = Command::new(env!("CARGO_BIN_EXE_kontor"));
    command.args(["partner", "import", path.to_str().unwrap(), "--gateway", "http://gateway.example/"]);
    let output = command.env("KONTOR_OPERATOR_KEY", &ends.operator).output().unwrap();
    assert!(said(&output).contains("SEC-11"), "{}", said(&output));
    assert_eq!(listed(&ends).await.len(), 0);
    let template = kontor(&ends, &["partner", "template", "--entries", "2"]).output().unwrap();
    let header = String::from_utf8(template.stdout).unwrap();
    assert!(header.starts_with("reference,name,") && header.contains("stores[1].url"), "{header}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_made_by_command_is_adopted_and_one_described_anew_is_refused_once() {
    let ends = Ends::start().await;
    let database = format!("sqlite:{}", file(&ends, "gateway.db").display());
    let account = ends.credentials.partner.account_id.clone();
    let db = Db::open(&DbConfig::new(&database)).await.unwrap();
    let partner =
        NewPartner { name: "Ada".to_owned(), klarna_account_id: account.parse().unwrap(), payment_account_id: None };
    let made = access::create_partner(&db, &Clock::system(), &Random::system(), partner).await.unwrap();
    drop(db);
    let (_, shown) = ends.klarna(Method::GET, &format!("/v2/accounts/{account}"), None).await;
    let reference = shown["partner_account_reference"].as_str().unwrap().to_owned();

    // Described anew, it is the same account at Klarna: that is told once, not tried for ever.
    let (_, drafted) = ends.operate(Method::POST, "/v1/partners", Some(&anew(&ends, &reference, &shown))).await;
    let draft = format!("/v1/partners/{}", drafted["id"].as_str().unwrap());
    let (status, refused) = ends.operate(Method::POST, &format!("{draft}/submit"), None).await;
    assert_eq!((status, &refused["error_code"]), (409, &json!("RESOURCE_CONFLICT")), "{refused}");
    let read = ends.until(&draft, "the refusal", |partner| partner["state"] == "DRAFT").await;
    assert!(read["refusal"]["error_message"].as_str().is_some_and(|said| said.contains(&made.partner_id)), "{read}");
    let counts = kontor(&ends, &["jobs", "counts", "--database-url", &database]).output().unwrap();
    assert!(!said(&counts).contains("partner_sync"), "nothing is tried again: {}", said(&counts));

    let renamed = json!({"reference": "described-anew"});
    assert_eq!(ends.operate(Method::PATCH, &draft, Some(&renamed)).await.0, 200);
    let adopted = kontor(&ends, &["partner", "adopt", &made.partner_id]).output().unwrap();
    assert!(adopted.status.success() && said(&adopted).contains("is OPERATIONAL"), "{}", said(&adopted));
    let path = format!("/v1/partners/{}", made.partner_id);
    let (_, aligned) = ends.operate(Method::POST, &format!("{path}/alignment"), None).await;
    assert_eq!(aligned["drifts"], json!([]), "{aligned:#}");
    // From now on what is done here reaches Klarna.
    assert_eq!(ends.operate(Method::POST, &format!("{path}/suspend"), None).await.0, 200);
    let (_, products) = ends.klarna(Method::GET, &format!("/v2/accounts/{account}/products/payment"), None).await;
    assert_eq!(products[0]["state"], "DISABLED", "{products}");
}

/// A Partner of this reference, as somebody might describe it who does not know that it is there; what Klarna has already is said as it
/// has it.
fn anew(ends: &Ends, reference: &str, shown: &Value) -> Value {
    let mut body = ends.body(reference, "DE", "HRB 123456");
    let contact = &shown["partner_account_contact"];
    body["name"] = shown["partner_account_name"].clone();
    body["contact"] = contact.clone();
    body.as_object_mut().unwrap().remove("sign_up");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_both_databases_show_nothing_of_persons_whatever_was_done_with_them() {
    let ends = Ends::start().await;
    let mark = ["Qzyvester", "19610203QZY", "DE89370400440532QZ"];
    let mut partner = ends.body("m-1", "SE", "556000-0001");
    partner["contact"]["family_name"] = json!(mark[0]);
    let entity = &mut partner["business_entities"][0];
    entity["stakeholders"][0]["family_name"] = json!(mark[0]);
    entity["stakeholders"][0]["national_identification"]["number"] = json!(mark[1]);
    entity["payouts"]["bank_accounts"][0]["iban"] = json!(mark[2]);
    let mut faulty = partner.clone();
    faulty["reference"] = json!("m-2");
    faulty["business_entities"][0]["payouts"]["bank_accounts"][0]["iban"] = json!(format!("?{}", mark[2]));
    let path = file(&ends, "partners.jsonl");
    std::fs::write(&path, format!("{partner}\n{faulty}\n{{\"broken\": {}\n", mark[0])).unwrap();
    let imported = kontor(&ends, &["partner", "import", path.to_str().unwrap(), "--submit"]).output().unwrap();
    assert!(said(&imported).contains("1 CREATED, 2 FAULTY"), "{}", said(&imported));
    let (_, listed) = ends.operate(Method::GET, "/v1/partners?reference=m-1", None).await;
    let one = format!("/v1/partners/{}", listed["partners"][0]["id"].as_str().unwrap());
    ends.until(&one, "the account to be operational", |partner| partner["state"] == "OPERATIONAL").await;
    assert_eq!(ends.operate(Method::PATCH, &one, Some(&json!({"contact": {"given_name": mark[0]}}))).await.0, 200);
    assert_eq!(ends.operate(Method::POST, &format!("{one}/alignment"), None).await.0, 200);
    let out = file(&ends, "out.csv");
    assert!(
        kontor(&ends, &["partner", "export", out.to_str().unwrap(), "--personal"]).output().unwrap().status.success()
    );
    assert!(std::fs::read_to_string(&out).unwrap().contains(mark[1]), "that was what was looked for");
    let results = std::fs::read(file(&ends, "partners.result.jsonl")).unwrap();
    let databases = databases(ends.folder.path());
    assert!(databases.len() >= 2, "{databases:?}");
    let read = databases.iter().map(|path| (path.clone(), std::fs::read(path).unwrap()));
    let (mut seen, mut bytes_seen) = (false, 0);
    for (path, bytes) in read.chain([(PathBuf::from("the result file"), results)]) {
        bytes_seen += bytes.len();
        seen |= bytes.windows(4).any(|window| window == b"m-2\"") || bytes.windows(3).any(|window| window == b"m-2");
        for mark in mark {
            let is_there = bytes.windows(mark.len()).any(|window| window == mark.as_bytes());
            assert!(!is_there, "{} shows {mark}", path.display());
        }
    }
    assert!(seen && bytes_seen > 100_000, "the search looked at the right files");
}

/// The files of both ends' databases, write-ahead logs among them.
fn databases(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(databases(&path));
        } else if path.file_name().unwrap().to_str().unwrap().contains(".db") {
            found.push(path);
        }
    }
    found
}
