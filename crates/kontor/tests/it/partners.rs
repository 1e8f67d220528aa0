//! Partners on both ends at once: the gateway and the network end as processes, meeting on the wire.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gateway::access;
use kit::clock::Clock;
use kit::db::{Db, DbConfig};
use kit::random::Random;
use network::seed::Credentials;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

pub const PATIENCE: Duration = Duration::from_secs(60);

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub struct Ends {
    pub http: reqwest::Client,
    pub network: String,
    pub gateway: String,
    gateway_args: Vec<String>,
    gateway_process: Option<Process>,
    pub credentials: Credentials,
    pub operator: String,
    pub folder: tempfile::TempDir,
    _network_process: Process,
}

fn free_address() -> SocketAddr {
    let random = Random::system();
    loop {
        let port = 20_000 + u16::try_from(random.below(12_000)).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn start(args: &[String]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kontor"));
    command.args(args).args(["--log", "error"]).stdin(Stdio::null()).stdout(Stdio::null());
    Process(command.spawn().unwrap())
}

fn args(name: &str, address: SocketAddr, folder: &Path, more: &[&str]) -> Vec<String> {
    let data = folder.join(name).display().to_string();
    let address = address.to_string();
    let own = [name, "--listen", &address, "--data-dir", &data];
    own.into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
}

impl Ends {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(more: &[&str]) -> Self {
        Self::start_on(&[], more).await
    }

    /// With more flags for the network's end, and for the gateway.
    pub async fn start_on(network_more: &[&str], more: &[&str]) -> Self {
        Self::start_in(None, network_more, more).await
    }

    /// With the gateway in this database, or in a file of its own.
    pub async fn start_in(gateway_database: Option<&str>, network_more: &[&str], more: &[&str]) -> Self {
        kit::tls::install_crypto_provider();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (network, gateway) = (free_address(), free_address());
        let file = folder.path().join("credentials.json");
        let file_text = file.display().to_string();
        let mut network_flags = vec!["--rate-limits", "off", "--local-webhooks", "--credentials-file", &file_text];
        network_flags.extend(network_more);
        let network_args = args("network", network, folder.path(), &network_flags);
        let network_process = start(&network_args);
        let (network, gateway_url) = (format!("http://{network}"), format!("http://{gateway}"));
        ready(&http, &network).await;
        let credentials: Credentials = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let file = || format!("sqlite:{}", folder.path().join("gateway.db").display());
        let database = gateway_database.map_or_else(file, str::to_owned);
        let db = Db::open(&DbConfig::new(&database)).await.unwrap();
        db.migrate(gateway::MIGRATIONS).await.unwrap();
        let operator = access::create_operator(&db, &Clock::system(), &Random::system(), "tests").await.unwrap();
        let operator = operator.api_key.expose_secret().to_owned();
        drop(db);
        let gateway_args = args(
            "gateway",
            gateway,
            folder.path(),
            &[
                "--database-url",
                &database,
                "--local-targets",
                "--klarna-credentials-file",
                &file_text,
                "--recovery-delay-seconds",
                "2",
            ],
        );
        let gateway_args = gateway_args.into_iter().chain(more.iter().map(|&arg| arg.to_owned())).collect();
        let mut ends = Self {
            http,
            network,
            gateway: gateway_url,
            gateway_args,
            gateway_process: None,
            credentials,
            operator,
            folder,
            _network_process: network_process,
        };
        ends.restart_gateway().await;
        let since = Instant::now();
        while ends.klarna(Method::GET, "/v2/notification/webhooks", None).await.1["webhooks"] == json!([]) {
            assert!(since.elapsed() < PATIENCE, "the gateway did not subscribe");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ends
    }

    pub async fn restart_gateway(&mut self) {
        self.gateway_process = None;
        self.gateway_process = Some(start(&self.gateway_args));
        ready(&self.http, &self.gateway).await;
    }

    pub async fn call(&self, key: &str, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path}", self.gateway)).bearer_auth(key);
        let request = request.header("idempotency-key", Random::system().alphanumeric(20));
        told(if let Some(body) = body { request.json(body) } else { request }).await
    }

    pub async fn operate(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.call(&self.operator, method, path, body).await
    }

    pub async fn klarna(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path}", self.network));
        let request = request.basic_auth("", Some(&self.credentials.acquiring_partner.api_key));
        told(if let Some(body) = body { request.json(body) } else { request }).await
    }

    /// A Partner that can be submitted.
    pub fn body(&self, reference: &str, country: &str, number: &str) -> Value {
        let seeded = &self.credentials.acquiring_partner;
        json!({"reference": reference, "name": format!("Nordlicht {reference}"),
            "contact": {"given_name": "Ada", "family_name": "Vester", "email": "ada@nordlicht.example", "phone": "+4930111222"},
            "sign_up": {"ip_address": "203.0.113.77", "signed_up_at": "2025-12-01T10:00:00Z"},
            "payment_profile_id": seeded.payment_profile_id,
            "business_entities": [{"reference": "le", "legal_name": "Nordlicht", "country": country,
                "registration": {"number": number, "authority": "Register", "entity_type": "LIMITED_LIABILITY_COMPANY",
                    "address": {"street_address": "Weg 1", "city": "Stadt", "country": country}},
                "stakeholders": [{"given_name": "Ada", "family_name": "Vester", "date_of_birth": "1961-02-03",
                    "national_identification": {"number": "19610203", "country": country}, "roles": ["OWNER"]}],
                "payouts": {"status": "ENABLED", "delay_days": 2, "bank_accounts": [
                    {"type": "IBAN", "holder": "Nordlicht", "bic": "NDEASEGGXXX", "iban": "DE89370400440532013000"}]}}],
            "brands": [{"reference": "b", "display_name": "Nordlicht", "logo_url": "https://cdn.example/l.png"}],
            "store_groups": [{"reference": "sg", "brand": "b", "support_contact": {"email": "help@nordlicht.example"},
                "social_media_links": [{"provider": "FACEBOOK", "url": "https://social.example/n"}]}],
            "stores": [{"reference": "web", "store_group": "sg", "type": "WEBSITE", "url": "https://nordlicht.example"},
                {"reference": "shop", "store_group": "sg", "type": "PHYSICAL_STORE",
                    "address": {"street_address": "Markt 1", "city": "Stadt", "country": country}}],
            "payment_accounts": [{"reference": format!("{reference}-pa"), "business_entity": "le", "store_group": "sg",
                "acquiring_account_id": seeded.payment_acquiring_account_id, "merchant_category_code": "5941"}]})
    }

    /// Makes and submits; returns the Partner's path.
    pub async fn onboard(&self, body: &Value) -> String {
        let (status, made) = self.operate(Method::POST, "/v1/partners", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        let path = format!("/v1/partners/{}", made["id"].as_str().unwrap());
        let (status, submitted) = self.operate(Method::POST, &format!("{path}/submit"), None).await;
        assert_eq!(status, 200, "{submitted}");
        path
    }

    pub async fn key(&self, path: &str) -> String {
        let (status, key) = self.operate(Method::POST, &format!("{path}/api-keys"), None).await;
        assert_eq!(status, 201, "{key}");
        key["api_key"].as_str().unwrap().to_owned()
    }

    pub async fn pay(&self, key: &str) -> (u16, Value) {
        let body = json!({"amount": 4_990, "currency": "EUR", "reference": "order-1", "return_url": "https://shop.example/thanks"});
        self.call(key, Method::POST, "/v1/payments", Some(&body)).await
    }

    pub async fn until(&self, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            let (_, read) = self.operate(Method::GET, path, None).await;
            if is(&read) {
                return read;
            }
            assert!(since.elapsed() < PATIENCE, "waited in vain for {what}: {read:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn events(&self, key: &str) -> Vec<String> {
        let (_, listed) = self.call(key, Method::GET, "/v1/events?order=asc&type=partner.*&size=100", None).await;
        let events = listed["events"].as_array().unwrap_or_else(|| panic!("{listed}"));
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

pub async fn told(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

async fn ready(http: &reqwest::Client, url: &str) {
    let since = Instant::now();
    while !http.get(format!("{url}/readyz")).send().await.is_ok_and(|answer| answer.status() == 200) {
        assert!(since.elapsed() < PATIENCE, "{url} was not ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn is_operational(partner: &Value) -> bool {
    partner["state"] == "OPERATIONAL" && partner["unconfirmed_changes"] == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn partners_of_five_countries_are_onboarded_and_paid_at_once() {
    let ends = Ends::start().await;
    let mut paths = Vec::new();
    for (country, number) in
        [("DE", "HRB 123456"), ("SE", "556000-0001"), ("DK", "12345678"), ("AT", "FN 123456a"), ("BE", "0123.456.789")]
    {
        let began = Instant::now();
        let path = ends.onboard(&ends.body(&format!("m-{country}"), country, number)).await;
        let key = ends.key(&path).await;
        let (status, paid) = ends.pay(&key).await;
        assert_eq!((status, &paid["state"]), (201, &json!("REQUIRES_CUSTOMER_ACTION")), "{country}: {paid}");
        eprintln!("{country}: from nothing to the first payment in {:?}", began.elapsed());
        paths.push((path, key));
    }
    // What is known of persons is nowhere in the clear, whatever happened with it.
    for entry in ends.folder.path().read_dir().unwrap() {
        let file = entry.unwrap().path();
        if !file.file_name().unwrap().to_str().unwrap().starts_with("gateway.db") {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        for secret in ["Vester", "19610203", "1961-02-03", "DE89370400440532013000"] {
            let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_there, "{} shows {secret}", file.display());
        }
    }
    for (path, key) in paths {
        let partner = ends.until(&path, "the account to be operational", is_operational).await;
        for list in ["business_entities", "brands", "store_groups", "stores", "payment_accounts"] {
            for entry in partner[list].as_array().unwrap() {
                assert!(entry["klarna_id"].as_str().is_some_and(|id| id.starts_with("krn:")), "{list}: {entry}");
            }
        }
        // Everything that is held is there.
        let account = partner["klarna_account_id"].as_str().unwrap();
        let (_, shown) =
            ends.klarna(Method::GET, &format!("/v2/accounts/{account}?expand=partner_business_entities"), None).await;
        let data = &shown["partner_business_entities"][0]["supplementary_business_data"];
        assert_eq!(data["stakeholders"][0]["national_identification"]["number"], "19610203");
        assert_eq!(data["partner_payouts_state"]["bank_accounts"][0]["iban"], "DE89370400440532013000");
        assert_eq!(shown["supplementary_account_data"]["account_creation"]["account_created_from_ip"], "203.0.113.77");
        assert_eq!(ends.events(&key).await, ["partner.approved", "partner.operational"]);
        // A repetition onboards nobody twice.
        let (status, again) = ends.operate(Method::POST, &format!("{path}/submit"), None).await;
        assert_eq!((status, &again["klarna_account_id"]), (200, &partner["klarna_account_id"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_and_changed_reaches_klarna_by_itself() {
    let ends = Ends::start().await;
    let path = ends.onboard(&ends.body("m-1", "SE", "556000-0001")).await;
    ends.until(&path, "the account to be operational", is_operational).await;
    let more = json!({"name": "Renamed", "contact": {"phone": "+4930999"},
        "brands": [{"reference": "b", "display_name": "New name", "logo_url": null}, {"reference": "b-2", "display_name": "Second"}],
        "business_entities": [{"reference": "le", "legal_name": "Nordlicht Neu"}],
        "store_groups": [{"reference": "sg", "social_media_links": null}, {"reference": "sg-2", "brand": "b-2"}],
        "stores": [{"reference": "web", "url": "https://new.example"},
            {"reference": "web-2", "store_group": "sg", "type": "WEBSITE", "url": "https://two.example"},
            {"reference": "web-3", "store_group": "sg-2", "type": "WEBSITE", "url": "https://three.example"}]});
    let (status, changed) = ends.operate(Method::PATCH, &path, Some(&more)).await;
    assert_eq!(status, 200, "{changed}");
    let partner = ends.until(&path, "the changes to arrive", is_operational).await;
    let account = partner["klarna_account_id"].as_str().unwrap();
    let expand = "expand=partner_business_entities,brands,store_groups,stores";
    let (_, shown) = ends.klarna(Method::GET, &format!("/v2/accounts/{account}?{expand}"), None).await;
    assert_eq!(
        (&shown["partner_account_name"], &shown["partner_account_contact"]["phone"]),
        (&json!("Renamed"), &json!("+4930999"))
    );
    assert_eq!(shown["partner_business_entities"][0]["legal_registered_entity_name"], "Nordlicht Neu");
    let names: Vec<&str> =
        shown["brands"].as_array().unwrap().iter().map(|brand| brand["display_name"].as_str().unwrap()).collect();
    assert!(names.contains(&"New name") && names.contains(&"Second"), "{names:?}");
    let first = shown["brands"].as_array().unwrap().iter().find(|brand| brand["brand_reference"] == "b").unwrap();
    assert!(first["element"].get("logo_url").is_none_or(Value::is_null), "{first}");
    assert_eq!(shown["stores"].as_array().unwrap().len(), 4, "{shown:#}");

    // What never changes is refused before anything is written.
    let account_change = json!({"merchant_category_code": "5942"});
    let (status, refused) =
        ends.operate(Method::PATCH, &format!("{path}/payment-accounts/m-1-pa"), Some(&account_change)).await;
    assert_eq!((status, &refused["validation_errors"][0]["parameter"]), (409, &json!("payment_accounts[0]")));
    // And what would make it incomplete.
    let (status, refused) =
        ends.operate(Method::PATCH, &format!("{path}/stores/web"), Some(&json!({"url": null}))).await;
    assert_eq!((status, &refused["validation_errors"][0]["parameter"]), (400, &json!("stores[0].url")), "{refused}");
    let (status, _) = ends.operate(Method::DELETE, &format!("{path}/stores/web"), None).await;
    assert_eq!(status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_and_a_refusal_are_told_in_our_names() {
    let ends = Ends::start().await;
    let (_, made) = ends.operate(Method::POST, "/v1/partners", Some(&json!({"reference": "m-0"}))).await;
    let path = format!("/v1/partners/{}", made["id"].as_str().unwrap());
    let (status, refused) = ends.operate(Method::POST, &format!("{path}/submit"), None).await;
    let named: Vec<&str> = refused["validation_errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["parameter"].as_str().unwrap())
        .collect();
    assert!(status == 400 && named.contains(&"business_entities") && named.contains(&"name"), "{refused}");
    assert_eq!(ends.operate(Method::POST, &format!("{path}/api-keys"), None).await.0, 409);

    let (_, made) =
        ends.operate(Method::POST, "/v1/partners", Some(&ends.body("m-1+reject", "SE", "556000-0001"))).await;
    let path = format!("/v1/partners/{}", made["id"].as_str().unwrap());
    let (status, refused) = ends.operate(Method::POST, &format!("{path}/submit"), None).await;
    assert_eq!(status, 403, "{refused}");
    let (_, read) = ends.operate(Method::GET, &path, None).await;
    assert_eq!((&read["state"], &read["refusal"]["status"]), (&json!("DRAFT"), &json!(403)), "{read}");

    // A profile that is nobody's: Klarna's field, our name; mended, it goes through.
    let mut body = ends.body("m-2", "SE", "556000-0001");
    let right = body["payment_profile_id"].clone();
    body["payment_profile_id"] = json!("krn:network:global:test:payment-profile:6a1d0c1e-0000-4000-8000-000000000001");
    body["payment_accounts"][0]["acquiring_account_id"] =
        json!("krn:partner:global:acquiring-account:6a1d0c1e-0000-4000-8000-0000000000aa");
    let (_, made) = ends.operate(Method::POST, "/v1/partners", Some(&body)).await;
    let path = format!("/v1/partners/{}", made["id"].as_str().unwrap());
    let (status, refused) = ends.operate(Method::POST, &format!("{path}/submit"), None).await;
    let named: Vec<&str> = refused["validation_errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["parameter"].as_str().unwrap())
        .collect();
    assert_eq!(
        (status, named),
        (400, vec!["payment_profile_id", "payment_accounts[0].acquiring_account_id"]),
        "{refused}"
    );
    let mended = json!({"payment_profile_id": right, "payment_accounts": [{"reference": "m-2-pa",
        "acquiring_account_id": ends.credentials.acquiring_partner.payment_acquiring_account_id}]});
    assert_eq!(ends.operate(Method::PATCH, &path, Some(&mended)).await.0, 200);
    assert_eq!(ends.operate(Method::POST, &format!("{path}/submit"), None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_by_either_side_holds_on_both() {
    let ends = Ends::start().await;
    let path = ends.onboard(&ends.body("m-1", "SE", "556000-0001")).await;
    let key = ends.key(&path).await;
    let partner = ends.until(&path, "the account to be operational", is_operational).await;
    let account = partner["klarna_account_id"].as_str().unwrap().to_owned();
    let product =
        async || ends.klarna(Method::GET, &format!("/v2/accounts/{account}/products/payment"), None).await.1[0].clone();

    let why = json!({"reason": "SUSPICIOUS_ACTIVITY", "details": "Many refunds."});
    let (status, suspended) = ends.operate(Method::POST, &format!("{path}/suspend"), Some(&why)).await;
    assert_eq!((status, &suspended["state"]), (200, &json!("SUSPENDED")), "{suspended}");
    assert_eq!(suspended["suspension"], json!({"by": "ACQUIRING_PARTNER", "reason": "SUSPICIOUS_ACTIVITY"}));
    let (status, refused) = ends.pay(&key).await;
    assert!(status == 403 && refused["error_message"].as_str().unwrap().contains("SUSPICIOUS_ACTIVITY"), "{refused}");
    assert_eq!(product().await["state"], "DISABLED");
    let (status, resumed) = ends.operate(Method::POST, &format!("{path}/resume"), None).await;
    assert_eq!((status, &resumed["state"]), (200, &json!("OPERATIONAL")), "{resumed}");
    assert_eq!((ends.pay(&key).await.0, product().await["state"].clone()), (201, json!("ENABLED")));

    let decide = json!({"decision_type": "FRAUDULENT_BEHAVIOUR"});
    let (status, told) =
        ends.klarna(Method::POST, &format!("/testing/accounts/{account}/compliance/decisions"), Some(&decide)).await;
    assert!(status < 300, "{told}");
    let partner = ends.until(&path, "Klarna's suspension", |partner| partner["state"] == "SUSPENDED").await;
    assert_eq!(partner["suspension"], json!({"by": "KLARNA", "reason": "FRAUDULENT_BEHAVIOUR"}), "{partner}");
    let (status, refused) = ends.pay(&key).await;
    assert!(status == 403 && refused["error_message"].as_str().unwrap().contains("Klarna"), "{refused}");
    assert_eq!(ends.operate(Method::POST, &format!("{path}/resume"), None).await.0, 409);
    let product_id = product().await["product_id"].as_str().unwrap().to_owned();
    let lift = json!({"state": "ENABLED"});
    let lifting = format!("/testing/accounts/{account}/products/payment/{product_id}/state");
    let (status, told) = ends.klarna(Method::PUT, &lifting, Some(&lift)).await;
    assert!(status < 300, "{told}");
    ends.until(&path, "the lift", is_operational).await;
    assert_eq!(ends.pay(&key).await.0, 201);

    let (status, ended) = ends.operate(Method::POST, &format!("{path}/offboard"), None).await;
    assert_eq!((status, &ended["state"]), (200, &json!("OFFBOARDED")), "{ended}");
    assert_eq!((ends.pay(&key).await.0, product().await["state"].clone()), (403, json!("DISABLED")));
    for tail in ["suspend", "resume", "submit"] {
        assert_eq!(ends.operate(Method::POST, &format!("{path}/{tail}"), None).await.0, 409, "{tail}");
    }
    // Klarna's two webhooks about its decision may overtake each other.
    let (mut heard, mut expected) = (
        ends.events(&key).await,
        [
            "partner.approved",
            "partner.operational",
            "partner.suspended",
            "partner.resumed",
            "partner.compliance_decision",
            "partner.suspended",
            "partner.resumed",
            "partner.offboarded",
        ],
    );
    heard.sort();
    expected.sort_unstable();
    assert_eq!(heard, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_found_repaired_adopted_and_raised() {
    let ends = Ends::start().await;
    let path = ends.onboard(&ends.body("m-1", "SE", "556000-0001")).await;
    let partner = ends.until(&path, "the account to be operational", is_operational).await;
    let account = partner["klarna_account_id"].as_str().unwrap();
    let align = async || ends.operate(Method::POST, &format!("{path}/alignment"), None).await;
    let (status, aligned) = align().await;
    assert_eq!((status, &aligned["drifts"]), (200, &json!([])), "equal to begin with: {aligned:#}");
    let database = format!("sqlite:{}", ends.folder.path().join("gateway.db").display());
    let progress = || {
        let output = Command::new(env!("CARGO_BIN_EXE_kontor"))
            .args(["partner", "alignment", "--database-url", &database])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(progress(), "1 of 1 accounts are compared, 0 wait\n");

    let brand = partner["brands"][0]["klarna_id"].as_str().unwrap();
    let (status, told) = ends
        .klarna(
            Method::PATCH,
            &format!("/v2/accounts/{account}/brands/{brand}"),
            Some(&json!({"display_name": "Other"})),
        )
        .await;
    assert_eq!(status, 200, "{told}");
    let extra = json!({"brand_reference": "x", "display_name": "Unheard of"});
    assert_eq!(ends.klarna(Method::POST, &format!("/v2/accounts/{account}/brands"), Some(&extra)).await.0, 201);
    let (status, told) = ends
        .klarna(Method::PUT, &format!("/testing/accounts/{account}/state"), Some(&json!({"state": "DISABLED"})))
        .await;
    assert!(status < 300, "{told}");
    let (status, aligned) = align().await;
    let found: Vec<(&str, &str)> = aligned["drifts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|drift| (drift["field"].as_str().unwrap().split(':').next().unwrap(), drift["action"].as_str().unwrap()))
        .collect();
    assert_eq!(status, 200);
    for expected in [("brands[0].display_name", "REPAIRED"), ("brands", "RAISED"), ("klarna_account_state", "ADOPTED")]
    {
        assert!(found.contains(&expected), "{expected:?}: {found:?}");
    }
    let (_, read) = ends.operate(Method::GET, &path, None).await;
    assert_eq!(read["suspension"], json!({"by": "KLARNA", "reason": "ACCOUNT_DISABLED"}));
    assert!(progress().contains("REPAIRED  1"), "{}", progress());
    let (status, told) = ends
        .klarna(Method::PUT, &format!("/testing/accounts/{account}/state"), Some(&json!({"state": "OPERATIONAL"})))
        .await;
    assert!(status < 300, "{told}");
    ends.until(&path, "the repair", is_operational).await;
    let (_, shown) = ends.klarna(Method::GET, &format!("/v2/accounts/{account}/brands/{brand}"), None).await;
    assert_eq!(shown["display_name"], "Nordlicht");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_survives_the_death_of_the_gateway_and_commands_reach_klarna() {
    let mut ends = Ends::start().await;
    let (_, made) = ends.operate(Method::POST, "/v1/partners", Some(&ends.body("m-1", "SE", "556000-0001"))).await;
    let path = format!("/v1/partners/{}", made["id"].as_str().unwrap());
    let url = format!("{}{path}/submit", ends.gateway);
    let call = ends.http.post(url).bearer_auth(&ends.operator).header("idempotency-key", "k");
    let call = call.timeout(Duration::from_millis(15)).send();
    drop(call.await);
    ends.restart_gateway().await;
    // Whether the first call was begun or not, a repetition with the same key ends in one account.
    let since = Instant::now();
    loop {
        let call = ends.http.post(format!("{}{path}/submit", ends.gateway)).bearer_auth(&ends.operator);
        let (status, _) = told(call.header("idempotency-key", "k")).await;
        if status == 200 {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ends.until(&path, "the account to be operational", is_operational).await;
    let (status, resolved) = ends
        .klarna(Method::GET, "/v2/distribution/resolve/partner-account-id?partner_account_reference=m-1", None)
        .await;
    assert_eq!(
        (status, &resolved["partner_account_id"]),
        (200, &ends.operate(Method::GET, &path, None).await.1["klarna_account_id"])
    );

    let database = format!("sqlite:{}", ends.folder.path().join("gateway.db").display());
    let id = path.rsplit('/').next().unwrap();
    for (verb, product) in [("suspend", "DISABLED"), ("activate", "ENABLED")] {
        let output = Command::new(env!("CARGO_BIN_EXE_kontor"))
            .args(["partner", verb, id, "--database-url", &database])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        ends.until(&path, verb, |partner| {
            partner["klarna_product_state"] == product && partner["unconfirmed_changes"] == 0
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bank_accounts_leave_hashed_where_that_is_agreed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hashing.json");
    let hashing = protocol::onboarding::bank_account::Hashing::default();
    let salt = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &hashing.salt);
    let agreed = json!({"memory_kib": hashing.memory_kib, "iterations": hashing.iterations, "parallelism": hashing.parallelism,
        "output_len": hashing.output_len, "salt": salt, "sanitization_method": hashing.sanitization_method,
        "hash_method": hashing.hash_method});
    std::fs::write(&file, agreed.to_string()).unwrap();
    let ends = Ends::start_with(&["--bank-account-hashing-file", file.to_str().unwrap()]).await;
    let path = ends.onboard(&ends.body("m-1", "SE", "556000-0001")).await;
    let partner = ends.until(&path, "the account to be operational", is_operational).await;
    let account = partner["klarna_account_id"].as_str().unwrap();
    let (_, shown) =
        ends.klarna(Method::GET, &format!("/v2/accounts/{account}?expand=partner_business_entities"), None).await;
    let state = &shown["partner_business_entities"][0]["supplementary_business_data"]["partner_payouts_state"];
    let sent = &state["bank_accounts"][0];
    assert_eq!(sent.get("iban"), None);
    assert_eq!(sent["iban_hash"]["value"], hashing.hash("DE89370400440532013000").unwrap());
    // And that is no drift.
    let (_, aligned) = ends.operate(Method::POST, &format!("{path}/alignment"), None).await;
    assert_eq!(aligned["drifts"], json!([]), "{aligned:#}");
}
