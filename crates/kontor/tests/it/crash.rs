//! Both ends are killed again and again in the middle of hundreds of payments. In the end both sides' books are equal, each payment
//! exists exactly once, and every event was delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use gateway::access::{self, NewPartner};
use kit::clock::Clock;
use kit::db::{Db, DbConfig};
use kit::random::Random;
use network::seed::Credentials;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

const PAYMENTS: usize = 300;
const CALLERS: usize = 24;
/// Kills at the least, of each end.
const KILLS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_both_ends_loses_and_doubles_nothing_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    run(folder.path(), &url("network.db"), &url("gateway.db")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_both_ends_loses_and_doubles_nothing_on_postgresql() {
    let Ok(server) = std::env::var(kit::testing::POSTGRES_URL) else {
        eprintln!("passed over: {} names no server", kit::testing::POSTGRES_URL);
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let network = kit::testing::new_postgres_database(&server).await.unwrap();
    let gateway = kit::testing::new_postgres_database(&server).await.unwrap();
    run(folder.path(), &network, &gateway).await;
}

async fn run(folder: &Path, network_db: &str, gateway_db: &str) {
    let stage = Stage::start(folder, network_db, gateway_db).await;
    let tokens = stage.mint_tokens(PAYMENTS).await;

    let stage = Arc::new(stage);
    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let killer = tokio::spawn(Arc::clone(&stage).kill_until(Arc::clone(&over)));
    let next = Arc::new(AtomicUsize::new(0));
    let tokens = Arc::new(tokens);
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (stage, tokens) = (Arc::clone(&stage), Arc::clone(&tokens));
            let (next, done) = (Arc::clone(&next), Arc::clone(&done));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let Some(token) = tokens.get(number) else { break };
                    stage.pay(number, token).await;
                    done.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    over.store(true, Ordering::SeqCst);
    let kills = killer.await.unwrap();
    assert!(kills >= 2 * KILLS, "only {kills} kills happened");
    assert_eq!(done.load(Ordering::SeqCst), PAYMENTS);

    stage.settle().await;
    stage.books_are_equal().await;
}

struct Stage {
    network: End,
    gateway: End,
    http: reqwest::Client,
    credentials: Credentials,
    partner_key: String,
    /// Ids of events that the Partner's receiver has seen.
    seen: Arc<Mutex<BTreeSet<String>>>,
}

/// One end: how to start it, and the process while it lives.
struct End {
    address: SocketAddr,
    args: Vec<String>,
    child: Mutex<Option<Child>>,
    log: PathBuf,
}

impl Drop for End {
    fn drop(&mut self) {
        self.kill();
    }
}

impl End {
    fn new(name: &str, folder: &Path, more: &[&str]) -> Self {
        let address = free_address();
        let data = folder.join(name);
        let mut args =
            vec![name.to_owned(), "--listen".to_owned(), address.to_string(), "--log".to_owned(), "warn".to_owned()];
        args.extend(["--data-dir".to_owned(), data.display().to_string()]);
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        Self { address, args, child: Mutex::new(None), log: folder.join(format!("{name}.log")) }
    }

    fn start(&self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_kontor"))
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        *self.child.lock().unwrap() = Some(child);
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn ready(&self, http: &reqwest::Client) {
        let since = Instant::now();
        loop {
            let answer = http.get(self.url("/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return;
            }
            let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(since.elapsed() < Duration::from_secs(60), "{} was not ready: {}", self.args[0], log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn is_of_payment(delivery: &Value) -> bool {
    delivery["event_type"].as_str().is_some_and(|kind| kind.starts_with("payment."))
}

/// Below the range from which the system takes ports for outgoing connections: a killed process must get its port back.
fn free_address() -> SocketAddr {
    let random = Random::system();
    loop {
        let port = 20_000 + u16::try_from(random.below(12_000)).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

impl Stage {
    async fn start(folder: &Path, network_db: &str, gateway_db: &str) -> Self {
        kit::tls::install_crypto_provider();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().unwrap();
        let file = folder.join("credentials.json");
        let file_text = file.display().to_string();
        let network = End::new(
            "network",
            folder,
            &[
                "--database-url",
                network_db,
                "--rate-limits",
                "off",
                "--local-webhooks",
                "--credentials-file",
                &file_text,
            ],
        );
        network.start();
        network.ready(&http).await;
        let credentials: Credentials = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();

        let db = Db::open(&DbConfig::new(gateway_db)).await.unwrap();
        db.migrate(gateway::MIGRATIONS).await.unwrap();
        let partner = NewPartner {
            name: "Crash".to_owned(),
            klarna_account_id: credentials.partner.account_id.parse().unwrap(),
            payment_account_id: Some(credentials.partner.payment_account_id.parse().unwrap()),
        };
        let created = access::create_partner(&db, &Clock::system(), &Random::system(), partner).await.unwrap();
        let partner_key = created.key.api_key.expose_secret().to_owned();
        drop(db);
        let gateway = End::new(
            "gateway",
            folder,
            &[
                "--database-url",
                gateway_db,
                "--local-targets",
                "--klarna-credentials-file",
                &file_text,
                "--recovery-delay-seconds",
                "5",
            ],
        );
        gateway.start();
        gateway.ready(&http).await;

        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let stage = Self { network, gateway, http, credentials, partner_key, seen };
        let hook = stage.receive().await;
        let endpoint = json!({"url": hook, "event_types": ["*"]});
        let (status, body) =
            stage.partner(Method::POST, "/v1/webhook-endpoints", Some(&endpoint), "endpoint").await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let since = Instant::now();
        loop {
            let webhooks = stage.klarna("/v2/notification/webhooks").await.unwrap();
            if webhooks["webhooks"].as_array().is_some_and(|list| !list.is_empty()) {
                break;
            }
            assert!(since.elapsed() < PATIENCE, "the gateway did not subscribe");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stage
    }

    /// The Partner's receiver: it lives in this process and is never killed.
    async fn receive(&self) -> String {
        async fn take(State(seen): State<Arc<Mutex<BTreeSet<String>>>>, body: Bytes) -> StatusCode {
            let event: Value = serde_json::from_slice(&body).unwrap();
            seen.lock().unwrap().insert(event["id"].as_str().unwrap().to_owned());
            StatusCode::NO_CONTENT
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(take)).with_state(Arc::clone(&self.seen));
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    async fn mint_tokens(&self, wanted: usize) -> Vec<String> {
        let path = format!("/v2/accounts/{}/interoperability/test-tokens", self.credentials.partner.account_id);
        let customer = self.credentials.partner.customer_token.as_deref().unwrap();
        let mut tokens = Vec::new();
        while tokens.len() < wanted {
            let answer = self
                .http
                .post(self.network.url(&path))
                .basic_auth("", Some(&self.credentials.acquiring_partner.api_key))
                .header("klarna-customer-token", customer)
                .header("klarna-customer-region", "krn:test:eu1:test")
                .json(&json!({"customer_journey": "KLARNA_EXPRESS_CHECKOUT"}))
                .send()
                .await
                .unwrap();
            assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
            let body: Value = answer.json().await.unwrap();
            tokens.push(body["interoperability_token"].as_str().unwrap().to_owned());
        }
        tokens
    }

    /// Kills the ends in turn, at odd moments, and starts them again at once; returns how often.
    async fn kill_until(self: Arc<Self>, over: Arc<AtomicBool>) -> usize {
        let random = Random::system();
        let mut kills = 0;
        while !over.load(Ordering::SeqCst) || kills < 2 * KILLS {
            tokio::time::sleep(Duration::from_millis(250 + random.below(450))).await;
            let end = if kills % 2 == 0 { &self.gateway } else { &self.network };
            end.kill();
            end.start();
            end.ready(&self.http).await;
            kills += 1;
        }
        kills
    }

    async fn partner(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: &str,
    ) -> Result<(StatusCode, Value), reqwest::Error> {
        let mut request = self.http.request(method.clone(), self.gateway.url(path)).bearer_auth(&self.partner_key);
        if method != Method::GET {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    async fn klarna(&self, path: &str) -> Result<Value, reqwest::Error> {
        let request = self.http.get(self.network.url(path));
        request.basic_auth("", Some(&self.credentials.acquiring_partner.api_key)).send().await?.json().await
    }

    /// As a careful Partner: the same call with the same key until there is an answer, then look until the outcome is known.
    async fn insist(&self, path: &str, body: &Value, key: &str) -> Value {
        let since = Instant::now();
        loop {
            match self.partner(Method::POST, path, Some(body), key).await {
                Ok((status, answer)) if status.is_success() => return answer,
                Ok((status, answer)) => {
                    let again = status.is_server_error()
                        || status == StatusCode::CONFLICT
                        || status == StatusCode::TOO_MANY_REQUESTS;
                    assert!(again, "{path} answered {status}: {answer}");
                }
                // Killed in the middle of it.
                Err(_) => {}
            }
            assert!(since.elapsed() < PATIENCE, "{path} was not answered");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn look_until(&self, payment_id: &str, what: &str, known: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            let path = format!("/v1/payments/{payment_id}");
            if let Ok((StatusCode::OK, payment)) = self.partner(Method::GET, &path, None, "").await {
                if known(&payment) {
                    return payment;
                }
                assert!(since.elapsed() < PATIENCE, "{payment_id} was not {what}: {payment}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A payment; every second one is captured in two parts, every fourth refunded in part.
    async fn pay(&self, number: usize, token: &str) {
        let body = json!({
            "amount": 4_990, "currency": "EUR", "reference": format!("order-{number}"), "capture": "MANUAL",
            "klarna_network_session_token": token,
            "line_items": [{"name": "Lantern", "quantity": 1, "total_amount": 4_990}],
        });
        let payment = self.insist("/v1/payments", &body, &format!("pay-{number}")).await;
        let payment_id = payment["id"].as_str().unwrap().to_owned();
        self.look_until(&payment_id, "authorized", |payment| payment["state"] == "AUTHORIZED").await;
        if number.is_multiple_of(2) {
            for (part, amount) in [(1, 2_000), (2, 1_000)] {
                let path = format!("/v1/payments/{payment_id}/captures");
                self.insist(&path, &json!({"amount": amount}), &format!("capture-{number}-{part}")).await;
            }
            self.look_until(&payment_id, "captured", |payment| payment["captured_amount"] == 3_000).await;
        }
        if number.is_multiple_of(4) {
            let path = format!("/v1/payments/{payment_id}/refunds");
            let payment = self.look_until(&payment_id, "readable", |_| true).await;
            let capture_id = &payment["captures"][0]["id"];
            self.insist(&path, &json!({"amount": 500, "capture_id": capture_id}), &format!("refund-{number}")).await;
            self.look_until(&payment_id, "refunded", |payment| payment["refunded_amount"] == 500).await;
        }
    }

    /// Until no webhook about payments is under way any more on either side. Klarna's gaps between attempts are long, so its clock is moved;
    /// what its next day begins with (settlements) then lies in the future for the gateway, which refuses it until then, and rightly.
    async fn settle(&self) {
        let since = Instant::now();
        loop {
            let deliveries = self.all("/testing/deliveries", "deliveries").await;
            let waiting = deliveries
                .iter()
                .filter(|delivery| is_of_payment(delivery) && delivery["state"] != "DELIVERED")
                .count();
            let events = self.partner_events().await;
            let unseen = events
                .iter()
                .filter(|event| !self.seen.lock().unwrap().contains(event["id"].as_str().unwrap()))
                .count();
            if waiting == 0 && unseen == 0 && !deliveries.is_empty() {
                return;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "{waiting} of Klarna's webhooks and {unseen} of ours were not delivered"
            );
            let advance = self
                .http
                .post(self.network.url("/testing/clock"))
                .basic_auth("", Some(&self.credentials.acquiring_partner.api_key))
                .json(&json!({"advance": "PT3M"}))
                .send()
                .await
                .unwrap();
            assert!(advance.status().is_success());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn books_are_equal(&self) {
        let events = self.all("/testing/events", "events").await;
        let account = &self.credentials.acquiring_partner.account_id;
        let of_type = |kind: &str| -> Vec<&Value> {
            events
                .iter()
                .filter(|event| event["event_type"] == kind && event["recipient_account_id"] == *account)
                .collect()
        };
        // Each transaction was authorized once, and the gateway knows exactly these.
        let authorized = of_type("payment.transaction.state-change.authorized");
        let at_klarna: BTreeSet<&str> =
            authorized.iter().map(|event| event["payload"]["payment_transaction_id"].as_str().unwrap()).collect();
        assert_eq!((authorized.len(), at_klarna.len()), (PAYMENTS, PAYMENTS), "transactions at the network's end");
        let payments = self.payments().await;
        let at_gateway: BTreeMap<&str, &Value> =
            payments.iter().map(|p| (p["klarna"]["payment_transaction_id"].as_str().unwrap(), p)).collect();
        assert_eq!((payments.len(), at_gateway.len()), (PAYMENTS, PAYMENTS), "payments at the gateway");
        assert!(at_gateway.keys().all(|id| at_klarna.contains(id)));

        // The money, transaction by transaction.
        for (transaction_id, payment) in &at_gateway {
            let account = &self.credentials.partner.account_id;
            let path = format!("/v2/accounts/{account}/payment/transactions/{transaction_id}");
            let transaction = self.klarna(&path).await.unwrap();
            for field in ["amount", "captured_amount", "refunded_amount", "voided_amount", "remaining_amount"] {
                assert_eq!(transaction[field], payment[field], "{field} of {transaction_id}");
            }
            let path = format!("/v1/payments/{}", payment["id"].as_str().unwrap());
            let (_, whole) = self.partner(Method::GET, &path, None, "").await.unwrap();
            let captures = whole["captures"].as_array().unwrap().len();
            assert_eq!(transaction["payment_captures"].as_array().map_or(0, Vec::len), captures, "{transaction_id}");
        }
        let captured = PAYMENTS.div_ceil(2) * 2;
        assert_eq!(of_type("payment.transaction.captured").len(), captured);
        assert_eq!(of_type("payment.transaction.refunded").len(), PAYMENTS.div_ceil(4));

        // Each change was told to the Partner once.
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for event in self.partner_events().await {
            *told.entry(event["type"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        assert_eq!(told["payment.authorized"], PAYMENTS, "{told:?}");
        assert_eq!(told["payment.captured"], captured, "{told:?}");
        assert_eq!(told["payment.refunded"], PAYMENTS.div_ceil(4), "{told:?}");
    }

    async fn all(&self, path: &str, list: &str) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.klarna(&format!("{path}?size=1000{after}")).await.unwrap();
            all.extend(page[list].as_array().unwrap().iter().cloned());
            match page["pagination"]["last_item"].as_str() {
                Some(last) => after = format!("&starting_after={last}"),
                None => return all,
            }
        }
    }

    async fn payments(&self) -> Vec<Value> {
        self.gateway_pages("/v1/payments?size=100", "payments").await
    }

    async fn partner_events(&self) -> Vec<Value> {
        self.gateway_pages("/v1/events?size=100", "events").await
    }

    async fn gateway_pages(&self, path: &str, list: &str) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let (status, page) = self.partner(Method::GET, &format!("{path}{after}"), None, "").await.unwrap();
            assert_eq!(status, StatusCode::OK, "{page}");
            all.extend(page[list].as_array().unwrap().iter().cloned());
            match page["pagination"]["last_item"].as_str() {
                Some(last) => after = format!("&starting_after={last}"),
                None => return all,
            }
        }
    }
}
