//! Presentation and messaging.

use serde_json::json;

use super::Contract;
use crate::harness::End;

const RANDOM: [(&str, &str); 3] = [
    ("klarna-customer-token", "krn:partner:eu1:test:identity:customer-token:6f1a2b3c4d5e6f708192a3b4c5d6e7f8"),
    ("klarna-interoperability-token", "krn:network:eu1:test:session-token:e30.e30.e30"),
    ("klarna-network-session-token", "krn:network:eu1:test:session-token:e30.e30.e30"),
];
const MESSAGE: &str = "locale=de-DE&amount=4990&currency=EUR&app_return_url=YXBwTmFtZTovL0tsYXJuYVBheW1lbnQ=";

/// With every parameter and header of the sheet, tokens that nobody knows among them.
async fn message(end: &End, op: &Contract, query: &str) {
    let message = op.call_with(end, &[], query, &RANDOM, None).await;
    assert!(message["content"]["nodes"][0]["value"].is_string(), "{message}");
}

/// The collection's four examples.
async fn examples(end: &End, op: &Contract) {
    let known = end.credentials.partner.customer_token.clone().unwrap();
    for (query, wanted) in [
        (
            "locale=de-DE&currency=EUR&amount=4990&intents[]=PAY&app_return_url=YXBwTmFtZTovL0tsYXJuYVBheW1lbnQ=",
            "SHOW_KLARNA",
        ),
        (
            "locale=en-US&currency=USD&amount=4990&intents[]=SUBSCRIBE&subscription_billing_interval=MONTH&subscription_billing_interval_frequency=1",
            "SHOW_KLARNA",
        ),
        ("locale=sv-SE&currency=SEK&intents[]=ADD_TO_WALLET", "SHOW_KLARNA"),
        ("locale=en-GB&currency=GBP&amount=4990&intents[]=PAY&intents[]=SIGNIN", "SHOW_KLARNA"),
    ] {
        let shown = op.call_with(end, &[], query, &RANDOM[..2], None).await;
        assert_eq!(shown["instruction"], json!(wanted), "{query}");
    }
    let shown = op.call_with(end, &[], MESSAGE, &[("klarna-customer-token", &known)], None).await;
    assert_eq!(shown["instruction"], "PRESELECT_KLARNA");
}

crate::contracts! {
    "GET /v2/accounts/{partner_account_id}/payment/messaging/credit-promotion-auto-size" => async fn promotes_credit_at_any_size(end, op) {
        message(end, op, MESSAGE).await;
    }
    "GET /v2/accounts/{partner_account_id}/payment/messaging/credit-promotion-badge" => async fn promotes_credit_with_a_badge(end, op) {
        message(end, op, MESSAGE).await;
    }
    "GET /v2/accounts/{partner_account_id}/payment/messaging/top-strip-promotion-auto-size" => async fn promotes_on_top_at_any_size(end, op) {
        message(end, op, MESSAGE).await;
    }
    "GET /v2/accounts/{partner_account_id}/payment/messaging/top-strip-promotion-badge" => async fn promotes_on_top_with_a_badge(end, op) {
        message(end, op, "locale=de-DE&amount=4990&currency=EUR").await;
    }
    "GET /v2/accounts/{partner_account_id}/payment/presentation" => async fn presents_for_a_partner(end, op) {
        examples(end, op).await;
    }
    "GET /v2/payment/presentation" => async fn presents_for_itself(end, op) {
        examples(end, op).await;
    }
}
