//! A network end for what operators do: it onboards, lists plans in two pages, switches programs on, certifies keys, makes links and
//! users, and lists decisions; it fails where it is told to, and records what it was sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

use crate::stage::{Partner, Stage};

/// A day and a bit of the test's time after which a certificate of this network ends.
pub const CERTIFICATE_DAYS: i64 = 100;

#[derive(Default)]
pub struct Inner {
    /// Method, path with query, body.
    pub calls: Vec<(String, String, Value)>,
    /// The status that calls get whose path contains the text.
    pub failing: BTreeMap<String, u16>,
    pub enablements: Vec<Value>,
    pub decisions: Vec<Value>,
    /// Of this price plan's version 2.
    pub variable_rate: String,
    /// Credential ids that are good.
    pub certificates: Vec<String>,
    /// Certificates that no token is accepted with, in base64.
    pub refused_certificates: Vec<String>,
    pub users: Vec<Value>,
    answers: BTreeMap<String, (u16, Value)>,
    counter: u32,
}

#[derive(Clone, Default)]
pub struct Management {
    pub inner: Arc<Mutex<Inner>>,
    pub url: String,
}

impl Management {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self { url: format!("http://{}/", listener.local_addr().unwrap()), inner: Arc::default() };
        this.inner.lock().unwrap().variable_rate = "2.99".to_owned();
        let router = Router::new().fallback(handle).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        this
    }

    pub fn calls(&self, method: &str, path: &str) -> Vec<(String, Value)> {
        let inner = self.inner.lock().unwrap();
        let wanted = inner.calls.iter().filter(|(called, at, _)| called == method && at.contains(path));
        wanted.map(|(_, at, body)| (at.clone(), body.clone())).collect()
    }

    pub fn fail(&self, path: &str, status: u16) {
        self.inner.lock().unwrap().failing.insert(path.to_owned(), status);
    }

    pub fn mend(&self) {
        self.inner.lock().unwrap().failing.clear();
    }
}

async fn handle(State(this): State<Management>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = uri.path_and_query().unwrap().as_str().to_owned();
    let mut inner = this.inner.lock().unwrap();
    inner.calls.push((method.to_string(), path.clone(), body.clone()));
    if let Some((_, status)) = inner.failing.iter().find(|(part, _)| path.contains(*part)) {
        return (StatusCode::from_u16(*status).unwrap(), axum::Json(json!({"error_code": "FAILED"}))).into_response();
    }
    let key = headers.get("klarna-idempotency-key").map(|key| key.to_str().unwrap().to_owned());
    let (status, answer) = match key.as_ref().and_then(|key| inner.answers.get(key)).cloned() {
        Some(answer) => answer,
        None => {
            let answer = inner.act(&method, uri.path(), uri.query().unwrap_or_default(), &body);
            if let (Some(key), 200..300) = (key, answer.0) {
                inner.answers.insert(key, answer.clone());
            }
            answer
        }
    };
    let status = StatusCode::from_u16(status).unwrap();
    if status == StatusCode::NO_CONTENT { status.into_response() } else { (status, axum::Json(answer)).into_response() }
}

impl Inner {
    fn next_id(&mut self) -> String {
        self.counter += 1;
        format!("00000000-0000-4000-8000-{:012}", self.counter)
    }

