//! A network end for payments that answers as it is told: with the documented answer, late, never, broken, or with any status. It
//! remembers first answers by idempotency key, as Klarna does, and records what it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri};
use kit::db::UnitFuture;
use kit::http::ApiError;
use kit::testing::TestDb;
use protocol::Envelope;
use serde_json::{Value, json};

use crate::stage::{Answer, Partner, Stage, eventually};

/// The customer token that a customer's approval yields where one is asked for.
pub const CUSTOMER_TOKEN: &str = "krn:partner:eu1:test:identity:customer-token:Q2xxRHZwNzJ5TGN4bTZ0d0NqZ2s0";

/// What the network does instead of answering as documented.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers this, and does nothing.
    Answer(u16, Value),
    /// Answers this text with this status, and does nothing.
    Text(u16, &'static str),
    /// Does what it is asked, and never answers.
    DoAndHang,
    /// Does what it is asked, and answers 500.
    DoAndFail,
    /// Does what it is asked, and cuts the answer off.
    DoAndCut,
    /// Answers as documented, after a while.
    Late(u64),
}

/// A call as it came.
#[derive(Clone, Debug)]
pub struct Call {
    pub name: &'static str,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Call {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Default)]
struct Inner {
    acts: BTreeMap<&'static str, VecDeque<Act>>,
    calls: Vec<Call>,
    /// First answers by idempotency key.
    answers: BTreeMap<String, (u16, Value)>,
    requests: BTreeMap<String, Value>,
    transactions: BTreeMap<String, Value>,
    pub identifiers: Vec<Value>,
    counter: u32,
}

#[derive(Clone, Default)]
pub struct Klarna {
    inner: Arc<Mutex<Inner>>,
    pub url: String,
}

impl Klarna {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self { url: format!("http://{}/", listener.local_addr().unwrap()), inner: Arc::default() };
        let router = Router::new().fallback(handle).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        this
    }

    pub fn next(&self, name: &'static str, acts: impl IntoIterator<Item = Act>) {
        self.inner.lock().unwrap().acts.entry(name).or_default().extend(acts);
    }

    pub fn calls(&self, name: &str) -> Vec<Call> {
        self.inner.lock().unwrap().calls.iter().filter(|call| call.name == name).cloned().collect()
    }

    /// Somebody disables all client identifiers.
    pub fn disable_identifiers(&self) {
        for identifier in &mut self.inner.lock().unwrap().identifiers {
            identifier["state"] = json!("DISABLED");
        }
    }

    pub fn transactions(&self) -> Vec<Value> {
        self.inner.lock().unwrap().transactions.values().cloned().collect()
    }

    /// Moves the last Payment Request on, as a customer would.
    pub fn customer(&self, state: &str) -> Value {
        let mut inner = self.inner.lock().unwrap();
        let request = inner.requests.values_mut().next_back().unwrap();
        request["state"] = json!(state);
        if state == "COMPLETED" {
            request["state_context"] =
                json!({"klarna_network_session_token": "krn:network:eu1:test:session-token:gr.an.t"});
            if !request["request_customer_token"].is_null() {
                request["state_context"]["klarna_customer"] = json!({"customer_token": CUSTOMER_TOKEN});
            }
        }
        request.clone()
    }
}

