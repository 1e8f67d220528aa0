//! Random sequences of operations, valid and not, from the Payment Request to the last refund, against the network end itself:
//! the sums stay sound, what is closed stays closed, every change is told once, and what is refused changes nothing.

use http::Method;
use kit::clock::MINUTE_US;
use network::payments;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use protocol::{DisputeId, PartnerAccountId, PaymentCaptureId, PaymentTransaction, Region};
use serde_json::{Value, json};

use crate::harness::{Answer, End, Place, Wishes, sqlite_place, start};
use crate::payments_steps::*;

#[derive(Clone, Debug)]
enum Op {
    Customer(&'static str, bool),
    UpdateRequest(i64),
    CancelRequest,
    /// With the grant of the request, if there is one; `off` is added to the amount.
    Authorize {
        off: i64,
        now: bool,
    },
    Capture(Option<i64>, bool),
    Refund(Option<i64>, bool),
    RefundCapture(i64, Option<i64>),
    Void,
    Update(i64),
    Reauthorize(Option<i64>, Option<i64>),
    ChargeBack(i64, i64),
    Fund(&'static str),
    /// Minutes.
    Wait(i64),
}

fn op() -> impl Strategy<Value = Op> {
    let amount = || proptest::option::of(prop_oneof![1..2000i64, Just(AMOUNT), Just(AMOUNT + 1)]);
    prop_oneof![
        5 => (prop_oneof![1 => Just("ENTER"), 1 => Just("LEAVE"), 4 => Just("APPROVE"), 1 => Just("REFUSE")], proptest::bool::weighted(0.1))
            .prop_map(|(step, denied)| Op::Customer(step, denied)),
        1 => (1..9000i64).prop_map(Op::UpdateRequest),
        1 => Just(Op::CancelRequest),
        5 => (prop_oneof![8 => Just(0i64), 1 => -1..2i64], proptest::bool::weighted(0.2))
            .prop_map(|(off, now)| Op::Authorize { off, now }),
        5 => (amount(), proptest::bool::weighted(0.1)).prop_map(|(amount, release)| Op::Capture(amount, release)),
        3 => (amount(), any::<bool>()).prop_map(|(amount, lines)| Op::Refund(amount, lines)),
        2 => (0..4i64, amount()).prop_map(|(number, amount)| Op::RefundCapture(number, amount)),
        1 => Just(Op::Void),
        2 => (1..9000i64).prop_map(Op::Update),
        2 => (proptest::option::of(0..182i64), amount()).prop_map(|(days, amount)| Op::Reauthorize(days, amount)),
        2 => (0..4i64, 1..2000i64).prop_map(|(number, amount)| Op::ChargeBack(number, amount)),
        1 => prop_oneof![Just("FUNDED"), Just("EXPIRED")].prop_map(Op::Fund),
        3 => prop_oneof![4 => 0..90i64, 2 => 0..20_000i64, 1 => 0..600_000i64].prop_map(Op::Wait),
    ]
}

/// One purchase, and what is known of it.
struct World {
    end: End,
    request: String,
    transaction: Option<String>,
    charged: u64,
    /// Keeps the database.
    _place: Place,
}

/// Everything that a caller can see.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    request: Value,
    transaction: Value,
    events: Vec<(String, Value)>,
}

impl World {
    async fn begin(guaranteed: bool) -> Self {
        let place = sqlite_place();
        let end = start(&place, Wishes::default()).await;
        let mut body = request_body(&end);
        if !guaranteed {
            let account = &end.credentials.partner.payment_account_id_non_guaranteed;
            body["acquiring_config"] = json!({ "payment_account_id": account });
        }
        let request = post(&end, "/requests", &body).await.expect(201);
        let request = request["payment_request_id"].as_str().unwrap().to_owned();
        Self { end, request, transaction: None, charged: 0, _place: place }
    }

    async fn look(&self) -> Seen {
        let end = &self.end;
        let request = get(end, &format!("/requests/{}", self.request)).await.json();
        let transaction = match &self.transaction {
            Some(id) => get(end, &format!("/transactions/{id}")).await.expect(200),
            None => Value::Null,
        };
        // A refusal has an id of its own each time.
        let request = if request.get("error_id").is_some() { json!("gone") } else { request };
        // Settlements tell of themselves whenever their time comes.
        let of_payments = |(kind, _): &(String, Value)| !kind.starts_with("settlement.");
        let events = events(end).await.into_iter().filter(of_payments).collect();
        Seen { request, transaction, events }
    }

