//! Customer tokens: asked for with a payment, charged by another, revoked from either side.

use gateway::payments::Applied;
use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{CUSTOMER_TOKEN, Scene, named, order, scenes};
use crate::stage::eventually;

/// A payment that asks for a token, approved by its customer: the token's id.
pub async fn stored(scene: &Scene) -> String {
    let mut wanted = order(4990);
    wanted["request_customer_token"] =
        json!({"scopes": ["payment:customer_not_present"], "customer_token_reference": "account-7"});
    let made = scene.post("/v1/payments", wanted).await;
    assert_eq!(made.body["state"], "REQUIRES_CUSTOMER_ACTION", "{}", made.text);
    assert_eq!(made.body["customer_token_id"], Value::Null, "nobody has approved yet");
    let call = scene.klarna.calls("authorize").pop().unwrap();
    assert_eq!(
        call.body["request_customer_token"],
        json!({"scopes": ["payment:customer_not_present"], "customer_token_reference": "account-7"})
    );
    let completed = scene.klarna.customer("COMPLETED");
    assert_eq!(scene.webhook("payment.request.state-change.completed", completed).await, Applied::NeedsCall);
    let payment = scene.wait_for(made.body["id"].as_str().unwrap(), "AUTHORIZED").await;
    payment["customer_token_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_kept_sealed_and_charges_the_customer_again() {
    for scene in scenes().await {
        let working = scene.stage.work();
        let token = stored(&scene).await;
        let path = format!("/v1/customer-tokens/{token}");
        let read = scene.stage.call(&scene.ada, "GET", &path, None).await;
        assert_eq!(read.status, 200, "{}", read.text);
        assert_eq!(
            (&read.body["state"], &read.body["customer_token_reference"], &read.body["scopes"]),
            (&json!("ACTIVE"), &json!("account-7"), &json!(["payment:customer_not_present"]))
        );
        for text in [&read.text, &scene.read(read.body["payment_id"].as_str().unwrap()).await.to_string()] {
            assert!(!text.contains(CUSTOMER_TOKEN), "Klarna's token stays here: {text}");
        }

        let mut again = order(2500);
        again["customer_token_id"] = json!(token);
        let charged = scene.post("/v1/payments", again).await;
        assert_eq!((charged.status.as_u16(), &charged.body["state"]), (201, &json!("AUTHORIZED")), "{}", charged.text);
        let call = scene.klarna.calls("authorize").pop().unwrap();
        assert_eq!(call.header("klarna-customer-token"), CUSTOMER_TOKEN);
        drop(working);
        let held = scene.stage.held().await;
        assert!(!kit::testing::showing(&held, "account-7").is_empty(), "the search looked at the right places");
        assert_eq!(kit::testing::showing(&held, CUSTOMER_TOKEN), [""; 0], "the token lies in the clear");
    }
}

#[tokio::test]
async fn lists_are_by_reference_and_only_of_ones_own() {
    for scene in scenes().await {
        let _working = scene.stage.work();
        let token = stored(&scene).await;
        let list = async |partner, query: &str| {
            let path = format!("/v1/customer-tokens{query}");
            let answer = scene.stage.call(partner, "GET", &path, None).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let tokens = answer.body["customer_tokens"].as_array().unwrap().clone();
            tokens.iter().map(|token| token["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(list(&scene.ada, "").await, std::slice::from_ref(&token));
        assert_eq!(list(&scene.ada, "?customer_token_reference=account-7").await, std::slice::from_ref(&token));
        assert!(list(&scene.ada, "?customer_token_reference=account-8").await.is_empty());
        let wrong = scene.stage.call(&scene.ada, "GET", "/v1/customer-tokens?size=0&starting_after=pay_1", None).await;
        assert_eq!(named(&wrong), ["size", "starting_after"]);

        let eve = scene.stage.partner("EVE00001").await;
        assert!(list(&eve, "").await.is_empty());
        let path = format!("/v1/customer-tokens/{token}");
        for method in ["GET", "DELETE"] {
            assert_eq!(scene.stage.call(&eve, method, &path, None).await.status, StatusCode::NOT_FOUND);
        }
        let mut theirs = order(2500);
        theirs["customer_token_id"] = json!(token);
        let refused = scene.stage.call(&eve, "POST", "/v1/payments", Some(theirs)).await;
        assert_eq!((refused.status.as_u16(), named(&refused)), (400, vec!["customer_token_id"]));
    }
}

#[tokio::test]
async fn a_revoked_token_charges_nothing_and_klarna_hears_of_it() {
    for scene in scenes().await {
        let _working = scene.stage.work();
        let token = stored(&scene).await;
        let path = format!("/v1/customer-tokens/{token}");
        for _ in 0..2 {
            let revoked = scene.stage.call(&scene.ada, "DELETE", &path, None).await;
            assert_eq!((revoked.status.as_u16(), &revoked.body["state"]), (200, &json!("REVOKED")), "{}", revoked.text);
        }
        let call = eventually("the revocation", || async { scene.klarna.calls("revoke").pop() }).await;
        assert_eq!(call.header("klarna-customer-token"), CUSTOMER_TOKEN);
        let mut again = order(2500);
        again["customer_token_id"] = json!(token);
        let refused = scene.post("/v1/payments", again).await;
        assert_eq!((refused.status.as_u16(), named(&refused)), (400, vec!["customer_token_id"]), "{}", refused.text);
        // Klarna's own word of it tells nothing new.
        let told = json!({"customer_token": CUSTOMER_TOKEN, "state": "REVOKED", "revoked_by": "PARTNER"});
        let applied = scene.webhook("identity.customer-token.state-change.revoked", told).await;
        assert_eq!(applied, Applied::Unchanged);
        let events = scene.events().await;
        assert_eq!(events.iter().filter(|event| *event == "customer_token.revoked").count(), 1);
        assert_eq!(scene.klarna.calls("revoke").len(), 1);
    }
}

#[tokio::test]
async fn a_customer_who_revokes_at_klarna_is_not_charged_either() {
    for scene in scenes().await {
        let _working = scene.stage.work();
        let token = stored(&scene).await;
        let told = json!({"customer_token": CUSTOMER_TOKEN, "state": "REVOKED", "revoked_by": "CUSTOMER"});
        let event = "identity.customer-token.state-change.revoked";
        assert_eq!(scene.webhook(event, json!({"customer_token": "unheard-of"})).await, Applied::Unknown);
        assert_eq!(scene.webhook(event, told.clone()).await, Applied::Changed);
        assert_eq!(scene.webhook(event, told).await, Applied::Unchanged);
        let read = scene.stage.call(&scene.ada, "GET", &format!("/v1/customer-tokens/{token}"), None).await;
        assert_eq!(read.body["state"], "REVOKED");
        assert!(scene.klarna.calls("revoke").is_empty(), "Klarna knows already");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_named() {
    for scene in scenes().await {
        let mut wrong = order(4990);
        wrong["customer_token_id"] = json!("");
        wrong["request_customer_token"] = json!({"scopes": ["payment:whenever"], "customer_token_reference": 7});
        let refused = scene.post("/v1/payments", wrong).await;
        let mut faults = named(&refused);
        faults.sort_unstable();
        assert_eq!(
            faults,
            [
                "customer_token_id",
                "customer_token_id",
                "request_customer_token.customer_token_reference",
                "request_customer_token.scopes[0]"
            ]
        );
        let mut unknown = order(4990);
        unknown["customer_token_id"] = json!("ctk_nonesuch");
        assert_eq!(named(&scene.post("/v1/payments", unknown).await), ["customer_token_id"]);
        let id = scene.authorized(1000).await;
        let change =
            json!({"customer_token_id": "ctk_1", "request_customer_token": {"scopes": ["payment:customer_present"]}});
        let refused = scene.stage.call(&scene.ada, "PATCH", &format!("/v1/payments/{id}"), Some(change)).await;
        assert_eq!(named(&refused), ["request_customer_token", "customer_token_id"]);
    }
}
