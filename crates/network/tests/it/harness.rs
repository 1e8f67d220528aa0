//! A network end in this process, seeded, on a new database and a free port; a client for it; and a receiver of webhooks.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderMap, Method, StatusCode};
use kit::clock::Clock;
use kit::db::DbConfig;
use kit::http::ServeConfig;
use kit::outbound::OutboundConfig;
use kit::secret_box::{Keyring, SecretBox};
use kit::shutdown::Shutdown;
use kit::testing;
use network::config::{Config, RateLimits};
use network::ctx::Ctx;
use network::operation::{Content, Route};
use network::seed::Credentials;
use network::{Network, Options};
use protocol::{EventType, shapes};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// 2026-03-02T10:00:00Z, when every test begins.
pub const BEGINNING: i64 = 1_772_445_600_000_000;

/// A database's address, and its folder for as long as it is needed.
pub struct Place {
    pub db: DbConfig,
    pub folder: PathBuf,
    _temporary: tempfile::TempDir,
}

fn place(url: Option<String>) -> Place {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().to_owned();
    let url = url.unwrap_or_else(|| format!("sqlite:{}", folder.join("network.db").display()));
    let mut db = DbConfig::new(url);
    db.pool_size = 6;
    Place { db, folder, _temporary: temporary }
}

/// A new place on SQLite alone, for tests that need many.
pub fn sqlite_place() -> Place {
    place(None)
}

/// A new place for each engine at hand.
pub async fn places() -> Vec<Place> {
    let mut places = vec![sqlite_place()];
    match std::env::var(testing::POSTGRES_URL) {
        Ok(server) => places.push(place(Some(testing::new_postgres_database(&server).await.unwrap()))),
        Err(_) => eprintln!("passed over: {} names no server", testing::POSTGRES_URL),
    }
    places
}

/// How a test wants its network end.
pub struct Wishes {
    pub config: Config,
    pub clock: Clock,
    pub seed: Option<u64>,
    pub credentials_file: Option<PathBuf>,
    pub bootstrap_link_file: Option<PathBuf>,
    pub outbound: OutboundConfig,
    pub serve: ServeConfig,
    pub sftp: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            config: Config { rate_limits: RateLimits::Off, webhooks_local: true, ..Config::default() },
            clock: Clock::fixed(BEGINNING),
            seed: Some(7),
            credentials_file: None,
            bootstrap_link_file: None,
            outbound: OutboundConfig::default(),
            serve: ServeConfig::default(),
            sftp: false,
        }
    }
}

/// A running network end.
pub struct End {
    pub base: String,
    pub ctx: Ctx,
    pub credentials: Credentials,
    client: reqwest::Client,
    shutdown: Shutdown,
    task: Option<JoinHandle<()>>,
    /// Keeps the folder of the database.
    _place: Option<Place>,
}

/// Seals what the tests seal.
pub fn secrets() -> SecretBox {
    let line = format!("test:{}", "A".repeat(43) + "=");
    SecretBox::new(Keyring::from_env_text(&line).unwrap())
}

/// A network end as most tests want it, on each engine.
pub async fn ends() -> Vec<End> {
    let mut ends = Vec::new();
    for place in places().await {
        let mut end = start(&place, Wishes::default()).await;
        end._place = Some(place);
        ends.push(end);
    }
    ends
}

/// Starts a network end at a place.
pub async fn start(place: &Place, wishes: Wishes) -> End {
    start_with(place, wishes, secrets()).await
}

