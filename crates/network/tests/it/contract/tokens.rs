//! Identity and interoperability.

use serde_json::json;

use crate::harness::End;

fn customer_token(end: &End) -> String {
    end.credentials.partner.customer_token.clone().expect("the seed has a customer")
}

async fn a_session(end: &End) -> String {
    let path = format!("/v2/accounts/{}/interoperability/tokens", end.partner());
    let made = end.ap(http::Method::POST, &path, None).await.expect(200);
    made["klarna_network_session_token"].as_str().unwrap().to_owned()
}

crate::contracts! {
    "POST /v2/accounts/{partner_account_id}/identity/sdk-tokens" => async fn starts_the_sdk_for_a_customer(end, op) {
        let token = customer_token(end);
        let made = op.call_with(end, &[], "", &[("klarna-customer-token", &token)], Some(&json!({}))).await;
        assert!(made["sdk_token"].is_string());
        assert_eq!(made["expires_at"], "2026-03-02T10:10:00Z");
    }
    "POST /v2/accounts/{partner_account_id}/identity/customer-token/introspect" => async fn introspects(end, op) {
        let token = customer_token(end);
        let told = op.call_with(end, &[], "", &[("klarna-customer-token", &token)], None).await;
        assert_eq!(told["status"], "ACTIVE");
        assert_eq!(told["scopes"], json!(["payment:customer_present", "payment:customer_not_present"]));
    }
    "POST /v2/accounts/{partner_account_id}/identity/customer-token/revoke" => async fn revokes(end, op) {
        let token = customer_token(end);
        op.call_with(end, &[], "", &[("klarna-customer-token", &token)], None).await;
    }
    "POST /v2/accounts/{partner_account_id}/interoperability/sdk-tokens" => async fn starts_the_sdk_with_a_session(end, op) {
        for name in ["klarna-network-session-token", "klarna-interoperability-token"] {
            let session = a_session(end).await;
            let made = op.call_with(end, &[], "", &[(name, &session)], None).await;
            assert!(made["sdk_token"].is_string());
        }
    }
    "POST /v2/accounts/{partner_account_id}/interoperability/tokens" => async fn begins_a_session(end, op) {
        op.reads(&op.call(end, &[], None).await);
    }
    "POST /v2/accounts/{partner_account_id}/interoperability/test-tokens" => async fn makes_a_test_token(end, op) {
        let token = customer_token(end);
        let headers = [("klarna-customer-token", token.as_str()), ("klarna-customer-region", "krn:test:us1:test")];
        op.reads(&op.call_with(end, &[], "", &headers, Some(&op.body())).await);
    }
    "POST /v2/identity/sdk-tokens" => async fn a_partner_starts_the_sdk_for_a_customer(end, op) {
        let token = customer_token(end);
        op.call_with(end, &[], "", &[("klarna-customer-token", &token)], Some(&json!({}))).await;
    }
    "POST /v2/identity/customer-token/introspect" => async fn a_partner_introspects(end, op) {
        let token = customer_token(end);
        op.call_with(end, &[], "", &[("klarna-customer-token", &token)], None).await;
    }
    "POST /v2/interoperability/sdk-tokens" => async fn a_partner_starts_the_sdk_with_a_session(end, op) {
        for name in ["klarna-network-session-token", "klarna-interoperability-token"] {
            let session = a_session(end).await;
            op.call_with(end, &[], "", &[(name, &session)], None).await;
        }
    }
    "POST /v2/interoperability/tokens" => async fn a_partner_begins_a_session(end, op) {
        let token = customer_token(end);
        op.reads(&op.call_with(end, &[], "", &[("klarna-customer-token", &token)], None).await);
    }
}