async fn handle(State(klarna): State<Klarna>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = uri.path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches("/v2/accounts/").split('/').collect();
    let name = match (method.as_str(), &parts[1..]) {
        ("POST", ["payment", "authorize"])
            if body["step_up_config"].is_null() && headers.contains_key("klarna-network-session-token") =>
        {
            "finalize"
        }
        ("POST", ["payment", "authorize"]) => "authorize",
        ("GET", ["payment", "presentation"]) => "presentation",
        ("GET", ["v2", "account", "integration", "credentials", "client-identifier"]) => "list_client_identifiers",
        ("POST", ["v2", "account", "integration", "credentials", "client-identifier"]) => "create_client_identifier",
        ("GET", ["payment", "requests", _]) => "read_request",
        ("PATCH", ["payment", "requests", _]) => "update_request",
        ("DELETE", ["payment", "requests", _]) => "cancel_request",
        ("GET", ["payment", "transactions", _]) => "read_transaction",
        ("PATCH", ["payment", "transactions", _]) => "update_transaction",
        ("POST", ["payment", "transactions", _, "capture"]) => "capture",
        ("POST", ["payment", "transactions", _, "refund"] | ["payment", "captures", _, "refund"]) => "refund",
        ("POST", ["payment", "transactions", _, "void"]) => "void",
        ("POST", ["identity", "customer-token", "revoke"]) => "revoke",
        other => panic!("no operation of the network: {other:?}"),
    };
    let act = {
        let mut inner = klarna.inner.lock().unwrap();
        inner.calls.push(Call { name, path: path.clone(), headers: headers.clone(), body: body.clone() });
        inner.acts.get_mut(name).and_then(VecDeque::pop_front)
    };
    let documented = || {
        let mut inner = klarna.inner.lock().unwrap();
        let key = headers.get("klarna-idempotency-key").map(|key| key.to_str().unwrap().to_owned());
        if let Some(answer) = key.as_ref().and_then(|key| inner.answers.get(key)) {
            return answer.clone();
        }
        let answer = inner.act(name, &parts[1..], &headers, &body);
        if let (Some(key), 200..300) = (key, answer.0) {
            inner.answers.insert(key, answer.clone());
        }
        answer
    };
    let json = |(status, body): (u16, Value)| (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response();
    match act {
        None => json(documented()),
        Some(Act::Answer(status, body)) => json((status, body)),
        Some(Act::Text(status, text)) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Some(Act::Late(millis)) => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            json(documented())
        }
        Some(Act::DoAndFail) => {
            documented();
            (StatusCode::INTERNAL_SERVER_ERROR, "{}").into_response()
        }
        Some(Act::DoAndHang) => {
            documented();
            std::future::pending().await
        }
        Some(Act::DoAndCut) => {
            let text = documented().1.to_string();
            (StatusCode::OK, [("content-type", "application/json")], Body::from(text[..text.len() / 2].to_owned()))
                .into_response()
        }
    }
}