    async fn take(&mut self, op: &Op, seen: &Seen) -> Answer {
        let end = &self.end;
        let request = format!("/requests/{}", self.request);
        let transaction = self
            .transaction
            .clone()
            .unwrap_or_else(|| "krn:payment:eu1:transaction:0b0e8d5e-1111-4a2b-9c3d-000000000001".to_owned());
        let path = format!("/transactions/{transaction}");
        let testing = |tail: String| format!("/testing/accounts/{}{tail}", end.partner());
        match op {
            Op::Customer(step, denied) => {
                let email = if *denied { "customer+denied@email.de" } else { "customer@email.de" };
                let body = json!({ "step": step, "email": email });
                end.ap(Method::POST, &testing(format!("{request}/customer")), Some(&body)).await
            }
            Op::UpdateRequest(amount) => {
                end.ap(Method::PATCH, &at(end, &request), Some(&json!({"amount": amount}))).await
            }
            Op::CancelRequest => end.ap(Method::DELETE, &at(end, &request), None).await,
            Op::Authorize { off, now } => {
                let mut body = json!({"currency": "EUR", "request_payment_transaction": {
                    "amount": seen.request["amount"].as_i64().unwrap_or(AMOUNT) + off,
                    "payment_transaction_reference": format!("TX-{}", seen.events.len()),
                    "capture": if *now { "NOW" } else { "LATER" }}});
                // Else the lines of the request would be taken over, which an update of its amount has left behind.
                body["supplementary_purchase_data"] = json!({"purchase_reference": "88"});
                let token = seen.request.pointer("/state_context/klarna_network_session_token").and_then(Value::as_str);
                let headers: Vec<_> = token.map(|token| ("klarna-network-session-token", token)).into_iter().collect();
                let answer = authorize(end, &headers, &body).await;
                let made = answer.json();
                let made = made.pointer("/payment_transaction_response/payment_transaction/payment_transaction_id");
                if let Some(made) = made.and_then(Value::as_str) {
                    assert!(self.transaction.is_none(), "one approval, two payments");
                    self.transaction = Some(made.to_owned());
                }
                answer
            }
            Op::Capture(amount, release) => {
                let mut body = json!({ "capture_amount": amount });
                if *release {
                    body["remaining_authorization"] = json!("RELEASE");
                }
                post(end, &format!("{path}/capture"), &body).await
            }
            Op::Refund(amount, lines) => {
                let mut body = json!({ "refund_amount": amount });
                if let Some(amount) = amount.filter(|_| *lines) {
                    body["line_items"] = json!([{"name": "x", "quantity": 1, "total_amount": amount}]);
                }
                post(end, &format!("{path}/refund"), &body).await
            }
            Op::RefundCapture(number, amount) => {
                let body = json!({ "refund_amount": amount });
                post(end, &format!("/captures/{transaction}:capture:{number}/refund"), &body).await
            }
            Op::Void => post(end, &format!("{path}/void"), &json!({})).await,
            Op::Update(amount) => end.ap(Method::PATCH, &at(end, &path), Some(&json!({"amount": amount}))).await,
            Op::Reauthorize(days, amount) => {
                post(end, &format!("{path}/authorize"), &json!({"extension_days": days, "amount": amount})).await
            }
            Op::ChargeBack(number, amount) => {
                self.charged += 1;
                self.charge_back(&transaction, *number, *amount).await
            }
            Op::Fund(state) => {
                end.ap(Method::POST, &testing(format!("{path}/funding")), Some(&json!({ "state": state }))).await
            }
            Op::Wait(_) => unreachable!("time is no operation"),
        }
    }

