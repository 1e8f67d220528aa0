//! Settlements.

use serde_json::{Value, json};

use super::Contract;
use crate::harness::End;
use crate::payments_steps::{id, post, transaction};

/// Of today, with a capture in it.
async fn a_settlement(end: &End) -> String {
    let transaction = id(&transaction(end, "TX-1").await);
    post(end, &format!("/transactions/{transaction}/capture"), &json!({"capture_amount": 1000})).await.expect(201);
    let settled = end.ap(http::Method::POST, "/testing/settlements", None).await.expect(201);
    settled["settlement_reports"][0]["settlement_id"].as_str().unwrap().to_owned()
}

async fn reads(op: &Contract, end: &End) -> Value {
    let settlement = a_settlement(end).await;
    op.call(end, &[("settlement_id", &settlement)], None).await
}

crate::contracts! {
    "POST /v2/settlements" => async fn settles_an_interval(end, op) {
        a_settlement(end).await;
        let body = op.body_with(json!({"interval_start": "2026-03-02T00:00:00Z", "interval_end": "2026-03-03T00:00:00Z",
            "payment_acquiring_account_id": end.credentials.acquiring_partner.payment_acquiring_account_id}));
        op.reads(&op.call(end, &[], Some(&body)).await);
    }
    "GET /v2/settlements" => async fn lists_settlements(end, op) {
        let settlement = a_settlement(end).await;
        let query = format!(
            "interval_start=2026-03-02T00:00:00Z&interval_end=2026-03-03T00:00:00Z&currency=EUR&payment_acquiring_account_id={}",
            end.credentials.acquiring_partner.payment_acquiring_account_id
        );
        let list = op.call_with(end, &[], &query, &[], None).await;
        assert_eq!(list["settlements"][0]["settlement_id"], settlement);
    }
    "GET /v2/settlements/{settlement_id}" => async fn reads_a_settlement(end, op) {
        assert_eq!(reads(op, end).await["totals"]["capture_amount"], 1000);
    }
    "GET /v2/settlements/{settlement_id}/csv" => async fn downloads_a_settlement(end, op) {
        reads(op, end).await;
    }
    "GET /v2/settlements/{settlement_id}/transactions" => async fn lists_the_lines_of_a_settlement(end, op) {
        let settlement = a_settlement(end).await;
        let named = [("settlement_id", settlement.as_str())];
        let first = op.call_with(end, &named, "size=2", &[], None).await;
        op.reads(&first);
        let last = first["pagination"]["last_item"].as_str().unwrap();
        let rest = op.call_with(end, &named, &format!("size=2&starting_after={last}"), &[], None).await;
        let before = rest["pagination"]["first_item"].as_str().unwrap();
        let back = op.call_with(end, &named, &format!("size=2&ending_before={before}"), &[], None).await;
        assert_eq!(back["transactions"], first["transactions"]);
    }
    "GET /v2/settlements/{settlement_id}/payouts/status" => async fn tells_where_a_payout_is(end, op) {
        assert_eq!(reads(op, end).await["status"], "PENDING");
    }
    "POST /v2/settlements/{settlement_id}/payouts/set-status" => async fn moves_a_payout_on(end, op) {
        let settlement = a_settlement(end).await;
        let body = op.body_with(json!({"payout_bank_account_reference": "IBAN: **************1234"}));
        let payout = op.call(end, &[("settlement_id", &settlement)], Some(&body)).await;
        assert_eq!(payout["status"], "PROCESSED");
    }
}
