//! Identity and interoperability: sessions and what starts the SDK with them, customer tokens, and what older releases did with
//! both.

use http::Method;
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::db::DbError;
use kit::http::ApiError;
use network::tokens::{self, NewCustomerToken};
use network::{accounts, credentials};
use protocol::PartnerAccountId;
use protocol::krn::Region;
use protocol::payments::TokenScope;
use serde_json::{Value, json};

use crate::harness::{Answer, End, ends};
use crate::payments_steps::*;

const SESSION: &str = "klarna-network-session-token";
const INTEROPERABILITY: &str = "klarna-interoperability-token";
const CUSTOMER: &str = "klarna-customer-token";

/// POST below the Partner's account, with headers.
async fn call(end: &End, tail: &str, headers: &[(&str, &str)]) -> Answer {
    let authorization = format!("Basic {}", end.ap_key());
    let mut all = vec![("authorization", authorization.as_str())];
    all.extend_from_slice(headers);
    end.send(Method::POST, &format!("/v2/accounts/{}{tail}", end.partner()), &all, None).await
}

fn customer(end: &End) -> String {
    end.credentials.partner.customer_token.clone().expect("the seed has a customer")
}

async fn test_token(end: &End, journey: &str) -> String {
    let path = format!("/v2/accounts/{}/interoperability/test-tokens", end.partner());
    let made = end.ap(Method::POST, &path, Some(&json!({"customer_journey": journey}))).await.expect(200);
    assert_eq!(made["interoperability_token"], made["klarna_network_session_token"]);
    made["klarna_network_session_token"].as_str().unwrap().to_owned()
}

async fn redeem(end: &End, sdk_token: &Value) -> Answer {
    let path = format!("/testing/accounts/{}/sdk-tokens/redeem", end.partner());
    end.ap(Method::POST, &path, Some(&json!({ "sdk_token": sdk_token }))).await
}

