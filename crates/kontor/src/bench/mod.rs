//! `kontor bench`: measures this build on this machine and prints JSON. Everything that is compared is measured in one run, since
//! machines differ and one machine differs from hour to hour.

mod invented;
mod load;
mod network_end;
mod partners;
mod process;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use gateway::access::{self, NewPartner};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use indicatif::{ProgressBar, ProgressStyle};
use kit::clock::Clock;
use kit::db::{Db, DbConfig};
use kit::random::Random;
use network::seed::Credentials;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::cli::BenchArgs;
use load::{Call, Report, Until, closed_loop, open_loop};
use process::Role;

pub use network_end::network_end;
pub use partners::partners;

/// Calls per second at which the added latency is measured.
const LATENCY_RATE: u64 = 200;
/// Of the first calls after a start nothing is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long work that is left over is waited for.
const QUIET_MAX: Duration = Duration::from_secs(120);

/// `kontor bench payments`
pub async fn payments(args: &BenchArgs) -> Result<()> {
    let progress = spinner()?;
    let mut bench = Bench::start(args, Folder::new()?, progress.clone()).await?;

    let mut results = serde_json::Map::new();
    results.insert("machine".to_owned(), machine());
    results.insert("database".to_owned(), args.postgres.as_ref().map_or("sqlite", |_| "postgresql").into());
    // The network's end alone: nobody subscribes to its events yet.
    results.insert("network_authorizations".to_owned(), bench.network_throughput().await?);
    if let Some(rows) = args.rows {
        results.insert("network_with_many_rows".to_owned(), bench.with_many_rows(rows).await?);
    }
    bench.start_gateway().await?;
    results.insert("cold_start_ms".to_owned(), bench.cold_start()?);
    results.insert("gateway_payments".to_owned(), bench.gateway_throughput().await?);
    results.insert("added_latency".to_owned(), bench.added_latency().await?);
    results.insert("memory_mb".to_owned(), bench.memory()?);
    progress.finish_and_clear();
    println!("{}", serde_json::to_string_pretty(&Value::Object(results))?);
    Ok(())
}

fn spinner() -> Result<ProgressBar> {
    let progress = ProgressBar::new_spinner();
    progress.set_style(ProgressStyle::with_template("{spinner} [{elapsed_precise}] {msg}")?);
    progress.enable_steady_tick(Duration::from_millis(200));
    Ok(progress)
}

/// A temporary folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("kontor-bench-{}", Random::system().alphanumeric(12)));
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

struct Bench {
    // Dropped in this order: the processes end before their folder goes.
    gateway: Option<Role>,
    network: Role,
    folder: Folder,
    args: BenchArgs,
    credentials: Credentials,
    credentials_file: PathBuf,
    partner_key: String,
    orders: Orders,
    progress: ProgressBar,
}

/// Names for what is asked for, as shops choose them: references count up, as order numbers do, and idempotency keys are random.
#[derive(Clone)]
struct Orders {
    next: Arc<AtomicU64>,
    random: Random,
}

impl Orders {
    /// Starts at the time, so that a database that is used again knows none of them.
    fn new() -> Self {
        let now = u64::try_from(Clock::system().now()).unwrap_or_default();
        Self { next: Arc::new(AtomicU64::new(now)), random: Random::system() }
    }

    /// The next reference, and the idempotency key of its call.
    fn next(&self) -> (String, HeaderValue) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (format!("order-{number:016}"), ascii(&self.random.alphanumeric(32)))
    }
}

impl Bench {
    async fn start(args: &BenchArgs, folder: Folder, progress: ProgressBar) -> Result<Self> {
        progress.set_message("starting the network's end");
        let credentials_file = folder.0.join("credentials.json");
        let mut network_args = arguments(&folder.0.join("network"), database(args.postgres.as_ref(), "network").await?);
        network_args.extend(["--rate-limits", "off", "--local-webhooks", "--credentials-file"].map(OsString::from));
        network_args.push(credentials_file.clone().into());
        let network = Role::start("network", &folder.0, &network_args).await?;
        let credentials: Credentials = serde_json::from_slice(&std::fs::read(&credentials_file)?)?;
        let (args, partner_key) = (args.clone(), String::new());
        let orders = Orders::new();
        Ok(Self { gateway: None, network, folder, args, credentials, credentials_file, partner_key, orders, progress })
    }

    async fn start_gateway(&mut self) -> Result<()> {
        self.progress.set_message("starting the gateway");
        let data = self.folder.0.join("gateway");
        let database = database(self.args.postgres.as_ref(), "gateway").await?;
        let url = database.clone().unwrap_or_else(|| format!("sqlite:{}", data.join("gateway.db").display()));
        self.partner_key = make_partner(&url, &self.credentials).await?;
        let mut args = arguments(&data, database);
        args.extend(["--local-targets", "--klarna-credentials-file"].map(OsString::from));
        args.push(self.credentials_file.clone().into());
        self.gateway = Some(Role::start("gateway", &self.folder.0, &args).await?);
        Ok(())
    }