    fn act(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> (u16, Value) {
        let id = self.next_id();
        let segments: Vec<&str> = path.trim_start_matches("/v2/").split('/').collect();
        match (method.as_str(), segments.as_slice()) {
            ("POST", ["distribution", "onboard"]) => (201, onboarded(body)),
            ("GET", ["distribution", "products", "payment", "profiles"]) => (
                200,
                json!([{"payment_profile_id": "krn:network:global:test:payment-profile:6a1d0c1e-0000-4000-8000-000000000001",
                    "name": "Usual", "price_plan_id": "price-plan-1", "payment_program_plan_id": "program-plan-1"}]),
            ),
            ("GET", ["distribution", "products", "payment", "price-plans"]) => (
                200,
                json!({"price_plans": [{"price_plan_id": "price-plan-1", "versions": [
                    {"version": 2, "effective_from": "2025-07-01T00:00:00Z", "effective_to": "2026-03-05T00:00:00Z"},
                    {"version": 3, "effective_from": "2026-03-05T00:00:00Z", "effective_to": null}]}],
                    "pagination": {"last_item": null, "links": {"next": null}}}),
            ),
            ("GET", ["distribution", "products", "payment", "price-plans", plan]) => (200, self.rates(plan, query)),
            ("GET", ["distribution", "products", "payment", "payment-program-plans", plan]) => {
                let market = json!({"customer_country": "SE", "transaction_currency": "SEK", "minimum_amount": 1, "maximum_amount": 9});
                let programs = ["PRESET", "OPTIONAL", "RESTRICTED"].map(|kind| {
                    json!({"payment_program_id": program(kind), "display_name": kind, "enablement_type": kind,
                        "status": "AVAILABLE", "markets": [market]})
                });
                let plan = json!({"payment_program_plan_id": plan, "version": 1, "effective_from": "2024-01-01T00:00:00Z",
                    "payment_programs": programs});
                (200, plan)
            }
            ("GET", ["distribution", "products", "payment", "payment-programs", wanted]) => {
                let kind = ["PRESET", "OPTIONAL", "RESTRICTED"].into_iter().find(|kind| program(kind) == *wanted);
                (200, json!({"payment_program_id": wanted, "enablement_type": kind}))
            }
            ("POST", ["accounts", _, "products", "payment", "payment-programs", "payment-program-enablements"]) => {
                match body["payment_program_id"].as_str() {
                    Some(wanted) if wanted == program("RESTRICTED") => {
                        (403, json!({"error_code": "OPERATION_FORBIDDEN"}))
                    }
                    Some(wanted) if wanted == program("PRESET") => {
                        (409, json!({"error_code": "RESOURCE_CONFLICT", "error_message": "It is always on."}))
                    }
                    _ => (201, self.enable(&id, body)),
                }
            }
            ("GET", ["accounts", _, "products", "payment", "payment-programs", "payment-program-enablements"]) => {
                (200, json!({"payment_program_enablements": self.enablements}))
            }
            (_, ["accounts", _, "products", "payment", "payment-programs", "payment-program-enablements", one]) => {
                let found = self.enablements.iter_mut().find(|found| found["payment_program_enablement_id"] == *one);
                match (found, method.as_str()) {
                    (Some(found), "GET") => (200, found.clone()),
                    (Some(found), _) => {
                        found["state"] = json!("ENDED");
                        (204, Value::Null)
                    }
                    (None, _) => (404, json!({"error_code": "RESOURCE_NOT_FOUND"})),
                }
            }
            ("GET", ["accounts", _, "compliance", "decisions"]) => {
                (200, json!([{"decisions": self.decisions, "pagination": {"last_item": null}}]))
            }
            ("POST", ["account", "integration", "credentials", "client-certificate"]) => {
                let credential = format!("krn:credential:{id}");
                self.certificates.push(credential.clone());
                let days = CERTIFICATE_DAYS * 86_400;
                let end = protocol::Timestamp::from_micros(
                    crate::stage::BEGINNING + days * 1_000_000 * i64::from(self.certificates.len() as u32),
                );
                (
                    201,
                    json!({"credential_id": credential, "certificate": certificate(&id), "state": "ACTIVE",
                    "valid_from": "2026-03-02T10:00:00Z", "valid_to": end.unwrap().to_string()}),
                )
            }
            ("POST", ["account", "integration", "credentials", "client-certificate", one, "revoke"]) => {
                self.certificates.retain(|good| good != one);
                (200, json!({"credential_id": one}))
            }
            ("POST", ["accounts", _, "portal", "deep-links"]) => match self.refuses(body) {
                true => refused_token(),
                false => (
                    200,
                    json!({"deep_link_id": format!("link-{id}"), "url": format!("https://portal.example/enter/{id}"),
                    "expires_at": "2026-03-02T10:01:00Z"}),
                ),
            },
            ("DELETE", ["accounts", _, "portal", "deep-links", _]) => (204, Value::Null),
            ("POST", ["portal", "user-access"]) => match self.refuses(body) {
                true => refused_token(),
                false => {
                    let user = claims(body);
                    self.users.push(json!([user["account_id"], user["sub"]]));
                    (201, json!({"user_id": format!("user-{id}")}))
                }
            },
            ("DELETE", ["portal", "user-access"]) => {
                let given: BTreeMap<String, String> =
                    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
                let wanted = json!([given["account_id"], given["principal"]]);
                self.users.retain(|user| *user != wanted);
                (204, Value::Null)
            }
            _ => (404, json!({"error_code": "NOT_FOUND"})),
        }
    }

    fn enable(&mut self, id: &str, body: &Value) -> Value {
        let made = json!({"payment_program_enablement_id": format!("enablement-{id}"),
            "payment_program_id": body["payment_program_id"], "state": "ACTIVE"});
        self.enablements.push(made.clone());
        made
    }

    /// Klarna approves: a restricted program is on.
    pub fn approve(&mut self) {
        let id = self.next_id();
        self.enable(&id, &json!({"payment_program_id": program("RESTRICTED")}));
    }

    fn rates(&self, plan: &str, query: &str) -> Value {
        let rate = |country: &str| {
            json!({"payment_program_id": program("PRESET"), "merchant_category_code": "5941", "customer_country": country,
                "pricing_payment_category": "DIGITAL", "currency": "SEK", "variable_rate": self.variable_rate, "fixed_fee": 300,
                "microtransaction_cap": "15.00"})
        };
        let is_second = query.contains("starting_after=cursor-1");
        let (rates, last, next) = match is_second {
            false => (vec![rate("DE")], json!("cursor-1"), json!({"href": "…"})),
            true => (vec![rate("SE")], Value::Null, Value::Null),
        };
        json!({"price_plan_id": plan, "version": 2, "state": "PUBLISHED", "effective_from": "2025-07-01T00:00:00Z",
            "effective_to": "2026-03-05T00:00:00Z", "rates": rates, "pagination": {"last_item": last, "links": {"next": next}}})
    }

    fn refuses(&self, body: &Value) -> bool {
        let token = body["jwt"].as_str().unwrap_or_default();
        let header = token.split('.').next().unwrap_or_default();
        let header: Value =
            serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
        let certificate = header["x5c"][0].as_str().unwrap_or_default();
        self.refused_certificates.iter().any(|refused| refused == certificate)
    }
}

/// What a token says.
pub fn claims(body: &Value) -> Value {
    let part = body["jwt"].as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The id of this network's program of a kind.
pub fn program(kind: &str) -> String {
    let number = kind.len();
    format!("krn:network:global:all:payment:payment-program:00000000-0000-4000-8000-{number:012}")
}

/// No certificate, but the form of one: nobody here looks into it.
fn certificate(id: &str) -> String {
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(format!("certificate {id}"))
    )
}

fn refused_token() -> (u16, Value) {
    (
        400,
        json!({"error_code": "VALIDATION_ERROR", "validation_errors": [{"parameter": "jwt", "reason": "must be signed by a good certificate"}]}),
    )
}

/// Every reference gets an id.
fn onboarded(body: &Value) -> Value {
    let named = |list: &Value, id: &str, name: &str| -> Vec<Value> {
        let entries = list.as_array().into_iter().flatten();
        entries.map(|one| json!({id: format!("krn:{}", one[name].as_str().unwrap()), name: one[name]})).collect()
    };
    let groups: Vec<Value> = body["store_groups"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|group| {
            json!({
        "store_group_id": format!("krn:{}", group["store_group_reference"].as_str().unwrap()),
        "store_group_reference": group["store_group_reference"],
        "stores": named(&group["stores"], "store_id", "store_reference")})
        })
        .collect();
    json!({"partner_account_id": "krn:partner:global:account:test:NEW00001", "state": "OPERATIONAL",
        "products": [{"product_id": "krn:partner:product:payment:1", "type": "PAYMENT", "state": "ENABLED",
            "payment_accounts": named(&body["products"][0]["payment_accounts"], "payment_account_id", "payment_account_reference")}],
        "partner_business_entities": named(&body["partner_business_entities"], "partner_business_entity_id", "partner_business_entity_reference"),
        "brands": named(&body["brands"], "brand_id", "brand_reference"), "store_groups": groups})
}

/// A gateway on one database, an operator, and an onboarded Partner's path.
pub struct Scene {
    pub stage: Stage,
    pub klarna: Management,
    pub operator: Partner,
    pub path: String,
    pub partner_id: String,
}

/// A scene on each engine.
pub async fn scenes() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for test in crate::stage::databases().await {
        let klarna = Management::start().await;
        let stage = Stage::new(test, &klarna.url, |_| {});
        let operator = stage.operator().await;
        let body = crate::partners_model::whole("m-1", "7F3K9");
        let made = stage.call(&operator, "POST", "/v1/partners", Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let partner_id = made.body["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/partners/{partner_id}");
        let submitted = stage.call(&operator, "POST", &format!("{path}/submit"), None).await;
        assert_eq!(submitted.status, 200, "{}", submitted.text);
        scenes.push(Scene { stage, klarna, operator, path, partner_id });
    }
    scenes
}

impl Scene {
    pub async fn operate(&self, method: &str, tail: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.stage.call(&self.operator, method, &format!("{}{tail}", self.path), body).await;
        (answer.status.as_u16(), answer.body)
    }

    /// The types and data of the events of a type, oldest first.
    pub async fn events(&self, event_type: &str) -> Vec<Value> {
        let made = self.operate("POST", "/api-keys", None).await.1;
        let partner = Partner { id: self.partner_id.clone(), key: made["api_key"].as_str().unwrap().to_owned() };
        let path = format!("/v1/events?order=asc&size=100&type={event_type}");
        let answer = self.stage.call(&partner, "GET", &path, None).await;
        answer.body["events"].as_array().unwrap().iter().map(|event| event["data"].clone()).collect()
    }
}
