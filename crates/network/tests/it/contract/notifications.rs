//! Signing keys and webhooks.

use serde_json::json;

use super::Contract;
use crate::harness::End;

const EVENTS: [&str; 9] = [
    "partner.compliance.decision.created",
    "identity.customer-token.state-change.revoked",
    "partner.account.state-change.operational",
    "payment.dispute.state-change.pre-arbitration",
    "payment.funding.state-change.funded",
    "payment.request.state-change.submitted",
    "payment.transaction.state-change.authorized",
    "payment.*",
    "settlement.report.created",
];

async fn a_webhook(end: &End) -> (String, String) {
    let (key, _) = end.signing_key().await;
    (end.webhook("https://h.example/k", &["payment.*"], "v2", &key).await, key)
}

crate::contracts! {
    "POST /v2/notification/signing-keys" => async fn creates_a_signing_key(end, op) {
        let answer = op.call(end, &[], None).await;
        op.reads(&answer);
        let listed = end.ap(http::Method::GET, "/v2/notification/signing-keys", None).await.expect(200);
        assert_eq!(listed["signing_keys"][0]["signing_key"], json!(null), "the secret is shown once");
    }
    "GET /v2/notification/signing-keys" => async fn lists_signing_keys(end, op) {
        end.signing_key().await;
        op.reads(&op.call(end, &[], None).await);
    }
    "GET /v2/notification/signing-keys/{signing_key_id}" => async fn reads_a_signing_key(end, op) {
        let (key, _) = end.signing_key().await;
        op.reads(&op.call(end, &[("signing_key_id", &key)], None).await);
    }
    "DELETE /v2/notification/signing-keys/{signing_key_id}" => async fn deletes_a_signing_key(end, op) {
        let (key, _) = end.signing_key().await;
        op.call(end, &[("signing_key_id", &key)], None).await;
    }
    "POST /v2/notification/webhooks" => async fn creates_a_webhook(end, op) {
        let (key, _) = end.signing_key().await;
        for (number, event) in EVENTS.into_iter().enumerate() {
            let url = format!("https://h.example/{number}");
            let body = op.body_with(json!({"url": url, "event_types": [event], "event_version": "v2", "signing_key_id": key}));
            op.reads_some(&op.call(end, &[], Some(&body)).await, &["webhook_id"]);
        }
    }
    "GET /v2/notification/webhooks" => async fn lists_webhooks(end, op) {
        a_webhook(end).await;
        op.reads(&op.call(end, &[], None).await);
    }
    "GET /v2/notification/webhooks/{webhook_id}" => async fn reads_a_webhook(end, op) {
        let (webhook, _) = a_webhook(end).await;
        op.call(end, &[("webhook_id", &webhook)], None).await;
    }
    "PATCH /v2/notification/webhooks/{webhook_id}" => async fn changes_a_webhook(end, op) {
        let (webhook, key) = a_webhook(end).await;
        let body = op.body_with(json!({"event_version": "v3", "signing_key_id": key}));
        let answer = op.call(end, &[("webhook_id", &webhook)], Some(&body)).await;
        assert_eq!(answer["event_types"], json!(["payment.request.*"]));
    }
    "DELETE /v2/notification/webhooks/{webhook_id}" => async fn deletes_a_webhook(end, op) {
        let (webhook, _) = a_webhook(end).await;
        op.call(end, &[("webhook_id", &webhook)], None).await;
    }
    "POST /v2/notification/webhooks/{webhook_id}/simulate" => async fn sends_a_sample(end, op) {
        let (webhook, _) = a_webhook(end).await;
        let body = op.body_with(json!({"event_version": "v2"}));
        op.call(end, &[("webhook_id", &webhook)], Some(&body)).await;
    }
}

#[test]
fn a_body_has_every_field_and_changes_reach_every_entry() {
    let op = Contract::new("POST /v2/distribution/onboard");
    let body = op.body_with(json!({"partner_account_name": null, "brands": [{"display_name": "Other"}]}));
    assert_eq!(body["partner_account_name"], json!(null));
    assert_eq!(body["brands"][0]["display_name"], "Other");
    assert_eq!(body["products"][0]["payment_accounts"][0]["default_store_group_reference"], "store-group-1");
    assert_eq!(body["store_groups"][0]["stores"][0]["type"], "WEBSITE");
}