/// Another Partner under the same Acquiring Partner: its account, API key and a customer's token.
async fn another_partner(end: &End) -> (String, String, String) {
    let ctx = end.ctx.clone();
    let above: PartnerAccountId = end.credentials.acquiring_partner.account_id.parse().unwrap();
    end.ctx
        .db
        .write(move |tx| -> kit::db::UnitFuture<'_, Result<(String, String, String), ApiError>> {
            Box::pin(async move {
                let account = PartnerAccountId::new_test("NEIGHBOR");
                accounts::open(tx, &account, Some(&above), "neighbor", "Neighbor", 1).await?;
                let key = credentials::create_api_key(tx, &ctx.random, &account, "", 1).await?.secret;
                let new = NewCustomerToken {
                    account: &account,
                    region: Region::Eu1,
                    reference: None,
                    scopes: &[TokenScope::CustomerPresent],
                    persona: None,
                    customer_id: None,
                };
                let (_, token) = tokens::issue_customer_token(tx, &ctx, &new, ctx.clock.now()).await?;
                Ok((account.to_string(), key, token.as_str().to_owned()))
            })
        })
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_token_starts_one_sdk_within_ten_minutes() {
    for end in ends().await {
        let session = test_token(&end, "SIGN_IN_WITH_KLARNA").await;
        for header in [SESSION, INTEROPERABILITY] {
            let made = call(&end, "/interoperability/sdk-tokens", &[(header, &session)]).await.expect(200);
            assert_eq!(made["expires_at"], "2026-03-02T10:10:00Z");
            let redeemed = redeem(&end, &made["sdk_token"]).await.expect(200);
            assert_eq!(redeemed["partner_account_id"], end.partner());
            assert_eq!(redeemed["klarna_network_session_token"], session, "the session that it stood for");
            redeem(&end, &made["sdk_token"]).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        let by_customer = call(&end, "/identity/sdk-tokens", &[(CUSTOMER, &customer(&end))]).await.expect(200);
        let late =
            call(&end, "/identity/sdk-tokens", &[("x-klarna-customer-token", &customer(&end))]).await.expect(200);
        assert_ne!(by_customer["sdk_token"], late["sdk_token"]);
        end.ctx.clock.advance(10 * MINUTE_US - SECOND_US);
        redeem(&end, &by_customer["sdk_token"]).await.expect(200);
        end.ctx.clock.advance(SECOND_US);
        redeem(&end, &late["sdk_token"]).await.refused(404, "RESOURCE_NOT_FOUND");
        redeem(&end, &json!("nonsense")).await.refused(404, "RESOURCE_NOT_FOUND");
        // An idempotency key gives the same token, not another.
        let keyed = [("klarna-idempotency-key", "k-1"), (CUSTOMER, &customer(&end))];
        let first = call(&end, "/identity/sdk-tokens", &keyed).await.expect(200);
        assert_eq!(call(&end, "/identity/sdk-tokens", &keyed).await.expect(200), first);
        // Somebody else's is not used up by trying.
        let above = "/testing/sdk-tokens/redeem";
        let body = json!({"sdk_token": first["sdk_token"]});
        end.ap(Method::POST, above, Some(&body)).await.refused(404, "RESOURCE_NOT_FOUND");
        redeem(&end, &first["sdk_token"]).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_token_needs_a_session_or_a_customer_that_is_alive() {
    for end in ends().await {
        let (_, _, foreign) = another_partner(&end).await;
        names(&call(&end, "/interoperability/sdk-tokens", &[]).await, &["Klarna-Network-Session-Token"]);
        names(&call(&end, "/interoperability/sdk-tokens", &[(SESSION, "x")]).await, &["Klarna-Network-Session-Token"]);
        names(
            &call(&end, "/interoperability/sdk-tokens", &[(INTEROPERABILITY, "x")]).await,
            &["Klarna-Interoperability-Token"],
        );
        for tail in ["/identity/sdk-tokens", "/interoperability/tokens"] {
            names(&call(&end, tail, &[(CUSTOMER, "x")]).await, &["Klarna-Customer-Token"]);
            names(&call(&end, tail, &[(CUSTOMER, &foreign)]).await, &["Klarna-Customer-Token"]);
        }
        names(&call(&end, "/identity/sdk-tokens", &[]).await, &["Klarna-Customer-Token"]);
        // Spent, of another account, over.
        let spent = test_token(&end, "KLARNA_EXPRESS_CHECKOUT").await;
        call(&end, "/interoperability/sdk-tokens", &[(SESSION, &spent)]).await.expect(200);
        authorize(&end, &[(SESSION, &spent)], &authorization(&end, "TX-1")).await.expect(200);
        let refused = call(&end, "/interoperability/sdk-tokens", &[(SESSION, &spent)]).await;
        names(&refused, &["Klarna-Network-Session-Token"]);
        assert!(refused.text.contains("spent"));
        let above = end.ap(Method::POST, "/v2/interoperability/tokens", None).await.expect(200);
        let above = above["interoperability_token"].as_str().unwrap();
        names(
            &call(&end, "/interoperability/sdk-tokens", &[(SESSION, above)]).await,
            &["Klarna-Network-Session-Token"],
        );
        let old = test_token(&end, "KLARNA_ACCOUNT_LINKING").await;
        end.ctx.clock.advance(HOUR_US);
        let refused = call(&end, "/interoperability/sdk-tokens", &[(SESSION, &old)]).await;
        names(&refused, &["Klarna-Network-Session-Token"]);
        assert!(refused.text.contains("expired"));
        call(&end, "/identity/customer-token/revoke", &[(CUSTOMER, &customer(&end))]).await.expect(204);
        names(&call(&end, "/identity/sdk-tokens", &[(CUSTOMER, &customer(&end))]).await, &["Klarna-Customer-Token"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_token_is_told_about_and_ended_by_its_account_alone() {
    for end in ends().await {
        let (neighbor, key, foreign) = another_partner(&end).await;
        for verb in ["introspect", "revoke"] {
            let path = format!("/identity/customer-token/{verb}");
            names(&call(&end, &path, &[]).await, &["Klarna-Customer-Token"]);
            call(&end, &path, &[(CUSTOMER, "nobody's")]).await.refused(404, "RESOURCE_NOT_FOUND");
            call(&end, &path, &[(CUSTOMER, &foreign)]).await.refused(403, "OPERATION_FORBIDDEN");
        }
        let told_about = |answer: &Value| (answer["status"].clone(), answer["issued_at"].is_i64());
        let authorization = format!("Basic {key}");
        let own = [("authorization", authorization.as_str()), (CUSTOMER, foreign.as_str())];
        let told = end.send(Method::POST, "/v2/identity/customer-token/introspect", &own, None).await.expect(200);
        assert_eq!(told["scopes"], json!(["payment:customer_present"]));
        assert!(told.get("customer_token_reference").is_none());
        // The Acquiring Partner for the neighbor, under the oldest way to name an account.
        let authorization = format!("Basic {}", end.ap_key());
        let headers =
            [("authorization", authorization.as_str()), ("klarna-partner-account", &neighbor), (CUSTOMER, &foreign)];
        let path = "/v1/identity/customer-token/introspect";
        assert_eq!(
            told_about(&end.send(Method::POST, path, &headers, None).await.expect(200)),
            (json!("ACTIVE"), true)
        );
        for _ in 0..3 {
            call(&end, "/identity/customer-token/revoke", &[(CUSTOMER, &customer(&end))]).await.expect(204);
        }
        let told = call(&end, "/identity/customer-token/introspect", &[(CUSTOMER, &customer(&end))]).await.expect(200);
        assert_eq!(told_about(&told), (json!("REVOKED"), true));
        let events = events(&end).await;
        let revoked: Vec<_> =
            events.iter().filter(|(kind, _)| kind == "identity.customer-token.state-change.revoked").collect();
        assert_eq!(revoked.len(), 1);
        let told = &revoked[0].1;
        assert_eq!(
            (&told["state"], &told["previous_state"], &told["revoked_by"]),
            (&json!("REVOKED"), &json!("ACTIVE"), &json!("PARTNER"))
        );
        assert_eq!(told["customer_token"], customer(&end));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_token_recognises_decides_and_unknown_tokens_change_nothing() {
    for end in ends().await {
        let partner: PartnerAccountId = end.partner().parse().unwrap();
        let ctx = end.ctx.clone();
        let denied = end
            .ctx
            .db
            .write(move |tx| -> kit::db::UnitFuture<'_, Result<String, ApiError>> {
                Box::pin(async move {
                    let new = NewCustomerToken {
                        account: &partner,
                        region: Region::Eu1,
                        reference: None,
                        scopes: &[TokenScope::CustomerPresent],
                        persona: Some(network::payments::verdict::Persona::Denied),
                        customer_id: None,
                    };
                    Ok(tokens::issue_customer_token(tx, &ctx, &new, 1).await?.1.as_str().to_owned())
                })
            })
            .await
            .unwrap();
        let session = call(&end, "/interoperability/tokens", &[(CUSTOMER, &denied)]).await.expect(200);
        let session = session["klarna_network_session_token"].as_str().unwrap().to_owned();
        let authorization = format!("Basic {}", end.ap_key());
        for (header, value, state) in [
            (CUSTOMER, denied.as_str(), "DECLINED"),
            (SESSION, &session, "DECLINED"),
            (INTEROPERABILITY, &session, "DECLINED"),
            (CUSTOMER, "unknown", "COMPLETED"),
            (SESSION, "unknown", "COMPLETED"),
        ] {
            let headers = [("authorization", authorization.as_str()), (header, value)];
            let body = request_body(&end);
            let made = end.send(Method::POST, &at(&end, "/requests"), &headers, Some(&body)).await.expect(201);
            assert_eq!(complete(&end, &made).await["state"], state, "{header}: {value}");
            // Recognised later, by an update.
            let made = post(&end, "/requests", &body).await.expect(201);
            let path = at(&end, &format!("/requests/{}", made["payment_request_id"].as_str().unwrap()));
            end.send(Method::PATCH, &path, &headers, Some(&json!({}))).await.expect(200);
            assert_eq!(complete(&end, &made).await["state"], state, "{header}: {value}");
        }
    }
}

async fn interoperability(end: &End, query: &str) -> Value {
    end.ap(Method::GET, &format!("/v2/accounts/{}/interoperability?{query}", end.partner()), None).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn older_releases_ask_whether_to_show_preselect_or_confirm() {
    for end in ends().await {
        let status = |answer: Value| answer["status"].as_str().unwrap().to_owned();
        assert_eq!(status(interoperability(&end, "currency=EUR").await), "PAYMENT_SUPPORTED");
        assert_eq!(
            status(interoperability(&end, "currency=eur&country=de&payment_amount=4990&platform_reference=p").await),
            "PAYMENT_SUPPORTED"
        );
        assert_eq!(status(interoperability(&end, "currency=EUR&country=SE").await), "PAYMENT_UNSUPPORTED");
        assert_eq!(status(interoperability(&end, "currency=KWD").await), "PAYMENT_UNSUPPORTED");
        let asked = |token: &str| format!("currency=EUR&interoperability_token={token}");
        assert_eq!(status(interoperability(&end, &asked("unknown")).await), "PAYMENT_SUPPORTED");
        let met = test_token(&end, "KLARNA_PRE_QUALIFICATION").await;
        assert_eq!(status(interoperability(&end, &asked(&met)).await), "PAYMENT_PREPARED");

        let made = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let token = made["state_context"]["interoperability_token"].as_str().unwrap();
        assert_eq!(status(interoperability(&end, &asked(token)).await), "PAYMENT_SUPPORTED");
        step(&end, made["payment_request_url"].as_str().unwrap(), network::payments::CustomerStep::Enter)
            .await
            .unwrap();
        assert_eq!(status(interoperability(&end, &asked(token)).await), "PAYMENT_PREPARED");
        let approved = session_token(&complete(&end, &made).await);
        let pending = interoperability(&end, &asked(&approved)).await;
        assert_eq!(pending["status"], "PAYMENT_PENDING_CONFIRMATION");
        let confirmation = pending["payment_confirmation_token"].as_str().unwrap();
        assert!(confirmation.starts_with("krn:payment:eu1:confirmation-token:"));
        authorize(&end, &[(SESSION, &approved)], &authorization(&end, "TX-1")).await.expect(200);
        assert_eq!(status(interoperability(&end, &asked(&approved)).await), "PAYMENT_SUPPORTED");

        // The ways to name the account; the Partner's own key.
        let authorization = format!("Basic {}", end.ap_key());
        let header = [("authorization", authorization.as_str()), ("klarna-partner-account", end.partner())];
        end.send(Method::GET, "/v1/interoperability?currency=EUR", &header, None).await.expect(200);
        end.call(end.partner_key(), Method::GET, "/v2/interoperability?currency=EUR", None).await.expect(200);
        let path = format!("/v2/accounts/{}/interoperability", end.partner());
        for (query, parameters) in [
            ("", &["currency"][..]),
            ("?currency=EURO&country=DEU&payment_amount=0", &["currency", "country", "payment_amount"]),
            ("?currency=EUR&payment_amount=many&purchase_reference=", &["payment_amount", "purchase_reference"]),
        ] {
            names(&end.ap(Method::GET, &format!("{path}{query}"), None).await, parameters);
        }
        let partner: PartnerAccountId = end.partner().parse().unwrap();
        let disabled = end.ctx.db.write(move |tx| -> kit::db::UnitFuture<'_, Result<(), DbError>> {
            Box::pin(async move { accounts::set_product_state(tx, &partner, "DISABLED", 0).await })
        });
        disabled.await.unwrap();
        assert_eq!(status(interoperability(&end, "currency=EUR").await), "PAYMENT_UNSUPPORTED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_is_said_once_and_found_again_by_its_reference() {
    for end in ends().await {
        let path = format!("/v1/accounts/{}/shopping/sessions", end.partner());
        let data = json!({"supplementary_purchase_data": {"purchase_reference": "88", "colour": "green",
            "customer": {"given_name": "Ada", "email": "ada@muster.example"},
            "line_items": [{"name": "Mug", "quantity": 1, "total_amount": AMOUNT}]}});
        let made = end.ap(Method::POST, &path, Some(&data)).await.expect(201);
        assert_eq!(
            (&made["created_at"], &made["expires_at"]),
            (&json!("2026-03-02T10:00:00Z"), &json!("2026-03-04T10:00:00Z"))
        );
        let id = made["shopping_session_id"].as_str().unwrap();
        assert!(id.starts_with("krn:shopping:eu1:test:session:"));
        let read = end.ap(Method::GET, &format!("{path}/{id}"), None).await.expect(200);
        assert_eq!(read["supplementary_purchase_data"], data["supplementary_purchase_data"]);
        assert_eq!(read["shopping_session_id"], made["shopping_session_id"]);
        let older = json!({"content_type": "vnd.klarna.shopping.v1", "merchant_references": ["77"],
            "content": {"acquiring_channel": "ECOMMERCE", "merchant_reference": "77", "line_items": [{"name": "Mug"}],
                "shipping": [], "buyer": {"given_name": "Ada"}, "subscriptions": [], "ondemand": {}}});
        let second = end.ap(Method::POST, &path, Some(&older)).await.expect(201);
        let second_id = second["shopping_session_id"].as_str().unwrap();
        assert_eq!(
            end.ap(Method::GET, &format!("{path}/{second_id}"), None).await.expect(200)["content"],
            older["content"]
        );
        for (query, found) in [("purchase_reference=88", id), ("merchant_reference=77", second_id)] {
            let told = interoperability(&end, &format!("currency=EUR&{query}")).await;
            assert_eq!(told["shopping_session_id"], found);
        }
        assert!(interoperability(&end, "currency=EUR&purchase_reference=9").await.get("shopping_session_id").is_none());
        names(
            &end.ap(
                Method::POST,
                &path,
                Some(&json!({"supplementary_purchase_data": {"line_items": [{"quantity": 0}]}})),
            )
            .await,
            &[
                "supplementary_purchase_data.line_items[0].name",
                "supplementary_purchase_data.line_items[0].quantity",
                "supplementary_purchase_data.line_items[0].total_amount",
            ],
        );
        names(&end.ap(Method::POST, &path, Some(&json!({}))).await, &["supplementary_purchase_data"]);
        // Of another account; absent; over.
        end.ap(Method::GET, &format!("/v1/shopping/sessions/{id}"), None).await.refused(404, "RESOURCE_NOT_FOUND");
        end.ap(Method::GET, &format!("{path}/x"), None).await.refused(404, "RESOURCE_NOT_FOUND");
        end.ctx.clock.advance(48 * HOUR_US);
        end.ap(Method::GET, &format!("{path}/{id}"), None).await.refused(404, "RESOURCE_NOT_FOUND");
        assert!(
            interoperability(&end, "currency=EUR&purchase_reference=88").await.get("shopping_session_id").is_none()
        );
    }
}

/// A request of the oldest generation, and the confirmation token that its approval yields.
async fn approved_in_v1(end: &End, more: &Value) -> (Value, String) {
    let mut body = request_body(end);
    body["payment_amount"] = body["amount"].take();
    body.as_object_mut().unwrap().remove("amount");
    for (name, value) in more.as_object().unwrap() {
        body[name.as_str()] = value.clone();
    }
    let path = format!("/v1/accounts/{}/payment/requests", end.partner());
    let made = end.ap(Method::POST, &path, Some(&body)).await.expect(201);
    assert_eq!((&made["payment_amount"], &made["amount"]), (&json!(AMOUNT), &json!(AMOUNT)));
    complete(end, &made).await;
    let id = made["payment_request_id"].as_str().unwrap();
    let read = end.ap(Method::GET, &format!("{path}/{id}"), None).await.expect(200);
    let token = read["state_context"]["payment_confirmation_token"].as_str().unwrap().to_owned();
    (made, token)
}

async fn confirm(end: &End, token: &str, body: &Value) -> Answer {
    let path = format!("/v1/accounts/{}/payment/confirmation-tokens/{token}/confirm", end.partner());
    end.ap(Method::POST, &path, Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_release_confirms_what_was_approved_and_may_repeat_itself() {
    for end in ends().await {
        let (made, token) = approved_in_v1(&end, &json!({})).await;
        let body = json!({"currency": "EUR", "payment_amount": AMOUNT, "payment_transaction_reference": "TX-1",
            "config": {"capture": "NOW"}});
        let confirmed = confirm(&end, &token, &body).await.expect(200);
        assert_eq!(confirmed["payment_request_id"], made["payment_request_id"]);
        assert_eq!(confirmed["state"], "AUTHORIZED");
        let transaction = confirmed["state_context"]["payment_transaction_id"].as_str().unwrap();
        let paid = get(&end, &format!("/transactions/{transaction}")).await.expect(200);
        assert_eq!((&paid["state"], &paid["payment_transaction_reference"]), (&json!("COMPLETED"), &json!("TX-1")));
        assert_eq!(paid["supplementary_purchase_data"], purchase(), "what the customer approved");
        assert_eq!(confirm(&end, &token, &body).await.expect(200), confirmed, "by itself, without an idempotency key");
        let events = told(&end).await;
        assert_eq!(events.iter().filter(|kind| kind.ends_with("state-change.authorized")).count(), 1);
        let mut other = body.clone();
        other["payment_transaction_reference"] = json!("TX-2");
        confirm(&end, &token, &other).await.refused(403, "OPERATION_FORBIDDEN");
        // Callers of the present release hear nothing of it.
        let read = get(&end, &format!("/requests/{}", made["payment_request_id"].as_str().unwrap())).await.expect(200);
        assert!(read["state_context"].get("payment_confirmation_token").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_must_agree_with_what_was_approved() {
    for end in ends().await {
        let shipping = json!({"shipping_config": {"mode": "EDITABLE"}});
        let (_, token) = approved_in_v1(&end, &shipping).await;
        let body = json!({"currency": "EUR", "payment_amount": AMOUNT, "payment_transaction_reference": "TX-1"});
        let with = |name: &str, value: Value| {
            let mut body = body.clone();
            body[name] = value;
            body
        };
        names(
            &confirm(&end, &token, &json!({"config": {"capture": "SOON"}})).await,
            &["currency", "payment_amount", "config.capture"],
        );
        names(
            &confirm(&end, &token, &json!({"currency": "SEK", "payment_amount": 1})).await,
            &["currency", "payment_amount"],
        );
        let elsewhere = json!({"shipping": [{"address": {"city": "Graz", "country": "AT"}}]});
        names(
            &confirm(&end, &token, &with("supplementary_purchase_data", elsewhere)).await,
            &["supplementary_purchase_data.shipping"],
        );
        let lines = json!({"line_items": [{"name": "Mug", "quantity": 1, "total_amount": 1}]});
        names(
            &confirm(&end, &token, &with("supplementary_purchase_data", lines)).await,
            &["supplementary_purchase_data.line_items"],
        );
        for unknown in ["x", "krn:payment:eu1:confirmation-token:0b0e8d5e-1111-4a2b-9c3d-000000000001"] {
            confirm(&end, unknown, &body).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        // Nothing of all this has spent it; time does.
        end.ctx.clock.advance(HOUR_US - SECOND_US);
        let other = approved_in_v1(&end, &json!({})).await.1;
        confirm(&end, &token, &body).await.expect(200);
        end.ctx.clock.advance(HOUR_US);
        confirm(&end, &other, &with("payment_transaction_reference", json!("TX-2")))
            .await
            .refused(403, "OPERATION_FORBIDDEN");
        // A Partner's own key confirms nothing, as it authorizes nothing.
        let path = format!("/v1/payment/confirmation-tokens/{other}/confirm");
        end.call(end.partner_key(), Method::POST, &path, Some(&body)).await.refused(403, "OPERATION_FORBIDDEN");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_identifier_opens_the_sdk_and_no_operation() {
    for end in ends().await {
        let partner: PartnerAccountId = end.partner().parse().unwrap();
        let ctx = end.ctx.clone();
        let client_id = end
            .ctx
            .db
            .write(move |tx| {
                Box::pin(async move { credentials::create_client_identifier(tx, &ctx.random, &partner, "", 1).await })
            })
            .await
            .unwrap();
        let path = "/v2/interoperability?currency=EUR";
        end.call(&client_id, Method::GET, path, None).await.refused(401, "PERMISSION_DENIED");
        let unknown = format!("{client_id}x");
        end.call(&unknown, Method::GET, path, None).await.refused(401, "UNAUTHORIZED");
    }
}