    fn gateway(&self) -> Result<&Role> {
        self.gateway.as_ref().context("the gateway has not been started")
    }

    fn cold_start(&self) -> Result<Value> {
        Ok(json!({"network": ms(self.network.cold_start), "gateway": ms(self.gateway()?.cold_start),
            "what": "from the start of the process until it answers; the network's end with a database to make, migrate and seed"}))
    }

    /// Waits until both ends have nothing left to do, the webhooks of an earlier measurement above all; returns the seconds.
    async fn quiet(&self) -> Result<f64> {
        self.progress.set_message("waiting until the webhooks are delivered");
        let used = || -> Result<f64> {
            let gateway = self.gateway()?.processor_seconds().unwrap_or_default();
            Ok(self.network.processor_seconds().unwrap_or_default() + gateway)
        };
        let (since, mut before) = (Instant::now(), used()?);
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = used()?;
            if now - before < 0.1 || since.elapsed() > QUIET_MAX {
                return Ok(round(since.elapsed().as_secs_f64()));
            }
            before = now;
        }
    }

    async fn network_throughput(&self) -> Result<Value> {
        let calls = self.network_calls()?;
        self.warm_up(self.network.address, calls.clone()).await?;
        let before = self.network.processor_seconds();
        let report = self.throughput("authorizations at the network's end", self.network.address, calls).await?;
        let mut found = report.to_json();
        found["what"] = "durable authorizations by customer token, each with its own idempotency key".into();
        found["processor_us_per_call"] = per_call(before, self.network.processor_seconds(), &report);
        checked(report, found)
    }

    async fn gateway_throughput(&self) -> Result<Value> {
        let tokens = self.mint_tokens(self.args.seconds * 4_000 + 8_000).await?;
        let calls = self.gateway_calls(Arc::new(tokens), 0)?;
        self.warm_up(self.gateway()?.address, calls.clone()).await?;
        let before = (self.network.processor_seconds(), self.gateway()?.processor_seconds());
        let report = self.throughput("payments through the gateway", self.gateway()?.address, calls).await?;
        let mut found = report.to_json();
        found["what"] = "POST /v1/payments with a session token, both ends on this machine, webhooks on".into();
        found["processor_us_per_call"] = json!({
            "network": per_call(before.0, self.network.processor_seconds(), &report),
            "gateway": per_call(before.1, self.gateway()?.processor_seconds(), &report)});
        found["webhooks_delivered_after_s"] = self.quiet().await?.into();
        checked(report, found)
    }

    /// The same authorization by session token, directly and through the gateway, at the same constant rate, turn about.
    async fn added_latency(&self) -> Result<Value> {
        let rounds = 3;
        let duration = Duration::from_secs((self.args.seconds / 2).max(3));
        let tokens = Arc::new(self.mint_tokens(rounds * 2 * LATENCY_RATE * duration.as_secs() + 64).await?);
        self.quiet().await?;
        self.progress.set_message("latency at a constant rate, directly and through the gateway");
        let (mut direct, mut through) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let per_round = LATENCY_RATE * duration.as_secs();
            let (first, second) = (round * 2 * per_round, (round * 2 + 1) * per_round);
            let calls = self.direct_token_calls(Arc::clone(&tokens), first)?;
            direct.push(open_loop(self.network.address, LATENCY_RATE, duration, calls).await?);
            let calls = self.gateway_calls(Arc::clone(&tokens), second)?;
            through.push(open_loop(self.gateway()?.address, LATENCY_RATE, duration, calls).await?);
        }
        let median = |reports: &[Report], quantile: f64| {
            let mut values: Vec<u64> =
                reports.iter().map(|report| report.latency_us.value_at_quantile(quantile)).collect();
            values.sort_unstable();
            values[values.len() / 2] as f64 / 1_000.0
        };
        for report in direct.iter().chain(&through) {
            if report.failed > 0 {
                bail!("{} of the calls failed: {}", report.failed, report.first_failure.as_deref().unwrap_or("?"));
            }
        }
        let at = |quantile| {
            json!({"direct": median(&direct, quantile), "gateway": median(&through, quantile),
            "added": round(median(&through, quantile) - median(&direct, quantile))})
        };
        Ok(json!({"per_second": LATENCY_RATE, "rounds": rounds, "p50_ms": at(0.5), "p99_ms": at(0.99)}))
    }

    fn memory(&self) -> Result<Value> {
        Ok(json!({"network": self.network.resident_mb(), "gateway": self.gateway()?.resident_mb(),
            "what": "resident, after the measurements above"}))
    }

    async fn with_many_rows(&self, rows: u64) -> Result<Value> {
        let before = self.throughput("before filling", self.network.address, self.network_calls()?).await?;
        let progress = self.progress.clone();
        self.progress.set_message(format!("filling with {rows} payments"));
        let told = move |done: u64| progress.set_message(format!("filling: {done} of {rows} payments"));
        let calls = self.network_calls()?;
        let filled = closed_loop(self.network.address, self.args.connections, Until::Calls(rows), calls, told).await?;
        let after = self.throughput("after filling", self.network.address, self.network_calls()?).await?;
        Ok(json!({"rows_added": filled.succeeded, "filling_per_second": filled.per_second().round(),
            "per_second_before": before.per_second().round(), "per_second_after": after.per_second().round(),
            "ratio": round(after.per_second() / before.per_second()), "memory_mb": self.network.resident_mb(),
            "database_mb": folder_mb(&self.folder.0)}))
    }

    async fn throughput(
        &self,
        what: &str,
        address: SocketAddr,
        calls: impl Fn(u64) -> Option<Call> + Send + Sync + 'static,
    ) -> Result<Report> {
        self.throughput_for(Duration::from_secs(self.args.seconds), what, address, calls).await
    }

    async fn throughput_for(
        &self,
        elapsed: Duration,
        what: &str,
        address: SocketAddr,
        calls: impl Fn(u64) -> Option<Call> + Send + Sync + 'static,
    ) -> Result<Report> {
        self.progress.set_message(what.to_owned());
        let until = Until::Elapsed(elapsed);
        closed_loop(address, self.args.connections, until, calls, |_| ()).await
    }

    async fn warm_up(
        &self,
        address: SocketAddr,
        calls: impl Fn(u64) -> Option<Call> + Send + Sync + 'static,
    ) -> Result<()> {
        self.progress.set_message("warming up");
        let report = closed_loop(address, 16, Until::Elapsed(WARM_UP), calls, |_| ()).await?;
        checked(report, Value::Null).map(drop)
    }

    /// Authorizations by the seeded customer token: the shortest way to a durable payment.
    fn network_calls(&self) -> Result<impl Fn(u64) -> Option<Call> + Clone + Send + Sync + 'static> {
        let partner = &self.credentials.partner;
        let token = partner.customer_token.as_deref().context("the network's end seeded no customer token")?;
        let headers = self.network_headers(&[("klarna-customer-token", token)])?;
        let calls = self.authorizations(headers);
        Ok(move |n| Some(calls(n)))
    }

    fn authorizations(&self, headers: HeaderMap) -> impl Fn(u64) -> Call + Clone + Send + Sync + 'static {
        let partner = &self.credentials.partner;
        let path = format!("/v2/accounts/{}/payment/authorize", partner.account_id);
        let payment_account_id = partner.payment_account_id.clone();
        let orders = self.orders.clone();
        move |_| {
            let (reference, key) = orders.next();
            let mut headers = headers.clone();
            headers.insert("klarna-idempotency-key", key);
            let body = json!({
                "currency": "EUR",
                "request_payment_transaction": {"amount": 4_990, "payment_transaction_reference": reference},
                "acquiring_config": {"payment_account_id": payment_account_id},
                "supplementary_purchase_data": purchase(&reference),
            });
            Call { method: Method::POST, path: path.clone(), headers, body: Bytes::from(body.to_string()) }
        }
    }

    fn direct_token_calls(
        &self,
        tokens: Arc<Vec<String>>,
        first: u64,
    ) -> Result<impl Fn(u64) -> Option<Call> + Send + Sync + 'static> {
        let calls = self.authorizations(self.network_headers(&[])?);
        Ok(move |n| {
            let mut call = calls(n);
            let token = tokens.get(usize::try_from(first + n).ok()?)?;
            call.headers.insert("klarna-network-session-token", ascii(token));
            Some(call)
        })
    }

    /// Payments through the gateway, each spending the next of the tokens, from the `first` on; ends when they are used up.
    fn gateway_calls(
        &self,
        tokens: Arc<Vec<String>>,
        first: u64,
    ) -> Result<impl Fn(u64) -> Option<Call> + Clone + Send + Sync + 'static> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", self.partner_key))?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let orders = self.orders.clone();
        let next = Arc::new(AtomicUsize::new(usize::try_from(first)?));
        Ok(move |_| {
            let (reference, key) = orders.next();
            let mut headers = headers.clone();
            headers.insert("idempotency-key", key);
            let token = tokens.get(next.fetch_add(1, Ordering::Relaxed))?;
            let mut body = json!({"amount": 4_990, "currency": "EUR", "reference": reference, "capture": "MANUAL",
                "klarna_network_session_token": token});
            body["supplementary_purchase_data"] = purchase(&reference);
            let body = Bytes::from(body.to_string());
            Some(Call { method: Method::POST, path: "/v1/payments".to_owned(), headers, body })
        })
    }

    fn network_headers(&self, more: &[(&'static str, &str)]) -> Result<HeaderMap> {
        use base64::Engine as _;
        let key = format!(":{}", self.credentials.acquiring_partner.api_key);
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(key));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&basic)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in more {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        Ok(headers)
    }

    /// Session tokens that can each be spent once, as an express checkout in the browser would bring them.
    async fn mint_tokens(&self, wanted: u64) -> Result<Vec<String>> {
        let partner = &self.credentials.partner;
        let token = partner.customer_token.as_deref().context("the network's end seeded no customer token")?;
        let headers =
            self.network_headers(&[("klarna-customer-token", token), ("klarna-customer-region", "krn:test:eu1:test")])?;
        let path = format!("/v2/accounts/{}/interoperability/test-tokens", partner.account_id);
        let body = Bytes::from_static(br#"{"customer_journey":"KLARNA_EXPRESS_CHECKOUT"}"#);
        let call = Call { method: Method::POST, path, headers, body };
        self.progress.set_message(format!("making {wanted} session tokens"));
        load::bodies(self.network.address, 32, wanted, move |_| call.clone())
            .await?
            .iter()
            .map(|body| {
                let answer: Value = serde_json::from_slice(body)?;
                let token = answer["interoperability_token"].as_str().context("a test token")?;
                Ok(token.to_owned())
            })
            .collect()
    }
}

fn purchase(reference: &str) -> Value {
    json!({
        "purchase_reference": reference,
        "customer": {"given_name": "Ada", "family_name": "Vester", "email": "customer@email.de"},
        "line_items": [
            {"name": "Lantern", "quantity": 1, "unit_price": 2_990, "total_amount": 2_990, "line_item_reference": "L-1"},
            {"name": "Wick, ten metres", "quantity": 2, "unit_price": 1_000, "total_amount": 2_000, "line_item_reference": "L-2"},
        ],
    })
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("keys and tokens are printable ASCII")
}

fn arguments(data: &Path, database: Option<String>) -> Vec<OsString> {
    let mut arguments = vec![OsString::from("--data-dir"), data.into()];
    arguments.extend(database.into_iter().flat_map(|url| [OsString::from("--database-url"), url.into()]));
    arguments
}

async fn database(postgres: Option<&String>, name: &str) -> Result<Option<String>> {
    let Some(server) = postgres else { return Ok(None) };
    let url = kit::testing::new_postgres_database(server).await;
    Ok(Some(url.with_context(|| format!("making a database for the {name} on the given server"))?))
}

async fn make_partner(database_url: &str, credentials: &Credentials) -> Result<String> {
    let db = Db::open(&DbConfig::new(database_url)).await?;
    db.migrate(gateway::MIGRATIONS).await?;
    let partner = NewPartner {
        name: "Bench".to_owned(),
        klarna_account_id: credentials.partner.account_id.parse()?,
        payment_account_id: Some(credentials.partner.payment_account_id.parse()?),
    };
    let created = access::create_partner(&db, &Clock::system(), &Random::system(), partner).await?;
    Ok(created.key.api_key.expose_secret().to_owned())
}

fn checked(report: Report, found: Value) -> Result<Value> {
    // A run that mostly fails measures nothing.
    if report.failed * 100 > report.succeeded {
        bail!(
            "{} calls failed, {} succeeded: {}",
            report.failed,
            report.succeeded,
            report.first_failure.unwrap_or_default()
        );
    }
    Ok(found)
}

fn per_call(before: Option<f64>, after: Option<f64>, report: &Report) -> Value {
    match (before, after) {
        (Some(before), Some(after)) if report.succeeded > 0 => {
            json!(((after - before) * 1e6 / report.succeeded as f64).round())
        }
        _ => Value::Null,
    }
}

fn machine() -> Value {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    json!({"cores": cores, "processor": model, "release_build": !cfg!(debug_assertions)})
}

fn folder_mb(folder: &Path) -> f64 {
    fn bytes(folder: &Path) -> u64 {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| match entry.metadata() {
                Ok(meta) if meta.is_dir() => bytes(&entry.path()),
                Ok(meta) => meta.len(),
                Err(_) => 0,
            })
            .sum()
    }
    round(bytes(folder) as f64 / 1_048_576.0)
}

fn ms(duration: Duration) -> f64 {
    round(duration.as_secs_f64() * 1_000.0)
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
