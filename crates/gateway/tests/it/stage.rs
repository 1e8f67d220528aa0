//! A gateway in this process on a new database, called without a socket; a network end that knows signing keys and webhooks only;
//! and a receiver of webhooks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use gateway::access::{self, NewPartner};
use gateway::{Config, Ctx, Parts};
use http::{HeaderMap, Method, Request, StatusCode};
use kit::clock::Clock;
use kit::db::{Db, UnitFuture};
use kit::jobs::Poke;
use kit::outbound::{UpstreamConfig, upstream_client};
use kit::random::Random;
use kit::rate_limit::RateLimiter;
use kit::secret_box::{Keyring, SecretBox};
use kit::shutdown::Shutdown;
use kit::testing::{self, TestDb};
use protocol::PartnerAccountId;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use url::Url;

/// 2026-03-02T10:00:00Z, when every test begins.
pub const BEGINNING: i64 = 1_772_445_600_000_000;

pub struct Stage {
    pub ctx: Ctx,
    pub clock: Clock,
    router: Router,
    test: Arc<TestDb>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

pub struct Partner {
    pub id: String,
    pub key: String,
}

/// A new database on each engine at hand.
pub async fn databases() -> Vec<Arc<TestDb>> {
    let mut databases = vec![testing::sqlite(gateway::MIGRATIONS).await.unwrap()];
    databases.extend(testing::postgres(gateway::MIGRATIONS).await.unwrap());
    databases.into_iter().map(Arc::new).collect()
}

/// A stage on each engine, without a network end.
pub async fn stages() -> Vec<Stage> {
    databases().await.into_iter().map(|test| Stage::new(test, "http://127.0.0.1:9/", |_| {})).collect()
}

impl Stage {
    pub fn new(test: Arc<TestDb>, network: &str, adjust: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::fixed(BEGINNING);
        let random = Random::system();
        let mut config = Config::new(
            Url::parse("https://gateway.example/").unwrap(),
            Url::parse(network).unwrap(),
            PartnerAccountId::new_test("LAP00001"),
            "klarna_test_api_key".to_owned().into(),
        );
        config.upstream.attempts_max = 1;
        adjust(&mut config);
        let http = upstream_client(UpstreamConfig::default()).unwrap();
        let ring = Keyring::from_env_text("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
        let parts = Parts {
            db: test.db.clone(),
            clock: clock.clone(),
            random: random.clone(),
            secrets: SecretBox::new(ring),
            klarna: gateway::klarna::Client::new(&config, http, random).unwrap(),
            config,
            limiter: RateLimiter::new(),
            poke: Poke::default(),
        };
        let ctx = Ctx::new(parts);
        let router = kit::http::stack(gateway::router(&ctx), kit::http::StackConfig::default());
        Self { ctx, clock, router, test }
    }

    pub fn db(&self) -> &Db {
        &self.ctx.db
    }

    pub async fn partner(&self, account: &str) -> Partner {
        let partner = NewPartner {
            name: format!("Partner {account}"),
            klarna_account_id: PartnerAccountId::new_test(account),
            payment_account_id: None,
        };
        let made = access::create_partner(self.db(), &self.clock, &self.ctx.random, partner).await.unwrap();
        Partner { id: made.partner_id, key: made.key.api_key.expose_secret().to_owned() }
    }

    /// An operator: one who calls like a Partner, with a key of another kind.
    pub async fn operator(&self) -> Partner {
        let made = access::create_operator(self.db(), &self.clock, &self.ctx.random, "onboarding").await.unwrap();
        Partner { id: made.operator_id, key: made.api_key.expose_secret().to_owned() }
    }

    /// All that the database holds, to be searched with [`kit::testing::showing`].
    pub async fn held(&self) -> Vec<(String, Vec<u8>)> {
        kit::testing::held(&self.test.config).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, text, body }
    }

    /// The same for an answer that is no text.
    pub async fn raw(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Bytes) {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        (parts.status, parts.headers, axum::body::to_bytes(body, usize::MAX).await.unwrap())
    }

    /// A call of a Partner; POST and PATCH with a new idempotency key.
    pub async fn call(&self, partner: &Partner, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call_with_key(partner, method, path, body, &self.ctx.random.alphanumeric(20)).await
    }

    pub async fn call_with_key(
        &self,
        partner: &Partner,
        method: &str,
        path: &str,
        body: Option<Value>,
        key: &str,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {}", partner.key));
        if matches!(method, "POST" | "PATCH") {
            request = request.header("idempotency-key", key);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        self.send(request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap()).await
    }

    pub async fn emit(&self, partner: &str, event_type: &'static str, payment_id: &str) {
        let (ctx, partner, payment_id) = (self.ctx.clone(), partner.to_owned(), payment_id.to_owned());
        self.db()
            .write(move |tx| -> UnitFuture<'_, Result<(), kit::http::ApiError>> {
                Box::pin(async move {
                    let event = gateway::events::NewEvent {
                        partner_id: &partner,
                        event_type,
                        payment_id: Some(&payment_id),
                        data: json!({"payment": {"id": payment_id}}),
                        occurred_at: ctx.clock.now(),
                    };
                    gateway::events::emit(tx, &ctx, &event).await
                })
            })
            .await
            .unwrap();
        self.ctx.poke.poke();
    }

    /// Runs the background work until the guard is dropped.
    pub fn work(&self) -> Working {
        let stop = Shutdown::new();
        tokio::spawn(gateway::worker(&self.ctx).run(stop.token()));
        Working(stop)
    }
}

pub struct Working(Shutdown);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.trigger();
    }
}

/// Asks again until the answer is there; fails after a while, which the machine's load may stretch.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(30), asking).await {
        Ok(found) => found,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// One delivery as it was received.
