//! Steps that the tests of payments take.

use http::Method;
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use network::payments::{CustomerStep, Identity, JourneyRequest, customer_step};
use protocol::krn::Region;
use serde_json::{Value, json};

use crate::harness::{Answer, End};

pub const AMOUNT: i64 = 4990;

/// A path below the Partner's account.
pub fn at(end: &End, tail: &str) -> String {
    format!("/v2/accounts/{}/payment{tail}", end.partner())
}

pub async fn post(end: &End, tail: &str, body: &Value) -> Answer {
    end.ap(Method::POST, &at(end, tail), Some(body)).await
}

pub async fn get(end: &End, tail: &str) -> Answer {
    end.ap(Method::GET, &at(end, tail), None).await
}

pub fn acquiring(end: &End) -> Value {
    json!({"payment_account_id": end.credentials.partner.payment_account_id})
}

/// Lines that add up to [`AMOUNT`].
pub fn purchase() -> Value {
    json!({"purchase_reference": "88", "colour_of_the_box": "green", "line_items": [
        {"name": "Mug", "quantity": 2, "unit_price": 2745, "total_amount": 5490},
        {"name": "Discount", "quantity": 1, "total_amount": -500},
    ]})
}

/// A Payment Request that passes.
pub fn request_body(end: &End) -> Value {
    json!({"currency": "EUR", "amount": AMOUNT, "payment_request_reference": "PR-88",
        "supplementary_purchase_data": purchase(), "acquiring_config": acquiring(end),
        "customer_interaction_config": {"method": "HANDOVER",
            "return_url": "https://psp.example/r?id={klarna.payment_request.id}&s={klarna.payment_request.state}"}})
}

/// An authorization that passes.
pub fn authorization(end: &End, reference: &str) -> Value {
    json!({"currency": "EUR", "acquiring_config": acquiring(end), "supplementary_purchase_data": purchase(),
        "request_payment_transaction": {"amount": AMOUNT, "payment_transaction_reference": reference}})
}

/// The same, with what is needed to ask the customer.
pub fn with_step_up(mut body: Value) -> Value {
    body["step_up_config"] = json!({"payment_request_reference": "PR-88",
        "customer_interaction_config": {"method": "HANDOVER", "return_url": "https://psp.example/r"}});
    body
}

/// Authorizes, with token headers.
pub async fn authorize(end: &End, headers: &[(&str, &str)], body: &Value) -> Answer {
    let authorization = format!("Basic {}", end.ap_key());
    let mut all = vec![("authorization", authorization.as_str())];
    all.extend_from_slice(headers);
    end.send(Method::POST, &at(end, "/authorize"), &all, Some(body)).await
}

/// An authorized transaction of [`AMOUNT`], charged to the seeded customer.
pub async fn transaction(end: &End, reference: &str) -> Value {
    charge(end, &authorization(end, reference)).await
}

pub async fn charge(end: &End, body: &Value) -> Value {
    let token = end.credentials.partner.customer_token.clone().expect("the seed has a customer");
    let answer = authorize(end, &[("klarna-customer-token", &token)], body).await.expect(200);
    assert_eq!(answer["payment_transaction_response"]["result"], "APPROVED", "{answer}");
    answer["payment_transaction_response"]["payment_transaction"].clone()
}

pub fn id(transaction: &Value) -> String {
    transaction["payment_transaction_id"].as_str().expect("a transaction").to_owned()
}

/// What a customer does who was given the request's address; `None` when the address does not hold.
pub async fn step(end: &End, url: &str, step: CustomerStep) -> Option<JourneyRequest> {
    let url: url::Url = url.parse().unwrap();
    let segments: Vec<_> = url.path_segments().unwrap().collect();
    let region = match segments[0] {
        "eu" => Region::Eu1,
        "na" => Region::Us1,
        "oc" => Region::Ap1,
        other => panic!("region {other}"),
    };
    assert_eq!((segments[1], segments[3]), ("requests", "start"));
    let uuid: uuid::Uuid = segments[2].parse().unwrap();
    let token = url.query_pairs().find(|(name, _)| name == "token").unwrap().1.into_owned();
    let ctx = end.ctx.clone();
    end.ctx
        .write(|| {
            let (ctx, token, step) = (ctx.clone(), token.clone(), step.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Option<JourneyRequest>, ApiError>> {
                Box::pin(async move { customer_step(tx, &ctx, (region, uuid), &token, &step, Some("journey")).await })
            }
        })
        .await
        .unwrap()
}

pub fn approve(email: &str) -> CustomerStep {
    CustomerStep::Approve(Identity { email: Some(email.to_owned()), phone: None })
}

/// Sends a customer through the journey and returns the request as the Partner then reads it.
pub async fn complete(end: &End, request: &Value) -> Value {
    let url = request["payment_request_url"].as_str().expect("an open request");
    step(end, url, CustomerStep::Enter).await.unwrap();
    step(end, url, approve("customer@email.de")).await.unwrap();
    let id = request["payment_request_id"].as_str().unwrap();
    get(end, &format!("/requests/{id}")).await.expect(200)
}

/// The session token of a completed request.
pub fn session_token(request: &Value) -> String {
    request["state_context"]["klarna_network_session_token"].as_str().expect("a completed request").to_owned()
}

/// What the Acquiring Partner was told: types without their common beginning, and payloads, oldest first.
pub async fn events(end: &End) -> Vec<(String, Value)> {
    let answer = end.ap(Method::GET, "/testing/events?size=1000", None).await.expect(200);
    let events = answer["events"].as_array().unwrap();
    let view = |event: &Value| {
        let kind = event["event_type"].as_str().unwrap().trim_start_matches("payment.").to_owned();
        (kind, event["payload"].clone())
    };
    events.iter().map(view).collect()
}

/// The types alone.
pub async fn told(end: &End) -> Vec<String> {
    events(end).await.into_iter().map(|(kind, _)| kind).collect()
}

/// Asserts a refusal that names these parameters.
#[track_caller]
pub fn names(answer: &Answer, parameters: &[&str]) {
    answer.refused(400, "VALIDATION_ERROR");
    assert_eq!(answer.parameters(), parameters, "{}", answer.text);
}