impl Inner {
    /// What Klarna would do and say.
    fn act(&mut self, name: &str, parts: &[&str], headers: &HeaderMap, body: &Value) -> (u16, Value) {
        self.counter += 1;
        let uuid = format!("00000000-0000-4000-8000-{:012}", self.counter);
        match name {
            "authorize" | "finalize" => {
                let asked = &body["request_payment_transaction"];
                let speaks = ["klarna-network-session-token", "klarna-customer-token"]
                    .iter()
                    .any(|name| headers.contains_key(*name));
                if !body["step_up_config"].is_null() && !speaks {
                    let id = format!("krn:payment:eu1:request:{uuid}");
                    let request = json!({"payment_request_id": id, "payment_request_reference": body["step_up_config"]["payment_request_reference"],
                        "state": "SUBMITTED", "expires_at": "2026-03-02T13:00:00Z", "currency": body["currency"], "amount": asked["amount"],
                        "request_customer_token": body["request_customer_token"],
                        "state_context": {"customer_interaction": {"method": "HANDOVER", "payment_request_url": format!("https://pay.example/{uuid}")}}});
                    self.requests.insert(id, request.clone());
                    return (
                        200,
                        json!({"payment_transaction_response": {"result": "STEP_UP_REQUIRED"}, "payment_request": request}),
                    );
                }
                let id = format!("krn:payment:eu1:transaction:{uuid}");
                let now = asked["capture"] == "NOW";
                let amount = asked["amount"].as_i64().unwrap();
                let mut transaction = json!({"payment_transaction_id": id, "payment_transaction_reference": asked["payment_transaction_reference"],
                    "state": if now { "COMPLETED" } else { "AUTHORIZED" }, "currency": body["currency"], "amount": amount,
                    "captured_amount": if now { amount } else { 0 }, "refunded_amount": 0, "charged_back_amount": 0, "voided_amount": 0,
                    "remaining_amount": if now { 0 } else { amount }, "created_at": "2026-03-02T10:00:00Z", "updated_at": "2026-03-02T10:00:00Z",
                    "expires_at": "2026-03-30T10:00:00Z", "payment_captures": []});
                if now {
                    transaction["payment_captures"] = json!([{"payment_capture_id": format!("{id}:capture:1"), "capture_amount": amount,
                        "payment_capture_reference": asked["payment_capture_reference"]}]);
                }
                self.transactions.insert(id, transaction.clone());
                (
                    200,
                    json!({"payment_transaction_response": {"result": "APPROVED", "payment_transaction": transaction}}),
                )
            }
            "presentation" => (200, presentation("SHOW_KLARNA")),
            "list_client_identifiers" => (200, json!({"credentials": self.identifiers})),
            "create_client_identifier" => {
                let made = json!({"credential_id": format!("krn:credential:{uuid}"), "state": "ACTIVE", "config": body["config"],
                    "identity": {"client_id": format!("klarna_test_client_{uuid}")}});
                self.identifiers.push(made.clone());
                (201, made)
            }
            "read_request" => self.requests.get(parts[2]).map_or((404, json!({})), |request| (200, request.clone())),
            "update_request" => {
                let request = self.requests.get_mut(parts[2]).unwrap();
                request["amount"] = body["amount"].clone();
                (200, request.clone())
            }
            "cancel_request" => {
                let request = self.requests.get_mut(parts[2]).unwrap();
                request["state"] = json!("CANCELED");
                (200, request.clone())
            }
            "read_transaction" => (200, self.transactions[parts[2]].clone()),
            "update_transaction" => {
                let transaction = self.transactions.get_mut(parts[2]).unwrap();
                if !body["amount"].is_null() {
                    transaction["amount"] = body["amount"].clone();
                }
                transaction["updated_at"] = json!("2026-03-02T10:00:01Z");
                (200, transaction.clone())
            }
            "capture" => {
                let (id, amount) = (parts[2], body["capture_amount"].as_i64().unwrap());
                let capture = json!({"payment_capture_id": format!("{id}:capture:{}", self.counter), "capture_amount": amount,
                    "payment_capture_reference": body["payment_capture_reference"], "payment_transaction_id": id});
                self.add(id, "captured_amount", amount);
                (201, capture)
            }
            "refund" => {
                let id = parts[2].split(":capture:").next().unwrap().to_owned();
                let amount = body["refund_amount"].as_i64().unwrap();
                self.add(&id, "refunded_amount", amount);
                (
                    201,
                    json!({"payment_refund_id": format!("{id}:refund:{}", self.counter), "refund_amount": amount,
                    "payment_refund_reference": body["payment_refund_reference"], "payment_transaction_id": id}),
                )
            }
            "revoke" => (200, json!({})),
            "void" => {
                let transaction = self.transactions.get_mut(parts[2]).unwrap();
                let rest = transaction["amount"].as_i64().unwrap() - transaction["captured_amount"].as_i64().unwrap();
                transaction["voided_amount"] = json!(rest);
                (200, transaction.clone())
            }
            other => panic!("{other}"),
        }
    }

    fn add(&mut self, transaction: &str, member: &str, amount: i64) {
        let transaction = self.transactions.get_mut(transaction).unwrap();
        transaction[member] = json!(transaction[member].as_i64().unwrap() + amount);
    }
}

/// How Klarna is to be shown.
pub fn presentation(instruction: &str) -> Value {
    let status =
        if instruction == "SHOW_ONLY_KLARNA" { "PENDING_PARTNER_AUTHORIZATION" } else { "REQUIRES_CUSTOMER_ACTION" };
    json!({"instruction": instruction, "payment_status": status, "payment_option": {
        "payment_option_id": "S0xBUk5B", "header": {"text": "Klarna"}, "subheader": {"text": "Now, later or <in parts>"},
        "icon": {"badge_image_url": "https://elsewhere.example/badge.svg", "alt": "Klarna"},
        "message": {"parts": [{"type": "TEXT", "text": "3 x 16.63"}, {"type": "LINK", "text": "Terms", "url": "javascript:alert(1)"}]}}})
}

/// The network's error object.
pub fn error(code: &str, parameter: &str) -> Value {
    json!({"error_id": "00000000-0000-4000-8000-000000000000", "error_type": "INPUT_ERROR", "error_code": code,
        "error_message": "no", "validation_errors": [{"parameter": parameter, "reason": "will not do"}]})
}