#[derive(Clone)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Receives webhooks and answers with statuses in turn, 200 when they are used up.
#[derive(Clone, Default)]
pub struct Receiver {
    pub received: Arc<Mutex<Vec<Received>>>,
    statuses: Arc<Mutex<Vec<u16>>>,
}

impl Receiver {
    pub async fn start(statuses: &[u16]) -> (Self, String) {
        let this = Self { statuses: Arc::new(Mutex::new(statuses.to_vec())), ..Self::default() };
        let router = Router::new().route("/hook", post(receive)).with_state(this.clone());
        (this, format!("http://{}/hook", serve(router).await))
    }

    pub fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        eventually("deliveries", || async { Some(self.all()).filter(|all| all.len() >= count) }).await
    }
}

async fn receive(State(this): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    this.received.lock().unwrap().push(Received { headers, body });
    let mut statuses = this.statuses.lock().unwrap();
    if statuses.is_empty() { StatusCode::OK } else { StatusCode::from_u16(statuses.remove(0)).unwrap() }
}

/// The network's notification API, in memory. Answers to POST are remembered by idempotency key, unless it `forgets`.
#[derive(Clone, Default)]
pub struct Notifications {
    pub state: Arc<Mutex<State_>>,
}

#[derive(Default)]
pub struct State_ {
    pub keys: BTreeMap<String, String>,
    pub hooks: BTreeMap<String, Value>,
    pub calls: Vec<String>,
    answers: BTreeMap<String, Value>,
    /// Fails the calls after this one, answered or not: as if the process had died.
    pub lose_answers_to: Option<String>,
    pub forgets: bool,
}

impl Notifications {
    pub async fn start() -> (Self, String) {
        let this = Self::default();
        let router = Router::new()
            .route("/v2/notification/signing-keys", get(list_keys).post(create_key))
            .route("/v2/notification/signing-keys/{id}", axum::routing::delete(delete_key))
            .route("/v2/notification/webhooks", get(list_hooks).post(create_hook))
            .route("/v2/notification/webhooks/{id}", axum::routing::patch(update_hook))
            .with_state(this.clone());
        (this, format!("http://{}/", serve(router).await))
    }

    fn answer(&self, name: &str, status: StatusCode, body: Value) -> Response {
        let mut state = self.state.lock().unwrap();
        state.calls.push(name.to_owned());
        if state.lose_answers_to.as_deref() == Some(name) {
            return (StatusCode::BAD_GATEWAY, "lost").into_response();
        }
        if status == StatusCode::NO_CONTENT {
            status.into_response()
        } else {
            (status, axum::Json(body)).into_response()
        }
    }

    pub fn count(&self, name: &str) -> usize {
        self.state.lock().unwrap().calls.iter().filter(|call| *call == name).count()
    }
}

async fn list_keys(State(this): State<Notifications>) -> Response {
    let listed: Vec<Value> = this
        .state
        .lock()
        .unwrap()
        .keys
        .keys()
        .map(|id| json!({"signing_key_id": id, "created_at": "2026-03-02T10:00:00Z"}))
        .collect();
    this.answer("list_keys", StatusCode::OK, json!({"signing_keys": listed}))
}

async fn create_key(State(this): State<Notifications>, headers: HeaderMap) -> Response {
    let idempotency = headers["klarna-idempotency-key"].to_str().unwrap().to_owned();
    let known = {
        let state = this.state.lock().unwrap();
        state.answers.get(&idempotency).filter(|_| !state.forgets).cloned()
    };
    let body = known.unwrap_or_else(|| {
        let id = format!("krn:partner:global:notification:signing-key:{}", Random::system().id(0));
        let secret = Random::system().base64url(32);
        let body = json!({"signing_key_id": id, "signing_key": secret, "created_at": "2026-03-02T10:00:00Z"});
        let mut state = this.state.lock().unwrap();
        state.keys.insert(id, secret);
        state.answers.insert(idempotency, body.clone());
        body
    });
    this.answer("create_key", StatusCode::CREATED, body)
}

async fn delete_key(State(this): State<Notifications>, Path(id): Path<String>) -> Response {
    let used = {
        let mut state = this.state.lock().unwrap();
        let used = state.hooks.values().any(|hook| hook["signing_key_id"] == id.as_str());
        if !used {
            state.keys.remove(&id);
        }
        used
    };
    let status = if used { StatusCode::CONFLICT } else { StatusCode::NO_CONTENT };
    this.answer("delete_key", status, json!({"error_code": "RESOURCE_CONFLICT"}))
}

async fn list_hooks(State(this): State<Notifications>) -> Response {
    let listed: Vec<Value> = this.state.lock().unwrap().hooks.values().cloned().collect();
    this.answer("list_hooks", StatusCode::OK, json!({"webhooks": listed}))
}

async fn create_hook(State(this): State<Notifications>, axum::Json(mut body): axum::Json<Value>) -> Response {
    let id = format!("krn:partner:global:notification:webhook:{}", Random::system().id(0));
    body["webhook_id"] = json!(id);
    this.state.lock().unwrap().hooks.insert(id, body.clone());
    this.answer("create_hook", StatusCode::CREATED, body)
}

async fn update_hook(
    State(this): State<Notifications>,
    Path(id): Path<String>,
    axum::Json(body): axum::Json<Value>,
) -> Response {
    let merged = {
        let mut state = this.state.lock().unwrap();
        let hook = state.hooks.get_mut(&id).unwrap();
        for (name, value) in body.as_object().unwrap() {
            hook[name.as_str()] = value.clone();
        }
        hook.clone()
    };
    this.answer("update_hook", StatusCode::OK, merged)
}

/// Says which methods a description of routes has.
pub fn method(name: &str) -> Method {
    name.to_uppercase().parse().unwrap()
}