    /// What the disputes room does when a dispute is lost.
    async fn charge_back(&self, transaction: &str, number: i64, amount: i64) -> Answer {
        let (ctx, partner) = (self.end.ctx.clone(), self.end.partner().parse::<PartnerAccountId>().unwrap());
        let capture = PaymentCaptureId::opaque(&format!("{transaction}:capture:{number}")).unwrap();
        let dispute = DisputeId::new(Region::Eu1, self.charged);
        let charged = self.end.ctx.db.write(move |tx| {
            Box::pin(async move {
                payments::charge_back(tx, &ctx, &partner, &capture, &dispute, (amount, "PURCHASE_UNAUTHORIZED")).await
            })
        });
        let status = charged.await.map_or_else(|refusal| refusal.status.as_u16(), |_| 200);
        Answer { status, headers: http::HeaderMap::new(), text: String::new() }
    }
}

macro_rules! holds {
    ($condition:expr, $($what:tt)+) => { prop_assert!($condition, $($what)+) };
}

/// What is true of everything that can be seen, at any time.
fn sound(seen: &Seen) -> Result<(), TestCaseError> {
    let transaction = &seen.transaction;
    if transaction.is_null() {
        return Ok(());
    }
    let parsed: PaymentTransaction = serde_json::from_value(transaction.clone()).unwrap();
    holds!(parsed.is_balanced(), "{transaction}");
    let of = |name: &str| transaction[name].as_i64().unwrap();
    let sum = |list: &str, name: &str| -> i64 {
        let parts = transaction[list].as_array().map(Vec::as_slice).unwrap_or_default();
        parts.iter().map(|part| part[name].as_i64().unwrap()).sum()
    };
    holds!(of("captured_amount") <= of("amount"), "{transaction}");
    holds!(of("captured_amount") == sum("payment_captures", "capture_amount"), "{transaction}");
    holds!(of("refunded_amount") == sum("payment_captures", "refunded_amount"), "{transaction}");
    holds!(of("refunded_amount") == sum("payment_refunds", "refund_amount"), "{transaction}");
    holds!(of("charged_back_amount") == sum("payment_chargebacks", "chargeback_amount"), "{transaction}");
    for capture in transaction["payment_captures"].as_array().unwrap() {
        holds!(capture["refunded_amount"].as_i64() <= capture["capture_amount"].as_i64(), "{capture}");
    }
    let left = of("remaining_amount") > 0;
    holds!(left == ["AUTHORIZED", "EXPIRED"].contains(&transaction["state"].as_str().unwrap()), "{transaction}");
    told(seen, "captured", "payment_captures", "capture_amount")?;
    told(seen, "refunded", "payment_refunds", "refund_amount")?;
    told(seen, "chargeback", "payment_chargebacks", "chargeback_amount")?;
    chain(seen, "transaction.state-change.", &transaction["state"])
}

/// Every part has one event.
fn told(seen: &Seen, kind: &str, list: &str, amount: &str) -> Result<(), TestCaseError> {
    let kind = format!("transaction.{kind}");
    let told: Vec<_> = seen.events.iter().filter(|(told, _)| *told == kind).map(|(_, event)| &event[amount]).collect();
    let parts = seen.transaction[list].as_array().map(Vec::as_slice).unwrap_or_default();
    let parts: Vec<_> = parts.iter().map(|part| &part[amount]).collect();
    holds!(told == parts, "{kind}: {told:?} of {parts:?}");
    Ok(())
}

/// Every change of state has one event: the chain of them has no gap, no repetition, and ends where the thing stands.
fn chain(seen: &Seen, of: &str, end: &Value) -> Result<(), TestCaseError> {
    let mut state = Value::Null;
    for (_, payload) in seen.events.iter().filter(|(kind, _)| kind.starts_with(of)) {
        holds!(payload["previous_state"] == state && payload["state"] != state, "{of} after {state}: {payload}");
        state = payload["state"].clone();
    }
    holds!(state == *end, "{of}* ends in {state}, not {end}");
    Ok(())
}

async fn run(guaranteed: bool, ops: Vec<Op>) -> Result<(), TestCaseError> {
    let mut world = World::begin(guaranteed).await;
    let mut seen = world.look().await;
    for op in &ops {
        if let Op::Wait(minutes) = op {
            world.end.ctx.clock.advance(minutes * MINUTE_US);
        } else {
            let answer = world.take(op, &seen).await;
            let expected = [200, 201, 400, 403, 404];
            holds!(expected.contains(&answer.status), "{op:?}: {} {}", answer.status, answer.text);
            let after = world.look().await;
            if answer.status >= 400 {
                holds!(after == seen, "{op:?} was refused, yet {seen:?} became {after:?}");
            }
        }
        let after = world.look().await;
        sound(&after)?;
        if seen.transaction["state"] == "CLOSED" {
            holds!(after.transaction == seen.transaction, "{op:?} changed what was closed: {:?}", after.transaction);
        }
        let final_states = ["DECLINED", "CANCELED", "EXPIRED"];
        if seen.request["state"].as_str().is_some_and(|state| final_states.contains(&state)) {
            holds!(after.request == seen.request || after.request == "gone", "{op:?} changed {:?}", seen.request);
        }
        if after.request != "gone" {
            chain(&after, "request.state-change.", &after.request["state"])?;
        }
        seen = after;
    }
    Ok(())
}

#[test]
fn no_sequence_of_operations_on_a_purchase_breaks_its_rules() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 16, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let sequences = (proptest::bool::weighted(0.7), proptest::collection::vec(op(), 1..40));
    TestRunner::new(config)
        .run(&sequences, |(guaranteed, ops)| runtime.block_on(run(guaranteed, ops)))
        .unwrap_or_else(|error| panic!("{error}"));
}
