//! Steps that the tests of disputes take.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, End};
use crate::payments_steps as payments;

/// A file that can be uploaded.
pub const PDF: &[u8] = b"%PDF-1.7 invented";

/// A path below the Partner's disputes.
pub fn at(end: &End, tail: &str) -> String {
    payments::at(end, &format!("/disputes{tail}"))
}

pub async fn get(end: &End, tail: &str) -> Answer {
    end.ap(Method::GET, &at(end, tail), None).await
}

pub async fn post(end: &End, tail: &str, body: &Value) -> Answer {
    end.ap(Method::POST, &at(end, tail), Some(body)).await
}

/// A control of one dispute.
pub async fn control(end: &End, id: &str, name: &str, body: &Value) -> Answer {
    end.ap(Method::POST, &format!("/testing/disputes/{id}/{name}"), Some(body)).await
}

/// A captured transaction of [`payments::AMOUNT`]: its id and the capture's.
pub async fn captured(end: &End, reference: &str) -> (String, String) {
    let id = payments::id(&payments::transaction(end, reference).await);
    let body = json!({"payment_capture_reference": format!("C-{reference}")});
    let capture = payments::post(end, &format!("/transactions/{id}/capture"), &body).await.expect(201);
    (id, capture["payment_capture_id"].as_str().unwrap().to_owned())
}

/// Opens a dispute on a capture, with whatever else stands in `body`.
pub async fn open(end: &End, capture: &str, mut body: Value) -> Value {
    body["payment_capture_id"] = json!(capture);
    let path = format!("/testing/accounts/{}/disputes", end.partner());
    end.ap(Method::POST, &path, Some(&body)).await.expect(201)
}

/// A dispute of a framework on a new capture of [`payments::AMOUNT`].
pub async fn dispute(end: &End, framework: &str, reason: &str) -> Value {
    let number = end.ctx.random.below(1_000_000_000);
    let (_, capture) = captured(end, &format!("TX-{number}")).await;
    open(end, &capture, json!({"framework": framework, "reason": reason})).await
}

pub fn id(dispute: &Value) -> String {
    dispute["payment_dispute_id"].as_str().expect("a dispute").to_owned()
}

/// Uploads a file and returns its id.
pub async fn file(end: &End, id: &str) -> String {
    let parts = [("file", Some("note.pdf"), PDF), ("filename", None, &b"delivery note"[..])];
    let answer = end.upload(&at(end, &format!("/{id}/attachments")), &parts).await.expect(201);
    answer["payment_dispute_attachment_id"].as_str().unwrap().to_owned()
}

/// Waits until it is this later.
pub async fn later(end: &End, duration: &str) {
    end.ap(Method::POST, "/testing/clock", Some(&json!({"advance": duration}))).await.expect(200);
}

/// What was told of disputes and chargebacks: the ends of the types, and payloads.
pub async fn told(end: &End) -> Vec<(String, Value)> {
    let events = payments::events(end).await;
    let about = |kind: &str| kind.starts_with("dispute.") || kind == "transaction.chargeback";
    let end_of = |kind: String| kind.rsplit('.').next().unwrap().to_owned();
    events.into_iter().filter(|(kind, _)| about(kind)).map(|(kind, payload)| (end_of(kind), payload)).collect()
}

/// The types alone.
pub async fn kinds(end: &End) -> Vec<String> {
    told(end).await.into_iter().map(|(kind, _)| kind).collect()
}

kit::row! { struct MovedRow { kind: String, amount: i64, at: i64 } }

/// What disputes did to the Partner's balance, for settlements to take up: kinds and signed amounts, in the order of time.
pub async fn ledger(end: &End) -> Vec<(String, i64)> {
    let account = end.partner().to_owned();
    let rows: Vec<MovedRow> = end
        .ctx
        .db
        .read(move |tx| -> kit::db::UnitFuture<'_, Result<_, kit::db::DbError>> {
            Box::pin(async move {
                let sql = "select type as kind, amount, occurred_at as at from settlement_entries
                    where account_id = $1 and dispute_id is not null
                    union all select 'CHARGEBACK' as kind, amount, created_at as at from payment_chargebacks
                    where account_id = $1
                    order by at, kind desc";
                tx.fetch_all(sql, kit::params![&account]).await
            })
        })
        .await
        .unwrap();
    let sign = |kind: &str| if matches!(kind, "RELEASE" | "CHARGEBACK_REVERSAL") { 1 } else { -1 };
    rows.into_iter().map(|row| (row.kind.clone(), sign(&row.kind) * row.amount)).collect()
}

/// What is charged back on a transaction.
pub async fn charged_back(end: &End, transaction: &str) -> i64 {
    let object = payments::get(end, &format!("/transactions/{transaction}")).await.expect(200);
    object["charged_back_amount"].as_i64().unwrap()
}