/// The same with other keys for what is sealed.
pub async fn start_with(place: &Place, wishes: Wishes, secrets: SecretBox) -> End {
    let mut options = Options::new(place.db.clone(), SocketAddr::from(([127, 0, 0, 1], 0)), secrets);
    options.config = wishes.config;
    options.clock = wishes.clock;
    options.seed = wishes.seed;
    options.credentials_file = wishes.credentials_file;
    options.bootstrap_link_file = wishes.bootstrap_link_file;
    options.outbound = wishes.outbound;
    options.sftp_listen = wishes.sftp.then(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let scheme = if wishes.serve.tls.is_some() { "https" } else { "http" };
    options.serve = wishes.serve;
    let network = Network::start(options).await.unwrap();
    let base = format!("{scheme}://{}", network.local_addr());
    let credentials = network.credentials().expect("a new database is seeded").clone();
    let ctx = network.ctx().clone();
    let shutdown = Shutdown::new();
    let task = tokio::spawn(network.run(shutdown.clone()));
    let client = kit::outbound::upstream_client(kit::outbound::UpstreamConfig::default()).unwrap();
    End { base, ctx, credentials, client, shutdown, task: Some(task), _place: None }
}

impl Drop for End {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON; null if there is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        if self.text.is_empty() { Value::Null } else { serde_json::from_str(&self.text).expect("a JSON body") }
    }

    /// The `error_code`.
    pub fn code(&self) -> String {
        self.json()["error_code"].as_str().unwrap_or_default().to_owned()
    }

    /// The parameters at fault, in order.
    pub fn parameters(&self) -> Vec<String> {
        let faults = self.json()["validation_errors"].as_array().cloned().unwrap_or_default();
        faults.iter().map(|fault| fault["parameter"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Asserts the status and returns the body.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// Asserts status and code of a refusal.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text);
        assert!(self.json()["error_id"].is_string(), "{}", self.text);
    }
}

/// Whether a template's segments name a path; parameters take anything.
fn is_at(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// Every success that any test sees must be one that the reference tells of, and have its shape.
#[track_caller]
fn conforms(method: &Method, path: &str, answer: &Answer) {
    static ROUTES: std::sync::LazyLock<Vec<Route>> =
        std::sync::LazyLock::new(|| network::serve::routes(&Config::default()));
    if !(200..300).contains(&answer.status) {
        return;
    }
    let path = path.split('?').next().unwrap_or_default();
    let matching = ROUTES.iter().filter(|route| route.method == *method);
    let matching = matching.flat_map(|route| route.templates.iter().map(move |template| (route, template)));
    // Of several templates the one with the fewest parameters is meant, as in the router.
    let found = matching
        .filter(|(_, template)| is_at(template, path))
        .min_by_key(|(_, template)| template.matches('{').count());
    let Some((route, _)) = found else { return };
    let declared = route.doc.answers.iter().find(|(status, _)| *status == answer.status);
    let Some((_, content)) = declared else {
        panic!("{method} {path} answers {}, which {} does not declare", answer.status, route.doc.id)
    };
    let faults = match content {
        Content::Nothing => {
            assert_eq!(answer.text, "", "{method} {path} answers a body that {} does not declare", route.doc.id);
            Vec::new()
        }
        Content::Json(shape) => shape().check(&answer.json()),
        Content::JsonArray(shape) => {
            let entries = answer.json().as_array().expect("a bare array").clone();
            entries.iter().flat_map(|entry| shape().check(entry)).collect()
        }
        Content::Other("*/*") => Vec::new(),
        Content::Other(media_type) => {
            assert!(
                answer.header("content-type").is_some_and(|given| given.starts_with(media_type)),
                "{method} {path}"
            );
            Vec::new()
        }
    };
    assert!(
        faults.is_empty(),
        "{method} {path} breaks the shape that {} declares: {faults:?}\n{}",
        route.doc.id,
        answer.text
    );
}

impl End {
    /// The Acquiring Partner's key.
    pub fn ap_key(&self) -> &str {
        &self.credentials.acquiring_partner.api_key
    }

    /// The Partner's own key.
    pub fn partner_key(&self) -> &str {
        &self.credentials.partner.api_key
    }

    /// The Partner's account id.
    pub fn partner(&self) -> &str {
        &self.credentials.partner.account_id
    }

    /// A request, with the headers as they are.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let answer = Answer { status, headers, text: response.text().await.unwrap() };
        conforms(&method, path, &answer);
        answer
    }

    /// A form as browsers and OAuth clients send it.
    pub async fn form(&self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = self.client.post(format!("{}{path}", self.base)).body(body);
        request = request.header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    /// A form with files, as the Acquiring Partner: parts by name, file name and content; texts have no file name.
    pub async fn upload(&self, path: &str, parts: &[(&str, Option<&str>, &[u8])]) -> Answer {
        const BOUNDARY: &str = "----kontor-test";
        let mut body = Vec::new();
        for (name, file_name, content) in parts {
            let file_name = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
            let head = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"{file_name}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("authorization", format!("Basic {}", self.ap_key()))
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body);
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let answer = Answer { status, headers, text: response.text().await.unwrap() };
        conforms(&Method::POST, path, &answer);
        answer
    }

    /// A request with a key.
    pub async fn call(&self, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.send(method, path, &[("authorization", &format!("Basic {key}"))], body).await
    }

    /// A request of the Acquiring Partner.
    pub async fn ap(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.call(self.ap_key(), method, path, body).await
    }

    /// A request of the Acquiring Partner with an idempotency key.
    pub async fn ap_once(&self, idempotency_key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let authorization = format!("Basic {}", self.ap_key());
        let headers = [("authorization", authorization.as_str()), ("klarna-idempotency-key", idempotency_key)];
        self.send(method, path, &headers, body).await
    }

    /// Stops in order and waits for it.
    pub async fn stop(mut self) {
        self.shutdown.trigger();
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
    }

    /// A signing key of the Acquiring Partner: id and secret.
    pub async fn signing_key(&self) -> (String, String) {
        let key = self.ap(Method::POST, "/v2/notification/signing-keys", None).await.expect(201);
        (key["signing_key_id"].as_str().unwrap().to_owned(), key["signing_key"].as_str().unwrap().to_owned())
    }

    /// A webhook of the Acquiring Partner.
    pub async fn webhook(&self, url: &str, event_types: &[&str], version: &str, signing_key_id: &str) -> String {
        let body = serde_json::json!({"url": url, "event_types": event_types, "event_version": version,
            "signing_key_id": signing_key_id, "status": "ENABLED"});
        let webhook = self.ap(Method::POST, "/v2/notification/webhooks", Some(&body)).await.expect(201);
        webhook["webhook_id"].as_str().unwrap().to_owned()
    }

    /// Waits until the delivery of the one event has been tried `attempts` times, and returns it.
    pub async fn delivery_after(&self, delivery_id: &str, attempts: i64) -> Value {
        for _ in 0..600 {
            let delivery = self.ap(Method::GET, &format!("/testing/deliveries/{delivery_id}"), None).await.expect(200);
            if delivery["attempts"].as_i64() >= Some(attempts) {
                return delivery;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("delivery {delivery_id} was not tried {attempts} times");
    }

    /// The ids of all deliveries, newest first.
    pub async fn delivery_ids(&self) -> Vec<String> {
        let list = self.ap(Method::GET, "/testing/deliveries?size=100", None).await.expect(200);
        let id = |delivery: &Value| delivery["delivery_id"].as_str().unwrap().to_owned();
        list["deliveries"].as_array().unwrap().iter().map(id).collect()
    }
}

/// One delivery as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Statuses with an optional `location`, for answers to come.
type Script = Arc<Mutex<VecDeque<(u16, Option<String>)>>>;

/// Takes webhooks on a free port. Answers by its script, then 200.
pub struct Receiver {
    pub addr: SocketAddr,
    received: tokio::sync::Mutex<mpsc::UnboundedReceiver<Received>>,
    script: Script,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Taking {
    sender: mpsc::UnboundedSender<Received>,
    script: Script,
}

impl Receiver {
    pub async fn start() -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let script = Script::default();
        let router = Router::new().fallback(take).with_state(Taking { sender, script: Arc::clone(&script) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { addr, received: tokio::sync::Mutex::new(received), script, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}/klarna", self.addr)
    }

    /// The statuses of the next answers.
    pub fn answer(&self, statuses: impl IntoIterator<Item = u16>) {
        self.script.lock().unwrap().extend(statuses.into_iter().map(|status| (status, None)));
    }

    /// The next answer redirects.
    pub fn redirect(&self, to: &str) {
        self.script.lock().unwrap().push_back((307, Some(to.to_owned())));
    }

    /// The next delivery, which must be as the reference says.
    pub async fn next(&self) -> Received {
        let delivery = self.next_invented().await;
        let body = delivery.json();
        let event = EventType::from(body["metadata"]["event_type"].as_str().unwrap_or_default());
        let faults = shapes::events::delivery(&event).check(&body);
        assert!(faults.is_empty(), "a delivery of {event} breaks its declared shape: {faults:?}\n{body}");
        delivery
    }

    /// The next delivery, whose payload is a test's invention.
    pub async fn next_invented(&self) -> Received {
        let mut received = self.received.lock().await;
        let waited = tokio::time::timeout(std::time::Duration::from_secs(20), received.recv()).await;
        waited.expect("a delivery arrives").expect("the receiver runs")
    }

    /// Whether nothing is waiting to be looked at.
    pub async fn is_empty(&self) -> bool {
        self.received.lock().await.is_empty()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(taking): State<Taking>, headers: HeaderMap, body: Bytes) -> axum::response::Response {
    let (status, location) = taking.script.lock().unwrap().pop_front().unwrap_or((200, None));
    // Nobody listens any more once the test is over.
    drop(taking.sender.send(Received { headers, body }));
    let status = StatusCode::from_u16(status).unwrap();
    match location {
        Some(location) => (status, [("location", location)]).into_response(),
        None => status.into_response(),
    }
}