/// A gateway on one database, a Partner, and its network end.
pub struct Scene {
    pub stage: Stage,
    pub klarna: Klarna,
    pub ada: Partner,
    pub test: Arc<TestDb>,
}

/// A scene on each engine, quick to give up on calls.
pub async fn scenes() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for test in crate::stage::databases().await {
        let klarna = Klarna::start().await;
        let stage = stage_on(&test, &klarna);
        let ada = stage.partner("ADA00001").await;
        scenes.push(Scene { stage, klarna, ada, test });
    }
    scenes
}

/// A gateway process on a database: starting a second one is what a restart is.
pub fn stage_on(test: &Arc<TestDb>, klarna: &Klarna) -> Stage {
    Stage::new(Arc::clone(test), &klarna.url, |config| {
        config.upstream.attempts_max = 3;
        config.upstream.first_pause = Duration::from_millis(2);
        config.upstream.attempt_timeout = Duration::from_millis(400);
        config.upstream.deadline = Duration::from_secs(20);
    })
}

pub fn order(amount: i64) -> Value {
    json!({"amount": amount, "currency": "EUR", "reference": "88", "return_url": "https://shop.example/back?order=88",
        "line_items": [{"name": "Mug", "quantity": 1, "total_amount": amount}]})
}

impl Scene {
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.stage.call(&self.ada, "POST", path, Some(body)).await
    }

    pub async fn read(&self, id: &str) -> Value {
        let answer = self.stage.call(&self.ada, "GET", &format!("/v1/payments/{id}"), None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    }

    /// An authorized payment's id: its customer had approved already.
    pub async fn authorized(&self, amount: i64) -> String {
        let mut order = order(amount);
        order["klarna_network_session_token"] = json!("gr.an.t");
        let made = self.post("/v1/payments", order).await;
        assert_eq!((made.status.as_u16(), &made.body["state"]), (201, &json!("AUTHORIZED")), "{}", made.text);
        made.body["id"].as_str().unwrap().to_owned()
    }

    /// The id of a payment whose customer is at Klarna, and the path of our return url.
    pub async fn waiting(&self, amount: i64) -> (String, String) {
        let made = self.post("/v1/payments", order(amount)).await;
        assert_eq!(made.body["state"], "REQUIRES_CUSTOMER_ACTION", "{}", made.text);
        let call = self.klarna.calls("authorize").pop().unwrap();
        let url = call.body["step_up_config"]["customer_interaction_config"]["return_url"].as_str().unwrap().to_owned();
        let path =
            url.strip_prefix("https://gateway.example").unwrap().replace("{klarna.payment_request.state}", "COMPLETED");
        (made.body["id"].as_str().unwrap().to_owned(), path)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.stage.send(http::Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn webhook(&self, event_type: &str, payload: Value) -> gateway::payments::Applied {
        let envelope = json!({"metadata": {"event_type": event_type, "event_id": "e", "event_version": "v2",
            "occurred_at": "2026-03-02T10:05:00Z", "subject_account_id": "krn:partner:global:account:test:ADA00001"}, "payload": payload});
        let envelope: Envelope = serde_json::from_value(envelope).unwrap();
        let ctx = self.stage.ctx.clone();
        let applied = self
            .stage
            .db()
            .write(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
                Box::pin(async move { gateway::payments::apply_network_event(tx, &ctx, &envelope).await })
            })
            .await
            .unwrap();
        self.stage.ctx.poke.poke();
        applied
    }

    pub async fn wait_for(&self, id: &str, state: &str) -> Value {
        eventually(state, || async { Some(self.read(id).await).filter(|payment| payment["state"] == state) }).await
    }

    /// Types of all events, oldest first.
    pub async fn events(&self) -> Vec<String> {
        let answer = self.stage.call(&self.ada, "GET", "/v1/events?order=asc&size=100", None).await;
        let events = answer.body["events"].as_array().unwrap().clone();
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

/// Names of the fields that a refusal lists.
pub fn named(answer: &Answer) -> Vec<&str> {
    let faults = answer.body["validation_errors"].as_array();
    faults.into_iter().flatten().map(|fault| fault["parameter"].as_str().unwrap()).collect()
}
